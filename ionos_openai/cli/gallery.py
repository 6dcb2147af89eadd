"""`ionos-openai gallery`: a directory of pictures as a page, and what could not be shown."""

from __future__ import annotations

import webbrowser

from ionos_openai import errors
from ionos_openai.cli.terminal.exits import MADE
from ionos_openai.cli.terminal.output import Terminal, headed
from ionos_openai.errors.words import plural
from ionos_openai.files.buckets import is_url
from ionos_openai.gallery import make_gallery

_MOST_TOLD = 20  # lines about files on standard error; --json has them all


def run(
    directory: str, terminal: Terminal, *, opens: bool, recursive: bool, caption: str | None, output: str | None
) -> int:
    """Write the page, say where it is, and open it if that is wanted; files that cannot be shown are no failure."""
    if is_url(directory) != (output is not None):
        raise errors.InvalidRequestError("A page of a bucket's pictures goes into a directory: name it with -o DIR.")
    read = [(0, 0)]
    tell = lambda done, of: read.append((done, of))  # noqa: E731
    with terminal.progress(lambda: (*read[-1], "pictures looked at")):
        if output is not None:
            from ionos_openai.batch.bucket import mirror  # which loads the SDK

            directory = str(mirror(directory, output))
        gallery = make_gallery(directory, recursive=recursive, caption=caption, on_progress=tell)
    failed = [f"{gallery.failed} failed"] * bool(gallery.failed)
    made = [f"{plural(gallery.thumbnails, 'thumbnail')} made"] * bool(gallery.thumbnails)
    about = ", ".join([plural(gallery.pictures, "picture"), *failed, *made])
    document = {
        "gallery": str(gallery.path),
        "pictures": gallery.pictures,
        "failed": gallery.failed,
        "thumbnails_made": gallery.thumbnails,
        "problems": [{"file": problem.name, "message": problem.message} for problem in gallery.problems],
    }
    terminal.result(document, [[str(gallery.path)]], lambda: headed(str(gallery.path), [about]))
    for problem in gallery.problems[:_MOST_TOLD]:
        terminal.warn(f"{problem.name}: {problem.message}.")
    if (left := len(gallery.problems) - _MOST_TOLD) > 0:
        terminal.warn(f"{plural(left, 'further file')} could not be shown; --json lists them all.")
    if folders := gallery.left_out:
        terminal.on_stderr(f"{plural(folders, 'sub-folder')} with pictures left out: --recursive shows them too.")
    if opens and not webbrowser.open(gallery.path.resolve().as_uri()):
        terminal.warn(f"No browser was found: open {gallery.path} yourself.")
    return MADE
