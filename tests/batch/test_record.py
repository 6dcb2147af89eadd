"""The record of a batch: what is damaged, changed or a stranger's is told, and not bought again in silence."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import (
    BatchRunningError,
    ImageDecodeError,
    ImageRequest,
    ImageSaveError,
    create_client,
    generate_batch,
)
from ionos_openai.batch import manifest as manifest_module
from ionos_openai.batch.manifest import Manifest
from ionos_openai.batch.records import read_manifest
from tests.tokens import make_token
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openai

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")


def line(number: int) -> dict[str, Any]:
    """Return a line for the manifest."""
    return {"id": f"{number:024x}", "status": "done", "files": []}


def test_a_line_that_could_not_be_synced_takes_no_later_one_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server may refuse at the sync only; a later failure cuts off its own line and no other."""
    manifest = Manifest(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(ImageSaveError):  # noqa: PT012 - the line is what fails
        patch.setattr(manifest_module, "sync_file", raising(OSError(errno.ENOSPC, "No space left on device")))
        manifest.append(line(1))
    manifest.append(line(2))

    def write_half(handle: int, data: bytes, write: Callable[[int, bytes], int] = os.write) -> int:
        write(handle, data[:9])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ImageSaveError):  # noqa: PT012 - the line is what fails
        patch.setattr(manifest_module.os, "write", write_half)
        manifest.append(line(3))
    manifest.append(line(4))
    manifest.close()
    assert [int(record.id, 16) for record in read_manifest(tmp_path)] == [1, 2, 4]


def raising(error: Exception) -> Callable[..., None]:
    """Return a function that does nothing but raise."""

    def fail(*given: object) -> None:
        raise error

    return fail


DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a line in the middle": lambda lines: [lines[0], lines[1][:50], *lines[2:]],
    "zeros": lambda lines: [b"\0" * 400, *lines[1:]],
    "half a byte sequence": lambda lines: [*lines[:-2], lines[-2].replace(b"prompt 1", b"prompt\xff1"), lines[-1]],
    "an array": lambda lines: [b"[" + b",".join(lines) + b"]"],
    "no id": lambda lines: [lines[0].replace(b'"id"', b'"ID"'), *lines[1:]],
    "a number as name": lambda lines: [lines[0].replace(b'"name": "prompt-0.jpg"', b'"name": 7'), *lines[1:]],
    "no digest": lambda lines: [lines[0].replace(b'"sha256"', b'"sha"'), *lines[1:]],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_cannot_be_read_stops_the_run_until_it_is_said_to_be_bought_again(
    client: openai.OpenAI, service: Service, tmp_path: Path, kind: str
) -> None:
    """Whether it is seen at the opening or at the prompt's turn, nothing was bought before."""
    prompts = [f"prompt {number}" for number in range(3)]
    generate_batch(client, prompts, tmp_path, concurrency=1).run()
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b"\n".join(DAMAGE[kind](path.read_bytes().splitlines())) + b"\n")
    with pytest.raises(ImageSaveError, match="--ignore-damaged"):
        generate_batch(client, prompts, tmp_path).run()
    assert service.requests == 3
    again = list(generate_batch(client, prompts, tmp_path, ignore_damaged=True))
    assert service.requests == 3 + len(again)
    assert 1 <= len(again) <= 3


@pytest.mark.parametrize("how", ["cut off", "written to", "replaced", "deleted"])
def test_a_record_that_changes_meanwhile_ends_the_run_before_the_next_purchase(
    client: openai.OpenAI, service: Service, tmp_path: Path, how: str
) -> None:
    """What was saved stays, and is on the error."""
    batch = generate_batch(client, map(str, range(30)), tmp_path, concurrency=1)
    next(batch)
    next(batch)
    change(tmp_path / "manifest.jsonl", how)
    with pytest.raises(ImageSaveError, match=r"manifest\.jsonl"):
        batch.run()
    assert service.requests == 3  # the third one was on its way


def change(path: Path, how: str) -> None:
    """Do to a manifest what somebody else may do."""
    data = path.read_bytes()
    if how == "cut off":
        os.truncate(path, len(data) // 2)
    elif how == "written to":
        with path.open("ab") as file:
            file.write(b"{}\n")
    else:
        path.unlink()
        if how == "replaced":
            path.write_bytes(data)


@posix
def test_deleting_the_lock_lets_no_second_run_in(client: openai.OpenAI, tmp_path: Path) -> None:
    """The manifest itself is locked too."""
    with generate_batch(client, ["a"], tmp_path):
        (tmp_path / ".ionos-batch.lock").unlink()
        with pytest.raises(BatchRunningError):
            generate_batch(client, ["b"], tmp_path)
    generate_batch(client, ["b"], tmp_path).close()


@posix
@pytest.mark.parametrize("name", [".ionos-batch.lock", "manifest.jsonl", ".ionos-batch.redo"])
@pytest.mark.parametrize("kind", ["link", "pipe", "second name"])
def test_a_strangers_directory_destroys_no_file(client: openai.OpenAI, tmp_path: Path, name: str, kind: str) -> None:
    """Nor does it make the run hang: it is refused, or the stranger's thing is replaced."""
    precious, theirs = tmp_path / "precious", tmp_path / "theirs"
    precious.write_bytes(b"precious, and no line break")
    theirs.mkdir()
    if kind == "link":
        (theirs / name).symlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(theirs / name)
    else:
        (theirs / name).hardlink_to(precious)
    with contextlib.nullcontext() if name.endswith("redo") else pytest.raises(ImageSaveError, match=name):
        generate_batch(client, [ImageRequest(prompt="a", name="a")], theirs, redo=["a"]).run()
    assert precious.read_bytes() == b"precious, and no line break"


@posix
@pytest.mark.parametrize("place", ["/dev/zero", "../precious", "a\0b.jpg", "..", "\ud800.jpg", "n" * 5000])
def test_a_recorded_name_that_leads_elsewhere_is_damaged_and_not_followed(
    client: openai.OpenAI, tmp_path: Path, place: str
) -> None:
    """It is told, and the picture is made again under a name of its own."""
    generate_batch(client, ["a"], tmp_path).run()
    path = tmp_path / "manifest.jsonl"
    record = json.loads(path.read_bytes())
    record["files"][0]["name"] = place
    path.write_text(json.dumps(record) + "\n")
    told: list[str] = []
    [result] = generate_batch(client, ["a"], tmp_path, on_event=lambda event: told.append(event.kind)).run()
    assert "damaged" in told
    assert [path.name for path in result.paths] == ["a-2.jpg"]


@posix
@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
def test_a_picture_that_is_no_file_is_damaged_and_not_opened(client: openai.OpenAI, tmp_path: Path, kind: str) -> None:
    """A device behind a link would be read without end, and a pipe waited for."""
    generate_batch(client, ["a"], tmp_path).run()
    (tmp_path / "a.jpg").unlink()
    if kind == "link":
        (tmp_path / "a.jpg").symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(tmp_path / "a.jpg")
    else:
        (tmp_path / "a.jpg").mkdir()
    [result] = generate_batch(client, ["a"], tmp_path, verify=True).run()
    assert [path.name for path in result.paths] == ["a-2.jpg"]


def test_a_redo_that_was_cut_short_goes_on(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """The same call makes what is left; and once all was made, it makes all of it once more."""
    requests = [ImageRequest(prompt=f"prompt {number}", name=f"n{number}") for number in range(8)]
    names = [f"n{number}" for number in range(6)]
    generate_batch(client, requests, tmp_path).run()
    with generate_batch(client, requests, tmp_path, redo=names, concurrency=1) as batch:
        next(batch)
        next(batch)
    made = service.requests - 8
    assert 2 <= made < 6
    generate_batch(client, requests, tmp_path, redo=names).run()
    assert service.requests == 8 + 6
    generate_batch(client, requests, tmp_path, redo=names).run()
    assert service.requests == 8 + 12


@pytest.mark.parametrize("request_", ["half \ud800", ImageRequest(prompt="a", extra={"style": "\udfff"})])
def test_a_row_that_cannot_be_sent_is_that_rows_failure(
    client: openai.OpenAI, service: Service, tmp_path: Path, request_: str | ImageRequest
) -> None:
    """The others are made; the next run does not end at the same place either."""
    for made in (2, 0):
        results = list(generate_batch(client, ["b", request_, "c"], tmp_path, max_attempts=1))
        assert sorted(result.status for result in results) == ["done"] * made + ["failed"]
    assert service.requests == 2


def answering(service: Service, *bodies: object) -> None:
    """Have the service answer with these items, and with pictures afterwards."""
    whole, left = service._body, list(bodies)
    service._body = lambda prompt, number: (  # type: ignore[method-assign]
        json.dumps({"data": left.pop(0)}).encode() if left else whole(prompt, number)
    )


def test_bytes_in_a_format_that_nobody_knows_are_kept(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """As they came and recorded, and not asked for again in the same run."""
    answering(service, [{"b64_json": "AAECAwQFBgc="}])
    failed, done = generate_batch(client, ["a fox", "b"], tmp_path, concurrency=1).run()
    assert isinstance(failed.error, ImageDecodeError)
    assert failed.error.data == (tmp_path / "a-fox.bin").read_bytes() == bytes(range(8))
    assert [record.names for record in read_manifest(tmp_path)] == [("a-fox.bin",), ("b.jpg",)]
    assert (done.status, service.requests) == ("done", 2)
    [again] = generate_batch(client, ["a fox", "b"], tmp_path)
    assert [path.name for path in again.paths] == ["a-fox.jpg"]


def test_a_run_whose_first_answers_hold_no_picture_ends(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """The others would hold none either, and would be paid for."""
    answering(service, *[[{"b64_json": "AAECAwQFBgc="}]] * 40)
    with pytest.raises(ImageDecodeError) as ended:
        generate_batch(client, map(str, range(40)), tmp_path, concurrency=2).run()
    assert ended.value.data == bytes(range(8))
    assert service.requests <= 4
    assert len(list(tmp_path.glob("*.bin"))) == service.requests


def test_a_second_picture_in_an_answer_is_saved_too(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """It was not asked for, and is paid for."""
    [item] = json.loads(service._body("a", 1))["data"]
    answering(service, [item, item])
    [result] = generate_batch(client, ["a"], tmp_path).run()
    assert [path.name for path in result.paths] == ["a.jpg", "a-2.jpg"]
    assert list(generate_batch(client, ["a"], tmp_path)) == []


def test_a_good_picture_beside_a_broken_one_is_kept(client: openai.OpenAI, service: Service, tmp_path: Path) -> None:
    """In either order."""
    [item] = json.loads(service._body("a", 1))["data"]
    answering(service, [{"b64_json": "?"}, item])
    assert [result.status for result in generate_batch(client, ["a"], tmp_path).run()] == ["done"]


def test_a_url_that_came_instead_is_whole_on_the_exception(
    client: openai.OpenAI, service: Service, tmp_path: Path
) -> None:
    """It is asked for once; in the record it stands without its signature."""
    url = "https://storage.example/p.png?X-Signature=secret-of-the-link"
    answering(service, *[[{"url": url}]] * 3)
    [result] = generate_batch(client, ["a"], tmp_path).run()
    assert isinstance(result.error, ImageDecodeError)
    assert (result.error.url, result.attempts, service.requests) == (url, 1, 1)
    assert b"secret-of-the-link" not in (tmp_path / "manifest.jsonl").read_bytes()


@pytest.mark.parametrize(("status", "most"), [(502, 5), (504, 5), (408, 5), (524, 5), (500, 15)])
def test_what_may_have_been_billed_counts_towards_the_limits(tmp_path: Path, status: int, most: int) -> None:
    """Of a 500 it is known that no picture was made; of something that waited no longer it is not."""
    asked: list[str] = []

    class Refusing(Service):
        def _answer(self, handler: Any, body: dict[str, Any]) -> None:
            asked.append(body["prompt"])
            handler.send_response(status)
            handler.send_header("Content-Length", "2")
            handler.send_header("Retry-After", "0")
            handler.end_headers()
            handler.wfile.write(b"{}")

    from tests.batch.test_batch import VirtualClock, batch_by

    with Refusing() as service, create_client(api_key=make_token(), base_url=service.url) as client:
        batch_by(VirtualClock(), client, [str(n) for n in range(5)], tmp_path, max_images=5).run()
    assert len(asked) == most
