"""The page: cards as escaped HTML that needs no script, and what the script needs beside them, each text once."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import quote

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
_NOTHING_FITS = '<p id="nothing" hidden>Nothing fits. <button type="button" id="reset">Show all</button></p>'
_NO_PICTURES = '<p id="nothing">There are no pictures in this directory yet.</p>'
_IN_SCRIPT = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&'"})


def render(title: str, entries: Sequence[Entry], records: Iterable[Record] = (), caption: str | None = None) -> str:
    """Return the page of a directory; `caption` is the column on each card, and the records say what all have cost."""
    script = _read("gallery.js")
    return Template(_read("gallery.html")).substitute(
        mark=MARK,
        title=_escape(title),
        cards="\n".join(_card(entry, caption) for entry in entries),
        nothing=_NOTHING_FITS if entries else _NO_PICTURES,
        counted=_count(entries, ("", "failed")),
        others=_count(entries, ("gone", "unreadable", "superseded")),
        spent=_escape(_spent(records)),
        # Nothing in it ends a script, or is taken for HTML.
        data=json.dumps(_data(entries), ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT),
        style=_read("gallery.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _escape(text: str) -> str:
    return html.escape(_clean(text))


def _read(name: str) -> str:
    # Read as text, so that line ends are the same everywhere: the browser counts them into the script's hash.
    return (Path(__file__).parent / "templates" / name).read_text("utf-8").replace("\r\n", "\n")


def _count(entries: Sequence[Entry], badges: Sequence[str]) -> str:
    """Return how many entries there are of some kinds, as the script does; "" is a picture."""
    counts = Counter("" if entry.is_picture else _BADGES[entry.state] for entry in entries)
    pictures = [plural(counts[""], "picture")] if "" in badges else []
    return ", ".join([*pictures, *(f"{counts[badge]} {badge}" for badge in badges if badge and counts[badge])])


def _card(entry: Entry, column: str | None) -> str:
    """Return an entry's card; whatever comes from elsewhere is escaped."""
    href = quote(os.fsencode(entry.name), safe="/") if entry.name and entry.state != "gone" else None
    stands_in = href if entry.width and not entry.too_large else None
    source = f".thumbnails/{entry.thumbnail}.jpg" if entry.thumbnail else stands_in
    badge = _BADGES.get(entry.state) or ("placeholder" if entry.sandbox else None)
    note = _escape(entry.problem[0].upper() + entry.problem[1:]) if entry.problem else ""
    label = entry.metadata.get(column or next(iter(entry.metadata), ""))
    model = entry.model and (entry.model.rpartition("/")[2] or entry.model)
    facts = (model, _pixels(entry), _cost(entry), entry.signed)
    moment = _moment(entry.date)
    parts = [
        f'<li class="{badge.replace(" ", "-")}">' if badge else "<li>",
        f'<a href="{html.escape(href)}">' if href else '<button type="button">',
        f'<img loading=lazy src="{html.escape(source)}" alt>' if source else "",
        "" if source else f'<span class="none"><span>{note}</span></span>',
        f"<span>{_escape(entry.prompt or entry.name or 'Prompt not recorded')}</span>",
        "</a><small>" if href else "</button><small>",
        f"<b>{badge}</b> " if badge else "",
        f"<em>{_escape(label)}</em> " if label else "",
        *(f"<i>{_escape(fact)}</i> " for fact in facts if fact),
        f'<time datetime="{moment}">{moment[:10]}</time>' if moment else "",
        "</small></li>",
    ]
    return "".join(parts)


def _data(entries: Sequence[Entry]) -> dict[str, object]:
    """Return what the script needs beside the cards: tables of texts, and a sparse object for each card."""
    items, tables = [], {name: dict[str, int]() for name in ("models", "pixels", "sizes", "costs")}

    def number(table: str, text: str | None) -> int | None:
        """Return the place of a text that many cards share: -1 for none, and nothing for 0."""
        return -1 if text is None else tables[table].setdefault(_clean(text), len(tables[table])) or None

    for entry in entries:
        item = {
            "model": number("models", entry.model),
            "pixels": number("pixels", _pixels(entry)),
            "size": number("sizes", entry.size),
            "cost": number("costs", _cost(entry)),
            "file": None if _is_in_link(entry) else entry.name,
            "state": None if entry.state == "made" else entry.state,
            "metadata": {_clean(key): _clean(value) for key, value in entry.metadata.items()} or None,
            "seed": None if entry.seed is None else str(entry.seed),  # a script's numbers end at 2**53
            "note": entry.problem,
            "alt": entry.alt,
            "credit": entry.credit,
            "signed": entry.signed,
            "extra": int(entry.has_extra) or None,
            "edited": int(entry.edited) or None,
            "placeholder": int(entry.sandbox) or None,
            "row": entry.row,
            "saved": int(entry.changed is not None and entry.made is None) or None,
            "promptless": None if entry.prompt else 1,
        }
        said = {key: value for key, value in item.items() if value is not None}
        items.append({key: _clean(value) if isinstance(value, str) else value for key, value in said.items()})
    return {**{name: list(table) for name, table in tables.items()}, "items": items}


def _is_in_link(entry: Entry) -> bool:
    """Tell whether the script can read the file's name out of the card's link: it is there, and it is text."""
    return entry.state != "gone" and entry.name is not None and _clean(entry.name) == entry.name


def _clean(text: str) -> str:
    """Return `text` as a page can hold it: names of files may have bytes that are no text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


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
    return f"{entry.cost} for {entry.shares_cost}" if entry.shares_cost > 1 else str(entry.cost)


def _spent(records: Iterable[Record]) -> str:
    """Return what the requests cost together; pictures of unknown price are counted, never taken for free."""
    whole = Sum()
    for record in records:
        whole.add(len(record.names), record)
    known = ", ".join(show_amount(amount, currency) for currency, amount in sorted(whole.amounts.items()))
    unknown = whole.unknown_price and f"{whole.unknown_price} of unknown price"
    return ", ".join(part for part in (known and f"{known} in all", unknown) if part)
