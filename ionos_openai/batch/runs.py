"""The two functions that make a batch of what the caller says."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import openai

from ionos_openai.batch.drive import AsyncBatch, Batch
from ionos_openai.batch.plan import Missing, make_plan
from ionos_openai.batch.request import ImageRequest, check_source
from ionos_openai.batch.results import BatchEvent
from ionos_openai.errors import InvalidRequestError
from ionos_openai.hub.catalogue import DEFAULT_SIZE, ImageModelName
from ionos_openai.provenance.signing import Sign

Made = TypeVar("Made", Batch, AsyncBatch)


def generate_batch(
    client: openai.OpenAI,
    requests: Iterable[str | ImageRequest | Mapping[str, object]],
    directory: str | os.PathLike[str],
    *,
    model: ImageModelName | None = None,
    size: str | None = DEFAULT_SIZE,
    aspect_ratio: str | None = None,
    concurrency: int = 4,
    max_attempts: int = 3,
    max_cost: Decimal | float | str | None = None,
    max_images: int | None = None,
    prices: Mapping[str, str] | None = None,
    missing: Missing = "keep",
    verify: bool = False,
    redo: Collection[str] = (),
    only_failed: bool = False,
    ignore_damaged: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    patience: float | None = None,
    on_event: Callable[[BatchEvent], object] | None = None,
) -> Batch:
    """Make the pictures of many prompts into a directory, going on where an earlier call with it ended.

    A prompt is known by what it asks for and its name, or by being the first, second, ... of equal ones; not by its
    place, nor by its metadata. A 400 is that prompt's result. What may work later (5xx, timeouts, broken connections,
    answers without a whole picture) is tried again. After 429 is waited as long as the service asks, uncounted.
    A refused token, a full disk or a lost directory end the run, with everything kept. The client's `max_wait` has no
    part in it: a batch is there to wait for the limits.

    Args:
        client: Any `openai.OpenAI`; only one from `create_client` keeps to the contract's limits by itself.
            Its settings say how pictures are named and marked.
        requests: Prompts, `ImageRequest`s, or dicts as `df.to_dict("records")` has them, whose further columns are
            metadata. A list is checked as a whole before anything is sent; of any other
            iterable, each is looked at when its turn comes, and one that cannot work is its own result.
        directory: Where pictures and record go, made if it is missing; or a bucket's URL, "s3://bucket/prefix", which
            a run holds as long as it lives. One run at a time.
        model: For requests without one: an id or a short name; None means the client's `image_model` setting.
        size: For requests without one: "WIDTHxHEIGHT" in px; None leaves it to the service.
        aspect_ratio: "16:9" or the like, in place of `size`: the nearest size that each model makes.
        concurrency: How many requests are on their way, or wait for their turn, at once; 1 to 100.
        max_attempts: How many requests a picture may take, 429s not counted; 1 to 100. One that timed out may have
            been billed.
        max_cost: The most that this run may spend: 5, or "5 EUR". It ends before the first request that would pass
            it; a request that was lost on its way counts, since it may be billed.
        max_images: The most pictures that this run may ask for, counted so too.
        prices: What a picture costs, by model: {"flux.1": "0.03 EUR"}; by default `IONOS_PRICES`, else the catalogue.
        missing: What to do about recorded pictures that are gone: "keep" makes none again, "remake" does.
        verify: Compare the bytes of recorded pictures, not only their size and time.
        redo: Names, of requests or files, whose pictures are made once more, beside those that were. The same call
            again goes on where such a run was cut short.
        only_failed: Make only what an earlier run tried and failed at.
        ignore_damaged: Go on although lines of the manifest cannot be read, whose pictures are then bought again;
            so does `missing="remake"`.
        provenance: Whether the metadata says that a model made the pictures; by default the client's setting.
        prompt_in_metadata: Whether it has the prompt too; by default the client's setting.
        sign: Whether pictures are signed, as for `generate_images`. What cannot be is told by an event, a warning
            and the manifest; with "required" it ends the run, with the pictures on the error.
        timeout: Seconds for each request, or an `openai.Timeout`; by default the client's.
        patience: Seconds to wait for the network where connections fail, which then counts as no attempt; past them
            the run ends with the error. None means no such waiting.
        on_event: Called, in the thread that iterates, with what happens.

    Returns:
        A `Batch`: iterate over it for results as they finish, or call `run()`. Nothing is sent before.

    Raises:
        InvalidRequestError: An argument or a request of a list cannot work; or `max_cost` is given, and a price is not
            known or in another currency.
        BatchRunningError: Another run works there.
        ConfigurationError: Nothing can be signed with the certificate and its key; or obstore is not installed.
        ImageSaveError: The directory or bucket cannot be written to, or lines of its manifest cannot be read.

    Source: limits and prices as in `ionos_openai.client.pacing` and `ionos_openai.hub`, 2026-11.
    """
    return _make(Batch, **locals())


def agenerate_batch(
    client: openai.AsyncOpenAI,
    requests: Iterable[str | ImageRequest | Mapping[str, object]],
    directory: str | os.PathLike[str],
    *,
    model: ImageModelName | None = None,
    size: str | None = DEFAULT_SIZE,
    aspect_ratio: str | None = None,
    concurrency: int = 4,
    max_attempts: int = 3,
    max_cost: Decimal | float | str | None = None,
    max_images: int | None = None,
    prices: Mapping[str, str] | None = None,
    missing: Missing = "keep",
    verify: bool = False,
    redo: Collection[str] = (),
    only_failed: bool = False,
    ignore_damaged: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    patience: float | None = None,
    on_event: Callable[[BatchEvent], object] | None = None,
) -> AsyncBatch:
    """Do what `generate_batch` does, with an `openai.AsyncOpenAI`; not awaited itself, it returns an `AsyncBatch`.

    The requests are read in threads, one after the other, so that an iterable which takes its time holds up no loop.
    """
    return _make(AsyncBatch, **locals())


def _make(
    kind: Callable[..., Made], *, client: Any, requests: Any, directory: Any, timeout: Any, on_event: Any, **asked: Any
) -> Made:
    """Make a batch of all that one of the two functions was given, once its client can be asked in this way."""
    other, twin = (openai.AsyncOpenAI, "agenerate") if kind is Batch else (openai.OpenAI, "generate")
    if isinstance(client, other):
        raise InvalidRequestError(f"The client is an {other.__name__}: use {twin}_batch().")
    if not hasattr(client, "images"):
        raise InvalidRequestError("The first argument is no client: make one with create_client().")
    plan = make_plan(client, directory, **asked)
    return kind(client, check_source(requests), plan, timeout=timeout, on_event=on_event)
