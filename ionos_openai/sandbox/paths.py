"""What to say where there is nothing at a path: most clients that ask there are set up with a small mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def nothing_at(path: str, known: Collection[str], *, shown: str) -> str:
    """Return what to say; `shown` is the path as it may be shown."""
    text = f"There is nothing at {shown[:200]}"
    plain = "/" + "/".join(filter(None, path.split("/")))
    meant = next(
        (name for name in sorted(known, key=len, reverse=True) if plain.endswith(name.removeprefix("/v1"))), ""
    )
    if plain in known:
        return f"{text}: without the slash too many it is {plain}"
    if plain.startswith("/v1/v1"):
        return f"{text}: /v1 stands in it twice, as the base URL has it already{f'; it is {meant}' if meant else ''}"
    if meant == f"/v1{plain}":
        return f"{text}: it is {meant}, so the base URL ends in /v1"
    if meant:
        return f"{text}: it is {meant}, so the base URL ends in /v1 and nothing else"
    if plain in ("/", "/v1"):
        return f"{text}: it is the base URL itself; GET /v1/models lists the models"
    if plain.removeprefix("/v1").startswith("/responses"):
        return f"{text}: the Responses API is not documented; the chat completions API is, at /v1/chat/completions"
    if plain.removeprefix("/v1").startswith("/models/"):
        old = (
            "the native API was removed on 2026-05-05" if plain.endswith("/predictions") else "no path for one model is"
        )
        return f"{text}: {old}{'' if 'native' in old else ' documented'}; GET /v1/models lists them all"
    return f"{text}: there are {', '.join(sorted(known))}"
