"""Jupyter notebooks: their code cells as one Python source, magics made harmless. Notebooks are only reported."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from ionos_openai.cli.migrate.facts import ADDRESS, FACTS, RELEVANT, model_findings
from ionos_openai.cli.migrate.findings import Finding, Migration, Others, SourceError
from ionos_openai.cli.migrate.keys import looks_like_key
from ionos_openai.cli.migrate.program import parses
from ionos_openai.cli.migrate.source import migrate_source

# Magics whose rest is Python: it stays.
_TIMING = r"(?:time|timeit|prun|memit|mprun)"
_LINE_MAGIC = re.compile(rf"^(\s*)%{_TIMING}\b(?:\s+-\w\s*\S*)*\s*(\S.*)$")
_CELL_MAGIC = re.compile(rf"\s*%%(?:{_TIMING}|capture|debug)\b")
_ASSIGNED = re.compile(r"^([\w.,\[\] \t]+=)\s*[!%].*$")
_COMMAND = re.compile(r"^(\s*)(?:[!%].*|\??\??[\w.]+\?{1,2}\s*|\?.*)$")
_GOES_ON = re.compile(r"(?m)^([ \t]*)[!%](?:[^\n]*\\\n)+[^\n]*$")
# It names the package, and does nothing with it.
_INSTALLING = re.compile(r"(?m)^.{0,200}?\b(?:pip3?|uv|conda|mamba|poetry)\b.{0,200}?\b(?:install|add)\b.*$")


def migrate_notebook(text: str, path: str = "<notebook>", *, others: Others | None = None) -> Migration:
    """Find what a notebook's code meets on IONOS; `text`, its JSON, is not edited. `SourceError`: it is no notebook."""
    cells = [(number, code, _as_python(code)) for number, code in _code_cells(text)]
    places = [(number, line) for number, _, python in cells for line in range(1, python.count("\n") + 2)]
    found = migrate_source("\n".join(python for _, _, python in cells) + "\n", path, others=others, cells=places)
    findings = [
        dataclasses.replace(finding, cell=number)
        for number, code, python in cells
        for finding in _search_unread(code, python)
    ]
    for finding in found.findings:
        number, line = places[finding.line - 1]
        # What would be written for a script is left by hand.
        effort = "hand" if finding.effort == "write" else finding.effort
        findings.append(dataclasses.replace(finding, cell=number, line=line, effort=effort))
    findings.sort(key=lambda finding: (finding.cell or 0, finding.line))
    return dataclasses.replace(found, findings=tuple(findings), edited=text)


def _code_cells(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number, from 1, and the source of each cell with Python."""
    try:
        notebook: Any = json.loads(text)
        known = notebook.get("metadata", {})
        kernel, info = known.get("kernelspec", {}), known.get("language_info", {})
        languages = {kernel.get("language", "python").lower(), info.get("name", "python").lower()}
        cells = notebook["cells"] if languages <= {"python", "ipython", "python3"} else []
        for number, cell in enumerate(cells, 1):
            source = cell.get("source", "")
            code = source if isinstance(source, str) else "".join(source)
            if cell.get("cell_type") == "code":
                yield number, code.replace("\r\n", "\n").replace("\r", "\n")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SourceError("it is not a notebook: not JSON, or of another shape") from None


def _search_unread(code: str, python: str) -> Iterator[Finding]:
    """Report what stands in the lines that are not read as Python: `%env NAME=...`, `!curl ...`, whole cells."""
    if not python.strip() and RELEVANT.search(_INSTALLING.sub("", code).encode(errors="replace")):
        yield FACTS["call: cell"].at(1, "is a cell that cannot be read as Python, and names OpenAI or its models")
    for number, (line, read) in enumerate(zip(code.split("\n"), python.split("\n"), strict=True), 1):
        # Of `%time call()`, the call is read.
        if line == read or (read and _LINE_MAGIC.match(line)):
            continue
        if looks_like_key(line):
            yield FACTS["key: literal"].at(number)
        if ADDRESS.search(line):
            yield FACTS["call: address"].at(number)
        yield from model_findings(line, number, adapted=False)


def _as_python(code: str) -> str:
    """Return a cell's code as Python with the same lines, all of them empty where it is none."""
    if parses(code):
        return code
    first, line_end, rest = code.lstrip("\n").partition("\n")
    if first.lstrip().startswith("%%"):
        blank = "\n" * (len(code) - len(code.lstrip("\n")))
        # Of a cell for another language, such as %%bash, nothing is read.
        code = f"{blank}pass{line_end}{rest}" if _CELL_MAGIC.match(first) else "\n" * code.count("\n")
    # A shell command may go on in the next line.
    code = _GOES_ON.sub(lambda found: f"{found[1]}pass" + "\n" * found[0].count("\n"), code)
    harmless = "\n".join(map(_harmless, code.split("\n")))
    return harmless if parses(harmless) else "\n" * code.count("\n")


def _harmless(line: str) -> str:
    timed = _LINE_MAGIC.match(line)
    return timed[1] + timed[2] if timed else _ASSIGNED.sub(r"\1 None", _COMMAND.sub(r"\1pass", line))
