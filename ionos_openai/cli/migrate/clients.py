"""Where clients of OpenAI's are made, what for, and how `create_client` makes them instead."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ionos_openai.cli.migrate.client_names import ClientNames
from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.keys import SECRETS, literal_of, source_of
from ionos_openai.cli.migrate.program import arguments, chain, owner, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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

_OURS = frozenset({"ionos_openai.create_client", "ionos_openai.create_async_client"})
_KEPT = frozenset({"timeout", "max_retries", "default_query", "http_client"})
_SENSELESS = SECRETS | {
    *("azure_endpoint", "azure_deployment", "azure_ad_token_provider", "api_version", "data_residency"),
    *("organization", "project", "websocket_base_url", "_strict_response_validation"),
}
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
# What `patch` is given.
_PATCHED = re.compile(r"\w+(?:\.\w+)*\.(?:Async)?OpenAI")
_HEADERS_OF_OTHERS = re.compile(r"(?i)authorization|api-?key|openai-")
_OTHER_SERVICE = "has a base_url that is not OpenAI's: it asks another service"
_MOST_PLACES = 20  # in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One call that makes a client."""

    call: ast.Call  # the call
    name: str  # the class, such as "openai.OpenAI"
    draws: Sequence[ImageCall]  # the calls that may ask it for pictures
    dropped: tuple[ast.keyword, ...] = ()  # the arguments that go
    problem: str | None = None  # why it is left as it is; None where it can be rewritten
    remedy: str = "create_client()"  # what a person does about `problem`
    beside: ast.Assign | ast.AnnAssign | None = None  # behind it, a second client for pictures alone can be made

    @property
    def is_foreign(self) -> bool:
        """Whether it is known to ask another service than OpenAI's."""
        is_known = self.name in {*FACTORIES, *_OURS} or _WRAPPER.fullmatch(self.name)
        return self.problem == _OTHER_SERVICE or not is_known

    @property
    def reaches_ionos(self) -> bool:
        """Whether what it is asked for pictures reaches IONOS once the file is written."""
        return not self.is_foreign and (not self.problem or self.beside is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """The clients of a file, and the calls for pictures that no client of the file is known to get."""

    every: Sequence[Client]  # all of them
    made: Sequence[Client]  # those that are asked for pictures, and that no factory makes
    unseen: Sequence[ImageCall]  # the calls whose client comes from elsewhere
    advised: Sequence[ImageCall]  # the calls that may reach OpenAI or IONOS
    draws: frozenset[str]  # full names of what the file imports and asks for pictures
    names: frozenset[str]  # what the clients of OpenAI's go by in the file
    chats: bool  # whether clients of the file are used for more than pictures
    other_uses: frozenset[str]  # full names of what it imports and asks for something else, or hands on

    @property
    def reaching(self) -> list[ImageCall]:
        """The calls that reach IONOS, and nothing else, once the file is written."""
        ready = _asking(client for client in self.every if client.reaches_ionos)
        left = _asking(client for client in self.every if not client.reaches_ionos)
        return [call for node, call in ready.items() if node not in left]


def _asking(clients: Iterable[Client]) -> dict[ast.Call, ImageCall]:
    """Return the calls that ask any of some clients, by their nodes."""
    several = {id(client.draws): client.draws for client in clients}
    return {call.node: call for calls in several.values() for call in calls}


def find_clients(program: Program, asked: Sequence[ImageCall], others: Others, *, calls: bool) -> Clients:
    """Find the calls that make clients, and decide for each by its uses, then by its arguments.

    Where `calls` are changed too, so are the clients that are Azure's, since no deployment's name is left.
    """
    search = _Search(program, asked, others, calls=calls)
    clients = [search.judge(call) for call in search.made]
    own = [client for client in clients if client.name not in _OURS and not client.is_foreign]
    foreign = set(_asking(client for client in clients if client.is_foreign))
    foreign -= set(_asking(client for client in clients if not client.is_foreign))
    imported = search.imported
    foreign |= {node for node, names in imported.items() if any(_is_foreign(name, others) for name in names)}
    known = {node for node, names in imported.items() if names & others.clients} | _asking(clients).keys()
    return Clients(
        every=clients,
        made=[client for client in own if client.draws or search.askers(client)],
        unseen=[draw for draw in asked if not draw.of_module and draw.node not in known | foreign],
        advised=[draw for draw in asked if draw.node not in foreign],
        draws=frozenset().union(*imported.values()),
        names=frozenset().union(*(search.names.by_call[client.call] for client in own)),
        chats=bool(search.used),
        other_uses=frozenset(search.other_uses),
    )


def _class(program: Program, call: ast.Call, others: Others) -> str | None:
    """Return the full name of the class of clients that a call makes one of."""
    found = sorted(program.imported(call.func))
    known = [name for name in found if name in {*FACTORIES, *_OURS}]
    return next(iter(known or [name for name in found if _is_foreign(name, others) or _WRAPPER.fullmatch(name)]), None)


def _is_foreign(name: str, others: Others) -> bool:
    root = name.partition(".")[0]
    return bool(_FOREIGN.fullmatch(name)) and root not in {"openai", "ionos_openai", *others.modules}


class _Search:
    """What a file makes clients with, what it calls them and what it asks them."""

    def __init__(self, program: Program, asked: Sequence[ImageCall], others: Others, *, calls: bool) -> None:
        self._program, self._others, self._calls = program, others, calls
        self.made = {call: name for call in program.all(ast.Call) if (name := _class(program, call, others))}
        self.names = ClientNames(program, self.made)
        self.imported: dict[ast.Call, set[str]] = {}
        self._drawn: defaultdict[str, list[ImageCall]] = defaultdict(list)
        for draw in (draw for draw in asked if not draw.of_module):
            label = self._label(draw.asked)
            self.imported[draw.node] = set() if label else self.names.full_names(draw.asked)
            if not self.imported[draw.node]:
                self._drawn[label].append(draw)
        self.used: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        every = program.all(ast.Call)
        self.other_uses = {name for call in every for _, value in arguments(call) for name in program.imported(value)}
        for user, use, line in _other_uses(program):
            self.used[self._label(user)].append((use, line))
            self.other_uses |= self.names.full_names(user)
        self._sent = _sent_as_source(program) if self.made else set()
        self._of_labels = functools.cache(self._find_of_labels)
        self._is_taken = "pictures" in program.text

    def _label(self, node: ast.expr) -> str:
        label = self.names.label(node)
        return label if label in self.names.all else ""

    def _find_of_labels(self, labels: frozenset[str]) -> tuple[list[ImageCall], list[tuple[str, int]]]:
        """Return what asks clients of some names for pictures, and what for something else."""
        draws = [draw for label in sorted(labels) for draw in self._drawn.get(label, ())]
        chats = [use for label in sorted(labels | {""}) for use in self.used.get(label, ())]
        return draws, sorted(chats, key=lambda use: use[1])

    def askers(self, client: Client) -> list[str]:
        """Return the other files that ask a client for pictures."""
        return self._files(client, self._others.draw)

    def _files(self, client: Client, by_name: Mapping[str, tuple[str, ...]]) -> list[str]:
        return sorted({file for name in self.names.by_call[client.call] for file in by_name.get(name, ())})

    def judge(self, call: ast.Call) -> Client:
        """Decide whether a client can be rewritten: by what it is used for, then by its arguments."""
        elsewhere = {""} if self.names.may_be_elsewhere(call) else set()
        draws, chats = self._of_labels(frozenset(self.names.by_call[call] | elsewhere))
        client = Client(call=call, name=self.made[call], draws=draws)
        if client.name in _OURS:
            return client
        verdicts = [(argument, _verdict(self._program, argument)) for argument in call.keywords]
        problems = [verdict for _, verdict in verdicts if verdict not in {"drop", "keep"}]
        remedy = f"{FACTORIES.get(client.name, 'create_client')}()"
        problem = _OTHER_SERVICE if _OTHER_SERVICE in problems else self._obstacle(client)
        if problem:
            return dataclasses.replace(client, problem=problem, remedy=remedy)
        client = dataclasses.replace(client, dropped=tuple(given for given, verdict in verdicts if verdict == "drop"))
        if problem := self._use_problem(client, chats):
            places = dict.fromkeys(self._program.where(self._program.line(draw.node)) for draw in draws[:_MOST_PLACES])
            used = [f"in {', '.join(places)}"] if places else []
            used += [f"by {', '.join(files)}"] if (files := self.askers(client)) else []
            remedy = f"pictures = {remedy}, used {' and '.join(used)}"
            beside = self._statement_beside(client) if self._calls and chats and not problems else None
            return dataclasses.replace(client, problem=problem, remedy=remedy, beside=beside)
        problem = problems[0] if problems else None
        return dataclasses.replace(client, problem=problem, remedy=f"{remedy}, which reads IONOS_API_TOKEN")

    def _obstacle(self, client: Client) -> str | None:
        """Return why a client cannot be made in another way where it stands."""
        func = client.call.func
        if "Azure" in client.name and client.name in FACTORIES and not self._calls:
            return "is Azure's: its address, key and deployments mean nothing at IONOS"
        if client.name not in FACTORIES:
            return f"is {client.name}'s: what it does with the client is not seen"
        around = {getattr(outer, "name", "") for outer in self._program.ancestors(func)} if self._sent else set()
        if not self._sent.isdisjoint({chain(func)[0], chain(func)[-1], *around}):
            return "stands in code that is handed on as text or with its imports by name"
        for_types = any(_is_for_types(self._program, binding) for binding in self._program.bound(func).nodes)
        if for_types or not self._program.is_one_thing(func):
            return "has a name that is bound in more than one way: not understood"
        is_hidden = client.call.args or any(keyword.arg is None for keyword in client.call.keywords)
        return "has arguments that cannot be seen here" if is_hidden else None

    def _use_problem(self, client: Client, chats: list[tuple[str, int]]) -> str | None:
        """Return why a client may be needed for more than pictures; None where that does not seem so."""
        if chats:
            what = ", ".join(f"{use} in {self._program.where(line)}" for use, line in chats[:3])
            return f"also serves {what}, which IONOS has with other models or not at all"
        if files := self._files(client, self._others.use_otherwise):
            return f"is used by {', '.join(files[:3])} for more than pictures"
        line = self.names.line_handed_on(client.call)
        return f"is handed to other code in {self._program.where(line)}, which may use it for chat" if line else None

    def _statement_beside(self, client: Client) -> ast.Assign | ast.AnnAssign | None:
        """Return the statement that makes a client, where one for the pictures alone can be made behind it."""
        program, statement = self._program, self._program.parent(client.call)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or not client.draws or self._is_taken:
            return None
        target, *more = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if more or not isinstance(target, ast.Name | ast.Attribute) or "" in chain(target):
            return None
        for draw in client.draws:
            if chain(draw.asked) != chain(target) or not isinstance(draw.asked, type(target)):
                return None
            if isinstance(target, ast.Name) and target not in program.bound(draw.asked).nodes:
                return None
            if isinstance(target, ast.Attribute) and (
                program.outer(target, ast.ClassDef) is not program.outer(draw.asked, ast.ClassDef)
            ):
                return None
        return statement


def _is_for_types(program: Program, binding: ast.AST) -> bool:
    outer = [parent for parent in program.ancestors(binding) if isinstance(parent, ast.If)]
    return any(chain(parent.test)[-1] == "TYPE_CHECKING" for parent in outer)


def _sent_as_source(program: Program) -> set[str]:
    """Return the classes that a call names beside their package, and the functions whose source is asked for."""
    classes = {name.rpartition(".")[2] for name in FACTORIES}
    sent: set[str] = set()
    calls = {program.outer(node, ast.Call) for node, text in program.texts if text == "openai"}
    for call in filter(None, calls):
        sent |= {text_of(inner) or "" for inner in ast.walk(call)} & classes
    reads = [call for call in program.all(ast.Call) if chain(call.func)[-1] in {"getsource", "getsourcelines"}]
    return sent | {chain(value)[-1] for call in reads for _, value in arguments(call)}


def _verdict(program: Program, argument: ast.keyword) -> str:
    """Return "keep", "drop", or why the client is left as it is."""
    name, value = argument.arg or "", argument.value
    if name in _KEPT:
        return "keep"
    if name == "default_headers":
        keys = [text_of(key) for key in value.keys] if isinstance(value, ast.Dict) else [None]
        is_harmless = all(key is not None and not _HEADERS_OF_OTHERS.search(key) for key in keys)
        return "keep" if is_harmless else "has default_headers that may be another service's"
    source = source_of(program, value)
    if name == "base_url":
        return _address_verdict(program, value, source)
    if name == "api_key" and source == "ionos":
        return "keep"
    if name in _SENSELESS:
        # A key without an address is OpenAI's, wherever it comes from.
        changes = any(isinstance(node, _SIDE_EFFECTS) for node in ast.walk(value))
        return f"does something else within {name}=" if changes else "drop"
    return f"has {name}=, which is not known to make sense at IONOS"


def _address_verdict(program: Program, value: ast.expr, source: str) -> str:
    literal = literal_of(program, value)
    try:
        host = urlsplit(text_of(literal) or "").hostname or ""
    except ValueError:
        host = ""
    if host == "ionos.com" or host.endswith(".ionos.com") or source == "ionos":
        return "keep"
    if source == "nothing" or host == "api.openai.com" or (source == "openai" and literal is None):
        return "drop"
    if literal is not None or isinstance(value, ast.JoinedStr):
        return _OTHER_SERVICE
    return "has a base_url from elsewhere: it may ask another service"


def _other_uses(program: Program) -> Iterator[tuple[ast.expr, str, int]]:
    """Yield whose method is called, which one, and where, for all that is no picture."""
    for call in program.all(ast.Call):
        parts = chain(call.func)
        index = next((index for index, part in enumerate(parts[:-1]) if index and part in _OTHERS), None)
        if index is None or (parts[index] == "files" and len(parts) != index + 2):
            continue
        if _STEPS.intersection(parts[index + 1 :]):
            yield owner(call.func, parts[:index]), ".".join(parts[index:]), program.line(call)


def describe(program: Program, clients: Clients) -> Iterator[Finding]:
    """Report the clients, and other uses of their classes that matter."""
    for client in clients.made:
        short = client.name.rpartition(".")[2]
        if client.name not in FACTORIES:
            remedy = "give it a client from create_client()"
            yield _finding(program, client.call, f"makes a client with {client.name}", remedy)
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
    for node in program.all(ast.Name, ast.Attribute):
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
