"""The page: cards as HTML that needs no script, and what the script needs beside them, each text once.

A prompt is text wherever it stands: the template escapes it, and the page lets no script run but its own.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ionos_openai.batch.costs import Sum
from ionos_openai.batch.records import Record
from ionos_openai.errors.words import plural
from ionos_openai.hub.catalogue import show_amount

if TYPE_CHECKING:
    from ionos_openai.gallery.entries import Entry


MARK = '<meta name="generator" content="ionos-openai gallery">'
"""Stands near the beginning of every page, so that a page of another maker is not replaced."""

_BADGES = {
    "failed": "failed",
    "gone": "gone",
    "broken": "unreadable",
    "modified": "changed since",
    "superseded": "superseded",
}


class _Table:
    """Texts that many cards share, kept once each; a card has the number, -1 for none, or says nothing for 0."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def number(self, text: str | None) -> int | None:
        return -1 if text is None else self.texts.setdefault(text, len(self.texts)) or None


def render(title: str, entries: Sequence[Entry], records: Iterable[Record] = (), caption: str | None = None) -> str:
    """Return the page of the directory called `title`, its cards in the order in which they are shown at first.

    The requests of the manifest say what they cost together; `caption` is the column that stands on each card.
    """
    script, style = _read("gallery.js"), _read("gallery.css")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment.from_string(_read("gallery.html.jinja")).render(
        mark=Markup(MARK),  # noqa: S704  It is a constant.
        title=_clean(title),
        cards=Markup("\n").join(_card(entry, caption) for entry in entries),
        counted=_count(entries, ("", "failed")),
        others=_count(entries, ("gone", "unreadable", "superseded")),
        spent=_spent(records),
        data=_data(entries),
        style=Markup(style),  # noqa: S704  It is a file of this package, as is the script.
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _read(name: str) -> str:
    # Read as text, so that line ends are the same everywhere: the browser counts them into the script's hash.
    return (files("ionos_openai.gallery") / "templates" / name).read_text("utf-8").replace("\r\n", "\n")


def _count(entries: Sequence[Entry], badges: Sequence[str]) -> str:
    """Return how many entries there are of some kinds, as the script does; "" is a picture."""
    counts = Counter("" if entry.is_picture else _BADGES[entry.state] for entry in entries)
    pictures = [plural(counts[""], "picture")] if "" in badges else []
    return ", ".join([*pictures, *(f"{counts[badge]} {badge}" for badge in badges if badge and counts[badge])])


def _card(entry: Entry, column: str | None) -> Markup:
    """Return an entry's card: whatever comes from elsewhere is escaped by `Markup.format`."""
    href = quote(os.fsencode(entry.name), safe="/") if entry.name and entry.state != "gone" else None
    stands_in = href if entry.width and not entry.too_large else None
    source = f".thumbnails/{entry.thumbnail}.jpg" if entry.thumbnail else stands_in
    badge = _BADGES.get(entry.state) or ("placeholder" if entry.sandbox else None)
    note = _clean(entry.problem[0].upper() + entry.problem[1:]) if entry.problem else ""
    label = entry.metadata.get(column or next(iter(entry.metadata), ""))
    facts = [fact for fact in (_short(entry.model), _pixels(entry), _cost(entry)) if fact]
    moment = _moment(entry.date)
    opened = Markup('<a href="{}">').format(href) if href else Markup('<button type="button">')
    shown = Markup('<img loading=lazy src="{}" alt>') if source else Markup('<span class="none"><span>{}</span></span>')
    parts = [
        Markup('<li class="{}">').format(badge.replace(" ", "-")) if badge else Markup("<li>"),
        opened + shown.format(source or note),
        Markup("<span>{}</span>").format(_clean(entry.prompt or entry.name or "Prompt not recorded")),
        Markup("</a><small>") if href else Markup("</button><small>"),
        Markup("<b>{}</b> ").format(badge) if badge else "",
        Markup("<em>{}</em> ").format(_clean(label)) if label else "",
        *[Markup("<i>{}</i> ").format(fact) for fact in facts],
        Markup('<time datetime="{}">{}</time>').format(moment, moment[:10]) if moment else "",
        Markup("</small></li>"),
    ]
    return Markup("").join(parts)


def _data(entries: Sequence[Entry]) -> dict[str, object]:
    """Return what the script needs beside the cards: tables of texts, and a sparse object for each card."""
    models, pixels, sizes, costs = _Table(), _Table(), _Table(), _Table()
    items = []
    for entry in entries:
        item = {
            "model": models.number(_or_none(entry.model)),
            "pixels": pixels.number(_pixels(entry)),
            "size": sizes.number(_or_none(entry.size)),
            "cost": costs.number(_cost(entry)),
            "file": None if _is_in_link(entry) else _or_none(entry.name),
            "state": None if entry.state == "made" else entry.state,
            "metadata": {_clean(key): _clean(value) for key, value in entry.metadata.items()} or None,
            "seed": None if entry.seed is None else str(entry.seed),  # a script's numbers end at 2**53
            "note": _or_none(entry.problem),
            "alt": _or_none(entry.alt),
            "credit": _or_none(entry.credit),
            "extra": int(entry.has_extra) or None,
            "edited": int(entry.edited) or None,
            "placeholder": int(entry.sandbox) or None,
            "row": entry.row,
            "saved": int(entry.changed is not None and entry.made is None) or None,
            "promptless": None if entry.prompt else 1,
        }
        items.append({key: value for key, value in item.items() if value is not None})
    tables = {"models": models, "pixels": pixels, "sizes": sizes, "costs": costs}
    return {**{name: list(table.texts) for name, table in tables.items()}, "items": items}


def _is_in_link(entry: Entry) -> bool:
    """Tell whether the script can read the file's name out of the card's link: it is there, and it is text."""
    return entry.state != "gone" and entry.name is not None and _clean(entry.name) == entry.name


def _or_none(text: str | None) -> str | None:
    return None if text is None else _clean(text)


def _clean(text: str) -> str:
    """Return `text` as a page can hold it: names of files may have bytes that are no text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _short(model: str | None) -> str | None:
    return None if model is None else _clean(model.rpartition("/")[2] or model)


def _pixels(entry: Entry) -> str | None:
    return f"{entry.width}×{entry.height}" if entry.width else None  # noqa: RUF001  It is meant.


def _moment(date: datetime | None) -> str | None:
    """Return a date for `<time>`: in UTC, or without a zone where it has none."""
    if date is None:
        return None
    if date.tzinfo is None:
        return date.isoformat(timespec="seconds")
    try:
        return date.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    except OverflowError:  # At the very ends of the calendar.
        return None


def _cost(entry: Entry) -> str | None:
    if entry.cost is None:
        return None
    shared = f" for {entry.shares_cost}" if entry.shares_cost > 1 else ""
    return _clean(f"{entry.cost}{shared}")


def _spent(records: Iterable[Record]) -> str:
    """Return what the requests cost together; pictures of unknown price are counted, never taken for free."""
    whole = Sum()
    for record in records:
        whole.add(len(record.names), record)
    known = ", ".join(_clean(show_amount(amount, currency)) for currency, amount in sorted(whole.amounts.items()))
    unknown = whole.unknown_price and f"{whole.unknown_price} of unknown price"
    return ", ".join(part for part in (known and f"{known} in all", unknown) if part)
