"""What the stand-in's server takes: pictures a second, 64 requests at a time, and memory over many requests.

    python tests/benchmarks/server.py [--pictures 4000] [--prompts 4000] [--requests 20000] [--size 64x64]

The server runs in a process of its own, as the command starts it; this process asks it over keep-alive connections.

- pictures: how many a second, each of `--prompts` prompts being drawn once and then kept.
- waiting: the seconds that 64 requests take together, where each answer takes 2 s.
- memory: what the server holds before and after that many requests for pictures, in MB (Linux).
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "black-forest-labs/FLUX.2-klein-4B"
CONNECTIONS = 8
FILL = 2000  # requests after which the server's records are full


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--prompts", type=int, default=4000)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--size", default="64x64")
    options = parser.parse_args()
    with serving() as (port, _):
        seconds = ask(port, options.pictures, options.prompts, options.size)
    print(f"pictures of {options.size}: {options.pictures / seconds:.0f} a second")
    with serving("--latency", "2") as (port, _):
        seconds = ask(port, 64, 64, options.size, connections=64)
    print(f"64 requests at a time, 2 s each: {seconds:.2f} s")
    with serving() as (port, process):
        ask(port, FILL, options.prompts, options.size)
        before = resident(process)
        ask(port, options.requests, options.prompts, options.size)
        print(f"memory over {options.requests} pictures: {before:.1f} MB before, {resident(process):.1f} MB after")


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[int, int]]:
    """Run the command on a free port; yield the port and the process's id."""
    command = [sys.executable, "-m", "ionos_openai", "sandbox", "--port", "0", "--limits", "off", "--json", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "}\n")
        document = json.loads("".join(lines) + "}")
        try:
            yield int(document["base_url"].removesuffix("/v1").rpartition(":")[2]), process.pid
        finally:
            process.terminate()


def ask(port: int, pictures: int, prompts: int, size: str, *, connections: int = CONNECTIONS) -> float:
    """Ask for so many pictures and return the seconds that it took."""

    def run(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(first, pictures, connections):
            body = json.dumps({"model": MODEL, "prompt": f"number {number % prompts}", "size": size})
            connection.request("POST", "/v1/images/generations", body, {"authorization": "Bearer sandbox"})
            answer = connection.getresponse()
            if (content := answer.read()) and answer.status != 200:
                raise SystemExit(f"{answer.status}: {content[:200]!r}")
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(run, range(connections)))
    return time.perf_counter() - began


def resident(process: int) -> float:
    """Return the memory that a process holds, in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
