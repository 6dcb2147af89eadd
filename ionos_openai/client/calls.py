"""One call of the SDK's, made into what goes to IONOS: adapted, as `n` requests, its answer remembering what was sent.

Here the SDK's request options are read and changed; what is changed into what is decided in `compat.py`. The service's
answer repeats neither prompt nor model nor size: they are attached to the SDK's response object, where they neither
show in its `repr` nor in its dump; and the object shows itself as its pictures.
"""

from __future__ import annotations

import base64
import contextlib
import io
import posixpath
import sys
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openai import types
from openai._models import FinalRequestOptions
from openai.types import CreateEmbeddingResponse, Embedding
from pydantic import BaseModel

from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import CompatibilityWarning, InvalidRequestError, IonosError, keep_partial_results
from ionos_openai.errors.notices import warn_once
from ionos_openai.errors.numbers import whole_number
from ionos_openai.files.formats import EXTENSIONS, MEDIA_TYPES, sniff
from ionos_openai.hub.compat import Adapted, adapt_image_request, merge_answers, shape_answer

_TEXTS = ("prompt", "model", "size")
_EMBEDDINGS = "/embeddings"
_RAW_RESPONSE = "x-stainless-raw-response"
_IMAGE_ENDS = frozenset({*EXTENSIONS.values(), ".jpeg"})
IMAGE_PATHS = {"/images/generations": False, "/images/edits": True}

_LONGEST_SHOWN = 2000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One request for images, as it was sent; None stands for what it did not have."""

    prompt: str | None
    model: str | None  # its id
    size: str | None  # "WIDTHxHEIGHT" in px
    edited: bool  # whether pictures were sent along to be edited
    created: datetime  # when the request was made, in UTC
    seed: int | None = None


class _Brief(BaseModel):
    """A model of the SDK's that a notebook shows as its pictures; its `repr` has the beginning of a long text."""

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            is_long = isinstance(value, str) and len(value) > _LONGEST_SHOWN
            yield name, f"{value[:16]}… ({len(value):,} characters)" if is_long else value

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        try:
            # By the front door: what shows pictures stands upon this room.
            images = sys.modules["ionos_openai"].decode_images(self)
        except IonosError:
            return {"text/plain": repr(self)}
        return (images[0] if len(images) == 1 else images)._repr_mimebundle_(include, exclude)


class Image(_Brief, types.Image):
    """An item of a response that shows its picture, with a short `repr`."""


class ImagesResponse(_Brief, types.ImagesResponse):
    """A response that shows its pictures, with a short `repr`."""


def remember(response: object, remembered: Remembered) -> None:
    """Attach `remembered` to a response of the SDK."""
    # Past pydantic's __setattr__, as the SDK itself does for `_request_id`: not a field, so never dumped.
    object.__setattr__(response, "_ionos_remembered", remembered)
    if type(response) is types.ImagesResponse:
        object.__setattr__(response, "__class__", ImagesResponse)
        for item in response.data if isinstance(response.data, list) else ():  # the SDK checks nothing of it
            if type(item) is types.Image:
                object.__setattr__(item, "__class__", Image)


def recall(response: object) -> Remembered | None:
    """Return what `remember` attached to `response`, or None."""
    remembered = getattr(response, "_ionos_remembered", None)
    return remembered if isinstance(remembered, Remembered) else None  # a mock has whatever it is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How one call of the SDK's goes to IONOS: as `n` requests; `remembered` is None where it is not for images."""

    n: int = 1
    remembered: Remembered | None = None


def adapt_call(options: FinalRequestOptions, settings: IonosSettings, url: str) -> Call:
    """Change `options` into what the service at `url` takes, with a warning a change, before anything is sent."""
    if options.url == _EMBEDDINGS:
        _ask_for_floats(options, settings)
    if options.url not in IMAGE_PATHS:
        return Call()
    edits = IMAGE_PATHS[options.url]
    adapted: Adapted | None = None
    if settings.compat != "off":
        adapted = adapt_image_request(
            _mapping(options.json_data),
            mode=settings.compat,
            default_model=settings.image_edit_model if edits else settings.image_model,
            edits=edits,
            url=url,
        )
        _check_raw(options, adapted.n)
        for change in adapted.changes:
            warn_once(change.kind, change.message, CompatibilityWarning)
        options.json_data = adapted.fields
        options.files = with_bytes(options.files, typed=True)
    remembered = _remembered(options, edited=edits)
    _parse_with(options, remembered, adapted)
    return Call(n=adapted.n if adapted else 1, remembered=remembered)


def _ask_for_floats(options: FinalRequestOptions, settings: IonosSettings) -> None:
    """Ask for floats in place of base64, which ends in a 500 (recorded 2026-08); base64 is made of them here."""
    fields, parser = _mapping(options.json_data), options.post_parser
    if settings.compat == "off" or fields.get("encoding_format") != "base64":
        return
    options.json_data = {**fields, "encoding_format": "float"}
    # The SDK itself asks for base64 where nobody says anything, and its parser then makes floats of it.
    probe = CreateEmbeddingResponse.construct(data=[Embedding.construct(embedding="AAAAAA==")])
    if not callable(parser) or isinstance(parser(probe).data[0].embedding, str):
        options.post_parser = _in_base64


def _in_base64(response: Any) -> Any:
    for item in response.data or []:
        floats = array("f", item.embedding)
        if sys.byteorder == "big":
            floats.byteswap()
        item.embedding = base64.b64encode(floats.tobytes()).decode("ascii")
    return response


def _check_raw(options: FinalRequestOptions, n: int) -> None:
    if n > 1 and _RAW_RESPONSE in (name.lower() for name in _mapping(options.headers)):
        what = "A raw or streamed response is one answer with one picture"
        raise InvalidRequestError(f"{what}, and n is {n}: ask with n=1, or without raw.")


def with_bytes(files: Any, *, typed: bool = False) -> Any:
    """Return a form's files with open files read: they are sent again at a retry, and for each of several pictures.

    With `typed`, each picture goes out under the name and type that its bytes have. One in text mode is a TypeError.
    """
    if not isinstance(files, (Mapping, list, tuple)):
        return files
    pairs = files.items() if isinstance(files, Mapping) else files
    read = [(field, _without_handle(file)) for field, file in pairs]
    read = [(field, _with_type(file, field)) for field, file in read] if typed else read
    return dict(read) if isinstance(files, Mapping) else read


def _with_type(file: Any, field: str) -> Any:
    """Return a picture with the name and type of its bytes; what says its type in words, or is none, as it is."""
    name, content, *said = file if isinstance(file, tuple) else (None, file)
    kind = sniff(content) if isinstance(content, bytes) else None
    if said or kind is None:
        return file
    name = name or field.partition("[")[0]  # fields of lists are called image[]
    stem, end = posixpath.splitext(name)
    if (end.lower() if end.lower() != ".jpeg" else ".jpg") != EXTENSIONS[kind]:
        name = f"{stem if end.lower() in _IMAGE_ENDS else name}{EXTENSIONS[kind]}"
    return name, content, MEDIA_TYPES[kind]


def _without_handle(file: Any) -> Any:
    if isinstance(file, tuple):
        return (file[0], _content(file[1]), *file[2:])
    name, content = getattr(file, "name", None), _content(file)
    return (Path(name).name, content) if content is not file and isinstance(name, str) else content


def _content(file: Any) -> Any:
    """Return what is sent of a file: all of it, wherever it was read to before."""
    if not callable(getattr(file, "read", None)):
        return file
    if isinstance(file, io.TextIOBase):
        raise TypeError("A file to upload must be opened in binary mode, as open(path, 'rb') does, not in text mode.")
    with contextlib.suppress(AttributeError, OSError):  # what cannot be rewound is sent from where it stands
        file.seek(0)
    return file.read()


def _remembered(options: FinalRequestOptions, *, edited: bool) -> Remembered:
    fields = {**_mapping(options.json_data), **_mapping(options.extra_json)}
    prompt, model, size = (value if isinstance(value := fields.get(name), str) else None for name in _TEXTS)
    seed, created = whole_number(fields.get("seed")), datetime.now(UTC)
    return Remembered(prompt=prompt, model=model, size=size, seed=seed, edited=edited, created=created)


def _parse_with(options: FinalRequestOptions, remembered: Remembered, adapted: Adapted | None) -> None:
    """Have the SDK's parser, of raw responses too, shape the answer and remember what was asked; then the user's."""
    earlier = options.post_parser

    def parse(response: object) -> object:
        if isinstance(response, types.ImagesResponse):
            if adapted is not None:
                shape_answer(response, wants_url=adapted.wants_url, keeps_base64=adapted.keeps_base64)
            remember(response, remembered)
        return earlier(response) if callable(earlier) else response

    options.post_parser = parse


def merge_call(call: Call, responses: list[Any], failures: list[BaseException]) -> Any:
    """Return the one answer, or several made into one; raise the first failure, with the answers that came."""
    if failures:
        keep_partial_results(failures[0], responses)
        raise failures[0]
    if len(responses) == 1 or call.remembered is None:
        return responses[0]
    merged = merge_answers(responses)
    remember(merged, call.remembered)
    merged._request_id = responses[0]._request_id
    return merged


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
