"""The README keeps its word: its commands, its Python, its tables."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from ionos_openai.client.settings import IonosSettings
from tests import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

README = REPOSITORY / "README.md"
TEXT = README.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_two_commands_stand_at_the_top() -> None:
    """A newcomer finds both on the first screen, as they are."""
    top = TEXT.splitlines()[:20]
    first = 'ionos-openai generate "A futuristic cityscape at sunset, highly detailed" --sandbox'
    assert f"    pip install '.[cli]' && {first}" in top
    assert "    pip install -e '.[dev]' && pytest" in top


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


def test_every_link_within_leads_to_a_heading() -> None:
    """No link leads nowhere."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#(.+?)\)", TEXT)) <= anchors


def test_every_setting_stands_in_the_table() -> None:
    """No field and no variable is missing."""
    from ionos_openai.client.settings import setting_variables

    for variable, _ in setting_variables():
        assert f"`{variable}`" in TEXT, variable
    for name in IonosSettings.model_fields:
        assert re.search(rf"\b{name}\b", TEXT), name
