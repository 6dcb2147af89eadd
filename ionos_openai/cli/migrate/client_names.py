"""The names that a client goes by in a file, and where they lead."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import libcst as cst

from ionos_openai.cli.migrate.program import chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ionos_openai.cli.migrate.program import Program

# What is called there with a client makes pictures, or calls the file's own functions with it.
_HARMLESS = frozenset({"openai", "ionos_openai"}) | sys.stdlib_module_names


class ClientNames:
    """What a file calls its clients.

    Attributes:
        by_call: For each call that makes one, its names, attributes, and "functions()" that return it.
    """

    def __init__(self, program: Program, made: Iterable[cst.Call]) -> None:
        """Follow the clients that some calls make."""
        self._bound: defaultdict[cst.CSTNode | str, set[str]] = defaultdict(set)
        for name, value in _bindings(program):
            if name:
                self._bound[value].add(name)
                self._bound[chain(value)[-1]].add(name)
        self.by_call = {call: self._follow(program, call) for call in made}
        self._all = set().union(*self.by_call.values())
        holders: list[cst.Arg | cst.Element | cst.DictElement] = [*program.all(cst.Arg), *program.all(cst.Element)]
        self._handed_around = {chain(holder.value)[-1] for holder in [*holders, *program.all(cst.DictElement)]}
        self._functions = {function.name.value for function in program.all(cst.FunctionDef)}
        self._handed_on = _handed_on(program)

    def _follow(self, program: Program, call: cst.Call) -> set[str]:
        names = {parent.name.value for parent in program.ancestors(call) if isinstance(parent, cst.Param)}
        if isinstance(program.parent(call), cst.Attribute):
            names.add(chain(call)[-1])
        reached: set[cst.CSTNode | str] = {call, *names}
        # A name may be set from a name that is found later.
        for _ in range(4):
            reached = {name for value in reached for name in self._bound.get(value, ()) if name not in names}
            names |= {name for name in reached if isinstance(name, str)}
        return names

    def of_others(self, call: cst.Call) -> set[str]:
        """Return the names of the other clients alone; whatever has none of them may be this one, unseen."""
        return self._all - self.by_call[call]

    def may_be_elsewhere(self, call: cst.Call) -> bool:
        """Tell whether a client may go by further names: it has none that is known, or is handed around."""
        return not self.by_call[call] or not self.by_call[call].isdisjoint(self._handed_around)

    def line_handed_on(self, call: cst.Call) -> int | None:
        """Return the line in which a client is given to code of another file, None where it is not."""
        things: list[cst.CSTNode | str] = [call]
        things += [name for name in self.by_call[call] - self._functions if not name.endswith("()")]
        places = [self._handed_on[thing] for thing in things if thing in self._handed_on]
        return min(places)[1] if places else None


def _bindings(program: Program) -> Iterator[tuple[str, cst.BaseExpression]]:
    """Yield each name with what it is set to; a function's, as a property and as a call, with what it returns."""
    for target, value in program.assignments:
        yield chain(target)[-1], value
    for opened in program.all(cst.WithItem):
        if opened.asname:
            yield chain(opened.asname.name)[-1], opened.item
    returns: list[cst.Return | cst.Yield] = [*program.all(cst.Return), *program.all(cst.Yield)]
    for given in returns:
        function = program.function_of(given)
        if function is not None and isinstance(given.value, cst.BaseExpression):
            yield function.name.value, given.value
            yield f"{function.name.value}()", given.value


def _handed_on(program: Program) -> dict[cst.CSTNode | str, tuple[int, int]]:
    """Return what code of other files is given, itself and by its name, with its first place and that place's line."""
    places: dict[cst.CSTNode | str, tuple[int, int]] = {}
    for index, arg in enumerate(program.all(cst.Arg)):
        outer = program.parent(arg)
        if isinstance(outer, cst.Call):
            roots = {name.partition(".")[0] for name in program.imported(outer.func)}
            if roots - _HARMLESS:
                for thing in (arg.value, chain(arg.value)[-1]):
                    places.setdefault(thing, (index, program.line(outer)))
    return places
