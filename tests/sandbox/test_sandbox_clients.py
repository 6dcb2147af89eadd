"""Real clients in other languages against the sandbox's server, with nothing changed but the address."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ionos_openai.files.formats import is_marked_sandbox, recognise
from ionos_openai.sandbox import Sandbox, SandboxServer
from ionos_openai.sandbox.chat import CHAT_ANSWER, COMPLETION
from tests import REPOSITORY
from tests.sandbox.test_sandbox import png

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
AI_SDK = "ai @ai-sdk/openai zod"


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """A server for clients that are well-behaved."""
    with SandboxServer(Sandbox(time_scale=10)) as running:
        yield running


def run(*command: str | Path, folder: Path | None = None, **variables: str) -> str:
    """Run a program to its end and return what it printed; its messages are shown where it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("IONOS_", "OPENAI_"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=kept | variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name: str) -> str:
    """Return where a program is; skip the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run_in_node(program: str, packages: str, *arguments: str | Path, **variables: str) -> str:
    """Run a program of this folder where Node finds packages of npm's, which are kept for the next run."""
    npm, node = tool("npm"), tool("node")
    folder = Path(tempfile.gettempdir()) / f"ionos-openai-tests-{re.sub('[^a-z0-9]+', '-', packages)}"
    if not (folder / "installed").is_file():
        folder.mkdir(exist_ok=True)
        options = ["--no-save", "--no-audit", "--no-fund", "--prefix", str(folder)]
        try:
            installed = subprocess.run(
                [npm, "install", *options, *packages.split()], cwd=folder, capture_output=True, timeout=90
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm's registry does not answer")
        if installed.returncode != 0:
            pytest.skip(f"npm cannot install {packages} here")
        (folder / "installed").touch()
    shutil.copy(Path(__file__).with_name(program), folder)
    return run(node, folder / program, *arguments, **variables)


@pytest.mark.slow
@pytest.mark.parametrize("sdk", ["openai@latest", "openai@4"])
def test_the_node_sdk_is_at_home(sdk: str, server: SandboxServer, tmp_path: Path) -> None:
    """Node's official SDK lists, makes, edits, chats, streams and embeds, and sees errors as its own."""
    (tmp_path / "in.png").write_bytes(png(64, 64))
    said = json.loads(run_in_node("sandbox_client.mjs", sdk, tmp_path / "in.png", BASE_URL=server.base_url))
    assert said == {
        "models": 20,
        "image": "/9j/",
        "edit": "/9j/",
        "chat": CHAT_ANSWER,
        "streamed": True,
        "embedding": 1024,
        "refused": [400, True],
        "afterLimit": 20,
        "failed": 500,
        "unauthorized": 401,
    }


@pytest.mark.slow
def test_the_ai_sdk_is_at_home(server: SandboxServer, tmp_path: Path) -> None:
    """Vercel's AI SDK chats, streams, looks, calls, completes and draws, and its objects fit their schema."""
    (tmp_path / "in.png").write_bytes(png(64, 64))
    said = json.loads(run_in_node("vercel_client.mjs", AI_SDK, tmp_path / "in.png", BASE_URL=server.base_url))
    assert said == {
        "text": CHAT_ANSWER,
        "streamed": CHAT_ANSWER,
        "seen": f"{CHAT_ANSWER} It came with a PNG of 64x64 px.",
        "object": {
            "name": "placeholder",
            "legs": [{"length": 1}],
            "kind": "fox",
            "mail": "nobody@example.org",
            "weights": {},
        },
        "called": ["see"],
        "completed": COMPLETION,
        "picture": "image/jpeg",
    }


def test_curl_from_the_readme(server: SandboxServer, tmp_path: Path) -> None:
    """The README's curl command works as it stands, but for the port."""
    tool("curl")
    bash = tool("bash")
    (command,) = re.findall(r"^    (curl .*/images/generations(?:.*\\\n)*.*)$", README, re.MULTILINE)
    command = command.replace("http://127.0.0.1:8600", server.url)
    answer = json.loads(run(bash, "-c", command, folder=tmp_path))
    assert answer["data"][0]["b64_json"].startswith("/9j/")
    assert answer["usage"]["total_tokens"] == 0


TUTORIAL_IN_BASH = """
set -euo pipefail
ENDPOINT=$1
IONOS_API_TOKEN=$2
curl -sS --fail "$ENDPOINT/models" -H "Authorization: Bearer $IONOS_API_TOKEN" > models.json
BODY='{"model": "black-forest-labs/FLUX.1-schnell", "prompt": "An old mill by a river", "size": "1024x1024"}'
curl -sS --fail "$ENDPOINT/images/generations" -H "Authorization: Bearer $IONOS_API_TOKEN" \\
  -H "Content-Type: application/json" -d "$BODY" > answer.json
jq -r '.data[].id' models.json | grep -c . > count.txt
jq -r '.data[].b64_json' answer.json | base64 --decode > mill.jpg
jq -r '.usage.prompt_tokens, .usage.total_tokens' answer.json > usage.txt
"""

TUTORIAL_IN_PYTHON = """
import base64, json, sys, urllib.request

endpoint, token = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/models", headers=headers)) as answer:
    models = [model["id"] for model in json.load(answer)["data"]]
body = {"model": "black-forest-labs/FLUX.1-schnell", "prompt": "An old mill by a river", "size": "1024x1024"}
assert body["model"] in models
request = urllib.request.Request(f"{endpoint}/images/generations", json.dumps(body).encode(), headers)
with urllib.request.urlopen(request) as answer:
    result = json.load(answer)
for item in result["data"]:
    with open("mill.jpg", "wb") as file:
        file.write(base64.b64decode(item["b64_json"]))
print(len(models), result["usage"]["prompt_tokens"], result["usage"]["total_tokens"])
"""


def check_mill(folder: Path) -> None:
    """Check the picture that a tutorial's program has left."""
    data = (folder / "mill.jpg").read_bytes()
    assert recognise(data).format == "JPEG"
    assert is_marked_sandbox(data)


def test_a_tutorial_in_bash(server: SandboxServer, tmp_path: Path) -> None:
    """A shell program in the manner of the service's tutorials gets its picture and its usage."""
    bash, _, _ = tool("bash"), tool("curl"), tool("jq")
    run(bash, "-c", TUTORIAL_IN_BASH, "tutorial", server.base_url, "any-token", folder=tmp_path)
    assert (tmp_path / "count.txt").read_text().split() == ["20"]
    assert (tmp_path / "usage.txt").read_text().split() == ["0", "0"]
    check_mill(tmp_path)


def test_a_tutorial_in_python(server: SandboxServer, tmp_path: Path) -> None:
    """A Python program without any SDK gets the same."""
    assert run(sys.executable, "-c", TUTORIAL_IN_PYTHON, server.base_url, "any-token", folder=tmp_path) == "20 0 0\n"
    check_mill(tmp_path)
