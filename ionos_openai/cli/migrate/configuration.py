"""Configuration files beside the code: names of OpenAI's models and variables. Their values are never shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate.facts import FACTS, model_findings
from ionos_openai.cli.migrate.findings import Migration
from ionos_openai.cli.migrate.keys import key_finding, looks_like_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ionos_openai.cli.migrate.findings import Finding

_VARIABLE = re.compile(r"(?<![A-Za-z0-9_])(?:[A-Z0-9]+_)?OPENAI_[A-Z_]+(?![A-Za-z0-9_])")
_OURS = re.compile(r"(?<![A-Za-z0-9_])IONOS_(?:API_TOKEN|API_KEY|TOKEN|API_TOKEN_FILE)(?![A-Za-z0-9_])")


def search_configuration(text: str, *, holds_secrets: bool) -> Migration:
    """Find OpenAI's names in a configuration file's text, in any of the formats in use; `edited` is `text` itself.

    `holds_secrets` says whether keys belong into the file, as into a `.env`.
    """
    has_token = bool(_OURS.search(text))
    lines = re.split(r"\r\n|\r|\n", text)
    found = [
        finding
        for number, line in enumerate(lines, 1)
        for finding in _search(line, number, has_token=has_token, holds_secrets=holds_secrets)
    ]
    return Migration(findings=tuple(found), edited=text)


def _search(line: str, number: int, *, has_token: bool, holds_secrets: bool) -> Iterator[Finding]:
    for name in dict.fromkeys(_VARIABLE.findall(line)):
        fact = FACTS["setting: token" if name.endswith("KEY") and not has_token else "setting: named"]
        yield fact.at(number, f"names {name}")
    yield from model_findings(line, number, adapted=True)
    if not holds_secrets and looks_like_key(line):
        yield key_finding(number)
