"""Every way out of a batch, with a disk that may be full by then: what is on its way is waited for, and never lost.

Run ``python tests/torture/ways_out.py --rounds 200``. In a round a batch is left after some results: by `break`, an
exception in the loop or in `on_event`, `close()` from another thread, a forked child that leaves too, a batch that is
forgotten; an async one by `break`, a timeout of asyncio, a scope of anyio, or being cancelled twice.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.torture.rounds import Round, Tally, each, main

if TYPE_CHECKING:
    import random

_BEFORE = """
import logging
logging.basicConfig(level=logging.ERROR)
after, is_full = int(argument), argument % 1 > 0.4
import ionos_openai.batch.stored as stored
write = stored.write_images
def full(*given, **further):
    raise stored.ImageSaveError("No space left on device")
def fill():
    if is_full:
        stored.write_images = full
class Mine(Exception):
    pass
"""
_AFTER = """
try:
    generate_batch(client(), [], directory).close()
except Exception as error:
    print("the directory is not free:", error)
    sys.exit(9)
"""
_LOOP = """
try:
    with generate_batch(client(), prompts, directory) as batch:
        for count, result in enumerate(batch, 1):
            if count == after:
                fill()
                LEAVE
except (Mine, OSError, KeyboardInterrupt) as error:
    tell(error)
"""
_ON_EVENT = """
count = 0
def hear(event):
    global count
    count += event.kind == "done"
    if count == after:
        fill()
        raise Mine
try:
    for result in generate_batch(client(), prompts, directory, on_event=hear):
        pass
except (Mine, OSError) as error:
    tell(error)
"""
_FORGOTTEN = """
batch = generate_batch(client(), prompts, directory)
for count in range(after):
    next(batch)
fill()
del batch
import gc
while threading.active_count() > 1:
    time.sleep(0.01)
gc.collect()
"""
_CLOSED = """
batch = generate_batch(client(), prompts, directory)
def close():
    try:
        batch.close()
    except OSError as error:
        tell(error)
closing = threading.Timer(0.02 * after, close)
try:
    for count, result in enumerate(batch):
        if not count:
            closing.start()
except OSError as error:
    tell(error)
closing.join()
"""
_FORKED = """
for count, result in enumerate(generate_batch(client(), prompts, directory), 1):
    if count == after:
        child = os.fork()
        if not child:
            break
if not child:
    sys.exit()
if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
    print("the child failed")
    sys.exit(9)
"""
_ASYNC = """
async def work():
    async with agenerate_batch(aclient(), prompts, directory) as batch:
        count = 0
        async for result in batch:
            count += 1
            if count == after:
                fill()
                if LEAVES:
                    break
async def main():
    import anyio
    HOW
try:
    asyncio.run(main())
except (OSError, asyncio.CancelledError) as error:
    tell(error)
"""
_TWICE = """task = asyncio.create_task(work())
    for pause in (0.02 * after, 0.01):
        await asyncio.sleep(pause)
        task.cancel()
    await task"""


def _leaving(script: str) -> object:
    def leave(now: Round, chance: random.Random) -> None:
        child = now.start(script=_BEFORE + script + _AFTER, argument=chance.randint(1, 12) + chance.choice([0.0, 0.5]))
        now.end(child)
        if child.returncode:
            now.problems.append(f"it ended with {child.returncode}: {now.said[-1500:]}")

    return leave


def _async(how: str, *, leaves: bool = False) -> object:
    return _leaving(_ASYNC.replace("HOW", how).replace("LEAVES", str(leaves)))


def torment(rounds: int, seed: int) -> Tally:
    """Leave `rounds` times."""
    ways = {
        "break": _leaving(_LOOP.replace("LEAVE", "break")),
        "exception": _leaving(_LOOP.replace("LEAVE", "raise Mine")),
        "interruption": _leaving(_LOOP.replace("LEAVE", "raise KeyboardInterrupt")),
        "on_event": _leaving(_ON_EVENT),
        "forgotten": _leaving(_FORGOTTEN),
        "closed": _leaving(_CLOSED),
        "async break": _async("await work()", leaves=True),
        "timeout": _async("await asyncio.wait_for(work(), 0.02 * after)"),
        "scope": _async("with anyio.move_on_after(0.02 * after): await work()"),
        "cancelled twice": _async(_TWICE),
    }
    if hasattr(os, "fork"):
        ways["forked"] = _leaving(_FORKED)
    return each(ways, rounds, seed)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(torment, __doc__)
