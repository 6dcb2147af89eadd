"""Pictures: out of a response, checked, shown, and saved.

The encoded picture stays what the service sent, and the mark goes in beside it; only a conversion that is asked for
encodes a picture anew, and only then is Pillow loaded. Sizes are in pixels.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pybase64
from pydantic import BaseModel

from ionos_openai.client import settings
from ionos_openai.client.remembered import recall
from ionos_openai.errors import ImageSaveError, IonosError, IonosWarning, keep_partial_results, partial_results
from ionos_openai.errors.notices import in_notebook
from ionos_openai.errors.words import shorten as cut
from ionos_openai.files.formats import (
    EXTENSIONS,
    MEDIA_TYPES,
    FormatError,
    ImageFormat,
    WritableFormat,
    convert,
    is_marked_sandbox,
    open_picture,
    recognise,
    sniff,
    upright,
)
from ionos_openai.files.names import (
    FileNames,
    SavingSettings,
    choose_format,
    choose_saving,
    clean_name,
    parse_format,
    prompt_name,
    shorten,
)
from ionos_openai.files.writing import is_directory, make_directory, write_new
from ionos_openai.images.display import Bundle, ImageList, picture_bundle
from ionos_openai.images.payload import ASK_AGAIN, ItemError, as_path, as_text, is_item, item_bytes, read_field, refusal
from ionos_openai.provenance import describe
from ionos_openai.provenance.marking import Marked, add_signature, finish, mark, warn_unmarked
from ionos_openai.provenance.signing import Sign, Signer

if TYPE_CHECKING:
    from PIL.Image import Image
else:  # for `typing.get_type_hints`, which shall not load Pillow
    Image = Any


class ImageDecodeError(IonosError, ValueError):
    """An item of the response is not a picture.

    Attributes:
        index: Which item of `data` it is, from 0; None where the response has no items at all.
        images: The pictures of the same response that are good, in order.
        data: The bytes that it is instead, in a format that nobody here knows; None where it is none.
        url: The whole address that came instead; None where none did. Its query may be a secret.
    """

    def __init__(
        self,
        message: str,
        *,
        index: int | None = None,
        images: Sequence[GeneratedImage] = (),
        data: bytes | None = None,
        url: str | None = None,
    ) -> None:
        """Keep `message`, the bad item's index, the good pictures, and what came instead of the bad one."""
        super().__init__(message)
        self.index = index
        self.images = list(images)
        self.data = data
        self.url = url


SaveFormat: TypeAlias = Literal["JPEG", "PNG", "WEBP"] | str
"""A format to write; any case, and "jpg" too."""

_LONGEST_SHOWN = 40  # characters of a prompt in a repr
_SEPARATORS = tuple(separator for separator in (os.sep, os.altsep) if separator)
# Unix seconds of 2000 and of 2100: a service's `created` outside of them is no date.
_EARLIEST, _LATEST = 946_684_800, 4_102_444_800

_CHECK_ADDRESS = "Check base_url, and ask again: something between you and the service may have answered."


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GeneratedImage:
    """A picture that a model made, and what was asked for.

    Attributes:
        data: The encoded picture, exactly as it was sent.
        format: What the bytes are: "JPEG", "PNG", "WEBP", "GIF" or "AVIF".
        width: In px, read from the bytes.
        height: In px, read from the bytes.
        prompt: The text that was asked for; None where unknown.
        model: The id of the model that was asked; None where unknown.
        size: "WIDTHxHEIGHT" in px that was asked for; None where unknown or left to the service.
        seed: The seed that was sent; None where unknown or none was. Whether the service honours it is not known.
        edited: Whether pictures were sent along to be edited.
        created: When it was made, in UTC; None where unknown.
        revised_prompt: What the service made of the prompt; None where it said nothing.
        path: The file that `generate_images` saved it to; None where it did not.
        inputs: The encoded pictures that it was made from, for a signature; empty where unknown or there were none.
    """

    data: bytes = field(repr=False)
    format: ImageFormat
    width: int
    height: int
    prompt: str | None = None
    model: str | None = None
    size: str | None = None
    seed: int | None = None
    edited: bool = False
    created: datetime | None = None
    revised_prompt: str | None = None
    path: Path | None = None
    inputs: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def media_type(self) -> str:
        """The media type of the bytes, such as "image/jpeg"."""
        return MEDIA_TYPES[self.format]

    @property
    def extension(self) -> str:
        """The extension that a file with these bytes has, such as ".jpg"."""
        return EXTENSIONS[self.format]

    @property
    def data_uri(self) -> str:
        """The picture as a `data:` URI, for HTML and Markdown."""
        return f"data:{self.media_type};base64,{pybase64.b64encode_as_string(self.data)}"

    @property
    def sandbox(self) -> bool:
        """Whether it is a placeholder of the sandbox, by the mark in its bytes."""
        return is_marked_sandbox(self.data)

    def to_pil(self) -> Image:
        """Return the picture as a Pillow image, its pixels loaded.

        Raises:
            OSError: Pillow cannot read the format, or the pixels are damaged; other exceptions of Pillow's decoders
                are possible.
        """
        return open_picture(self.data)

    def to_bytes(
        self,
        *,
        format: SaveFormat | None = None,
        provenance: bool | None = None,
        prompt_in_metadata: bool | None = None,
        sign: Sign | None = None,
    ) -> bytes:
        """Return what `save` would write, for a web handler and the like; `data` is the picture as it was sent.

        Args:
            format: "JPEG", "PNG" or "WEBP" to convert to. The default is the picture as it was sent.
            provenance: As for `save`. A picture that needs a sidecar comes without a mark, with an `IonosWarning`.
            prompt_in_metadata: As for `save`.
            sign: As for `save`.

        Raises:
            InvalidRequestError: Pictures are not written in this format.
            ImageSaveError: It cannot be converted, or not be signed though that is required.
        """
        wanted = _wanted(format)
        saving = _saving(provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
        marked = _marked(self, None if wanted == self.format else wanted, saving, _signer([self], saving))
        problem = "its mark needs a file beside it, which save() writes" if marked.beside else marked.problem
        problem = None if marked.signed else problem  # the signature says it too
        warn_unmarked([problem and f"The picture has no mark of where it comes from: {problem}."])
        warn_unmarked([marked.unsigned and f"The picture has no signature: {marked.unsigned}."])
        return marked.data

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        format: SaveFormat | None = None,
        overwrite: bool = False,
        provenance: bool | None = None,
        prompt_in_metadata: bool | None = None,
        sign: Sign | None = None,
    ) -> Path:
        """Write the picture to a file, whole or not at all, synced to disk.

        Args:
            path: The file; missing directories are made. An existing directory, or a path that ends in a separator,
                means a file in it that is named after the prompt. Without an extension, the one of the format is
                added; .jpg, .jpeg, .png and .webp ask for that format.
            format: "JPEG", "PNG" or "WEBP". The default is what the file's extension says, else the bytes as sent.
                A conversion writes JPEG with quality 95 on white, PNG without loss, WebP with quality 90.
            overwrite: Replace a file of that name in one step; its permissions stay, and so does a link to a file with
                the same extension. The default takes the next free name instead (fox-2.jpg), since a picture that was
                paid for shall neither be lost nor replace another one.
            provenance: Say in the metadata that a model made the picture, and which; the pixels stay as they are.
                The default is `IONOS_PROVENANCE`, else True. GIF, AVIF and pictures with a C2PA manifest get a
                sidecar (fox.xmp) instead. One that cannot be marked is written as it was sent, with an `IonosWarning`.
            prompt_in_metadata: Have the prompt in it too, which may be confidential. The default is
                `IONOS_PROMPT_IN_METADATA`, else False.
            sign: Sign it (C2PA), over the mark: with the certificate of the settings, with it or not at all
                ("required"), or with a `Signer`. The default is `IONOS_SIGN`, else False, as it is with
                `provenance=False`. One that cannot be signed is saved without, with an `IonosWarning`.

        Returns:
            The path of the written file.

        Raises:
            InvalidRequestError: The extension contradicts `format`, or is of a format that is not written.
            ImageSaveError: It cannot be written or converted, or not be signed though that is required.
        """
        text = os.fspath(path)
        target = Path(text)
        if text.endswith(_SEPARATORS) or not target.name or is_directory(target):
            return save_images(
                [self],
                target,
                format=format,
                overwrite=overwrite,
                provenance=provenance,
                prompt_in_metadata=prompt_in_metadata,
                sign=sign,
            )[0]
        name = clean_name(target.name) if os.name == "nt" else target.name
        name, wanted = choose_format(name, self.format, _wanted(format))
        saving = _saving(provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
        marked = _marked(self, wanted, saving, _signer([self], saving))
        written = write_new(target.parent, name, marked.data, overwrite=overwrite, follow=True)
        warn_unmarked(finish(marked, written, overwrite=overwrite))
        return written

    def show(self) -> None:
        """Show the picture: in a notebook below its cell, elsewhere in the system's viewer."""
        if in_notebook():
            importlib.import_module("IPython.display").display(self)
        else:
            open_picture(upright(self.data)).show()

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> tuple[Bundle, dict[str, dict[str, object]]]:
        return picture_bundle(self, include, exclude)

    def __repr__(self) -> str:
        """Describe the picture in a line, without its data."""
        parts = [self.format, f"{self.width}x{self.height}", _byte_size(len(self.data))]
        if self.prompt is not None:
            parts.append(f"prompt={cut(self.prompt, _LONGEST_SHOWN)!r}")
        parts += [] if self.model is None else [f"model={self.model!r}"]
        parts += ["sandbox=True"] if self.sandbox else []
        return f"GeneratedImage({', '.join(parts)})"


def decode_images(
    response: object,
    *,
    prompt: str | None = None,
    model: str | None = None,
    size: str | None = None,
    seed: int | None = None,
    edited: bool = False,
    inputs: Iterable[bytes] = (),
) -> list[GeneratedImage]:
    """Turn a response into pictures, each checked to be whole.

    Args:
        response: What `client.images.generate()` or `client.images.edit()` returned, its dict, its `data`, one of
            their items, a raw response, results of a batch, or several of them. A picture may also be bytes, base64
            text, a path or a Pillow image.
        prompt: The text that was asked for. The default of this and the following is what a client from
            `create_client` remembers with its response, else nothing.
        model: The id of the model that was asked.
        size: "WIDTHxHEIGHT" in px that was asked for.
        seed: The seed that was sent.
        edited: Whether pictures were sent along to be edited.
        inputs: Those pictures, encoded, for a signature that names them.

    Returns:
        One image per item, in order, with the bytes as they were sent; width and height in px. A notebook shows the
        list as a grid.

    Raises:
        ImageDecodeError: It holds no pictures, or one of its items is no whole picture. The good ones are its
            `images`.
    """
    known = {"prompt": prompt, "model": model, "size": size, "seed": seed, "edited": edited or None}
    images, problem = _read(response, **known, inputs=tuple(inputs) or None)
    # Raised outside of any handler: the exceptions of decoders hold what they could not decode.
    if problem is not None:
        problem.images = images
        raise problem
    return ImageList(images)


def show(images: object) -> ImageList[GeneratedImage]:
    """Return pictures as a list that a notebook shows as a grid, as a cell's last line or by `display(show(...))`.

    Args:
        images: Pictures, paths, results of a batch, a response, or what else `decode_images` takes.

    Raises:
        ImageDecodeError: One of them cannot be read.
    """
    return ImageList(decode_images(images))


def save_images(
    response_or_images: object,
    directory: str | os.PathLike[str],
    *,
    name: str | None = None,
    prompt: str | None = None,
    format: SaveFormat | None = None,
    overwrite: bool = False,
    file_names: FileNames | None = None,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> list[Path]:
    """Write pictures into a directory, each whole or not at all, synced to disk.

    Args:
        response_or_images: Pictures, or what `decode_images` takes. A file without a mark gets none.
        directory: Where to write; made if missing, with its parents.
        name: The file's name, with or without extension; .jpg, .jpeg, .png and .webp ask for that format. The
            default is a name made from the prompt.
        prompt: What the pictures were made from, where neither they nor the response know it.
        format: As for `GeneratedImage.save`; the default is what `name` says, else the bytes as sent.
        overwrite: Replace files of the same name in one step. The default takes the next free name (fox-2.jpg).
        file_names: "prompt" for the prompt's words, "digest" for a name that does not tell the prompt. The default is
            `IONOS_FILE_NAMES`, else "prompt".
        provenance: As for `GeneratedImage.save`.
        prompt_in_metadata: As for `GeneratedImage.save`.
        sign: As for `GeneratedImage.save`.

    Returns:
        The written file of each picture, in order: fox.jpg, fox-2.jpg, ...

    Raises:
        ImageDecodeError: An item of the response is no picture; nothing was written.
        InvalidRequestError: A name, format or extension cannot work; nothing was written.
        ImageSaveError: A picture cannot be written or converted, or not be signed though that is required. What was
            written before is its `paths`; `partial_images(error)` has all pictures where one is not signed.
    """
    paths, problems = write_images(
        decode_images(response_or_images, prompt=prompt),
        directory,
        name=name,
        format=format,
        overwrite=overwrite,
        file_names=file_names,
        provenance=provenance,
        prompt_in_metadata=prompt_in_metadata,
        sign=sign,
    )
    warn_unmarked(problems)
    return paths


def write_images(
    images: Sequence[GeneratedImage],
    directory: str | os.PathLike[str],
    *,
    name: str | None = None,
    format: SaveFormat | None = None,
    overwrite: bool = False,
    file_names: FileNames | None = None,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> tuple[list[Path], list[str]]:
    """Do what `save_images` does, and return with the paths what there is to warn of, instead of warning."""
    names = "prompt" if name is not None else file_names  # where a name is given, nothing else is asked for
    saving = _saving(file_names=names, provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
    places = _choose_places(images, name, _wanted(format), saving.file_names)
    folder, signer = make_directory(directory), _signer(images, saving)
    paths: list[Path] = []
    problems: list[str] = []
    try:
        for image, (full, target, number) in zip(images, places, strict=True):
            marked = _marked(image, target, saving, signer)
            follow = name is not None
            paths.append(write_new(folder, full, marked.data, overwrite=overwrite, number=number, follow=follow))
            problems += finish(marked, paths[-1], overwrite=overwrite)
    except ImageSaveError as error:
        error.paths = paths
        keep_partial_results(error, images)
        raise
    return paths, problems


def partial_images(error: BaseException) -> list[GeneratedImage]:
    """Return the pictures that had come when `error` was raised.

    Args:
        error: An exception of this package, or of a call of `generate_images`, `edit_images` or a client from
            `create_client` that made several pictures.

    Returns:
        The good pictures, in order; empty where there were none. Items that are no pictures are left out.
    """
    images = list(error.images) if isinstance(error, ImageDecodeError) else []
    for result in partial_results(error):
        images += _read(result)[0]
    return images


def _read(source: Any, **given: Any) -> tuple[list[GeneratedImage], ImageDecodeError | None]:
    """Return the good pictures of whatever holds some, and what is wrong with its first bad item.

    `given` is said of its pictures; what is None or left out in it, the response remembers.
    """
    if isinstance(paths := getattr(source, "paths", None), tuple):  # a result of a batch
        given |= {name: getattr(source.request, name) for name in ("prompt", "model", "size", "seed")}
        source = paths
    if not hasattr(source, "data") and callable(parse := getattr(source, "parse", None)):  # a raw response
        source = parse()
    source = as_path(source)
    if isinstance(source, GeneratedImage) or is_item(source):
        return _read_items({"data": [source]}, **given)
    is_whole = isinstance(source, (str, Mapping, BaseModel)) or hasattr(source, "data")
    if isinstance(source, Iterable) and not is_whole:
        members = [as_path(member) for member in source]
        if members and all(isinstance(member, GeneratedImage) or is_item(member) for member in members):
            return _read_items({"data": members}, **given)
        parts = [_read(member, **given) for member in members]
        return [image for images, _ in parts for image in images], next((bad for _, bad in parts if bad), None)
    return _read_items(source, **given)


def _read_items(response: object, **given: Any) -> tuple[list[GeneratedImage], ImageDecodeError | None]:
    if not isinstance(response, Mapping) and not hasattr(response, "data"):
        return [], ImageDecodeError(
            f"This is no images response but {type(response).__name__}. "
            "Pass what client.images.generate() or client.images.edit() returned. If that is what it returned: "
            f"{_CHECK_ADDRESS[0].lower()}{_CHECK_ADDRESS[1:]}"
        )
    items = read_field(response, "data")
    if not isinstance(items, list | tuple) or not items:
        said = refusal(response)
        what = f". It says: {said}" if said else f": its `data` is missing or empty. {_CHECK_ADDRESS}"
        return [], ImageDecodeError(f"The response has no pictures{what}")
    remembered = recall(response)
    # Not with `asdict`, which copies deeply and takes longer than all the rest.
    known = {} if remembered is None else {name: getattr(remembered, name) for name in remembered.__slots__}
    known |= {name: value for name, value in given.items() if value is not None}
    known["created"] = _date(read_field(response, "created")) or known.get("created")
    images, problem = [], None
    for index, item in enumerate(items):
        if isinstance(item, GeneratedImage):
            images.append(item if item.prompt is not None else replace(item, prompt=given.get("prompt")))
            continue
        try:
            data = item_bytes(item)
            revised = as_text(read_field(item, "revised_prompt")) or None
            found, path = recognise(data), item if isinstance(item, Path) else None
            seen: dict[str, Any] = {"format": found.format, "width": found.width, "height": found.height}
            images.append(GeneratedImage(data=data, **seen, **known, revised_prompt=revised, path=path))
        except (ItemError, FormatError) as error:
            problem = problem or _decode_error(error, item, index, len(items))
    return images, problem


def _decode_error(error: ItemError | FormatError, item: object, index: int, number: int) -> ImageDecodeError:
    place = f"Item {index + 1} of {number}"
    if isinstance(error, FormatError):
        data = item_bytes(item)
        return ImageDecodeError(f"{place} {_not_whole(error)}", index=index, data=None if sniff(data) else data)
    url = as_text(read_field(item, "url")).strip()
    is_address = url and url[:5].lower() != "data:"
    return ImageDecodeError(f"{place} {error}", index=index, url=url if is_address else None)


def _not_whole(error: FormatError) -> str:
    foreign = "HTML" in str(error) or "JSON" in str(error)
    return f"is no whole picture: {error}. {_CHECK_ADDRESS if foreign else ASK_AGAIN}"


def _date(seconds: object) -> datetime | None:
    if isinstance(seconds, int | float) and _EARLIEST <= seconds < _LATEST:
        return datetime.fromtimestamp(seconds, UTC)
    return None


def _saving(*, file_names: FileNames | None = "prompt", **given: Any) -> SavingSettings:
    return choose_saving(settings.saving_settings, file_names=file_names, **given)


def _signer(images: Sequence[GeneratedImage], saving: SavingSettings) -> Signer | str | None:
    """Return what to sign with, or why there is nothing: pictures that are here are saved all the same."""
    try:
        return settings.load_signer(saving.sign) if saving.sign else None
    except (IonosError, IonosWarning) as error:
        if saving.sign != "required" and not getattr(saving.sign, "required", False):
            return str(error).rstrip(".")
        keep_partial_results(error, images)
        raise


def _choose_places(
    images: Sequence[GeneratedImage], name: str | None, wanted: WritableFormat | None, file_names: FileNames
) -> list[tuple[str, WritableFormat | None, int]]:
    """Decide name, format to convert to and number of every picture before any is written."""
    if name is not None:
        name = clean_name(name)
    places, seen = [], Counter[str]()
    for image in images:
        stem = name if name is not None else prompt_name(image.prompt, file_names)
        full, target = choose_format(stem, image.format, wanted)
        seen[stem] += 1
        places.append((shorten(full), target, seen[stem]))
    return places


def _wanted(name: str | None) -> WritableFormat | None:
    return None if name is None else parse_format(name)


def _marked(
    image: GeneratedImage, target: WritableFormat | None, saving: SavingSettings, signer: Signer | str | None
) -> Marked:
    data = _encoded(image, target)
    say = functools.partial(
        describe,
        model=image.model,
        size=image.size,
        seed=image.seed,
        created=image.created,
        prompt=image.prompt if saving.prompt_in_metadata else None,
        edited=image.edited,
        placeholder=image.sandbox,
    )
    is_ours = image.path is None or image.model is not None  # and not somebody's file
    marked = mark(data, target or image.format, say) if saving.provenance and is_ours else Marked(data=data)
    return marked if signer is None else add_signature(marked, signer, say if is_ours else None, image.inputs)


def _encoded(image: GeneratedImage, target: WritableFormat | None) -> bytes:
    if target is None:
        return image.data
    try:
        return convert(image.data, target)
    except Exception as error:
        # Pillow's decoders raise exceptions of every kind.
        raise ImageSaveError(
            f"Cannot convert the {image.format} picture to {target}: {error}. It is still in memory: save it "
            "without a format, as it came."
        ) from error


def _byte_size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"
