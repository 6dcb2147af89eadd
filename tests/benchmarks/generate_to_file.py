"""CPU time from `images.generate` to a synced file: this package beside the plain SDK, in the same run.

    python tests/benchmarks/generate_to_file.py [--rounds 15] [--images 20]

A server in a process of its own answers with a 200 kB JPEG or a 2 MB PNG. Per round each way saves the same number of
pictures in turn; the figure is the median of the rounds, in ms of CPU of this process a picture, and the median of the
rounds' ratios. The plain way is the SDK, `base64.b64decode`, write, fsync.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import openai
from PIL import Image

from ionos_openai import create_client, save_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

BOUNDS = {"JPEG": 1.1, "PNG": 0.8}
PROMPT = "A futuristic cityscape at sunset, highly detailed"


def picture(kind: str) -> bytes:
    """Return a JPEG of about 200 kB or a PNG of about 2 MB, 1024x1024 px, the same at every call."""
    grain = 140 if kind == "JPEG" else 790
    noise = Image.frombytes("RGB", (grain, grain), random.Random(1).randbytes(grain * grain * 3))
    buffer = io.BytesIO()
    noise.resize((1024, 1024), Image.Resampling.NEAREST).save(buffer, kind, quality=55)
    return buffer.getvalue()


def serve(pictures: dict[str, bytes], ready: Connection) -> None:
    """Answer every POST with the picture that the path names."""
    bodies = {
        kind: json.dumps({"data": [{"b64_json": base64.b64encode(data).decode()}]}).encode()
        for kind, data in pictures.items()
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = bodies[self.path.split("/")[1]]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_address[1])
    server.serve_forever()


def ours(base_url: str, folder: Path) -> Callable[[int], None]:
    """Return what makes one picture with this package."""
    client = create_client(api_key="benchmark", base_url=base_url)

    def make(number: int) -> None:
        response = client.images.generate(model="black-forest-labs/FLUX.1-schnell", prompt=PROMPT)
        save_images(response, folder, name=f"ours-{number}")

    return make


def plain(base_url: str, folder: Path) -> Callable[[int], None]:
    """Return what makes one picture with the SDK alone."""
    client = openai.OpenAI(api_key="benchmark", base_url=base_url)

    def make(number: int) -> None:
        response = client.images.generate(model="black-forest-labs/FLUX.1-schnell", prompt=PROMPT)
        data = base64.b64decode(response.data[0].b64_json)  # type: ignore[index, arg-type]
        with (folder / f"plain-{number}.jpg").open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    return make


def cpu_ms(make: Callable[[int], None], images: int, offset: int) -> float:
    """Return the CPU time of this process in ms a picture."""
    begin = time.process_time()
    for number in range(offset, offset + images):
        make(number)
    return (time.process_time() - begin) * 1000 / images


def main() -> int:
    """Measure, print, and return 1 where a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=20)
    options = parser.parse_args()
    pictures = {kind: picture(kind) for kind in BOUNDS}
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(pictures, sender), daemon=True)
    server.start()
    port = receiver.recv()
    passed = True
    print(f"openai {openai.__version__}, Python {sys.version.split()[0]}, {options.rounds} rounds of {options.images}")
    for kind, bound in BOUNDS.items():
        with tempfile.TemporaryDirectory() as folder:
            ways = [make(f"http://127.0.0.1:{port}/{kind}/v1", Path(folder)) for make in (ours, plain)]
            for make in ways:
                cpu_ms(make, 3, -10)
            rounds = []
            for turn in range(options.rounds):
                pair = [cpu_ms(make, options.images, turn * options.images) for make in ways]
                rounds.append(pair)
                for file in Path(folder).iterdir():
                    file.unlink()
        mine, theirs = (statistics.median(side) for side in zip(*rounds, strict=True))
        ratio = statistics.median(one / other for one, other in rounds)
        passed = passed and ratio <= bound
        size = f"{len(pictures[kind]) / 1e6:.1f} MB {kind}"
        print(f"{size:>12}: ours {mine:6.2f} ms, plain SDK {theirs:6.2f} ms, ratio {ratio:.2f} (bound {bound})")
    server.terminate()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
