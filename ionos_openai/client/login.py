"""The token that `ionos-openai login` keeps: in the system's keyring, else in a file that only its user can read.

Beside it stands on which machine: a home directory that is mounted into a container, or copied, brings none along.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from ionos_openai.errors import ConfigurationError
from ionos_openai.files.opening import read_regular
from ionos_openai.files.writing import user_directory

_SERVICE, _USER = "ionos-openai", "token"
_LARGEST = 100_000  # bytes


class Login(NamedTuple):
    """A kept token, and where it is kept, as a phrase."""

    token: SecretStr
    place: str


def keep(token: SecretStr) -> str:
    """Keep a token, in place of one that is there, and return where; a ConfigurationError where it cannot be kept."""
    path, keyring, token_text = _file(), _keyring(), token.get_secret_value()
    kept, problem = {"machine": _machine(), "token": token_text}, None
    with contextlib.suppress(Exception):  # there is no keyring, or it takes nothing
        keyring.set_password(_SERVICE, _USER, token_text)
        del kept["token"]
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)  # whatever stood there, it is not written through
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(kept, file)
    except OSError as error:
        problem = error.strerror
    if problem:
        raise ConfigurationError(f"{path} cannot be written ({problem}): set IONOS_API_TOKEN instead.")
    return str(path) if "token" in kept else "the system's keyring"


def read() -> Login | None:
    """Return the token that was kept on this machine; None where there is none, or it cannot be read."""
    path = _file()
    try:
        found = json.loads(read_regular(path, most=_LARGEST))
        if found["machine"] != _machine():
            return None
        token, place = found.get("token"), str(path)
        if token is None:
            token, place = _keyring().get_password(_SERVICE, _USER), "the system's keyring"
    except Exception:  # noqa: BLE001  # each system's keyring fails in its own way; without a token the client says so
        return None
    return Login(SecretStr(token), place) if isinstance(token, str) and token else None


def forget() -> bool:
    """Remove the token from wherever it was kept; return whether there was one."""
    path, keyring = _file(), _keyring()
    was_there = path.exists()
    with contextlib.suppress(Exception):  # the keyring has none, or there is no keyring
        keyring.delete_password(_SERVICE, _USER)
    path.unlink(missing_ok=True)
    return was_there


def _file() -> Path:
    """Return the file that says where the token is, or has it itself."""
    return user_directory("config") / "login.json"


def _keyring() -> Any:
    """Return the module `keyring`; None without it, or where it has nothing to keep a secret in."""
    try:
        keyring = importlib.import_module("keyring")
        return keyring if keyring.get_keyring().priority >= 1 else None
    except Exception:  # noqa: BLE001  # as above
        return None


def _machine() -> str:
    """Return what tells this machine, or this container, from others."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path("/etc/machine-id").read_text("ascii").strip() or platform.system()
    return platform.system()
