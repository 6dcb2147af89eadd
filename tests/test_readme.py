"""The README keeps its word: its commands, its Python, its tables, its pictures, its links."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import warnings
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from PIL import Image

from ionos_openai.client.settings import IonosSettings
from tests import REPOSITORY
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import openai

    from ionos_openai.sandbox import Sandbox
    from tests.terminal import Result

README = REPOSITORY / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
# What pip or uvx is to install, wherever it is said.
INSTALLED = re.findall(r'(?:pip install (?:-e )?|uvx --from |--wheel-dir dist )"([^"]+)"', TEXT)


def test_it_is_short() -> None:
    """Somebody in a hurry reads it from top to bottom."""
    assert len(TEXT.splitlines()) <= 330


def test_the_two_commands_stand_at_the_top() -> None:
    """A newcomer finds both on the first screen, as they are, in quotes that every shell takes."""
    top = TEXT.splitlines()[:20]
    first = 'ionos-openai generate "A futuristic cityscape at sunset, highly detailed" --sandbox'
    assert top[top.index('    pip install ".[cli]"') + 1] == f"    {first}"
    assert top[top.index('    pip install -e ".[dev]"') + 1] == "    pytest"


def test_what_is_to_be_installed_exists() -> None:
    """Each path, address and wheel names this project and extras that it has."""
    assert len(INSTALLED) == TEXT.count("pip install ") + TEXT.count("uvx ") + TEXT.count("pip wheel ")
    for source in INSTALLED:
        path, _, extras = source.removesuffix("]").partition("[")
        is_path = path in (".", "/path/to/the/clone")
        requirement = Requirement(f"ionos-openai[{extras}]" if is_path else source)
        assert requirement.name == PROJECT["project"]["name"]
        assert requirement.extras - {""} <= set(PROJECT["project"]["optional-dependencies"]), source


def test_every_example_runs_on_the_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, in one session, in an empty folder, as in a notebook."""
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {"__name__": "readme"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for example in EXAMPLES:
            exec(compile(example, str(README), "exec"), session)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*"))
    assert [name for name in names if not name.startswith("campaign/")] == [
        "fox.jpg",
        "fox.png",
        "pictures/a-lighthouse.jpg",
        "pictures/give-it-a-red-hat.jpg",
    ]
    batch = [name.removeprefix("campaign/") for name in names if name.startswith("campaign/")]
    assert batch == [".ionos-batch.lock", "a-lighthouse-at-dusk.jpg", "manifest.jsonl", "mug.jpg"]


def test_the_example_of_a_test_passes(ionos_client: openai.OpenAI, ionos_sandbox: Sandbox) -> None:
    """With the fixtures that it is said to get."""
    (example,) = [example for example in EXAMPLES if "import pytest" in example]
    session: dict[str, Callable[..., None]] = {}
    exec(compile(example, str(README), "exec"), session)
    (name,) = [name for name in session if name.startswith("test_")]
    session[name](ionos_client, ionos_sandbox)


def bash(script: str, folder: Path, **variables: str) -> str:
    """Run lines in a shell, in which `ionos-openai` is this tree's, and return what they print."""
    found = shutil.which("bash")
    if found is None or os.name == "nt":
        pytest.skip("bash is not installed")
    here = f'ionos-openai() {{ {shlex.quote(sys.executable)} -m ionos_openai "$@"; }}\nset -euo pipefail\n'
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IONOS_")}
    done = subprocess.run(
        [found, "-c", here + script], cwd=folder, env=kept | variables, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_terminals_lines_run_in_order(tmp_path: Path) -> None:
    """As they stand, from the first to the last, in an empty folder; each ends with 0."""
    pytest.importorskip("ionos_openai.cli.app", reason="the command line's packages are not installed")
    (lines,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    said = bash(lines, tmp_path, IONOS_SANDBOX="1")
    assert "\n4711,0,0,0,1,0\n" in said  # what the labelled row cost: nothing, for one placeholder
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if ".thumbnails" not in path.parts}
    assert names == {
        "campaign/.ionos-batch.lock",
        "campaign/a-red-mug-on-a-white-table.jpg",
        "campaign/index.html",
        "campaign/manifest.jsonl",
        "fox-with-hat.png",
        "mug.png",
        "pictures/a-fox-2.jpg",
        "pictures/a-fox.jpg",
        "pictures/a-lighthouse-2.jpg",
        "pictures/a-lighthouse.jpg",
        "prompts.txt",
    }


def test_every_command_in_the_text_exists(cli: Callable[..., Result]) -> None:
    """Each `ionos-openai COMMAND` has that command, with each option that stands beside it."""
    lines = re.findall(r"ionos-openai ([a-z]+ ?[^`\n|]*)", TEXT)
    assert {line.split()[0] for line in lines} >= {"generate", "batch", "mark", "migrate", "sandbox", "verify"}
    for line in lines:
        command, *arguments = shlex.split(line)
        offered = cli(command, "--help").out
        for option in (argument for argument in arguments if argument.startswith("--")):
            assert option in offered, line


def test_the_servers_options_exist(cli: Callable[..., Result]) -> None:
    """The options of `sandbox` that the list names are taken together, and so are the faults."""
    from ionos_openai.sandbox.faults import FAULT_NAMES

    offered = cli("sandbox", "--help").out
    (item,) = re.findall(r"^- `--limits off`.*?(?=^- )", TEXT, re.MULTILINE | re.DOTALL)
    options = re.findall(r"--[a-z0-9-]+", item)
    refusing_less = ["--sizes", "--embeddings-base64", "--cors"]
    assert options == ["--limits", "--limits", "--time-scale", "--latency", "--fault", *refusing_less]
    assert all(option in offered for option in options)
    (faults,) = re.findall(r"x-sandbox-fault: NAME`(.*?)\.\n", TEXT, re.DOTALL)
    assert set(re.findall(r"`([a-z0-9-]+)`", faults)) <= set(FAULT_NAMES)


def token_lines() -> dict[str, str]:
    """Return what the table says to set the token with, by where."""
    (table,) = re.findall(r"\| where \| what \|\n\|.*?\n(.*?)\n\n", TEXT, re.DOTALL)
    return dict(re.findall(r"^\| (.+?) \| `(.+?)` \|$", table, re.MULTILINE))


def test_the_lines_for_the_token_set_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bash and in `.env` a token that stands for the dots arrives as it is."""
    lines, token = token_lines(), make_token()
    assert len(lines) == 3
    *_, line = (line.replace("eyJ...", token) for where, line in lines.items() if ".env" in where)
    (tmp_path / ".env").write_text(line + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    key = IonosSettings().api_key
    assert key is not None
    assert key.get_secret_value() == token
    printed = 'printf %s "$(printenv IONOS_API_TOKEN)"'
    assert bash(f"{lines['bash, zsh'].replace('eyJ...', token)}\n{printed}", tmp_path) == token


def test_the_line_for_the_token_in_powershell_sets_it() -> None:
    """Where there is a PowerShell to ask."""
    token = make_token()
    line = token_lines()["PowerShell"].replace("eyJ...", token)
    assert line == f'$env:IONOS_API_TOKEN = "{token}"'
    shell = shutil.which("pwsh") or shutil.which("powershell")
    if shell is None:
        pytest.skip("PowerShell is not installed")
    command = [shell, "-NoProfile", "-Command", f"{line}; [Environment]::GetEnvironmentVariable('IONOS_API_TOKEN')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == token


def test_every_link_within_leads_to_a_heading() -> None:
    """No link leads nowhere."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.+?)\)", TEXT)) <= anchors


def test_every_link_to_a_file_leads_to_one() -> None:
    """Relative paths, as a clone and a Git server resolve them."""
    paths = [path for path in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in path]
    assert len(paths) >= 10
    assert [path for path in paths if not (REPOSITORY / path).is_file()] == []


def test_the_pictures_are_small_and_described() -> None:
    """Each is below 60 kB, JPEG or WebP, and has a text for people who do not see it."""
    pictures = re.findall(r"!\[(.*?)\]\((.+?)\)", TEXT)
    assert len(pictures) == 2
    for text, path in pictures:
        assert len(text) > 40
        assert (REPOSITORY / path).stat().st_size < 60_000
        with Image.open(REPOSITORY / path) as picture:
            assert picture.format in ("JPEG", "WEBP")


def test_every_recipe_is_named_once() -> None:
    """In one line each."""
    recipes = [path for path in (REPOSITORY / "tests" / "recipes").iterdir() if path.suffix in (".py", ".yaml")]
    names = [path.name for path in recipes if not path.name.startswith(("test_", "__"))]
    assert len(names) >= 4
    for name in names:
        assert len([line for line in TEXT.splitlines() if f"tests/recipes/{name}" in line]) == 1, name


def test_the_map_has_every_room_in_the_order_of_the_layers() -> None:
    """The list under Development is that of the folders and of the import contract."""
    (plan,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    rooms = re.findall(r"^(\w+)/", plan, re.MULTILINE)
    assert sorted(rooms) == sorted(path.parent.name for path in (REPOSITORY / "ionos_openai").glob("*/__init__.py"))
    layers = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    order = {room: level for level, layer in enumerate(layers) for room in layer.split(" | ")}
    assert rooms == sorted(rooms, key=order.__getitem__)


def test_every_setting_stands_in_the_table() -> None:
    """No field and no variable is missing."""
    from ionos_openai.client.settings import setting_variables

    for variable, _ in setting_variables():
        assert f"`{variable}`" in TEXT, variable
    for name in IonosSettings.model_fields:
        assert re.search(rf"\b{name}\b", TEXT), name
