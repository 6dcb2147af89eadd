"""A Python source, parsed: its nodes by kind, where each stands, what names are set to, and where they come from."""

from __future__ import annotations

import ast
import bisect
import contextlib
import functools
import re
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, overload

from ionos_openai.cli.migrate.findings import SourceError

_Node = TypeVar("_Node", bound=ast.AST)
_Other = TypeVar("_Other", bound=ast.AST)
Import: TypeAlias = ast.Import | ast.ImportFrom
FUNCTIONS: tuple[type[ast.FunctionDef | ast.AsyncFunctionDef], ...] = (ast.FunctionDef, ast.AsyncFunctionDef)
LONGEST = 5.0
"""How long a file may take, in seconds of the processor."""

# Deeper nesting than anybody writes would end the functions here that call themselves.
_DEEPEST = 200
# Methods that return the same client, set up otherwise.
_SAME_CLIENT = frozenset({"with_options()", "copy()"})
_SILENT = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
_SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (*FUNCTIONS, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)


class _Scope:
    """A module, class, function or comprehension, and what its names are bound by."""

    def __init__(self, node: ast.AST, outer: _Scope | None) -> None:
        self.outer, self.is_class = outer, isinstance(node, ast.ClassDef)
        self.names: defaultdict[str, list[ast.AST]] = defaultdict(list)
        self.globals: set[str] = set()

    def home(self, name: str) -> _Scope | None:
        """Return the scope that binds a name which is used here."""
        if name in self.names and not (name in self.globals and self.outer):
            return self
        scope = self.outer
        while scope and (name not in scope.names or scope.is_class or (name in self.globals and scope.outer)):
            scope = scope.outer
        return scope

    def bind(self, name: str, node: ast.AST) -> None:
        """Note that a node binds a name here, or in the module where the name is global."""
        scope = self
        while name in self.globals and scope.outer:
            scope = scope.outer
        scope.names[name].append(node)


class Bound(NamedTuple):
    """What binds a name."""

    nodes: Sequence[ast.AST]
    names: frozenset[str]  # the full names of the imports among them
    line: int | None  # the first line that sets it, where nothing but assignments and loops do


class Program:
    """A parsed source text, of the file that is called `name`."""

    def __init__(self, text: str, name: str, cells: Sequence[tuple[int, int]] = ()) -> None:
        """Parse `text`, or raise `SourceError`; of the lines of a notebook, `cells` are the cells and their lines."""
        self._started = time.process_time()
        self.text, self.name, self._cells = text, name, cells
        self.tree = parse(text)
        # Python counts bytes.
        data = text.encode()
        self._starts = [0, *(found.end() for found in re.finditer(rb"\r\n?|\n", data))]
        self._inside_letters = [found.start() for found in re.finditer(rb"[\x80-\xbf]", data)]
        self._nodes: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._parents: dict[ast.AST, ast.AST] = {}
        self._scopes: dict[ast.AST, _Scope] = {}
        # Where each name is used or set, but by its imports.
        self.references: defaultdict[str, list[ast.Name]] = defaultdict(list)
        self._bound: dict[tuple[_Scope | None, str], Bound] = {}
        self._read()

    def _read(self) -> None:
        waiting: list[tuple[ast.AST, _Scope, int]] = [(self.tree, _Scope(self.tree, None), 1)]
        while waiting:
            node, scope, depth = waiting.pop()
            if depth > _DEEPEST:
                raise SourceError("it is too deeply nested")
            self._nodes[type(node)].append(node)
            self._bind(node, scope)
            inner = _Scope(node, scope) if isinstance(node, _SCOPES) else scope
            outside = [*node.decorator_list, node.returns] if isinstance(node, FUNCTIONS) else ()
            children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, _SILENT)]
            self._parents.update(dict.fromkeys(children, node))
            waiting += [(child, scope if child in outside else inner, depth + 1) for child in reversed(children)]

    def _bind(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Name):
            self.references[node.id].append(node)
            self._scopes[node] = scope
            if not isinstance(node.ctx, ast.Load):
                scope.bind(node.id, node)
        elif isinstance(node, ast.alias):
            scope.bind(local_name(node), node)
        elif isinstance(node, ast.arg):
            scope.names[node.arg].append(node)
        elif isinstance(node, ast.Global):
            scope.globals.update(node.names)
        elif isinstance(node, _NAMED) and node.name:
            scope.bind(node.name, node)

    def check_time(self) -> None:
        """Give up on a file that takes too long, with `SourceError`."""
        if time.process_time() - self._started > LONGEST:
            raise SourceError(f"it takes longer than {LONGEST:g} s to look through: split it")

    @overload
    def all(self, kind: type[_Node], /) -> list[_Node]: ...

    @overload
    def all(self, kind: type[_Node], other: type[_Other], /) -> list[_Node | _Other]: ...

    def all(self, *kinds: type[ast.AST]) -> list[Any]:
        """Return every node of exactly these kinds; those of one kind in the order of the source."""
        self.check_time()
        return [node for kind in kinds for node in self._nodes[kind]]

    @functools.cached_property
    def imports(self) -> list[Import]:
        """Every statement that imports, in the order of the source."""
        return sorted(self.all(ast.Import, ast.ImportFrom), key=lambda found: (found.lineno, found.col_offset))

    def line(self, node: ast.AST) -> int:
        """Return the line on which a node begins, from 1."""
        return int(getattr(node, "lineno", 0))

    def where(self, line: int) -> str:
        """Return how a line is called: "line 3", in a notebook "cell 2 line 1"."""
        return "cell {} line {}".format(*self._cells[line - 1]) if self._cells else f"line {line}"

    def span(self, node: ast.expr | ast.stmt | ast.alias | ast.keyword) -> tuple[int, int]:
        """Return where in the text a node begins and ends, in characters."""
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno or 0, node.end_col_offset or 0)

    def _offset(self, line: int, column: int) -> int:
        place = self._starts[line - 1] + column
        return place - bisect.bisect_left(self._inside_letters, place)

    def written(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        """Return a node as the source has it."""
        return self.text[slice(*self.span(node))]

    def parent(self, node: ast.AST) -> ast.AST | None:
        """Return what a node is part of."""
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node is part of, from the inside out."""
        parent = self.parent(node)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    def outer(self, node: ast.AST, kind: type[_Node] | tuple[type[_Node], ...]) -> _Node | None:
        """Return the innermost node of a kind that a node is part of."""
        return next((parent for parent in self.ancestors(node) if isinstance(parent, kind)), None)

    def bound(self, node: ast.AST) -> Bound:
        """Return what binds the name that an expression begins with, but for `= None` where its import failed."""
        self.check_time()
        while isinstance(node, ast.Attribute | ast.Call):
            node = node.value if isinstance(node, ast.Attribute) else node.func
        if not isinstance(node, ast.Name):
            return Bound((), frozenset(), None)
        home = self._scopes[node].home(node.id)
        if (home, node.id) not in self._bound:
            every = home.names[node.id] if home else []
            nodes = [binding for binding in every if not self._is_fallback(binding)] or every
            names = frozenset(self.full_name(binding) for binding in nodes if isinstance(binding, ast.alias))
            is_set = nodes and all(isinstance(binding, ast.Name) for binding in nodes)
            self._bound[home, node.id] = Bound(nodes, names, self.line(nodes[0]) if is_set else None)
        return self._bound[home, node.id]

    def _is_fallback(self, binding: ast.AST) -> bool:
        parent = self.parent(binding)
        is_none = isinstance(parent, ast.Assign) and isinstance(parent.value, ast.Constant) and not parent.value.value
        return is_none and self.outer(binding, ast.ExceptHandler) is not None

    def imported(self, node: ast.AST) -> set[str]:
        """Return the full names that an expression may have through imports, such as {"openai.OpenAI"}."""
        names = self.bound(node).names
        rest = "".join(f".{part}" for part in chain(node)[1:]).replace("()", "") if names else ""
        return {f"{name}{rest}" for name in names}

    def full_name(self, alias: ast.alias) -> str:
        """Return what an import binds, with a dot for each step up."""
        statement = self.parent(alias)
        if isinstance(statement, ast.ImportFrom):
            module = f"{statement.module}." if statement.module else ""
            return f"{'.' * statement.level}{module}{alias.name}"
        return alias.name if alias.asname else local_name(alias)

    def imports_from(self, *packages: str) -> bool:
        """Tell whether the file imports one of some packages, or from one."""
        names = {self.full_name(alias) for statement in self.imports for alias in statement.names}
        return any(name.partition(".")[0] in packages for name in names)

    @functools.cached_property
    def assignments(self) -> list[tuple[ast.expr, ast.expr]]:
        """Each target that is set in the file, with its value."""
        found = [(target, plain.value) for plain in self.all(ast.Assign) for target in plain.targets]
        others = self.all(ast.AnnAssign, ast.NamedExpr)
        return found + [(other.target, other.value) for other in others if other.value is not None]

    @functools.cached_property
    def parameters(self) -> list[tuple[str, ast.expr | None]]:
        """Each parameter of the file's functions, with its default."""
        found: list[tuple[str, ast.expr | None]] = []
        for given in self.all(ast.arguments):
            plain = [*given.posonlyargs, *given.args]
            defaults = [*[None] * (len(plain) - len(given.defaults)), *given.defaults, *given.kw_defaults]
            found += zip([arg.arg for arg in [*plain, *given.kwonlyargs]], defaults, strict=True)
            found += [(arg.arg, None) for arg in (given.vararg, given.kwarg) if arg]
        return found

    @functools.cached_property
    def defaults(self) -> dict[str, list[ast.expr]]:
        """What each name may be, whatever it is an attribute of: the values it is set to, the parameters' defaults."""
        found: defaultdict[str, list[ast.expr]] = defaultdict(list)
        for name, value in [*((chain(target)[-1], value) for target, value in self.assignments), *self.parameters]:
            found[name] += [value] if value else []
        return found

    @functools.cached_property
    def _values(self) -> dict[tuple[str, ...], list[ast.expr | None]]:
        """What each name is set to; None for each other way in which it is bound."""
        found: defaultdict[tuple[str, ...], list[ast.expr | None]] = defaultdict(list)
        for target, value in self.assignments:
            found[tuple(chain(target))].append(value)
        others = [loop.target for loop in [*self.loops, *self.all(ast.AugAssign)]]
        others += [opened.optional_vars for opened in self.all(ast.withitem) if opened.optional_vars]
        names = [name for name, _ in self.parameters] + [caught.name or "" for caught in self.all(ast.ExceptHandler)]
        for parts in [*map(chain, others), *([name] for name in names)]:
            found[tuple(parts)].append(None)
        return found

    @property
    def loops(self) -> list[ast.For | ast.AsyncFor | ast.comprehension]:
        """Every loop, those of comprehensions among them."""
        return [*self.all(ast.For, ast.AsyncFor), *self.all(ast.comprehension)]

    def only_value(self, node: ast.expr) -> ast.expr | None:
        """Return what a name was set to, where the file sets it once and in no other way."""
        parts = chain(node) if isinstance(node, ast.Name | ast.Attribute) else [""]
        values = self._values.get(tuple(parts), [])
        return values[0] if len(values) == 1 and all(parts) and not self.imported(node) else None

    @functools.cached_property
    def texts(self) -> list[tuple[ast.Constant, str]]:
        """Each string literal, and each piece of text in an f-string; docstrings left out."""
        constants = [(node, node.value) for node in self.all(ast.Constant) if isinstance(node.value, str)]
        return [(node, text) for node, text in constants if not isinstance(self.parent(node), ast.Expr)]


def local_name(alias: ast.alias) -> str:
    """Return the name that an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def chain(node: ast.AST) -> list[str]:
    """Return the parts of `self.client.images.generate`; a call within shows as "name()", anything else as ""."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*chain(node.value), node.attr]
    if isinstance(node, ast.Call):
        parts = chain(node.func)
        parts[-1] += "()"
        return parts[:-1] if parts[-1] in _SAME_CLIENT and len(parts) > 1 else parts
    return chain(node.value) if isinstance(node, ast.Await) else [""]


def owner(node: ast.expr, parts: Sequence[str]) -> ast.expr:
    """Return what has the first `parts` of an expression's, with `with_options()` and the like taken off."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Await):
        inner = node.func if isinstance(node, ast.Call) else node.value
        if chain(inner)[: len(parts)] != parts:
            break
        node = inner
    return node


def arguments(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a call is given, each with its keyword: "" by position, "*" and "**" for what is spread out."""
    for value in call.args:
        yield ("*", value.value) if isinstance(value, ast.Starred) else ("", value)
    for keyword in call.keywords:
        yield keyword.arg or "**", keyword.value


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a string literal, else None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def parses(text: str) -> bool:
    """Tell whether a text is Python."""
    with contextlib.suppress(SourceError):
        return bool(parse(text))
    return False


def parse(text: str) -> ast.Module:
    """Read a text as Python does; `SourceError` where it is none that Python itself can read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise SourceError(f"it is not valid Python{where} ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError):
        raise SourceError("it is not Python that can be read, or too deeply nested") from None
