"""Jupyter notebooks: their code cells as one Python source, magics made harmless. Notebooks are only reported."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ionos_openai.migration.findings import Migration, SourceError
from ionos_openai.migration.keys import key_finding, looks_like_key
from ionos_openai.migration.python import migrate_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ionos_openai.migration.findings import Finding

# Magics whose rest is Python: it stays.
_TIMING = r"(?:time|timeit|prun|memit|mprun)"
_LINE_MAGIC = re.compile(rf"^(\s*)%{_TIMING}\b(?:\s+-\w\s*\S*)*\s*(\S.*)$")
_CELL_MAGIC = re.compile(rf"\s*%%(?:{_TIMING}|capture|debug)\b")
_ASSIGNED = re.compile(r"^(\s*[\w.,\[\] ]+=)\s*[!%].*$")
_HELP = re.compile(r"^\s*\??\??[\w.]+\?{1,2}\s*$|^\s*\?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    number: int
    code: str


def migrate_notebook(text: str, path: str = "<notebook>") -> Migration:
    """Find what a notebook's code meets on IONOS.

    Args:
        text: The notebook's JSON.
        path: Its name.

    Returns:
        The findings with cell and line; `edited` is `text` itself, so what a script would have changed for it is to
        be done by hand.

    Raises:
        SourceError: It is no notebook, or holds no cell of Python that can be read.
    """
    cells, broken = [], 0
    in_magics: list[Finding] = []
    for number, code in _code_cells(text):
        in_magics += _keys_in_magics(code, number)
        python = _as_python(code)
        if python is None:
            broken += 1
        else:
            cells.append(_Cell(number=number, code=python))
    if broken and not cells:
        raise SourceError("none of its cells is Python that can be read")
    found = migrate_source("\n".join(cell.code for cell in cells) + "\n", path)
    findings = [*in_magics, *(_in_cell(finding, cells) for finding in found.findings)]
    findings.sort(key=lambda one: (one.cell or 0, one.line))
    return Migration(findings=tuple(findings), edited=text, secrets=found.secrets)


def _code_cells(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the source of each cell with Python."""
    try:
        notebook: Any = json.loads(text)
        language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        cells = notebook["cells"] if language.lower() == "python" else []
        for number, cell in enumerate(cells, 1):
            source = cell.get("source", "")
            code = source if isinstance(source, str) else "".join(source)
            if cell.get("cell_type") == "code":
                yield number, code.replace("\r\n", "\n").replace("\r", "\n")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SourceError("it is not a notebook: not JSON, or of another shape") from None


def _keys_in_magics(code: str, cell: int) -> Iterator[Finding]:
    """Report keys in `%env NAME=...`, `!export NAME=...` and the like, of which nothing else is read."""
    for number, line in enumerate(code.split("\n"), 1):
        if re.match(r"\s*[!%]", line) and not _LINE_MAGIC.match(line) and looks_like_key(line):
            yield dataclasses.replace(key_finding(number), cell=cell)


def _as_python(code: str) -> str | None:
    """Return a cell's code as Python with the same lines, or None where it is none."""
    if _parses(code):
        return code
    first, _, rest = code.lstrip("\n").partition("\n")
    if first.lstrip().startswith("%%"):
        blank = "\n" * (len(code) - len(code.lstrip("\n")))
        # Of a cell for another language, such as %%bash, nothing is read.
        code = f"{blank}pass\n{rest}" if _CELL_MAGIC.match(first) else "\n" * code.count("\n")
    harmless = "\n".join(_harmless(line) for line in code.split("\n"))
    return harmless if _parses(harmless) else None


def _harmless(line: str) -> str:
    if timed := _LINE_MAGIC.match(line):
        return timed[1] + timed[2]
    if re.match(r"\s*[!%]", line) or _HELP.match(line):
        return line[: len(line) - len(line.lstrip())] + "pass"
    return _ASSIGNED.sub(r"\1 None", line)


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _in_cell(finding: Finding, cells: list[_Cell]) -> Finding:
    line = finding.line
    for cell in cells:
        length = cell.code.count("\n") + 1
        if line <= length:
            effort = "hand" if finding.effort == "write" else finding.effort
            return dataclasses.replace(finding, cell=cell.number, line=line, effort=effort)
        line -= length
    return finding
