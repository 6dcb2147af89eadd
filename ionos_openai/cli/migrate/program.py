"""A Python source, parsed: its nodes by kind, where each stands, what names are set to, and where they come from."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias, TypeVar

from ionos_openai.cli.migrate.findings import SourceError

_Node = TypeVar("_Node", bound=ast.AST)
Import: TypeAlias = ast.Import | ast.ImportFrom
"""A statement that imports."""

# Deeper nesting than anybody writes would end the functions here that call themselves.
_DEEPEST = 200
# Methods that return the same client, set up otherwise.
_SAME_CLIENT = frozenset({"with_options()", "copy()"})
_SILENT = (ast.expr_context, ast.boolop, ast.operator, ast.unaryop, ast.cmpop)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LITERAL = re.compile(r"""(?s)[a-zA-Z]{0,2}('''|\"\"\"|'|\")((?:\\.|(?!\1).)*)\1""")


class _Scope:
    """A module, class, function or comprehension, and what its names are bound by."""

    __slots__ = ("globals", "is_class", "names", "outer")

    def __init__(self, node: ast.AST, outer: _Scope | None) -> None:
        self.outer, self.is_class = outer, isinstance(node, ast.ClassDef)
        self.names: defaultdict[str, list[ast.AST]] = defaultdict(list)
        self.globals: set[str] = set()

    def find(self, name: str) -> Sequence[ast.AST]:
        """Return what binds a name that is used here."""
        scope: _Scope | None = self
        is_global = name in self.globals
        while scope is not None:
            if name in scope.names and (scope is self or not scope.is_class) and not (is_global and scope.outer):
                return scope.names[name]
            scope = scope.outer
        return ()


class Program:
    """A parsed source text, of the file that is called `name`."""

    def __init__(self, text: str, name: str, cells: Sequence[tuple[int, int]] = ()) -> None:
        """Parse `text`; of the lines of a notebook, `cells` are the cells and their lines.

        Raises:
            SourceError: It is not Python, or nested too deeply.
        """
        self.text, self.name, self._cells = text, name, cells
        self.tree = parse(text)
        lines = _LINE.findall(text)
        self._starts = [0, *itertools.accumulate(map(len, lines))]
        self._nodes: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._parents: dict[ast.AST, ast.AST] = {}
        self._scopes: dict[ast.AST, _Scope] = {}
        self._by_name: defaultdict[str, list[ast.Name]] = defaultdict(list)
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
            children = [child for child in ast.iter_child_nodes(node) if not isinstance(child, _SILENT)]
            self._parents.update(dict.fromkeys(children, node))
            waiting += [(child, inner, depth + 1) for child in reversed(children)]

    def _bind(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Name):
            self._by_name[node.id].append(node)
            self._scopes[node] = scope
            if not isinstance(node.ctx, ast.Load):
                self._home(scope, node.id).names[node.id].append(node)
        elif isinstance(node, ast.alias):
            local = local_name(node)
            self._home(scope, local).names[local].append(node)
        elif isinstance(node, ast.arg):
            scope.names[node.arg].append(node)
        elif isinstance(node, ast.Global):
            scope.globals.update(node.names)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            self._home(scope, node.name).names[node.name].append(node)

    @staticmethod
    def _home(scope: _Scope, name: str) -> _Scope:
        if name in scope.globals:
            while scope.outer is not None:
                scope = scope.outer
        return scope

    def all(self, kind: type[_Node]) -> list[_Node]:
        """Return every node of exactly this kind, in the order of the source."""
        return self._nodes[kind]  # type: ignore[return-value]  # the key is the nodes' own type

    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Return every function and method."""
        return [*self.all(ast.FunctionDef), *self.all(ast.AsyncFunctionDef)]

    def imports_of(self) -> list[Import]:
        """Return every statement that imports, in the order of the source."""
        statements: list[Import] = [*self.all(ast.Import), *self.all(ast.ImportFrom)]
        return sorted(statements, key=lambda statement: (statement.lineno, statement.col_offset))

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
        start = self._starts[line - 1]
        text = self.text[start : self._starts[line]]
        # Python counts bytes.
        return start + (column if text.isascii() else len(text.encode()[:column].decode(errors="replace")))

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

    def function_of(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """Return the innermost function that a node is part of."""
        return next((parent for parent in self.ancestors(node) if isinstance(parent, _FUNCTIONS)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """Return the innermost class that a node is part of."""
        return next((parent for parent in self.ancestors(node) if isinstance(parent, ast.ClassDef)), None)

    def bindings(self, node: ast.AST) -> Sequence[ast.AST]:
        """Return what binds the name that an expression begins with, but for `= None` where its import failed."""
        root = _root(node)
        found = self._scopes[root].find(root.id) if isinstance(root, ast.Name) else ()
        return [binding for binding in found if not self._is_fallback(binding)] or found

    def _is_fallback(self, binding: ast.AST) -> bool:
        parent = self.parent(binding)
        is_none = isinstance(parent, ast.Assign) and isinstance(parent.value, ast.Constant) and not parent.value.value
        return is_none and any(isinstance(outer, ast.ExceptHandler) for outer in self.ancestors(binding))

    def imported(self, node: ast.AST) -> set[str]:
        """Return the full names that an expression may have through imports, such as {"openai.OpenAI"}."""
        aliases = [binding for binding in self.bindings(node) if isinstance(binding, ast.alias)]
        rest = "".join(f".{part.removesuffix('()')}" for part in _parts(node)[1:]) if aliases else ""
        return {f"{self.full_name(alias)}{rest}" for alias in aliases}

    def full_name(self, alias: ast.alias) -> str:
        """Return what an import binds, with a dot for each step up."""
        statement = self.parent(alias)
        if isinstance(statement, ast.ImportFrom):
            module = f"{statement.module}." if statement.module else ""
            return f"{'.' * statement.level}{module}{alias.name}"
        return alias.name if alias.asname else local_name(alias)

    def imports(self, *packages: str) -> bool:
        """Tell whether the file imports one of some packages, or from one."""
        names = [statement.module or "" for statement in self.all(ast.ImportFrom) if not statement.level]
        names += [alias.name for statement in self.all(ast.Import) for alias in statement.names]
        return any(name.partition(".")[0] in packages for name in names)

    def is_one_thing(self, node: ast.AST) -> bool:
        """Tell whether an expression's name was bound in one way only."""
        kinds = {self.full_name(found) if isinstance(found, ast.alias) else None for found in self.bindings(node)}
        return len(kinds) == 1

    def references(self, name: str) -> list[ast.Name]:
        """Return where a name is used or set, but by its imports."""
        return self._by_name[name]

    def is_docstring(self, node: ast.AST) -> bool:
        """Tell whether a string stands alone as a statement."""
        return isinstance(self.parent(node), ast.Expr)

    @functools.cached_property
    def assignments(self) -> list[tuple[ast.expr, ast.expr]]:
        """Each target that is set in the file, with its value."""
        found = [(target, plain.value) for plain in self.all(ast.Assign) for target in plain.targets]
        found += [(typed.target, typed.value) for typed in self.all(ast.AnnAssign) if typed.value is not None]
        return found + [(walrus.target, walrus.value) for walrus in self.all(ast.NamedExpr)]

    @functools.cached_property
    def parameters(self) -> list[tuple[str, ast.expr | None]]:
        """Each parameter of the file's functions, with its default."""
        return [pair for given in self.all(ast.arguments) for pair in defaults_of(given)]

    @functools.cached_property
    def defaults(self) -> dict[str, list[ast.expr]]:
        """What each name may be, whatever it is an attribute of: the values it is set to, the parameters' defaults."""
        found: defaultdict[str, list[ast.expr]] = defaultdict(list)
        for target, value in self.assignments:
            found[chain(target)[-1]].append(value)
        for name, default in self.parameters:
            found[name] += [default] if default else []
        return found

    @functools.cached_property
    def _values(self) -> dict[tuple[str, ...], list[ast.expr | None]]:
        """What each name is set to; None for each other way in which it is bound."""
        found: defaultdict[tuple[str, ...], list[ast.expr | None]] = defaultdict(list)
        for target, value in self.assignments:
            found[tuple(chain(target))].append(value)
        others = [loop.target for loop in self.loops()] + [changed.target for changed in self.all(ast.AugAssign)]
        others += [opened.optional_vars for opened in self.all(ast.withitem) if opened.optional_vars]
        names = [name for name, _ in self.parameters] + [caught.name or "" for caught in self.all(ast.ExceptHandler)]
        for parts in [*map(chain, others), *([name] for name in names)]:
            found[tuple(parts)].append(None)
        return found

    def loops(self) -> list[ast.For | ast.AsyncFor | ast.comprehension]:
        """Return every loop, those of comprehensions among them."""
        return [*self.all(ast.For), *self.all(ast.AsyncFor), *self.all(ast.comprehension)]

    def only_value(self, node: ast.expr) -> ast.expr | None:
        """Return what a name was set to, where the file sets it once and in no other way."""
        parts = chain(node) if isinstance(node, ast.Name | ast.Attribute) else [""]
        if not all(parts) or self.imported(node):
            return None
        values = self._values.get(tuple(parts), [])
        return values[0] if len(values) == 1 else None

    @functools.cached_property
    def texts(self) -> list[tuple[ast.Constant, str]]:
        """Each string literal, and each piece of text in an f-string; docstrings left out."""
        constants = [node for node in self.all(ast.Constant) if not self.is_docstring(node)]
        return [(node, node.value) for node in constants if isinstance(node.value, str)]

    def pieces(self, node: ast.AST) -> list[str]:
        """Return the text of each string literal in an expression, as the source has it."""
        if not isinstance(node, ast.expr) or isinstance(self.parent(node), ast.JoinedStr):
            return [str(getattr(node, "value", ""))]
        return [literal[2] for literal in _LITERAL.finditer(self.written(node))]


def local_name(alias: ast.alias) -> str:
    """Return the name that an import binds."""
    return alias.asname or alias.name.partition(".")[0]


def _root(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node


def _parts(node: ast.AST) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call):
        parts += [node.attr] if isinstance(node, ast.Attribute) else []
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return [getattr(node, "id", ""), *reversed(parts)]


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


def arguments(call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a call is given, each with its keyword: "" by position, "*" and "**" for what is spread out."""
    for value in call.args:
        yield ("*", value.value) if isinstance(value, ast.Starred) else ("", value)
    for keyword in call.keywords:
        yield keyword.arg or "**", keyword.value


def defaults_of(given: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield a function's parameters with their defaults."""
    plain = [*given.posonlyargs, *given.args]
    yield from zip(
        [arg.arg for arg in plain], [*[None] * (len(plain) - len(given.defaults)), *given.defaults], strict=True
    )
    yield from zip([arg.arg for arg in given.kwonlyargs], given.kw_defaults, strict=True)
    yield from ((arg.arg, None) for arg in (given.vararg, given.kwarg) if arg)


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a string literal, else None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def parse(text: str) -> ast.Module:
    """Read a text as Python does.

    Raises:
        SourceError: It is not Python, or none that Python itself can read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise SourceError(f"it is not valid Python{where} ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError):
        raise SourceError("it is not Python that can be read, or too deeply nested") from None
