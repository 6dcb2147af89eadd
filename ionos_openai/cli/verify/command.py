"""`ionos-openai verify`: what the sandbox does, asked of the service."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

import openai

from ionos_openai import __version__
from ionos_openai.cli.terminal.connection import connect, uses_sandbox
from ionos_openai.cli.terminal.exits import MADE, REFUSED, TEMPORARY, TOKEN, worst
from ionos_openai.cli.terminal.output import BASES, as_json, one_line, plain_table
from ionos_openai.cli.verify import SPACING, RowFinding, Verdict, verify
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import ConfigurationError, ImageSaveError
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.words import plural
from ionos_openai.files.writing import check_directory, write_new
from ionos_openai.hub.prices import parse_prices, price_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table
    from rich.text import Text

    from ionos_openai.cli.terminal.options import Connection, VerifyOptions
    from ionos_openai.cli.terminal.output import Terminal

_LONGEST_WAIT = 120.0  # seconds for one request, unless the settings say otherwise
_STYLES: dict[Verdict, str]
_STYLES = {"as the stand-in": "green", "different": "bold red", "no answer": "yellow", "not asked": "dim"}
_NOTHING = "-"


def run(connection: Connection, options: VerifyOptions, terminal: Terminal) -> int:
    """Ask, and tell row by row what was found.

    Returns:
        The exit code: 0 where every row that was asked is as the sandbox's, 1 where one differs, 77 where the token
        was refused, 75 where a row had no answer.

    Raises:
        openai.OpenAIError: Something cannot work, which was seen before anything was sent.
    """
    settings = IonosSettings()
    if settings.timeout is None:
        settings = settings.model_copy(update={"timeout": _LONGEST_WAIT})
    target = _check_target(options.answers)
    is_sandbox = uses_sandbox(connection, settings)
    findings: list[RowFinding] = []
    with connect(connection, settings) as client, ExitStack() as at_the_end:
        if options.spend and not options.yes and not is_sandbox:
            _confirm(options.spend, settings, client, terminal)
        if target is not None:
            # Whatever ends the walk: what was paid for is kept.
            at_the_end.callback(lambda: _keep(target, _document(findings, client, is_sandbox=is_sandbox)))
        with terminal.waiting("Asking row by row"):
            for finding in verify(client, spend=options.spend, limits=options.limits, spacing=SPACING):
                findings.append(finding)
                row = finding.behaviour
                cells = [row.name, row.basis, finding.verdict, one_line(finding.text) or _NOTHING]
                terminal.part([cells], tuple)  # for people it is one table, at the end
    document = _document(findings, client, is_sandbox=is_sandbox)
    terminal.result(document, (), lambda: _shown(findings))
    if not terminal.json:
        terminal.on_stderr(BASES)
    if is_sandbox:
        terminal.warn("The sandbox was asked about itself, not the service.")
    return worst(map(_exit_code, findings))


def _exit_code(finding: RowFinding) -> int:
    if finding.is_token_problem:
        return TOKEN
    return {"different": REFUSED, "no answer": TEMPORARY}.get(finding.verdict, MADE)


def _confirm(spend: int, settings: IonosSettings, client: openai.OpenAI, terminal: Terminal) -> None:
    """Ask on the terminal whether so many pictures may be asked for.

    Raises:
        InvalidRequestError: They may not, or nobody is there to ask.
    """
    prices = parse_prices(settings.prices, settings.base_url) if settings.prices else None
    models = dict.fromkeys((settings.image_model, settings.image_edit_model))
    known = [f"{model} costs {price_of(model, prices) or 'an unknown amount'} a picture" for model in models]
    question = (
        f"Up to {plural(spend, 'picture')} and a few tokens of text are asked of "
        f"{urlsplit(str(client.base_url)).hostname}. Each picture may be billed, also where a refusal is expected; "
        f"{', '.join(known)}."
    )
    terminal.confirm(question, otherwise="Not confirmed, so nothing was asked: --spend 0 asks what costs nothing.")


def _check_target(answers: str | None) -> Path | None:
    """Return the file for the answers, if there is to be one; it can be written to.

    Raises:
        ConfigurationError: It is a directory.
        ImageSaveError: Its directory cannot be written to.
    """
    if answers is None:
        return None
    target = Path(answers)
    if target.is_dir() or not target.name:
        raise ConfigurationError(f"--answers {answers} is a directory: name a file.")
    check_directory(target.parent)
    return target


def _keep(target: Path, document: dict[str, object]) -> None:
    try:
        write_new(target.parent, target.name, as_json(document).encode("ascii"), overwrite=True)
    except ImageSaveError as error:
        cause = error.__cause__
        reason = getattr(cause, "strerror", None) or type(cause or error).__name__
        raise ImageSaveError(f"The answers cannot be written to {target} ({reason}): name another file.") from error


def _document(findings: Sequence[RowFinding], client: openai.OpenAI, *, is_sandbox: bool) -> dict[str, object]:
    return {
        "sandbox": is_sandbox,
        "service": None if is_sandbox else mask_secrets(str(client.base_url)),
        "asked": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"ionos-openai": __version__, "openai": openai.__version__},
        "pictures": sum(finding.pictures for finding in findings),
        "rows": [
            {
                **{name: getattr(finding.behaviour, name) for name in ("name", "basis", "does", "chosen")},
                "verdict": finding.verdict,
                "text": finding.text,
                "answers": list(finding.exchanges),
            }
            for finding in findings
        ],
        "exit_code": worst(map(_exit_code, findings)),
    }


def _shown_verdict(verdict: Verdict) -> str:
    """Return the verdict as people read it; programs know it by its older word."""
    return "as the sandbox" if verdict == "as the stand-in" else verdict


def _shown(findings: Sequence[RowFinding]) -> Iterator[Table | Text]:
    from rich.text import Text

    rows = [
        (
            row.behaviour.name,
            row.behaviour.basis,
            Text(_shown_verdict(row.verdict), style=_STYLES[row.verdict]),
            Text(one_line(row.text)),
        )
        for row in findings
    ]
    yield plain_table(("Behaviour", "Basis", "Verdict", "What came, or why nothing was asked"), rows)
    counts = Counter(finding.verdict for finding in findings)
    asked = sum(finding.pictures for finding in findings)
    summary = ", ".join(
        f"{counts[verdict]} {_shown_verdict(verdict)}" for verdict in get_args(Verdict) if counts[verdict]
    )
    yield Text(f"\n{summary}; {plural(asked, 'picture')} asked for.", style="bold")
