"""How this package was installed, so that a message can say how to install the rest of it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname


def hook_directories() -> list[str]:
    """Return where PyInstaller finds what it has to collect; it asks by an entry point."""
    return [str(Path(__file__).with_name("frozen"))]


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra as the package itself was: by name, from a folder, or from a server."""
    found: dict[str, dict[str, str]] = {}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        found = json.loads(importlib.metadata.distribution("ionos-openai").read_text("direct_url.json") or "{}")
    url = re.sub(r"//[^/@]*@", "//", str(found.get("url", "")))
    name = f"ionos-openai[{extra}]"
    if "dir_info" in found:
        editable = "-e " if found["dir_info"].get("editable") else ""
        return f'pip install {editable}"{url2pathname(unquote(urlsplit(url).path))}[{extra}]"'
    if "vcs_info" in found:
        return f'pip install "{name} @ {found["vcs_info"]["vcs"]}+{url}"'
    return f'pip install "{name} @ {url}"' if url else f'pip install "{name}"'
