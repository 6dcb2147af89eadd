"""The HTTP library that the installed SDK stands on."""

from __future__ import annotations

import sys
from typing import Any

import openai


def http_library() -> Any:
    """Return the module `httpx` or `httpx2`, whichever the installed SDK's own clients are made of."""
    root = next(base for base in openai.DefaultHttpxClient.__mro__ if base.__module__.startswith("httpx"))
    return sys.modules[root.__module__.partition(".")[0]]
