"""Keys and settings of OpenAI's: literals in the code, and the `OPENAI_*` variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import libcst as cst
from libcst import matchers

from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.program import chain, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.program import Program

Source: TypeAlias = Literal["nothing", "openai", "ionos", "literal", "unknown"]
"""Where a value comes from: None, an `OPENAI_*` or `IONOS_*` variable, the code itself, or somewhere else."""

_KEY = re.compile(r"\bsk-[\w-]{16,}|\beyJ[\w-]{20,}")
_PLACEHOLDER = re.compile(r"(?i)your|xxx|\.\.\.|…|<|placeholder|example|^(?:dummy|test|none|empty)\b|^\W*$")
_SECRET_NAME = re.compile(r"(?i)api_?key|token(?!iz)|secret|passw|credential|authorization")
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=.-]{20,}")
_VARIABLE = re.compile(r"\w*OPENAI\w*(?:KEY|TOKEN|URL|BASE|ORG\w*|ORGANIZATION|PROJECT\w*|SECRET|HEADERS|TYPE|VERSION)")
_TEXT = matchers.SimpleString() | matchers.FormattedStringText()
_MODULE_SETTINGS = frozenset(
    {"api_key", "api_base", "base_url", "organization", "project", "api_type", "api_version", "azure_endpoint"}
    | {"webhook_secret", "default_headers", "default_query", "http_client", "timeout", "max_retries", "proxy"}
)


def looks_like_key(text: str) -> bool:
    """Tell whether a text has a key or a token in it."""
    return bool(_KEY.search(text)) and not _PLACEHOLDER.search(text)


def source_of(program: Program, node: cst.BaseExpression, *, hops: int = 3) -> Source:
    """Find out where the value of an expression comes from, as far as the file tells."""
    if isinstance(node, cst.Name) and node.value == "None":
        return "nothing"
    if text_of(node) is not None:
        return "literal"
    if isinstance(node, cst.BooleanOperation):
        sides = {source_of(program, side, hops=hops) for side in (node.left, node.right)}
        return "openai" if "openai" in sides and sides <= {"openai", "literal", "nothing"} else "unknown"
    variable = looked_up(node)
    if variable is not None:
        return "ionos" if variable.startswith("IONOS_") else "openai" if "OPENAI" in variable.upper() else "unknown"
    value = program.only_value(node) if hops else None
    return source_of(program, value, hops=hops - 1) if value is not None else "unknown"


def looked_up(node: cst.BaseExpression) -> str | None:
    """Return the variable that `os.environ["NAME"]`, `os.getenv("NAME")` or `config("NAME")` asks for."""
    if isinstance(node, cst.Subscript) and len(node.slice) == 1 and isinstance(node.slice[0].slice, cst.Index):
        return text_of(node.slice[0].slice.value)
    if not isinstance(node, cst.Call):
        return None
    if isinstance(node.func, cst.Attribute) and node.func.attr.value == "strip":
        return looked_up(node.func.value)
    first = node.args[0] if node.args else None
    return text_of(first.value) if first is not None and not first.star else None


def _fallback(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """Return what `os.getenv("NAME", fallback)` gives where the variable is not set."""
    return node.args[1].value if isinstance(node, cst.Call) and len(node.args) == 2 else None


def literal_of(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """Return the string literal that an expression is, falls back to, or was set to in the file."""
    if text_of(node) is not None:
        return node
    other = _fallback(node) or program.only_value(node)
    return other if other is not None and text_of(other) is not None else None


def literals_of(program: Program, nodes: Iterable[cst.BaseExpression]) -> set[cst.BaseExpression]:
    """Return the string literals that some expressions may come to, wherever in the file their names are set."""
    found: set[cst.BaseExpression] = set()
    # Each name is followed once, for all: one by one, classes that hand a key on would multiply.
    followed: set[str] = set()
    waiting = list(nodes)
    for _ in range(4):
        found.update(node for node in waiting if text_of(node) is not None)
        waiting = [origin for node in waiting for origin in _origins(program, node, followed)]
    return found


def _origins(program: Program, node: cst.BaseExpression, followed: set[str]) -> Sequence[cst.BaseExpression]:
    if isinstance(node, cst.BooleanOperation):
        return (node.left, node.right)
    if isinstance(node, cst.IfExp):
        return (node.body, node.orelse)
    if isinstance(node, cst.Name | cst.Attribute):
        name = chain(node)[-1]
        values = () if name in followed else program.defaults.get(name, ())
        followed.add(name)
        return values
    other = _fallback(node)
    return () if other is None else (other,)


def find_secrets(program: Program, found: Iterable[cst.CSTNode]) -> frozenset[str]:
    """Return the texts that `find_key_nodes` found, or that stand where secrets do, as they are in the source."""
    named = [node for node in program.all(cst.SimpleString) if _is_secret(program, node)]
    pieces = [piece for node in (*found, *named) for piece in matchers.findall(node, _TEXT)]
    texts = [
        piece.raw_value if isinstance(piece, cst.SimpleString) else getattr(piece, "value", "") for piece in pieces
    ]
    return frozenset(line for text in texts for line in text.splitlines() if len(line) >= 4)


def _is_secret(program: Program, node: cst.SimpleString) -> bool:
    text = node.raw_value
    if _VARIABLE.fullmatch(text):
        return False
    for parent in program.ancestors(node):
        if isinstance(parent, cst.Arg | cst.Assign | cst.AnnAssign | cst.DictElement | cst.Param):
            names = [name for name in _names_of(program, parent) if name != text]
            return any(_SECRET_NAME.search(name) for name in names) or (
                bool(_RANDOM.fullmatch(text)) and any(name.lower().endswith("key") for name in names)
            )
        # The text in `os.environ["..."]` is a name.
        if isinstance(parent, cst.BaseStatement | cst.Index):
            return False
    return False


def _names_of(program: Program, node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, cst.Arg):
        yield node.keyword.value if node.keyword else ""
        call = program.parent(node)
        # The fallback of os.getenv("OPENAI_API_KEY", "...").
        if isinstance(call, cst.Call) and node is not call.args[0]:
            yield looked_up(call) or ""
    elif isinstance(node, cst.Assign):
        yield looked_up(node.value) or ""
        for assigned in node.targets:
            yield from (chain(assigned.target)[-1], looked_up(assigned.target) or "")
    elif isinstance(node, cst.AnnAssign):
        yield chain(node.target)[-1]
    elif isinstance(node, cst.DictElement):
        yield text_of(node.key) or ""
    elif isinstance(node, cst.Param):
        yield node.name.value


def find_key_nodes(program: Program, handed_over: set[cst.BaseExpression]) -> set[cst.CSTNode]:
    """Return the literals, and the pieces of f-strings, that are keys: those `handed_over` to a client among them."""
    literals: set[cst.BaseExpression] = {
        node
        for node in program.all(cst.SimpleString)
        if looks_like_key(node.raw_value) or _sets_openai_key(program, node)
    }
    found = {node for node in literals | handed_over if not _PLACEHOLDER.search(text_of(node) or "")}
    return {*found, *(node for node in program.all(cst.FormattedStringText) if looks_like_key(node.value))}


def key_finding(line: int) -> Finding:
    """Return what there is to say of a key that stands in a file."""
    return FACTS["key: literal"].at(line, "holds a key (not shown)")


def _sets_openai_key(program: Program, node: cst.SimpleString) -> bool:
    parent = program.parent(node)
    if not isinstance(parent, cst.Assign) or parent.value is not node:
        return False
    return any(
        "openai.api_key" in program.imported(assigned.target)
        or re.fullmatch(r"\w*OPENAI\w*KEY", looked_up(assigned.target) or "")
        for assigned in parent.targets
    )


def find_settings(program: Program, inside: set[cst.CSTNode]) -> Iterator[Finding]:
    """Report `openai.api_key = ...` and the `OPENAI_*` variables that the code asks for, but those `inside` clients."""
    for target, _ in program.assignments:
        for name in program.imported(target):
            root, _, setting = name.partition(".")
            if root == "openai" and setting in _MODULE_SETTINGS:
                yield FACTS["setting: module"].at(program.line(target), f"sets openai.{setting}")
    for node in program.all(cst.SimpleString):
        name = node.raw_value
        if _VARIABLE.fullmatch(name) and not program.is_docstring(node) and inside.isdisjoint(program.ancestors(node)):
            yield FACTS["setting: used"].at(program.line(node), f"uses {name}")
