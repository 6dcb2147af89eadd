"""Programs of the kinds that people have: `--write --calls` moves them to IONOS, and then they make a picture.

Of frameworks that are not installed, only what these programs touch is there.
"""

from __future__ import annotations

import gc
import runpy
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ionos_openai.cli.app import run

MOVES = Path(__file__).parent / "programs" / "moves"
NAMES = sorted(path.stem for path in MOVES.glob("*.py"))


def _tool(function: Callable[..., str]) -> types.SimpleNamespace:
    return types.SimpleNamespace(invoke=lambda given: function(**given))


class _Bot:
    def __init__(self) -> None:
        self._commands: dict[str, Callable[..., Any]] = {}

    def command(self, name: str) -> Callable[[Callable[..., Any]], None]:
        return lambda function: self._commands.__setitem__(name, function)

    async def call(self, name: str, *given: str) -> None:
        async def send(file: tuple[Any, str]) -> None:
            Path(file[1]).write_bytes(file[0].read())  # noqa: ASYNC240  a few bytes

        await self._commands[name](types.SimpleNamespace(send=send), *given)


class _Server:
    def __init__(self, name: str) -> None:
        self.name = name

    def tool(self) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return lambda function: function


class _Spinner:
    def __init__(self, text: str) -> None:
        self.text = text

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


FRAMEWORKS: dict[str, dict[str, Any]] = {
    "config": {"OPENAI_KEY": "from elsewhere"},
    "discord": {"Bot": _Bot, "File": lambda file, name: (file, name)},
    "mcp": {}, "mcp.server": {}, "crewai": {}, "langchain_core": {},
    "mcp.server.fastmcp": {"FastMCP": _Server, "Image": types.SimpleNamespace},
    "langchain_core.tools": {"tool": _tool},
    "crewai.tools": {"BaseTool": object},
    "streamlit": {
        "title": print,
        "secrets": {"openai_key": "from elsewhere"},
        "text_input": lambda label: "a paper boat",
        "spinner": _Spinner,
        "image": Path("shown.jpg").write_bytes,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_program_is_moved_and_makes_a_picture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but `migrate --write --calls` is done to it, and no name of OpenAI's models is left in its calls."""
    source = (MOVES / f"{name}.py").read_text(encoding="utf-8")
    path = Path(f"{name}.py")
    path.write_text(source, encoding="utf-8")
    assert run(["migrate", str(path), "--write", "--calls", "--json"]) in (0, 1)
    moved = path.read_text(encoding="utf-8")
    assert "import create_" in moved
    assert [line for line in moved.splitlines() if "quality=" in line or "style=" in line] == []
    for module, content in FRAMEWORKS.items():
        fake = types.ModuleType(module)
        fake.__dict__.update(content)
        monkeypatch.setitem(sys.modules, module, fake)
    if name == "web_app":
        pytest.importorskip("flask")
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    if name == "mixed":
        monkeypatch.setenv("OPENAI_API_KEY", "of the client that chats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the client adapts
        runpy.run_path(str(path), run_name="__main__")
        gc.collect()
    made = [file.read_bytes() for file in Path.cwd().iterdir() if file != path]
    assert [data for data in made if data[:3] == b"\xff\xd8\xff" or b"data:image/jpeg;base64," in data]


@pytest.mark.parametrize("name", NAMES)
def test_moving_twice_changes_nothing_more(name: str) -> None:
    """What is written is found again, and left as it is."""
    path = Path(f"{name}.py")
    path.write_bytes((MOVES / f"{name}.py").read_bytes())
    run(["migrate", str(path), "--write", "--calls"])
    moved = path.read_bytes()
    run(["migrate", str(path), "--write", "--calls"])
    assert path.read_bytes() == moved


@pytest.mark.parametrize("name", NAMES)
def test_the_diff_is_what_write_makes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run and `--write` agree."""
    path = Path(f"{name}.py")
    path.write_bytes((MOVES / f"{name}.py").read_bytes())
    run(["migrate", str(path), "--diff", "--calls"])
    shown = capsys.readouterr().out.splitlines()
    run(["migrate", str(path), "--write", "--calls"])
    added = [line[1:] for line in shown if line.startswith("+") and not line.startswith("+++")]
    assert added
    assert set(added) <= set(path.read_text(encoding="utf-8").splitlines())
