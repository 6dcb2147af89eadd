"""Where clients of OpenAI's are made, what for, and how `create_client` makes them instead."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ionos_openai.cli.migrate.client_names import ClientNames
from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.keys import literal_of, literals_of, source_of
from ionos_openai.cli.migrate.program import arguments, chain, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ionos_openai.cli.migrate.findings import Effort, Finding, Others
    from ionos_openai.cli.migrate.image_calls import ImageCall
    from ionos_openai.cli.migrate.program import Program

FACTORIES = {
    "openai.OpenAI": "create_client",
    "openai.Client": "create_client",
    "openai.AsyncOpenAI": "create_async_client",
    "openai.AsyncClient": "create_async_client",
    "openai.AzureOpenAI": "create_client",
    "openai.AsyncAzureOpenAI": "create_async_client",
}
"""Which factory makes what a class of OpenAI's makes."""

_AZURE = frozenset({"openai.AzureOpenAI", "openai.AsyncAzureOpenAI"})
_OURS = frozenset({"ionos_openai.create_client", "ionos_openai.create_async_client"})
_SECRETS = frozenset({"api_key", "azure_ad_token", "admin_api_key", "webhook_secret"})
_KEPT = frozenset({"timeout", "max_retries", "default_query", "http_client"})
_SENSELESS = frozenset(
    {"azure_endpoint", "azure_deployment", "azure_ad_token", "azure_ad_token_provider", "api_version"}
    | {"organization", "project", "webhook_secret", "admin_api_key", "websocket_base_url", "data_residency"}
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
# Classes of other packages: those that wrap OpenAI's client, and those of other services.
_WRAPPER = re.compile(r"\w.*\bopenai\.(?:Async)?(?:Azure)?OpenAI")
_FOREIGN = re.compile(
    r"\w.*\.(?:Async)?(?:(?:Azure)?OpenAI|Client|Together|Groq|Replicate|InferenceClient|ZhipuAI|Ark)"
)
_SIDE_EFFECTS = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
_TYPE_CHECKS = frozenset({"isinstance", "issubclass", "cast", "Mock"})
_SOURCES = frozenset({"getsource", "getsourcelines"})
# What `patch` is given.
_PATCHED = re.compile(r"\w+(?:\.\w+)*\.(?:Async)?OpenAI")
_HEADERS_OF_OTHERS = re.compile(r"(?i)authorization|api-?key|openai-")
_OTHER_SERVICE = "has a base_url that is not OpenAI's: it asks another service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One call that makes a client which is asked for pictures."""

    call: ast.Call  # the call
    name: str  # the class, such as "openai.OpenAI"
    draws: tuple[ImageCall, ...] = ()  # the calls that may ask it for pictures
    dropped: tuple[ast.keyword, ...] = ()  # the arguments that go
    problem: str | None = None  # why it is left as it is; None where it can be rewritten
    remedy: str = "create_client()"  # what a person does about `problem`
    beside: ast.stmt | None = None  # the statement after which a second client, for pictures alone, can be made

    @property
    def is_foreign(self) -> bool:
        """Whether it is known to ask another service than OpenAI's."""
        is_known = self.name in {*FACTORIES, *_OURS} or _WRAPPER.fullmatch(self.name)
        return self.problem == _OTHER_SERVICE or not is_known


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of a file, and the calls for pictures that no client of the file is known to get."""

    made: tuple[Client, ...]  # those that are asked for pictures
    unseen: tuple[ImageCall, ...]  # the calls whose client comes from elsewhere
    advised: tuple[ImageCall, ...]  # the calls that may reach OpenAI or IONOS
    draws: frozenset[str]  # full names of what the file imports and asks for pictures
    names: frozenset[str]  # what the clients of OpenAI's go by in the file
    ours: tuple[ImageCall, ...]  # the calls whose client a factory makes already
    chats: bool = False  # whether clients of the file are used for more than pictures
    # full names of what the file imports and asks for something else, or hands on
    other_uses: frozenset[str] = frozenset()


def find_clients(program: Program, asked: Sequence[ImageCall], others: Others, *, calls: bool) -> Clients:
    """Find the calls that make clients, and decide for each by its uses, then by its arguments.

    Where `calls` are changed too, so are the clients that are Azure's, since no deployment's name is left.
    """
    made = {call: name for call in program.all(ast.Call) if (name := _class(program, call, others))}
    names = ClientNames(program, made)
    uses = [(names.label(owner), owner, use, line) for owner, use, line in _other_uses(program)]
    askers = [draw for draw in asked if not draw.of_module]
    labels = {draw.node: names.label(draw.asked) if draw.asked else "" for draw in askers}
    imported = {draw.node: names.full_names(draw.asked) for draw in askers if labels[draw.node] not in names.all}
    drawn: defaultdict[str, list[ImageCall]] = defaultdict(list)
    used: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for draw in askers:
        if not imported.get(draw.node):
            drawn[labels[draw.node] if labels[draw.node] in names.all else ""].append(draw)
    for label, _, use, line in uses:
        used[label if label in names.all else ""].append((use, line))
    sent = _sent_as_source(program) if made else set()
    clients = []
    for call, name in made.items():
        labels_of = (*names.by_call[call], *([""] if names.may_be_elsewhere(call) else []))
        draws = tuple(draw for label in labels_of for draw in drawn.get(label, ()))
        chats = sorted((use for label in {*labels_of, ""} for use in used.get(label, ())), key=lambda use: use[1])
        client = Client(call=call, name=name, draws=draws)
        clients.append(_judge(program, names, client, chats, sent, others, calls=calls))
    found = _sorted(names, clients, asked, imported, others)
    other_uses = {name for _, owner, _, _ in uses for name in names.full_names(owner)}
    return dataclasses.replace(found, chats=bool(uses), other_uses=frozenset(other_uses | _given(program)))


def _sorted(
    names: ClientNames,
    clients: Sequence[Client],
    asked: Sequence[ImageCall],
    imported: Mapping[ast.Call, set[str]],
    others: Others,
) -> Clients:
    """Sort clients and calls for pictures by whose they are."""
    own = [client for client in clients if client.name not in _OURS and not client.is_foreign]
    seen = {draw.node for client in clients for draw in client.draws}
    foreign = {draw.node for client in clients for draw in client.draws if client.is_foreign}
    foreign -= {draw.node for client in clients for draw in client.draws if not client.is_foreign}
    foreign |= {node for node, found in imported.items() if any(_is_foreign(name, others) for name in found)}
    known = {node for node, found in imported.items() if found & others.clients}
    return Clients(
        made=tuple(client for client in own if client.draws or _outside(names, client, others)),
        unseen=tuple(draw for draw in asked if not draw.of_module and draw.node not in seen | foreign | known),
        advised=tuple(draw for draw in asked if draw.node not in foreign),
        draws=frozenset().union(*imported.values()),
        names=frozenset().union(*(names.by_call[client.call] for client in own)),
        ours=tuple(draw for client in clients if client.name in _OURS for draw in client.draws),
    )


def _class(program: Program, call: ast.Call, others: Others) -> str | None:
    """Return the full name of the class of clients that a call makes one of."""
    found = sorted(program.imported(call.func))
    known = [name for name in found if name in {*FACTORIES, *_OURS}]
    return next(iter(known or [name for name in found if _is_foreign(name, others) or _WRAPPER.fullmatch(name)]), None)


def _is_foreign(name: str, others: Others) -> bool:
    root = name.partition(".")[0]
    return bool(_FOREIGN.fullmatch(name)) and root not in {"openai", "ionos_openai", *others.modules}


def _given(program: Program) -> set[str]:
    return {name for call in program.all(ast.Call) for _, value in arguments(call) for name in program.imported(value)}


def _outside(names: ClientNames, client: Client, others: Others) -> list[str]:
    return sorted({file for name in names.by_call[client.call] for file in others.draw.get(name, ())})


def key_literals(program: Program) -> set[ast.expr]:
    """Return the literals that clients are given as keys, of whichever service."""
    found = []
    for call in program.all(ast.Call):
        if any(re.search(r"(?:OpenAI|Client)$", name) for name in program.imported(call.func)):
            found += [value for name, value in arguments(call) if name in _SECRETS]
    return literals_of(program, found)


def _judge(
    program: Program,
    names: ClientNames,
    client: Client,
    chats: list[tuple[str, int]],
    sent: set[str],
    others: Others,
    *,
    calls: bool,
) -> Client:
    """Decide whether a client can be rewritten: by what it is used for, then by its arguments."""
    call, name = client.call, client.name

    if name in _OURS:
        return client
    verdicts = [(argument, _verdict(program, argument)) for argument in call.keywords]
    problems = [verdict for _, verdict in verdicts if verdict not in {"drop", "keep"}]
    remedy = f"{FACTORIES.get(name, 'create_client')}()"
    if _OTHER_SERVICE in problems:
        return dataclasses.replace(client, problem=_OTHER_SERVICE)
    if problem := _obstacle(program, client, sent, calls=calls):
        return dataclasses.replace(client, problem=problem, remedy=remedy)
    client = dataclasses.replace(client, dropped=tuple(given for given, verdict in verdicts if verdict == "drop"))
    if problem := _use_problem(program, names, call, chats, others):
        lines = ", ".join(dict.fromkeys(program.where(program.line(draw.node)) for draw in client.draws))
        files = ", ".join(_outside(names, client, others))
        used = " and ".join([*([f"in {lines}"] if lines else []), *([f"by {files}"] if files else [])])
        beside = None if problems or not chats else _statement_beside(program, client)
        return dataclasses.replace(client, problem=problem, remedy=f"pictures = {remedy}, used {used}", beside=beside)
    problem = problems[0] if problems else None
    return dataclasses.replace(client, problem=problem, remedy=f"{remedy}, which reads IONOS_API_TOKEN")


def _obstacle(program: Program, client: Client, sent: set[str], *, calls: bool) -> str | None:
    """Return why a client cannot be made in another way where it stands."""
    func = client.call.func
    if client.name in _AZURE and not calls:
        return "is Azure's: its address, key and deployments mean nothing at IONOS"
    if client.name not in FACTORIES:
        return f"is {client.name}'s: what it does with the client is not seen"
    around = {getattr(outer, "name", "") for outer in program.ancestors(func)}
    if not sent.isdisjoint({chain(func)[0], chain(func)[-1], *around}):
        return "stands in code that is handed on as text or with its imports by name"
    for_types = any(_is_for_types(program, binding) for binding in program.bindings(func))
    if for_types or not program.is_one_thing(func):
        return "has a name that is bound in more than one way: not understood"
    is_hidden = client.call.args or any(keyword.arg is None for keyword in client.call.keywords)
    return "has arguments that cannot be seen here" if is_hidden else None


def _use_problem(
    program: Program, names: ClientNames, call: ast.Call, chats: list[tuple[str, int]], others: Others
) -> str | None:
    """Return why a client may be needed for more than pictures; None where that does not seem so."""
    if chats:
        what = ", ".join(f"{use} in {program.where(line)}" for use, line in chats[:3])
        return f"also serves {what}, which IONOS has with other models or not at all"
    files = sorted({file for name in names.by_call[call] for file in others.use_otherwise.get(name, ())})
    if files:
        return f"is used by {', '.join(files[:3])} for more than pictures"
    line = names.line_handed_on(call)
    return f"is handed to other code in {program.where(line)}, which may use it for chat" if line else None


def _is_for_types(program: Program, binding: ast.AST) -> bool:
    outer = [parent for parent in program.ancestors(binding) if isinstance(parent, ast.If)]
    return any(chain(parent.test)[-1] == "TYPE_CHECKING" for parent in outer)


def _sent_as_source(program: Program) -> set[str]:
    """Return the classes that a call names beside their package, and the functions whose source is asked for."""
    classes = {name.rpartition(".")[2] for name in FACTORIES}
    sent: set[str] = set()
    for node in (node for node, text in program.texts if text == "openai"):
        call = next((outer for outer in program.ancestors(node) if isinstance(outer, ast.Call)), None)
        sent |= {text_of(inner) or "" for inner in ast.walk(call)} & classes if call else set()
    reads = [call for call in program.all(ast.Call) if chain(call.func)[-1] in _SOURCES]
    return sent | {chain(value)[-1] for call in reads for _, value in arguments(call)}


def _statement_beside(program: Program, client: Client) -> ast.stmt | None:
    """Return the statement that makes a client, where one for the pictures alone can be made behind it."""
    statement = program.parent(client.call)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or len(targets) != 1 or not client.draws:
        return None
    target = targets[0]
    if not isinstance(target, ast.Name | ast.Attribute) or "" in chain(target) or program.text.count("pictures") > 0:
        return None
    for draw in client.draws:
        if draw.asked is None or chain(draw.asked) != chain(target) or not isinstance(draw.asked, type(target)):
            return None
        if isinstance(target, ast.Name) and target not in program.bindings(draw.asked):
            return None
        if isinstance(target, ast.Attribute) and program.class_of(target) is not program.class_of(draw.asked):
            return None
    return statement


def _verdict(program: Program, argument: ast.keyword) -> str:
    """Return "keep", "drop", or why the client is left as it is."""
    name, value = argument.arg or "", argument.value
    if name in _KEPT:
        return "keep"
    if name == "default_headers":
        return "keep" if _harmless_headers(value) else "has default_headers that may be another service's"
    source = source_of(program, value)
    if name == "base_url":
        return _address_verdict(program, value, source)
    if name == "api_key" and source == "ionos":
        return "keep"
    if name == "api_key" or name in _SENSELESS:
        # A key without an address is OpenAI's, wherever it comes from.
        changes = any(isinstance(node, _SIDE_EFFECTS) for node in ast.walk(value))
        return f"does something else within {name}=" if changes else "drop"
    return f"has {name}=, which is not known to make sense at IONOS"


def _address_verdict(program: Program, value: ast.expr, source: str) -> str:
    literal = literal_of(program, value)
    host = _host(text_of(literal) or "")
    if host == "ionos.com" or host.endswith(".ionos.com") or source == "ionos":
        return "keep"
    if source == "nothing" or host == "api.openai.com" or (source == "openai" and literal is None):
        return "drop"
    if literal is not None or isinstance(value, ast.JoinedStr):
        return _OTHER_SERVICE
    return "has a base_url from elsewhere: it may ask another service"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _harmless_headers(value: ast.expr) -> bool:
    keys = [text_of(key) for key in value.keys] if isinstance(value, ast.Dict) else [None]
    return all(key is not None and not _HEADERS_OF_OTHERS.search(key) for key in keys)


def _other_uses(program: Program) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield whose method is called, which one, and where, for all that is no picture."""
    for call in program.all(ast.Call):
        parts = chain(call.func)
        for index in range(1, len(parts) - 1):
            if parts[index] in _OTHERS and (parts[index] != "files" or len(parts) == index + 2):
                if _STEPS.intersection(parts[index + 1 :]):
                    owner: ast.expr = call.func
                    while chain(owner) != parts[:index] and isinstance(owner, ast.Attribute | ast.Call | ast.Await):
                        inner = owner.func if isinstance(owner, ast.Call) else owner.value
                        owner = inner
                    yield owner, ".".join(parts[index:]), program.line(call)
                break


def describe(program: Program, clients: Clients) -> Iterator[Finding]:
    """Report the clients, and other uses of their classes that matter."""
    for client in clients.made:
        short = client.name.rpartition(".")[2]
        if client.name not in FACTORIES:
            yield _finding(
                program, client.call, f"makes a client with {client.name}", "give it a client from create_client()"
            )
        elif client.problem:
            effort: Effort = "write" if client.beside else "hand"
            yield _finding(program, client.call, f"{short}(...) {client.problem}", client.remedy, effort)
        else:
            kept = ", ".join(f"{given.arg}=..." for given in client.call.keywords if given not in client.dropped)
            dropped = ", ".join(given.arg or "" for given in client.dropped)
            remedy = f"{FACTORIES[client.name]}({kept})" + (f", without {dropped}" if dropped else "")
            yield _finding(program, client.call, f"makes a client with {short}", remedy, "write")
    for call in clients.unseen:
        code = f"asks {call.client or 'a client'} for a picture; where that is made is not seen"
        yield _finding(program, call.node, code, "look where it is made: create_client() there")
    if clients.advised:
        yield from _references(program, {client.call.func for client in clients.made})


def _finding(program: Program, node: ast.AST, code: str, remedy: str, effort: Effort = "hand") -> Finding:
    return dataclasses.replace(FACTS["client: class"].at(program.line(node), code), remedy=remedy, effort=effort)


def _references(program: Program, called: set[ast.expr]) -> Iterator[Finding]:
    """Report the names of clients' classes where they are derived from, handed on, or written in a text."""
    nodes: list[ast.Name | ast.Attribute] = [*program.all(ast.Name), *program.all(ast.Attribute)]
    for node in nodes:
        if isinstance(node.ctx, ast.Load) and node not in called and program.imported(node) & FACTORIES.keys():
            parent = program.parent(node)
            outer = program.parent(parent) if isinstance(parent, ast.keyword) else parent
            if isinstance(outer, ast.ClassDef):
                yield _finding(program, node, "derives a class from OpenAI's client", "use create_client()")
            elif isinstance(outer, ast.Assign | ast.Return | ast.Dict | ast.arguments) or (
                isinstance(outer, ast.Call) and outer.func is not node and chain(outer.func)[-1] not in _TYPE_CHECKS
            ):
                yield _finding(program, node, "hands on OpenAI's client class", "hand on create_client instead")
    for statement in program.all(ast.ImportFrom):
        if statement.module == "openai" and statement.names[0].name == "*":
            yield _finding(program, statement, "imports all of openai", "import create_client by its name")
    for text_node, text in program.texts:
        call = program.parent(text_node)
        if _PATCHED.fullmatch(text) and isinstance(call, ast.Call) and call.args[:1] == [text_node]:
            yield _finding(program, text_node, f"names {text} in a text", "the name of the factory, as patched")
