"""Kill batches in a bucket at random moments, and see that nothing recorded is lost and nothing is bought twice.

    python tests/torture/kill_bucket.py [--rounds 200] [--seed 1] [--prompts 40]

As `kill.py` does for a directory: a server in this process counts what it served, another one keeps what is stored. A
run that is killed leaves its claim, so each next one waits until that has expired; here that takes two seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import random
import sys
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[2]))

from ionos_openai.batch.bucket import open_store, read_history, read_newest
from ionos_openai.errors import InvalidRequestError
from ionos_openai.files.formats import recognise
from tests.storage import BUCKET, Storage
from tests.torture.kill import CONCURRENCY, Tally, one_run, tell
from tests.torture.service import Service

CHILD = """
import sys
from ionos_openai import ImageRequest, create_client, generate_batch
from ionos_openai.batch import lock
lock.LEASE = 2.0
url, place, count, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = create_client(api_key="torture", base_url=url)
requests = [ImageRequest(prompt=f"prompt {i}", n=1 + i % 2) for i in range(count)]
batch = generate_batch(client, requests, place, concurrency=concurrency)
print("ready", flush=True)
for result in batch:
    print(result.id, flush=True)
print("finished")
"""


def torment(*, rounds: int, seed: int, prompts: int) -> Tally:
    """Kill `rounds` times, over as many prefixes as that takes; then let the last one finish."""
    chance, tally, number = random.Random(seed), Tally(), 0
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    while tally.rounds < rounds:
        number += 1
        with Storage() as storage, Service() as service, mock.patch.dict(os.environ, storage.variables):
            service.delay = 0.01
            _one_prefix(service, f"s3://{BUCKET}/{number}", chance, tally, rounds=rounds, prompts=prompts)
    return tally


def _one_prefix(
    service: Service, place: str, chance: random.Random, tally: Tally, *, rounds: int, prompts: int
) -> None:
    seen: dict[str, str] = {}
    kills, done = 0, False
    while not done:
        life = chance.uniform(0.0, 0.6) if tally.rounds < rounds else None
        done, printed = one_run(CHILD, service.url, place, prompts, life)
        if not done:
            tally.rounds, kills = tally.rounds + 1, kills + 1
        recorded = _inspect(place, seen, printed, tally)
        served = sum(service.served.values())
        if served > recorded + CONCURRENCY * max(kills, 1):
            tally.problems.append(f"{served} pictures served and {recorded} recorded after {kills} kills")
    pictures = sum(1 + number % 2 for number in range(prompts))
    if recorded != pictures:
        said = [record.line for record in read_newest(place).records if record.status != "done"]
        tally.problems.append(f"{recorded} pictures recorded at the end, {pictures} asked for: {said}")
    tally.finished += 1
    tally.served += served
    tally.recorded += recorded


def _inspect(place: str, seen: dict[str, str], printed: list[str], tally: Tally) -> int:
    """Hold the bucket against what it must be; return how many pictures are recorded."""
    store = open_store(place, exclusive=False)
    newest = {}
    with contextlib.suppress(InvalidRequestError):  # nothing is recorded yet
        newest = {record.id: record for record in read_history(place)}
    files = {file.name: file.sha256 for record in newest.values() for file in record.files or ()}
    for name, digest in {**seen, **files}.items():
        data = store.read(name)
        recognise(data)
        if hashlib.sha256(data).hexdigest() != digest or name not in files:
            tally.problems.append(f"{name}: recorded, and now lost or torn")
    tally.problems += [f"{mark}: yielded, and not recorded" for mark in printed if mark not in newest]
    seen.update(files)
    return len(files)


if __name__ == "__main__":
    tell(__doc__, torment)
