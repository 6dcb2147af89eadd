"""What it costs to save pictures into a bucket: CPU of this process, beside boto3's `put_object` and a directory.

    python tests/benchmarks/buckets.py [--pictures 500] [--rounds 3]

The storage is moto's in a process of its own, so that its work does not count. All write the same 200 kB.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import boto3
from PIL import Image

from ionos_openai import GeneratedImage, save_images
from ionos_openai.client.settings import open_bucket
from tests.storage import BUCKET, KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = """
import logging, sys, time
sys.path.insert(0, sys.argv[1])
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from tests.storage import Storage
with Storage() as storage:
    print(storage.endpoint, flush=True)
    sys.stdin.read()
"""


def picture(size: int = 200_000) -> bytes:
    """Return a JPEG of some 200 kB."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (320, 240), os.urandom(320 * 240 * 3)).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    return data + bytes(max(0, size - len(data)))


def cpu(work: Callable[[int], object], pictures: int) -> float:
    """Return the CPU milliseconds that it takes a picture."""
    work(-1)
    began = time.process_time()
    for number in range(pictures):
        work(number)
    return (time.process_time() - began) * 1000 / pictures


def measure(endpoint: str, folder: Path, pictures: int) -> dict[str, float]:
    """Return the CPU milliseconds a picture of each way."""
    named = {name.lower(): value for name, value in KEYS.items() if name != "AWS_REGION"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name=KEYS["AWS_REGION"], **named)
    data, run = picture(), time.time_ns()
    image = GeneratedImage(data=data, format="JPEG", width=320, height=240, prompt="a", model="m")
    bucket = open_bucket(f"s3://{BUCKET}/{run}")
    head: dict[str, Any] = {"Bucket": BUCKET, "ContentType": "image/jpeg"}

    def put(number: int) -> None:
        facts = {"sha256": hashlib.sha256(data).hexdigest()}
        client.put_object(Key=f"{run}-{number}.jpg", Body=data, Metadata=facts, **head)

    ways: dict[str, Callable[[int], object]] = {
        "boto3 put_object": put,
        "StorageBucket.write": lambda number: bucket.write(f"w{number}.jpg", data),
        "save_images, bucket": lambda number: save_images(image, bucket, name=f"s{number}"),
        "save_images, directory": lambda number: save_images(image, folder, name=f"s{number}-{run}"),
    }
    return {name: cpu(work, pictures) for name, work in ways.items()}


def main() -> None:
    """Read the options, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    line = [sys.executable, "-W", "ignore", "-c", SERVER, str(Path(__file__).parents[2])]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdout is not None
        assert server.stdin is not None
        endpoint = server.stdout.readline().strip()
        os.environ.update(KEYS, AWS_ENDPOINT_URL_S3=endpoint)
        rounds = [measure(endpoint, Path(folder), options.pictures) for _ in range(options.rounds)]
        server.stdin.close()
    floor = statistics.median(found["boto3 put_object"] for found in rounds)
    for name in rounds[0]:
        value = statistics.median(found[name] for found in rounds)
        print(f"{name:24} {value:6.2f} ms CPU a picture, {value / floor:4.2f} of boto3")


if __name__ == "__main__":
    main()
