"""One Python source: everything found in it, and the text with what is safe applied."""

from __future__ import annotations

import ast
import dataclasses
import os
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate import answer_use, clients, elsewhere, image_calls, keys
from ionos_openai.cli.migrate.call_edits import edit_calls
from ionos_openai.cli.migrate.dependencies import find_inline
from ionos_openai.cli.migrate.findings import Migration, Others, Shared
from ionos_openai.cli.migrate.program import Program, local_name
from ionos_openai.cli.migrate.rewrite import rewrite_clients

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from ionos_openai.cli.migrate.clients import Clients
    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.image_calls import ImageCall

_TAKEN = "stands in a file where create_client and create_ionos_client are taken"


def migrate_source(
    source: str,
    path: str | os.PathLike[str] = "<source>",
    *,
    calls: bool = False,
    others: Others | None = None,
    cells: Sequence[tuple[int, int]] = (),
) -> Migration:
    """Find what a Python source, without a byte order mark, meets on IONOS, and apply what is safe.

    Of the path only the name matters: the imports of an `__init__.py` are kept, as others may use them.

    Args:
        source: The text.
        path: Where it stands.
        calls: Whether calls are changed too, and clients for pictures made beside those that also chat.
        others: What the project's other files have to do with this one.
        cells: For each line of a notebook's code, the cell and the line in it.

    Returns:
        The findings in the order of their lines, and the edited text: `source` itself where nothing is to change.

    Raises:
        SourceError: It is not Python that can be read.
    """
    program = Program(source, os.fspath(path).replace("\\", "/"), cells)
    others = others or Others()
    asked = image_calls.find_image_calls(program)
    found = clients.find_clients(program, asked, others, calls=calls)
    if not calls:
        found = _without_second_clients(found)
    edits = edit_calls(program, _reaching(found), reads_url=answer_use.reads_urls(program)) if calls else {}
    more = [edit for made in edits.values() for edit in made]
    edited = rewrite_clients(program, found.made, others.imported, more)
    if edited is None:
        made = [
            client if client.problem else dataclasses.replace(client, problem=_TAKEN, dropped=())
            for client in found.made
        ]
        found, edits = dataclasses.replace(found, made=tuple(made)), {}
    secret = keys.find_key_nodes(program, clients.key_literals(program))
    findings = sorted(dict.fromkeys(_find(program, found, asked, secret, edits)), key=lambda finding: finding.line)
    shared = Shared(
        made=found.names,
        draws=found.draws,
        other_uses=found.other_uses,
        imports={
            local_name(alias): program.full_name(alias)
            for statement in program.all(ast.ImportFrom)
            for alias in statement.names
        },
    )
    secrets = keys.find_secrets(program, secret)
    changed = edited if edited is not None and edited != source else source
    return Migration(findings=tuple(findings), edited=changed, secrets=secrets, shared=shared, draws=bool(asked))


def _without_second_clients(found: Clients) -> Clients:
    return dataclasses.replace(found, made=tuple(dataclasses.replace(client, beside=None) for client in found.made))


def _reaching(found: Clients) -> list[ImageCall]:
    """Return the calls that reach IONOS once the file is written."""
    ready = {draw.node: draw for client in found.made if not client.problem or client.beside for draw in client.draws}
    ready |= {draw.node: draw for draw in found.ours}
    left = {draw.node for client in found.made if client.problem and not client.beside for draw in client.draws}
    return [draw for node, draw in ready.items() if node not in left]


def _find(
    program: Program, found: Clients, asked: Sequence[ImageCall], secret: set[ast.AST], changed: Collection[ast.expr]
) -> Iterator[Finding]:
    yield from clients.describe(program, found)
    yield from image_calls.describe(program, found.advised, changed)
    others = [*elsewhere.find_elsewhere(program), *elsewhere.find_requests(program)]
    yield from others
    has_client = bool(found.made or found.ours) or program.imports("ionos_openai")
    passed = {call.arguments.get("model") for call in asked}
    yield from elsewhere.find_names(program, passed, adapted=bool(has_client or others) or _is_test(program))
    if found.advised:
        yield from answer_use.find_urls(program, found.advised)
        yield from answer_use.find_revised_prompts(program)
        edits = all(call.method == "edit" for call in found.advised)
        yield from answer_use.find_png(program, edits=edits)
    yield from (keys.key_finding(program.line(node)) for node in secret)
    if found.advised or others:
        inside: set[ast.AST] = {client.call for client in found.made}
        yield from keys.find_settings(program, inside, chats=found.chats)
    if any(finding for finding in found.made if not finding.problem or finding.beside):
        yield from find_inline(program.text)


def _is_test(program: Program) -> bool:
    return program.imports("unittest", "pytest") or program.name.rpartition("/")[2].startswith(("test_", "conftest"))
