"""What is printed: for people on a terminal, plain tab-separated lines in a pipe, or one JSON document."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import os
import re
import sys
import textwrap
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ionos_openai import errors
from ionos_openai.errors import IonosWarning
from ionos_openai.errors.words import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console, OverflowMethod
    from rich.table import Table
    from rich.text import Text

SCHEMA = 1  # of all JSON documents; a number for each incompatible change
PLACEHOLDER = "A placeholder of the stand-in, not made by a model."
BASES = (
    "Basis: DOC an official page, REC a recorded answer, CODE a client's code, INF inferred, choice nothing is known."
)
# What terminals obey, but for line breaks, and what no stream takes.
_OBEYED = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udc7f\udd00-\udfff]")
_FORMULA = re.compile(r"[\t\r]|\s*[=+@\uff1d\uff0b\uff0d\uff20-]")  # some spreadsheets take the wide signs too
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_SHORT = 40  # characters of a prompt that a message is about

# The library's messages call its arguments as code does; each with what it is in the terminal, the longer ones first.
_IN_CODE = {
    r"pass base_url= in code \(or --base-url\)": "pass --base-url",
    r", or pass api_key= in code": "",
    r"prices=(\{.*?\})? or (?=IONOS_)": "",
    r"ca_bundle=, (?=IONOS_)|sandbox=True, (?=IONOS_)|pace=False or (?=IONOS_)": "",
    r"in code \(sandbox=True\) or in the environment \(IONOS_SANDBOX=1\)": "with --sandbox or IONOS_SANDBOX=1",
    r"ignore_damaged=True \(in the terminal --ignore-damaged\)": "--ignore-damaged",
    r"\b(base|ca|max)_(url|bundle|wait|cost|images)=(?=\S)": r"--\1-\2 ",
    r"\b(base|ca|max)_(url|bundle|wait|cost|images)\b=?": r"--\1-\2",
}


class Terminal:
    """Standard output and standard error, as one command uses them.

    Attributes:
        json: Whether the result is one JSON document.
        quiet: Whether only paths are wanted.
        pretty: Whether the result is shown to a person, and not read by a program.
        error_console: Standard error where it is a terminal, else None.
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
        self._is_live = False
        self._out: TextIO = sys.stderr if stdout_is_taken else sys.stdout
        self.pretty = not json and not quiet and self._out.isatty()
        self.error_console = _console(sys.stderr) if sys.stderr.isatty() else None

    def row(self, cells: Sequence[str]) -> None:
        """Print a line for programs, its cells with tabs between them, at once."""
        self._write("\t".join(cells) + "\n")

    def text(self, *lines: Text | Table) -> None:
        """Print lines and tables for people; lines uncut and unwrapped, so that a path can be copied."""
        from rich.text import Text

        # On the console with the live display that display stays below.
        console = self.error_console if self._is_live and self.error_console else _console(self._out)
        for line in lines:
            console.print(line, soft_wrap=isinstance(line, Text))
        self._out.flush()

    def document(self, content: Mapping[str, object]) -> None:
        """Print the JSON document."""
        self._write(as_json(content))

    def part(self, rows: Iterable[Sequence[str]], shown: Callable[[], Iterable[Text | Table]]) -> None:
        """Print what of the result is there already: `shown` for people, else `rows`; as JSON nothing yet."""
        if self.pretty:
            self.text(*shown())
        elif not self.json:
            for cells in rows:
                self.row(list(map(visible, cells)))

    def result(
        self, document: Mapping[str, object], rows: Iterable[Sequence[str]], shown: Callable[[], Iterable[Text | Table]]
    ) -> None:
        """Print the result in the one form that is wanted.

        Args:
            document: For `--json`.
            rows: For programs that read lines: the cells of each.
            shown: Makes what a person is shown; only then is rich imported.
        """
        if self.json:
            self.document(document)
        else:
            self.part(rows, shown)

    def bytes(self, data: bytes) -> None:
        """Write a picture to standard output."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def on_stderr(self, message: str) -> None:
        """Say on standard error how things are."""
        self._say(message)

    def error(self, message: str) -> None:
        """Say on standard error what went wrong."""
        self._say(message, "Error: ", style="bold red")

    def warn(self, message: str) -> None:
        """Say on standard error what to look out for."""
        self._say(message, "Warning: ", style="bold yellow")

    def on_terminal(self, message: str) -> None:
        """Tell a person on a terminal something besides the result; programs are not told."""
        if self.error_console is not None and not self.json and not self.quiet:
            from rich.text import Text

            self.error_console.print(Text(one_line(message), style="dim"), soft_wrap=True)

    def on_warning(self, message: str) -> None:
        """Take a warning of the library's."""
        if self._tells_warnings:
            self.warn(message)

    @contextlib.contextmanager
    def waiting(self, message: str) -> Iterator[None]:
        """Show that something is being waited for: a spinner where standard error is a terminal, else nothing."""
        if self.error_console is None or self.quiet:
            yield
            return
        from rich.text import Text

        room = max(20, self.error_console.width - 4)
        with self.error_console.status(Text(one_line(message)[:room])):
            yield

    @contextlib.contextmanager
    def progress(self, read: Callable[[], tuple[int, int | None, str]]) -> Iterator[None]:
        """Show how far it is, in one line that is cut to the terminal's width; nothing where nobody watches.

        Args:
            read: Returns how many are done, of how many, and further words.
        """
        if self.error_console is None or self.quiet:
            yield
            return
        from ionos_openai.cli.terminal.live import LiveLine

        with LiveLine(self.error_console, read):
            self._is_live = True
            try:
                yield
            finally:
                self._is_live = False

    def confirm(self, question: str, *, otherwise: str) -> None:
        """Ask on the terminal whether to go on.

        Args:
            question: What it is about.
            otherwise: What is said where the answer is no.

        Raises:
            InvalidRequestError: The answer is no, or nobody is there to ask.
        """
        if sys.stdin is None or not sys.stdin.isatty():
            raise errors.InvalidRequestError(f"{question} Nobody is here to confirm that: add --yes.")
        print(f"{one_line(question)} Go on? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise errors.InvalidRequestError(otherwise)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Show the library's warnings and log as plain lines for as long as the block runs."""
        log = logging.getLogger("ionos_openai")
        lines = _WarningLines(self)
        log.addHandler(lines)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", IonosWarning)
                others = warnings.showwarning

                def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
                    if issubclass(category, IonosWarning):
                        self.on_warning(str(message))
                    else:
                        others(message, category, *place, **more)

                warnings.showwarning = show
                yield
        finally:
            log.removeHandler(lines)

    def _say(self, message: str, kind: str = "", *, style: str = "") -> None:
        if self.json and self._out is sys.stderr:
            return  # the document stands there alone, so that it can be read; it holds the errors
        message = as_option(one_line(message))
        if self.error_console is None:
            print(f"{kind}{message}", file=sys.stderr, flush=True)
            return
        from rich.text import Text

        what, *remedy = re.split(r"(?<=[^\d][.?!]) +(?=[A-Z`\"'])", f"{kind}{message}", maxsplit=1)
        wrap = partial(wrap_words, self.error_console.width, subsequent_indent="  ")
        lines = [*wrap(what), *(line for text in remedy for line in wrap(text, initial_indent="  "))]
        for line in lines:
            begun = len(kind) if line is lines[0] else 0
            self.error_console.print(Text.assemble((line[:begun], style), line[begun:]), soft_wrap=True)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class _WarningLines(logging.Handler):
    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.on_warning(record.getMessage() + _origin(record))


def wrap_words(width: int, text: str, **indents: str) -> list[str]:
    """Return a text in lines of at most so many columns; words, and so paths, are never broken."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False, **indents)  # type: ignore[arg-type]


def as_option(message: str) -> str:
    """Return a message of the library's with its arguments called as the terminal's options are."""
    for pattern, option in _IN_CODE.items():
        message = re.sub(pattern, option, message)
    return message


def open_closed_streams() -> None:
    """Let what is printed go nowhere where standard output or standard error was closed before the start."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def open_in_browser(address: str) -> bool:
    """Open an address, or a file's, in the browser; return whether there is one."""
    import webbrowser  # which loads half a dozen others

    return webbrowser.open(address)


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
    return printable(" ".join(text.split()))


def visible(text: str, *, instead: str | None = None) -> str:
    """Return text with control characters written out, or `instead` for each: a cell stays one cell of one line."""
    # Half a surrogate stands for a byte of a file's name that is no Unicode; the stream writes that byte.
    return "".join(
        letter
        if letter.isprintable() or "\udc80" <= letter <= "\udcff"
        else letter.encode("unicode_escape").decode()
        if instead is None
        else instead
        for letter in text
    )


def csv_cell(text: str) -> str:
    """Return text as a cell that no spreadsheet takes for a formula and no terminal for commands.

    An apostrophe in front of it is what OWASP advises; a number stays one. Source: OWASP, CSV Injection, 2026-11.
    """
    is_formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return "'" * bool(is_formula) + _OBEYED.sub(" ", text)


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV, its cells harmless and without its end."""
    text, end = io.StringIO(), "\r\n;\t"
    # What is in the end is quoted. Where lines are cut at semicolons or tabs, a formula could begin behind them.
    csv.writer(text, lineterminator=end).writerow(map(csv_cell, cells))
    return text.getvalue().removesuffix(end)


def as_json(content: Mapping[str, object]) -> str:
    """Return the text of a JSON document, its schema first."""
    return json.dumps({"schema": SCHEMA, **content}, indent=2) + "\n"


def headed(path: str, lines: Iterable[str | tuple[str, str]]) -> Iterator[Text]:
    """Yield a path and below it what is said of it, each a line or a line with its style."""
    from rich.text import Text

    yield Text(visible(path), style="bold green")
    for line in lines:
        words, style = line if isinstance(line, tuple) else (line, "")
        yield Text(f"  {visible(words)}", style=style)


def plain_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str | Text]] = (),
    *,
    folded: int = 1,
    overflow: OverflowMethod = "ellipsis",
) -> Table:
    """Return a table without lines, whose last columns are folded where they are too long.

    Args:
        heads: The columns' names.
        rows: The cells.
        folded: How many columns are folded.
        overflow: What becomes of the others on a terminal that is narrower than they are.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for left, head in zip(range(len(heads), 0, -1), heads, strict=True):
        table.add_column(head, no_wrap=left > folded, overflow=overflow if left > folded else "fold")
    for cells in rows:
        table.add_row(*cells)
    return table


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _never_fail_to_encode(stream: TextIO) -> None:
    """Let any path and prompt be printed, whichever encoding the terminal has."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        as_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
        reconfigure(errors="surrogateescape" if as_utf8 and os.name != "nt" else "backslashreplace")
