"""Clients made with the factories: only the nodes of their calls and imports change, all others stay as they are.

libcst's own import visitors are not used: they import at the top of the module what a function imports, take the
comments and blank lines around an import with it, and put the new one behind the last instead of in its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import libcst as cst

from ionos_openai.cli.migrate.clients import FACTORIES
from ionos_openai.cli.migrate.findings import SourceError
from ionos_openai.cli.migrate.program import chain, imported_module, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ionos_openai.cli.migrate.clients import Client
    from ionos_openai.cli.migrate.program import Program

_Entry = TypeVar("_Entry", cst.Arg, cst.ImportAlias)
_Import = TypeVar("_Import", cst.Import, cst.ImportFrom)

_PACKAGE = "ionos_openai"
_IMPORTS = (cst.Import, cst.ImportFrom)
_NOTHING = cst.SimpleWhitespace("")
_Statements: TypeAlias = "cst.FlattenSentinel[cst.BaseSmallStatement]"
_Blanks: TypeAlias = cst.BaseParenthesizableWhitespace


def rewrite_clients(program: Program, clients: Sequence[Client]) -> str | None:
    """Make clients with the factories.

    Returns:
        The whole text; None where the names that it would need are taken.
    """
    chosen = {client.call: client for client in clients if client.problem is None}
    factories = {FACTORIES[client.name] for client in chosen.values()}
    names = {factory: name for factory in factories if (name := _free_name(program, factory))}
    if len(names) < len(factories):
        return None
    edited = program.module.visit(_Rewriting(program, chosen, names)).code if chosen else program.module.code
    try:
        parse(edited)
    except SourceError:
        return None
    return edited


def _free_name(program: Program, factory: str) -> str | None:
    """Return the name for a factory that stands for nothing else in the file."""
    ours = f"{_PACKAGE}.{factory}"
    statements: list[cst.Import | cst.ImportFrom] = [*program.all(cst.Import), *program.all(cst.ImportFrom)]
    imported = [names for statement in statements for names in _imports(statement)]
    for name in (factory, factory.replace("_client", "_ionos_client")):
        is_ours = all(full == ours for _, local, full in imported if local == name)
        if is_ours and all(program.imported(node) == {ours} for node in program.references(name)):
            return name
    return None


def _imports(statement: cst.Import | cst.ImportFrom) -> Iterator[tuple[cst.ImportAlias, str, str]]:
    """Yield what a statement imports, with its name in the file and its full one."""
    if not isinstance(statement.names, cst.ImportStar):
        module = f"{imported_module(statement)}." if isinstance(statement, cst.ImportFrom) else ""
        for alias in statement.names:
            local = alias.evaluated_alias or alias.evaluated_name.partition(".")[0]
            yield alias, local, f"{module}{alias.evaluated_name}"


def _is_unused(program: Program, name: str, used: set[cst.CSTNode]) -> bool:
    """Tell whether an import of `name` serves nothing but clients that are rewritten."""
    if program.name.rpartition("/")[2] == "__init__.py" or set(program.references(name)) - used:
        return False
    # A type, an entry of __all__ or the target of a patch may stand in a string.
    word = re.compile(rf"(?=.*\b{re.escape(name)}\b)[\w.\[\]'\"]+(?:\s*[|,]\s*[\w.\[\]'\"]+)*")
    strings = (node.raw_value for node in program.all(cst.SimpleString) if not program.is_docstring(node))
    return not any(word.fullmatch(text) and not text.startswith(("OPENAI", "http")) for text in strings)


class _Rewriting(cst.CSTTransformer):
    def __init__(self, program: Program, clients: Mapping[cst.Call, Client], names: Mapping[str, str]) -> None:
        super().__init__()
        self._program, self._clients, self._names = program, clients, names
        self._needed: dict[str, set[str]] = {}
        used: set[cst.CSTNode] = set()
        for client in clients.values():
            base = client.call.func
            while isinstance(base, cst.Attribute):
                base = base.value
            used.add(base)
            self._needed.setdefault(chain(base)[0], set()).add(FACTORIES[client.name])
        self._gone = {name for name in self._needed if _is_unused(program, name, used)}
        # What has been imported so far for all that follows in the file.
        self._brought: set[str] = set()

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:
        """Exchange calls, imports and their lines."""
        if isinstance(original_node, cst.Call) and (client := self._clients.get(original_node)):
            goes = [arg in client.dropped for arg in original_node.args]
            return _call(updated_node, self._names[FACTORIES[client.name]], goes)
        if isinstance(original_node, _IMPORTS):
            return self._import(original_node, updated_node)
        if isinstance(original_node, cst.SimpleStatementLine) and len(original_node.body) == 1:
            return _lines(updated_node) if isinstance(original_node.body[0], _IMPORTS) else updated_node
        return updated_node

    def _import(self, original: cst.Import | cst.ImportFrom, updated: _Import) -> _Statements:
        """Put an import of factories before a statement, and take from it what is not needed any more."""
        imported = list(_imports(original))
        found = {
            alias: local for alias, local, full in imported if local in self._needed and full in {"openai", *FACTORIES}
        }
        factories = {factory for local in found.values() for factory in self._needed[local]}
        names = [(factory, self._names[factory]) for factory in sorted(factories - self._brought)]
        new = [
            cst.ImportAlias(cst.Name(factory), None if name == factory else cst.AsName(cst.Name(name)))
            for factory, name in names
        ]
        line = self._program.parent(original)
        if line is not None and isinstance(self._program.parent(line), cst.Module):
            theirs = {local for _, local, full in imported if full.startswith(f"{_PACKAGE}.")}
            self._brought |= factories | {factory for factory, name in self._names.items() if name in theirs}
        gone = {alias for alias, local in found.items() if local in self._gone}
        statements: list[cst.BaseSmallStatement] = []
        if new:
            statements.append(cst.ImportFrom(module=cst.Name(_PACKAGE), names=new))
        if len(gone) < len(imported) or not imported:
            statements.append(_without_names(updated, [alias in gone for alias, _, _ in imported]) if gone else updated)
        else:
            # Another statement may share the line.
            statements = [(statements or [cst.Pass()])[0].with_changes(semicolon=updated.semicolon)]
        return cst.FlattenSentinel(statements)


def _lines(line: cst.SimpleStatementLine) -> cst.FlattenSentinel[cst.CSTNode]:
    """Give each statement a line of its own; of one that is gone, the comments stay."""
    first, *others = line.body
    end = line.trailing_whitespace
    if isinstance(first, cst.Pass):
        comment = [cst.EmptyLine(comment=end.comment, newline=end.newline)] if end.comment else []
        # They are no statements, but they write themselves wherever they stand.
        return cst.FlattenSentinel([*line.leading_lines, *comment])
    if not others:
        return cst.FlattenSentinel([line])
    new = line.with_changes(body=[first], trailing_whitespace=cst.TrailingWhitespace(newline=end.newline))
    return cst.FlattenSentinel([new, line.with_changes(body=others, leading_lines=[])])


def _call(call: cst.Call, factory: str, goes: Sequence[bool]) -> cst.Call:
    """Return a call of a factory with some of the arguments of another call."""
    call = call.with_changes(func=cst.Name(factory, lpar=call.func.lpar, rpar=call.func.rpar))
    if not any(goes):
        return call
    before, args, after = _without(call.whitespace_before_args, call.args, call.args[-1].whitespace_after_arg, goes)
    if args:
        args[-1] = args[-1].with_changes(whitespace_after_arg=after)
    elif "#" not in cst.Module([]).code_for_node(before):
        before = _NOTHING
    return call.with_changes(whitespace_before_args=before, args=args)


def _without_names(statement: _Import, goes: Sequence[bool]) -> _Import:
    """Return an import without some of its names."""
    if isinstance(statement.names, cst.ImportStar):
        return statement
    left, right = (statement.lpar, statement.rpar) if isinstance(statement, cst.ImportFrom) else (None, None)
    before: _Blanks = left.whitespace_after if left else _NOTHING
    after: _Blanks = right.whitespace_before if right else _NOTHING
    before, names, after = _without(before, statement.names, after, goes)
    if left and right:
        statement = statement.with_changes(
            lpar=left.with_changes(whitespace_after=before), rpar=right.with_changes(whitespace_before=after)
        )
    return statement.with_changes(names=names)


def _without(
    before: _Blanks, entries: Sequence[_Entry], after: _Blanks, goes: Sequence[bool]
) -> tuple[_Blanks, list[_Entry], _Blanks]:
    """Remove the entries that go from a list in parentheses, lines and comments of the others untouched.

    `before` stands behind the opening parenthesis, `after` before the closing one, behind an entry without a comma;
    the same three come back.
    """
    kept: list[_Entry] = []
    gaps = [before]
    for entry, is_gone in zip(entries, goes, strict=True):
        gap = entry.comma.whitespace_after if isinstance(entry.comma, cst.Comma) else after
        if is_gone:
            gaps[-1] = _joined(gaps[-1], gap, is_first=not kept, is_last=entry is entries[-1])
        else:
            kept.append(entry)
            gaps.append(gap)
    for index, entry in enumerate(kept):
        if isinstance(entry.comma, cst.Comma):
            kept[index] = entry.with_changes(comma=entry.comma.with_changes(whitespace_after=gaps[index + 1]))
    if goes[-1]:
        after = _NOTHING
        if kept and isinstance(gaps[-1], cst.SimpleWhitespace):
            after = gaps[-1]
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return gaps[0], kept, after


def _joined(first: _Blanks, second: _Blanks, *, is_first: bool, is_last: bool) -> _Blanks:
    """Return what stays of the blanks around an entry that goes; a comment behind it in its line goes too."""
    if not isinstance(first, cst.ParenthesizedWhitespace):
        return second if is_last or (isinstance(second, cst.ParenthesizedWhitespace) and not is_first) else first
    if not isinstance(second, cst.ParenthesizedWhitespace):
        return first
    return first.with_changes(
        empty_lines=[*first.empty_lines, *second.empty_lines], indent=second.indent, last_line=second.last_line
    )
