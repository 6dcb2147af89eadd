"""Warnings that point at the user's own line, where wished once for each place in the user's code."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from pathlib import Path
from types import FrameType

_OURS = ("ionos_openai", "openai")
# Where a call was handed to a loop or a pool, what lies further out is not the line that made it.
_ENDS = ("asyncio", "anyio", "trio", "uvloop", "threading", "concurrent", "sniffio")
# Where the standard library lies, installed packages, and the commands that start them.
_INSTALLED = ("<frozen ", *(str(Path(path).parent) + os.sep for path in (warnings.__file__, sys.executable) if path))
_PACKAGES = ("site-packages", "dist-packages")

_seen: set[tuple[str, str, int]] = set()
_lock = threading.Lock()


def warn_once(kind: str, message: str, category: type[Warning]) -> None:
    """Give a warning once per kind and line of the user's code; once per kind where no such line is on the stack.

    Where warnings are errors it is raised each time.
    """
    frame = _user_frame(sys._getframe(1))
    place = (kind, frame.f_code.co_filename, frame.f_lineno) if frame else (kind, "", 0)
    with _lock:
        if place in _seen or (frame is None and any(kind == known for known, _, _ in _seen)):
            return
        _seen.add(place)
    try:
        _warn(message, category, frame)
    except Exception:
        with _lock:
            _seen.discard(place)
        raise


def is_first(kind: str) -> bool:
    """Tell, of what is told once a process, whether it is the first of its kind."""
    with _lock:
        before = len(_seen)
        _seen.add((kind, "", 0))
        return len(_seen) > before


def reset() -> None:
    """Have every warning be given again, as in a new process."""
    with _lock:
        _seen.clear()


def warn_user(message: str, category: type[Warning]) -> None:
    """Give a warning at the user's line; how often is left to Python's filters."""
    _warn(message, category, _user_frame(sys._getframe(1)))


def _warn(message: str, category: type[Warning], frame: FrameType | None) -> None:
    if frame is None:
        warnings.warn(message, category, stacklevel=3)
    else:
        module = frame.f_globals.get("__name__")
        warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, module=module)


def _user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the user's; where there is none, that of the library which called us."""
    caller: FrameType | None = None
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in _ENDS:
            break
        if package not in _OURS:
            if not _is_installed(frame.f_code.co_filename):
                return frame
            caller = caller or frame
        frame = frame.f_back
    return caller


def _is_installed(filename: str) -> bool:
    return filename.startswith(_INSTALLED) or any(part in filename for part in _PACKAGES)


def in_notebook() -> bool:
    """Tell whether this code runs in a Jupyter kernel: there, variables of a shell are out of reach."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return "ipykernel" in sys.modules and shell is not None and shell() is not None
