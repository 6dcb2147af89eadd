"""A Python source, parsed: its nodes by kind, where each stands, what names are set to, and where they come from."""

from __future__ import annotations

import ast
import functools
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar, cast

import libcst as cst
from libcst import metadata

from ionos_openai.cli.migrate.findings import SourceError

_Node = TypeVar("_Node", bound=cst.CSTNode)

# Deeper nesting than anybody writes ends libcst's parser, and Python with it, for want of stack.
_DEEPEST = 200
# Methods that return the same client, set up otherwise.
_SAME_CLIENT = frozenset({"with_options()", "copy()"})


class _Collector(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.nodes: defaultdict[type[cst.CSTNode], list[cst.CSTNode]] = defaultdict(list)
        self.parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._open: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.nodes[type(node)].append(node)
        if self._open:
            self.parents[node] = self._open[-1]
        self._open.append(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:  # noqa: ARG002  The name is libcst's.
        self._open.pop()


class Program:
    """A parsed source text: `module`, as libcst reads it, of the file that is called `name`."""

    def __init__(self, text: str, name: str) -> None:
        """Parse `text`.

        Raises:
            SourceError: It is not Python, or cannot be taken apart and put together again unchanged.
        """
        check_syntax(text)
        self.name = name
        try:
            self.module = cst.parse_module(text)
            if self.module.code != text:
                raise SourceError("it has control characters or line ends that would not survive")
            self._read()
        except (cst.ParserSyntaxError, RecursionError, KeyError) as error:
            raise SourceError("it is too deeply nested, or in a newer Python than libcst reads") from error

    def _read(self) -> None:
        wrapper = metadata.MetadataWrapper(self.module, unsafe_skip_copy=True)
        # QualifiedNameProvider and ParentNodeProvider say no more, and take half of the time.
        found = wrapper.resolve_many([metadata.PositionProvider, metadata.ScopeProvider])
        # libcst itself says no more of its answers than that they are objects.
        self._places = cast("Mapping[cst.CSTNode, metadata.CodeRange]", found[metadata.PositionProvider])
        self._scopes = cast("Mapping[cst.CSTNode, metadata.Scope | None]", found[metadata.ScopeProvider])
        collector = _Collector()
        self.module.visit(collector)
        self._nodes, self._parents = collector.nodes, collector.parents
        self._by_name: defaultdict[str, list[cst.Name]] = defaultdict(list)
        for name in self.all(cst.Name):
            self._by_name[name.value].append(name)

    def all(self, kind: type[_Node]) -> list[_Node]:
        """Return every node of exactly this kind, in the order of the source."""
        return self._nodes[kind]  # type: ignore[return-value]  # the key is the nodes' own type

    def line(self, node: cst.CSTNode) -> int:
        """Return the line on which a node begins, from 1."""
        return self._places[node].start.line

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return what a node is part of."""
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Yield what a node is part of, from the inside out."""
        parent = self.parent(node)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    def function_of(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """Return the innermost function that a node is part of."""
        return next((parent for parent in self.ancestors(node) if isinstance(parent, cst.FunctionDef)), None)

    def imported(self, node: cst.CSTNode) -> set[str]:
        """Return the full names that an expression may have through imports, such as {"openai.OpenAI"}."""
        return {name.name for name in self._qualified(node) if name.source is metadata.QualifiedNameSource.IMPORT}

    def imports(self, *packages: str) -> bool:
        """Tell whether the file imports one of some packages, or from one."""
        modules = [statement.module for statement in self.all(cst.ImportFrom) if statement.module]
        names = [*modules, *(alias.name for alias in self.all(cst.ImportAlias))]
        return any(chain(name)[0] in packages for name in names)

    def is_one_thing(self, node: cst.CSTNode) -> bool:
        """Tell whether an expression's name was bound once, and not also in an `except` or another branch."""
        return len(self._qualified(node)) == 1

    def _qualified(self, node: cst.CSTNode) -> Collection[metadata.QualifiedName]:
        scope = self._scopes.get(node)
        return scope.get_qualified_names_for(node) if scope else ()

    def references(self, name: str) -> list[cst.Name]:
        """Return where a name is used, its imports and same-named attributes and keywords aside."""
        return [node for node in self._by_name[name] if not self._is_label(node)]

    def _is_label(self, node: cst.Name) -> bool:
        parent = self.parent(node)
        if isinstance(parent, cst.Attribute):
            return parent.attr is node
        if isinstance(parent, cst.Arg):
            return parent.keyword is node
        if isinstance(parent, cst.AsName):
            parent = self.parent(parent)
        return isinstance(parent, cst.ImportFrom | cst.ImportAlias)

    def is_docstring(self, node: cst.CSTNode) -> bool:
        """Tell whether a string stands alone as a statement."""
        return isinstance(self.parent(node), cst.Expr)

    @functools.cached_property
    def assignments(self) -> list[tuple[cst.BaseExpression, cst.BaseExpression]]:
        """Each target that is set in the file, with its value."""
        found = [(target.target, plain.value) for plain in self.all(cst.Assign) for target in plain.targets]
        found += [(typed.target, typed.value) for typed in self.all(cst.AnnAssign) if typed.value is not None]
        return found + [(walrus.target, walrus.value) for walrus in self.all(cst.NamedExpr)]

    @functools.cached_property
    def defaults(self) -> dict[str, list[cst.BaseExpression]]:
        """What each name may be, whatever it is an attribute of: the values it is set to, the parameters' defaults."""
        found: defaultdict[str, list[cst.BaseExpression]] = defaultdict(list)
        for target, value in self.assignments:
            found[chain(target)[-1]].append(value)
        for parameter in self.all(cst.Param):
            found[parameter.name.value] += [parameter.default] if parameter.default else []
        return found

    @functools.cached_property
    def _values(self) -> dict[tuple[str, ...], list[cst.BaseExpression | None]]:
        """What each name is set to; None for each other way in which it is bound."""
        found: defaultdict[tuple[str, ...], list[cst.BaseExpression | None]] = defaultdict(list)
        for target, value in self.assignments:
            found[tuple(chain(target))].append(value)
        loops: list[cst.For | cst.CompFor] = [*self.all(cst.For), *self.all(cst.CompFor)]
        names: list[cst.AsName | cst.Param] = [*self.all(cst.AsName), *self.all(cst.Param)]
        for target in [node.target for node in [*loops, *self.all(cst.AugAssign)]] + [node.name for node in names]:
            found[tuple(chain(target))].append(None)
        return found

    def only_value(self, node: cst.BaseExpression) -> cst.BaseExpression | None:
        """Return what a name was set to, where the file sets it once and in no other way."""
        parts = chain(node) if isinstance(node, cst.Name | cst.Attribute) else [""]
        if not all(parts) or self.imported(node):
            return None
        values = self._values.get(tuple(parts), [])
        return values[0] if len(values) == 1 else None


def chain(node: cst.BaseExpression) -> list[str]:
    """Return the parts of `self.client.images.generate`; a call within shows as "name()", anything else as ""."""
    if isinstance(node, cst.Name):
        return [node.value]
    if isinstance(node, cst.Attribute):
        return [*chain(node.value), node.attr.value]
    if isinstance(node, cst.Call):
        parts = chain(node.func)
        parts[-1] += "()"
        return parts[:-1] if parts[-1] in _SAME_CLIENT and len(parts) > 1 else parts
    return chain(node.expression) if isinstance(node, cst.Await) else [""]


def text_of(node: cst.BaseExpression | None) -> str | None:
    """Return the text of a string literal, else None."""
    if not isinstance(node, cst.SimpleString | cst.ConcatenatedString):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a wrong escape sequence is not our matter
        value = node.evaluated_value
    return value if isinstance(value, str) else None


def imported_module(statement: cst.ImportFrom) -> str:
    """Return the module that names are imported from, with a dot for each step up."""
    return "." * len(statement.relative) + (".".join(chain(statement.module)) if statement.module else "")


def string_texts(program: Program) -> Iterator[tuple[cst.CSTNode, str]]:
    """Yield each string literal, and each piece of text in an f-string, as written; docstrings left out."""
    for plain in program.all(cst.SimpleString):
        if not program.is_docstring(plain):
            yield plain, plain.raw_value
    for piece in program.all(cst.FormattedStringText):
        yield piece, piece.value


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


def check_syntax(text: str) -> None:
    """Refuse what is not Python, and what is nested so deeply that reading it could end this process.

    Raises:
        SourceError: Either is the case.
    """
    if _depth(parse(text)) > _DEEPEST:
        raise SourceError("it is too deeply nested")


def _depth(tree: ast.AST) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        # To libcst, `a and b and c` is nested too.
        depth += len(node.values) if isinstance(node, ast.BoolOp) else 1
        waiting.extend((child, depth) for child in ast.iter_child_nodes(node))
    return deepest
