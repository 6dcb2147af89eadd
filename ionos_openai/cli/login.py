"""`ionos-openai login` and `logout`: a token that is kept for this user on this machine."""

from __future__ import annotations

import getpass
import sys

from pydantic import SecretStr

from ionos_openai.cli.doctor.checks import Look, examine_with
from ionos_openai.cli.doctor.command import show_checks
from ionos_openai.cli.terminal.exits import TOKEN, USAGE, worst
from ionos_openai.cli.terminal.options import Connection
from ionos_openai.cli.terminal.output import Terminal
from ionos_openai.client import login
from ionos_openai.client.settings import IonosSettings, is_in_ci
from ionos_openai.errors import ConfigurationError, InvalidRequestError


def keep(connection: Connection, terminal: Terminal) -> int:
    """Ask for a token, check it as `doctor` does, and keep it unless it cannot work."""
    if is_in_ci():
        raise ConfigurationError("CI is set, and there no kept token is read: set IONOS_API_TOKEN.")
    settings = IonosSettings(api_key=_ask(), env_file=None)
    if settings.api_key is None or not settings.api_key.get_secret_value():
        raise InvalidRequestError("No token was given: nothing is kept.")
    with terminal.waiting("Checking the token"):
        checks = list(examine_with(Look(connection=connection, settings=settings)))
    code = worst(check.exit_code for check in checks)
    place = None if code in (TOKEN, USAGE) else login.keep(settings.api_key)
    show_checks(checks, terminal, {"kept": place, "exit_code": code})
    if place is None:
        terminal.error("The token is not kept.")
    elif not terminal.json:
        terminal.on_stderr(f"The token is kept in {place}. IONOS_API_TOKEN and .env come before it.")
    return code if place is None else 0


def forget(terminal: Terminal) -> int:
    """Remove the token that was kept."""
    was_there = login.forget()
    if terminal.json:
        terminal.document({"removed": was_there})
    else:
        terminal.row(["The token is removed." if was_there else "There was no token that was kept."])
    return 0


def _ask() -> SecretStr:
    if sys.stdin is None:
        raise InvalidRequestError("Standard input is closed: pipe the token in, or call this on a terminal.")
    if sys.stdin.isatty():
        return SecretStr(getpass.getpass("IONOS token (it is not shown): "))
    return SecretStr(sys.stdin.readline().lstrip("\ufeff"))
