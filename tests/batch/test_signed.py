"""A batch whose pictures are signed: counted, recorded, and gone on with where a signature fails."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ionos_openai import (
    ConfigurationError,
    IonosSettings,
    IonosWarning,
    SignatureError,
    Signer,
    agenerate_batch,
    create_async_client,
    create_client,
    generate_batch,
    partial_images,
    read_provenance,
    read_signature,
)
from ionos_openai.sandbox import Sandbox

pytest.importorskip("c2pa", reason="needs the extra c2pa")

from tests.provenance.authority import Authority, Leaf

if TYPE_CHECKING:
    from ionos_openai import BatchEvent

NOBODY = "http://127.0.0.1:9/"  # where no authority for time stamps listens
PROMPTS = ["a fox", "an owl", "a heron"]


@pytest.fixture(scope="module")
def leaf() -> Leaf:
    return Authority().leaf()


@pytest.fixture
def files(leaf: Leaf, tmp_path: Path) -> tuple[Path, Path]:
    return leaf.write(tmp_path / "pki")


def lines(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / "manifest.jsonl").read_text().splitlines()]


def test_every_picture_of_a_batch_is_signed(files: tuple[Path, Path], tmp_path: Path) -> None:
    """By several threads; the progress counts them, and the record has nothing to complain of."""
    out = tmp_path / "out"
    with create_client(sandbox=True) as client:
        batch = generate_batch(client, PROMPTS, out, sign=Signer(*files))
        results = batch.run()
    assert (batch.progress.marked, batch.progress.signed) == (3, 3)
    assert [line["unsigned"] for line in lines(out)] == [[]] * 3
    for result in results:
        found = read_signature(result.paths[0])
        assert found is not None
        assert (found.state, found.signer) == ("valid", "CN=A. Nonymous, O=Tests & Co")


async def test_the_async_twin_signs_by_the_settings(files: tuple[Path, Path], tmp_path: Path) -> None:
    """`IonosSettings(sign=True)` is enough."""
    settings = IonosSettings(sign=True, c2pa_certificate=files[0], c2pa_private_key=files[1])
    async with create_async_client(sandbox=True, settings=settings) as client:
        batch = agenerate_batch(client, PROMPTS, tmp_path / "out")
        results = await batch.run()
    assert batch.progress.signed == 3
    assert all(read_signature(result.paths[0]) for result in results)


def test_without_a_wish_nothing_is_signed_or_said_of_it(tmp_path: Path) -> None:
    """The record has no field for it."""
    with create_client(sandbox=True) as client:
        batch = generate_batch(client, ["a fox"], tmp_path / "out")
        batch.run()
    assert (batch.progress.marked, batch.progress.signed) == (1, 0)
    assert "unsigned" not in lines(tmp_path / "out")[0]


def test_a_signature_that_fails_is_an_event_a_warning_and_a_field(files: tuple[Path, Path], tmp_path: Path) -> None:
    """The pictures are saved and marked, and the batch goes on; the key is read once, at its beginning."""
    seen: list[BatchEvent] = []
    out, signer = tmp_path / "out", Signer(*files, tsa_url=NOBODY)
    with create_client(sandbox=True) as client:
        batch = generate_batch(client, PROMPTS, out, sign=signer, on_event=seen.append)
        files[1].unlink()
        with pytest.warns(IonosWarning, match="without a signature") as told:
            results = batch.run()
    assert [result.status for result in results] == ["done"] * 3
    assert (batch.progress.marked, batch.progress.signed, len(told)) == (3, 0, 3)
    unsigned = [event for event in seen if event.kind == "unsigned"]
    assert sorted(event.request.prompt for event in unsigned if event.request) == sorted(PROMPTS)
    for line in lines(out):
        assert line["status"] == "done"
        assert "gives no time stamp" in str(line["unsigned"])
    assert all(read_provenance(result.paths[0]) for result in results)


def test_a_warning_that_is_an_error_ends_no_batch(
    files: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has it then."""
    signer = Signer(*files, tsa_url=NOBODY)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING), create_client(sandbox=True) as client:
        warnings.simplefilter("error", IonosWarning)
        assert len(generate_batch(client, ["a fox"], tmp_path / "out", sign=signer).run()) == 1
    assert "was saved without a signature" in caplog.text


def test_a_required_signature_that_fails_ends_the_run_with_the_picture(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    """Nothing unsigned is saved, what was paid for is on the error, and the next run makes the rest."""
    out = tmp_path / "out"
    with create_client(sandbox=True) as client:
        batch = generate_batch(client, ["a fox"], out, sign=Signer(*files, tsa_url=NOBODY, required=True))
        with pytest.raises(SignatureError) as caught:
            batch.run()
        assert [made.prompt for made in partial_images(caught.value)] == ["a fox"]
        assert not list(out.glob("*.jpg"))
        assert generate_batch(client, ["a fox"], out, sign=Signer(*files, required=True)).run()[0].status == "done"
    assert read_signature(out / "a-fox.jpg") is not None


def test_what_cannot_sign_is_refused_before_a_directory_is_made(tmp_path: Path) -> None:
    """And before anything is sent."""
    sandbox = Sandbox()
    with create_client(sandbox=sandbox) as client, pytest.raises(ConfigurationError, match="IONOS_C2PA_CERTIFICATE"):
        generate_batch(client, ["a fox"], tmp_path / "out", sign="required")
    assert (list(sandbox.requests), (tmp_path / "out").exists()) == ([], False)
