"""What is printed: for people on a terminal, plain tab-separated lines in a pipe, or one JSON document."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SCHEMA = 1  # of all JSON documents; a number for each incompatible change
PLACEHOLDER = "A placeholder of the stand-in, not made by a model."
BASES = (
    "Basis: DOC an official page, REC a recorded answer, CODE a client's code, INF inferred, choice nothing is known."
)
_SHORT = 40  # characters of a prompt that a message is about


class Terminal:
    """Standard output and standard error, as one command uses them.

    Attributes:
        json: Whether the result is one JSON document.
        quiet: Whether only paths are wanted.
        pretty: Whether the result is shown to a person, and not read by a program.
    """

    def __init__(
        self, *, json: bool = False, quiet: bool = False, stdout_is_taken: bool = False, tells_warnings: bool = True
    ) -> None:
        """Choose how to print.

        Args:
            json: Print one JSON document.
            quiet: Print only paths.
            stdout_is_taken: Standard output carries a picture, so that all else goes to standard error.
            tells_warnings: Show the library's warnings; no where the result itself holds them.
        """
        for stream in (sys.stdout, sys.stderr):
            _never_fail_to_encode(stream)
        self.json = json
        self.quiet = quiet
        self._tells_warnings = tells_warnings
        self._out: TextIO = sys.stderr if stdout_is_taken else sys.stdout
        self.pretty = not json and not quiet and self._out.isatty()
        self._error_console = _console(sys.stderr) if sys.stderr.isatty() else None

    def row(self, cells: Sequence[str]) -> None:
        """Print a line for programs, its cells with tabs between them, at once."""
        self._write("\t".join(cells) + "\n")

    def text(self, *lines: Text) -> None:
        """Print lines for people, uncut and unwrapped, so that a path can be copied."""
        console = _console(self._out)
        for line in lines:
            console.print(line, soft_wrap=True)
        self._out.flush()

    def table(self, table: Table) -> None:
        """Print a table for people."""
        _console(self._out).print(table)
        self._out.flush()

    def document(self, content: Mapping[str, object]) -> None:
        """Print the JSON document, its schema first."""
        self._write(json.dumps({"schema": SCHEMA, **content}, indent=2) + "\n")

    def bytes(self, data: bytes) -> None:
        """Write a picture to standard output."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def on_stderr(self, message: str) -> None:
        """Say on standard error how things are."""
        if self.json and self._out is sys.stderr:
            return
        if self.error_console is None:
            print(one_line(message), file=sys.stderr, flush=True)
        else:
            self.error_console.print(one_line(message), soft_wrap=True)

    @property
    def error_console(self) -> Console | None:
        """Standard error where it is a terminal, else None."""
        return self._error_console

    def error(self, message: str) -> None:
        """Say on standard error what went wrong."""
        self._say("Error", message, style="bold red")

    def warn(self, message: str) -> None:
        """Say on standard error what to look out for."""
        self._say("Warning", message, style="bold yellow")

    def on_terminal(self, message: str) -> None:
        """Tell a person on a terminal something besides the result; programs are not told."""
        if self._error_console is not None and not self.json and not self.quiet:
            from rich.text import Text

            self._error_console.print(Text(one_line(message), style="dim"), soft_wrap=True)

    def on_warning(self, message: str) -> None:
        """Take a warning of the library's."""
        if self._tells_warnings:
            self.warn(message)

    @contextlib.contextmanager
    def waiting(self, message: str) -> Iterator[None]:
        """Show that something is being waited for: a spinner where standard error is a terminal, else nothing."""
        if self._error_console is None or self.quiet:
            yield
            return
        from rich.text import Text

        room = max(20, self._error_console.width - 4)
        with self._error_console.status(Text(one_line(message)[:room])):
            yield

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Show the library's warnings and log as plain lines for as long as the block runs."""
        from ionos_openai.errors import IonosWarning

        log = logging.getLogger("ionos_openai")
        lines = _WarningLines(self)
        log.addHandler(lines)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", IonosWarning)
                _show_warnings_with(self, IonosWarning)
                yield
        finally:
            log.removeHandler(lines)

    def _say(self, kind: str, message: str, *, style: str) -> None:
        if self.json and self._out is sys.stderr:
            return  # the document stands there alone, so that it can be read; it holds the errors
        message = one_line(message)
        if self._error_console is None:
            print(f"{kind}: {message}", file=sys.stderr, flush=True)
            return
        from rich.text import Text

        self._error_console.print(Text.assemble((f"{kind}: ", style), message), soft_wrap=True)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class _WarningLines(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.on_warning(record.getMessage() + _origin(record))


def open_closed_streams() -> None:
    """Let what is printed go nowhere where standard output or standard error was closed before the start."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def shorten(prompt: str) -> str:
    """Return the beginning of a prompt, which tells whose message it is."""
    return prompt if len(prompt) <= _SHORT else f"{prompt[: _SHORT - 1]}…"


def _origin(record: logging.LogRecord) -> str:
    """Return what kind of exception a record tells of, and where it was raised; not its words, which may quote."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None or error.__traceback__ is None:
        return ""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f" {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}."


def one_line(text: str) -> str:
    """Return `text` in one line and without control characters, whatever a service put into it."""
    return "".join(one if one.isprintable() else " " for one in " ".join(text.split()))


def visible(text: str) -> str:
    """Return text with control characters written out: what has a line break stays one cell of one line."""
    # Half a surrogate stands for a byte of a file's name that is no Unicode; the stream writes that byte.
    kept = (one.isprintable() or "\ud800" <= one <= "\udfff" for one in text)
    return "".join(one if keep else one.encode("unicode_escape").decode() for one, keep in zip(text, kept, strict=True))


def _show_warnings_with(terminal: Terminal, ours: type[Warning]) -> None:
    others = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, ours):
            terminal.on_warning(str(message))
        else:
            others(message, category, filename, lineno, file, line)

    warnings.showwarning = show


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _never_fail_to_encode(stream: TextIO) -> None:
    """Let any path and prompt be printed, whichever encoding the terminal has."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        as_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
        reconfigure(errors="surrogateescape" if as_utf8 and os.name != "nt" else "backslashreplace")
