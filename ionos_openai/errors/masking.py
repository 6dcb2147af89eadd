"""What looks like a secret or like data is masked here, and nowhere else."""

from __future__ import annotations

import re

_KEY = re.compile(r"\bsk-[\w-]{8,}")


# In one piece, or in the lines of 64 or 76 characters that mail and PEM break it into.
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]{120,}|(?:[A-Za-z0-9+/_=-]{60,}\s+){2,}[A-Za-z0-9+/_=-]*")


def mask_secrets(text: str, secret: str | None = None) -> str:
    """Replace `secret`, and what looks like a token, a key or base64, by a short placeholder."""
    if secret:
        text = text.replace(secret, "<token>")
    text = re.sub(r"eyJ[\w-]{5,}(?:\.[\w-]*)*", "<token>", text)
    text = re.sub(r"(?i)\bbearer\s+[^\s\"',;<>]+", "Bearer <token>", text)
    text = _KEY.sub(lambda found: "<token>" if _is_random(found[0], 10, r"\d|[a-z][A-Z]") else found[0], text)
    return _BASE64.sub(lambda found: "<data>" if _is_random(found[0], 20, r"\d") else found[0], text)


def _is_random(text: str, least: int, sign: str) -> bool:
    """Tell a key or data from a path of names: by a piece of `least` letters and digits in which `sign` is found.

    Of data that is all alike, such as the base64 of zeros, a piece of 60 tells.
    """
    pieces = re.finditer(rf"[A-Za-z0-9+]{{{least},}}", text)
    return any(len(one[0]) >= 60 or re.search(sign, one[0]) for one in pieces)


def mask_body(body: object, secret: str | None = None, *, depth: int = 20) -> object:
    """Return the parsed JSON `body` with `mask_secrets` applied to each text in it, cut off at `depth` levels."""
    if isinstance(body, str):
        return mask_secrets(body, secret)
    if isinstance(body, (list, dict)) and depth == 0:
        return None
    if isinstance(body, list):
        return [mask_body(one, secret, depth=depth - 1) for one in body]
    if isinstance(body, dict):
        return {mask_secrets(str(key), secret): mask_body(one, secret, depth=depth - 1) for key, one in body.items()}
    return body
