"""The names that a client goes by in a file, and where they lead."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate.program import FUNCTIONS, arguments, chain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ionos_openai.cli.migrate.program import Program

# What is called there with a client makes pictures, or calls the file's own functions with it.
_HARMLESS = frozenset({"openai", "ionos_openai"}) | sys.stdlib_module_names


class ClientNames:
    """What a file calls its clients.

    Attributes:
        by_call: For each call that makes one, its names, attributes, and "functions()" that return it.
        all: The names of all of them.
    """

    def __init__(self, program: Program, made: Collection[ast.Call]) -> None:
        """Follow the clients that some calls make."""
        self._program, self._made = program, made
        self._bound: defaultdict[ast.AST | str, set[str]] = defaultdict(set)
        self._values: defaultdict[str, list[ast.expr]] = defaultdict(list)
        self._attributes = {
            (owner.name, chain(target)[1])
            for target, _ in program.assignments
            if chain(target)[0] == "self" and (owner := program.outer(target, ast.ClassDef))
        }
        for name, value in _bindings(program, self.label):
            if name:
                self._bound[value].add(name)
                self._bound[self.label(value)].add(name)
                self._values[name].append(value)
        defaults = {value: name for name, value in program.parameters if value is not None}
        self.by_call = {call: self._follow(call, defaults) for call in made}
        self.all = set().union(*self.by_call.values())
        self._handed_around = set(_handed_around(program)) if made else set()
        functions = {function.name for function in program.all(ast.FunctionDef, ast.AsyncFunctionDef)}
        self._lines = {thing: line for thing, line in _handed_on(program) if made and thing not in functions}

    def _follow(self, call: ast.Call, defaults: dict[ast.expr, str]) -> set[str]:
        self._program.check_time()
        chained = [call, *self._program.ancestors(call)]
        names = {defaults[node] for node in chained if isinstance(node, ast.expr) and node in defaults}
        if isinstance(self._program.parent(call), ast.Attribute):
            names.add(self.label(call))
        reached: set[ast.AST | str] = {call, *names}
        # A name may be set from a name that is found later.
        for _ in range(4):
            reached = {name for value in reached for name in self._bound.get(value, ()) if name not in names}
            names |= {name for name in reached if isinstance(name, str)}
        return names

    def label(self, node: ast.AST) -> str:
        """Return the last name in an expression; where its function or its class sets it, with that place."""
        parts = chain(node)
        if isinstance(node, ast.Call) and node in self._made:
            return f"{parts[-1]}@{node.lineno}:{node.col_offset}"
        if isinstance(node, ast.Name):
            line = self._program.bound(node).line
            return f"{parts[0]}@{line}" if line else parts[0]
        if parts[0] == "self" and len(parts) == 2 and (owner := self._program.outer(node, ast.ClassDef)):
            return f"{owner.name}.{parts[1]}" if (owner.name, parts[1]) in self._attributes else parts[1]
        return parts[-1]

    def full_names(self, node: ast.expr, hops: int = 2) -> set[str]:
        """Return the full names of what is imported that a client's expression may be, also by a name in between."""
        found = {name for name in self._program.imported(node) if name.partition(".")[0] not in _HARMLESS}
        values = self._values[self.label(node)] if hops and not found else []
        return found.union(*(self.full_names(value, hops - 1) for value in values[:9]))

    def may_be_elsewhere(self, call: ast.Call) -> bool:
        """Tell whether a client may go by further names: it has none that is known, or is handed around."""
        return not self.by_call[call] or not self.by_call[call].isdisjoint(self._handed_around)

    def line_handed_on(self, call: ast.Call) -> int | None:
        """Return the line in which a client is given to code of another file, None where it is not."""
        names = [name for name in self.by_call[call] if not name.endswith("()")]
        return min((self._lines[thing] for thing in [call, *names] if thing in self._lines), default=None)


def _bindings(program: Program, label: Callable[[ast.AST], str]) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name with what it is set to; a function's, as a property and as a call, with what it returns."""
    pairs = [(opened.optional_vars, opened.context_expr) for opened in program.all(ast.withitem)]
    for target, value in [*program.assignments, *pairs]:
        # `x = x or OpenAI()`
        for side in (value, *(value.values if isinstance(value, ast.BoolOp) else ())):
            if target is not None:
                yield from ((name, side) for name in {chain(target)[-1], label(target)})
    for given in program.all(ast.Return, ast.Yield):
        function = program.outer(given, FUNCTIONS)
        if function is not None and given.value is not None:
            yield function.name, given.value
            yield f"{function.name}()", given.value


def _handed_around(program: Program) -> Iterator[str]:
    values = [value for call in program.all(ast.Call) for _, value in arguments(call)]
    values += [value for holder in program.all(ast.List, ast.Tuple) for value in holder.elts]
    values += [value for holder in program.all(ast.Set) for value in holder.elts]
    values += [value for entries in program.all(ast.Dict) for value in entries.values]
    yield from (chain(value)[-1] for value in values)


def _handed_on(program: Program) -> Iterator[tuple[ast.AST | str, int]]:
    """Yield what code of other files is given, itself and by its name, with the line; the first place comes last."""
    for call in reversed(program.all(ast.Call)):
        if any(name.partition(".")[0] not in _HARMLESS for name in program.imported(call.func)):
            for _, value in arguments(call):
                yield value, program.line(call)
                yield chain(value)[-1], program.line(call)
