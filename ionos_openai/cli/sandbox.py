"""`ionos-openai sandbox`: the sandbox as a server, and the table of what it does."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ionos_openai.cli.terminal.output import BASES, plain_table
from ionos_openai.errors import ConfigurationError, InvalidRequestError
from ionos_openai.sandbox import Sandbox, SandboxServer
from ionos_openai.sandbox.behaviours import BEHAVIOURS
from ionos_openai.sandbox.journal import REQUESTS_LOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ionos_openai.cli.terminal.options import ServerOptions
    from ionos_openai.cli.terminal.output import Terminal


def serve(options: ServerOptions, terminal: Terminal) -> int:
    """Serve until Ctrl-C, which is how it is meant to end, or say why nobody can with these options."""
    with contextlib.closing(SandboxServer(_make_sandbox(options), host=options.host, port=options.port)) as server:
        _announce(server, terminal)
        with contextlib.suppress(KeyboardInterrupt), contextlib.nullcontext() if options.quiet else _telling(terminal):
            server.run()
    return 0


@contextlib.contextmanager
def _telling(terminal: Terminal) -> Iterator[None]:
    """Print a line a request on standard error."""
    lines = logging.Handler()
    lines.emit = lambda record: terminal.on_stderr(record.getMessage())  # type: ignore[method-assign]
    REQUESTS_LOG.addHandler(lines)
    REQUESTS_LOG.setLevel(logging.INFO)
    try:
        yield
    finally:
        REQUESTS_LOG.setLevel(logging.NOTSET)
        REQUESTS_LOG.removeHandler(lines)


def explain(terminal: Terminal) -> int:
    """Print what the sandbox does, and how each of it is known."""
    rows = [(behaviour.name, behaviour.basis, behaviour.does, behaviour.chosen) for behaviour in BEHAVIOURS]
    heads = ("Behaviour", "Basis", "What the sandbox does", "Decided beside it")
    terminal.result(
        {"behaviours": [asdict(behaviour) for behaviour in BEHAVIOURS]},
        ([*cells, chosen or "-"] for *cells, chosen in rows),
        lambda: [plain_table(heads, rows, folded=2)],
    )
    if not terminal.json:
        terminal.on_stderr(BASES)
    return 0


def read_models(path: str) -> list[dict[str, Any]]:
    """Return the entries of a recorded answer of GET /v1/models; a ConfigurationError says why the file is none."""
    try:
        data = Path(path).read_bytes()  # as bytes: PowerShell writes UTF-16, or a mark in front
        entries: list[dict[str, Any]] = json.loads(data)["data"]
        if entries and all(isinstance(entry["id"], str) and entry["id"].strip() for entry in entries):
            return entries
    except OSError as error:
        raise ConfigurationError(f"--models {path} cannot be read ({error.strerror}): name another file.") from None
    except (ValueError, RecursionError, LookupError, TypeError):
        pass
    raise ConfigurationError(
        f'--models {path} is no list of models: it needs JSON such as {{"data": [{{"id": "MODEL"}}]}}, as '
        "GET /v1/models answers."
    )


def _make_sandbox(options: ServerOptions) -> Sandbox:
    names = "token unknown_model faults limits sizes embeddings_base64 cors latency time_scale"
    given: dict[str, Any] = {name: getattr(options, name) for name in names.split()}
    kind = (options.image_format or "jpeg").upper()
    given["image_format"] = "JPEG" if kind == "JPG" else kind
    if options.models is not None:
        given["models"] = read_models(options.models)
    try:
        return Sandbox(**given)
    except ValueError as error:
        raise InvalidRequestError(str(error)) from None


def _announce(server: SandboxServer, terminal: Terminal) -> None:
    is_open = server.sandbox.token is None
    token = server.token if is_open else "<the token of --token>"  # which is the user's own, and is not repeated
    if terminal.json:
        terminal.document({"sandbox": True, "base_url": server.base_url, "token": token})
        return
    body = '{"model": "black-forest-labs/FLUX.1-schnell", "prompt": "a fox in the snow"}'
    for line in (
        f"# The sandbox answers at {server.url}: placeholders, no token, no cost. Ctrl-C ends it.",
        f"export IONOS_BASE_URL={server.base_url}",  # with export, so that the lines can be given to eval
        f"export IONOS_API_TOKEN={token}" if is_open else f"# IONOS_API_TOKEN is {token}",
        f'# PowerShell: $env:IONOS_BASE_URL = "{server.base_url}"; $env:IONOS_API_TOKEN = "{token}"',
        f"# curl {server.base_url}/images/generations -H 'Authorization: Bearer {token}' -H "
        f"'Content-Type: application/json' -d '{body}'",
    ):
        terminal.row([line])
    if not ipaddress.ip_address(server.host).is_loopback:
        terminal.warn(f"{server.host} lets the whole network in; 127.0.0.1 keeps to this machine.")
