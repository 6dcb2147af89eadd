"""File names for pictures, as pure functions of their arguments."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from ionos_openai import errors
from ionos_openai.files.formats import EXTENSIONS, ImageFormat, WritableFormat

FileNames: TypeAlias = Literal["prompt", "digest"]
"""What a file is named after: the prompt's words, or a digest of it that tells nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavingSettings:
    """What the settings say of saving pictures; see `IonosSettings` for each."""

    file_names: FileNames = "prompt"
    provenance: bool = True
    prompt_in_metadata: bool = False
    sign: Any = False  # `provenance.signing.Sign`


def choose_saving(
    settings: Any,
    *,
    file_names: FileNames | None = None,
    provenance: bool | None,
    prompt_in_metadata: bool | None,
    sign: object = False,
) -> SavingSettings:
    """Decide how pictures are saved: an argument that is not None wins, and the settings say the rest.

    `settings` may be a function that returns them, called only where something is left open. Where the metadata is not
    to say how a picture was made, it has no prompt either, and the settings sign nothing.
    """
    if provenance is False:
        prompt_in_metadata, sign = False, False if sign is None else sign
    given = {"file_names": file_names, "provenance": provenance, "prompt_in_metadata": prompt_in_metadata, "sign": sign}
    if None in given.values():
        found = settings() if callable(settings) else settings
        given = {name: getattr(found, name) if value is None else value for name, value in given.items()}
    return SavingSettings(**given)  # type: ignore[arg-type]  # each field has its own type


_LONGEST_SLUG = 80  # characters
LONGEST_NAME = 200  # bytes of UTF-8, so that a number and the marks of a hidden file still fit into 255
_SUFFIXES: dict[str, WritableFormat] = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_OTHER_PICTURES = frozenset({".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".svg", ".ico"})
_ELSEWHERE = re.compile("[/\\\\:\0-\x1f\x7f\ud800-\udfff]")  # a way to other places, or in no name of ours
# Windows forbids the first ones; the others show a name in another order than it has, as "a\u202egpj.exe".
_REPLACED = re.compile('[<>:"|?*\u202a-\u202e\u2066-\u2069]')
_VARIATIONS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # how a character is to look, such as in colour
_WINDOWS_RESERVED = re.compile(r"(?ai)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|\Z)")


def slug(prompt: str) -> str:
    """Return a text's letters and digits in lower case, all else as single hyphens: a file name without extension.

    It has at most 80 characters and 200 bytes of UTF-8, and is valid on Windows too; "image" where nothing is left.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", prompt).lower())
    kept = " "
    for character in _VARIATIONS.sub("", text):
        kind = unicodedata.category(character)[0]
        if kind != "M" or kept[-1] != " ":
            kept += character if kind in "LNM" else " "
    words = unicodedata.normalize("NFC", "-".join(kept.split()))
    name = cut(words, characters=_LONGEST_SLUG).rstrip("-") or "image"
    return f"image-{name}" if _WINDOWS_RESERVED.match(name) else name


def digest(prompt: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a prompt in UTF-8: a name that does not tell it."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def prompt_name(prompt: str | None, file_names: FileNames) -> str:
    """Return the file name without extension that a picture made from `prompt` has; "image" without a prompt."""
    if file_names not in get_args(FileNames):
        raise errors.InvalidRequestError(f"file_names={file_names!r} is not known: choose 'prompt' or 'digest'.")
    if not prompt:
        return "image"
    return digest(prompt) if file_names == "digest" or not _is_encodable(slug(prompt)) else slug(prompt)


def clean_name(name: str) -> str:
    """Make a name that the user chose, with or without extension, valid on every system; a path or "" is refused.

    What Windows forbids and what turns the reading direction becomes hyphens, blanks around it and dots behind it go,
    and "image-" stands before a name that Windows reserves.
    """
    name = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(name, str):
        raise errors.InvalidRequestError(f"name={name!r} is no text: write name={str(name)!r}.")
    cleaned = "".join("-" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in _REPLACED.sub("-", name))
    cleaned = cleaned.strip().rstrip(". ")
    problem = "" if _is_encodable(cleaned) else "has letters that no file name on this system has"
    if not cleaned:
        problem = "is no file name: give one with letters in it, such as 'fox'"
    if "/" in name or "\\" in name:
        problem = "is a path: give the directory as the directory, and a plain file name as name"
    if problem:
        raise errors.InvalidRequestError(f"name={shown(name)} {problem}.")
    return f"image-{cleaned}" if _WINDOWS_RESERVED.match(cleaned) else cleaned


def _is_encodable(name: str) -> bool:
    """Tell whether the system's encoding of file names has all of its letters."""
    try:
        return bool(os.fsencode(name))
    except UnicodeEncodeError:
        return False


def is_plain_name(name: str) -> bool:
    """Tell whether a name that somebody wrote down can only mean a file in the directory that it is looked for in."""
    return name not in ("", ".", "..") and not _ELSEWHERE.search(name)


def parse_format(name: str) -> WritableFormat:
    """Return the format that a user calls "png", "JPG", "WebP" and the like; an InvalidRequestError for others."""
    found = _SUFFIXES.get("." + str(name).strip().lower().removeprefix("."))
    if found is None:
        raise errors.InvalidRequestError(f"format={shown(str(name))} cannot be written: choose JPEG, PNG or WEBP.")
    return found


def choose_format(
    name: str, source: ImageFormat, wanted: WritableFormat | None = None
) -> tuple[str, WritableFormat | None]:
    """Return a picture's name with its extension, and the format to convert to; None where the bytes stay as they are.

    `source` is what the bytes are, `wanted` a format that was asked for beside the name. An InvalidRequestError where
    the name is an extension alone, contradicts `wanted`, or is of another format.
    """
    suffix, problem = split_extension(name)[1].lower(), ""
    asked = _SUFFIXES.get(suffix)
    if suffix in _OTHER_PICTURES:
        if wanted is None and suffix == EXTENSIONS[source]:
            return name, None
        problem = "cannot be written: end the name in .jpg, .png or .webp"
    if name.lower() in _SUFFIXES or name.lower() in _OTHER_PICTURES:
        problem = f"is an extension without a name: write one, such as {'fox' + name!r}"
    if asked and wanted and asked != wanted:
        problem = f"contradicts format={wanted!r}: leave one of the two out"
    if problem:
        raise errors.InvalidRequestError(f"{shown(name)} {problem}.")
    target = asked or wanted
    full = name if asked else name + EXTENSIONS[target or source]
    return full, None if target == source else target


def shorten(name: str) -> str:
    """Cut a full file name to 200 bytes of UTF-8, its extension kept."""
    stem, suffix = split_extension(name)
    short = cut(stem, LONGEST_NAME - len(_utf8(suffix)))
    return name if short == stem else short.rstrip(". ") + suffix


def numbered(name: str, number: int) -> str:
    """Return the name of the picture with this number: fox.jpg is number 1, fox-2.jpg number 2."""
    stem, suffix = split_extension(name)
    return name if number == 1 else f"{stem}-{number}{suffix}"


def cut(text: str, size: int = LONGEST_NAME, *, characters: int | None = None) -> str:
    """Cut `text` to so many bytes of UTF-8 and characters, and between letters rather than before an accent."""
    if len(text[:characters]) == len(text) and len(_utf8(text)) <= size:
        return text
    start = end = len(_utf8(text[:characters])[:size].decode("utf-8", "ignore"))
    while start and unicodedata.category(text[start])[0] == "M":
        start -= 1
    return text[: start or end]


def split_extension(name: str) -> tuple[str, str]:
    """Return the name without its extension, and the extension with its dot; "" where it has none."""
    return os.path.splitext(name)  # noqa: PTH122  A Path would read separators and drives out of a name.


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def shown(name: str, longest: int = 60) -> str:
    """Return a name for a message: quoted, and cut to so many characters."""
    return repr(name if len(name) <= longest else name[: longest - 1] + "…")
