"""The names that a client goes by in a file, and where they lead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import libcst as cst

from ionos_openai.cli.migrate.keys import assignments
from ionos_openai.cli.migrate.program import chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ionos_openai.cli.migrate.program import Program

# What is called there with a client makes pictures, or calls the file's own functions with it.
_HARMLESS = frozenset({"openai", "ionos_openai"}) | sys.stdlib_module_names


def names_of(program: Program, made: Iterable[cst.Call]) -> dict[cst.Call, set[str]]:
    """Return for each call that makes a client what the file calls it: names, attributes, "functions()"."""
    bound = list(_bindings(program))
    return {call: _names(program, call, bound) for call in made}


def _names(program: Program, call: cst.Call, bound: list[tuple[str, cst.BaseExpression]]) -> set[str]:
    names = {one.name.value for one in program.ancestors(call) if isinstance(one, cst.Param)}
    if isinstance(program.parent(call), cst.Attribute):
        names.add(chain(call)[-1])
    # A name may be set from a name that is found later.
    for _ in range(4):
        names |= {name for name, value in bound if name and (value is call or chain(value)[-1] in names)}
    return names


def _bindings(program: Program) -> Iterator[tuple[str, cst.BaseExpression]]:
    """Yield each name with what it is set to; a function's, as a property and as a call, with what it returns."""
    for target, value in assignments(program):
        yield chain(target)[-1], value
    for opened in program.all(cst.WithItem):
        if opened.asname:
            yield chain(opened.asname.name)[-1], opened.item
    returns: list[cst.Return | cst.Yield] = [*program.all(cst.Return), *program.all(cst.Yield)]
    for given in returns:
        function = next((one for one in program.ancestors(given) if isinstance(one, cst.FunctionDef)), None)
        if function is not None and isinstance(given.value, cst.BaseExpression):
            yield function.name.value, given.value
            yield f"{function.name.value}()", given.value


def may_be_elsewhere(program: Program, names: set[str]) -> bool:
    """Tell whether a client may go by further names in the file: it has none that is known, or is handed around."""
    holders: list[cst.Arg | cst.Element | cst.DictElement] = [*program.all(cst.Arg), *program.all(cst.Element)]
    holders += program.all(cst.DictElement)
    return not names or any(chain(one.value)[-1] in names for one in holders)


def line_handed_on(program: Program, call: cst.Call, names: set[str]) -> int | None:
    """Return the line in which a client is given to code of another file, None where it is not."""
    functions = {one.name.value for one in program.all(cst.FunctionDef)}
    things = {name for name in names - functions if not name.endswith("()")}
    for arg in program.all(cst.Arg):
        outer = program.parent(arg)
        if isinstance(outer, cst.Call) and (arg.value is call or chain(arg.value)[-1] in things):
            roots = {name.partition(".")[0] for name in program.imported(outer.func)}
            if roots - _HARMLESS:
                return program.line(outer)
    return None
