"""`ionos-openai verify`: the walk through the table, and how it is told.

Nobody who wrote the sandbox could reach the service. Each row of the table that can be asked has a probe, which asks
through a real client and compares; each row that cannot has the reason.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

import openai

from ionos_openai import __version__
from ionos_openai.cli.terminal.exits import MADE, REFUSED, TEMPORARY, TOKEN, worst
from ionos_openai.cli.terminal.output import BASES, as_json, one_line, plain_table
from ionos_openai.cli.verify.asking import Unanswered
from ionos_openai.cli.verify.probes import NEVER_ASKED, PROBES, Asking
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import ConfigurationError, ImageSaveError
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.errors.words import plural
from ionos_openai.files.writing import check_directory, write_new
from ionos_openai.hub.prices import parse_prices, price_of
from ionos_openai.sandbox.behaviours import BEHAVIOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.table import Table
    from rich.text import Text

    from ionos_openai.cli.terminal.options import Connection, VerifyOptions
    from ionos_openai.cli.terminal.output import Terminal
    from ionos_openai.sandbox.behaviours import Behaviour

Verdict: TypeAlias = Literal["as the stand-in", "different", "no answer", "not asked"]
"""What was found about a row. "no answer": nothing came that tells, such as a timeout, a 429, or a refused token."""

SPACING = 0.2  # seconds from one request to the next: the documented 5 a second
_LONGEST_WAIT = 120.0  # seconds for one request, unless the settings say otherwise
# How a verdict is shown to people; programs know the first one by its older word.
_SHOWN: dict[Verdict, tuple[str, str]] = {
    "as the stand-in": ("as the sandbox", "green"),
    "different": ("different", "bold red"),
    "no answer": ("no answer", "yellow"),
    "not asked": ("not asked", "dim"),
}
_CODES: dict[Verdict, int] = {"different": REFUSED, "no answer": TEMPORARY}


@dataclass(frozen=True, slots=True)
class RowFinding:
    """What was found about one row of the table."""

    behaviour: Behaviour  # the row
    verdict: Verdict  # what was found
    text: str  # what came, or why nothing was asked; empty where it is as the sandbox does. It holds no secret
    is_token_problem: bool  # whether nothing came because the token was refused
    pictures: int  # how many pictures were asked for
    exchanges: tuple[Mapping[str, object], ...]  # what was asked and what came, scrubbed, as JSON can hold it


def verify(
    client: openai.OpenAI,
    *,
    spend: int = 0,
    limits: bool = False,
    spacing: float = SPACING,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RowFinding]:
    """Go through the table of behaviours, asking whatever the client talks to, and yield what was found row by row.

    A row that differs, or that cannot be answered, never ends the walk. Requests are sent as they are, once each, and a
    429 is waited for. A picture that is expected to be refused counts in `spend` too, since it may be billed; with 0
    nothing is asked that may cost anything, a few tokens of text included. Of the `limits`, that of requests costs
    nothing: the list of models is asked for too often; that of images takes 24 of `spend`. `spacing` is in seconds.
    """
    asking = Asking(client=client, spend=spend, limits=limits, spacing=spacing, clock=clock, sleep=sleep)
    for behaviour in BEHAVIOURS:
        before, asking.exchanges = asking.asked, []
        with asking.bounding():
            verdict, text, is_token_problem = _find(asking, behaviour.name)
        pictures, exchanges = asking.asked - before, tuple(asking.exchanges)
        yield RowFinding(behaviour, verdict, asking.mask(text), is_token_problem, pictures, exchanges)


def _find(asking: Asking, name: str) -> tuple[Verdict, str, bool]:
    """Return the verdict, what came or why nothing was asked, and whether the token is to blame."""
    if name not in PROBES:
        return "not asked", NEVER_ASKED.get(name, "there is no way to ask it"), False
    try:
        difference = PROBES[name](asking)
    except Unanswered as why:
        return "no answer" if why.is_asked else "not asked", why.why, why.token
    except Exception as error:  # noqa: BLE001  # whatever a service sends, the other rows are asked all the same
        return "no answer", f"what came could not be judged ({type(error).__name__})", False
    return "different" if difference else "as the stand-in", difference, False


def run(connection: Connection, options: VerifyOptions, terminal: Terminal) -> int:
    """Ask, and tell row by row what was found; raise an `OpenAIError` where something cannot work.

    The exit code is 0 where all that was asked is as the sandbox's, 1 where a row differs, 75 or 77 without an answer.
    """
    settings = IonosSettings()
    settings = settings.model_copy(update={"timeout": settings.timeout or _LONGEST_WAIT})
    target = _check_target(options.answers)
    is_sandbox = connection.uses_sandbox(settings)
    findings: list[RowFinding] = []
    with connection.connect(settings) as client:
        if options.spend and not options.yes and not is_sandbox:
            _confirm(options.spend, settings, client, terminal)
        try:
            with terminal.waiting("Asking row by row"):
                for finding in verify(client, spend=options.spend, limits=options.limits, spacing=SPACING):
                    findings.append(finding)
                    row = finding.behaviour
                    cells = [row.name, row.basis, finding.verdict, one_line(finding.text) or "-"]
                    terminal.part([cells], tuple)  # for people it is one table, at the end
        finally:  # Whatever ends the walk: what was paid for is kept.
            service = None if is_sandbox else mask_secrets(str(client.base_url))
            code = worst(TOKEN if row.is_token_problem else _CODES.get(row.verdict, MADE) for row in findings)
            document = _document(findings, service, code)
            if target is not None:
                _keep(target, document)
    terminal.result(document, (), lambda: _shown(findings))
    if not terminal.json:
        terminal.on_stderr(BASES)
    if is_sandbox:
        terminal.warn("The sandbox was asked about itself, not the service.")
    return code


def _confirm(spend: int, settings: IonosSettings, client: openai.OpenAI, terminal: Terminal) -> None:
    """Ask on the terminal whether so many pictures may be asked for; raise an `InvalidRequestError` where not."""
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
    """Return the file for the answers, if there is to be one, once it was tried that it can be written to."""
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


def _document(findings: Sequence[RowFinding], service: str | None, code: int) -> dict[str, object]:
    return {
        "sandbox": service is None,
        "service": service,
        "asked": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"ionos-openai": __version__, "openai": openai.__version__},
        "pictures": sum(finding.pictures for finding in findings),
        "rows": [
            dataclasses.asdict(row.behaviour)
            | {"verdict": row.verdict, "text": row.text, "answers": list(row.exchanges)}
            for row in findings
        ],
        "exit_code": code,
    }


def _shown(findings: Sequence[RowFinding]) -> Iterator[Table | Text]:
    from rich.text import Text

    table = plain_table(("Behaviour", "Basis", "Verdict", "What came, or why nothing was asked"))
    for row in findings:
        table.add_row(row.behaviour.name, row.behaviour.basis, Text(*_SHOWN[row.verdict]), Text(one_line(row.text)))
    yield table
    counts = Counter(finding.verdict for finding in findings)
    summary = ", ".join(f"{counts[verdict]} {words}" for verdict, (words, _) in _SHOWN.items() if counts[verdict])
    asked = sum(finding.pictures for finding in findings)
    yield Text(f"\n{summary}; {plural(asked, 'picture')} asked for.", style="bold")
