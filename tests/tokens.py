"""Tokens for tests: made up here, valid nowhere."""

from __future__ import annotations

import base64
import json
import time

HUB = "ACCESS_AND_MANAGE_AI_MODEL_HUB"
DAY = 86_400.0


def make_token(*, days: float | None = 90, privileges: list[str] | None = None, **payload: object) -> str:
    """Return a token in the shape of a recorded one, which ends in `days` (None: never)."""
    now = time.time()
    claims: dict[str, object] = {
        "iss": "ionoscloud",
        "iat": int(now),
        "identity": {
            "contractNumber": 31_000_000,
            "role": "user",
            "privileges": [HUB] if privileges is None else privileges,
        },
    }
    if days is not None:
        claims["exp"] = int(now + days * DAY)
    return ".".join(_encode(part) for part in ({"alg": "RS256", "typ": "JWT"}, claims | payload)) + ".c2lnbmF0dXJl"


def _encode(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
