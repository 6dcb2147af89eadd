"""Pictures: out of a response, checked, shown, and saved.

The encoded picture stays what the service sent, and the mark goes in beside it; only a conversion that is asked for
encodes a picture anew, and only then is Pillow loaded. Sizes are in pixels.
"""

from __future__ import annotations

import functools
import importlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from inspect import isawaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pybase64
from pydantic import BaseModel

from ionos_openai import errors
from ionos_openai.client import settings
from ionos_openai.client.calls import recall
from ionos_openai.errors.notices import in_notebook
from ionos_openai.errors.words import shorten
from ionos_openai.files import formats, names
from ionos_openai.files.buckets import StorageBucket, Written, is_url, write_into
from ionos_openai.files.formats import FormatError, ImageFormat, WritableFormat, convert, recognise, sniff, upright
from ionos_openai.files.opening import at_home
from ionos_openai.files.writing import is_directory, make_directory, state_directory, write_new
from ionos_openai.hub.answers import read_field
from ionos_openai.images.display import ImageList, picture_bundle
from ionos_openai.images.payload import ASK_AGAIN, ItemError, as_held, as_text, is_item, item_bytes, refusal
from ionos_openai.provenance import describe
from ionos_openai.provenance.marking import Marked, add_signature, finish, mark, warn_unmarked
from ionos_openai.provenance.signing import Sign, Signer

if TYPE_CHECKING:
    from PIL.Image import Image as Image
else:  # for `typing.get_type_hints`, which shall not load Pillow
    Image = Any


class ImageDecodeError(errors.IonosError, ValueError):
    """An item of the response is not a picture.

    `index` is the item's place in `data`, from 0, and None where there are none at all; `images` are the good pictures
    of the same response, in order. What came instead is in `data`, bytes in a format that nobody here knows, or `url`,
    the whole address, whose query may be a secret.
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
        """Keep `message`, and what is to be read of the bad item and of the good ones."""
        super().__init__(message)
        self.index, self.images, self.data, self.url = index, list(images), data, url


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

    `data` is the encoded picture, exactly as it was sent; `format`, and `width` and `height` in px, are read from it.
    `prompt` is the text that was asked for. `model`, `size` ("WIDTHxHEIGHT" in px) and `seed` are as they were sent,
    `edited` says whether pictures were sent along, and `created` when, in UTC. `revised_prompt` is what the service
    made of the prompt, `path` the file that it was saved to or read from, in a bucket its URL, and `inputs` are the
    encoded pictures that it was made from, for a signature. What is not known is None.
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
    path: Path | str | None = None
    inputs: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def media_type(self) -> str:
        """The media type of the bytes, such as "image/jpeg"."""
        return formats.MEDIA_TYPES[self.format]

    @property
    def extension(self) -> str:
        """The extension that a file with these bytes has, such as ".jpg"."""
        return formats.EXTENSIONS[self.format]

    @property
    def data_uri(self) -> str:
        """The picture as a `data:` URI, for HTML and Markdown."""
        return f"data:{self.media_type};base64,{pybase64.b64encode_as_string(self.data)}"

    @property
    def sandbox(self) -> bool:
        """Whether it is a placeholder of the sandbox, by the mark in its bytes."""
        return formats.is_marked_sandbox(self.data)

    def to_pil(self) -> Image:
        """Return the picture as a Pillow image, its pixels loaded; where Pillow cannot, it mostly raises an OSError."""
        return formats.open_picture(self.data)

    def to_bytes(
        self,
        *,
        format: SaveFormat | None = None,
        provenance: bool | None = None,
        prompt_in_metadata: bool | None = None,
        sign: Sign | None = None,
    ) -> bytes:
        """Return what `save` would write, for a web handler and the like; `data` is the picture as it was sent.

        Arguments and errors are those of `save`. One that needs a sidecar comes without a mark, with an `IonosWarning`.
        """
        wanted = _wanted(format)
        saving = _saving(provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
        marked = _marked(self, None if wanted == self.format else wanted, saving, _signer([self], saving))
        unmarked = "its mark needs a file beside it, which save() writes" if marked.beside else marked.problem
        unmarked = None if marked.signed else unmarked  # the signature says it too
        lacks = {"mark of where it comes from": unmarked, "signature": marked.unsigned}
        warn_unmarked(problem and f"The picture has no {lack}: {problem}." for lack, problem in lacks.items())
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
                means a file in it that is named after the prompt. Without an extension it gets that of the format.
            format: "JPEG" (quality 95, on white), "PNG" or "WEBP" (quality 90). The default is what the extension
                says (.jpg, .jpeg, .png, .webp), else the picture as it was sent.
            overwrite: Replace a file of that name in one step; its permissions stay, and so does a link to a file with
                the same extension. The default takes the next free name instead (fox-2.jpg).
            provenance: Say in the metadata that a model made it, and which; the pixels stay. None means
                `IONOS_PROVENANCE`, else True. GIF, AVIF and pictures with a C2PA manifest get a sidecar (fox.xmp). One
                that cannot be marked is written as it was sent, with an `IonosWarning`.
            prompt_in_metadata: Say the prompt too, which may be confidential. None means `IONOS_PROMPT_IN_METADATA`,
                else False.
            sign: Sign it (C2PA) over the mark: with the certificate of the settings, with it or not at all
                ("required"), or with a `Signer`. None means `IONOS_SIGN`, else False, as it is with `provenance=False`.
                One that cannot be signed is saved without, with an `IonosWarning`.

        Returns:
            The path of the written file.

        Raises:
            InvalidRequestError: The extension contradicts `format`, or is of a format that is not written; or the path
                is a bucket's, which `save_images` takes.
            ImageSaveError: It cannot be written or converted, or not be signed though that is required.
        """
        text = os.fspath(path)
        if is_url(text):
            raise errors.InvalidRequestError(f"{text} is in a bucket: save_images(image, url, name=...) writes there.")
        target = at_home(text)
        is_place = text.endswith(_SEPARATORS) or not target.name or is_directory(target)
        named: names.FileNames | None = None if is_place else "prompt"
        saving = _saving(named, provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
        if is_place:
            (picture,), problems = write_images([self], target, saving, format=format, overwrite=overwrite)
            written = Path(picture.path)
        else:
            name = names.clean_name(target.name) if os.name == "nt" else target.name
            name, wanted = names.choose_format(name, self.format, _wanted(format))
            marked = _marked(self, wanted, saving, _signer([self], saving))
            written = write_new(target.parent, name, marked.data, overwrite=overwrite, follow=True)
            problems = finish(marked, written, written.parent, overwrite=overwrite)
        warn_unmarked(problems)
        return written

    def show(self) -> None:
        """Show the picture: in a notebook below its cell, elsewhere in the system's viewer."""
        if in_notebook():
            importlib.import_module("IPython.display").display(self)
        else:
            formats.open_picture(upright(self.data)).show()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return picture_bundle(self, include, exclude)

    def __repr__(self) -> str:
        """Describe the picture in a line, without its data."""
        parts = [self.format, f"{self.width}x{self.height}", _byte_size(len(self.data))]
        parts += [] if self.prompt is None else [f"prompt={shorten(self.prompt, _LONGEST_SHOWN)!r}"]
        parts += [f"model={self.model!r}"] * (self.model is not None) + ["sandbox=True"] * self.sandbox
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

    It takes what `client.images.generate()` or `.edit()` returned, its dict, its `data`, one of their items, a raw
    response, results of a batch, or several of these; a picture may also be bytes, base64, a path, an open file or a
    Pillow image. What was asked for (`size` is "WIDTHxHEIGHT" in px, `inputs` are the encoded pictures that were
    edited) is by default what a client from `create_client` remembers with its response, else nothing.

    Returns:
        One image per item, in order, with the bytes as they were sent; width and height in px. A notebook shows the
        list as a grid.

    Raises:
        ImageDecodeError: It holds no pictures, or an item is no whole picture. The good ones are its `images`.
    """
    known = {"prompt": prompt, "model": model, "size": size, "seed": seed, "edited": edited or None}
    images, problem = _read(response, **known, inputs=tuple(inputs) or None)
    # Raised outside of any handler: the exceptions of decoders hold what they could not decode.
    if problem is not None:
        problem.images = images
        raise problem
    return ImageList(images)


def show(images: object) -> ImageList:
    """Return pictures, or what else `decode_images` takes, as a list that a notebook shows as a grid.

    It is a cell's last line, or an argument of IPython's `display`. What cannot be read is an `ImageDecodeError`.
    """
    return ImageList(decode_images(images))


def save_images(
    response_or_images: object,
    directory: str | os.PathLike[str] | StorageBucket,
    *,
    name: str | None = None,
    prompt: str | None = None,
    format: SaveFormat | None = None,
    overwrite: bool = False,
    file_names: names.FileNames | None = None,
    provenance: bool | None = None,
    prompt_in_metadata: bool | None = None,
    sign: Sign | None = None,
) -> list[Path | str]:
    """Write pictures into a directory or a bucket, each whole or not at all, synced to disk.

    Args:
        response_or_images: Pictures, or what `decode_images` takes. A file without a mark gets none.
        directory: Where to write; made if missing, with its parents. Or a bucket's URL: "s3://bucket/prefix".
        name: The file's name; an extension asks for its format, as for `save`. The default is made from the prompt.
        prompt: What the pictures were made from, where neither they nor the response know it.
        format: "PNG", "JPEG" or "WEBP" to convert to; by default the bytes are written as they were sent.
        overwrite: Replace files of the same name in one step. The default takes the next free name (fox-2.jpg).
        file_names: "prompt" for its words, "digest" for a name that does not tell it. None means `IONOS_FILE_NAMES`.
        provenance: As for `GeneratedImage.save`, and so are the following two.
        prompt_in_metadata: See there.
        sign: See there.

    Returns:
        The written file of each picture, in a bucket its URL, in order: fox.jpg, fox-2.jpg, ...

    Raises:
        ImageDecodeError: An item of the response is no picture; nothing was written.
        InvalidRequestError: A name, format or extension cannot work; nothing was written.
        ImageSaveError: A picture cannot be written or converted, or not be signed though that is required. What was
            written before is its `paths`; `partial_images(error)` has all pictures where one is not signed.
    """
    # Where a name is given, it is not asked for how files are named.
    named = "prompt" if name is not None else file_names
    saving = _saving(named, provenance=provenance, prompt_in_metadata=prompt_in_metadata, sign=sign)
    images = decode_images(response_or_images, prompt=prompt)
    written, problems = write_images(images, directory, saving, name=name, format=format, overwrite=overwrite)
    warn_unmarked(problems)
    return [picture.path for picture in written]


def write_images(
    images: Sequence[GeneratedImage],
    directory: str | os.PathLike[str] | StorageBucket,
    saving: names.SavingSettings,
    *,
    name: str | None = None,
    format: SaveFormat | None = None,
    overwrite: bool = False,
) -> tuple[list[Written], list[str]]:
    """Do what `save_images` does; return what was written, and what there is to warn of, instead of warning."""
    wanted, given = _wanted(format), None if name is None else names.clean_name(name)
    stems = [names.prompt_name(image.prompt, saving.file_names) if given is None else given for image in images]
    # Every name is decided before any picture is written.
    places = [names.choose_format(stem, image.format, wanted) for stem, image in zip(stems, images, strict=True)]
    place, signer, seen = settings.open_place(directory), _signer(images, saving), Counter[str]()
    written, problems = list[Written](), list[str]()
    try:
        if isinstance(place, Path):
            make_directory(place)
        for image, stem, (full, target) in zip(images, stems, places, strict=True):
            seen[stem] += 1
            marked = _marked(image, target, saving, signer)
            how: dict[str, Any] = {"overwrite": overwrite, "number": seen[stem], "follow": given is not None}
            written.append(write_into(place, names.shorten(full), marked.data, **how))
            problems += finish(marked, written[-1].path, place, overwrite=overwrite)
    except errors.ImageSaveError as error:
        error.paths = [picture.path for picture in written]
        errors.keep_partial_results(error, images)
        raise
    return written, problems


def rescue_images(images: Sequence[GeneratedImage]) -> list[Path | str]:
    """Save pictures below the user's state directory, else in the system's temporary one; else an `ImageSaveError`.

    They cannot go where they should, and may have been paid for.
    """
    saving = _saving(None, provenance=None, prompt_in_metadata=None, sign=False)
    try:
        written, _ = write_images(images, state_directory() / "rescued", saving)
    except errors.ImageSaveError:
        written, _ = write_images(images, Path(tempfile.mkdtemp(prefix="ionos-openai-")), saving)
    return [picture.path for picture in written]


def partial_images(error: BaseException) -> list[GeneratedImage]:
    """Return the good pictures that had come when `error` was raised, in order; empty where there were none.

    It may come from this package, or from a call of a client of `create_client` that made several pictures.
    """
    images = list(error.images) if isinstance(error, ImageDecodeError) else []
    for result in errors.partial_results(error):
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
    source = as_held(source)
    if isinstance(source, GeneratedImage) or is_item(source):
        return _read_items({"data": [source]}, **given)
    if isinstance(source, Mapping) and source and all(isinstance(held, GeneratedImage) for held in source.values()):
        source = list(source.values())
    is_whole = isinstance(source, (str, Mapping, BaseModel)) or hasattr(source, "data")
    if isinstance(source, Iterable) and not is_whole:
        members = [as_held(member) for member in source]
        if members and all(isinstance(member, GeneratedImage) or is_item(member) for member in members):
            return _read_items({"data": members}, **given)
        parts = [_read(member, **given) for member in members]
        return [image for images, _ in parts for image in images], next((bad for _, bad in parts if bad), None)
    return _read_items(source, **given)


def _read_items(response: object, **given: Any) -> tuple[list[GeneratedImage], ImageDecodeError | None]:
    if not isinstance(response, Mapping) and (not hasattr(response, "data") or hasattr(response, "__array__")):
        return [], ImageDecodeError(
            f"This is no images response but {type(response).__name__}{', to await first' * isawaitable(response)}. "
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
    known = {name: getattr(remembered, name) for name in remembered.__slots__} if remembered else {}
    known |= {name: value for name, value in given.items() if value is not None}
    created, images, problem = read_field(response, "created"), [], None
    if isinstance(created, int | float) and _EARLIEST <= created < _LATEST:
        known["created"] = datetime.fromtimestamp(created, UTC)
    for index, item in enumerate(items):
        if isinstance(item, GeneratedImage):
            images.append(item if item.prompt is not None else replace(item, prompt=given.get("prompt")))
            continue
        try:
            data, revised = item_bytes(item), as_text(read_field(item, "revised_prompt")) or None
            found, path = recognise(data), item if isinstance(item, Path) or is_url(item) else None
            seen: dict[str, Any] = {"format": found.format, "width": found.width, "height": found.height}
            images.append(GeneratedImage(data=data, **seen, **known, revised_prompt=revised, path=path))
        except (ItemError, FormatError) as error:
            problem = problem or _decode_error(error, item, index, len(items))
    return images, problem


def _decode_error(error: ItemError | FormatError, item: object, index: int, number: int) -> ImageDecodeError:
    place = f"Item {index + 1} of {number}"
    if isinstance(error, FormatError):
        data, is_foreign = item_bytes(item), "HTML" in str(error) or "JSON" in str(error)
        message = f"{place} is no whole picture: {error}. {_CHECK_ADDRESS if is_foreign else ASK_AGAIN}"
        return ImageDecodeError(message, index=index, data=None if sniff(data) else data)
    url = as_text(read_field(item, "url")).strip()
    is_address = url and url[:5].lower() != "data:"
    return ImageDecodeError(f"{place} {error}", index=index, url=url if is_address else None)


def _saving(file_names: names.FileNames | None = "prompt", **given: Any) -> names.SavingSettings:
    return names.choose_saving(settings.saving_settings, file_names=file_names, **given)


def _signer(images: Sequence[GeneratedImage], saving: names.SavingSettings) -> Signer | str | None:
    """Return what to sign with, or why there is nothing: pictures that are here are saved all the same."""
    try:
        return settings.load_signer(saving.sign) if saving.sign else None
    except (errors.IonosError, errors.IonosWarning) as error:
        if saving.sign != "required" and not getattr(saving.sign, "required", False):
            return str(error).rstrip(".")
        errors.keep_partial_results(error, images)
        raise


def _wanted(name: str | None) -> WritableFormat | None:
    return None if name is None else names.parse_format(name)


def _marked(
    image: GeneratedImage, target: WritableFormat | None, saving: names.SavingSettings, signer: Signer | str | None
) -> Marked:
    facts = {fact: getattr(image, fact) for fact in ("model", "size", "seed", "created", "edited")}
    prompt = image.prompt if saving.prompt_in_metadata else None
    say = functools.partial(describe, **facts, prompt=prompt, placeholder=image.sandbox)
    is_ours = image.path is None or image.model is not None  # and not somebody's file
    try:
        data = image.data if target is None else convert(image.data, target)
    except Exception as error:  # Pillow's decoders raise exceptions of every kind
        remedy = "It is still in memory: save it without a format, as it came."
        what = f"Cannot convert the {image.format} picture to {target}"
        raise errors.ImageSaveError(f"{what}: {error}. {remedy}") from error
    marked = mark(data, target or image.format, say) if saving.provenance and is_ours else Marked(data=data)
    return marked if signer is None else add_signature(marked, signer, say if is_ours else None, image.inputs)


def _byte_size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"
