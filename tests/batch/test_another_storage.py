"""A second opinion on S3: s3rver, which nobody here wrote, knows no conditional writes, and dies and comes back."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import ImageSaveError, create_client, generate_batch, read_batch
from tests.client.test_budget import free_port
from tests.tokens import make_token
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest.importorskip("obstore", reason="obstore is not installed: pip install -e '.[buckets]'")
pytestmark = pytest.mark.slow

PACKAGE = "s3rver@3"
PROMPTS = [f"p{number}" for number in range(24)]


@pytest.fixture(scope="module")
def program() -> Path:
    """The server's program, which npm installs; it is kept for the next run."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    folder = Path(tempfile.gettempdir()) / "ionos-openai-tests-s3rver-3"
    folder.mkdir(exist_ok=True)
    found = folder / "node_modules" / ".bin" / "s3rver"
    if not found.exists():
        options = ["--no-save", "--no-audit", "--no-fund", "--prefix", str(folder)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([npm, "install", *options, PACKAGE], cwd=folder, capture_output=True, timeout=120)
    if not found.exists():
        pytest.skip(f"npm cannot install {PACKAGE} here")
    return found


@pytest.fixture
def start(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """What starts the server, again and again on one port and one directory; the environment names it."""
    port = free_port()
    for name, value in {"ACCESS_KEY_ID": "S3RVER", "SECRET_ACCESS_KEY": "S3RVER", "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    command = [program, "-d", tmp_path / "kept", "-a", "127.0.0.1", "-p", str(port), "--configure-bucket", "pictures"]
    with contextlib.ExitStack() as started:

        def run() -> subprocess.Popen[bytes]:
            process = started.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            started.callback(process.kill)
            for _ in range(400):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    return process
                time.sleep(0.05)
            raise AssertionError("s3rver does not answer")

        yield run


def test_a_storage_that_is_killed_and_comes_back_has_all_of_it(start: Callable[[], Any]) -> None:
    """What came meanwhile is kept here and uploaded; nothing is bought twice, and no name is taken twice."""
    server = start()
    with Service() as service, create_client(api_key=make_token(), base_url=service.url) as client:
        batch = generate_batch(client, PROMPTS, "s3://pictures/run", concurrency=2)
        for _ in range(7):
            next(batch)
        server.kill()
        server.wait()
        with pytest.raises(ImageSaveError, match="What came since is kept in"):
            list(batch)
        assert 7 < service.requests < len(PROMPTS)
        start()
        results = generate_batch(client, PROMPTS, "s3://pictures/run").run()
        assert service.served == dict.fromkeys(PROMPTS, 1)
    assert sorted(result.request.prompt for result in results) == sorted(PROMPTS)
    assert {result.status for result in results} == {"done"}
    paths = [str(path) for result in read_batch("s3://pictures/run") for path in result.paths]
    assert len({*paths}) == len(PROMPTS)
    assert all(path.startswith("s3://pictures/run/p") for path in paths)
    assert not [*Path(os.environ["XDG_STATE_HOME"]).rglob("*.jpg")]
