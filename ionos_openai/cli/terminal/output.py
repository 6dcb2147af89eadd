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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ionos_openai import errors
from ionos_openai.errors import IonosWarning
from ionos_openai.errors.words import printable

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod
    from rich.table import Table
    from rich.text import Text

SCHEMA = 1  # of all JSON documents; a number for each incompatible change
PLACEHOLDER = "A placeholder of the sandbox, not made by a model."
BASES = (
    "Basis: DOC an official page, REC a recorded answer, CODE a client's code, INF inferred, choice nothing is known."
)
# What terminals obey, but for line breaks, and what no stream takes.
_OBEYED = re.compile("[\0-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udc7f\udd00-\udfff]")
_FORMULA = re.compile(r"[\t\r]|\s*[=+@\uff1d\uff0b\uff0d\uff20-]")  # some spreadsheets take the wide signs too
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")

# The library's messages call its arguments as code does; each with what it is in the terminal, the longer ones first.
_ROWS = re.compile(r" (?=lines? \d[\d, ]*(?:and \d+ more)?: )| (?=And \d+ more\.$)")  # each is a line of its own
_TABLE = "Nothing was sent: "  # what is wrong with rows is about columns of these names
_NAMES = "aspect_ratio|concurrency|format|name|overwrite|patience|redo|size|timeout"
_IN_CODE = {
    r" \(source: [^)]*\)": "",  # which stands in the documentation
    ", or pass a Signer": "",
    "give the directory as the directory, and a plain file name as name": "name the directory with -o",
    r"pass base_url= in code \(or --base-url\)": "pass --base-url",
    r", or pass api_key= in code": "",
    r"prices=(\{.*?\})? or (?=IONOS_)": "",
    r"ca_bundle=, (?=IONOS_)|sandbox=True, (?=IONOS_)|pace=False or (?=IONOS_)": "",
    r"in code \(sandbox=True\) or in the environment \(IONOS_SANDBOX=1\)": "with --sandbox or IONOS_SANDBOX=1",
    r"ignore_damaged=True \(in the terminal --ignore-damaged\)": "--ignore-damaged",
    r"\b(base|ca|max)_(url|bundle|wait|cost|images)=(?=\S)": r"--\1-\2 ",
    r"\b(base|ca|max)_(url|bundle|wait|cost|images)\b=?": r"--\1-\2",
    rf"\b(?<!-)({_NAMES})=(?=\S)": r"--\1 ",
    "--aspect_ratio": "--aspect-ratio",
}


class Terminal:
    """Standard output and error: `pretty` where a person reads the result, `error_console` where that is a terminal."""

    def __init__(
        self, *, json: bool = False, quiet: bool = False, stdout_is_taken: bool = False, tells_warnings: bool = True
    ) -> None:
        """Print one JSON document, only paths, or all there is; where a picture takes standard output, on the other."""
        for stream in (sys.stdout, sys.stderr):
            # Any path and prompt is printed, whichever encoding the terminal has.
            as_utf8 = (stream.encoding or "").lower().replace("-", "") == "utf8"
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="surrogateescape" if as_utf8 and os.name != "nt" else "backslashreplace")
        self.json, self.quiet = json, quiet
        self._tells_warnings, self._is_live = tells_warnings, False
        self._out: TextIO = sys.stderr if stdout_is_taken else sys.stdout
        self.pretty = not json and not quiet and self._out.isatty()
        self.error_console = _console(sys.stderr) if sys.stderr.isatty() else None

    def row(self, cells: Sequence[str]) -> None:
        """Print a line for programs, its cells with tabs between them, at once."""
        print(*cells, sep="\t", file=self._out, flush=True)

    def document(self, content: Mapping[str, object]) -> None:
        """Print the JSON document."""
        print(as_json(content), end="", file=self._out, flush=True)

    def part(self, rows: Iterable[Sequence[str]], shown: Callable[[], Iterable[Text | Table]]) -> None:
        """Print what of the result is there: `shown`, tables or lines that are not wrapped, for people, else `rows`."""
        if self.pretty:
            from rich.text import Text

            # On the console with the live display that display stays below.
            console = self.error_console if self._is_live and self.error_console else _console(self._out)
            for line in shown():
                console.print(line, soft_wrap=isinstance(line, Text))
            self._out.flush()
        elif not self.json:
            for cells in rows:
                self.row(list(map(visible, cells)))

    def result(
        self, document: Mapping[str, object], rows: Iterable[Sequence[str]], shown: Callable[[], Iterable[Text | Table]]
    ) -> None:
        """Print the result in the one form that is wanted: `document` for `--json`, else what `part` prints."""
        if self.json:
            self.document(document)
        else:
            self.part(rows, shown)

    def on_stderr(self, message: str, kind: str = "", *, style: str = "") -> None:
        """Say on standard error how things are; `kind` is a word in front, in its own style."""
        if self.json and self._out is sys.stderr:
            return  # the document stands there alone, so that it can be read; it holds the errors
        message = as_option(one_line(message))
        if self.error_console is None:
            print(f"{kind}{message}", file=sys.stderr, flush=True)
            return
        from rich.text import Text

        text, *rows = _ROWS.split(f"{kind}{message}")
        what, *remedy = re.split(r"(?<=\S\S[.?!]) +(?=[A-Z`\"'])", text, maxsplit=1)
        wrapper = textwrap.TextWrapper(
            self.error_console.width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False
        )
        first, *lines = wrapper.wrap(what) or [""]
        lines += [line for text in (*remedy, *rows) for line in wrapper.wrap(f"  {text}")]
        self.error_console.print(Text.assemble((first[: len(kind)], style), first[len(kind) :]), soft_wrap=True)
        for line in lines:
            self.error_console.print(Text(line), soft_wrap=True)

    def error(self, message: str) -> None:
        """Say on standard error what went wrong."""
        self.on_stderr(message, "Error: ", style="bold red")

    def warn(self, message: str) -> None:
        """Say on standard error what to look out for."""
        self.on_stderr(message, "Warning: ", style="bold yellow")

    def on_terminal(self, message: str) -> None:
        """Tell a person on a terminal something besides the result; programs are not told."""
        if self.error_console is not None and not self.json and not self.quiet:
            self.on_stderr(message)

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
        """Show in one line, where somebody watches, what `read` returns: how many are done, of how many, and words."""
        if self.error_console is None or self.quiet:
            yield
            return
        from rich.live import Live
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        def line() -> Table:
            done, total, words = read()
            share = str(done) if total is None else f"{done * 100 // total if total else 0:3}%  {done} of {total}"
            text = Text(", ".join(filter(None, (share, words))), no_wrap=True, overflow="ellipsis")
            grid = Table.grid(padding=(0, 1, 0, 0))
            grid.add_row(ProgressBar(total, done, width=16), text)
            return grid

        with Live(console=self.error_console, get_renderable=line, transient=True, refresh_per_second=4):
            self._is_live = True
            try:
                yield
            finally:
                self._is_live = False

    def confirm(self, question: str, *, otherwise: str) -> None:
        """Ask on the terminal whether to go on; no is the error that `otherwise` says, and so is nobody to ask."""
        if sys.stdin is None or not sys.stdin.isatty():
            raise errors.InvalidRequestError(f"{question} Nobody is here to confirm that: add --yes.")
        self.on_stderr(question)
        print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise errors.InvalidRequestError(otherwise)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Show the library's warnings and log as plain lines for as long as the block runs."""
        log, lines = logging.getLogger("ionos_openai"), logging.Handler(logging.WARNING)
        tell = self.warn if self._tells_warnings else lambda message: None  # noqa: ARG005
        lines.emit = lambda record: tell(record.getMessage() + _origin(record))  # type: ignore[method-assign]
        log.addHandler(lines)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", IonosWarning)
                others = warnings.showwarning

                def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
                    if issubclass(category, IonosWarning):
                        tell(str(message))
                    else:
                        others(message, category, *place, **more)

                warnings.showwarning = show
                yield
        finally:
            log.removeHandler(lines)


def as_option(message: str) -> str:
    """Return a message of the library's with its arguments called as the terminal's options are."""
    for pattern, option in _IN_CODE.items():
        if not (_NAMES in pattern and message.startswith(_TABLE)):
            message = re.sub(pattern, option, message)
    return message


def open_closed_streams() -> None:
    """Let what is printed go nowhere where standard output or standard error was closed before the start."""
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


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

    def shown(letter: str) -> str:
        # Half a surrogate stands for a byte of a file's name that is no Unicode; the stream writes that byte.
        if letter.isprintable() or "\udc80" <= letter <= "\udcff":
            return letter
        return letter.encode("unicode_escape").decode() if instead is None else instead

    return "".join(map(shown, text))


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV without its end; no spreadsheet takes a cell for a formula, no terminal for a command.

    An apostrophe in front of them is what OWASP advises; a number stays one. Source: OWASP, CSV Injection, 2026-11.
    """
    text, end = io.StringIO(), "\r\n;\t"
    harmless = (
        "'" * bool(_FORMULA.match(cell) and not _NUMBER.fullmatch(cell)) + _OBEYED.sub(" ", cell) for cell in cells
    )
    # What is in the end is quoted. Where lines are cut at semicolons or tabs, a formula could begin behind them.
    csv.writer(text, lineterminator=end).writerow(harmless)
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
    """Return a table without lines; its last `folded` columns fold, `overflow` tells what the others do if too long."""
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
