"""What OpenTelemetry costs a call: installed without a provider, beside `IONOS_TELEMETRY=off`.

Run ``python tests/benchmarks/telemetry.py``. It prints microseconds of CPU for the parts that a call passes, and the
ratio of whole calls to the sandbox in this process.
"""

from __future__ import annotations

import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from ionos_openai import IonosSettings, create_client
from ionos_openai.client import telemetry
from ionos_openai.client.remembered import Remembered
from ionos_openai.errors.http import http_library

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS, TIMES = 9, 2000


def main() -> None:
    """Measure and print."""
    url = http_library().URL("https://openai.inference.de-txl.ionos.com/v1/")
    asked = Remembered(
        prompt="a fox", model="flux", size="1024x1024", seed=None, edited=False, created=datetime.now(UTC)
    )
    on, off = (IonosSettings(env_file=None, telemetry=level) for level in ("on", "off"))

    def pass_through(settings: IonosSettings) -> None:
        with telemetry.PictureCall(settings, asked, url), telemetry.attempt():
            pass

    parts = [_microseconds(lambda settings=settings: pass_through(settings), TIMES) for settings in (on, off)]
    print(f"no provider: {parts[0]:.1f} us a call; off: {parts[1]:.1f} us; the bound is 20 us")
    clients = [create_client(settings=settings, sandbox=True) for settings in (on, off)]
    for client in clients:
        client.models.list()
    whole = [
        _microseconds(lambda client=client: client.images.generate(model="klein", prompt="a", size="64x64"), 20)
        for client in clients
    ]
    print(f"a whole call to the sandbox: {whole[0] / whole[1]:.3f} of what it takes without")


def _microseconds(call: Callable[[], object], times: int) -> float:
    """Return the median over the rounds of what a call takes, in microseconds of CPU."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            call()
        rounds.append((time.process_time() - began) / times * 1e6)
    return statistics.median(rounds)


if __name__ == "__main__":
    main()
