"""Pictures at the end of a notebook's cell, by what they offer a front end and in a real kernel."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import re
import types
import warnings
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ionos_openai import (
    GeneratedImage,
    MissingTokenError,
    agenerate_images,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    generate_images,
)
from ionos_openai.images.display import ImageList
from tests import REPOSITORY

README = REPOSITORY / "README.md"
FLUX = "black-forest-labs/FLUX.1-schnell"


def encode(kind: str, side: int = 8, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def image(kind: str = "JPEG", side: int = 8, **facts: Any) -> GeneratedImage:
    facts = {"data": encode(kind, side), "prompt": "a <fox>", "model": FLUX, **facts}
    return GeneratedImage(format=kind, width=side, height=side, **facts)  # type: ignore[arg-type]


def shown(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2] or source)))


def sources(html: str) -> list[str]:
    return re.findall(r'src="(data:[^"]*)"', html)


@pytest.mark.parametrize(("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_a_picture_is_shown_as_it_was_sent(kind: str, media_type: str) -> None:
    """A JPEG stays a JPEG and a PNG a PNG, with an alternative text and the size in px."""
    one = image(kind)
    content, facts = one._repr_mimebundle_()
    assert content == {media_type: base64.b64encode(one.data).decode(), "text/plain": repr(one)}
    assert facts == {media_type: {"alt": "Picture made by FLUX.1-schnell: a <fox>", "width": 8, "height": 8}}


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_another_format_is_shown_as_png(kind: str) -> None:
    """What not every front end shows is converted."""
    content, facts = image(kind)._repr_mimebundle_()
    assert shown(content["image/png"]).size == (8, 8)
    assert list(facts) == ["image/png"]


def test_what_pillow_cannot_read_is_a_line() -> None:
    """A picture that cannot be converted is shown as text, and nothing is raised."""
    one = image("WEBP", data=b"RIFF")
    assert one._repr_mimebundle_() == ({"text/plain": repr(one)}, {})


def test_a_front_end_gets_only_what_it_wants() -> None:
    """Kinds that are excluded, or not among those that are included, are left out."""
    one, several = image(), ImageList([image(), image()])
    assert list(one._repr_mimebundle_(exclude={"image/jpeg"})[0]) == ["text/plain"]
    assert list(one._repr_mimebundle_(include={"text/plain"})[0]) == ["text/plain"]
    assert list(several._repr_mimebundle_(include={"text/plain"})) == ["text/plain"]
    assert several._repr_mimebundle_(exclude={"text/html"}) == {"text/plain": f"{image()!r}\n{image()!r}"}


def test_several_are_a_grid_with_captions() -> None:
    """Each picture is in it once, with an alternative text and a caption, and no prompt becomes HTML."""
    pictures = [image(path=Path("d/a&b.jpg")), image("PNG", prompt='"<script>"' * 30, model=None), image(prompt=None)]
    html = ImageList(pictures)._repr_mimebundle_()["text/html"]
    assert sources(html) == [one.data_uri for one in pictures]
    texts = re.findall(r'alt="([^"]*)"', html)
    assert texts[::2] == ["Picture made by FLUX.1-schnell: a &lt;fox&gt;", "Picture made by FLUX.1-schnell"]
    assert "a &lt;fox&gt;<br><small>FLUX.1-schnell, 8x8, a&amp;b.jpg</small>" in html
    assert "<script>" not in html


def test_a_grid_of_large_pictures_is_of_previews() -> None:
    """Of several pictures, large ones are shown at most 512 px long; one that is alone is as it was sent."""
    large = image("PNG", 1000)
    see_through = image("PNG", 1000, data=encode("PNG", 1000, "LA"))
    broken = image("PNG", 1000, data=b"broken")
    html = ImageList([large, see_through, broken])._repr_mimebundle_()["text/html"]
    first, second, third = sources(html)
    assert (shown(first).format, shown(first).size) == ("JPEG", (512, 512))
    assert (shown(second).format, shown(second).mode) == ("PNG", "RGBA")
    assert third == broken.data_uri
    assert sources(ImageList([large])._repr_mimebundle_()["text/html"]) == [large.data_uri]


def test_the_list_is_a_list() -> None:
    """Equality, slices, repr and pickling are a list's; an empty one is shown as such."""
    pictures = [image(), image("PNG")]
    several = ImageList(pictures)
    assert several == pictures
    assert isinstance(several, list)
    assert (several[:1], repr(several)) == (pictures[:1], repr(pictures))
    assert pickle.loads(pickle.dumps(several)) == pictures
    assert ImageList()._repr_mimebundle_() == {"text/plain": "[]"}


async def test_all_functions_return_what_a_notebook_shows(tmp_path: Path) -> None:
    """Saved or not, sync or async, decoded or edited."""
    client = create_client(sandbox=True)
    images = generate_images(client, "a", directory=tmp_path)
    results = [
        images,
        generate_images(client, "a", n=2),
        edit_images(client, images[0], "b"),
        await agenerate_images(create_async_client(sandbox=True), "a", directory=tmp_path),
        decode_images(client.images.generate(prompt="a", model=FLUX)),
    ]
    assert {type(one) for one in results} == {ImageList}


def test_a_placeholder_is_called_one() -> None:
    """The alternative text and the caption of the stand-in's pictures say what they are."""
    images = generate_images(create_client(sandbox=True), "a fox")
    assert images[0]._repr_mimebundle_()[1]["image/jpeg"]["alt"] == "Placeholder of the stand-in: a fox"
    assert "FLUX.1-schnell, 1024x1024, placeholder" in images._repr_mimebundle_()["text/html"]  # type: ignore[attr-defined]


LINE = " In a notebook: from getpass import getpass; create_client(api_key=getpass('IONOS token: '))."


@pytest.mark.parametrize(
    ("kernel", "shell", "told"), [(True, object(), True), (True, None, False), (False, object(), False)]
)
def test_a_missing_token_is_asked_for_in_a_notebook(
    kernel: bool, shell: object, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a kernel the error has the line that asks for the token; in a shell it has not."""
    import sys

    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    if kernel:
        monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    else:
        monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with pytest.raises(MissingTokenError) as caught:
        create_client()
    assert (LINE in str(caught.value)) == told


# In a real kernel.

EXAMPLE = re.search(r"## In a notebook\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
CELLS = [
    EXAMPLE[1] if EXAMPLE else "",
    "images = generate_images(client, 'a hen')\nimages[0]",
    "from ionos_openai import agenerate_images, create_async_client\n"
    "[image.sandbox for image in await agenerate_images(create_async_client(), 'a cow', n=2)]",
    "client.images.generate(prompt='a fox', model='flux.1').data[0].b64_json[:4]",
    "from ionos_openai import generate_batch\n"
    "for result in generate_batch(client, ['a', 'b', 'c'], 'out', size='64x64', model='klein'): pass",
    "import os; del os.environ['IONOS_SANDBOX']; create_client()",
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """What each cell puts out when a notebook of them runs from its first to its last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Jupyter's packages warn of each other.
        nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
        pytest.importorskip("ipykernel", reason="ipykernel is not installed")
        import nbformat.v4 as v4

        folder = tmp_path_factory.mktemp("notebook")
        notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in CELLS])
        environment = {name: value for name, value in os.environ.items() if not name.startswith("IONOS_")}
        environment |= {"IONOS_SANDBOX": "1", "IPYTHONDIR": str(folder / "ipython"), "JUPYTER_PLATFORM_DIRS": "1"}
        client = nbclient.NotebookClient(
            notebook,
            timeout=60,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=environment)
    return [cell.outputs for cell in notebook.cells]


def results(cell: list[Any]) -> list[dict[str, Any]]:
    return [dict(output["data"]) for output in cell if output["output_type"] == "execute_result"]


@pytest.mark.slow
def test_the_readmes_example_shows_a_grid(outputs: list[list[Any]]) -> None:
    """Two previews, each once, with alternative texts, and short lines beside; the whole is small."""
    (data,) = results(outputs[0])
    assert set(data) == {"text/html", "text/plain"}
    found = sources(data["text/html"])
    assert len(found) == 2
    assert all(shown(one).size == (512, 512) for one in found)
    assert data["text/html"].count('alt="Placeholder of the stand-in: a fox in the snow"') == 2
    assert [line.partition("(")[0] for line in data["text/plain"].splitlines()] == ["GeneratedImage"] * 2
    assert len(json.dumps(outputs[0])) < 150_000


@pytest.mark.slow
def test_a_picture_at_a_cells_end_is_the_jpeg(outputs: list[list[Any]]) -> None:
    """Its base64 is in the notebook once, as image/jpeg, with an alternative text."""
    (result,) = outputs[1]
    data = result["data"]
    assert set(data) == {"image/jpeg", "text/plain"}
    assert shown(data["image/jpeg"]).size == (1024, 1024)
    assert result["metadata"]["image/jpeg"]["alt"] == "Placeholder of the stand-in: a hen"
    assert len(json.dumps(result)) < len(data["image/jpeg"]) + 1000


@pytest.mark.slow
def test_sync_and_async_calls_work_in_the_kernels_loop(outputs: list[list[Any]]) -> None:
    """Async calls are awaited at the top level, and sync ones block the cell alone."""
    assert results(outputs[2]) == [{"text/plain": "[True, True]"}]
    assert results(outputs[3]) == [{"text/plain": "'/9j/'"}]


@pytest.mark.slow
def test_a_batch_shows_one_bar(outputs: list[list[Any]]) -> None:
    """It is updated in place, and stands at its end afterwards."""
    (bar,) = [output for output in outputs[4] if output["output_type"] == "display_data"]
    assert bar["data"]["text/plain"] == "3 of 3 done"
    assert '<progress value="3" max="3"' in bar["data"]["text/html"]


@pytest.mark.slow
def test_the_kernel_tells_how_to_type_the_token(outputs: list[list[Any]]) -> None:
    """Without a token the error in the cell has the getpass line."""
    (error,) = [output for output in outputs[5] if output["output_type"] == "error"]
    assert error["ename"] == "MissingTokenError"
    assert LINE in error["evalue"]
