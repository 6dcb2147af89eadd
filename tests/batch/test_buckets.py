"""A bucket in place of a directory: pictures, records, one run at a time, and a storage that fails."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from ionos_openai import (
    BatchRunningError,
    GeneratedImage,
    ImageRequest,
    ImageSaveError,
    InvalidRequestError,
    agenerate_batch,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    generate_batch,
    generate_images,
    read_batch,
    read_provenance,
    save_images,
)
from ionos_openai.batch import lock
from ionos_openai.batch.bucket import BucketStore, open_store, read_history
from ionos_openai.batch.costs import summarise
from ionos_openai.batch.request import complete, digest
from ionos_openai.batch.stored import record_line
from ionos_openai.client.settings import open_place
from ionos_openai.errors import ConfigurationError
from ionos_openai.files.buckets import StorageBucket
from ionos_openai.files.names import SavingSettings
from tests.storage import BUCKET, GONE, Storage
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.torture.service import Service

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
FLUX = "black-forest-labs/FLUX.1-schnell"
_numbers = itertools.count()

pytest.importorskip("obstore", reason="obstore is not installed: pip install -e '.[buckets]'")
logging.getLogger("werkzeug").setLevel(logging.ERROR)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A storage that speaks S3, which the environment names."""
    with Storage() as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def s3(storage: Storage) -> str:
    """The URL of a prefix in it."""
    assert storage.endpoint
    return f"s3://{BUCKET}/run {next(_numbers)}"


@pytest.fixture(params=["memory", "file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty place, of each kind that can be had here."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    return f"memory://run-{next(_numbers)}" if request.param == "memory" else (tmp_path / "bucket").as_uri()


@pytest.fixture(autouse=True)
def _short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for long until a run counts as dead."""
    monkeypatch.setattr(lock, "LEASE", 3.0)


def bucket_at(url: str) -> StorageBucket:
    """Return the bucket of a URL."""
    place = open_place(url)
    assert isinstance(place, StorageBucket)
    return place


def names_in(url: str) -> list[str]:
    """Return the names of the pictures in it."""
    return sorted(listed.name for listed in bucket_at(url).list() if "/" not in listed.name)


def statuses(url: str) -> list[str]:
    """Return what is recorded there of each prompt, newest last."""
    return [record.status for record in {record.id: record for record in read_history(url)}.values()]


# Pictures alone.


def test_pictures_are_saved_under_urls(url: str) -> None:
    """Nothing is overwritten unasked, the mark is in them, and a URL can be read again."""
    client = create_client(sandbox=True)
    [image] = generate_images(client, "a fox", directory=url)
    saved = save_images(image, url, prompt="a fox")
    edited = edit_images(client, saved[0], "bluer", directory=f"{url}/", name="blue.png")[0].path
    assert [image.path, *saved, edited] == [f"{url}/a-fox.jpg", f"{url}/a-fox-2.jpg", f"{url}/blue.png"]
    assert save_images(image, url, name="a-fox", overwrite=True) == [f"{url}/a-fox.jpg"]
    data = bucket_at(url).read("a-fox.jpg")
    mark = read_provenance(data)
    assert mark is not None
    assert mark.model == FLUX
    assert decode_images(saved)[0].data == bucket_at(url).read("a-fox-2.jpg")


def test_a_sidecar_lies_beside_a_picture_that_takes_no_mark(url: str) -> None:
    """Under the picture's whole name, as nobody looks which other pictures there are."""
    gif = GeneratedImage(data=GIF, format="GIF", width=1, height=1, model="m")
    save_images([gif, gif], url, name="dot")
    assert names_in(url) == ["dot-2.gif", "dot-2.gif.xmp", "dot.gif", "dot.gif.xmp"]
    assert b"SidecarForExtension" in bucket_at(url).read("dot.gif.xmp")


def test_an_object_says_what_it_is(client: openai.OpenAI, storage: Storage, s3: str) -> None:
    """Content type and SHA-256 stand in its head."""
    generate_images(client, "a fox", directory=s3)
    save_images(GeneratedImage(data=GIF, format="GIF", width=1, height=1, model="m"), s3, name="dot")
    prefix = s3.removeprefix(f"s3://{BUCKET}/")
    kinds = {"a-fox.jpg": "image/jpeg", "dot.gif": "image/gif", "dot.gif.xmp": "application/rdf+xml"}
    for name, kind in kinds.items():
        found = storage.client.get_object(Bucket=BUCKET, Key=f"{prefix}/{name}")
        assert found["ContentType"] == kind
        assert found["Metadata"]["sha256"] == hashlib.sha256(found["Body"].read()).hexdigest()


def test_many_writers_of_one_name_lose_nothing(client: openai.OpenAI, url: str) -> None:
    """Each picture has a name of its own, and a free one is found quickly where many are taken."""
    [image] = generate_images(client, "a fox")
    threads = [threading.Thread(target=save_images, args=(image, url)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(url) == sorted(["a-fox.jpg", *(f"a-fox-{number}.jpg" for number in range(2, 13))])


def test_a_storage_without_conditional_writes_gets_names_with_a_digest(
    client: openai.OpenAI, storage: Storage, s3: str
) -> None:
    """It is found out, once a run; different pictures never meet, and equal ones are one object."""
    storage.honours_conditions = False
    results = generate_batch(client, ["a fox"] * 3, s3).run()
    assert len({path for result in results for path in result.paths}) == 3
    probes = storage.requests["PUT"]
    [image] = generate_images(client, "a fox")
    assert save_images([image, image], s3)[0] == save_images(image, s3)[0]
    assert probes > 0
    assert all(name.count("-") == 2 for name in names_in(s3) if name.startswith("a-fox"))


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_storage_that_refuses_is_told_before_anything_is_bought(
    client: openai.OpenAI, service: Service, storage: Storage, s3: str, status: int
) -> None:
    """Refused keys, no such bucket, an outage: nothing was asked for, and the message names what to look at."""
    storage.fault = lambda method, path: status
    with pytest.raises(
        ImageSaveError, match=f"Cannot write {s3}: .*Check the bucket's name, endpoint, region and keys"
    ):
        generate_batch(client, ["a fox"], s3)
    with pytest.raises(ImageSaveError):
        generate_images(client, "a fox", directory=s3)
    assert service.requests == 0


def test_a_url_that_cannot_be_one_is_refused(client: openai.OpenAI) -> None:
    """An account that is missing; a file's path that is a URL."""
    with pytest.raises(ConfigurationError, match="Cannot use az://"):
        generate_batch(client, ["a fox"], "az://")
    [image] = generate_images(client, "a fox")
    with pytest.raises(InvalidRequestError, match="save_images"):
        image.save("s3://pictures/fox.jpg")


@pytest.mark.parametrize("place", [Path("s3://pictures/run"), "http://pictures/run", "s3://key:secret@pictures/run"])
def test_what_was_meant_for_a_bucket_goes_into_no_directory(client: openai.OpenAI, place: Any) -> None:
    """A path that was a URL, another kind of URL, one with keys in it; and nothing repeats the keys."""
    with pytest.raises(ConfigurationError) as caught:
        generate_images(client, "a fox", directory=place)
    assert "secret" not in str(caught.value)
    assert list(Path.cwd().iterdir()) == []


def test_profiles_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, storage: Storage, client: openai.OpenAI
) -> None:
    """Keys, region and endpoint may stand in the files of the profile that is named."""
    for name in storage.variables:
        monkeypatch.delenv(name)
    config, keys = tmp_path / "config", tmp_path / "credentials"
    config.write_text(f"[profile shop]\nregion = eu-central-3\nendpoint_url = {storage.endpoint}\n")
    keys.write_text("[shop]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert generate_images(client, "a fox", directory=f"s3://{BUCKET}/p")[0].path == f"s3://{BUCKET}/p/a-fox.jpg"


# A batch.


def test_a_batch_goes_on_where_it_ended(client: openai.OpenAI, service: Service, url: str) -> None:
    """Each prompt's record is there when its result is; the same call again buys only what is new."""
    requests: list[Any] = ["a fox", "a fox", ImageRequest(prompt="a mug", name="mug", n=3, metadata={"sku": 7})]
    for result in generate_batch(client, requests, url):
        [record] = [record for record in read_history(url) if record.id == result.id]
        assert (record.status, record.names) == ("done", tuple(Path(path).name for path in result.paths))
    assert names_in(url) == ["a-fox-2.jpg", "a-fox.jpg", "mug-2.jpg", "mug-3.jpg", "mug.jpg"]
    again = generate_batch(client, [*requests, "a hare"], url, prices={FLUX: "1 EUR"})
    assert str(again.estimate) == "1 picture, 1.00 EUR"
    assert str(again.directory) == url
    for _ in again:
        pass
    assert (again.progress.done, again.progress.skipped, service.requests) == (1, 3, 6)
    assert summarise(read_history(url), by="sku")["7"].pictures == 3


def test_what_is_recorded_can_be_read_as_results(client: openai.OpenAI, tmp_path: Path, url: str) -> None:
    """Of a bucket as of a directory, and a second run returns those that were done before, marked so."""
    requests: list[Any] = [ImageRequest(prompt="a mug", name="mug", n=2, seed=3, metadata={"sku": 7}), "a fox"]
    for place in (url, str(tmp_path / "out")):
        first = {result.id: result for result in generate_batch(client, requests, place).run()}
        again = generate_batch(client, [*requests, "a hare"], place).run()
        assert [result.earlier for result in again] == [True, True, False]
        for result in read_batch(place)[:2]:
            made = first[result.id]
            assert (result.request, result.paths, result.cost) == (made.request, made.paths, made.cost)
            assert (result.metadata, result.status, result.superseded) == (made.request.metadata, "done", False)
    with pytest.raises(InvalidRequestError, match="has no "):
        read_batch(f"{url}-nothing" if "://" in url else "nothing")


def test_a_line_of_a_bucket_has_the_fields_of_a_manifest(client: openai.OpenAI, tmp_path: Path, url: str) -> None:
    """But for a picture's time of change, in whose place the storage's tag stands."""
    generate_batch(client, ["a fox"], tmp_path / "out").run()
    generate_batch(client, ["a fox"], url).run()
    [line] = map(json.loads, (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    [record] = read_history(url)
    assert record.line.keys() == line.keys()
    assert record.line["files"][0].keys() ^ line["files"][0].keys() == {"mtime", "tag"}


def test_what_somebody_did_to_the_pictures_is_seen(client: openai.OpenAI, service: Service, url: str) -> None:
    """Changed ones are kept, missing ones made again only where that is asked for, and so are chosen ones."""
    prompts = ["a fox", "a hare", "a mug"]
    generate_batch(client, prompts, url).run()
    [other] = generate_images(client, "other")
    bucket = bucket_at(url)
    bucket.write("a-fox.jpg", other.data, overwrite=True)
    bucket.remove("a-hare.jpg")
    batch = generate_batch(client, prompts, url)
    batch.run()
    assert (batch.progress.skipped, batch.progress.modified, batch.progress.missing) == (3, 1, 1)
    batch = generate_batch(client, prompts, url, missing="remake", redo=["a-mug"], verify=True)
    batch.run()
    assert (batch.progress.done, batch.progress.modified, service.requests) == (2, 1, 6)
    assert names_in(url) == ["a-fox.jpg", "a-hare.jpg", "a-mug-2.jpg", "a-mug.jpg"]
    assert sorted(statuses(url)) == ["done", "done", "modified"]


def test_a_failed_prompt_is_tried_again(client: openai.OpenAI, service: Service, url: str) -> None:
    """A refusal is recorded, and so are the pictures of a prompt that came before it."""
    service.fault = lambda number, prompt: "400" if prompt == "a hare" or number == 3 else None
    generate_batch(client, [ImageRequest(prompt="a fox", n=3), "a hare"], url, concurrency=1).run()
    assert sorted(statuses(url)) == ["failed", "failed"]
    service.fault = lambda number, prompt: None
    batch = generate_batch(client, [ImageRequest(prompt="a fox", n=3), "a hare"], url, only_failed=True)
    batch.run()
    assert (batch.progress.images, batch.progress.done) == (2, 2)
    assert sorted(statuses(url)) == ["done", "done"]


async def test_the_async_twin_writes_into_a_bucket(service: Service, url: str) -> None:
    """It does the same."""
    async with create_async_client(api_key=make_token(), base_url=service.url) as client:
        results = await agenerate_batch(client, ["a fox", "a hare"], url).run()
    assert sorted(str(result.paths[0]) for result in results) == [f"{url}/a-fox.jpg", f"{url}/a-hare.jpg"]


def test_opening_asks_for_no_record(client: openai.OpenAI, storage: Storage, s3: str) -> None:
    """What is done and untouched is known from a list, however many records there are."""
    prompts = [f"prompt {number}" for number in range(30)]
    generate_batch(client, prompts, s3, concurrency=8).run()
    storage.requests.clear()
    batch = generate_batch(client, prompts, s3)
    for _ in batch:
        pass
    assert batch.progress.skipped == 30
    assert sum(storage.requests.values()) < 20


# One run at a time.


def test_two_runs_at_once_do_not_buy_the_same(client: openai.OpenAI, service: Service, url: str) -> None:
    """The second one is refused while the first one lives, and told who that is."""
    first = generate_batch(client, ["a fox"], url)
    with pytest.raises(BatchRunningError, match=rf"Another run works in {url} \(process {os.getpid()} on "):
        generate_batch(client, ["a fox"], url)
    assert len(first.run()) == 1
    assert generate_batch(client, ["a fox"], url).estimate.images == 0
    assert service.requests == 1


def test_of_runs_that_begin_together_one_stays(client: openai.OpenAI, service: Service, url: str) -> None:
    """Never two; and the place is free afterwards."""
    outcomes: Counter[str] = Counter()

    def run() -> None:
        try:
            with generate_batch(client, ["a fox", "a hare"], url) as batch:
                time.sleep(1.0)
                for _ in batch:
                    pass
            outcomes["done"] += 1
        except BatchRunningError:
            outcomes["refused"] += 1

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.requests == 2
    assert outcomes["done"] >= 1


def test_a_dead_run_is_waited_for_and_no_longer(client: openai.OpenAI, url: str) -> None:
    """Its claim expires by the storage's own clock."""
    bucket = bucket_at(url)
    bucket.put(".lock/held-0123456789abcdef.json", b"{}")
    began = time.monotonic()
    assert len(generate_batch(client, ["a fox"], url).run()) == 1
    assert 1.5 < time.monotonic() - began < 6
    assert list(bucket.list(".lock")) == []


def test_a_run_that_lost_its_lease_buys_nothing_more(
    client: openai.OpenAI, service: Service, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept finds another run at work, and ends."""
    batch = generate_batch(client, ["a fox", "a hare", "a mug"], url, concurrency=1)
    next(batch)
    [held] = bucket_at(url).list(".lock")
    bucket_at(url).remove(held.name)
    bucket_at(url).put(".lock/held-another.json", b"{}")
    now = lock._now()
    monkeypatch.setattr(lock, "_now", lambda: (now[0], now[1] + 3600))
    with pytest.raises(ImageSaveError, match="Another run has taken over"):
        list(batch)
    assert service.requests <= 2


# A storage that fails in the middle.


@pytest.mark.parametrize("status", [503, 403, GONE])
def test_what_the_storage_does_not_take_is_kept_for_the_next_run(
    client: openai.OpenAI, service: Service, storage: Storage, s3: str, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """The run ends, each picture is in a file that is named, and the next run uploads it: nothing is bought twice."""
    prompts: list[Any] = [ImageRequest(prompt=f"p{number}", n=2, metadata={"sku": number}) for number in range(4)]
    storage.fault = lambda method, path: (
        status if method == "PUT" and service.requests > 3 and "/.lock/" not in path else None
    )
    batch = generate_batch(client, prompts, s3, concurrency=2)
    results = []
    with pytest.raises(ImageSaveError, match=r"What came since is kept in .*uploads") as caught:
        results.extend(iter(batch))
    bought = service.requests
    assert 3 < bought < 8
    assert str(caught.value).count("uploads") == 1
    kept = list(Path(os.environ["XDG_STATE_HOME"]).rglob("*.jpg"))
    assert len(kept) + len(names_in(s3)) == bought
    storage.fault = lambda method, path: None
    caplog.set_level(logging.INFO, logger="ionos_openai")
    again = generate_batch(client, prompts, s3)
    assert "was put into" in caplog.text
    for _ in again:
        pass
    assert service.requests == 8
    assert len(names_in(s3)) == 8
    assert not any(name[:9].rstrip("0123456789abcdef") == "-" for name in names_in(s3))
    assert not list(Path(os.environ["XDG_STATE_HOME"]).rglob("*.jpg"))
    newest = {record.id: record for record in read_history(s3)}
    names = sorted(name for record in newest.values() for name in record.names)
    assert names == names_in(s3)
    for record in newest.values():
        for file in record.files or ():
            assert hashlib.sha256(bucket_at(s3).read(file.name)).hexdigest() == file.sha256


def test_a_storage_that_stumbles_is_asked_again(client: openai.OpenAI, storage: Storage, s3: str) -> None:
    """A 503 now and then is no fault that ends a run."""
    numbers = itertools.count()
    storage.fault = lambda method, path: 503 if next(numbers) % 3 == 1 else None
    assert [result.status for result in generate_batch(client, ["a fox", "a hare"], s3).run()] == ["done", "done"]


# Shared by many processes.


@pytest.mark.parametrize("is_directory", [False, True])
def test_a_shared_store_finds_what_another_one_stored(tmp_path: Path, url: str, is_directory: bool) -> None:
    """Without a lease, by the request alone; a directory is taken for a bucket."""
    directory = str(tmp_path / "shared") if is_directory else url
    request = complete("a fox", model=FLUX, size=None)
    mark = digest(request)
    store, other = (open_store(directory, exclusive=False) for _ in range(2))
    assert (store.find(mark), store.state(mark)) == (None, None)
    image = generate_images(create_client(sandbox=True), "a fox")[0]
    file, _ = store.save(image, name=f"fox-{mark[:12]}", saving=SavingSettings())
    facts: dict[str, Any] = {"attempts": 1, "started": "2026", "seconds": 1, "cost": None, "sandbox": True}
    store.append(record_line(request, [file], id=mark, status="done", error=None, **facts))
    found = other.find(mark)
    assert found is not None
    assert (other.state(mark), found.names, found.prompt) == ("done", (f"fox-{mark[:12]}.jpg",), "a fox")
    assert other.read(found.names[0]) == store.read(found.names[0])
    assert str(other.path_of(file.name)).endswith(f"/fox-{mark[:12]}.jpg")
    assert isinstance(other, BucketStore)
    with contextlib.closing(store), contextlib.closing(other):
        pass
