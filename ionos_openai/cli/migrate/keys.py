"""Keys and settings of OpenAI's: literals in the code, and the `OPENAI_*` variables."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.program import arguments, chain, defaults_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.program import Program

Source: TypeAlias = Literal["nothing", "openai", "ionos", "literal", "unknown"]
"""Where a value comes from: None, an `OPENAI_*` or `IONOS_*` variable, the code itself, or somewhere else."""

# A JWT has two dots; base64 of JSON alone, which begins like one, is no key.
_KEY = re.compile(r"\bsk-[\w-]{16,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")
_PLACEHOLDER = re.compile(
    r"(?i)your|xxx|\.\.\.|…|<|placeholder|example|dummy|fake|changeme|^(?:test|none|empty|ollama|secret)\b|^\W*$"
    r"|^[a-z]+(?:[-_][a-z]+)*$"  # words, such as "lm-studio" or "OPENAI-API-KEY"
)
_SECRET_NAME = re.compile(r"(?i)api_?key|token(?!iz)|secret|passw|credential|authorization")
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=.-]{20,}")
_VARIABLE = re.compile(r"\w*OPENAI\w*(?:KEY|TOKEN|URL|BASE|ORG\w*|ORGANIZATION|PROJECT\w*|SECRET|HEADERS|TYPE|VERSION)")
_MODULE_SETTINGS = frozenset(
    {"api_key", "api_base", "base_url", "organization", "project", "api_type", "api_version", "azure_endpoint"}
    | {"webhook_secret", "default_headers", "default_query", "http_client", "timeout", "max_retries", "proxy"}
)


def looks_like_key(text: str) -> bool:
    """Tell whether a text has a key or a token in it."""
    return any(not _PLACEHOLDER.search(key) for key in _KEY.findall(text))


def source_of(program: Program, node: ast.expr, *, hops: int = 3) -> Source:
    """Find out where the value of an expression comes from, as far as the file tells."""
    if isinstance(node, ast.Constant) and node.value is None:
        return "nothing"
    if text_of(node) is not None:
        return "literal"
    if isinstance(node, ast.BoolOp):
        sides = {source_of(program, side, hops=hops) for side in node.values}
        if "ionos" in sides:
            return "ionos"
        return "openai" if "openai" in sides and sides <= {"openai", "literal", "nothing"} else "unknown"
    variable = looked_up(node)
    if variable is None:
        value = program.only_value(node) if hops else None
        if value is not None:
            return source_of(program, value, hops=hops - 1)
        variable = chain(node)[-1]
    return "ionos" if "IONOS" in variable.upper() else "openai" if "OPENAI" in variable.upper() else "unknown"


def looked_up(node: ast.AST) -> str | None:
    """Return the variable that `os.environ["NAME"]`, `os.getenv("NAME")` or `config("NAME")` asks for."""
    if isinstance(node, ast.Subscript):
        return text_of(node.slice)
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and node.func.attr == "strip":
        return looked_up(node.func.value)
    first = next(arguments(node), None)
    return text_of(first[1]) if first is not None and not first[0].startswith("*") else None


def _fallback(node: ast.AST) -> ast.expr | None:
    """Return what `os.getenv("NAME", fallback)` gives where the variable is not set."""
    passed = [value for _, value in arguments(node)] if isinstance(node, ast.Call) else []
    return passed[1] if len(passed) == 2 else None


def literal_of(program: Program, node: ast.expr) -> ast.expr | None:
    """Return the string literal that an expression is, falls back to, or was set to in the file."""
    if text_of(node) is not None:
        return node
    other = _fallback(node) or program.only_value(node)
    return other if text_of(other) is not None else None


def literals_of(program: Program, nodes: Iterable[ast.expr]) -> set[ast.expr]:
    """Return the string literals that some expressions may come to, wherever in the file their names are set."""
    found: set[ast.expr] = set()
    # Each name is followed once, for all: one by one, classes that hand a key on would multiply.
    followed: set[str] = set()
    waiting = list(nodes)
    for _ in range(4):
        found.update(node for node in waiting if text_of(node) is not None)
        waiting = [origin for node in waiting for origin in _origins(program, node, followed)]
    return found


def _origins(program: Program, node: ast.expr, followed: set[str]) -> Sequence[ast.expr]:
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.IfExp):
        return (node.body, node.orelse)
    if isinstance(node, ast.Name | ast.Attribute):
        name = chain(node)[-1]
        values = () if name in followed else program.defaults.get(name, ())
        followed.add(name)
        return values
    other = _fallback(node)
    return () if other is None else (other,)


def find_secrets(program: Program, found: Iterable[ast.AST]) -> frozenset[str]:
    """Return the texts that `find_key_nodes` found, or that stand where secrets do, as they are in the source."""
    named = [node for node, text in program.texts if _is_secret(program, node, text)]
    texts = [piece for node in (*found, *named) for piece in program.pieces(node)]
    return frozenset(line for text in texts for line in text.splitlines() if len(line) >= 4)


def _is_secret(program: Program, node: ast.AST, text: str) -> bool:
    if _VARIABLE.fullmatch(text) or isinstance(program.parent(node), ast.JoinedStr):
        return False
    child = node
    for parent in program.ancestors(node):
        names = _names_of(program, parent, child)
        if names is not None:
            names = [name for name in names if name != text]
            return any(_SECRET_NAME.search(name) for name in names) or (
                bool(_RANDOM.fullmatch(text)) and any(name.lower().endswith("key") for name in names)
            )
        # The text in `os.environ["..."]` is a name.
        if isinstance(parent, ast.stmt) or (isinstance(parent, ast.Subscript) and child is parent.slice):
            return False
        child = parent
    return False


def _names_of(program: Program, node: ast.AST, child: ast.AST) -> list[str] | None:
    """Return the names under which `node` has `child`, None where it gives it none."""
    if isinstance(node, ast.keyword):
        return [node.arg or "", looked_up(program.parent(node) or node) or ""]
    if isinstance(node, ast.Call) and child is not node.func:
        # The fallback of os.getenv("OPENAI_API_KEY", "...").
        return [looked_up(node) or ""] if child is not node.args[0] else []
    if isinstance(node, ast.Assign):
        parts = [(chain(target)[-1], looked_up(target) or "") for target in node.targets]
        return [looked_up(node.value) or "", *(name for pair in parts for name in pair)]
    if isinstance(node, ast.AnnAssign):
        return [chain(node.target)[-1]]
    if isinstance(node, ast.Dict):
        return [text_of(key) or "" for key, value in zip(node.keys, node.values, strict=True) if value is child]
    if isinstance(node, ast.arguments):
        return [name for name, default in defaults_of(node) if default is child]
    return None


def find_key_nodes(program: Program, handed_over: set[ast.expr]) -> set[ast.AST]:
    """Return the literals, and the pieces of f-strings, that are keys: those `handed_over` to a client among them."""
    named = {node for node in _set_keys(program) if text_of(node) is not None}
    found = {node for node in named | handed_over if not _PLACEHOLDER.search(text_of(node) or "")}
    return {*found, *(node for node, text in program.texts if looks_like_key(text))}


def key_finding(line: int) -> Finding:
    """Return what there is to say of a key that stands in a file."""
    return FACTS["key: literal"].at(line, "holds a key (not shown)")


def _set_keys(program: Program) -> Iterator[ast.expr]:
    for target, value in program.assignments:
        variable = re.fullmatch(r"\w*OPENAI\w*KEY", looked_up(target) or "")
        if variable or "openai.api_key" in program.imported(target):
            yield value


def find_settings(program: Program, inside: set[ast.AST], *, chats: bool) -> Iterator[Finding]:
    """Report `openai.api_key = ...` and the `OPENAI_*` variables that the code asks for, but those `inside` clients.

    `chats`: other clients of the file need them.
    """
    for target, _ in program.assignments:
        for name in program.imported(target) if not chats else ():
            root, _, setting = name.partition(".")
            if root == "openai" and setting in _MODULE_SETTINGS:
                yield FACTS["setting: module"].at(program.line(target), f"sets openai.{setting}")
    for node, name in program.texts:
        if _VARIABLE.fullmatch(name) and inside.isdisjoint(program.ancestors(node)):
            fact = FACTS["setting: named" if chats else "setting: used"]
            yield fact.at(program.line(node), f"uses {name}")
