"""A disk that is full at any write: what was paid for is recorded or reachable, and the next run goes on.

Run ``python tests/torture/full_disk.py --rounds 200``. In a round the k-th of the first 200 writes and syncs into the
directory fails, and all later ones with it or not; or files may only become so large, which fails in the middle of a
write; or, for root, the directory is on a file system of some pages. With threads, with asyncio, and from the command.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.torture.rounds import Round, Tally, each, main

if TYPE_CHECKING:
    import random

_SYNC = """
try:
    with generate_batch(client(), prompts, directory) as batch:
        begin()
        for result in batch:
            pass
except OSError as error:
    end()
    tell(error)
"""
_ASYNC = """
async def work():
    async with agenerate_batch(aclient(), prompts, directory) as batch:
        begin()
        async for result in batch:
            pass
try:
    asyncio.run(work())
except OSError as error:
    end()
    tell(error)
"""
# Every function of `os` that writes passes here; the k-th fails, with `sticks` all that follow too.
_FAILING_WRITE = """
import errno
import ionos_openai.files.writing as writing
count, is_on, sticks = 0, False, argument % 1 > 0.4
def begin():
    global is_on
    is_on = True
def end():
    global is_on
    is_on = False
def failing(function):
    def call(*given, **further):
        global count
        if is_on and threading.current_thread().name != "rescue":
            count += 1
            if count == int(argument) or (sticks and count > argument):
                raise OSError(errno.ENOSPC, "No space left on device")
        return function(*given, **further)
    return call
os.write, os.fsync, os.link = failing(os.write), failing(os.fsync), failing(os.link)
writing._write_synced = failing(writing._write_synced)
"""
_SMALL_FILES = """
import resource
def begin():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(argument), resource.RLIM_INFINITY))
def end():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
"""
_UNCHANGED = """
begin = end = lambda: None
"""


def _failing(before: str, script: str, most: int) -> object:
    def fill(now: Round, chance: random.Random) -> None:
        now.end(now.start(script=before + script, argument=chance.randint(1, most) + chance.choice([0.0, 0.5])))

    return fill


def _small_disk(script: str | None) -> object:
    def fill(now: Round, chance: random.Random) -> None:
        small = now.folder / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={4 * chance.randint(2, 40)}k", "tmpfs", str(small)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return  # not root: the other ways have been tried
        try:
            now.directory = small / "out"
            if script is None:
                (now.folder / "prompts.txt").write_text("\n".join(f"prompt {line}" for line in range(16)))
                now.end(now.start("batch", "prompts.txt", "-o", str(now.directory)))
            else:
                now.end(now.start(script=_UNCHANGED + script))
            now.directory = (
                Path(shutil.copytree(now.directory, now.folder / "copy")) if now.directory.exists() else small
            )
        finally:
            subprocess.run(["umount", "-l", str(small)], capture_output=True, check=False)

    return fill


def torment(rounds: int, seed: int) -> Tally:
    """Fill the disk `rounds` times."""
    ways = {
        "write": _failing(_FAILING_WRITE, _SYNC, 200),
        "async write": _failing(_FAILING_WRITE, _ASYNC, 200),
        "early write": _failing(_FAILING_WRITE, _SYNC, 25),
        "size": _failing(_SMALL_FILES, _SYNC, 16_000),
        "async size": _failing(_SMALL_FILES, _ASYNC, 16_000),
        "disk": _small_disk(_SYNC),
        "disk, command": _small_disk(None),
    }
    return each(ways, rounds, seed)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(torment, __doc__)
