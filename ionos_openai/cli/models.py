"""`ionos-openai models`: what the service offers, with what the catalogue knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ionos_openai.cli.terminal.options import Connection
from ionos_openai.cli.terminal.output import Terminal, one_line, plain_table
from ionos_openai.client.settings import IonosSettings
from ionos_openai.hub.catalogue import ImageModel
from ionos_openai.hub.models import select_image_models

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_HEADS = ("Model", "Makes", "Price", "Note", "Purpose")
_UNKNOWN = "-"


def show(connection: Connection, terminal: Terminal, *, every: bool) -> int:
    """List the models that make pictures; with `every`, then the others."""
    settings = IonosSettings()
    with connection.connect(settings) as client, terminal.waiting("Asking for the models"):
        entries = client.models.list().data or []
    makers, is_sandbox = select_image_models(entries), connection.uses_sandbox(settings)
    known = {model.id for model in makers}
    found = {entry.id for entry in entries if every and isinstance(entry.id, str)}
    others = sorted(found - known, key=str.lower)
    strangers = [{"id": name, "name": name.rpartition("/")[2], "makes_images": False} for name in others]
    rows = [
        (
            one_line(model.id),
            "images, edits" if model.can_edit else "images",
            f"{model.price.amount} {model.price.currency}" if model.price else "",
            "retired" if model.retired else "",
            model.purpose or "known by its name only",
        )
        for model in makers
    ]
    names = list(map(one_line, others))
    terminal.result(
        {"sandbox": is_sandbox, "models": [_facts(model) for model in makers] + strangers},
        ([cell or _UNKNOWN for cell in row] for row in [*rows, *((name, "", "", "", "") for name in names)]),
        lambda: _shown(rows, names),
    )
    if not makers and not terminal.json:
        terminal.warn("The service lists no model that is known to make pictures. See all: ionos-openai models --all")
    if is_sandbox and not terminal.json:
        terminal.warn("This is the sandbox's list, not the service's.")
    return 0


def _shown(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Iterator[Table | Text]:
    """Yield what makes pictures as a table, and the others below it, whose names may be longer than there is room."""
    from rich.text import Text

    yield plain_table(_HEADS, rows, overflow="fold")
    yield from (Text(name, style="dim") for name in names)


def _facts(model: ImageModel) -> dict[str, object]:
    price, rule = model.price, model.size_rule
    seen = {"seen": price.source.seen.isoformat()} if price else {}
    return {
        **{name: getattr(model, name) for name in ("id", "name", "reason", "can_edit", "prompt_limit", "retired")},
        "licence": model.licence,
        "makes_images": True,
        "purpose": model.purpose or None,
        "sizes": rule.describe() if rule else None,
        "price": {"amount": str(price.amount), "currency": price.currency, **seen} if price else None,
        "sources": [
            {"page": source.page, "seen": source.seen.isoformat(), "basis": source.basis} for source in model.sources
        ],
    }
