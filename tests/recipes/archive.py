"""Put pictures, with their sidecars where they have one, into any storage that speaks S3.

`pip install boto3`; the storage's address stands in AWS_ENDPOINT_URL_S3, the keys in AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY. The paths are those of a `BatchResult` or of `save_images`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from ionos_openai.provenance import sidecar_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".xmp": "application/rdf+xml"}
# Checksums that newer versions of boto3 add by themselves are not understood by every storage.
s3 = boto3.client("s3", config=Config(request_checksum_calculation="when_required"))


def archive(paths: Iterable[Path], bucket: str, prefix: str = "") -> None:
    """Upload files, each with its media type and the SHA-256 of its bytes."""
    for path in paths:
        for file in filter(lambda file: file.is_file(), (path, sidecar_path(path))):
            data = file.read_bytes()
            s3.put_object(
                Bucket=bucket,
                Key=prefix + file.name,
                Body=data,
                ContentType=TYPES.get(file.suffix, "application/octet-stream"),
                Metadata={"sha256": hashlib.sha256(data).hexdigest()},
            )
