"""Where clients of OpenAI's are made, and the edits that make them with `create_client` instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import libcst as cst

from ionos_openai.cli.migrate.client_names import line_handed_on, may_be_elsewhere, names_of
from ionos_openai.cli.migrate.edits import Edit, Item, drop_items
from ionos_openai.cli.migrate.findings import Finding
from ionos_openai.cli.migrate.keys import literal_of, literals_of, source_of
from ionos_openai.cli.migrate.program import chain, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ionos_openai.cli.migrate.image_calls import ImageCall
    from ionos_openai.cli.migrate.program import Program

PACKAGE = "ionos_openai"
_FACTORIES = {
    "openai.OpenAI": "create_client",
    "openai.Client": "create_client",
    "openai.AsyncOpenAI": "create_async_client",
    "openai.AsyncClient": "create_async_client",
}
_AZURE = frozenset({"openai.AzureOpenAI", "openai.AsyncAzureOpenAI"})
_SECRETS = frozenset({"api_key", "azure_ad_token", "admin_api_key", "webhook_secret"})
_KEPT = frozenset({"timeout", "max_retries", "default_query", "http_client"})
_SENSELESS = frozenset(
    {"organization", "project", "webhook_secret", "admin_api_key", "websocket_base_url", "data_residency"}
    | {"_strict_response_validation"}
)
# What else a client of OpenAI's is used for. IONOS has the first three, with models of its own.
_OTHERS = frozenset(
    {"chat", "completions", "embeddings", "responses", "audio", "moderations", "files", "fine_tuning", "batches"}
    | {"beta", "uploads", "vector_stores", "realtime", "conversations", "evals", "containers", "videos"}
)
_STEPS = frozenset(
    {"create", "parse", "stream", "retrieve", "list", "upload", "delete", "with_raw_response", "connect"}
    | {"with_streaming_response"}
)
# Other packages' classes that make a client of OpenAI's themselves.
_WRAPPER = re.compile(r"\w.*\.(?:(?:Async)?(?:Azure)?OpenAI|DallEAPIWrapper)")
_HEADERS_OF_OTHERS = re.compile(r"(?i)authorization|api-?key|openai-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One call that makes a client.

    Attributes:
        call: The call.
        name: The class, such as "openai.OpenAI".
        dropped: The arguments that go.
        problem: Why it is left as it is; None where it can be rewritten.
        remedy: What a person does about `problem`.
    """

    call: cst.Call
    name: str
    dropped: tuple[cst.Arg, ...] = ()
    problem: str | None = None
    remedy: str = "create_client()"


def find_clients(program: Program, asked: Sequence[ImageCall]) -> list[Client]:
    """Find the calls that make clients, and decide for each whether it can be rewritten.

    Args:
        program: The source.
        asked: Its image calls.
    """
    found = {call: sorted(program.imported(call.func) & {*_FACTORIES, *_AZURE}) for call in program.all(cst.Call)}
    made = {call: classes[0] for call, classes in found.items() if classes}
    names = names_of(program, made)
    uses = list(_other_uses(program))
    askers = {one.client for one in asked if not one.of_module}
    clients = []
    for call, name in made.items():
        # Whatever is not another client's may be this one's, under another name.
        others = {one for other in made if other is not call for one in names[other]} - names[call]
        problem = _use_problem(
            program, call, names[call], askers - others, [use for use in uses if use[0] not in others]
        )
        clients.append(_judge(program, call, name, problem))
    return clients


def key_literals(program: Program, clients: Sequence[Client]) -> set[cst.CSTNode]:
    """Return the literals that clients are given as keys."""
    keys = [arg.value for one in clients for arg in one.call.args if _keyword(arg) in _SECRETS]
    return {literal for key in keys for literal in literals_of(program, key)}


def _use_problem(
    program: Program, call: cst.Call, names: set[str], askers: set[str], uses: list[tuple[str, str, int]]
) -> str | None:
    """Return why a client may be needed for more than pictures, or not for pictures; None where neither seems so."""
    if uses:
        what = ", ".join(f"{use} in line {line}" for _, use, line in uses[:3])
        return f"also serves {what}, which IONOS has with other models or not at all"
    if not askers or not (askers & names or may_be_elsewhere(program, names)):
        return "asks for no picture in this file: other code may use it for chat"
    line = line_handed_on(program, call, names)
    return f"is handed to other code in line {line}, which may use it for chat" if line else None


def _judge(program: Program, call: cst.Call, name: str, use_problem: str | None) -> Client:
    def left(problem: str, remedy: str) -> Client:
        return Client(call=call, name=name, problem=problem, remedy=remedy)

    remedy = f"{_FACTORIES.get(name, 'create_client')}()"
    if name in _AZURE:
        return left("is Azure's: its address, key and deployments mean nothing at IONOS", remedy)
    if not program.is_one_thing(call.func):
        return left("has a name that is bound in more than one way: not understood", remedy)
    if any(arg.star or arg.keyword is None for arg in call.args):
        return left("has arguments that cannot be seen here", f"{remedy} with timeout=, max_retries= and the like only")
    dropped: list[cst.Arg] = []
    for arg in call.args:
        verdict = _verdict(program, arg)
        if verdict == "drop":
            dropped.append(arg)
        elif verdict != "keep":
            return left(verdict, f"{remedy}, which reads IONOS_API_TOKEN")
    if use_problem:
        return left(use_problem, f"a client for the pictures alone: {remedy}")
    return Client(call=call, name=name, dropped=tuple(dropped))


def _keyword(arg: cst.Arg) -> str:
    return arg.keyword.value if arg.keyword else ""


def _verdict(program: Program, arg: cst.Arg) -> str:
    """Return "keep", "drop", or why the client is left as it is."""
    name = _keyword(arg)
    if name in _KEPT:
        return "keep"
    if name == "default_headers":
        return "keep" if _harmless_headers(program, arg.value) else "has default_headers that may be another service's"
    source = source_of(program, arg.value)
    if name == "api_key":
        if source == "ionos":
            return "keep"
        return "drop" if source != "unknown" else "has an api_key from elsewhere: it may be OpenAI's"
    if name == "base_url":
        return _address_verdict(program, arg.value, source)
    if name in _SENSELESS:
        return "drop" if not _does_something(program, arg) else f"does something else within {name}="
    return f"has {name}=, which is not known to make sense at IONOS"


def _address_verdict(program: Program, value: cst.BaseExpression, source: str) -> str:
    literal = literal_of(program, value)
    host = _host(text_of(literal) or "")
    if host == "ionos.com" or host.endswith(".ionos.com") or source == "ionos":
        return "keep"
    if source == "nothing" or host == "api.openai.com" or (source == "openai" and literal is None):
        return "drop"
    return "has a base_url that is not OpenAI's: it asks another service"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _harmless_headers(program: Program, value: cst.BaseExpression) -> bool:
    if not isinstance(value, cst.Dict):
        return False
    keys = [text_of(one.key) if isinstance(one, cst.DictElement) else None for one in value.elements]
    start, end = program.span(value)
    return None not in keys and not any(_HEADERS_OF_OTHERS.search(key or "") for key in keys) and end > start


def _does_something(program: Program, arg: cst.Arg) -> bool:
    kinds = (cst.NamedExpr, cst.Await, cst.Yield)
    return any(arg in program.ancestors(node) for kind in kinds for node in program.all(kind))


def _other_uses(program: Program) -> Iterator[tuple[str, str, int]]:
    """Yield whose method is called, which one, and where, for all that is no picture."""
    for call in program.all(cst.Call):
        parts = chain(call.func)
        for index in range(1, len(parts) - 1):
            if parts[index] in _OTHERS and (parts[index] != "files" or len(parts) == index + 2):
                if _STEPS.intersection(parts[index + 1 :]):
                    yield parts[index - 1], ".".join(parts[index:]), program.line(call)
                break


def describe(program: Program, clients: Sequence[Client]) -> Iterator[Finding]:
    """Report the clients, and other uses of their classes that matter."""
    for client in clients:
        short = client.name.rpartition(".")[2]
        kept = ", ".join(f"{_keyword(arg)}=..." for arg in client.call.args if arg not in client.dropped)
        dropped = ", ".join(_keyword(arg) for arg in client.dropped)
        if client.problem:
            yield _finding(program, client.call, f"{short}(...) {client.problem}", client.remedy, hand=True)
            continue
        remedy = f"{_FACTORIES[client.name]}({kept})" + (f", without {dropped}" if dropped else "")
        yield _finding(program, client.call, f"makes a client with {short}", remedy, hand=False)
    yield from _other_references(program, clients)


def _finding(program: Program, node: cst.CSTNode, code: str, remedy: str, *, hand: bool) -> Finding:
    return Finding(
        line=program.line(node),
        kind="client",
        code=code,
        on_ionos="as it stands, it asks a service other than IONOS",
        remedy=remedy,
        effort="hand" if hand else "write",
    )


def _other_references(program: Program, clients: Sequence[Client]) -> Iterator[Finding]:
    called = {one.call.func for one in clients}
    for node in [*program.all(cst.Name), *program.all(cst.Attribute)]:
        names = program.imported(node) & {*_FACTORIES, *_AZURE} if node not in called else set()
        parent = program.parent(node)
        if not names or (isinstance(parent, cst.Attribute) and parent.attr is node):
            continue
        if isinstance(parent, cst.ClassDef | cst.Arg) and isinstance(_holder(program, node), cst.ClassDef):
            yield _finding(program, node, "derives a class from OpenAI's client", "use create_client()", hand=True)
        elif _is_handed_on(program, node):
            yield _finding(program, node, "hands on OpenAI's client class", "hand on create_client instead", hand=True)
    yield from _stars_and_wrappers(program)
    for text in program.all(cst.SimpleString):
        if re.fullmatch(r"\w+(?:\.\w+)*\.(?:Async)?OpenAI", text.raw_value) and _is_first_argument(program, text):
            yield _finding(
                program, text, f"names {text.raw_value} in a text", "the name of the factory, as patched", hand=True
            )


def _holder(program: Program, node: cst.CSTNode) -> cst.CSTNode | None:
    parent = program.parent(node)
    return program.parent(parent) if isinstance(parent, cst.Arg) else parent


def _is_handed_on(program: Program, node: cst.CSTNode) -> bool:
    parent = program.parent(node)
    if isinstance(parent, cst.Arg):
        call = program.parent(parent)
        return isinstance(call, cst.Call) and chain(call.func)[-1] not in {"isinstance", "issubclass", "cast", "Mock"}
    return isinstance(parent, cst.Assign | cst.Return | cst.DictElement | cst.Param) and not isinstance(
        getattr(parent, "annotation", None), type(node)
    )


def _is_first_argument(program: Program, node: cst.CSTNode) -> bool:
    arg = program.parent(node)
    call = program.parent(arg) if isinstance(arg, cst.Arg) else None
    return isinstance(call, cst.Call) and call.args[0] is arg


def _stars_and_wrappers(program: Program) -> Iterator[Finding]:
    for imported in program.all(cst.ImportFrom):
        if isinstance(imported.names, cst.ImportStar) and _module(imported) == "openai":
            yield _finding(program, imported, "imports all of openai", "import create_client by its name", hand=True)
    for call in program.all(cst.Call):
        for name in program.imported(call.func):
            # A class of the project's own (".clients.OpenAI") is reported where it is written.
            if name not in {*_FACTORIES, *_AZURE} and _WRAPPER.fullmatch(name):
                yield _finding(
                    program,
                    call,
                    f"makes a client with {name}",
                    "give it a client from create_client(), or IONOS' address and token",
                    hand=True,
                )


def _module(imported: cst.ImportFrom) -> str:
    return ".".join(chain(imported.module)) if imported.module and not imported.relative else ""


def rewrite(program: Program, clients: Sequence[Client]) -> list[Edit] | None:
    """Return the edits that make clients with the factories.

    Returns:
        The edits; None where the names that they would need are taken.
    """
    chosen = [one for one in clients if one.problem is None]
    if not chosen:
        return []
    local = {factory: _free_name(program, factory) for factory in {_FACTORIES[one.name] for one in chosen}}
    if None in local.values():
        return None
    edits: list[Edit] = []
    for one in chosen:
        start, end = program.span(one.call.func)
        edits.append(Edit(start=start, end=end, new=(local[_FACTORIES[one.name]] or "").encode()))
        edits += _drop_arguments(program, one)
    return edits + _rewrite_imports(program, chosen, {key: value or "" for key, value in local.items()})


def _free_name(program: Program, factory: str) -> str | None:
    ours = f"{PACKAGE}.{factory}"
    for name in (factory, factory.replace("_client", "_ionos_client")):
        imports = [alias for alias in program.all(cst.ImportAlias) if _local_name(alias) == name]
        theirs = [alias for alias in imports if not _is_ours(program, alias, factory)]
        if not theirs and all(program.imported(node) == {ours} for node in program.references(name)):
            return name
    return None


def _is_ours(program: Program, alias: cst.ImportAlias, factory: str) -> bool:
    statement = program.parent(alias)
    return isinstance(statement, cst.ImportFrom) and _module(statement) == PACKAGE and chain(alias.name) == [factory]


def _local_name(alias: cst.ImportAlias) -> str:
    return chain(alias.asname.name)[-1] if alias.asname else chain(alias.name)[0]


def _drop_arguments(program: Program, client: Client) -> list[Edit]:
    items = [_item(program, arg, dropped=arg in client.dropped) for arg in client.call.args]
    if not items:
        return []
    _, end = program.span(client.call)
    start = program.data.index(b"(", program.span(client.call.whitespace_after_func)[1])
    return drop_items(program.data, start + 1, end - 1, items)


def _item(program: Program, node: cst.Arg | cst.ImportAlias, *, dropped: bool) -> Item:
    start, end = program.span(node)
    after = program.span(node.comma)[1] if isinstance(node.comma, cst.Comma) else end
    # The span of a comma has its blanks; the comma itself is its first byte that is none.
    if isinstance(node.comma, cst.Comma):
        after = program.data.index(b",", end, max(after, end + 1)) + 1
    return Item(start=start, end=end, after=after, dropped=dropped)


def _rewrite_imports(program: Program, clients: Sequence[Client], local: dict[str, str]) -> list[Edit]:
    needed: dict[str, set[str]] = {}
    used: set[cst.CSTNode] = set()
    for client in clients:
        base = client.call.func
        while isinstance(base, cst.Attribute):
            base = base.value
        used.add(base)
        needed.setdefault(chain(base)[0], set()).add(_FACTORIES[client.name])
    gone = {name for name in needed if _is_unused(program, name, used)}
    statements: list[cst.ImportFrom | cst.Import] = [*program.all(cst.ImportFrom), *program.all(cst.Import)]
    edits: list[Edit] = []
    brought: set[str] = set()
    for statement in sorted(statements, key=program.span):
        aliases = _clients_in(statement, needed)
        factories = {factory for one in aliases for factory in needed[_local_name(one)]}
        dropped = [one for one in aliases if _local_name(one) in gone]
        edits += _rewrite_import(program, statement, factories - brought, dropped, local)
        if _is_of_module(program, statement):
            brought |= factories | _factories_in(statement, local)
    return edits


def _is_unused(program: Program, name: str, used: set[cst.CSTNode]) -> bool:
    """Tell whether an import of `name` serves nothing but clients that are rewritten."""
    if program.name.rpartition("/")[2] == "__init__.py" or set(program.references(name)) - used:
        return False
    # A type, an entry of __all__ or the target of a patch may stand in a string.
    word = re.compile(rf"(?=.*\b{re.escape(name)}\b)[\w.\[\]'\"]+(?:\s*[|,]\s*[\w.\[\]'\"]+)*")
    strings = (node.raw_value for node in program.all(cst.SimpleString) if not program.is_docstring(node))
    return not any(word.fullmatch(text) and not text.startswith(("OPENAI", "http")) for text in strings)


def _clients_in(statement: cst.ImportFrom | cst.Import, needed: Collection[str]) -> list[cst.ImportAlias]:
    if isinstance(statement.names, cst.ImportStar):
        return []
    return [one for one in statement.names if _brings_client(statement, one) and _local_name(one) in needed]


def _is_of_module(program: Program, statement: cst.CSTNode) -> bool:
    """Tell whether what a statement imports is there for all that follows in the file."""
    line = program.parent(statement)
    return line is not None and isinstance(program.parent(line), cst.Module)


def _factories_in(statement: cst.ImportFrom | cst.Import, local: dict[str, str]) -> set[str]:
    """Return the factories that a file's own import brings under the names that are used."""
    if isinstance(statement.names, cst.ImportStar) or not isinstance(statement, cst.ImportFrom):
        return set()
    names = {_local_name(one) for one in statement.names if _module(statement) == PACKAGE}
    return {factory for factory, name in local.items() if name in names}


def _rewrite_import(
    program: Program,
    statement: cst.ImportFrom | cst.Import,
    factories: set[str],
    dropped: Sequence[cst.ImportAlias],
    local: dict[str, str],
) -> list[Edit]:
    """Put an import of factories before a statement, and take from it what is not needed any more."""
    if isinstance(statement.names, cst.ImportStar) or not (factories or dropped):
        return []
    words = [name if local[name] == name else f"{name} as {local[name]}" for name in sorted(factories)]
    new = f"from {PACKAGE} import {', '.join(words)}".encode() if words else b""
    start, end = program.span(statement)
    if len(dropped) == len(statement.names):
        return [Edit(start=start, end=end, new=new) if new else _drop_statement(program, statement)]
    items = [_item(program, one, dropped=one in dropped) for one in statement.names]
    inner = items[-1].after if statement.names[-1] not in dropped else end
    closing = program.data.rfind(b")", start, end)
    first = items[0].start
    if isinstance(statement, cst.ImportFrom) and statement.lpar is not None:
        first, inner = program.data.rindex(b"(", start, items[0].start) + 1, closing
    new += _separator(program, statement, start) if new else b""
    return [Edit(start=start, end=start, new=new), *drop_items(program.data, first, inner, items)]


def _drop_statement(program: Program, statement: cst.CSTNode) -> Edit:
    start, end = program.span(statement)
    line_end = re.compile(rb"[ \t\f]*(?:\r\n|\r|\n|(?=#)|$)").match(program.data, end)
    if line_end and start == program.line_start(start):
        return Edit(start=start, end=line_end.end())
    # Another statement shares the line.
    return Edit(start=start, end=end, new=b"pass")


def _brings_client(statement: cst.ImportFrom | cst.Import, alias: cst.ImportAlias) -> bool:
    if isinstance(statement, cst.Import):
        return chain(alias.name) == ["openai"]
    return _module(statement) == "openai" and f"openai.{chain(alias.name)[0]}" in _FACTORIES


def _separator(program: Program, statement: cst.CSTNode, start: int) -> bytes:
    line = program.parent(statement)
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) != 1:
        return b"; "
    begin = program.line_start(start)
    newline = re.compile(rb"\r\n|\r|\n").search(program.data, start)
    return (newline[0] if newline else b"\n") + program.data[begin:start]
