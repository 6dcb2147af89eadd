"""What in a cassette looks like a secret."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ionos_openai.errors.masking import SIGNS_OF_SECRETS

_CASSETTES = frozenset({".yaml", ".yml", ".json"})

# As keys of YAML or JSON, or at the head of a line: a prompt may have these words.
_HEADERS = {
    name: rf"""(?im:^[\s?-]*[\w-]*{name}\s*:|["'][\w-]*{name}\\?["']\s*:)""" for name in ("authorization", "cookie")
}
_SIGNS = {name: re.compile(pattern) for name, pattern in {**SIGNS_OF_SECRETS, **_HEADERS}.items()}


def signs_of_secrets(text: str, *tokens: str) -> list[str]:
    """Name what in a file's text looks like a secret, or is one of the tokens; the secrets are not repeated."""
    found = [name for name, pattern in _SIGNS.items() if pattern.search(text)]
    return [*found, *("a token" for token in tokens if token and token in text)]


def assert_no_secrets(directory: str | os.PathLike[str], *tokens: str) -> None:
    """Fail where a cassette (.yaml, .yml, .json) in a directory, or below it, holds what looks like a secret.

    The tokens must not be in them, whatever they look like.

    Raises:
        AssertionError: The message names files and kinds, never the secret; or there is no cassette at all.
    """
    root = Path(directory)
    paths = sorted(path for path in root.rglob("*") if path.suffix in _CASSETTES and path.is_file())
    if not paths:
        raise AssertionError(f"There are no cassettes (.yaml, .yml, .json) in {root}.")
    found = [
        f"{path.relative_to(root).as_posix()} ({', '.join(signs)})"
        for path in paths
        if (signs := signs_of_secrets(path.read_text(encoding="utf-8", errors="replace"), *tokens))
    ]
    if found:
        raise AssertionError(f"What looks like a secret stands in {'; '.join(found)}: record them again, scrubbed.")
