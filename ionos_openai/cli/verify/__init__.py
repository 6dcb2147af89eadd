"""The sandbox's table of behaviours, asked of a service: where is the sandbox wrong?

Nobody who wrote the sandbox could reach the service. Each row of the table that can be asked has a probe, which asks
through a real client and compares; each row that cannot has the reason.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ionos_openai.cli.verify.asking import Asker, NoAnswer, NotAsked, ending
from ionos_openai.cli.verify.probes import NEVER_ASKED, PROBES, Asking, Probe
from ionos_openai.errors.words import plural
from ionos_openai.sandbox.behaviours import BEHAVIOURS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import openai

    from ionos_openai.sandbox.behaviours import Behaviour

__all__ = ["SPACING", "RowFinding", "Verdict", "verify"]

Verdict: TypeAlias = Literal["as the stand-in", "different", "no answer", "not asked"]
"""What was found about a row. "no answer": nothing came that tells, such as a timeout, a 429, or a refused token."""

SPACING = 0.2  # seconds from one request to the next: the documented 5 a second


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFinding:
    """What was found about one row of the table."""

    behaviour: Behaviour  # the row
    verdict: Verdict  # what was found
    text: str = ""  # what came, or why nothing was asked; empty where it is as the sandbox does. It holds no secret
    pictures: int = 0  # how many pictures were asked for
    is_token_problem: bool = False  # whether nothing came because the token was refused
    exchanges: tuple[Mapping[str, object], ...] = ()  # what was asked and what came, scrubbed, as JSON can hold it


def verify(
    client: openai.OpenAI,
    *,
    spend: int = 0,
    limits: bool = False,
    spacing: float = SPACING,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RowFinding]:
    """Go through the table of behaviours, asking whatever the client talks to.

    A row that differs, or that cannot be answered, never ends the walk.

    Args:
        client: A client of `create_client`. Requests are sent as they are, once each; a 429 is waited for.
        spend: The most pictures to ask for. One that is expected to be refused counts too, since it may be billed. With
            0 nothing is asked that may cost anything, a few tokens of text included.
        limits: Whether limits are provoked. That of requests costs nothing: the list of models is asked for too often;
            that of images takes 24 of `spend`.
        spacing: Seconds from one request to the next, at least.
        clock: Returns seconds that never run backwards.
        sleep: Waits for so many seconds.

    Yields:
        What was found, row by row, in the order of the table.
    """
    asker = Asker(client=client, spend=spend, spacing=spacing, clock=clock, sleep=sleep)
    asking = Asking(asker=asker, limits=limits)
    for behaviour in BEHAVIOURS:
        before = asker.asked
        with ending(client, clock=clock):
            verdict, text, is_token_problem = _find(asking, behaviour.name)
        exchanges, asker.exchanges = tuple(asker.exchanges), []
        yield RowFinding(
            behaviour=behaviour,
            verdict=verdict,
            text=asker.mask(text),
            pictures=asker.asked - before,
            is_token_problem=is_token_problem,
            exchanges=exchanges,
        )


def _find(asking: Asking, name: str) -> tuple[Verdict, str, bool]:
    """Return the verdict, what came or why nothing was asked, and whether the token is to blame."""
    probe = PROBES.get(name)
    reason = NEVER_ASKED.get(name, "there is no way to ask it") if probe is None else _reason_not_to(asking, probe)
    if probe is None or reason:
        return "not asked", reason, False
    try:
        difference = probe.ask(asking)
    except NotAsked as why:
        return "not asked", str(why), False
    except NoAnswer as why:
        return "no answer", str(why), why.token
    except Exception as error:  # noqa: BLE001  # whatever a service sends, the other rows are asked all the same
        return "no answer", f"what came could not be judged ({type(error).__name__})", False
    return ("different", difference, False) if difference else ("as the stand-in", "", False)


def _reason_not_to(asking: Asking, probe: Probe) -> str:
    """Return why a row is not asked; empty where it may be."""
    if probe.limits and not asking.limits:
        return "it provokes a limit: --provoke-limits asks it"
    if probe.tokens and not asking.asker.spend:
        return "it costs a few tokens: --spend 1 or more asks it"
    pictures = probe.pictures + asking.missing(probe.shared)
    if pictures > asking.asker.left:
        spent = f", and {asking.asker.left} of {asking.asker.spend} are left" if asking.asker.spend else ""
        return f"it asks for {plural(pictures, 'picture')}, which may be billed{spent}: see --spend"
    return ""
