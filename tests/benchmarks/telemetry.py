"""What OpenTelemetry costs a call: installed without a provider, beside `IONOS_TELEMETRY=off`.

Run ``python tests/benchmarks/telemetry.py``. It prints microseconds of CPU for the parts that a call passes, and the
ratio of whole calls that are answered in this process.
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
from ionos_openai.client.calls import Remembered
from ionos_openai.client.in_process import answering_client
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
    with create_client(sandbox=True) as client:
        picture = client.images.generate(model="flux.1", prompt="a fox").to_dict()

    def answer(_request: object) -> object:
        return http_library().Response(200, json=picture)

    def pass_through(settings: IonosSettings) -> None:
        with telemetry.PictureCall(settings, asked, url) as call, telemetry.attempt():
            call.take(came)

    clients = [
        create_client(settings=settings, api_key="sandbox", http_client=answering_client(answer), pace=False)
        for settings in (on, off)
    ]
    came = clients[0].images.generate(model="flux.1", prompt="a fox")
    parts = [_microseconds(lambda settings=settings: pass_through(settings), TIMES) for settings in (on, off)]
    print(f"no provider: {parts[0]:.1f} us a call; off: {parts[1]:.1f} us; the bound is 20 us")
    whole = [
        _microseconds(lambda client=client: client.images.generate(model="flux.1", prompt="a fox"), 50)
        for client in clients * 2
    ]
    print(f"a whole call of a megapixel: {min(whole[::2]) / min(whole[1::2]):.3f} of what it takes without")


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
