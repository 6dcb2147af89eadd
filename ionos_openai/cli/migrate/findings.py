"""What a migration finds: one `Finding` per place, and what became of a file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, TypeAlias

Effort: TypeAlias = Literal["write", "none", "hand"]
"""Who has to do something: `migrate --write` does it, nobody (the client adapts the call), or a person."""


class SourceError(ValueError):
    """A file cannot be read as what its name says; its message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place that meets something else on IONOS than on OpenAI's service."""

    line: int  # the line in the file, or in the notebook's cell, from 1
    kind: str  # "client", "call", "parameter", "model", "url", "format", "key" or "setting"
    code: str  # what the code does. Never holds a key or another value that may be secret
    on_ionos: str  # what happens on IONOS
    remedy: str  # what to write instead
    effort: Effort  # who has to do it
    cell: int | None = None  # the notebook's cell, from 1; None in a file of another kind

    def at(self, line: int, code: str) -> Finding:
        """Return the same for another place."""
        return dataclasses.replace(self, line=line, code=code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What was found in one source text, and the text with what is safe applied."""

    findings: tuple[Finding, ...]  # in the order of their lines
    edited: str  # the whole text; the very same one where there is nothing safe to change
    # texts in the source that look like keys: mask them wherever the source is shown
    secrets: frozenset[str] = frozenset()
