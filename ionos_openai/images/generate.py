"""From one prompt to pictures: a request is checked, sent, decoded, and its pictures know what was asked.

Works with any `openai.OpenAI`. The service makes one picture a request, so `n` pictures are `n` requests, side by
side. Whatever is decided is decided in functions that send nothing; the sync and async shells only send.
"""

from __future__ import annotations

import functools
import io
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

import openai
from openai import AsyncOpenAI, OpenAI
from openai.types import ImagesResponse
from pydantic import BaseModel

from ionos_openai.client.fanout import FanOut
from ionos_openai.client.settings import IonosSettings, load_signer, open_place, saving_settings, settings_of
from ionos_openai.errors import InvalidRequestError, IonosWarning, keep_partial_results
from ionos_openai.errors.notices import warn_once
from ionos_openai.errors.numbers import whole_number
from ionos_openai.files.buckets import check_place
from ionos_openai.files.formats import EXTENSIONS, MEDIA_TYPES, FormatError, recognise, upright
from ionos_openai.files.names import choose_format, choose_saving, clean_name, parse_format
from ionos_openai.hub.catalogue import DEFAULT_SIZE, ImageModelName
from ionos_openai.hub.compat import SIZE_DOUBT, check_number, check_prompt, choose_size
from ionos_openai.hub.models import check_size, find_model, naming_for
from ionos_openai.hub.offers import check_client
from ionos_openai.images.display import ImageList
from ionos_openai.images.image import GeneratedImage, Image, ImageDecodeError, decode_images, save_images
from ionos_openai.images.payload import is_upload, read_picture
from ionos_openai.provenance.signing import Sign

ImageInput: TypeAlias = str | os.PathLike[str] | bytes | GeneratedImage | Image
"""A picture to edit: a path, its encoded bytes, a result of an earlier call, or a Pillow image."""

Save: TypeAlias = "Callable[[Sequence[GeneratedImage]], list[Path | str]]"
"""What writes pictures to where they shall go."""

_CHARACTERS_PER_TOKEN = 4  # the usual rule of thumb for English
_FIRST_SDK_WITH_SEVERAL_INPUTS = (1, 76)


def generate_images(
    client: OpenAI,
    prompt: str,
    *,
    model: ImageModelName | None = None,
    n: int = 1,
    size: str | None = DEFAULT_SIZE,
    aspect_ratio: str | None = None,
    seed: int | None = None,
    extra_body: Mapping[str, object] | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    directory: str | os.PathLike[str] | None = None,
    name: str | None = None,
    format: str | None = None,
    overwrite: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> list[GeneratedImage]:
    """Make pictures from a prompt.

    Args:
        client: Any `openai.OpenAI`; one from `create_client` knows its default model.
        prompt: What the picture shows. FLUX.1-schnell reads at most 256 tokens or so; a longer one is warned about.
        model: An id, or a short name such as "flux.1"; None means the client's `image_model` setting.
        n: How many pictures, 1 to 100; each is a request, up to eight at a time.
        size: "WIDTHxHEIGHT" in px; None leaves it to the service, whose default is not documented.
        aspect_ratio: "16:9" or the like, in place of `size`: the nearest size that the model makes.
        seed: Sent as it is; whether the service honours it is not known.
        extra_body: Further fields of the request, sent as they are.
        timeout: Seconds for each request, or an `openai.Timeout`; by default the client's.
        directory: Where to save the pictures, made if missing; each then has its `path`. None saves none.
        name: The files' name, whose extension asks for a format; by default it is made from the prompt.
        format: "PNG", "JPEG" or "WEBP" to convert to; by default the bytes are written as they were sent.
        overwrite: Whether files of that name are replaced; by default the next free name is taken.
        provenance: Whether saved pictures say in their metadata that a model made them; see `GeneratedImage.save`.
            None means the client's setting, here and of the following two.
        prompt_in_metadata: Whether they say from which prompt, which may be confidential.
        sign: Whether they are signed (C2PA), and with what; certificate and key are tried before anything is sent.

    Returns:
        A picture a request, in order; width x height px as asked. A notebook shows the list as a grid.

    Raises:
        InvalidRequestError: An argument cannot work. Nothing was sent.
        ConfigurationError: Nothing can be signed with the certificate and its key. Nothing was sent.
        ImageSaveError: The directory cannot be written to. Nothing was sent, unless `partial_images(error)` has some.
        openai.APIError: The first request that failed; `partial_images(error)` has the pictures of the others.
        ImageDecodeError: An answer held no picture; `partial_images(error)` has those of the others.

    Source: `POST /v1/images/generations`, IONOS documentation and recorded requests, 2026-11.
    """
    check_client(client, "agenerate_images")
    save = _check_place(client, directory, name, format, (provenance, prompt_in_metadata, sign), overwrite=overwrite)
    sent, known = _check_request(client, prompt, model, n, (size, aspect_ratio), seed, extra_body)
    with FanOut[ImagesResponse](n, settings_of(client)) as asked:
        asked.send(lambda: client.images.generate(**sent, timeout=timeout))
        return _finish(known, save, asked)


async def agenerate_images(
    client: AsyncOpenAI,
    prompt: str,
    *,
    model: ImageModelName | None = None,
    n: int = 1,
    size: str | None = DEFAULT_SIZE,
    aspect_ratio: str | None = None,
    seed: int | None = None,
    extra_body: Mapping[str, object] | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    directory: str | os.PathLike[str] | None = None,
    name: str | None = None,
    format: str | None = None,
    overwrite: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> list[GeneratedImage]:
    """Do what `generate_images` does, with an `openai.AsyncOpenAI`."""
    check_client(client, "generate_images", awaited=True)
    save = _check_place(client, directory, name, format, (provenance, prompt_in_metadata, sign), overwrite=overwrite)
    sent, known = _check_request(client, prompt, model, n, (size, aspect_ratio), seed, extra_body)
    with FanOut[ImagesResponse](n, settings_of(client)) as asked:
        await asked.asend(lambda: client.images.generate(**sent, timeout=timeout))
        return await _afinish(known, save, asked)


def edit_images(  # noqa: D417 - the other arguments are those of `generate_images`
    client: OpenAI,
    image: ImageInput | Sequence[ImageInput],
    prompt: str,
    *,
    mask: ImageInput | None = None,
    model: ImageModelName | None = None,
    n: int = 1,
    size: str | None = None,
    aspect_ratio: str | None = None,
    seed: int | None = None,
    extra_body: Mapping[str, object] | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    directory: str | os.PathLike[str] | None = None,
    name: str | None = None,
    format: str | None = None,
    overwrite: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> list[GeneratedImage]:
    """Make pictures from a prompt and pictures; all else is as `generate_images` has it.

    Args:
        image: The picture to edit, or several, also as an answer, a result of a batch or the SDK's file tuple.
        mask: Where to change it: a picture that is transparent there. Whether the service honours it is not known.
        model: None means the client's `image_edit_model` setting; one that is known not to edit is refused.
        size: None leaves it to the service.

    Source: editing with FLUX.2-klein-4B, IONOS documentation, 2026-11; the path and form are what the SDK sends.
    """
    check_client(client, "aedit_images")
    save = _check_place(client, directory, name, format, (provenance, prompt_in_metadata, sign), overwrite=overwrite)
    sent, known = _check_request(client, prompt, model, n, (size, aspect_ratio), seed, extra_body, _inputs(image), mask)
    with FanOut[ImagesResponse](n, settings_of(client)) as asked:
        asked.send(lambda: client.images.edit(**sent, timeout=timeout))
        return _finish(known, save, asked)


async def aedit_images(
    client: AsyncOpenAI,
    image: ImageInput | Sequence[ImageInput],
    prompt: str,
    *,
    mask: ImageInput | None = None,
    model: ImageModelName | None = None,
    n: int = 1,
    size: str | None = None,
    aspect_ratio: str | None = None,
    seed: int | None = None,
    extra_body: Mapping[str, object] | None = None,
    timeout: float | openai.Timeout | openai.NotGiven | None = openai.NOT_GIVEN,
    directory: str | os.PathLike[str] | None = None,
    name: str | None = None,
    format: str | None = None,
    overwrite: bool = False,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> list[GeneratedImage]:
    """Do what `edit_images` does, with an `openai.AsyncOpenAI`."""
    check_client(client, "edit_images", awaited=True)
    save = _check_place(client, directory, name, format, (provenance, prompt_in_metadata, sign), overwrite=overwrite)
    sent, known = _check_request(client, prompt, model, n, (size, aspect_ratio), seed, extra_body, _inputs(image), mask)
    with FanOut[ImagesResponse](n, settings_of(client)) as asked:
        await asked.asend(lambda: client.images.edit(**sent, timeout=timeout))
        return await _afinish(known, save, asked)


def _check_request(
    client: OpenAI | AsyncOpenAI,
    prompt: str,
    model: str | None,
    n: int,
    shape: tuple[str | None, str | None],
    seed: int | None,
    extra_body: Mapping[str, object] | None,
    inputs: Sequence[Any] | None = None,
    mask: ImageInput | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check a request, and warn the caller's caller of what is doubtful. `shape` is a size and an aspect ratio.

    It returns the arguments of the SDK's method, and what `decode_images` is to know of the pictures.
    """
    check_prompt(prompt)
    check_number(n)
    if seed is not None and whole_number(seed) is None:
        raise InvalidRequestError(f"seed={seed!r} is no whole number.")
    default = "image_model" if inputs is None else "image_edit_model"
    chosen = getattr(settings_of(client) or IonosSettings(), default) if model is None else naming_for(client)(model)
    size = choose_size(*shape, chosen)
    sent: dict[str, Any] = {"model": chosen, "prompt": prompt}
    if size is not None:
        sent["size"] = size
        if doubt := check_size(size, chosen):
            # By the kind of the client's own warning, which then is not given again for this call.
            warn_once(SIZE_DOUBT, doubt, IonosWarning)
    asked = {**({} if seed is None else {"seed": seed}), **(extra_body or {})}
    extra = {name: value if (number := whole_number(value)) is None else number for name, value in asked.items()}
    seed = whole_number(extra.get("seed"))
    if extra:
        sent["extra_body"] = extra
    files = [] if inputs is None else _files(inputs, chosen)
    if files:
        sent["image"] = files if len(files) > 1 else files[0]
    if mask is not None:
        sent["mask"] = _as_file(mask, 0)
    if doubt := _doubt_about_length(prompt, chosen):
        warnings.warn(doubt, IonosWarning, stacklevel=3)
    known = {"prompt": prompt, "model": chosen, "size": size, "seed": seed}
    return sent, {**known, "edited": bool(files), "inputs": [data for _, data, _ in files]}


def _check_place(
    client: OpenAI | AsyncOpenAI,
    directory: str | os.PathLike[str] | None,
    name: str | None,
    format: str | None,
    marking: tuple[bool | None, bool | None, Sign | None],
    *,
    overwrite: bool,
) -> Save | None:
    """Check where and how to save; return what saves pictures, None where no directory is given."""
    provenance, prompt_in_metadata, sign = marking
    wanted = None if format is None else parse_format(format)
    if name is not None:
        choose_format(clean_name(name), "JPEG", wanted)
    settings = settings_of(client)
    chosen = choose_saving(
        settings or saving_settings, provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign
    )
    saving = asdict(replace(chosen, sign=chosen.sign and load_signer(chosen.sign, settings)))
    if directory is None:
        return None
    place = check_place(open_place(directory))
    return functools.partial(save_images, directory=place, name=name, format=format, overwrite=overwrite, **saving)


def _doubt_about_length(prompt: str, model: str) -> str | None:
    known = find_model(model)
    limit = known.prompt_limit if known else None
    if known is None or limit is None or len(prompt) <= limit * _CHARACTERS_PER_TOKEN:
        return None
    reads = f"{known.name} reads about {limit} tokens (some {limit * _CHARACTERS_PER_TOKEN} characters)"
    return f"The prompt has {len(prompt)} characters; {reads}, so its end may be ignored."


def _inputs(image: Any) -> list[Any]:
    """Return the pictures to edit, one by one; those of a response, or of a batch's result, are taken out of it."""
    several = isinstance(image, (list, tuple, Iterator, ValuesView)) and not isinstance(image, io.IOBase)
    if several and not is_upload(image):
        return [found for held in image for found in _inputs(held)]
    is_answer = isinstance(image, (BaseModel, Mapping)) or callable(getattr(image, "parse", None))
    return decode_images(image) if is_answer or isinstance(getattr(image, "paths", None), tuple) else [image]


def _files(inputs: Sequence[Any], model: str) -> list[tuple[str, bytes, str]]:
    known = find_model(model)
    if known is not None and known.can_edit is False:
        raise InvalidRequestError(f"{known.name} makes pictures from text alone; edit with FLUX.2-klein-4B.")
    if not inputs:
        raise InvalidRequestError("There is no picture to edit: pass at least one.")
    installed = tuple(int(part) for part in openai.__version__.split(".")[:2])
    if len(inputs) > 1 and installed < _FIRST_SDK_WITH_SEVERAL_INPUTS:
        raise InvalidRequestError(f"openai {openai.__version__} sends one picture at a time: upgrade to send several.")
    return [_as_file(image, number) for number, image in enumerate(inputs, 1)]


def _as_file(image: ImageInput, number: int) -> tuple[str, bytes, str]:
    """Return what the SDK sends as a file: its name, its bytes (read once, as they may be sent again), its type."""
    try:
        data = upright(image.data if isinstance(image, GeneratedImage) else read_picture(image))
        kind = recognise(data).format
    except FormatError as error:
        which = f"picture {number}" if number else "the mask"
        raise InvalidRequestError(f"Cannot edit {which}: {error}.") from None
    return f"image-{number}{EXTENSIONS[kind]}" if number else f"mask{EXTENSIONS[kind]}", data, MEDIA_TYPES[kind]


def _finish(known: Mapping[str, Any], save: Save | None, asked: FanOut[ImagesResponse]) -> list[GeneratedImage]:
    """Decode what came, save it, and only then raise what failed, with the pictures on the error."""
    images, problems = ImageList(), list(asked.failures)
    for response in asked.answers:
        try:
            images += decode_images(response, **known)
        except ImageDecodeError as error:
            images += error.images
            problems.append(error)
    if save is not None and images:
        try:
            paths = save(images)
        except BaseException as error:
            keep_partial_results(error, images)
            raise
        images = ImageList(replace(image, path=path) for image, path in zip(images, paths, strict=True))
    if not problems:
        return images
    if isinstance(problems[0], ImageDecodeError):
        problems[0].images, images = images, ImageList()
    keep_partial_results(problems[0], images)
    raise problems[0]


async def _afinish(known: Mapping[str, Any], save: Save | None, asked: FanOut[ImagesResponse]) -> list[GeneratedImage]:
    if save is None:
        return _finish(known, save, asked)
    import anyio.to_thread

    # Writing waits for the disk, so it leaves the event loop alone; once begun it is not given up.
    images: list[GeneratedImage] = []
    with anyio.CancelScope(shield=True):
        images = await anyio.to_thread.run_sync(_finish, known, save, asked)
    return images  # noqa: RET504 - a type checker cannot know that the scope swallows nothing
