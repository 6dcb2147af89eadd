"""Many prompts into one directory: within the limits, whatever dies in between, and nothing bought twice.

A run keeps a record of each prompt, `manifest.jsonl`, in the directory. The same call again skips what is done. What a
run keeps in memory is some 200 bytes for each prompt that is recorded and given (170 to 240, measured on CPython 3.11,
2026-11): requests and pictures never pile up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai.errors.loading import lazy

if TYPE_CHECKING:
    from ionos_openai.batch.drive import AsyncBatch, Batch
    from ionos_openai.batch.request import ImageRequest
    from ionos_openai.batch.results import BatchEvent, BatchResult, Estimate, Progress, read_batch
    from ionos_openai.batch.runs import agenerate_batch, generate_batch
    from ionos_openai.errors import BatchRunningError

__all__ = [
    "AsyncBatch",
    "Batch",
    "BatchEvent",
    "BatchResult",
    "BatchRunningError",
    "Estimate",
    "ImageRequest",
    "Progress",
    "agenerate_batch",
    "generate_batch",
    "read_batch",
]

_HOMES = ("request", "results", "runs")
__getattr__ = lazy(__name__, *(f"{__name__}.{home}" for home in _HOMES), "ionos_openai.errors")
