"""`python -m ionos_openai`, and the script `ionos-openai`."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys

_NEEDED = ("typer", "rich")
_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code; without the packages it needs, say how to install them all."""
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        from ionos_openai.files.installation import how_to_install

        sys.stderr.write(f"Error: The command line needs further packages. Install with: {how_to_install('cli')}\n")
        sys.exit(2)
    from ionos_openai.cli.app import run

    code = run()
    if code == _INTERRUPTED:
        _leave_now(code)
    sys.exit(code)


def _leave_now(code: int) -> None:
    """Exit without Python's wait for threads: their requests were given up."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
