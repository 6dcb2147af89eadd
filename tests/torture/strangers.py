"""Directories from strangers: nothing in them makes or destroys a file elsewhere, waits for ever or fills the memory.

Run ``python tests/torture/strangers.py --rounds 200``. A round puts links, pipes, devices, damaged pictures and lines,
and records of hostile names into a directory, by chance, and lets one command after the other loose on it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image

from ionos_openai.provenance import Provenance, write_provenance

PATIENCE = 60.0  # seconds for a command
MEMORY = 2 << 30  # bytes of address space
_TEXTS = (
    "=cmd|'/c calc'!A1",
    "$(touch made)",
    "`touch made`",
    "'; touch made; '",
    "\x1b]0;title\x07",
    "a\u202eb",
    "-rf",
)
_NAMES = ("../made", "/dev/zero", "..", "a\0b.jpg", "a/b.jpg", "c:made", ".bashrc", "n" * 3000, "\ud800.jpg", "fox.jpg")
_PLACES = (
    "manifest.jsonl",
    ".ionos-batch.lock",
    ".ionos-batch.owner",
    ".ionos-batch.redo",
    "index.html",
    ".thumbnails",
)
_MORE = (".thumbnails/facts.json", "fox.jpg", "fox.xmp", "fox.jpg.xmp", "a-fox.jpg", "owl.png", "index.html.part")
_COMMANDS = (
    ["gallery", "{}"],
    ["batch", "{}/../prompts.csv", "-o", "{}", "--sandbox", "--limits", "off"],
    ["costs", "{}", "--by", "sku", "--csv"],
    ["inspect", "{}"],
    ["mark", "{}/fox.jpg", "--creator", "me"],
    ["generate", "a fox", "-o", "{}/", "--sandbox", "--overwrite"],
)


@dataclass
class Tally:
    """What a series of directories came to."""

    rounds: int = 0
    commands: int = 0
    problems: list[str] = field(default_factory=list)


def main() -> None:
    """Read the options, torment, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = torment(options.rounds, options.seed)
    print(f"{tally.rounds} directories, {tally.commands} commands, {len(tally.problems)} problems")
    for problem in tally.problems[:20]:
        print(problem)
    sys.exit(bool(tally.problems))


def torment(rounds: int, seed: int) -> Tally:
    """Make `rounds` directories, and let two commands at each."""
    chance, tally = random.Random(seed), Tally()
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "mine").mkdir()
            (root / "mine" / "0123456789abcdef.jpg").write_bytes(_picture("mine"))
            (root / "mine" / "precious").write_text("precious")
            (root / "prompts.csv").write_text("prompt,sku\na fox,=1+1\nan owl,@x\n")
            _fill(root / "theirs", root / "mine", chance)
            for command in chance.sample(_COMMANDS, 2):
                before = _seen(root)
                tally.problems += [f"{number}, {command[0]}: {problem}" for problem in _run(command, root)]
                if _seen(root) != before:
                    tally.problems.append(f"{number}, {command[0]}: something outside of the directory has changed")
                tally.commands += 1
        tally.rounds += 1
    return tally


def _picture(prompt: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    return write_provenance(buffer.getvalue(), Provenance(prompt=prompt, digital_source_type="x"))


def _fill(theirs: Path, mine: Path, chance: random.Random) -> None:
    """Make a directory as a stranger might."""
    theirs.mkdir()
    for number in range(chance.randint(1, 4)):
        (theirs / f"picture-{number}.jpg").write_bytes(_picture(chance.choice(_TEXTS))[: chance.choice([None, 200, 9])])
    lines = [_line(number, chance) for number in range(chance.randint(0, 5))]
    (theirs / "manifest.jsonl").write_bytes(b"".join(lines))
    (theirs / ".thumbnails").mkdir()
    for name in chance.sample([*_PLACES, *_MORE], chance.randint(1, 4)):
        path = theirs / name
        with contextlib.suppress(OSError):
            path.unlink()
        with contextlib.suppress(OSError):
            path.rmdir()
        with contextlib.suppress(OSError):
            _put(path, mine, chance)


def _put(path: Path, mine: Path, chance: random.Random) -> None:
    kind = chance.choice(["link", "directory", "dangling", "device", "pipe", "second name", "socket", "huge"])
    if kind in ("link", "directory", "dangling", "device"):
        target = {"link": mine / "precious", "directory": mine, "dangling": mine / "made", "device": Path("/dev/zero")}
        path.symlink_to(target[kind])
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "second name":
        path.hardlink_to(mine / "precious")
    elif kind == "socket":
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    else:
        with path.open("wb") as file:
            file.truncate(10 << 30)


def _line(number: int, chance: random.Random) -> bytes:
    file = {"name": chance.choice(_NAMES), "sha256": "0" * 64, "bytes": chance.choice([1, "x", -5]), "format": "JPEG"}
    record = {
        "id": f"{number:024x}",
        "status": chance.choice(["done", "failed", "modified", 7]),
        "files": [{**file, "width": 8, "height": 8, "mtime": None}],
        "request": {"prompt": chance.choice(_TEXTS), "model": chance.choice(_TEXTS)},
        "metadata": {"sku": chance.choice(_TEXTS)},
        "error": {"message": chance.choice(_TEXTS)},
    }
    return json.dumps(record).encode()[: chance.choice([None, None, None, 60])] + b"\n"


def _seen(root: Path) -> dict[str, bytes]:
    """Return what is outside of the stranger's directory."""
    outside = [path for path in root.rglob("*") if "theirs" not in path.relative_to(root).parts]
    return {str(path): path.read_bytes() for path in outside if path.is_file()}


def _run(command: list[str], root: Path) -> list[str]:
    """Let a command at the directory; return what went wrong. That it refuses is right; a traceback is not."""
    line = [part.format(root / "theirs") for part in command]
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY})); "
    program = f"{limited}from ionos_openai.cli.app import run; raise SystemExit(run({line!r}))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(root / "theirs")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            timeout=PATIENCE,
            cwd=root / "theirs",
            env={**environment, "XDG_STATE_HOME": str(root / "theirs" / "state")},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ["it hangs"]
    said = (done.stdout + done.stderr).decode(errors="replace")
    problems = ["a traceback: " + said[-800:]] if "Traceback" in said or done.returncode < 0 else []
    return problems + ["control characters are printed"] * ("\x1b]" in said or "\u202e" in said)


if __name__ == "__main__":
    main()
