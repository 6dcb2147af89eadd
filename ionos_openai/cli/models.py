"""`ionos-openai models`: what the service offers, with what the catalogue knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai.cli.terminal.connection import connect, uses_sandbox
from ionos_openai.cli.terminal.output import one_line
from ionos_openai.client.settings import IonosSettings
from ionos_openai.hub.models import select_image_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ionos_openai.cli.terminal.options import Connection
    from ionos_openai.cli.terminal.output import Terminal
    from ionos_openai.hub.catalogue import ImageModel

_HEADS = ("Model", "Makes", "Price", "Note", "Purpose")
_UNKNOWN = "-"


def show(connection: Connection, terminal: Terminal, *, every: bool) -> int:
    """List the models that make pictures; with `every`, then the others.

    Returns:
        The exit code, 0.

    Raises:
        openai.OpenAIError: The service could not be asked, or it refused.
    """
    settings = IonosSettings()
    with connect(connection, settings) as client, terminal.waiting("Asking for the models"):
        entries = client.models.list().data or []
    makers = select_image_models(entries)
    known = {model.id for model in makers}
    others = sorted({entry.id for entry in entries if isinstance(entry.id, str)} - known, key=str.lower)
    _print(terminal, makers, others if every else [], sandbox=uses_sandbox(connection, settings))
    return 0


def _print(terminal: Terminal, makers: Sequence[ImageModel], others: Sequence[str], *, sandbox: bool) -> None:
    if terminal.json:
        models = [_facts(model) for model in makers] + [
            {"id": one, "name": one.rpartition("/")[2], "makes_images": False} for one in others
        ]
        terminal.document({"sandbox": sandbox, "models": models})
        return
    rows = [_row(model) for model in makers] + [(one_line(one), "", "", "", "") for one in others]
    if terminal.pretty:
        _print_table(terminal, rows)
    else:
        for row in rows:
            terminal.row([cell or _UNKNOWN for cell in row])
    if not makers:
        terminal.warn("The service lists no model that is known to make pictures. See all: ionos-openai models --all")
    if sandbox:
        terminal.warn("This is the stand-in's list, not the service's.")


def _print_table(terminal: Terminal, rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(_HEADS):
        table.add_column(head, overflow="fold", no_wrap=number != len(_HEADS) - 1)
    for row in rows:
        table.add_row(*row, style=None if row[1] else "dim")
    terminal.table(table)


def _row(model: ImageModel) -> tuple[str, str, str, str, str]:
    return (
        one_line(model.id),
        "images, edits" if model.can_edit else "images",
        _price(model),
        "retired" if model.retired else "",
        model.purpose or "known by its name only",
    )


def _price(model: ImageModel) -> str:
    return f"{model.price.amount} {model.price.currency}" if model.price else ""


def _facts(model: ImageModel) -> dict[str, object]:
    price, rule = model.price, model.size_rule
    return {
        "id": model.id,
        "name": model.name,
        "makes_images": True,
        "reason": model.reason,
        "purpose": model.purpose or None,
        "can_edit": model.can_edit,
        "sizes": rule.describe() if rule else None,
        "prompt_limit": model.prompt_limit,
        "licence": model.licence,
        "price": {"amount": str(price.amount), "currency": price.currency, "seen": price.source.seen.isoformat()}
        if price
        else None,
        "retired": model.retired,
        "sources": [
            {"page": source.page, "seen": source.seen.isoformat(), "basis": source.basis} for source in model.sources
        ],
    }
