"""Ctrl-C at any moment: nothing hangs, and every picture that was paid for is recorded or on the exception.

Run ``python tests/torture/interrupt.py --rounds 200``. A round interrupts once: a batch at a random line of the package
(as the interpreter does at a signal) or by a real signal at a random time, eight pictures of one call, an async batch,
the command, and the command whose terminal is hung up.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.torture.rounds import Round, Tally, each, main

if TYPE_CHECKING:
    import random

_AT_A_LINE = """
seen = 0
def trace(frame, event, given):
    return count if any(part in frame.f_code.co_filename for part in PARTS) else None
def count(frame, event, given):
    global seen
    seen += event == "line"
    if seen == argument and event == "line":
        sys.settrace(None)
        raise KeyboardInterrupt
    return count
"""
_BATCH = """
PARTS = ("ionos_openai/batch/",)
batch = generate_batch(client(), prompts, directory)
sys.settrace(trace)
try:
    for result in batch:
        pass
except KeyboardInterrupt as error:
    sys.settrace(None)
    tell(error)
"""
_FAN_OUT = """
PARTS = ("client/fanout", "images/generate", "images/image", "files/writing")
sys.settrace(trace)
try:
    for image in generate_images(client(), "prompt", n=8, directory=directory):
        pass
except KeyboardInterrupt as error:
    sys.settrace(None)
    tell(error)
for path in os.listdir(directory):
    print("kept", int(number.search(open(os.path.join(directory, path), "rb").read())[1]))
"""
_SIGNAL = """
signal.signal(signal.SIGINT, signal.default_int_handler)
batch = generate_batch(client(), prompts, directory)
print("ready", flush=True)
try:
    for result in batch:
        pass
except KeyboardInterrupt as error:
    tell(error)
"""
_ASYNC = """
signal.signal(signal.SIGINT, signal.default_int_handler)
async def work():
    async with agenerate_batch(aclient(), prompts, directory) as batch:
        print("ready", flush=True)
        async for result in batch:
            pass
try:
    asyncio.run(work())
except KeyboardInterrupt as error:
    tell(error)
"""


def _at_a_line(script: str, most: int) -> object:
    def interrupt(now: Round, chance: random.Random) -> None:
        now.end(now.start(script=_AT_A_LINE + script, argument=chance.randint(1, most)))

    return interrupt


def _by_signal(script: str) -> object:
    def interrupt(now: Round, chance: random.Random) -> None:
        child = now.start(script=script)
        assert child.stdout is not None
        now.said += child.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.4))
        child.send_signal(signal.SIGINT)
        now.end(child)

    return interrupt


def _command(number: int) -> object:
    def interrupt(now: Round, chance: random.Random) -> None:
        (now.folder / "prompts.txt").write_text("\n".join(f"prompt {line}" for line in range(16)))
        child = now.start("batch", "prompts.txt", "-o", str(now.directory))
        while not now.service.requests and child.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.2))
        child.send_signal(number)
        now.end(child)

    return interrupt


def torment(rounds: int, seed: int) -> Tally:
    """Interrupt `rounds` times."""
    ways = {
        "line": _at_a_line(_BATCH, 1500),
        "fan-out": _at_a_line(_FAN_OUT, 250),
        "signal": _by_signal(_SIGNAL),
        "line again": _at_a_line(_BATCH, 400),
        "async": _by_signal(_ASYNC),
        "command": _command(signal.SIGINT),
        "hang-up": _command(getattr(signal, "SIGHUP", signal.SIGINT)),
    }
    return each(ways, rounds, seed)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(torment, __doc__)
