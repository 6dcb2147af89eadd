"""Configuration beside the code: OpenAI's models and variables, and what installs openai. Values are never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ionos_openai.cli.migrate.facts import FACTS, model_findings
from ionos_openai.cli.migrate.findings import Finding, Migration
from ionos_openai.cli.migrate.keys import looks_like_key

INSTALLING = re.compile(r"requirements[\w.-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|environment\.ya?ml")
"""The names of files that say what a project needs."""

_VARIABLE = re.compile(r"(?<![A-Za-z0-9_])(?:[A-Z0-9]+_)?OPENAI_[A-Z_]+(?![A-Za-z0-9_])")
_TOKEN = re.compile(r"(?<![A-Za-z0-9_])IONOS_(?:API_TOKEN|API_KEY|TOKEN|API_TOKEN_FILE)(?![A-Za-z0-9_])")
_INLINE = re.compile(r"(?m)^# /// script[ \t]*\r?\n(?:#(?! ///).*\n)*# ///")
_OPENAI = re.compile(r"""(?im)^(?:[^#\n]*["'\s])?openai(?=[\s\["'=<>~!;,]|$)""")
_OURS = re.compile(r"(?i)ionos[-_]openai")


def search_configuration(text: str, *, holds_secrets: bool, installs: bool = False) -> Migration:
    """Find OpenAI's names in a configuration's text; `.env` `holds_secrets`, a name of `INSTALLING` `installs`."""
    found, has_token = [], _TOKEN.search(text)
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        for name in dict.fromkeys(_VARIABLE.findall(line)):
            fact = FACTS["setting: token" if name.endswith("KEY") and not has_token else "setting: named"]
            found.append(fact.at(number, f"names {name}"))
        found += model_findings(line, number, adapted=True)
        if not holds_secrets and looks_like_key(line):
            found.append(FACTS["key: literal"].at(number))
    named = _OPENAI.search(text) if installs and not _OURS.search(text) else None
    if named:
        number = text.count("\n", 0, named.end()) + 1
        found.append(FACTS["dependency: missing"].at(number, "installs openai, and not ionos-openai"))
    return Migration(findings=tuple(found), edited=text)


def find_inline(text: str) -> Iterator[Finding]:
    """Report a script's own metadata, where they do not name this package."""
    block = _INLINE.search(text)
    if block and not _OURS.search(block[0]):
        named = re.search(r"(?m)^#\s*dependencies\b", block[0])
        place = block.start() + (named.start() if named else 0)
        line = text.count("\n", 0, place) + 1
        yield FACTS["dependency: missing"].at(line, "lists what the script needs, without ionos-openai")
