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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openai.types import ImagesResponse
from PIL import Image

from ionos_openai import (
    BatchResult,
    GeneratedImage,
    ImageDecodeError,
    ImageRequest,
    MissingTokenError,
    agenerate_images,
    create_async_client,
    create_client,
    decode_images,
    edit_images,
    generate_batch,
    generate_images,
    show,
)
from ionos_openai.images.display import ImageList
from tests import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

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
    assert (several[:1], several[1], repr(several)) == (pictures[:1], pictures[1], repr(pictures))
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


@pytest.mark.parametrize(
    "made",
    [
        lambda images: images[::2],
        lambda images: images[1:] + images[:1],
        lambda images: list(images) + images,
        lambda images: images + list(images),
        lambda images: show(image for image in images),
        lambda images: show({image.prompt: image for image in images}.values()),
        lambda images: show(sorted(images, key=repr)),
    ],
)
def test_what_is_made_of_the_list_is_one(made: Callable[[ImageList], object], tmp_path: Path) -> None:
    """A part, a sum, a choice: a notebook shows it as a grid, and it can be saved."""
    several = made(ImageList([image(), image("PNG", prompt="b"), image(prompt="c")]))
    assert type(several) is ImageList
    assert len(sources(several._repr_mimebundle_()["text/html"])) == len(several)
    assert [path.parent for path in several.save(tmp_path, name="x.png")] == [tmp_path] * len(several)


def test_show_takes_what_people_have(tmp_path: Path) -> None:
    """Paths as text and otherwise, results, responses, and all of them together."""
    client = create_client(sandbox=True)
    images = generate_images(client, "a fox", directory=tmp_path)
    (result,) = generate_batch(client, ["a hen"], tmp_path / "batch", model="flux.1").run()
    response = client.images.generate(prompt="a cow", model="flux.1")
    together = show([images, images[0].path, str(images[0].path), result, response, b"".join([images[0].data])])
    assert [one.prompt for one in together] == ["a fox", None, None, "a hen", "a cow", None]
    assert [one.path for one in together[:4]] == [images[0].path] * 3 + [result.paths[0]]
    assert show(BatchResult(request=ImageRequest(prompt="a"), error=ValueError())) == []
    with pytest.raises(ImageDecodeError, match=r"Cannot read the picture .*: No such file or directory\."):
        show(tmp_path / "nothing.jpg")


def turned(kind: str, orientation: int) -> bytes:
    """Return a picture, 20 px wide and 10 high, the left of which is white; its EXIF data turns it."""
    picture, exif = Image.new("RGB", (20, 10)), Image.Exif()
    picture.paste("white", (0, 0, 10, 10))
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "size"), [(3, (20, 10)), (6, (10, 20)), (8, (10, 20))])
def test_a_picture_is_shown_upright(kind: str, orientation: int, size: tuple[int, int]) -> None:
    """Alone, in a grid and as a preview, whatever the front end does about EXIF data; it is told the size in px."""
    one = replace(image(kind), data=turned(kind, orientation), width=20, height=10)
    ((media_type, facts),) = one._repr_mimebundle_()[1].items()
    large = replace(one, width=1000, height=500)
    grids = [ImageList(several)._repr_mimebundle_()["text/html"] for several in ([one], [one, one], [large, large])]
    for source in (one._repr_mimebundle_()[0][media_type], *(sources(grid)[0] for grid in grids)):
        seen = shown(source)
        assert (seen.size, seen.getexif().get(0x0112, 1)) == (size, 1)
        assert seen.convert("L").getpixel({3: (19, 5), 6: (5, 0), 8: (5, 19)}[orientation]) > 200  # type: ignore[operator]
    assert (facts["width"], facts["height"]) == size


def test_a_picture_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a notebook the system's viewer gets it, upright."""
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(Image.Image, "show", lambda self: seen.append(self.size))
    replace(image(), data=turned("JPEG", 6)).show()
    assert seen == [(10, 20)]


def test_a_response_shows_itself_as_its_pictures() -> None:
    """From our clients, of either kind; its `repr` and its items' are short, and in all else it is the SDK's."""
    client = create_client(sandbox=True)
    response = client.images.generate(prompt="a fox", model="flux.1")
    assert len(repr(response)) < 1000 > len(str(response))
    assert len(repr(response.data)) < 300
    assert isinstance(response, ImagesResponse)
    assert ImagesResponse.model_validate_json(response.model_dump_json()).data[0].b64_json == response.data[0].b64_json
    assert pickle.loads(pickle.dumps(response)) == response == response.model_copy(deep=True)
    assert list(response._repr_mimebundle_()[0]) == ["image/jpeg", "text/plain"]
    assert len(sources(client.images.generate(prompt="a", model="flux.1", n=2)._repr_mimebundle_()["text/html"])) == 2
    assert response.data[0]._repr_mimebundle_()[0]["image/jpeg"] == response.data[0].b64_json
    response.data = []
    assert response._repr_mimebundle_() == {"text/plain": repr(response)}


def test_a_placeholder_is_called_one() -> None:
    """The alternative text and the caption of the sandbox's pictures say what they are."""
    images = generate_images(create_client(sandbox=True), "a fox")
    assert images[0]._repr_mimebundle_()[1]["image/jpeg"]["alt"] == "Placeholder of the sandbox: a fox"
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
    "from ionos_openai import show\nshow([image for image in images * 3 if image.width][1:])",
    "client.images.generate(prompt='a crow', model='flux.1')",
    "client.images.generate(prompt='a cat', model='flux.1', n=2)",
    "for picture in images: picture.show()",
    "show(generate_batch(client, ['a', 'b', 'c'], 'again', size='64x64', model='klein').run())",
    "from ionos_openai.hub.models import select_image_models\n"
    "select_image_models([{'id': 'black-forest-labs/FLUX.1-schnell'}, {'id': 'some/qwen-image'}])",
    "generate_images(client, ['a fox', 'a hen'])",
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
    assert data["text/html"].count('alt="Placeholder of the sandbox: a fox in the snow"') == 2
    assert [line.partition("(")[0] for line in data["text/plain"].splitlines()] == ["GeneratedImage"] * 2
    assert len(json.dumps(outputs[0])) < 150_000


@pytest.mark.slow
def test_a_picture_at_a_cells_end_is_the_jpeg(outputs: list[list[Any]]) -> None:
    """Its base64 is in the notebook once, as image/jpeg, with an alternative text."""
    (result,) = outputs[1]
    data = result["data"]
    assert set(data) == {"image/jpeg", "text/plain"}
    assert shown(data["image/jpeg"]).size == (1024, 1024)
    assert result["metadata"]["image/jpeg"]["alt"] == "Placeholder of the sandbox: a hen"
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
def test_parts_of_lists_and_plain_responses_show_pictures(outputs: list[list[Any]]) -> None:
    """As grids of previews; a response of one as its JPEG, and nowhere stands base64 as text."""
    assert [len(sources(results(outputs[number])[0]["text/html"])) for number in (6, 8, 10)] == [2, 2, 3]
    assert set(results(outputs[7])[0]) == {"image/jpeg", "text/plain"}
    assert max(len(results(outputs[number])[0]["text/plain"]) for number in (6, 7, 8, 10)) < 1000
    assert [set(output["data"]) for output in outputs[9]] == [{"image/jpeg", "text/plain"}]


@pytest.mark.slow
def test_models_are_a_table(outputs: list[list[Any]]) -> None:
    """With a line for each, and short lines elsewhere."""
    (data,) = results(outputs[11])
    assert data["text/html"].count("<tr>") == 3
    assert "<td>black-forest-labs/FLUX.1-schnell</td>" in data["text/html"]
    assert len(data["text/plain"]) < 300


@pytest.mark.slow
def test_our_own_errors_are_their_message(outputs: list[list[Any]]) -> None:
    """None of the frames that led to them is shown."""
    for cell, name in ((5, "MissingTokenError"), (12, "InvalidRequestError")):
        (error,) = [output for output in outputs[cell] if output["output_type"] == "error"]
        assert len(error["traceback"]) == 1
        assert error["traceback"][0].startswith(f"ionos_openai.errors.{name}: {error['evalue']}")


@pytest.mark.slow
def test_the_kernel_tells_how_to_type_the_token(outputs: list[list[Any]]) -> None:
    """Without a token the error in the cell has the getpass line."""
    (error,) = [output for output in outputs[5] if output["output_type"] == "error"]
    assert error["ename"] == "MissingTokenError"
    assert error["evalue"].startswith(f"No IONOS token.{LINE}")
