"""What a batch takes: time within the limits beside the plain SDK, memory, CPU, and a resume.

    python tests/benchmarks/batch.py [--prompts 300] [--scale 100] [--pictures 10000]

- limits: a server on loopback keeps the documented bucket of images (20, one more every 6 s), `--scale` times faster,
  and answers 429 with `Retry-After`. A batch of ours, then the plain SDK in 8 threads, ask it for the same prompts; the
  ideal is what the bucket itself takes.
- memory: the peak of a process that makes 100 pictures, and of one that makes 10,000 (Linux).
- CPU: of the batch's own work on a 200 kB JPEG, in ms: naming, marking and saving it, digest, manifest, all synced.
- resume: seconds until the first request after 100,000 recorded prompts, and the bytes of memory for each.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from ionos_openai import GeneratedImage, IonosSettings, create_client, generate_batch
from ionos_openai.batch.request import complete, digest
from ionos_openai.batch.schedule import Unit
from tests.torture.service import Service

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MODEL = "black-forest-labs/FLUX.1-schnell"
CAPACITY, INTERVAL = 20, 6.0
MAKE = """
import sys
from pathlib import Path
from ionos_openai import create_client, generate_batch
client = create_client(api_key="benchmark", base_url=sys.argv[1])
for _ in generate_batch(client, (f"prompt {n}" for n in range(int(sys.argv[3]))), sys.argv[2]):
    pass
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--scale", type=float, default=100)
    parser.add_argument("--pictures", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state  # not this user's own buckets
        limits(options.prompts, options.scale)
    cpu()
    resume()
    memory(options.pictures)


def limits(prompts: int, scale: float) -> None:
    """Ask for the same prompts in both ways, against a bucket."""
    interval = INTERVAL / scale
    ideal = (prompts - CAPACITY) * interval
    names = [f"prompt {number}" for number in range(prompts)]
    with Service(capacity=CAPACITY, interval=interval) as service, tempfile.TemporaryDirectory() as folder:
        settings = IonosSettings(images_per_minute=60 / interval, requests_per_second=1000, request_burst=1000)
        client = create_client(settings=settings, api_key="benchmark", base_url=service.url, pace=True)
        results = generate_batch(client, names, folder).run()
        lost = sum(result.error is not None for result in results)
        report("ours", prompts, lost, service, ideal)
    with Service(capacity=CAPACITY, interval=interval) as service:
        plain = openai.OpenAI(api_key="benchmark", base_url=service.url)

        def ask(prompt: str) -> bool:
            try:
                plain.images.generate(model=MODEL, prompt=prompt)
            except openai.OpenAIError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            lost = sum(not made for made in pool.map(ask, names))
        report("plain SDK, 8 threads", prompts, lost, service, ideal)


def report(who: str, prompts: int, lost: int, service: Service, ideal: float) -> None:
    """Print what one way came to."""
    seconds = service.last - service.first
    print(
        f"{who}: {lost} of {prompts} lost, {service.refused} answered 429, {seconds:.2f} s, "
        f"{seconds / ideal:.3f} of the bucket's ideal {ideal:.2f} s"
    )


def cpu(pictures: int = 300) -> None:
    """Measure the batch's own work, without the request."""
    grain = Image.frombytes("RGB", (140, 140), random.Random(1).randbytes(140 * 140 * 3))
    buffer = io.BytesIO()
    grain.resize((1024, 1024), Image.Resampling.NEAREST).save(buffer, "JPEG", quality=55)
    image = GeneratedImage(
        data=buffer.getvalue(), format="JPEG", width=1024, height=1024, prompt="a fox", model=MODEL, size="1024x1024"
    )
    with tempfile.TemporaryDirectory() as folder, create_client(sandbox=True) as client:
        batch = generate_batch(client, [f"prompt {number}" for number in range(pictures)], folder)
        began = time.process_time()
        while isinstance(unit := batch._schedule.take(), Unit):
            batch._schedule.settle(unit, image)
        spent = time.process_time() - began
        batch.close()
    print(f"CPU of a picture of {len(image.data) // 1000} kB, saved and recorded: {1000 * spent / pictures:.2f} ms")


def resume(recorded: int = 100_000) -> None:
    """Measure the time until the first request after so many that are done."""
    prompts = [f"prompt number {number}, highly detailed" for number in range(recorded)]
    with tempfile.TemporaryDirectory() as folder, create_client(sandbox=True) as client:
        picture = Path(folder, "same.jpg")
        picture.write_bytes(b"x" * 100)
        file = {"name": picture.name, "sha256": "a" * 64, "bytes": 100, "format": "JPEG", "width": 1024, "height": 1024}
        with Path(folder, "manifest.jsonl").open("w") as manifest:
            for prompt in prompts:
                manifest.write(json.dumps(line(prompt, {**file, "mtime": picture.stat().st_mtime})) + "\n")
        began, spent = time.perf_counter(), time.process_time()
        batch = generate_batch(client, [*prompts, "a new one"], folder)
        while not isinstance(unit := batch._schedule.take(), Unit):
            pass
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - spent
        batch._schedule.abandon(unit)
        batch.close()
        tracemalloc.start()
        with generate_batch(client, prompts, folder):
            _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"resume over {recorded} lines: first request after {seconds:.2f} s, {cpu_seconds:.2f} s of CPU")
        print(f"memory for each: {peak / recorded:.0f} bytes at most")


def line(prompt: str, file: dict[str, Any]) -> dict[str, Any]:
    """Return a line as a batch writes it."""
    request = complete(prompt, model=MODEL, size="1024x1024")
    return {
        "id": digest(request),
        "status": "done",
        "files": [file],
        "request": {
            "prompt": prompt,
            "model": MODEL,
            "size": "1024x1024",
            "n": 1,
            "name": None,
            "seed": None,
            "extra": {},
        },
        "metadata": {},
        "error": None,
        "attempts": 1,
        "started": "2026-11-22T17:47:39.337095+00:00",
        "seconds": 1.0,
        "cost": {"amount": "0.032", "currency": "USD"},
        "sandbox": False,
    }


def memory(pictures: int) -> None:
    """Compare the peaks of two processes."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    url = ours.recv()
    peaks = {}
    for number in (100, pictures):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run(
                [sys.executable, "-c", MAKE, url, folder, str(number)], capture_output=True, text=True, check=True
            )
        peaks[number] = int(ended.stdout) / 1024
        print(f"peak memory of {number} pictures: {peaks[number]:.1f} MB ({time.perf_counter() - began:.0f} s)")
    print(f"difference: {peaks[pictures] - peaks[100]:.1f} MB")
    server.kill()


def serve(ready: Connection) -> None:
    """Serve pictures of 200 kB until killed."""
    with Service(padding=200_000) as service:
        ready.send(service.url)
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
