"""Keys and settings of OpenAI's: literals in the code, and the `OPENAI_*` variables."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from ionos_openai.cli.migrate.facts import FACTS, WORDS
from ionos_openai.cli.migrate.findings import Finding
from ionos_openai.cli.migrate.program import Program, arguments, chain, text_of

Source: TypeAlias = Literal["nothing", "openai", "ionos", "literal", "unknown"]
"""Where a value comes from: None, an `OPENAI_*` or `IONOS_*` variable, the code itself, or somewhere else."""

_CLIENT = re.compile(r"(?:OpenAI|Client)$")
_OPENAI_KEY = re.compile(r"\w{0,40}OPENAI\w{0,40}KEY")
# A JWT has two dots; base64 of JSON alone, which begins like one, is no key.
_KEY = re.compile(r"\bsk-[\w-]{16,}|(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*")
_PLACEHOLDER = re.compile(
    r"(?i)your|xxx|\.\.\.|…|<|placeholder|example|dummy|fake|changeme|^(?:test|none|empty|ollama|secret)\b|^\W*$"
    r"|^[a-z]+(?:[-_][a-z]+)*$"  # words, such as "lm-studio" or "OPENAI-API-KEY"
)
_LITERAL = re.compile(r"""(?s)[a-zA-Z]{0,2}('''|\"\"\"|'|\")((?:\\.|(?!\1).)*)\1""")
_SECRET_NAME = re.compile(r"(?i)api_?key|token(?!iz)|secret|passw|credential|authorization")
_RANDOM = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w+/=.-]{20,}")
_VARIABLE = re.compile(
    r"\w{0,40}OPENAI\w{0,40}(?:KEY|TOKEN|URL|BASE|ORG\w{0,9}|ORGANIZATION|PROJECT\w{0,9}|SECRET|HEADERS|TYPE|VERSION)"
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


def find_keys(program: Program) -> set[ast.expr]:
    """Return the literals, and the pieces of f-strings, that are keys: those that clients are given among them."""
    made = [call for call in program.all(ast.Call) if any(map(_CLIENT.search, program.imported(call.func)))]
    given = [value for call in made for name, value in arguments(call) if name in WORDS["secrets"]]
    for target, value in program.assignments:
        variable = _OPENAI_KEY.fullmatch(looked_up(target) or "")
        given += [value] if text_of(value) and (variable or "openai.api_key" in program.imported(target)) else []
    found = {node for node in _literals_of(program, given) if not _PLACEHOLDER.search(text_of(node) or "")}
    return {*found, *(node for node, text in program.texts if looks_like_key(text))}


def _literals_of(program: Program, waiting: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """Yield the string literals that some expressions may come to, wherever in the file their names are set."""
    # Each name is followed once, for all: one by one, classes that hand a key on would multiply.
    followed: set[str] = set()
    for _ in range(4):
        yield from (node for node in waiting if text_of(node) is not None)
        waiting = [origin for node in waiting for origin in _origins(program, node, followed)]


def _origins(program: Program, node: ast.expr, followed: set[str]) -> Sequence[ast.expr]:
    if isinstance(node, ast.BoolOp | ast.IfExp):
        return node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse)
    if isinstance(node, ast.Name | ast.Attribute):
        name = chain(node)[-1]
        values = () if name in followed else program.defaults.get(name, ())
        followed.add(name)
        return values
    return [other for other in [_fallback(node)] if other is not None]


def find_secrets(program: Program, found: Iterable[ast.expr]) -> frozenset[str]:
    """Return the texts of `found`, and those that stand where secrets do, as they are in the source."""
    names = _names_of_values(program)
    secret = [node for node, text in program.texts if _is_secret(program, node, text, names)]
    texts: list[str] = []
    for node in (*found, *secret):
        if isinstance(program.parent(node), ast.JoinedStr):
            texts.append(text_of(node) or "")
        else:
            texts += [text for _, text in _LITERAL.findall(program.written(node))]
    return frozenset(line for text in texts for line in text.splitlines() if len(line) >= 4)


def _names_of_values(program: Program) -> Mapping[ast.AST | None, set[str | None]]:
    """Return the names under which a file has each value: variables, parameters, keys, what is looked up beside it."""
    pairs: list[tuple[str | None, ast.AST | None]] = [*program.parameters]
    for entries in program.all(ast.Dict):
        pairs += zip(map(text_of, entries.keys), entries.values, strict=True)
    for target, value in program.assignments:
        pairs += [(name, value) for name in (chain(target)[-1], looked_up(target), looked_up(value))]
    for call in program.all(ast.Call):
        pairs += [(keyword.arg, keyword.value) for keyword in call.keywords]
        # The fallback of os.getenv("OPENAI_API_KEY", "..."), whose first text is a name.
        values = [value for _, value in arguments(call)]
        pairs += [(looked_up(call) if index else None, value) for index, value in enumerate(values)]
    found: defaultdict[ast.AST | None, set[str | None]] = defaultdict(set)
    for name, node in pairs:
        found[node].add(name)
    return found


def _is_secret(program: Program, node: ast.AST, text: str, names_of: Mapping[ast.AST | None, set[str | None]]) -> bool:
    if _VARIABLE.fullmatch(text) or isinstance(program.parent(node), ast.JoinedStr):
        return False
    for place in (node, *program.ancestors(node)):
        parent = program.parent(place)
        if place in names_of:
            names = [name for name in names_of[place] if name and name != text]
            is_random = _RANDOM.fullmatch(text) and any(name.lower().endswith("key") for name in names)
            return bool(is_random) or any(map(_SECRET_NAME.search, names))
        # The text in `os.environ["..."]` is a name.
        if isinstance(parent, ast.stmt) or (isinstance(parent, ast.Subscript) and place is parent.slice):
            return False
    return False


def find_settings(program: Program, inside: Collection[ast.AST], *, chats: bool) -> Iterator[Finding]:
    """Report settings of the module and `OPENAI_*` variables, but those `inside` clients; `chats`: others need them."""
    for target, _ in program.assignments:
        for name in program.imported(target) if not chats else ():
            root, _, setting = name.partition(".")
            if root == "openai" and setting in WORDS["module_settings"]:
                yield FACTS["setting: module"].at(program.line(target), f"sets openai.{setting}")
    for node, name in program.texts:
        if _VARIABLE.fullmatch(name) and not any(outer in inside for outer in program.ancestors(node)):
            fact = FACTS["setting: named" if chats else "setting: used"]
            yield fact.at(program.line(node), f"uses {name}")
