"""`ionos-openai migrate`: what code written for OpenAI meets on IONOS, as lines, a document or a diff."""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from ionos_openai.cli.migrate.findings import SourceError
from ionos_openai.cli.migrate.project import migrate_files, other_languages, write_edited
from ionos_openai.cli.terminal.exits import MADE, REFUSED
from ionos_openai.cli.terminal.output import visible
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.words import plural, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.text import Text

    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.project import FileMigration
    from ionos_openai.cli.terminal.output import Terminal

# By who has to do it: a title, the state in each line, and its style.
_TELLING = {
    "hand": ("To be done by hand:", "by hand", "bold yellow"),
    "write": ("Done by --write:", "--write does it", "bold green"),
    "none": ("Nothing to do, the client adapts it with a warning:", "adapted", "dim"),
}
Mode: TypeAlias = Literal["report", "diff", "write"]

_NEXT = (
    "Next: install ionos-openai where the code runs, set IONOS_API_TOKEN there, and try it with IONOS_SANDBOX=1, which "
    "needs no token. Tests that mock OpenAI's classes mock the factories instead."
)
_SERVER = (
    "may ask for pictures too: `ionos-openai sandbox` is a server to try them with, its address in OPENAI_BASE_URL."
)
_LONG_SECRET = 12  # characters


def run(paths: Sequence[str], mode: Mode, terminal: Terminal, *, calls: bool = False) -> int:
    """Report on files, or show or apply what is safe, and return 0 where nothing is left to do by hand, else 1."""
    found = migrate_files(paths, calls=calls)
    found = [_write(file) if mode == "write" and file.is_changed else file for file in found]
    changed = [file for file in found if file.is_changed]
    files = [file for file in found if file.skipped is not None or (file.migration and file.migration.findings)]
    if terminal.json:
        terminal.document(_document(files, changed, mode))
    else:
        _show_diffs(files, terminal) if mode == "diff" else _show(files, mode, terminal)
        _summarise(files, changed, mode, other_languages(paths))
    return REFUSED if any(file.left_by_hand for file in files) else MADE


def _write(file: FileMigration) -> FileMigration:
    try:
        write_edited(file)
    except SourceError as error:
        return dataclasses.replace(file, migration=None, skipped=f"{error}; nothing was changed")
    return file


def _show_diffs(files: Sequence[FileMigration], terminal: Terminal) -> None:
    for file in files:
        for line in _diff(file):
            terminal.row([line])
        if file.skipped is not None:
            terminal.warn(f"{file.path} was skipped: {file.skipped}")


def _show(files: Sequence[FileMigration], mode: Mode, terminal: Terminal) -> None:
    """Show what there is to say, first what is left by hand, each once with all its places."""
    for effort, (title, state, style) in _TELLING.items():
        told: defaultdict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
        for file, finding in _findings(files):
            if finding.effort == effort:
                cell = f"cell {finding.cell}:" if finding.cell is not None else ""
                told[finding.code, finding.on_ionos, finding.remedy][f"{file.path}:{cell}{finding.line}"] = None
        if told:
            terminal.on_terminal(title)
        state = "written" if (effort, mode) == ("write", "write") else state
        for cells, places in told.items():
            _tell(terminal, style, [", ".join(places), state, *cells])
    for file in files:
        if file.skipped is not None:
            _tell(terminal, "yellow", [str(file.path), "skipped", file.skipped, "-", "-"])


def _tell(terminal: Terminal, style: str, cells: Sequence[str]) -> None:
    # A tab or a line break within a cell would begin another one.
    cells = [visible(text, instead=" ") for text in cells]
    terminal.part([cells], partial(_shown, cells, style))


def _findings(files: Sequence[FileMigration]) -> Iterator[tuple[FileMigration, Finding]]:
    yield from ((file, finding) for file in files if file.migration for finding in file.migration.findings)


def _shown(cells: Sequence[str], style: str) -> Iterator[Text]:
    from rich.text import Text

    place, state, text, *more = cells
    yield Text.assemble((place, "bold"), "  ", (state, style), f"  {text}")
    for label, words in zip(("on IONOS: ", "write:    "), more, strict=True):
        if words != "-":
            yield Text(f"    {label}{words}")


def _diff(file: FileMigration) -> Iterator[str]:
    """Yield the lines of a unified diff, keys masked."""
    if file.migration is None or not file.is_changed:
        return
    name = file.path.as_posix()
    before, after = (_lines(text, file.migration.secrets) for text in (file.original, file.migration.edited))
    for line in difflib.unified_diff(before, after, f"a/{name.lstrip('/')}", f"b/{name.lstrip('/')}"):
        content = line.rstrip("\r\n")
        # A patch has the line ends of the file, and says where the last one is missing.
        end = line[len(content) :].removesuffix("\n")
        yield "\t".join(map(printable, content.split("\t"))) + end
        if not line.endswith("\n"):
            yield "\\ No newline at end of file"


def _is_masked(file: FileMigration) -> bool:
    return file.migration is not None and "".join(_lines(file.original, file.migration.secrets)) != file.original


def _lines(text: str, secrets: frozenset[str]) -> list[str]:
    """Return the lines of a text with their ends, keys masked."""
    for secret in sorted(secrets, key=len, reverse=True):
        # A short one may be a word of the code too: it is masked where it stands in quotes.
        for quote in ("'", '"') if len(secret) < _LONG_SECRET else ("",):
            text = text.replace(f"{quote}{secret}{quote}", f"{quote}<key>{quote}")
    return [mask_secrets(line) for line in re.findall(r"[^\n]*\n|[^\n]+", text)]


def _document(files: Sequence[FileMigration], changed: Sequence[FileMigration], mode: Mode) -> dict[str, object]:
    return {
        "findings": [{"path": str(file.path), **dataclasses.asdict(finding)} for file, finding in _findings(files)],
        "skipped": [{"path": str(file.path), "reason": file.skipped} for file in files if file.skipped is not None],
        "changes": [str(file.path) for file in changed],
        "written": mode == "write",
        "left_by_hand": any(file.left_by_hand for file in files),
        **({"diff": "\n".join(line for file in changed for line in _diff(file))} if mode == "diff" else {}),
    }


def _summarise(
    files: Sequence[FileMigration], changed: Sequence[FileMigration], mode: Mode, languages: Mapping[str, int]
) -> None:
    findings = [finding for _, finding in _findings(files)]
    by_hand = sum(finding.effort == "hand" for finding in findings)
    skipped = sum(file.skipped is not None for file in files)
    text = f"{plural(len(changed), 'file')} {'written' if mode == 'write' else 'for --write to change'}; "
    text += f"{plural(by_hand, 'place')} left to do by hand"
    text += f"; {plural(skipped, 'file')} skipped." if skipped else "."
    if not findings and not skipped:
        text = "Nothing of OpenAI's images found."
    if mode == "diff" and any(_is_masked(file) for file in changed):
        text += " Keys are masked in the diff: a hunk that has one does not apply; --write changes the file itself."
    # Beside the result, so that a pipe gets lines of one kind alone.
    print(text, file=sys.stderr)
    if languages:
        others = f"{plural(sum(languages.values()), 'file')} in {', '.join(sorted(languages))}"
        print(f"{others} {_SERVER}", file=sys.stderr)
    if changed:
        print(_NEXT, file=sys.stderr)
