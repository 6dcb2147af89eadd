"""What the harnesses share: a child process that works against the service, and whether all that was paid for is there.

Each picture of the service has a number in it. After a round every number that was served must be in a file that the
manifest names, in a whole file that is not recorded yet, in one that was rescued, or among the pictures that the child
found on the exception.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ionos_openai.files.formats import recognise
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 30.0  # seconds, for a child that shall end by itself
_NUMBER = re.compile(rb"\xff\xfe..(\d+) ", re.DOTALL)

PRELUDE = """
import asyncio, contextlib, os, re, signal, sys, threading, time
from ionos_openai import agenerate_batch, create_async_client, create_client, generate_batch, generate_images
from ionos_openai import partial_images
url, directory, argument = sys.argv[1], sys.argv[2], float(sys.argv[3])
prompts = [f"prompt {number}" for number in range(16)]
number = re.compile(rb"\\xff\\xfe..(\\d+) ", re.DOTALL)
def tell(error):
    for image in partial_images(error):
        print("kept", int(number.search(image.data)[1]), flush=True)
def client():
    return create_client(api_key="torture", base_url=url)
def aclient():
    return create_async_client(api_key="torture", base_url=url)
"""


@dataclass
class Tally:
    """What a series of rounds came to."""

    rounds: int = 0
    served: int = 0
    recorded: int = 0
    rescued: int = 0
    kept: int = 0
    again: int = 0
    problems: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Print it, and end the program: with 1 where there were problems."""
        print(f"{self.rounds} rounds, {self.served} pictures served: {self.recorded} recorded,")
        print(f"{self.rescued} in other files, {self.kept} on the exception; {self.again} made by the next run.")
        print(f"{len(self.problems)} problems")
        for problem in self.problems[:20]:
            print(problem)
        sys.exit(bool(self.problems))


def main(torment: Callable[[int, int], Tally], description: str | None) -> None:
    """Read `--rounds` and `--seed`, torment, report."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torment(options.rounds, options.seed).report()


class Round:
    """One child in one directory, and what came of it."""

    def __init__(self, name: str, service: Service, folder: Path) -> None:
        """Nothing has run yet."""
        self.name, self.service, self.folder = name, service, folder
        self.directory, self.state, self.temporary = folder / "out", folder / "state", folder / "tmp"
        for made in (self.directory, self.state, self.temporary):
            made.mkdir()
        self.problems: list[str] = []
        self.kept: set[int] = set()
        self.said = ""

    def start(self, *command: str, script: str = "", argument: float = 0.0) -> subprocess.Popen[str]:
        """Start a script behind the prelude, or a command line of the package."""
        places = {"XDG_STATE_HOME": str(self.state), "HOME": str(self.state), "TMPDIR": str(self.temporary)}
        service = {"IONOS_API_TOKEN": "torture", "IONOS_BASE_URL": self.service.url, "IONOS_PACE": "off"}
        line = ["-c", PRELUDE + script, self.service.url, str(self.directory), str(argument)]
        return subprocess.Popen(
            [sys.executable, *(["-m", "ionos_openai", *command] if command else line)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **service, **places},
        )

    def end(self, child: subprocess.Popen[str]) -> None:
        """Wait for the child, which must end by itself, and read what it kept."""
        try:
            said, _ = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
            self.problems.append("it hangs")
        self.said += said
        self.kept |= {int(found) for found in re.findall(r"(?m)^kept (\d+)$", said)}

    def check(self, tally: Tally) -> None:
        """Hold what is there against what was served."""
        self._wait_for_service()
        recorded = self._recorded()
        places = (self.state, self.temporary, self.directory)
        rescued = {number for place in places for number in _numbers(place.rglob("*.jpg"))}
        served = set(self.service.numbers)
        lost = served - recorded - rescued - self.kept
        if lost:
            self.problems.append(f"{len(lost)} of {len(served)} pictures are lost: {self.said[-1500:]}")
        tally.rounds += 1
        tally.served += len(served)
        tally.recorded += len(recorded)
        tally.rescued += len(rescued - recorded)
        tally.kept += len(self.kept - recorded - rescued)

    def finish(self, tally: Tally) -> None:
        """Run once more, undisturbed: all is there, and only what was not recorded was made again."""
        before, recorded = len(self.service.numbers), self._recorded()
        self.end(self.start(script="generate_batch(client(), prompts, directory).run()"))
        again = len(self.service.numbers) - before
        tally.again += again
        if again != 16 - len(recorded) or len(self._recorded()) != 16:
            self.problems.append(f"{len(recorded)} of 16 were recorded, {again} were made again: {self.said[-1500:]}")

    def _wait_for_service(self) -> None:
        # What it has sent is counted a moment after it was read.
        while self.service.busy:
            time.sleep(0.005)

    def _recorded(self) -> set[int]:
        path = self.directory / "manifest.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        newest = {entry["id"]: entry for entry in map(json.loads, lines)}
        numbers: set[int] = set()
        for file in (file for entry in newest.values() for file in entry["files"]):
            data = (self.directory / file["name"]).read_bytes()
            recognise(data)
            if hashlib.sha256(data).hexdigest() != file["sha256"]:
                self.problems.append(f"{file['name']} is not what was recorded")
            numbers |= {int(found) for found in _NUMBER.findall(data)[:1]}
        return numbers


def _numbers(paths: object) -> set[int]:
    found = (_NUMBER.search(path.read_bytes()) for path in paths)  # type: ignore[attr-defined]
    return {int(match[1]) for match in found if match is not None}


def each(ways: dict[str, Callable[[Round, random.Random], None]], rounds: int, seed: int, *, padding: int = 0) -> Tally:
    """Torment in so many rounds, one way after the other."""
    chance, tally = random.Random(seed), Tally()
    names = list(ways)
    for number in range(rounds):
        name = names[number % len(names)]
        with Service(padding=padding) as service, tempfile.TemporaryDirectory() as folder:
            service.delay = chance.choice([0.0, 0.02, 0.1])
            now = Round(name, service, Path(folder))
            ways[name](now, chance)
            now.check(tally)
            if now.directory.exists() and name not in ("fan-out",):
                now.finish(tally)
            tally.problems += [f"round {number}, {name}: {problem}" for problem in now.problems]
    return tally
