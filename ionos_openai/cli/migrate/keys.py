"""Keys and settings of OpenAI's: literals in the code, and the `OPENAI_*` variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

import libcst as cst

from ionos_openai.cli.migrate.findings import Finding
from ionos_openai.cli.migrate.program import chain, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ionos_openai.cli.migrate.program import Program

Source: TypeAlias = Literal["nothing", "openai", "ionos", "literal", "unknown"]
"""Where a value comes from: None, an `OPENAI_*` or `IONOS_*` variable, the code itself, or somewhere else."""

_KEY = re.compile(r"\bsk-[\w-]{16,}|\beyJ[\w-]{20,}")
_PLACEHOLDER = re.compile(r"(?i)your|xxx|\.\.\.|…|<|placeholder|example|^(?:dummy|test|none|empty)\b|^\W*$")
_SECRET_NAME = re.compile(r"(?i)api_?key|token(?!iz)|secret|passw|credential|authorization")
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=.-]{20,}")
_VARIABLE = re.compile(r"\w*OPENAI\w*(?:KEY|TOKEN|URL|BASE|ORG\w*|ORGANIZATION|PROJECT\w*|SECRET|HEADERS|TYPE|VERSION)")
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
    value = only_value(program, node) if hops else None
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


def fallback(node: cst.BaseExpression) -> cst.BaseExpression | None:
    """Return what `os.getenv("NAME", fallback)` gives where the variable is not set."""
    if not isinstance(node, cst.Call) or len(node.args) != 2:
        return None
    return node.args[1].value


def literal_of(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """Return the string literal that an expression is, falls back to, or was set to in the file."""
    if text_of(node) is not None:
        return node
    other = fallback(node) or only_value(program, node)
    return other if other is not None and text_of(other) is not None else None


def literals_of(program: Program, node: cst.BaseExpression, *, hops: int = 3) -> Iterator[cst.BaseExpression]:
    """Yield the string literals that an expression may come to, wherever in the file its name is set."""
    if text_of(node) is not None:
        yield node
    elif hops:
        for one in _origins(program, node):
            yield from literals_of(program, one, hops=hops - 1)


def _origins(program: Program, node: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    if isinstance(node, cst.BooleanOperation):
        yield from (node.left, node.right)
    elif isinstance(node, cst.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, cst.Name | cst.Attribute):
        name = chain(node)[-1]
        yield from (value for target, value in assignments(program) if chain(target)[-1] == name)
        yield from (one.default for one in program.all(cst.Param) if one.name.value == name and one.default)
    elif (other := fallback(node)) is not None:
        yield other


def only_value(program: Program, node: cst.BaseExpression) -> cst.BaseExpression | None:
    """Return what a name was set to, where the file sets it once and in no other way."""
    parts = chain(node) if isinstance(node, cst.Name | cst.Attribute) else [""]
    if not all(parts) or program.imported(node):
        return None
    if any(one.name.value == parts[-1] for one in program.all(cst.Param)) and len(parts) == 1:
        return None
    found = [value for target, value in assignments(program) if chain(target) == parts]
    loops = [one for kind in (cst.For, cst.CompFor, cst.AugAssign, cst.AsName) for one in program.all(kind)]
    bound_elsewhere = any(parts == chain(getattr(one, "target", None) or getattr(one, "name")) for one in loops)  # noqa: B009  # their classes differ
    return found[0] if len(found) == 1 and not bound_elsewhere else None


def assignments(program: Program) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression]]:
    """Yield each target that is set in the file, with its value."""
    for plain in program.all(cst.Assign):
        for one in plain.targets:
            yield one.target, plain.value
    for typed in program.all(cst.AnnAssign):
        if typed.value is not None:
            yield typed.target, typed.value
    for walrus in program.all(cst.NamedExpr):
        yield walrus.target, walrus.value


def find_secrets(program: Program, found: Iterable[cst.CSTNode]) -> frozenset[str]:
    """Return the texts that are keys, or stand where secrets do, as they are written in the source.

    Args:
        program: The source.
        found: What `find_key_nodes` found.
    """
    named = [node for node in program.all(cst.SimpleString) if _is_secret(program, node)]
    texts = [text for node in (*found, *named) for text in _pieces(node)]
    return frozenset(line for text in texts for line in text.splitlines() if len(line) >= 4)


def _pieces(node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, cst.ConcatenatedString):
        yield from _pieces(node.left)
        yield from _pieces(node.right)
    elif isinstance(node, cst.SimpleString):
        yield node.raw_value
    elif isinstance(node, cst.FormattedStringText):
        yield node.value


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
        yield from (name for one in node.targets for name in (chain(one.target)[-1], looked_up(one.target) or ""))
        yield looked_up(node.value) or ""
    elif isinstance(node, cst.AnnAssign):
        yield chain(node.target)[-1]
    elif isinstance(node, cst.DictElement):
        yield text_of(node.key) or ""
    elif isinstance(node, cst.Param):
        yield node.name.value


def find_key_nodes(program: Program, handed_over: set[cst.CSTNode]) -> set[cst.CSTNode]:
    """Return the literals, and the pieces of f-strings, that are keys.

    Args:
        program: The source.
        handed_over: Literals that are keys because a client is given them.
    """
    literals = {
        node
        for node in program.all(cst.SimpleString)
        if looks_like_key(node.raw_value) or _sets_openai_key(program, node)
    }
    found = {node for node in literals | handed_over if not _is_placeholder(node)}
    return found | {node for node in program.all(cst.FormattedStringText) if looks_like_key(node.value)}


def _is_placeholder(node: cst.CSTNode) -> bool:
    text = text_of(node) if isinstance(node, cst.BaseExpression) else None
    return text is not None and bool(_PLACEHOLDER.search(text))


def find_keys(program: Program, found: Iterable[cst.CSTNode]) -> Iterator[Finding]:
    """Report the keys in the code, those that `find_key_nodes` found."""
    return (key_finding(program.line(node)) for node in found)


def key_finding(line: int) -> Finding:
    """Return what there is to say of a key that stands in a file."""
    return Finding(
        line=line,
        kind="key",
        code="holds a key (not shown)",
        on_ionos="an OpenAI key does not work; whoever can read the file can use it",
        remedy="withdraw the key where it was made, remove it here, and set IONOS_API_TOKEN in the environment",
        effort="hand",
    )


def _sets_openai_key(program: Program, node: cst.SimpleString) -> bool:
    parent = program.parent(node)
    if not isinstance(parent, cst.Assign) or parent.value is not node:
        return False
    targets = [one.target for one in parent.targets]
    return any("openai.api_key" in program.imported(one) for one in targets) or any(
        re.fullmatch(r"\w*OPENAI\w*KEY", looked_up(one) or "") for one in targets
    )


def find_settings(program: Program, inside: set[cst.CSTNode]) -> Iterator[Finding]:
    """Report `openai.api_key = ...` and the `OPENAI_*` variables that the code asks for.

    Args:
        program: The source.
        inside: Clients whose arguments are reported with them.
    """
    for target, _value in assignments(program):
        for name in program.imported(target):
            root, _, setting = name.partition(".")
            if root == "openai" and setting in _MODULE_SETTINGS:
                yield Finding(
                    line=program.line(target),
                    kind="setting",
                    code=f"sets openai.{setting}",
                    on_ionos="a client from create_client() takes nothing from the openai module",
                    remedy="remove it; give create_client() what it needs, the token in IONOS_API_TOKEN",
                    effort="hand",
                )
    for node in program.all(cst.SimpleString):
        if not _VARIABLE.fullmatch(node.raw_value) or inside.intersection(program.ancestors(node)):
            continue
        if program.is_docstring(node):
            continue
        yield Finding(
            line=program.line(node),
            kind="setting",
            code=f"uses {node.raw_value}",
            on_ionos="create_client() reads no OPENAI_* variable",
            remedy="remove it where it is for pictures only; the token is IONOS_API_TOKEN, an address IONOS_BASE_URL",
            effort="hand",
        )
