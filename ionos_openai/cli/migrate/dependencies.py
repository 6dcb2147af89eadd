"""What installs a project's packages, and does not install this one yet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate.facts import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ionos_openai.cli.migrate.findings import Finding

_INLINE = re.compile(r"(?ms)^# /// script\s*?$.*?^# ///\s*?$")
_OPENAI = re.compile(r"""(?im)^(?:[^#\n]*["'\s])?openai(?=[\s\["'=<>~!;,]|$)""")
_OURS = re.compile(r"(?i)ionos[-_]openai")
FILES = re.compile(r"requirements[\w.-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|environment\.ya?ml")
"""The names of files that say what a project needs."""


def find_inline(text: str) -> Iterator[Finding]:
    """Report a script's own metadata, where they do not name this package."""
    block = _INLINE.search(text)
    if block and not _OURS.search(block[0]):
        named = re.search(r"(?m)^#\s*dependencies\b", block[0])
        line = text.count("\n", 0, block.start() + (named.start() if named else 0)) + 1
        yield FACTS["dependency: missing"].at(line, "lists what the script needs, without ionos-openai")


def find_named(text: str) -> Iterator[Finding]:
    """Report where a file that installs packages names openai, and not this one."""
    found = None if _OURS.search(text) else _OPENAI.search(text)
    if found:
        line = text.count("\n", 0, found.end()) + 1
        yield FACTS["dependency: missing"].at(line, "installs openai, and not ionos-openai")
