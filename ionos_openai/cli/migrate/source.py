"""One Python source: everything found in it, and the text with what is safe applied."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate import answer_use, clients, image_calls, keys
from ionos_openai.cli.migrate.findings import Migration
from ionos_openai.cli.migrate.program import Program
from ionos_openai.cli.migrate.rewrite import rewrite_clients

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import libcst as cst

    from ionos_openai.cli.migrate.clients import Client
    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.image_calls import ImageCall

_TAKEN = "stands in a file where create_client and create_ionos_client are taken"


def migrate_source(source: str, path: str | os.PathLike[str] = "<source>") -> Migration:
    """Find what a Python source, without a byte order mark, meets on IONOS, and apply what is safe.

    Of the path only the name matters: the imports of an `__init__.py` are kept, as others may use them.

    Returns:
        The findings in the order of their lines, and the edited text: `source` itself where nothing is to change.

    Raises:
        SourceError: It is not Python that can be read.
    """
    program = Program(source, os.fspath(path).replace("\\", "/"))
    asked = image_calls.find_image_calls(program)
    made = clients.find_clients(program, asked)
    edited = rewrite_clients(program, made)
    if edited is None:
        made = [
            client if client.problem else dataclasses.replace(client, problem=_TAKEN, dropped=()) for client in made
        ]
    secret = keys.find_key_nodes(program, clients.key_literals(program, made))
    findings = sorted(dict.fromkeys(_find(program, made, asked, secret)), key=lambda finding: finding.line)
    return Migration(findings=tuple(findings), edited=edited or source, secrets=keys.find_secrets(program, secret))


def _find(
    program: Program, made: Sequence[Client], asked: Sequence[ImageCall], secret: set[cst.CSTNode]
) -> Iterator[Finding]:
    yield from clients.describe(program, made)
    yield from image_calls.describe(program, asked)
    has_client = bool(asked or made) or program.imports("ionos_openai")
    yield from image_calls.find_names(program, asked, adapted=has_client)
    if asked or program.imports("openai"):
        yield from answer_use.find_urls(program, asked)
    if asked:
        yield from answer_use.find_revised_prompts(program)
        yield from answer_use.find_png(program)
    yield from (keys.key_finding(program.line(node)) for node in secret)
    yield from keys.find_settings(program, {client.call for client in made})
