"""A server that speaks S3 on loopback, which counts, delays and refuses requests as a test says."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BUCKET = "pictures"
GONE = 0
"""In place of a status: the connection breaks."""
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-3"}


class Storage:
    """moto's server with a bucket; runs in threads for as long as the `with` block.

    Attributes:
        requests: What it was asked, by method.
        fault: Returns the status to answer with in place of moto, by method and path; None lets moto answer.
        delay: Seconds that each answer takes.
        honours_conditions: Whether `If-None-Match` reaches it.
    """

    def __init__(self) -> None:
        """Serve nothing yet."""
        server = pytest.importorskip("moto.server", reason="moto is not installed: pip install -e '.[dev-more]'")
        from moto.moto_api._internal import moto_api_backend
        from werkzeug.serving import make_server

        moto_api_backend.reset()  # moto keeps what is stored for the whole process
        self._moto = server.DomainDispatcherApplication(server.create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.requests: Counter[str] = Counter()
        self.fault: Callable[[str, str], int | None] = lambda method, path: None
        self.delay = 0.0
        self._one_by_one = threading.Lock()
        self.honours_conditions = True

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs to reach it."""
        return {**KEYS, "AWS_ENDPOINT_URL_S3": self.endpoint}

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests[method] += 1
        if self.delay:
            time.sleep(self.delay)
        if not self.honours_conditions:
            environ.pop("HTTP_IF_NONE_MATCH", None)
        status = self.fault(method, path)
        if status == GONE:
            raise ConnectionResetError
        if status is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(f"{status} Fault", [("Content-Type", "application/xml")])
            return [f"<Error><Code>Fault{status}</Code><Message>as the test says</Message></Error>".encode()]
        with self._one_by_one:  # moto looks whether a name is taken, and then takes it: two may do so at once
            return self._moto(environ, start)  # type: ignore[no-any-return]

    def __enter__(self) -> Self:
        """Start serving, and make the bucket."""
        import boto3

        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        named = {name.lower(): value for name, value in KEYS.items() if name != "AWS_REGION"}
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name=KEYS["AWS_REGION"], **named)
        where = {"LocationConstraint": KEYS["AWS_REGION"]}
        self.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        self.requests.clear()
        return self

    def __exit__(self, *args: object) -> None:
        """Stop serving and free the port."""
        self.client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
