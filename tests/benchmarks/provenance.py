"""CPU time to mark a picture: this package beside Pillow's re-encoding, in the same run.

    python tests/benchmarks/provenance.py [--rounds 15] [--marks 50]

The pictures are a JPEG and a WebP of some 200 kB and a 2 MB PNG, in memory. Ours is `write_provenance` into a picture
without metadata, and into one that is marked already; Pillow's is `open` and `save` with the same packet, which also
changes the pixels of a JPEG. The figures are in ms of CPU of this process a picture, the lowest of the rounds: what the
machine does besides only adds. With the extra c2pa, a signature over the mark is measured too, with a certificate made
here.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import PIL
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ionos_openai.errors import ConfigurationError
from ionos_openai.provenance import Signer, describe, to_xmp, write_provenance, write_signature
from ionos_openai.provenance.signing import make_test_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

BOUNDS = {"JPEG": 0.2, "PNG": 1.0, "WEBP": 0.2}
SIGNING_BOUND = 3.0  # of a 2 MB PNG a third goes into its SHA-256, as much into c2pa's reading it in pieces of 8 kB
RECORD = describe(
    model="black-forest-labs/FLUX.1-schnell",
    size="1024x1024",
    created=datetime(2026, 11, 22, tzinfo=UTC),
    prompt="A futuristic cityscape at sunset, highly detailed",
)


def picture(kind: str) -> bytes:
    """Return a JPEG or a WebP of some 200 kB or a PNG of about 2 MB, 1024x1024 px, the same at every call."""
    grain = 790 if kind == "PNG" else 140
    noise = Image.frombytes("RGB", (grain, grain), random.Random(1).randbytes(grain * grain * 3))
    buffer = io.BytesIO()
    noise.resize((1024, 1024), Image.Resampling.NEAREST).save(buffer, kind, quality=55)
    return buffer.getvalue()


def encode_anew(data: bytes, kind: str) -> bytes:
    """Mark a picture as most programs do: decode it and encode it again."""
    packet = to_xmp(RECORD)
    written = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        if kind == "JPEG":
            image.save(written, kind, quality="keep", xmp=packet)
        elif kind == "WEBP":
            image.save(written, kind, xmp=packet)
        else:
            text = PngInfo()
            text.add_itxt("XML:com.adobe.xmp", packet.decode())
            image.save(written, kind, pnginfo=text)
    return written.getvalue()


def cpu_ms(mark: Callable[[], bytes], times: int) -> float:
    """Return the CPU time of this process in ms a call."""
    begin = time.process_time()
    for _ in range(times):
        mark()
    return (time.process_time() - begin) * 1000 / times


def make_signer() -> Signer | None:
    """Return a signer with a fresh certificate; None without the extra c2pa."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ConfigurationError):
        signer = Signer(*make_test_certificate(folder)[:2])
        signer.check()
        return signer
    return None


def main() -> int:
    """Measure, print, and return 1 where a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--marks", type=int, default=50)
    options = parser.parse_args()
    passed, signer = True, make_signer()
    print(f"Pillow {PIL.__version__}, Python {sys.version.split()[0]}, {options.rounds} rounds of {options.marks}")
    for kind, bound in BOUNDS.items():
        data = picture(kind)
        marked = write_provenance(data, RECORD)
        rounds = []
        for _ in range(options.rounds):
            fresh = cpu_ms(lambda data=data: write_provenance(data, RECORD), options.marks)
            again = cpu_ms(lambda marked=marked: write_provenance(marked, RECORD), options.marks)
            anew = cpu_ms(lambda data=data, kind=kind: encode_anew(data, kind), 1)
            signed = cpu_ms(lambda data=marked: write_signature(data, signer, RECORD), options.marks) if signer else 0.0
            rounds.append((fresh, again, anew, signed))
        fresh, again, anew, signed = (min(side) for side in zip(*rounds, strict=True))
        passed = passed and fresh <= bound and signed <= SIGNING_BOUND
        size = f"{len(data) / 1e6:.1f} MB {kind}"
        print(
            f"{size:>12}: ours {fresh:.3f} ms (bound {bound}), marked again {again:.3f} ms, Pillow anew {anew:.1f} ms"
        )
        if signer is not None:
            print(f"{size:>12}: signed {signed:.2f} ms more (bound {SIGNING_BOUND})")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
