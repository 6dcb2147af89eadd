"""The recipe for storage that speaks S3, run against a server that does."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import GeneratedImage, create_client, generate_images, read_provenance, save_images

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE = Path(__file__).with_name("archive.py")
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a server on loopback that speaks S3, and point boto3 at it as the recipe says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # These packages warn of each other.
        pytest.importorskip("boto3", reason="boto3 is not installed: pip install -e '.[dev-more]'")
        server = pytest.importorskip("moto.server", reason="moto is not installed: pip install -e '.[dev-more]'")
        running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        running.start()
        host, port = running.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
        running.stop()


@pytest.mark.usefixtures("storage")
def test_the_recipe_uploads_pictures_and_sidecars(tmp_path: Path) -> None:
    """Every object has its media type and the SHA-256 of its bytes, and a sidecar comes along."""
    session: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(RECIPE.read_text(encoding="utf-8"), RECIPE.name, "exec"), session)
    image = generate_images(create_client(sandbox=True), "a fox", directory=tmp_path)[0]
    gif = GeneratedImage(data=GIF, format="GIF", width=1, height=1, model="m")
    paths = [path for path in (image.path, *save_images(gif, tmp_path, name="dot")) if path]
    s3 = session["s3"]
    s3.create_bucket(Bucket="pictures")

    session["archive"](paths, "pictures", "2026/")

    names = [entry["Key"] for entry in s3.list_objects_v2(Bucket="pictures")["Contents"]]
    found = {name: s3.get_object(Bucket="pictures", Key=name) for name in names}
    assert {name: answer["ContentType"] for name, answer in found.items()} == {
        "2026/a-fox.jpg": "image/jpeg",
        "2026/dot.gif": "application/octet-stream",
        "2026/dot.xmp": "application/rdf+xml",
    }
    for name, answer in found.items():
        data = answer["Body"].read()
        assert data == (tmp_path / Path(name).name).read_bytes()
        assert answer["Metadata"]["sha256"] == hashlib.sha256(data).hexdigest()
        assert name.endswith(".gif") or read_provenance(data) is not None
