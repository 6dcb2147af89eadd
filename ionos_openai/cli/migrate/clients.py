"""Where clients of OpenAI's are made, what for, and how `create_client` makes them instead."""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ionos_openai.cli.migrate.facts import FACTS, WORDS
from ionos_openai.cli.migrate.findings import Effort, Finding, Others, Shared
from ionos_openai.cli.migrate.image_calls import ImageCall
from ionos_openai.cli.migrate.keys import literal_of, source_of
from ionos_openai.cli.migrate.program import FUNCTIONS, Program, arguments, chain, local_name, owner, text_of

FACTORIES = {
    **dict.fromkeys(("openai.OpenAI", "openai.Client", "openai.AzureOpenAI"), "create_client"),
    **dict.fromkeys(("openai.AsyncOpenAI", "openai.AsyncClient", "openai.AsyncAzureOpenAI"), "create_async_client"),
}
"""Which factory makes what a class of OpenAI's makes."""

_OURS = frozenset({"ionos_openai.create_client", "ionos_openai.create_async_client"})
_KNOWN = _OURS.union(FACTORIES)
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
# What is called there with a client makes pictures, or calls the file's own functions with it.
_HARMLESS = frozenset({"openai", "ionos_openai"}) | sys.stdlib_module_names
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
        return self.problem == _OTHER_SERVICE or not (self.name in _KNOWN or _WRAPPER.fullmatch(self.name))

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
    chats: bool  # whether clients of the file are used for more than pictures
    shared: Shared  # what the file has to do with the others of its project

    @property
    def reaching(self) -> list[ImageCall]:
        """The calls that reach IONOS, and nothing else, once the file is written."""
        ready = asking(client for client in self.every if client.reaches_ionos)
        left = asking(client for client in self.every if not client.reaches_ionos)
        return [call for node, call in ready.items() if node not in left]


def asking(clients: Iterable[Client]) -> dict[ast.Call, ImageCall]:
    """Return the calls for pictures that ask any of some clients, by their nodes."""
    several = {id(client.draws): client.draws for client in clients}
    return {call.node: call for calls in several.values() for call in calls}


def find_clients(program: Program, asked: Sequence[ImageCall], others: Others, *, calls: bool) -> Clients:
    """Find the calls that make clients, and decide for each by its uses, then by its arguments."""
    search = _Search(program, asked, others, calls=calls)
    clients = [search.judge(call) for call in search.made]
    own = [client for client in clients if client.name not in _OURS and not client.is_foreign]
    foreign = set(asking(client for client in clients if client.is_foreign))
    foreign -= set(asking(client for client in clients if not client.is_foreign))
    imported = search.imported
    aliases = [alias for statement in program.all(ast.ImportFrom) for alias in statement.names]
    foreign |= {node for node, names in imported.items() if any(_is_foreign(name, others) for name in names)}
    seen = foreign.union(asking(clients), (node for node, names in imported.items() if names & others.clients))
    return Clients(
        every=clients,
        made=[client for client in own if client.draws or search.files(client, others.draw)],
        unseen=[draw for draw in asked if not draw.of_module and draw.node not in seen],
        advised=[draw for draw in asked if draw.node not in foreign],
        chats=bool(search.used),
        shared=Shared(
            made=frozenset().union(*{search.names[client.call] for client in own}),
            draws=frozenset().union(*imported.values()),
            other_uses=frozenset(search.other_uses),
            imports={local_name(alias): program.full_name(alias) for alias in aliases},
        ),
    )


def _class(program: Program, call: ast.Call, others: Others) -> str | None:
    """Return the full name of the class of clients that a call makes one of."""
    found = sorted(program.imported(call.func))
    known = [name for name in found if name in _KNOWN]
    return next(iter(known or [name for name in found if _is_foreign(name, others) or _WRAPPER.fullmatch(name)]), None)


def _is_foreign(name: str, others: Others) -> bool:
    root = name.partition(".")[0]
    return bool(_FOREIGN.fullmatch(name)) and root not in {"openai", "ionos_openai", *others.modules}


class _Search:
    """What a file makes clients with, what it calls them and what it asks them."""

    def __init__(self, program: Program, asked: Sequence[ImageCall], others: Others, *, calls: bool) -> None:
        self._program, self._others, self._calls = program, others, calls
        self.made = {call: name for call in program.all(ast.Call) if (name := _class(program, call, others))}
        self._attributes = {
            (holder.name, chain(target)[1])
            for target, _ in program.assignments
            if chain(target)[0] == "self" and (holder := program.outer(target, ast.ClassDef))
        }
        self._bound: defaultdict[ast.AST | str, set[str]] = defaultdict(set)
        self._values: defaultdict[str, list[ast.expr]] = defaultdict(list)
        for name, value in self._bindings():
            self._bound[value].add(name)
            self._bound[self._label(value)].add(name)
            self._values[name].append(value)
        self._reach = functools.cache(self._find_reached)
        defaults = {value: name for name, value in program.parameters if value is not None}
        self.names = {call: self._follow(call, defaults) for call in self.made}
        self._known = frozenset().union(*set(self.names.values()))
        self._sort(asked)
        self._of_labels = functools.cache(self._find_of_labels)
        self._sent = _sent_as_source(program) if self.made else set()
        self._is_taken = "pictures" in program.text

    def _bindings(self) -> Iterator[tuple[str, ast.expr]]:
        """Yield each name with what it is set to; a function's, as a property and as a call, with what it returns."""
        pairs = [(opened.optional_vars, opened.context_expr) for opened in self._program.all(ast.withitem)]
        for target, value in [*self._program.assignments, *pairs]:
            # `x = x or OpenAI()`
            for side in (value, *(value.values if isinstance(value, ast.BoolOp) else ())):
                names = {chain(target)[-1], self._label(target)} - {""} if target is not None else ()
                yield from ((name, side) for name in names)
        for given in self._program.all(ast.Return, ast.Yield):
            function = self._program.outer(given, FUNCTIONS)
            if function is not None and given.value is not None:
                yield function.name, given.value
                yield f"{function.name}()", given.value

    def _sort(self, asked: Sequence[ImageCall]) -> None:
        """Sort what is asked for pictures and for something else by the names of what is asked."""
        self._drawn: defaultdict[str, list[ImageCall]] = defaultdict(list)
        self.imported: dict[ast.Call, set[str]] = {}
        for draw in (draw for draw in asked if not draw.of_module):
            label = self._known_label(draw.asked)
            self.imported[draw.node] = set() if label else self._full_names(draw.asked)
            if not self.imported[draw.node]:
                self._drawn[label].append(draw)
        self.used: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        self.other_uses: set[str] = set()
        for user, use, line in _other_uses(self._program):
            self.used[self._known_label(user)].append((use, line))
            self.other_uses |= self._full_names(user)
        # What code of other files is given, itself and by its name, with its first line.
        self._handed_on: dict[ast.AST | str, int] = {}
        self._handed_around: set[str] = set()
        functions = {function.name for function in self._program.all(ast.FunctionDef, ast.AsyncFunctionDef)}
        for call in self._program.all(ast.Call):
            is_foreign = any(name.partition(".")[0] not in _HARMLESS for name in self._program.imported(call.func))
            for _, value in arguments(call):
                self.other_uses |= self._program.imported(value)
                self._handed_around.add(chain(value)[-1])
                for thing in (value, chain(value)[-1]):
                    if is_foreign and thing not in functions:
                        self._handed_on.setdefault(thing, call.lineno)
        for holder in self._program.all(ast.List, ast.Tuple) + self._program.all(ast.Set, ast.Dict):
            values = holder.values if isinstance(holder, ast.Dict) else holder.elts
            self._handed_around.update(chain(value)[-1] for value in values)

    def _follow(self, call: ast.Call, defaults: dict[ast.expr, str]) -> frozenset[str]:
        chained = [call, *self._program.ancestors(call)]
        names = {defaults[node] for node in chained if isinstance(node, ast.expr) and node in defaults}
        if isinstance(self._program.parent(call), ast.Attribute):
            names.add(self._label(call))
        places: list[ast.AST | str] = [call, *names]
        return self._reach(frozenset(names.union(*(self._bound[place] for place in places if place in self._bound))))

    def _find_reached(self, start: frozenset[str]) -> frozenset[str]:
        names = reached = start
        # A name may be set from a name that is found later.
        for _ in range(3):
            reached = frozenset(new for name in reached for new in self._bound.get(name, set()) if new not in names)
            names |= reached
        return names

    def _label(self, node: ast.AST) -> str:
        """Return the last name in an expression; where its function or its class sets it, with that place."""
        parts = chain(node)
        if isinstance(node, ast.Call) and node in self.made:
            return f"{parts[-1]}@{node.lineno}:{node.col_offset}"
        if isinstance(node, ast.Name):
            line = self._program.bound(node).line
            return f"{parts[0]}@{line}" if line else parts[0]
        if parts[0] == "self" and len(parts) == 2 and (holder := self._program.outer(node, ast.ClassDef)):
            return f"{holder.name}.{parts[1]}" if (holder.name, parts[1]) in self._attributes else parts[1]
        return parts[-1]

    def _full_names(self, node: ast.expr, hops: int = 2) -> set[str]:
        """Return the full names of what is imported that a client's expression may be, also by a name in between."""
        found = {name for name in self._program.imported(node) if name.partition(".")[0] not in _HARMLESS}
        values = self._values[self._label(node)] if hops and not found else []
        return found.union(*(self._full_names(value, hops - 1) for value in values[:9]))

    def _known_label(self, node: ast.expr) -> str:
        label = self._label(node)
        return label if label in self._known else ""

    def _find_of_labels(
        self, labels: frozenset[str], *, elsewhere: bool
    ) -> tuple[list[ImageCall], list[tuple[str, int]], set[object]]:
        """Return what asks clients of some names for pictures, what for something else, and what the first asks."""
        asked = sorted({*labels, ""} if elsewhere else labels)
        draws = [draw for label in asked for draw in self._drawn.get(label, ())]
        chats = [use for label in sorted(labels | {""}) for use in self.used.get(label, ())]
        return draws, sorted(chats, key=lambda use: use[1]), {self._variable(draw.asked) for draw in draws}

    def _variable(self, node: ast.expr) -> object:
        """Return what tells one variable or attribute from others of its name, None for anything else."""
        if isinstance(node, ast.Name):
            return node.id, id(self._program.bound(node))
        is_plain = isinstance(node, ast.Attribute) and "" not in chain(node)
        return (*chain(node), self._program.outer(node, ast.ClassDef)) if is_plain else None

    def files(self, client: Client, by_name: Mapping[str, tuple[str, ...]]) -> list[str]:
        """Return the other files that ask a client for something, of what they ask `by_name`."""
        names = self.names[client.call]
        return sorted({file for name, files in by_name.items() if name in names for file in files})

    def judge(self, call: ast.Call) -> Client:
        """Decide whether a client can be rewritten: by what it is used for, then by its arguments."""
        names = self.names[call]
        # It may go by further names where it has none that is known, or is handed around.
        elsewhere = not names or not names.isdisjoint(self._handed_around)
        draws, chats, variables = self._of_labels(names, elsewhere=elsewhere)
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
            used += [f"by {', '.join(files)}"] if (files := self.files(client, self._others.draw)) else []
            remedy = f"pictures = {remedy}, used {' and '.join(used)}"
            beside = None if problems or not (chats and self._calls) else self._statement_beside(client.call, variables)
            return dataclasses.replace(client, problem=problem, remedy=remedy, beside=beside)
        problem = problems[0] if problems else None
        return dataclasses.replace(client, problem=problem, remedy=f"{remedy}, which reads IONOS_API_TOKEN")

    def _obstacle(self, client: Client) -> str | None:
        """Return why a client cannot be made in another way where it stands."""
        func = client.call.func
        # Where the calls are changed too, no deployment's name is left.
        if "Azure" in client.name and client.name in FACTORIES and not self._calls:
            return "is Azure's: its address, key and deployments mean nothing at IONOS"
        if client.name not in FACTORIES:
            return f"is {client.name}'s: what it does with the client is not seen"
        around = {getattr(outer, "name", "") for outer in self._program.ancestors(func)} if self._sent else set()
        if not self._sent.isdisjoint({chain(func)[0], chain(func)[-1], *around}):
            return "stands in code that is handed on as text or with its imports by name"
        bound = self._program.bound(func)
        ways = len(bound.names) + any(not isinstance(node, ast.alias) for node in bound.nodes)
        outer = [parent for node in bound.nodes for parent in self._program.ancestors(node)]
        for_types = [node for node in outer if isinstance(node, ast.If) and chain(node.test)[-1] == "TYPE_CHECKING"]
        if ways != 1 or for_types:
            return "has a name that is bound in more than one way: not understood"
        is_hidden = client.call.args or any(keyword.arg is None for keyword in client.call.keywords)
        return "has arguments that cannot be seen here" if is_hidden else None

    def _use_problem(self, client: Client, chats: list[tuple[str, int]]) -> str | None:
        """Return why a client may be needed for more than pictures; None where that does not seem so."""
        if chats:
            what = ", ".join(f"{use} in {self._program.where(line)}" for use, line in chats[:3])
            return f"also serves {what}, which IONOS has with other models or not at all"
        if files := self.files(client, self._others.use_otherwise):
            return f"is used by {', '.join(files[:3])} for more than pictures"
        names = [name for name in self.names[client.call] if not name.endswith("()")]
        things: list[ast.AST | str] = [client.call, *names]
        line = min((self._handed_on[thing] for thing in things if thing in self._handed_on), default=None)
        return f"is handed to other code in {self._program.where(line)}, which may use it for chat" if line else None

    def _statement_beside(self, call: ast.Call, variables: set[object]) -> ast.Assign | ast.AnnAssign | None:
        """Return the statement that makes a client, where one for the pictures alone can be made behind it."""
        statement = self._program.parent(call)
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or self._is_taken:
            return None
        target, *more = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        variable = self._variable(target)
        return statement if variable and not more and variables == {variable} else None


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
    if name in WORDS["kept"]:
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
    if name in WORDS["senseless"] | WORDS["secrets"]:
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
        index = next((index for index, part in enumerate(parts[:-1]) if index and part in WORDS["resources"]), None)
        if index is None or (parts[index] == "files" and len(parts) != index + 2):
            continue
        if WORDS["steps"].intersection(parts[index + 1 :]):
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
