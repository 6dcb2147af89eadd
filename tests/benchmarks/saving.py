"""What saving takes as a directory fills, and as one name is taken over and over.

    python tests/benchmarks/saving.py [--pictures 30000] [--saves 500]

- a full directory: a save among so many pictures, beside one into an empty directory: of new names, and of names that
  are taken once, as when the same prompts are asked again.
- one name: the last hundred of `--saves` pictures of one name, beside the first hundred.

Syncing is left out, which is the disk's. A ratio near 1 is what holds; the bound is 3, of medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ionos_openai.files import writing

BOUND = 3.0


def main() -> None:
    """Measure and print; exit with 1 where a ratio is beyond the bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=30_000)
    parser.add_argument("--saves", type=int, default=500)
    options = parser.parse_args()
    writing.sync_file = lambda handle: None
    with tempfile.TemporaryDirectory() as folder:
        empty, full, one = (Path(folder, name) for name in ("empty", "full", "one"))
        for directory in (empty, full, one):
            directory.mkdir()
        for number in range(options.pictures):
            (full / f"picture-of-{number}.jpg").touch()
        for directory in (empty, full):
            for number in range(options.saves):
                (directory / f"taken{number}.jpg").touch()
        ratios = {
            f"a new name among {options.pictures}": _median(full, "new", options) / _median(empty, "new", options),
            f"a taken one among {options.pictures}": _median(full, "taken", options) / _median(empty, "taken", options),
        }
        times = [_seconds(one, "fox.jpg") for _ in range(options.saves)]
        ratios[f"save {options.saves} of one name"] = statistics.median(times[-100:]) / statistics.median(times[:100])
    for what, ratio in ratios.items():
        print(f"{what}: {ratio:.2f} of what it takes without")
    sys.exit(max(ratios.values()) > BOUND)


def _median(directory: Path, kind: str, options: argparse.Namespace) -> float:
    writing.write_new(directory, "first.jpg", b"x")  # which looks for leftovers, once
    median = statistics.median(_seconds(directory, f"{kind}{number}.jpg") for number in range(options.saves))
    print(f"{directory.name}, {kind}: {median * 1e3:.3f} ms a save")
    return median


def _seconds(directory: Path, name: str) -> float:
    began = time.perf_counter()
    writing.write_new(directory, name, b"x")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
