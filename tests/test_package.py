"""What `import ionos_openai` gives and costs, and how the repository is laid out."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import typing
from pathlib import Path

import openai
import pytest
from pydantic import TypeAdapter

import ionos_openai
from ionos_openai import (
    BatchEvent,
    BatchResult,
    Cost,
    Estimate,
    GeneratedImage,
    ImageModel,
    ImageRequest,
    Money,
    Progress,
)
from tests import REPOSITORY

PACKAGE = Path(ionos_openai.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("openai", "PIL", "pydantic", "pydantic_settings", "httpx", "httpx2", "pybase64", "typer", "rich")
VISIBLE = {"README.md", "cassettes", "ionos_openai", "pyproject.toml", "tests"}


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_the_public_names_are_sorted_and_load() -> None:
    """`__all__` is sorted, constants first, names nothing twice, and each name loads."""
    assert ionos_openai.__all__ == sorted(set(ionos_openai.__all__), key=lambda name: (not name.isupper(), name))
    for name in ionos_openai.__all__:
        assert getattr(ionos_openai, name) is not None


def test_the_public_names_come_from_this_package() -> None:
    """Each public class and function is at home in this package and has a docstring."""
    for name in ionos_openai.__all__:
        value = getattr(ionos_openai, name)
        if not isinstance(value, str):
            assert value.__module__.startswith("ionos_openai."), name
            assert value.__name__ == name
            assert value.__doc__, name


def test_type_checkers_see_the_same_names() -> None:
    """The names that are imported for type checkers are those of `__all__`."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    seen = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ionos_openai.")
        for alias in node.names
    ]
    assert sorted(seen) == sorted(ionos_openai.__all__)


def test_a_star_import_gives_the_public_names() -> None:
    """`from ionos_openai import *` gives the public names and nothing else."""
    names = run_python("from ionos_openai import *; print(*sorted(n for n in dir() if not n.startswith('__')))")
    assert names.split() == sorted(ionos_openai.__all__)


def test_dir_lists_the_public_names() -> None:
    """`dir()` lists every public name, also before it is loaded."""
    names = run_python("import ionos_openai; print(*dir(ionos_openai))").split()
    assert set(ionos_openai.__all__) <= set(names)
    assert names == sorted(names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that does not exist is an AttributeError in the usual words."""
    with pytest.raises(AttributeError, match=r"^module 'ionos_openai' has no attribute 'generate_video'$"):
        ionos_openai.generate_video  # type: ignore[attr-defined]  # noqa: B018 - that it is missing is the point


def test_importing_loads_nothing_heavy() -> None:
    """`import ionos_openai` loads neither openai nor Pillow nor pydantic."""
    code = f"import sys, ionos_openai; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run_python(code) == "[]"


def test_listing_names_loads_nothing_heavy() -> None:
    """`dir()` and `hasattr` of a missing name, which editors and shells ask for, load nothing heavy either."""
    code = (
        "import sys, ionos_openai; dir(ionos_openai); hasattr(ionos_openai, '__wrapped__'); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run_python(code) == "[]"


def test_pillow_is_loaded_only_when_it_is_needed() -> None:
    """Making a client and asking for its functions does not load Pillow."""
    code = (
        "import sys; from ionos_openai import create_client, decode_images, generate_images, save_images; "
        "create_client(api_key='sandbox', base_url='http://127.0.0.1:1/v1'); print('PIL' in sys.modules)"
    )
    assert run_python(code) == "False"


PUBLIC = {
    f"{room}.{name}": getattr(importlib.import_module(room), name)
    for room in ("ionos_openai", *(f"ionos_openai.{path.name}" for path in PACKAGE.iterdir() if path.is_dir()))
    for name in getattr(importlib.import_module(room), "__all__", ())
}


@pytest.mark.parametrize("thing", PUBLIC.values(), ids=PUBLIC.keys())
def test_hints_can_be_read_at_run_time(thing: object) -> None:
    """As FastAPI and pydantic do, of classes and what they offer, and of functions; of openai's own some cannot."""
    parts = [*vars(thing).values()] if inspect.isclass(thing) else [thing]
    if inspect.isclass(thing) and not issubclass(thing, openai.APIError):
        assert typing.get_type_hints(thing) is not None
    for part in (part.fget if isinstance(part, property) else part for part in parts):
        if inspect.isfunction(part) and part.__module__.startswith("ionos_openai"):
            typing.get_type_hints(part)


@pytest.mark.parametrize("kind", [BatchResult, BatchEvent, Progress, Estimate, GeneratedImage, ImageModel, Cost, Money])
def test_results_can_be_answered_with(kind: type) -> None:
    """A web API has a schema of them; an error in one is its message."""
    assert TypeAdapter(kind).json_schema(mode="serialization")["properties"]
    failed = BatchResult(request=ImageRequest(prompt="a fox"), error=ValueError("no fox"))
    assert json.loads(TypeAdapter(BatchResult).dump_json(failed))["error"] == "no fox"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_the_settings_read_the_environment(path: Path) -> None:
    """No module but client/settings.py reads an environment variable."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {"environ", "environb", "getenv", "getenvb"}
    reads = [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {one.name for one in node.names})
    ]
    assert path == PACKAGE / "client" / "settings.py" or reads == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_says_what_it_is_for(path: Path) -> None:
    """Each module has a docstring and the postponed annotations that the package's style asks for."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1 or "from __future__ import annotations" in text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_function_body_is_over_thirty_lines(path: Path) -> None:
    """A body, without its docstring, fits on a screen beside another one."""
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    bodies = {node.name: node.body[1 if ast.get_docstring(node) else 0 :] for node in functions}
    lines = {name: body[-1].end_lineno - body[0].lineno + 1 for name, body in bodies.items() if body}  # type: ignore[operator]
    assert {name: number for name, number in lines.items() if number > 30} == {}


def test_no_class_stands_twice() -> None:
    """A class's name says which one is meant."""
    classes = [
        node.name
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]
    assert {name for name in classes if classes.count(name) > 1} == set()


def test_the_version_is_the_installed_one() -> None:
    """`__version__` is that of the installed package and of pyproject.toml."""
    assert ionos_openai.__version__ == importlib.metadata.version("ionos-openai")
    if (REPOSITORY / "pyproject.toml").is_file():
        assert f'version = "{ionos_openai.__version__}"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_the_package_is_typed() -> None:
    """Type checkers are told that the package has types."""
    assert (PACKAGE / "py.typed").is_file()


def test_the_top_level_is_laid_out_as_agreed() -> None:
    """A clone has only the agreed visible entries at its top level, beside hidden files and what git ignores."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a clone")
    ignored = re.findall(r"^/?([^#/\s]+)/?$", (REPOSITORY / ".gitignore").read_text(encoding="utf-8"), re.MULTILINE)
    found = {path.name for path in REPOSITORY.iterdir() if not any(path.match(pattern) for pattern in ignored)}
    assert {name for name in found if not name.startswith(".")} == VISIBLE
