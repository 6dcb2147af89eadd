"""A Python source, parsed: its nodes by kind, where each stands, and which import a name comes from."""

from __future__ import annotations

import ast
import bisect
import re
import warnings
from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import libcst as cst
from libcst import metadata

from ionos_openai.cli.migrate.findings import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_Node = TypeVar("_Node", bound=cst.CSTNode)
_Names: TypeAlias = "Iterable[metadata.QualifiedName] | Callable[[], Iterable[metadata.QualifiedName]]"

# Deeper nesting than anybody writes ends libcst's parser, and Python with it, for want of stack.
_DEEPEST = 200
# Methods that return the same client, set up otherwise.
_SAME_CLIENT = frozenset({"with_options()", "copy()"})


class _Collector(cst.CSTVisitor):
    def __init__(self) -> None:
        super().__init__()
        self.nodes: defaultdict[type[cst.CSTNode], list[cst.CSTNode]] = defaultdict(list)

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.nodes[type(node)].append(node)
        return True


class Program:
    """A parsed source text.

    Attributes:
        text: The source.
        data: The same as UTF-8; all spans count its bytes.
        name: The file's name.
    """

    def __init__(self, text: str, name: str) -> None:
        """Parse `text`.

        Raises:
            SourceError: It is not Python, or cannot be taken apart and put together again unchanged.
        """
        check_syntax(text)
        self.text, self.name = text, name
        self.data = text.encode()
        self._line_starts = [0, *(found.end() for found in re.finditer(rb"\r\n|\r|\n", self.data))]
        try:
            self._read()
        except (cst.ParserSyntaxError, RecursionError, KeyError) as error:
            raise SourceError("it is too deeply nested, or in a newer Python than libcst reads") from error

    def _read(self) -> None:
        module = cst.parse_module(self.text)
        if module.code != self.text:
            raise SourceError("it has control characters or line ends that would not survive")
        wrapper = metadata.MetadataWrapper(module, unsafe_skip_copy=True)
        found = wrapper.resolve_many(
            [metadata.ByteSpanPositionProvider, metadata.QualifiedNameProvider, metadata.ParentNodeProvider]
        )
        # libcst itself says no more of its answers than that they are objects.
        self._spans = cast("Mapping[cst.CSTNode, metadata.CodeSpan]", found[metadata.ByteSpanPositionProvider])
        self._names = cast("Mapping[cst.CSTNode, _Names]", found[metadata.QualifiedNameProvider])
        self._parents = cast("Mapping[cst.CSTNode, cst.CSTNode]", found[metadata.ParentNodeProvider])
        collector = _Collector()
        module.visit(collector)
        self._nodes = collector.nodes
        self._by_name: defaultdict[str, list[cst.Name]] = defaultdict(list)
        for name in self.all(cst.Name):
            self._by_name[name.value].append(name)

    def all(self, kind: type[_Node]) -> list[_Node]:
        """Return every node of exactly this kind, in the order of the source."""
        return self._nodes[kind]  # type: ignore[return-value]  # the key is the nodes' own type

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return where a node begins and ends, in bytes of `data`."""
        where = self._spans[node]
        return where.start, where.start + where.length

    def line(self, node: cst.CSTNode) -> int:
        """Return the line on which a node begins, from 1."""
        return bisect.bisect_right(self._line_starts, self.span(node)[0])

    def line_start(self, offset: int) -> int:
        """Return where the line of a byte begins."""
        return self._line_starts[bisect.bisect_right(self._line_starts, offset) - 1]

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """Return what a node is part of."""
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Yield what a node is part of, from the inside out."""
        parent = self.parent(node)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    def imported(self, node: cst.CSTNode) -> set[str]:
        """Return the full names that an expression may have through imports, such as {"openai.OpenAI"}."""
        return {one.name for one in self._qualified(node) if one.source is metadata.QualifiedNameSource.IMPORT}

    def imports(self, *packages: str) -> bool:
        """Tell whether the file imports one of some packages, or from one."""
        modules = [one.module for one in self.all(cst.ImportFrom) if one.module]
        return any(
            chain(one)[0] in packages for one in [*modules, *(alias.name for alias in self.all(cst.ImportAlias))]
        )

    def is_one_thing(self, node: cst.CSTNode) -> bool:
        """Tell whether an expression's name was bound once, and not also in an `except` or another branch."""
        return len(self._qualified(node)) == 1

    def _qualified(self, node: cst.CSTNode) -> set[metadata.QualifiedName]:
        names = self._names.get(node, ())
        return set(names() if callable(names) else names)

    def references(self, name: str) -> list[cst.Name]:
        """Return where a name is used, its imports and same-named attributes and keywords aside."""
        return [node for node in self._by_name[name] if not self._is_label(node)]

    def _is_label(self, node: cst.Name) -> bool:
        parent = self.parent(node)
        if isinstance(parent, cst.Attribute):
            return parent.attr is node
        if isinstance(parent, cst.Arg):
            return parent.keyword is node
        if isinstance(parent, cst.ImportFrom):
            return True
        return isinstance(parent, cst.ImportAlias | cst.AsName) and any(
            isinstance(one, cst.ImportAlias) for one in (parent, self.parent(parent))
        )

    def is_docstring(self, node: cst.CSTNode) -> bool:
        """Tell whether a string stands alone as a statement."""
        return isinstance(self.parent(node), cst.Expr)


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


def string_texts(program: Program) -> Iterator[tuple[cst.CSTNode, str]]:
    """Yield each string literal, and each piece of text in an f-string, as written; docstrings left out."""
    for plain in program.all(cst.SimpleString):
        if not program.is_docstring(plain):
            yield plain, plain.raw_value
    for piece in program.all(cst.FormattedStringText):
        yield piece, piece.value


def check_syntax(text: str) -> None:
    """Refuse what is not Python, and what is nested so deeply that reading it could end this process.

    Raises:
        SourceError: Either is the case.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise SourceError(f"it is not valid Python{where} ({error.msg})") from None
    except (ValueError, RecursionError, MemoryError):
        raise SourceError("it is not Python that can be read, or too deeply nested") from None
    if _depth(tree) > _DEEPEST:
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
