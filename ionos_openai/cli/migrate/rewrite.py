"""Clients made with the factories, and calls for IONOS' models: every other byte stays as it is."""

from __future__ import annotations

import ast
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ionos_openai.cli.migrate.answer_use import Urls
from ionos_openai.cli.migrate.clients import FACTORIES, Client, asking
from ionos_openai.cli.migrate.facts import DROPPED, FACTS
from ionos_openai.cli.migrate.image_calls import ImageCall, fact_of
from ionos_openai.cli.migrate.program import Import, Program, local_name, parses, text_of
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL

_PACKAGE = "ionos_openai"
# Possessive: what stands in a comment is no comma and no bracket.
_TO_COMMA = re.compile(r"(?:[\s\\]|#[^\n]*+)*+,")
_TO_BRACKET = re.compile(r"(?:[\s\\)]|#[^\n]*+)*+\(")
_CODE = re.compile(r"[\w.\[\]'\"]+(?:\s*[|,]\s*[\w.\[\]'\"]+)*")
_LINE_END = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n")


class Edit(NamedTuple):
    """What stands in the place of a part of a text."""

    start: int
    end: int
    text: str


def rewrite_clients(program: Program, clients: Sequence[Client], names: frozenset[str], more: list[Edit]) -> str | None:
    """Make clients with the factories, and `more` edits; None where the names are taken. Others import `names`."""
    chosen = [client for client in clients if client.name in FACTORIES and not client.problem]
    beside = [client for client in clients if client.beside is not None]
    factories = {FACTORIES[client.name] for client in [*chosen, *beside]}
    locals_ = {factory: name for factory in factories if (name := _free_name(program, factory))}
    if len(locals_) < len(factories):
        return None
    edits = [Edit(*program.span(client.call.func), locals_[FACTORIES[client.name]]) for client in chosen]
    edits += [edit for client in chosen for edit in _without_arguments(program, client.call, client.dropped)]
    edits += [edit for client in beside for edit in _beside(program, client, locals_[FACTORIES[client.name]])]
    edits += [Edit(*program.span(draw.asked), _beside_name(program, draw.asked)) for draw in asking(beside).values()]
    edits += _imports(program, chosen, beside, locals_, names)
    parts, position = [], 0
    # Those within the place of another are left out.
    for edit in sorted(dict.fromkeys([*edits, *more]), key=lambda edit: (edit.start, -edit.end)):
        if edit.start >= position:
            parts += [program.text[position : edit.start], edit.text]
            position = edit.end
    edited = "".join([*parts, program.text[position:]])
    return edited if parses(edited) else None


def _free_name(program: Program, factory: str) -> str | None:
    """Return the name for a factory that stands for nothing else in the file."""
    ours = f"{_PACKAGE}.{factory}"
    aliases = [alias for statement in program.imports for alias in statement.names]
    taken = {node.name for node in program.all(ast.FunctionDef, ast.AsyncFunctionDef)}
    taken |= {node.name for node in program.all(ast.ClassDef)} | {name for name, _ in program.parameters}
    for name in (factory, factory.replace("_client", "_ionos_client")):
        is_ours = all(program.full_name(alias) == ours for alias in aliases if local_name(alias) == name)
        if is_ours and name not in taken and all(program.imported(node) == {ours} for node in program.references[name]):
            return name
    return None


def _without_arguments(program: Program, call: ast.Call, gone: Collection[ast.keyword]) -> Iterator[Edit]:
    """Yield the edits that take arguments out of a call."""
    given: list[ast.expr | ast.keyword] = [*call.args, *call.keywords]
    bracket = _TO_BRACKET.match(program.text, program.span(call.func)[1])
    if bracket and gone and not any(isinstance(value, ast.Starred) for value in call.args):
        spans, goes = list(map(program.span, given)), [argument in gone for argument in given]
        yield from _without(program.text, spans, goes, bracket.end(), program.span(call)[1] - 1)


def _beside(program: Program, client: Client, factory: str) -> Iterator[Edit]:
    """Make a client for the pictures alone behind the other one."""
    statement = client.beside
    if statement is None:
        return
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    start, end = program.span(statement)
    indent = program.text[program.text.rfind("\n", 0, start) + 1 : start]
    line_end = program.text.find("\n", end)
    rest = program.text[end : line_end if line_end >= 0 else len(program.text)]
    kept = [program.written(given) for given in client.call.keywords if given not in client.dropped]
    made = f"{_beside_name(program, target)} = {factory}({', '.join(kept)})"
    if indent.strip() or rest.partition("#")[0].strip():
        yield Edit(end, end, f"; {made}")
    else:
        place = end + len(rest)
        yield Edit(place, place, f"\n{indent}{made}" + ("\r" if rest.endswith("\r") else ""))


def _beside_name(program: Program, node: ast.expr) -> str:
    return re.sub(r"\w+$", "pictures", program.written(node))


def _imports(
    program: Program, chosen: Sequence[Client], beside: Sequence[Client], names: dict[str, str], shared: frozenset[str]
) -> Iterator[Edit]:
    """Import factories where the classes are imported, and take away what is not needed any more."""
    needed: defaultdict[ast.AST, set[str]] = defaultdict(set)
    for client in [*chosen, *beside]:
        for binding in program.bound(client.call.func).nodes:
            needed[binding].add(FACTORIES[client.name])
    used = {node for client in chosen for node in ast.walk(client.call.func)}
    gone = _unused(program, [alias for alias in needed if isinstance(alias, ast.alias)], used, shared)
    # What has been imported so far for all that follows in the file.
    brought: set[str] = set()
    for statement in program.imports:
        wanted = {factory for alias in statement.names for factory in needed.get(alias, ())}
        new = [f"{factory} as {names[factory]}".removesuffix(f" as {factory}") for factory in sorted(wanted - brought)]
        if isinstance(program.parent(statement), ast.Module):
            theirs = {local_name(alias) for alias in statement.names if program.full_name(alias).startswith(_PACKAGE)}
            brought |= wanted | {factory for factory, name in names.items() if name in theirs}
        goes = [alias in gone for alias in statement.names]
        if new or any(goes):
            yield from _statement(program, statement, f"from {_PACKAGE} import {', '.join(new)}" if new else "", goes)


def _unused(
    program: Program, aliases: Sequence[ast.alias], used: set[ast.AST], shared: frozenset[str]
) -> set[ast.alias]:
    """Return the imports that serve nothing but clients that are rewritten."""
    if program.name.rpartition("/")[2] == "__init__.py":
        return set()
    names = {local_name(alias) for alias in aliases} - shared
    for _, text in program.texts:
        # A type, an entry of __all__ or the target of a patch may stand in a string.
        if _CODE.fullmatch(text) and not text.startswith(("OPENAI", "http")):
            names -= set(re.findall(r"\w+", text))
    others = [node for name in names for node in program.references[name] if node not in used]
    several = {id(bound): bound for bound in map(program.bound, others)}
    kept = {binding for bound in several.values() for binding in bound.nodes}
    return {alias for alias in aliases if local_name(alias) in names and alias not in kept}


def _statement(program: Program, statement: Import, new: str, goes: Sequence[bool]) -> Iterator[Edit]:
    """Put an import before a statement, and take from it what goes."""
    text = program.text
    start, end = program.span(statement)
    begin = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(#[^\r\n]*)?(\r?\n|$)").match(text, end)
    parent = program.parent(statement)
    blocks = [getattr(parent, name, None) for name in ("body", "orelse", "finalbody")]
    fills_block = [statement] in blocks and not isinstance(parent, ast.Module)
    is_alone = not text[begin:start].strip() and rest is not None
    if not all(goes):
        if new:
            line_end = "\r\n" if rest and rest[2] == "\r\n" else "\n"
            yield Edit(start, start, f"{new}{line_end + text[begin:start] if is_alone else '; '}")
        if any(goes):
            spans = [program.span(alias) for alias in statement.names]
            bracket = text.rfind("(", start, spans[0][0]) + 1
            yield from _without(text, spans, goes, bracket or spans[0][0], end - 1 if bracket else end)
    elif new or not is_alone or rest is None or fills_block:
        yield Edit(start, end, new or "pass")
    elif rest[1]:
        yield Edit(start, rest.start(1), "")
    else:
        yield Edit(begin, rest.end(), "")


def _without(text: str, spans: Sequence[tuple[int, int]], goes: Sequence[bool], start: int, end: int) -> Iterator[Edit]:
    """Yield the edits that remove entries from a list, from `start` to `end`, lines and comments of the others kept."""
    for is_gone, run in itertools.groupby(range(len(spans)), key=goes.__getitem__):
        if not is_gone:
            continue
        indices = list(run)
        first, last = indices[0], indices[-1]
        begin, stop = spans[first][0], _behind_comma(text, spans[last][1], end)
        is_last = last == len(spans) - 1
        line = text.rfind("\n", start, begin) + 1
        is_first_in_line = line > 0 and not text[line:begin].strip()
        line_end = _LINE_END.match(text, stop, end)
        behind = line_end.end() if line_end else stop
        if first == 0 and is_last and "#" not in text[start:begin] + text[behind:end]:
            yield Edit(start, end, "")
        elif is_first_in_line and line_end:
            yield Edit(line, behind, "")
        elif first and (not is_first_in_line or (is_last and "#" not in text[spans[first - 1][1] : begin])):
            before = spans[first - 1][1]
            yield Edit(before if is_last and not line_end else _behind_comma(text, before, end), stop, "")
        else:
            yield Edit(begin, stop if is_last else spans[last + 1][0], "")


def _behind_comma(text: str, position: int, end: int) -> int:
    comma = _TO_COMMA.match(text, position, end)
    return comma.end() if comma else position


def edit_calls(program: Program, calls: Sequence[ImageCall]) -> dict[ast.expr, list[Edit]]:
    """Return the edits of calls whose client asks IONOS, by the values that they change."""
    reads_url = bool(calls and Urls(program).reads)
    looked_up = (text == "b64_json" and isinstance(program.parent(node), ast.Subscript) for node, text in program.texts)
    reads_data = any(looked_up) or any(node.attr == "b64_json" for node in program.all(ast.Attribute))
    edits: dict[ast.expr, list[Edit]] = {}
    models: dict[ast.expr, list[Edit]] = {}
    for call in calls:
        goes = [keyword for keyword in call.node.keywords if keyword.arg in DROPPED and _is_dropped(call, keyword)]
        if removal := list(_without_arguments(program, call.node, goes)):
            edits.update({keyword.value: removal for keyword in goes})
        size = call.arguments.get("size")
        fact = fact_of(call, "size", size) if size is not None else None
        if size is not None and fact is not None and fact.remedy.startswith("size="):
            edits[size] = [_quoted(program, size, fact.remedy[6:-1])]
        models |= _edit_model(program, call, reads_url=reads_url, reads_data=reads_data)
    # A name that is used for anything else too stands for the same as before.
    named = {value.id for value in models if isinstance(value, ast.Name)}
    read = [node for name in named for node in program.references[name] if isinstance(node.ctx, ast.Load)]
    kept = {node.id for node in read if node not in models}
    return edits | {value: made for value, made in models.items() if getattr(value, "id", None) not in kept}


def _is_dropped(call: ImageCall, keyword: ast.keyword) -> bool:
    fact = fact_of(call, keyword.arg or "", keyword.value)
    is_plain = isinstance(keyword.value, ast.Constant | ast.Name | ast.Attribute)
    return is_plain and fact is not None and fact.effort == "none"


def _edit_model(program: Program, call: ImageCall, *, reads_url: bool, reads_data: bool) -> dict[ast.expr, list[Edit]]:
    """Return the edits that have one of IONOS' models asked, where the answer's use is seen."""
    value = call.arguments.get("model")
    literal = program.only_value(value) if isinstance(value, ast.Name) else value
    fact = fact_of(call, "model", literal) if literal is not None else None
    if value is None or literal is None or fact not in (FACTS["model openai"], FACTS["model short"]):
        return {}
    edits = [_quoted(program, literal, DEFAULT_EDIT_MODEL if call.method == "edit" else DEFAULT_IMAGE_MODEL)]
    # A model of IONOS' gives a URL only where one is asked for.
    is_short = fact == FACTS["model short"]
    gave_url = is_short or (text_of(literal) or "").startswith("dall-e")
    if gave_url and "response_format" not in call.arguments and (reads_url or not reads_data):
        keyword = next((keyword for keyword in call.node.keywords if keyword.value is value), None)
        # A deployment's name, which is refused, goes in any case.
        if keyword is None or not (is_short or (reads_url and not reads_data)):
            return {}
        end = program.span(keyword)[1]
        edits.append(Edit(end, end, ', response_format="url"'))
    return {value: edits}


def _quoted(program: Program, literal: ast.expr, text: str) -> Edit:
    quote = program.written(literal)[-1]
    return Edit(*program.span(literal), f"{quote}{text}{quote}")
