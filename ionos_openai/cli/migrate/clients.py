"""Where clients of OpenAI's are made, and the edits that make them with `create_client` instead."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import libcst as cst
from libcst import matchers

from ionos_openai.cli.migrate.client_names import ClientNames
from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.keys import literal_of, literals_of, source_of
from ionos_openai.cli.migrate.program import chain, imported_module, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ionos_openai.cli.migrate.findings import Effort, Finding
    from ionos_openai.cli.migrate.image_calls import ImageCall
    from ionos_openai.cli.migrate.program import Program

FACTORIES = {
    "openai.OpenAI": "create_client",
    "openai.Client": "create_client",
    "openai.AsyncOpenAI": "create_async_client",
    "openai.AsyncClient": "create_async_client",
}
"""Which factory makes what a class of OpenAI's makes."""

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
_DOES_SOMETHING = matchers.NamedExpr() | matchers.Await() | matchers.Yield()
_TYPE_CHECKS = frozenset({"isinstance", "issubclass", "cast", "Mock"})
# What `patch` is given.
_PATCHED = re.compile(r"\w+(?:\.\w+)*\.(?:Async)?OpenAI")
_HEADERS_OF_OTHERS = re.compile(r"(?i)authorization|api-?key|openai-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One call that makes a client."""

    call: cst.Call  # the call
    name: str  # the class, such as "openai.OpenAI"
    dropped: tuple[cst.Arg, ...] = ()  # the arguments that go
    problem: str | None = None  # why it is left as it is; None where it can be rewritten
    remedy: str = "create_client()"  # what a person does about `problem`


def find_clients(program: Program, asked: Sequence[ImageCall]) -> list[Client]:
    """Find the calls that make clients, and decide by the image calls for each whether it can be rewritten."""
    found = {call: sorted(program.imported(call.func) & {*FACTORIES, *_AZURE}) for call in program.all(cst.Call)}
    made = {call: classes[0] for call, classes in found.items() if classes}
    if not made:
        return []
    names = ClientNames(program, made)
    uses = list(_other_uses(program))
    askers = {request.client for request in asked if not request.of_module}
    clients = []
    for call, name in made.items():
        others = names.of_others(call)
        its_uses = [(use, line) for owner, use, line in uses if owner not in others]
        problem = _use_problem(names, call, askers - others, its_uses)
        clients.append(_judge(program, call, name, problem))
    return clients


def key_literals(program: Program, clients: Sequence[Client]) -> set[cst.BaseExpression]:
    """Return the literals that clients are given as keys."""
    args = [arg for client in clients for arg in client.call.args]
    return literals_of(program, [arg.value for arg in args if _keyword(arg) in _SECRETS])


def _use_problem(names: ClientNames, call: cst.Call, askers: set[str], uses: list[tuple[str, int]]) -> str | None:
    """Return why a client may be needed for more than pictures, or not for pictures; None where neither seems so."""
    if uses:
        what = ", ".join(f"{use} in line {line}" for use, line in uses[:3])
        return f"also serves {what}, which IONOS has with other models or not at all"
    if not askers or not (askers & names.by_call[call] or names.may_be_elsewhere(call)):
        return "asks for no picture in this file: other code may use it for chat"
    line = names.line_handed_on(call)
    return f"is handed to other code in line {line}, which may use it for chat" if line else None


def _judge(program: Program, call: cst.Call, name: str, use_problem: str | None) -> Client:
    def left(problem: str, remedy: str) -> Client:
        return Client(call=call, name=name, problem=problem, remedy=remedy)

    remedy = f"{FACTORIES.get(name, 'create_client')}()"
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
        return "keep" if _harmless_headers(arg.value) else "has default_headers that may be another service's"
    source = source_of(program, arg.value)
    if name == "api_key":
        if source == "ionos":
            return "keep"
        return "drop" if source != "unknown" else "has an api_key from elsewhere: it may be OpenAI's"
    if name == "base_url":
        return _address_verdict(program, arg.value, source)
    if name in _SENSELESS:
        return "drop" if not matchers.findall(arg, _DOES_SOMETHING) else f"does something else within {name}="
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


def _harmless_headers(value: cst.BaseExpression) -> bool:
    if not isinstance(value, cst.Dict):
        return False
    keys = [text_of(getattr(entry, "key", None)) for entry in value.elements]
    return all(key is not None and not _HEADERS_OF_OTHERS.search(key) for key in keys)


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
        if client.problem:
            yield _finding(program, client.call, f"{short}(...) {client.problem}", client.remedy)
            continue
        kept = ", ".join(f"{_keyword(arg)}=..." for arg in client.call.args if arg not in client.dropped)
        dropped = ", ".join(_keyword(arg) for arg in client.dropped)
        remedy = f"{FACTORIES[client.name]}({kept})" + (f", without {dropped}" if dropped else "")
        yield _finding(program, client.call, f"makes a client with {short}", remedy, "write")
    called = {client.call.func for client in clients}
    names: list[cst.Name | cst.Attribute] = [*program.all(cst.Name), *program.all(cst.Attribute)]
    for node in names:
        if node not in called and program.imported(node) & {*FACTORIES, *_AZURE}:
            yield from _reference(program, node)
    for imported in program.all(cst.ImportFrom):
        if isinstance(imported.names, cst.ImportStar) and imported_module(imported) == "openai":
            yield _finding(program, imported, "imports all of openai", "import create_client by its name")
    for call in program.all(cst.Call):
        for name in program.imported(call.func):
            # A class of the project's own (".clients.OpenAI") is reported where it is written.
            if name not in {*FACTORIES, *_AZURE} and _WRAPPER.fullmatch(name):
                remedy = "give it a client from create_client(), or IONOS' address and token"
                yield _finding(program, call, f"makes a client with {name}", remedy)
    for text in program.all(cst.SimpleString):
        if _PATCHED.fullmatch(text.raw_value) and _is_first_argument(program, text):
            yield _finding(program, text, f"names {text.raw_value} in a text", "the name of the factory, as patched")


def _finding(program: Program, node: cst.CSTNode, code: str, remedy: str, effort: Effort = "hand") -> Finding:
    return dataclasses.replace(FACTS["client: class"].at(program.line(node), code), remedy=remedy, effort=effort)


def _reference(program: Program, node: cst.Name | cst.Attribute) -> Iterator[Finding]:
    """Report the name of a client's class where it is derived from or handed on."""
    parent = program.parent(node)
    outer = program.parent(parent) if isinstance(parent, cst.Arg) else parent
    if isinstance(outer, cst.ClassDef):
        yield _finding(program, node, "derives a class from OpenAI's client", "use create_client()")
    elif isinstance(parent, cst.Assign | cst.Return | cst.DictElement | cst.Param) or (
        isinstance(parent, cst.Arg) and isinstance(outer, cst.Call) and chain(outer.func)[-1] not in _TYPE_CHECKS
    ):
        yield _finding(program, node, "hands on OpenAI's client class", "hand on create_client instead")


def _is_first_argument(program: Program, node: cst.CSTNode) -> bool:
    arg = program.parent(node)
    call = program.parent(arg) if isinstance(arg, cst.Arg) else None
    return isinstance(call, cst.Call) and call.args[0] is arg
