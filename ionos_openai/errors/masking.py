"""What looks like a secret or like data is masked here, and nowhere else.

Messages are masked by `mask_secrets`, which rather hides too much. What is written down to be read again is masked
by `mask_recorded`, which leaves prompts and pictures as they are. `Secrets` adds what a conversation itself gave away.
"""

from __future__ import annotations

import itertools
import re
import traceback
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

TOKEN = "<token>"  # noqa: S105  # what is written in its place
SHORTEST_SECRET = 12  # characters of one that is learned: "sandbox" is none, and stands in many a text
LONGEST_TEXT = 20_000  # characters that are looked through for secrets

_JWT = r"eyJ[\w-]{5,}(?:\.[\w-]*)*"
_KEY = r"\bsk-[\w-]{8,}"
_BEARER, _OF_BEARER = r"(?i:\bbearer\s+)", r"[^\s\"',;<>]"

SIGNS_OF_SECRETS = {
    "eyJ": rf"(?<![\w+/=-]){_JWT}",  # not in the midst of base64
    # Not each word: a prompt may be about the bearer of a ring.
    "Bearer": rf"{_BEARER}(?:(?={_OF_BEARER}*\d|[\w-]+\.\w){_OF_BEARER}+|{_OF_BEARER}{{12,}})",
    "sk-": _KEY,
}
"""What looks like a secret in a text that may hold prompts and pictures: what it is called, and its pattern."""

# In one piece, or in the lines of 64 or 76 characters that mail and PEM break it into.
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{120,}|(?:[A-Za-z0-9+/_=-]{60,}\s+){2,}[A-Za-z0-9+/_=-]*")
_RECORDED = re.compile("|".join([rf"{_BEARER}{TOKEN}", *SIGNS_OF_SECRETS.values()]))


def mask_secrets(text: str, secret: str | None = None) -> str:
    """Replace `secret`, and what looks like a token, a key or base64, by a short placeholder.

    A text of more than 20,000 characters is cut first, between words: to look through all of it takes seconds.
    """
    if len(text) > LONGEST_TEXT:
        ends = (text.rfind(blank, 0, LONGEST_TEXT) for blank in (" ", "\n", ",", '"'))
        text = f"{text[: max(LONGEST_TEXT // 2, *ends)]}…"
    if secret and len(secret) >= SHORTEST_SECRET:
        text = text.replace(secret, TOKEN)
    text = re.sub(_JWT, TOKEN, text)
    text = re.sub(rf"{_BEARER}{_OF_BEARER}+", f"Bearer {TOKEN}", text)
    text = re.sub(_KEY, lambda found: TOKEN if _is_random(found[0], 10, r"\d|[a-z][A-Z]") else found[0], text)
    return _BASE64.sub(lambda found: "<data>" if _is_random(found[0], 20, r"\d") else found[0], text)


def forget_variables(error: BaseException, *, outside: BaseException | None = None) -> None:
    """Clear the variables of the frames that an error, its causes and contexts came through and left.

    What shows a traceback may show them, and those of the SDK and the HTTP library hold requests with their headers.
    `outside` is what was being handled when they were entered: its frames are not ours, and stay as they are.
    """
    errors, seen = [error], {id(None), id(outside)}
    while errors:
        found = errors.pop()
        if id(found) not in seen:
            seen.add(id(found))
            traceback.clear_frames(found.__traceback__)
            errors += [found.__cause__, found.__context__]  # type: ignore[list-item]  # None counts as seen


def mask_recorded(text: str) -> str:
    """Replace what has one of `SIGNS_OF_SECRETS`."""
    return _RECORDED.sub(TOKEN, text)


def _is_random(text: str, least: int, sign: str) -> bool:
    """Tell a key or data from a path of names: by a piece of `least` letters and digits in which `sign` is found.

    Of data that is all alike, such as the base64 of zeros, a piece of 60 tells.
    """
    pieces = re.finditer(rf"[A-Za-z0-9+]{{{least},}}", text)
    return any(len(piece[0]) >= 60 or re.search(sign, piece[0]) for piece in pieces)


def mask_body(body: object, secret: str | None = None) -> object:
    """Return parsed JSON with each text masked, cut off at 20 levels, 200 entries of each and 40,000 characters."""
    left = 2 * LONGEST_TEXT

    def mask(leaf: object) -> object:
        nonlocal left
        if not isinstance(leaf, str):
            return leaf
        masked = mask_secrets(leaf, secret) if left > 0 else "…"
        left -= min(len(leaf), LONGEST_TEXT)
        return masked

    return each_leaf(body, mask, depth=20, most=200)


def each_leaf(
    value: object,
    change: Callable[[object], object],
    *,
    depth: int = -1,
    deeper: object = None,
    most: int | None = None,
    shorten: Callable[[list[object]], list[object]] | None = None,
) -> object:
    """Return parsed JSON with `change` applied to each text, number and constant in it, and to each name.

    So many levels of lists and objects are kept (below 0: all), with `deeper` in the place of what lies further down,
    and at `most` so many entries of each (None: all); `shorten` does that for a list, where it is given.
    """
    if not isinstance(value, list | dict):
        return change(value)
    if depth == 0:
        return deeper
    inside = partial(each_leaf, change=change, depth=depth - 1, deeper=deeper, most=most, shorten=shorten)
    if isinstance(value, list):
        return [inside(entry) for entry in (shorten(value) if shorten else value[:most])]
    return {str(change(str(name))): inside(entry) for name, entry in itertools.islice(value.items(), most)}


class Secrets:
    """Secrets that a conversation gave away, to be hidden from then on. It may be used from several threads at once."""

    def __init__(self) -> None:
        """Know of no secret yet."""
        self._names: dict[str, str] = {}

    @property
    def names(self) -> dict[str, str]:
        """What is written in the place of each secret, the longest first: a short one may be part of a long one."""
        return dict(sorted(self._names.items(), key=lambda pair: len(pair[0]), reverse=True))

    def learn(self, secret: str, name: str, *, shortest: int = SHORTEST_SECRET) -> None:
        """Hide a secret of at least `shortest` characters; `name` is written in its place."""
        if len(secret) >= shortest:
            self._names[secret] = name

    def learn_token(self, token: str) -> None:
        """Hide a token, also as an address has it, and the parts of a JWT."""
        for secret in (token, quote(token, safe=""), *token.split(".")):
            self.learn(secret, TOKEN)

    def hide(self, text: str) -> str:
        """Replace every secret in a text by its name."""
        for secret, name in self.names.items():
            text = text.replace(secret, name)
        return text

    def mask(self, text: str) -> str:
        """Replace every secret in a text, and what looks like one."""
        return mask_secrets(self.hide(text))
