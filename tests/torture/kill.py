"""Kill batches at random moments, and see that nothing recorded is lost, nothing is torn, and all gets done.

    python tests/torture/kill.py [--rounds 200] [--seed 1] [--prompts 40]

A server in this process counts what it served. A child process makes the prompts, and is sent SIGKILL after a random
time, again and again; when all are done, the next directory begins. After each kill:

- every line of the manifest but a torn last one is JSON, and every picture it says is done is there, whole, with its
  digest; each that an earlier look saw is still there;
- a result that the child printed, which it did only after it was yielded, is in the manifest;
- the server served no more pictures than are recorded plus those that were in flight at each kill.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from ionos_openai.files.formats import recognise
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

CONCURRENCY = 4
CHILD = """
import sys
from ionos_openai import ImageRequest, create_client, generate_batch
url, directory, count, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = create_client(api_key="torture", base_url=url)
requests = [ImageRequest(prompt=f"prompt {i}", n=1 + i % 2) for i in range(count)]
print("ready", flush=True)
for result in generate_batch(client, requests, directory, concurrency=concurrency):
    print(result.id, flush=True)
print("finished")
"""


@dataclass
class Tally:
    """What a series of kills came to."""

    rounds: int = 0
    finished: int = 0
    served: int = 0
    recorded: int = 0
    torn_lines: int = 0
    problems: list[str] = field(default_factory=list)


def tell(description: str | None, torment: Callable[..., Tally]) -> None:
    """Read the options, kill, report."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=40)
    options = parser.parse_args()
    tally = torment(rounds=options.rounds, seed=options.seed, prompts=options.prompts)
    print(f"{tally.rounds} kills, {tally.finished} batches finished, {tally.torn_lines} torn last lines mended")
    print(f"{tally.served} pictures served, {tally.recorded} recorded: {tally.served - tally.recorded} made again")
    print(f"{len(tally.problems)} problems")
    for problem in tally.problems:
        print(problem)
    sys.exit(bool(tally.problems))


def torment(*, rounds: int, seed: int, prompts: int) -> Tally:
    """Kill `rounds` times, over as many directories as that takes; then let the last one finish."""
    chance, tally = random.Random(seed), Tally()
    while tally.rounds < rounds:
        with Service() as service, tempfile.TemporaryDirectory() as folder:
            service.delay = 0.01
            _one_directory(service, Path(folder), chance, tally, rounds=rounds, prompts=prompts)
    return tally


def _one_directory(
    service: Service, folder: Path, chance: random.Random, tally: Tally, *, rounds: int, prompts: int
) -> None:
    seen: dict[str, str] = {}
    kills, done = 0, False
    pictures = sum(1 + number % 2 for number in range(prompts))
    while not done:
        spare = tally.rounds < rounds
        done, printed = one_run(CHILD, service.url, str(folder), prompts, chance.uniform(0.0, 0.45) if spare else None)
        if not done:
            tally.rounds, kills = tally.rounds + 1, kills + 1
        recorded = _inspect(folder, seen, printed, tally)
        served = sum(service.served.values())
        if served > recorded + CONCURRENCY * max(kills, 1):
            tally.problems.append(f"{served} pictures served and {recorded} recorded after {kills} kills")
    if recorded != pictures:
        tally.problems.append(f"{recorded} pictures recorded at the end, {pictures} asked for")
    tally.finished += 1
    tally.served += served
    tally.recorded += recorded


def one_run(script: str, url: str, place: str, prompts: int, life: float | None) -> tuple[bool, list[str]]:
    """Start a child, kill it `life` seconds after it is ready; return whether it had finished, and what it printed."""
    child = subprocess.Popen(
        [sys.executable, "-c", script, url, place, str(prompts), str(CONCURRENCY)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    if life is not None:
        time.sleep(life)
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    printed = child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    return "finished" in printed, [line for line in printed if line != "finished"]


def _inspect(folder: Path, seen: dict[str, str], printed: list[str], tally: Tally) -> int:
    """Hold the directory against what it must be; return how many pictures are recorded."""
    path = folder / "manifest.jsonl"
    lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
    tally.torn_lines += lines[-1] != b""
    newest: dict[str, dict[str, object]] = {}
    for line in lines[:-1]:
        entry = json.loads(line)
        newest[entry["id"]] = entry
    files = {one["name"]: one["sha256"] for entry in newest.values() for one in entry["files"]}  # type: ignore[attr-defined]
    for name, digest in {**seen, **files}.items():
        data = (folder / name).read_bytes() if (folder / name).exists() else b""
        if hashlib.sha256(data).hexdigest() != digest or name not in files:
            tally.problems.append(f"{name}: recorded, and now lost or torn")
    for one in folder.iterdir():
        if one.suffix == ".jpg":
            recognise(one.read_bytes())  # also those that were not recorded yet are whole
    tally.problems += [f"{one}: yielded, and not recorded" for one in printed if one not in newest]
    seen.update(files)
    return len(files)


if __name__ == "__main__":
    tell(__doc__, torment)
