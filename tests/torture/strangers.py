"""Directories from strangers: nothing in them makes or destroys a file elsewhere, waits for ever or fills the memory.

Run ``python tests/torture/strangers.py --rounds 200``. A round puts links, pipes, devices, damaged pictures, bombs and
lines, and records of hostile names into a directory, by chance, and lets some commands loose on it. The first
directory is harmless: each command has to work there, so that it is none of them that refuses elsewhere.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import resource
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from PIL import Image

from ionos_openai import create_client, generate_batch
from ionos_openai.provenance import Provenance, to_xmp, write_provenance

PATIENCE = 120.0  # seconds for the commands of a round
MEMORY = 2 << 30  # bytes of address space
MODEL = "black-forest-labs/FLUX.2-klein-4B"  # it makes small pictures
PROMPTS = "prompt,sku,name\na fox,=1+1,\nan owl,@x,\na hen,-rf,x.py\na bee,;=1,.bashrc\na cow,x,a\u202egpj.exe\n"
_TEXTS = (
    "=cmd|'/c calc'!A1",
    "$(touch made)",
    "`touch made`",
    "'; touch made; '",
    "\x1b]0;title\x07",
    "a\u202eb",
    "-rf",
    "a\nERROR: forged",
    '"></span><script>',
)
_NAMES = (
    "../made",
    "/dev/zero",
    "..",
    "a\0b.jpg",
    "a/b.jpg",
    "c:made",
    ".bashrc",
    "x.py",
    "n" * 3000,
    "\ud800.jpg",
    "index.html",
    "fox.jpg",
    "a\x1b]0;title\x07.jpg",
)
_PLACES = (
    *("manifest.jsonl", ".ionos-batch.lock", ".ionos-batch.owner", ".ionos-batch.redo"),
    *("index.html", ".thumbnails", ".thumbnails/facts.json", ".thumbnails/0123456789abcdef.jpg"),
    *("fox.jpg", "fox.xmp", "fox.jpg.xmp", "a-fox.jpg", "a-fox-2.jpg", "a-fox.jpg.xmp", "owl.gif", "owl.xmp"),
    *("x.py.jpg", ".bashrc.jpg", "sub", ".env", "index.html.part", ".a-fox.jpg.ionos.claim", "a.py"),
)
_KINDS = (
    *("link", "to picture", "to directory", "dangling", "to itself", "device"),
    *("pipe", "second name", "socket", "huge", "directory", "nonsense"),
)
_MEMORIES = (
    '{"version": 1, "files": ' + "[" * 100_000,
    '{"version": 1, "files": {"fox.jpg": [[1, 1], {"thumbnail": "../../mine/x", "width": 1}]}}',
    '{"version": 1, "files": {"fox.jpg": [[1, 1], {"seed": ' + "9" * 5000 + "}]}}",
    '{"version": 1, "files": {"fox.jpg": [' + "[]," * 3_000_000 + "1]}}",
)
_LAUGHS = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + step, b"&%c;" % (97 + step) * 10) for step in range(12)
)
_BATCH = ["batch", "{root}/prompts.csv", "-o", "{theirs}", "--sandbox", "-m", MODEL, "-s", "64x64"]
COMMANDS = {
    "gallery": ["gallery", "{theirs}"],
    "gallery --recursive": ["gallery", "{theirs}", "--recursive"],
    "batch": _BATCH,
    "batch --ignore-damaged": [*_BATCH, "--ignore-damaged", "--missing", "remake", "--verify"],
    "batch --redo": [*_BATCH, "--ignore-damaged", "--redo", "a-fox.jpg"],
    "batch --dry-run": [*_BATCH, "--dry-run", "--json"],
    "costs": ["costs", "{theirs}", "--by", "sku", "--csv"],
    "results": ["results", "{theirs}", "--csv"],
    "results rows": ["results", "{theirs}"],
    "inspect": ["inspect", "{pictures}"],
    "mark": ["mark", "{own pictures}", "--creator", "me"],
    "generate": ["generate", "a fox", "-o", "{theirs}/", "--sandbox", "--overwrite", "-m", MODEL, "-s", "64x64"],
    "generate free": ["generate", "a fox", "-o", "{theirs}/", "--sandbox", "-m", MODEL, "-s", "64x64"],
    "migrate": ["migrate", "{theirs}", "--write"],
    "save_images": ["save_images"],
}
# Ends with the exit code of each command on standard error, and last the largest size in the memory.
_CHILD = f"""
import contextlib, io, json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
from ionos_openai import GeneratedImage, save_images
from ionos_openai.cli.app import run
for line in json.load(open(sys.argv[1])):
    if line == ["save_images"]:
        pictures = [GeneratedImage(data=b"GIF89a" + bytes(8), format="GIF", width=1, height=1, prompt="a fox")] * 2
        code = 0
        with contextlib.suppress(OSError):
            save_images(pictures, "."), save_images(pictures, ".", overwrite=True)
    else:
        code = run(line)
    print(f"<ended {{code}}>", file=sys.stderr, flush=True)
print(f"<peak {{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}}>", file=sys.stderr)
"""


@dataclass
class Tally:
    """What a series of directories came to."""

    rounds: int = 0
    commands: int = 0
    worked: int = 0
    peak: int = 0  # of a child's memory, in KiB
    problems: list[str] = field(default_factory=list)


def main() -> None:
    """Read the options, torment, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = torment(options.rounds, options.seed)
    print(f"{tally.rounds} directories, {tally.commands} commands, of which {tally.worked} did all they should;")
    print(f"at most {tally.peak / 1024:.0f} MB of memory; {len(tally.problems)} problems")
    for problem in tally.problems[:20]:
        print(problem)
    sys.exit(bool(tally.problems))


def torment(rounds: int, seed: int) -> Tally:
    """Make `rounds` directories, and let three commands at each; before them each command at a harmless one."""
    chance, tally = random.Random(seed), Tally()
    lines = _recorded()
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _furnish(root)
            names = list(COMMANDS)
            if number:
                _fill(root, lines, chance)
                names = chance.sample(names, 3)
            told = f"seed {seed}, round {number}: {', '.join(names)}"
            before, there = _seen(root), _files(root)
            codes, problems = _run(names, root, tally)
            problems += _changed(root, before, there)
            problems += [f"{name} fails" for name, code in zip(names, codes, strict=False) if code and not number]
            tally.problems += [f"{told}: {problem}" for problem in problems]
            tally.commands += len(names) * bool(number)
            tally.worked += codes.count(0) * bool(number)
        tally.rounds += bool(number)
    return tally


def _recorded() -> list[dict[str, Any]]:
    """Return lines of a manifest, as a batch of the same prompts writes them."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [{"prompt": prompt} for prompt in ("a fox", "an owl")]
        rows += [{"prompt": "a hen", "name": "x.py"}, {"prompt": "a bee", "name": ".bashrc"}]
        generate_batch(create_client(sandbox=True), rows, folder, model=MODEL, size="64x64").run()
        return [json.loads(line) for line in Path(folder, "manifest.jsonl").read_text().splitlines()]


def _furnish(root: Path) -> None:
    """Make what is the user's own, and a directory with two pictures in it."""
    for name in ("mine", "home", "theirs"):
        (root / name).mkdir()
    (root / "mine" / "0123456789abcdef.jpg").write_bytes(_picture("mine"))
    (root / "mine" / "precious").write_text("precious")
    (root / "mine" / "app.py").write_text("import openai\nopenai.OpenAI().images.generate(model='dall-e-3')\n")
    (root / "home" / ".bashrc").write_text("precious")
    (root / "prompts.csv").write_text(PROMPTS, encoding="utf-8")
    for number in (8, 9):
        (root / "theirs" / f"picture-{number}.jpg").write_bytes(_picture("harmless"))


def _picture(prompt: str, kind: str = "JPEG", size: tuple[int, int] = (16, 16)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, kind)
    marked = kind in ("JPEG", "PNG", "WEBP")
    prompt = re.sub("[\0-\x1f]", "", prompt)  # XML has none
    record = Provenance(prompt=prompt, digital_source_type="x\u202e")
    return write_provenance(buffer.getvalue(), record) if marked else buffer.getvalue()


def _bomb(chance: random.Random) -> bytes:
    """Return a PNG of few bytes and many pixels, or with a text that unpacks to much."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    side = chance.choice([16, 5000, 40_000, 2**31 - 1])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes((1 + 3 * side) * side), 1) if side == 5000 else zlib.compress(b"\0" * 1000)
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(chance.choice([9, 1 << 26])), 9))
    return b"\x89PNG\r\n\x1a\n" + head + text + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _fill(root: Path, lines: list[dict[str, Any]], chance: random.Random) -> None:
    """Put into the directory what a stranger might."""
    theirs = root / "theirs"
    for number in range(chance.randint(1, 4)):
        suffix, kind = chance.choice([("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("gif", "GIF")])
        data = _picture(chance.choice(_TEXTS), kind)[: chance.choice([None, None, 200, 9])]
        (theirs / f"picture-{number}.{suffix}").write_bytes(data)
    if chance.random() < 0.3:
        (theirs / "bomb.png").write_bytes(_bomb(chance))
    sidecar = chance.choice([_LAUGHS, to_xmp(Provenance(alt="a\u202eb")), b"<" * 1000, b""])
    (theirs / "picture-0.xmp").write_bytes(sidecar)
    hostile = [_line(chance.choice(lines), chance) for _ in range(chance.randint(0, 8))]
    (theirs / "manifest.jsonl").write_bytes(b"".join(hostile))
    (theirs / ".thumbnails").mkdir()
    (theirs / ".thumbnails" / "facts.json").write_text(chance.choice(_MEMORIES))
    (theirs / "a\x1b]0;title\x07\u202e.jpg").write_bytes(_picture("x"))
    code = chance.choice(_TEXTS).encode("unicode_escape").decode().replace("'", "").replace("\\x1b", "\x1b")
    (theirs / "b.py").write_text(f"import openai\nopenai.OpenAI().images.generate(model='dall-e-3', size='{code}')\n")
    for name in chance.sample(_PLACES, chance.randint(1, 6)):
        path = theirs / name
        for remove in (path.unlink, path.rmdir):
            with contextlib.suppress(OSError):
                remove()
        with contextlib.suppress(OSError):
            _put(path, root / "mine", chance.choice(_KINDS))


def _put(path: Path, mine: Path, kind: str) -> None:
    targets = {
        "link": mine / ("app.py" if path.suffix == ".py" else "precious"),
        "to picture": mine / "0123456789abcdef.jpg",
        "to directory": mine,
        "dangling": mine / "made",
        "to itself": path,
        "device": Path("/dev/zero"),
    }
    if kind in targets:
        path.symlink_to(targets[kind])
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "second name":
        path.hardlink_to(mine / "precious")
    elif kind == "directory":
        path.mkdir()
    elif kind == "nonsense":
        path.write_bytes(b"\0\xff<>'\"\n" * 100)
    elif kind == "socket":
        with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    else:
        with path.open("wb") as file:
            file.truncate(10 << 30)


def _line(line: dict[str, Any], chance: random.Random) -> bytes:
    """Return a line that a batch wrote, changed by somebody who means harm."""
    line = json.loads(json.dumps(line))
    hostile: dict[str, Any] = {
        "status": chance.choice(["done", "failed", "modified", "superseded", 7]),
        "metadata": {"sku": chance.choice(_TEXTS), chance.choice(_TEXTS): 1},
        "error": {"message": chance.choice(_TEXTS), "type": chance.choice(_TEXTS)},
        "started": chance.choice(["0001-01-01T00:00:00+23:59", "9999-12-31", chance.choice(_TEXTS)]),
        "cost": {"amount": chance.choice(["1e999999999", "NaN", "-1", "1"]), "currency": chance.choice(_TEXTS)},
    }
    for key in chance.sample(list(hostile), chance.randint(0, 3)):
        line[key] = hostile[key]
    if chance.random() < 0.3:
        line["request"] |= {"model": chance.choice(_TEXTS), "size": chance.choice(_TEXTS), "seed": "1; touch made"}
    for file in line["files"] or ():
        file |= {"name": chance.choice(_NAMES)} if chance.random() < 0.7 else {}
        file |= {"bytes": chance.choice([1, "x", -5, 10**30])} if chance.random() < 0.3 else {}
    return json.dumps(line).encode()[: chance.choice([None, None, None, 60])] + b"\n"


def _seen(root: Path) -> dict[str, bytes]:
    """Return what is outside of the stranger's directory; what this package keeps for the user is not looked at."""
    outside = [path for path in root.rglob("*") if path.relative_to(root).parts[0] not in ("theirs", "state")]
    return {str(path): path.read_bytes() for path in outside if path.is_file()}


def _files(root: Path) -> set[Path]:
    return {path for path in (root / "theirs").rglob("*") if stat.S_ISREG(path.lstat().st_mode)}


def _changed(root: Path, before: dict[str, bytes], there: set[Path]) -> list[str]:
    """Tell what has changed outside of the directory, and what is new in it that a shell or a program would run."""
    after = _seen(root)
    names = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    problems = [f"{name} has changed, outside of the directory" for name in names]
    known = {".jpg", ".png", ".webp", ".gif", ".xmp", ".html", ".json", ".jsonl", ".lock", ".owner", ".redo", ".bin"}
    new = [path for path in _files(root) - there if path.suffix not in known or path.stat().st_mode & 0o111]
    return problems + [f"{path.name!r} is new, and may be run" for path in new]


def _run(names: list[str], root: Path, tally: Tally) -> tuple[list[int], list[str]]:
    """Let commands at the directory; return their exit codes, and what went wrong. That they refuse is right."""
    theirs = root / "theirs"
    pictures = [str(path) for path in sorted(theirs.glob("*.*")) if path.suffix in (".jpg", ".png", ".gif", ".webp")]
    own = [path for path in pictures if not Path(path).is_symlink()]  # a link that is named is followed
    lists = {"{pictures}": pictures, "{own pictures}": own}
    lines = []
    for name in names:
        words = [lists.get(word, [word]) for word in COMMANDS[name]]
        flat = [
            word.replace("{theirs}", str(theirs)).replace("{root}", str(root)) for words_ in words for word in words_
        ]
        lines.append(flat)
    (root / "state").mkdir()
    (root / "state" / "lines").write_text(json.dumps(lines))
    places = {"HOME": str(root / "home"), "XDG_STATE_HOME": str(root / "state"), "TMPDIR": str(root / "state")}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "IONOS_PACE": "off", **places}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(root / "state" / "lines")],
            capture_output=True,
            timeout=PATIENCE,
            cwd=theirs,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return [], [f"it hangs: {(error.stderr or b'').decode(errors='replace')[-300:]}"]
    said = (done.stdout + done.stderr).decode(errors="replace")
    codes = [int(code) for code in re.findall(r"<ended (-?\d+)>", said)]
    tally.peak = max([tally.peak, *(int(peak) for peak in re.findall(r"<peak (\d+)>", said))])
    problems = [f"{names[len(codes)]} does not end: {said[-1500:]}"] if len(codes) < len(names) else []
    problems += ["a traceback: " + said[-1500:]] if "Traceback" in said and not problems else []
    problems += ["no such option"] * ("No such option" in said or "No such command" in said)
    obeyed = re.findall("[\0-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]", said)
    return codes, problems + [f"control characters are printed: {obeyed[:5]}"] * bool(obeyed)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
