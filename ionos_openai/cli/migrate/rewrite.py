"""Clients made with the factories: only their calls and imports change, every other byte stays as it is."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ionos_openai.cli.migrate.clients import FACTORIES
from ionos_openai.cli.migrate.findings import SourceError
from ionos_openai.cli.migrate.program import local_name, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ionos_openai.cli.migrate.clients import Client
    from ionos_openai.cli.migrate.program import Import, Program

_PACKAGE = "ionos_openai"
_BLANKS = re.compile(r"(?:[\s\\]|#[^\n]*)*")


class Edit(NamedTuple):
    """What stands in the place of a part of a text."""

    start: int
    end: int
    text: str


def rewrite_clients(program: Program, clients: Sequence[Client], names: frozenset[str], more: list[Edit]) -> str | None:
    """Make clients with the factories, those with a problem beside the old ones, and make `more` edits.

    `names` are what other files import from this one.

    Returns:
        The whole text; None where the names that it would need are taken.
    """
    chosen = [client for client in clients if client.name in FACTORIES and not client.problem]
    beside = [client for client in clients if client.beside is not None]
    factories = {FACTORIES[client.name] for client in [*chosen, *beside]}
    locals_ = {factory: name for factory in factories if (name := _free_name(program, factory))}
    if len(locals_) < len(factories):
        return None
    edits = [edit for client in chosen for edit in _call(program, client, locals_[FACTORIES[client.name]])]
    edits += [edit for client in beside for edit in _beside(program, client, locals_[FACTORIES[client.name]])]
    edits += _imports(program, chosen, beside, locals_, names)
    return applied(program.text, [*edits, *more])


def applied(text: str, edits: Sequence[Edit]) -> str | None:
    """Return a text with edits made, those within the place of another left out; None where it is no Python then."""
    parts, position = [], 0
    for edit in sorted(dict.fromkeys(edits), key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= position:
            parts += [text[position : edit.start], edit.text]
            position = edit.end
    edited = "".join([*parts, text[position:]])
    try:
        parse(edited)
    except SourceError:
        return None
    return edited


def _free_name(program: Program, factory: str) -> str | None:
    """Return the name for a factory that stands for nothing else in the file."""
    ours = f"{_PACKAGE}.{factory}"
    aliases = [alias for statement in program.imports_of() for alias in statement.names]
    taken = {node.name for node in [*program.functions(), *program.all(ast.ClassDef)]}
    taken |= {name for name, _ in program.parameters}
    for name in (factory, factory.replace("_client", "_ionos_client")):
        is_ours = all(program.full_name(alias) == ours for alias in aliases if local_name(alias) == name)
        if is_ours and name not in taken and all(program.imported(node) == {ours} for node in program.references(name)):
            return name
    return None


def _call(program: Program, client: Client, factory: str) -> Iterator[Edit]:
    start, end = program.span(client.call.func)
    yield Edit(start, end, factory)
    goes = [argument in client.dropped for argument in client.call.keywords]
    if any(goes):
        yield from without_arguments(program, client.call, goes)


def without_arguments(program: Program, call: ast.Call, goes: Sequence[bool]) -> Iterator[Edit]:
    """Yield the edits that take arguments out of a call: for each one, first those by position, whether it goes."""
    behind = program.span(call.func)[1]
    while program.text[behind] != "(":
        behind = _BLANKS.match(program.text, behind).end()  # type: ignore[union-attr]  # it matches nothing too
        behind += program.text[behind] == ")"
    spans = [*map(program.span, call.args), *map(program.span, call.keywords)]
    yield from _without(program.text, spans, goes, behind + 1, program.span(call)[1] - 1)


def _beside(program: Program, client: Client, factory: str) -> Iterator[Edit]:
    """Make a client for the pictures alone behind the other one, and ask it."""
    statement = client.beside
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    name = re.sub(r"\w+$", "pictures", program.written(target))
    start, end = program.span(statement)
    indent = program.text[program.text.rfind("\n", 0, start) + 1 : start]
    line_end = program.text.find("\n", end)
    rest = program.text[end : line_end if line_end >= 0 else len(program.text)]
    kept = [program.written(given) for given in client.call.keywords if given not in client.dropped]
    made = f"{name} = {factory}({', '.join(kept)})"
    if indent.strip() or rest.partition("#")[0].strip():
        yield Edit(end, end, f"; {made}")
    else:
        place = end + len(rest)
        yield Edit(place, place, f"\n{indent}{made}" + ("\r" if rest.endswith("\r") else ""))
    for draw in client.draws:
        if draw.asked is not None:
            yield Edit(*program.span(draw.asked), name)


def _imports(
    program: Program, chosen: Sequence[Client], beside: Sequence[Client], names: dict[str, str], shared: frozenset[str]
) -> Iterator[Edit]:
    """Import factories where the classes are imported, and take away what is not needed any more."""
    needed: defaultdict[ast.AST, set[str]] = defaultdict(set)
    used: set[ast.AST] = set()
    for client in [*chosen, *beside]:
        for binding in program.bindings(client.call.func):
            needed[binding].add(FACTORIES[client.name])
        used.update(ast.walk(client.call.func) if client.beside is None else ())
    locals_ = {local_name(alias) for alias in needed if isinstance(alias, ast.alias)}
    gone = {name for name in locals_ - shared if _is_unused(program, name, used)}
    # What has been imported so far for all that follows in the file.
    brought: set[str] = set()
    for statement in program.imports_of():
        wanted = {factory for alias in statement.names for factory in needed.get(alias, ())}
        goes = [alias in needed and local_name(alias) in gone for alias in statement.names]
        new = [
            factory if names[factory] == factory else f"{factory} as {names[factory]}"
            for factory in sorted(wanted - brought)
        ]
        if isinstance(program.parent(statement), ast.Module):
            theirs = {local_name(alias) for alias in statement.names if program.full_name(alias).startswith(_PACKAGE)}
            brought |= wanted | {factory for factory, name in names.items() if name in theirs}
        if new or any(goes):
            yield from _statement(program, statement, f"from {_PACKAGE} import {', '.join(new)}" if new else "", goes)


def _is_unused(program: Program, name: str, used: set[ast.AST]) -> bool:
    """Tell whether an import of `name` serves nothing but clients that are rewritten."""
    if program.name.rpartition("/")[2] == "__init__.py" or set(program.references(name)) - used:
        return False
    # A type, an entry of __all__ or the target of a patch may stand in a string.
    word = re.compile(rf"(?=.*\b{re.escape(name)}\b)[\w.\[\]'\"]+(?:\s*[|,]\s*[\w.\[\]'\"]+)*")
    return not any(word.fullmatch(text) and not text.startswith(("OPENAI", "http")) for _, text in program.texts)


def _statement(program: Program, statement: Import, new: str, goes: Sequence[bool]) -> Iterator[Edit]:
    """Put an import before a statement, and take from it what goes."""
    text = program.text
    start, end = program.span(statement)
    begin = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(#[^\r\n]*)?(\r?\n|$)").match(text, end)
    is_alone = not text[begin:start].strip() and rest is not None
    if not all(goes):
        line_end = "\r\n" if text.find("\r\n", end) == text.find("\n", end) - 1 >= 0 else "\n"
        if new:
            yield Edit(start, start, f"{new}{line_end + text[begin:start] if is_alone else '; '}")
        if any(goes):
            spans = [program.span(alias) for alias in statement.names]
            bracket = text.rfind("(", start, spans[0][0]) + 1
            opened = bracket or spans[0][0]
            yield from _without(text, spans, goes, opened, end - 1 if bracket else end)
    elif new or not is_alone or rest is None or _fills_block(program, statement):
        yield Edit(start, end, new or "pass")
    elif rest[1]:
        yield Edit(start, rest.start(1), "")
    else:
        yield Edit(begin, rest.end(), "")


def _fills_block(program: Program, statement: Import) -> bool:
    parent = program.parent(statement)
    blocks = [getattr(parent, name, None) for name in ("body", "orelse", "finalbody")]
    return not isinstance(parent, ast.Module) and [statement] in blocks


def _without(text: str, spans: Sequence[tuple[int, int]], goes: Sequence[bool], start: int, end: int) -> Iterator[Edit]:
    """Yield the edits that remove entries from a list, from `start` to `end`, lines and comments of the others kept."""
    gaps: list[str] = [text[start : spans[0][0]]]
    kept: list[tuple[int, int]] = []
    for index, (entry, is_gone) in enumerate(zip(spans, goes, strict=True)):
        behind = _behind_comma(text, entry[1], end)
        is_last = index == len(spans) - 1
        gap = text[behind : end if is_last else spans[index + 1][0]]
        if is_gone:
            gaps[-1] = _joined(gaps[-1], gap, is_first=not kept, is_last=is_last)
        else:
            kept.append((entry[0], behind))
            gaps.append(gap)
    if goes[-1] and kept and "\n" not in gaps[-1]:
        last = max(entry for entry, is_gone in zip(spans, goes, strict=True) if not is_gone)
        kept[-1] = last
    if not kept and "#" not in gaps[0]:
        gaps[0] = ""
    starts = [entry[0] for entry in kept] + [end]
    for position, gap, following in zip([start, *(entry[1] for entry in kept)], gaps, starts, strict=True):
        if text[position:following] != gap:
            yield Edit(position, following, gap)


def _behind_comma(text: str, position: int, end: int) -> int:
    found = _BLANKS.match(text, position, end)
    behind = found.end() if found else position
    return behind + 1 if text[behind : behind + 1] == "," and behind < end else position


def _joined(first: str, second: str, *, is_first: bool, is_last: bool) -> str:
    """Return what stays of the blanks around an entry that goes; a comment behind it in its line goes too."""
    if "\n" not in first:
        return second if is_last or ("\n" in second and not is_first) else first
    if "\n" not in second:
        return first
    return first[: first.rfind("\n") + 1] + second[second.find("\n") + 1 :]
