"""The contract's limits, kept by waiting: pacing.

Every attempt of a paced client waits for its turn in two token buckets, one for images and one for all requests. How
full they are is shared: by default in a small file by all processes of a user on a host, with `IONOS_BUDGET_URL`
through Redis by many hosts. A 429 empties the bucket for everyone who shares it, and the attempt is made again.

- `rates`: the limits and the arithmetic; pure;
- `ledgers`: where the buckets' levels are kept: in this process, in a file, or (`redis_ledger`) in Redis;
- `queues`: who of this process is next;
- `turns`: what a client calls.
"""

from __future__ import annotations

from ionos_openai.client.pacing.rates import ContractLimits, estimate_seconds
from ionos_openai.client.pacing.turns import (
    Contract,
    PacedCall,
    Pacing,
    WithdrawnError,
    arepeat,
    count_refusals,
    current_call,
    repeat,
    while_wanted,
)

__all__ = [
    "Contract",
    "ContractLimits",
    "PacedCall",
    "Pacing",
    "WithdrawnError",
    "arepeat",
    "count_refusals",
    "current_call",
    "estimate_seconds",
    "repeat",
    "while_wanted",
]
