"""One Python source: everything found in it, and the text with what is safe applied."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Iterator, Sequence

from ionos_openai.cli.migrate import clients, image_calls, keys
from ionos_openai.cli.migrate.answer_use import find_answer_uses
from ionos_openai.cli.migrate.clients import Clients
from ionos_openai.cli.migrate.configuration import find_inline
from ionos_openai.cli.migrate.facts import FACTS, model_findings
from ionos_openai.cli.migrate.findings import Finding, Migration, Others
from ionos_openai.cli.migrate.image_calls import ImageCall
from ionos_openai.cli.migrate.program import Program
from ionos_openai.cli.migrate.rewrite import edit_calls, rewrite_clients

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

    Of `path` the name matters: others may use the imports of `__init__.py`. With `calls`, calls are changed too, and
    clients for pictures made beside those that also chat. `cells` has the cell and the line in it for each line of a
    notebook's code. `SourceError`: it is not Python that can be read, or it takes too long.
    """
    program = Program(source, os.fspath(path).replace("\\", "/"), cells)
    others = others or Others()
    asked = image_calls.find_image_calls(program)
    found = clients.find_clients(program, asked, others, calls=calls)
    edits = edit_calls(program, found.reaching) if calls else {}
    edited = rewrite_clients(program, found.made, others.imported, [edit for made in edits.values() for edit in made])
    if edited is None:
        left = [dataclasses.replace(client, problem=client.problem or _TAKEN) for client in found.made]
        found, edits = dataclasses.replace(found, made=left), {}
    secret = keys.find_keys(program)
    findings = sorted(
        dict.fromkeys(_find(program, found, asked, map(program.line, secret), edits)), key=lambda finding: finding.line
    )
    return Migration(
        findings=tuple(findings),
        edited=edited if edited is not None and edited != source else source,
        secrets=keys.find_secrets(program, secret),
        shared=found.shared,
        draws=bool(asked),
    )


def _find(
    program: Program, found: Clients, asked: Sequence[ImageCall], keys_at: Iterable[int], changed: Collection[object]
) -> Iterator[Finding]:
    yield from clients.describe(program, found)
    yield from image_calls.describe(program, found.advised, changed)
    others = list(image_calls.find_elsewhere(program))
    yield from others
    is_test = program.imports_from("unittest", "pytest") or program.name.rpartition("/")[2].startswith("test_")
    is_ours = bool(found.made or others) or program.imports_from("ionos_openai")
    passed = {call.arguments.get("model") for call in asked}
    for node, text in program.texts:
        if node not in passed:
            yield from model_findings(text, program.line(node), adapted=is_ours or is_test)
    if found.advised:
        yield from find_answer_uses(program, found.advised)
    yield from map(FACTS["key: literal"].at, keys_at)
    if found.advised or others:
        yield from keys.find_settings(program, {client.call for client in found.made}, chats=found.chats)
    if any(not client.problem or client.beside for client in found.made):
        yield from find_inline(program.text)
