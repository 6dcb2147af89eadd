"""`ionos-openai gallery`: a directory of pictures as a page, and what could not be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai.batch.bucket import mirror
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import headed, open_in_browser
from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.words import plural
from ionos_openai.files.buckets import is_url
from ionos_openai.gallery import make_gallery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from ionos_openai.cli.terminal.output import Terminal
    from ionos_openai.gallery import Gallery

_MOST_TOLD = 20  # lines about files on standard error; --json has them all


def run(
    directory: str, terminal: Terminal, *, opens: bool, recursive: bool, caption: str | None, output: str | None
) -> int:
    """Write the page, say where it is, and open it if that is wanted; files that cannot be shown are no failure."""
    if is_url(directory) != (output is not None):
        raise InvalidRequestError("A page of a bucket's pictures goes into a directory: name it with -o DIR.")
    read = [(0, 0)]
    tell = lambda done, of: read.append((done, of))  # noqa: E731
    with terminal.progress(lambda: (*read[-1], "pictures looked at")):
        place = directory if output is None else mirror(directory, output)
        gallery = make_gallery(place, recursive=recursive, caption=caption, on_progress=tell)
    terminal.result(_document(gallery), [[str(gallery.path)]], lambda: _shown(gallery))
    _tell_problems(gallery, terminal)
    if gallery.left_out:
        terminal.on_stderr(
            f"{plural(gallery.left_out, 'sub-folder')} with pictures left out: --recursive shows them too."
        )
    if opens and not open_in_browser(gallery.path.resolve().as_uri()):
        terminal.warn(f"No browser was found: open {gallery.path} yourself.")
    return MADE


def _shown(gallery: Gallery) -> Iterator[Text]:
    failed = [f"{gallery.failed} failed"] * bool(gallery.failed)
    made = [f"{plural(gallery.thumbnails, 'thumbnail')} made"] * bool(gallery.thumbnails)
    return headed(str(gallery.path), [", ".join([plural(gallery.pictures, "picture"), *failed, *made])])


def _tell_problems(gallery: Gallery, terminal: Terminal) -> None:
    for problem in gallery.problems[:_MOST_TOLD]:
        terminal.warn(f"{problem.name}: {problem.message}.")
    left = len(gallery.problems) - _MOST_TOLD
    if left > 0:
        terminal.warn(f"{plural(left, 'further file')} could not be shown; --json lists them all.")


def _document(gallery: Gallery) -> dict[str, object]:
    return {
        "gallery": str(gallery.path),
        "pictures": gallery.pictures,
        "failed": gallery.failed,
        "thumbnails_made": gallery.thumbnails,
        "problems": [{"file": problem.name, "message": problem.message} for problem in gallery.problems],
    }
