"""Prompts as a command line has them: from its arguments or from standard input, as text that can be sent."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections.abc import Sequence

from ionos_openai import errors
from ionos_openai.errors.words import EMPTY_PROMPT

_STANDARD = "-"


def read_prompts(prompts: Sequence[str]) -> list[str]:
    """Return the prompts, with standard input in place of one "-"; one that is empty or no text is an error."""
    if list(prompts).count(_STANDARD) > 1:
        raise errors.InvalidRequestError("The prompt - is given twice: standard input can be read once.")
    texts = [_read_prompt() if prompt == _STANDARD else prompt for prompt in prompts]
    for text in texts:
        if not text.strip():
            raise errors.InvalidRequestError(EMPTY_PROMPT)
        if any("\ud800" <= letter <= "\udfff" for letter in text):  # as Python keeps the bytes of other encodings
            raise errors.InvalidRequestError("The prompt is not UTF-8 text: save it as UTF-8, and pipe it in with -.")
    return texts


def is_piped() -> bool:
    """Tell whether something was piped or redirected into standard input."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):  # it is closed, or no file
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def expand(names: Sequence[str], *, is_windows: bool = os.name == "nt") -> list[str]:
    """Return the names of files with those that `*` and `?` stand for: the shells of Windows leave them in."""
    found = ((name, sorted(glob.glob(name)) if is_windows and not os.path.exists(name) else []) for name in names)  # noqa: PTH110, PTH207
    return [path for name, paths in found for path in paths or [name]]


def _read_prompt() -> str:
    if sys.stdin is None:
        raise errors.InvalidRequestError("The prompt - cannot be read: standard input is closed.")
    if sys.stdin.isatty():
        print("Type the prompt, then end it with Ctrl-D (Windows: Ctrl-Z, Enter).", file=sys.stderr)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        pass
    raise errors.InvalidRequestError("The prompt from standard input is not UTF-8 text: save it as UTF-8.")
