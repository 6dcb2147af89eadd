"""What is found in notebooks and in configuration files."""

from __future__ import annotations

import json

import pytest

from ionos_openai.cli.migrate.configuration import search_configuration
from ionos_openai.cli.migrate.findings import SourceError
from ionos_openai.cli.migrate.notebook import migrate_notebook

ASKED = "OpenAI().images.generate(prompt='x', model='FLUX.1-schnell')"
KEY = "sk-proj-canary0123456789abcdef"


def notebook(*cells: str | list[str], language: str = "python") -> str:
    entries: list[dict[str, object]] = [
        {"cell_type": "code", "source": cell, "outputs": [], "metadata": {}} for cell in cells
    ]
    text = {"cell_type": "markdown", "source": "from openai import OpenAI; OpenAI()", "metadata": {}}
    return json.dumps({"nbformat": 4, "metadata": {"kernelspec": {"language": language}}, "cells": [text, *entries]})


def test_places_are_told_by_cell_and_line() -> None:
    """Names go from cell to cell, and each place is found again; what a script would have written is by hand."""
    text = notebook(
        ["%pip install openai\n", "from openai import OpenAI\n", "\n", f'client = OpenAI(api_key="{KEY}")'],
        "# a comment\nr = client.images.generate(model='dall-e-3', prompt='x')\n",
    )
    found = migrate_notebook(text)
    assert [(one.cell, one.line, one.kind, one.effort) for one in found.findings] == [
        (2, 4, "client", "hand"),
        (2, 4, "key", "hand"),
        (3, 2, "model", "none"),
    ]
    assert found.edited == text
    assert KEY not in repr(found.findings)


@pytest.mark.parametrize(
    "code",
    [
        "!pip install openai\nOpenAI()",
        "!pip install -q \\\n  openai \\\n  pillow\nOpenAI()",
        "%matplotlib inline\nOpenAI()",
        "x = 1\n%time OpenAI()",
        "%%time\nOpenAI()",
        "\n%%capture out\nOpenAI()",
        "files = !ls *.png\nOpenAI()",
        "if True:\n    !rm x\n    OpenAI()",
        "OpenAI?\nOpenAI()",
        "x = ('%s'\n  % 3)\nOpenAI()",
        "await thing()\nOpenAI()",
    ],
)
def test_magics_do_not_hide_what_stands_beside_them(code: str) -> None:
    """Shell commands, magics and questions are passed over, line by line."""
    found = migrate_notebook(notebook("from openai import OpenAI", code.replace("OpenAI()", ASKED)))
    last = code.count("\n") + 1
    assert [(one.cell, one.line, one.kind) for one in found.findings][:1] == [(3, last, "client")]


def test_keys_in_magics_are_found() -> None:
    """A key that is set by %env is as public as one in the code."""
    found = migrate_notebook(notebook(f"import openai\n%env OPENAI_API_KEY={KEY}"))
    assert [(one.cell, one.line, one.code) for one in found.findings] == [(2, 2, "holds a key (not shown)")]


def test_cells_that_cannot_be_read_do_not_hide_the_others() -> None:
    """A %%bash cell, a cell that is no Python and a lone magic keep the places right; another kernel says nothing."""
    cells = ["%%bash\npip install openai", "this is (no Python", "%%capture", f"import openai\nopenai.{ASKED}"]
    found = migrate_notebook(notebook(*cells))
    assert [(one.cell, one.line) for one in found.findings] == [(5, 2)]
    assert migrate_notebook(notebook("from openai import OpenAI; OpenAI()", language="R")).findings == ()
    other = json.loads(notebook("from openai import OpenAI")) | {"metadata": {"language_info": {"name": "csharp"}}}
    assert migrate_notebook(json.dumps(other)).findings == ()


def test_a_line_in_a_message_is_told_with_its_cell() -> None:
    """The lines of the joined cells mean nothing to anybody."""
    found = migrate_notebook(notebook("import openai\nc = openai.OpenAI()", "c.responses.create()", f"c.{ASKED[9:]}"))
    assert "responses.create in cell 3 line 1" in found.findings[0].code


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "{}", '{"cells": 3}', '{"cells": [3]}', "[" * 100_000])
def test_what_is_no_notebook_is_refused(text: str) -> None:
    """JSON of another shape, or none, is an error with its reason."""
    with pytest.raises(SourceError, match=r"^it is not a notebook: not JSON, or of another shape$"):
        migrate_notebook(text)


UNREAD = (1, "is a cell that cannot be read as Python, and names OpenAI or its models")


@pytest.mark.parametrize(
    ("cell", "places"),
    [
        ("from openai import (", [UNREAD]),
        (f"client = OpenAI(api_key='{KEY}'\nr = client.images.generate(stream=True)",
         [UNREAD, (1, "holds a key (not shown)")]),
        (f"%%bash\ncurl https://api.openai.com/v1/images/generations -H 'Authorization: Bearer {KEY}' \\\n"
         '  -d \'{"model":"dall-e-3"}\'',
         [UNREAD, (2, "holds a key (not shown)"), (2, "has the address of OpenAI's image endpoint"),
          (3, "names dall-e-3 (retired 2026-05-12)")]),
        (f"import openai\n!draw --model dall-e-2 --key {KEY} --then bypass",
         [(2, "holds a key (not shown)"), (2, "names dall-e-2 (retired 2026-05-12)")]),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_searched_as_text(cell: str, places: list[tuple[int, str]]) -> None:
    """A notebook is not called clean where a part of it was not read: keys, models and addresses are by hand."""
    found = migrate_notebook(notebook(cell)).findings
    assert [(one.line, one.code) for one in found] == places
    assert {(one.cell, one.effort) for one in found} == {(2, "hand")}
    assert KEY not in repr(found)


def search(text: str, *, holds_secrets: bool = True) -> list[tuple[int, str, str]]:
    found = search_configuration(text, holds_secrets=holds_secrets)
    assert KEY not in repr(found.findings)
    assert found.edited == text
    return [(one.line, one.effort, one.code) for one in found.findings]


def test_variables_and_models_in_configuration_are_found() -> None:
    """Names are told, values never."""
    assert search(f"OPENAI_API_KEY={KEY}\r\nexport OPENAI_ORG_ID=org-1\r\n# IMAGE=dall-e-2\r\n") == [
        (1, "hand", "names OPENAI_API_KEY"),
        (2, "none", "names OPENAI_ORG_ID"),
        (3, "none", "names dall-e-2 (retired 2026-05-12)"),
    ]


def test_a_key_beside_an_ionos_token_is_fine() -> None:
    """Where the token is set already, a key of OpenAI's may stay for what is not about pictures."""
    assert search(f"OPENAI_API_KEY={KEY}\nIONOS_API_TOKEN=x\n") == [(1, "none", "names OPENAI_API_KEY")]


def test_a_key_in_a_file_that_is_no_place_for_keys_is_reported() -> None:
    """A `.env` is for keys, a YAML file in the repository is not."""
    assert search(f"image:\n  key: {KEY}\n", holds_secrets=False) == [(2, "hand", "holds a key (not shown)")]
