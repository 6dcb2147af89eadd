"""The contract's limits, kept by waiting: pacing.

Every attempt of a paced client waits for its turn in two token buckets, one for images and one for all requests. How
full they are is shared: by default in a small file by all processes of a user on a host, with `IONOS_BUDGET_URL`
through Redis by many hosts. A 429 empties the bucket for everyone who shares it, and the attempt is made again.

- `turns`: what a client calls, and who of this process is next;
- `ledgers`: where the buckets' levels are kept: in this process, in a file, or in Redis;
- `rates`: the limits and the arithmetic; pure.
"""
