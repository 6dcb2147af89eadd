"""Hundreds of pictures within the contract's limits: this package beside the plain SDK, in the same run.

    python tests/benchmarks/pacing.py [--speed 50] [--images 300] [--only NAME ...]

A server in a process of its own keeps the documented buckets (10 images a minute with a burst of 20, 5 requests a
second with a burst of 10; past them a 429 with Retry-After), its time `--speed` times as fast, as are the clients'
limits.
Each line tells pictures lost, requests answered 429, and the time from the first to the last answer beside the ideal:
that of the service's own bucket. `redis` needs redis-server.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import openai

from ionos_openai import IonosSettings, create_client
from ionos_openai.client.in_process import answering_client
from ionos_openai.errors.http import http_library

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

MODEL = "black-forest-labs/FLUX.1-schnell"
WORKERS = 8
ONE_SHOT = """
import sys
from ionos_openai import create_client
create_client(api_key="benchmark", base_url=sys.argv[1], pace=True).images.generate(model=sys.argv[2], prompt="a fox")
"""


class TokenBucket:
    """The server's own count, written apart from the package's."""

    def __init__(self, burst: int, per_second: float) -> None:
        """Begin full."""
        self.burst, self.rate = burst, per_second
        self.level, self.seen = float(burst), time.monotonic()

    def missing(self) -> float:
        """Return the seconds until there is one; 0 where there is."""
        now = time.monotonic()
        self.level = min(self.burst, self.level + (now - self.seen) * self.rate)
        self.seen = now
        return max(0.0, (1 - self.level) / self.rate)


def serve(speed: float, ready: Connection) -> None:
    """Answer images within the buckets; GET tells what came, and begins anew."""
    lock = threading.Lock()
    state: dict[str, object] = {}

    def begin() -> None:
        state.update(
            images=TokenBucket(20, speed * 10 / 60), requests=TokenBucket(10, speed * 5), statuses=[], times=[]
        )

    def judge() -> float:
        buckets = [state["requests"], state["images"]]
        with lock:
            wait = max(bucket.missing() for bucket in buckets)  # type: ignore[attr-defined]
            if not wait:
                for bucket in buckets:
                    bucket.level -= 1  # type: ignore[attr-defined]
            state["statuses"].append(429 if wait else 200)  # type: ignore[attr-defined]
            state["times"].append(time.monotonic())  # type: ignore[attr-defined]
        return wait

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            wait = judge()
            if wait:
                seconds = math.ceil(wait * speed) / speed  # whole seconds of the server's own time
                self._reply(429, {"message": "too many"}, {"Retry-After": f"{seconds:.6f}"})
            else:
                self._reply(200, {"created": 1, "data": [{"b64_json": "aGVsbG8="}]}, {})

        def do_GET(self) -> None:
            with lock:
                came = {"statuses": state["statuses"], "times": state["times"]}
                begin()
            self._reply(200, came, {})

        def _reply(self, status: int, body: object, headers: dict[str, str]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    begin()
    server = Server(("127.0.0.1", 0), Handler)
    ready.send(server.server_address[1])
    server.serve_forever()


def draw(client: openai.OpenAI, images: int) -> int:
    """Ask for so many pictures from eight threads; return how many came."""

    def one(number: int) -> bool:
        try:
            client.images.generate(model=MODEL, prompt=f"fox {number}")
        except openai.OpenAIError:
            return False
        return True

    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(pool.map(one, range(images)))


def ours(url: str, images: int) -> int:
    """Ask with a paced client."""
    return draw(create_client(api_key="benchmark", base_url=url, pace=True), images)


def plain(url: str, images: int) -> int:
    """Ask with the plain SDK."""
    return draw(openai.OpenAI(api_key="benchmark", base_url=url), images)


def processes(url: str, images: int, count: int = 4) -> int:
    """Ask from several processes at once, each for its share."""
    command = [sys.executable, __file__, "--worker", url, "--images", str(images // count)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(int(process.communicate()[0]) for process in running)


def one_shots(url: str, images: int) -> int:
    """Ask from a process for each picture, two at a time, as a loop in a shell does."""

    def one(_: int) -> bool:
        return subprocess.run([sys.executable, "-c", ONE_SHOT, url, MODEL], check=False).returncode == 0

    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(one, range(images)))


def forked(url: str, images: int, count: int = 4) -> int:
    """Ask from workers that a process forks after it made its client, as gunicorn does with --preload."""
    client = create_client(api_key="benchmark", base_url=url, pace=True)
    context = multiprocessing.get_context("fork")
    made = context.Queue()
    workers = [
        context.Process(
            target=lambda: made.put(draw(client.copy(http_client=openai.DefaultHttpxClient()), images // count))
        )
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    total = sum(made.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Run a Redis on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--save", "", "--port", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def with_redis(url: str, images: int) -> int:
    """Ask from several processes that share the limits through Redis."""
    with redis() as address:
        os.environ["IONOS_BUDGET_URL"] = address
        try:
            return processes(url, images)
        finally:
            del os.environ["IONOS_BUDGET_URL"]


def cpu_of_pacing() -> float:
    """Return the CPU ms that pacing adds to a request for an image where it need not wait: the median of 40 rounds."""
    library = http_library()
    settings = IonosSettings(
        images_per_minute=1e9, image_burst=10**6, requests_per_second=1e9, request_burst=10**6, max_retries=0
    )

    def answer(_: object) -> object:
        return library.Response(200, json={"created": 1, "data": []})

    clients = [
        create_client(api_key="cpu", pace=pace, settings=settings, http_client=answering_client(answer))  # type: ignore[arg-type]
        for pace in (False, True)
    ]
    rounds: list[list[float]] = []
    for _ in range(41):
        spent = []
        for client in clients:
            begin = time.thread_time()
            for _ in range(20):
                client.images.generate(model=MODEL, prompt="a fox")
            spent.append((time.thread_time() - begin) * 1000 / 20)
        rounds.append(spent)
    return statistics.median(paced - free for free, paced in rounds[1:])


WAYS = {
    "plain": (plain, 1, None),
    "ours": (ours, 1, (0.0, 1.03)),
    "processes": (processes, 1, (0.01, 1.05)),
    "redis": (with_redis, 1, (0.01, 1.05)),
    "forked": (forked, 1, (0.01, 1.05)),
    "one-shot": (one_shots, 50, (0.01, 1.05)),
}


def main() -> int:
    """Measure, print, and return 1 where a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--speed", type=float, default=50.0, help="how much faster than the service's time runs")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--only", nargs="+", choices=[*WAYS, "cpu"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(ours(options.worker, options.images))
        return 0
    passed = True
    for name, (way, slower, bounds) in WAYS.items():
        if (options.only and name not in options.only) or (name == "redis" and not shutil.which("redis-server")):
            continue
        # A process for each picture: time must not run so fast that starting Python takes longer than the bucket.
        images = min(options.images, 60) if slower > 1 else options.images
        passed = measure(name, way, options.speed / slower, images, bounds) and passed
    if not options.only or "cpu" in options.only:
        with running(1):
            cost = cpu_of_pacing()
        print(f"{'cpu':>12}: pacing adds {cost:.3f} ms CPU to a request for an image (bound 0.3)")
        passed = passed and cost <= 0.3
    return 0 if passed else 1


@contextlib.contextmanager
def running(speed: float) -> Iterator[str]:
    """Run the server and set the clients' limits to its speed, with fresh buckets."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(speed, sender), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as state:
            os.environ["XDG_STATE_HOME"] = state
            os.environ["IONOS_IMAGES_PER_MINUTE"] = str(10 * speed)
            os.environ["IONOS_REQUESTS_PER_SECOND"] = str(5 * speed)
            yield f"http://127.0.0.1:{receiver.recv()}/v1"
    finally:
        server.terminate()
        server.join()


def measure(name: str, way: object, speed: float, images: int, bounds: tuple[float, float] | None) -> bool:
    """Run one way, print its line, and return whether it is within its bounds."""
    with running(speed) as url:
        made = way(url, images)  # type: ignore[operator]
        with urllib.request.urlopen(url) as answer:
            came = json.load(answer)
    refused = came["statuses"].count(429)
    seconds = came["times"][-1] - came["times"][0]
    ratio = seconds / ((images - 20) * 6 / speed)
    share = refused / len(came["statuses"])
    print(
        f"{name:>12}: {images - made} of {images} lost, {refused} of {len(came['statuses'])} requests answered 429 "
        f"({share:.1%}), {ratio:.3f} of the ideal time",
        flush=True,
    )
    return bounds is None or (made == images and share <= bounds[0] and ratio <= bounds[1])


if __name__ == "__main__":
    sys.exit(main())
