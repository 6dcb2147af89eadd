"""What a migration finds: one `Finding` per place, and what became of a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
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

    def at(self, line: int, code: str | None = None) -> Finding:
        """Return the same for another place."""
        return dataclasses.replace(self, line=line, code=self.code if code is None else code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What the other files of a project have to do with one; by itself a file knows of none."""

    draw: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what they ask for pictures, and which ones
    use_otherwise: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what they ask for something else
    imported: frozenset[str] = frozenset()  # the names that they import from it
    clients: frozenset[str] = frozenset()  # the full names under which the file imports clients from them
    modules: frozenset[str] = frozenset()  # the first parts of the names of the project's modules


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What one file has to do with the others of its project."""

    made: frozenset[str] = frozenset()  # the names of its clients
    draws: frozenset[str] = frozenset()  # the full names of what it imports and asks for pictures
    other_uses: frozenset[str] = frozenset()  # those of what it imports and asks for something else, or hands on
    imports: Mapping[str, str] = field(default_factory=dict)  # the full name of each name that it imports


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What was found in one source text, and the text with what is safe applied."""

    findings: tuple[Finding, ...]  # in the order of their lines
    edited: str  # the whole text; the very same one where there is nothing safe to change
    # texts in the source that look like keys: mask them wherever the source is shown
    secrets: frozenset[str] = frozenset()
    shared: Shared = field(default_factory=Shared)  # what it has to do with the others of its project
    draws: bool = False  # whether it asks for pictures in any way
