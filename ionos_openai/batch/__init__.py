"""Many prompts into one directory: within the limits, whatever dies in between, and nothing bought twice.

A run keeps a record of each prompt, `manifest.jsonl`, in the directory. The same call again skips what is done. What a
run keeps in memory for each recorded or given prompt is at most 100 bytes: requests and pictures never pile up.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import openai

from ionos_openai.batch.drive import AsyncBatch, Batch
from ionos_openai.batch.lock import DirectoryLock
from ionos_openai.batch.manifest import Manifest
from ionos_openai.batch.request import ImageRequest
from ionos_openai.batch.results import BatchEvent, BatchResult, Estimate, Progress
from ionos_openai.batch.run import Missing, Plan, Run, system_clock
from ionos_openai.client.pacing.rates import Limits
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import BatchRunningError, InvalidRequestError, IonosWarning
from ionos_openai.errors.notices import warn_once
from ionos_openai.files.names import choose_saving
from ionos_openai.files.writing import check_directory
from ionos_openai.hub.catalogue import DEFAULT_SIZE, ImageModelName
from ionos_openai.hub.models import parse_size, resolve_model
from ionos_openai.hub.prices import parse_ceiling, parse_prices

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping
    from decimal import Decimal

__all__ = [
    "AsyncBatch",
    "Batch",
    "BatchEvent",
    "BatchResult",
    "BatchRunningError",
    "Estimate",
    "ImageRequest",
    "Progress",
    "agenerate_batch",
    "generate_batch",
]


def generate_batch(
    client: openai.OpenAI,
    requests: Iterable[str | ImageRequest],
    directory: str | os.PathLike[str],
    *,
    model: ImageModelName | None = None,
    size: str | None = DEFAULT_SIZE,
    concurrency: int = 4,
    max_attempts: int = 3,
    max_cost: Decimal | float | str | None = None,
    max_images: int | None = None,
    prices: Mapping[str, str] | None = None,
    missing: Missing = "keep",
    verify: bool = False,
    redo: Collection[str] = (),
    only_failed: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
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
        requests: Prompts or `ImageRequest`s. A list is checked as a whole before anything is sent; of any other
            iterable, each is looked at when its turn comes, and one that cannot work is its own result.
        directory: Where pictures and record go, made if it is missing. One run at a time.
        model: For requests without one: an id or a short name; None means the client's `image_model` setting.
        size: For requests without one: "WIDTHxHEIGHT" in px; None leaves it to the service.
        concurrency: How many requests are on their way, or wait for their turn, at once; 1 to 100.
        max_attempts: How many requests a picture may take, 429s not counted; 1 to 100. One that timed out may have
            been billed.
        max_cost: The most that this run may spend: 5, or "5 EUR". It ends before the first request that would pass
            it; a request that was lost on its way counts, since it may be billed.
        max_images: The most pictures that this run may ask for, counted so too.
        prices: What a picture costs, by model: {"flux.1": "0.03 EUR"}; by default `IONOS_PRICES`, else the catalogue.
        missing: What to do about recorded pictures that are gone: "keep" makes none again, "remake" does.
        verify: Compare the bytes of recorded pictures, not only their size and time.
        redo: Names, of requests or files, whose pictures are made once more, beside those that were.
        only_failed: Make only what an earlier run tried and failed at.
        provenance: Whether the metadata says that a model made the pictures; by default the client's setting.
        prompt_in_metadata: Whether it has the prompt too; by default the client's setting.
        timeout: Seconds for each request, or an `openai.Timeout`; by default the client's.
        on_event: Called, in the thread that iterates, with what happens.

    Returns:
        A `Batch`: iterate over it for results as they finish, or call `run()`. Nothing is sent before.

    Raises:
        InvalidRequestError: An argument or a request of a list cannot work; or `max_cost` is given, and a price is not
            known or in another currency.
        BatchRunningError: Another run works in the directory.
        ImageSaveError: The directory cannot be written to.

    Source: limits and prices as in `ionos_openai.client.pacing` and `ionos_openai.hub`, 2026-11.
    """
    _check_client(client, openai.AsyncOpenAI, "agenerate_batch()")
    plan = _plan(
        client,
        directory,
        model=model,
        size=size,
        concurrency=concurrency,
        max_attempts=max_attempts,
        max_cost=max_cost,
        max_images=max_images,
        prices=prices,
        missing=missing,
        verify=verify,
        redo=redo,
        only_failed=only_failed,
        provenance=provenance,
        prompt_in_metadata=prompt_in_metadata,
    )
    run, manifest, lock = _open(requests, plan)
    return Batch(client, run, manifest, lock, concurrency=concurrency, timeout=timeout, on_event=on_event)


def agenerate_batch(
    client: openai.AsyncOpenAI,
    requests: Iterable[str | ImageRequest],
    directory: str | os.PathLike[str],
    *,
    model: ImageModelName | None = None,
    size: str | None = DEFAULT_SIZE,
    concurrency: int = 4,
    max_attempts: int = 3,
    max_cost: Decimal | float | str | None = None,
    max_images: int | None = None,
    prices: Mapping[str, str] | None = None,
    missing: Missing = "keep",
    verify: bool = False,
    redo: Collection[str] = (),
    only_failed: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    on_event: Callable[[BatchEvent], object] | None = None,
) -> AsyncBatch:
    """Do what `generate_batch` does, with an `openai.AsyncOpenAI`; not awaited itself, it returns an `AsyncBatch`.

    The requests are read in threads, one after the other, so that an iterable which takes its time holds up no loop.
    """
    _check_client(client, openai.OpenAI, "generate_batch()")
    plan = _plan(
        client,
        directory,
        model=model,
        size=size,
        concurrency=concurrency,
        max_attempts=max_attempts,
        max_cost=max_cost,
        max_images=max_images,
        prices=prices,
        missing=missing,
        verify=verify,
        redo=redo,
        only_failed=only_failed,
        provenance=provenance,
        prompt_in_metadata=prompt_in_metadata,
    )
    run, manifest, lock = _open(requests, plan)
    return AsyncBatch(client, run, manifest, lock, concurrency=concurrency, timeout=timeout, on_event=on_event)


def _plan(
    client: openai.OpenAI | openai.AsyncOpenAI,
    directory: str | os.PathLike[str],
    *,
    model: str | None,
    size: str | None,
    concurrency: int,
    max_attempts: int,
    max_cost: Decimal | float | str | None,
    max_images: int | None,
    prices: Mapping[str, str] | None,
    missing: Missing,
    verify: bool,
    redo: Collection[str],
    only_failed: bool,
    provenance: bool | None,
    prompt_in_metadata: bool | None,
) -> Plan:
    """Check the arguments, and last of all the directory, so that a call that cannot work leaves none behind."""
    for name, number, least in (("concurrency", concurrency, 1), ("max_attempts", max_attempts, 1)):
        _check_number(name, number, least, 100)
    if max_images is not None:
        _check_number("max_images", max_images, 0, None)
    if missing not in get_args(Missing):
        raise InvalidRequestError(f"missing={missing!r} is not known: choose {' or '.join(get_args(Missing))}.")
    if size is not None:
        parse_size(size)
    names = [redo] if isinstance(redo, str) else redo
    settings = getattr(client, "ionos_settings", None)
    if settings is None:
        _warn_of_plain_client()
        settings = IonosSettings()
    plan = Plan(
        directory=Path(directory),
        saving=choose_saving(settings, provenance=provenance, prompt_in_metadata=prompt_in_metadata),
        model=settings.image_model if model is None else resolve_model(model),
        size=size,
        max_attempts=max_attempts,
        max_images=max_images,
        ceiling=None if max_cost is None else parse_ceiling(max_cost),
        prices=parse_prices(settings.prices if prices is None else prices),
        missing=missing,
        verify=verify,
        redo=frozenset(names),
        only_failed=only_failed,
        limits=_limits(client),
    )
    check_directory(directory)
    return plan


def _check_client(client: object, other: type[openai.OpenAI | openai.AsyncOpenAI], twin: str) -> None:
    """Refuse what cannot be asked for pictures, or not in this way, before a directory is made."""
    if isinstance(client, other):
        raise InvalidRequestError(f"The client is an {other.__name__}: use {twin}.")
    if not hasattr(client, "images"):
        raise InvalidRequestError("The first argument is no client: make one with create_client().")


def _limits(client: openai.OpenAI | openai.AsyncOpenAI) -> Limits | None:
    """Return the limits that bound how fast it goes; None for a client that is not paced, such as the stand-in's."""
    if getattr(client, "ionos_settings", None) is None:
        return Limits()
    pacing = getattr(client, "ionos_pacing", None)
    return None if pacing is None else pacing.limits


def _check_number(name: str, number: int, least: int, most: int | None) -> None:
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not is_number or number < least or (most is not None and number > most):
        bound = f"from {least} to {most}" if most is not None else f"from {least}"
        raise InvalidRequestError(f"{name}={number!r} must be a whole number {bound}.")


def _warn_of_plain_client() -> None:
    warn_once(
        "batch-unpaced",
        "This client is not from create_client(), so nothing keeps its requests within the contract's limits: the "
        "batch only waits after each 429. Make the client with ionos_openai.create_client().",
        IonosWarning,
    )


def _open(requests: Iterable[str | ImageRequest], plan: Plan) -> tuple[Run, Manifest, DirectoryLock]:
    if isinstance(requests, str):
        raise InvalidRequestError("The requests are one text: pass a list of prompts, such as [prompt].")
    lock = DirectoryLock(plan.directory)
    try:
        manifest = Manifest(plan.directory)
        try:
            return Run(requests, plan, manifest, system_clock), manifest, lock
        except BaseException:
            manifest.close()
            raise
    except BaseException:
        lock.release()
        raise
