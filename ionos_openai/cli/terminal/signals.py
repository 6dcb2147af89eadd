"""Signals that ask to stop, taken for as long as a block runs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def taking(handle: Callable[[int, Any], Any], *names: str) -> Iterator[None]:
    """Have signals handled, of those that the system has and nobody has passed over, as `nohup` does the hang-up."""
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    is_main = threading.current_thread() is threading.main_thread()  # no other thread may
    before = {
        number: signal.signal(number, handle)
        for number in numbers
        if is_main and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
