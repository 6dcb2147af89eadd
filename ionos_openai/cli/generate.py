"""`ionos-openai generate` and `edit`: prompts in, pictures on disk or in a pipe, a line for each."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

from openai import OpenAI, OpenAIError

from ionos_openai.cli.terminal.exits import ENDS_THE_RUN, MADE, Outcome, message
from ionos_openai.cli.terminal.options import Connection, PictureOptions
from ionos_openai.cli.terminal.output import PLACEHOLDER, Terminal, headed, open_in_browser
from ionos_openai.cli.terminal.prompts import expand, read_prompts
from ionos_openai.cli.terminal.signals import taking
from ionos_openai.client.settings import IonosSettings, load_signer, open_place
from ionos_openai.errors import ImageSaveError, InvalidRequestError
from ionos_openai.errors.numbers import check_whole_number
from ionos_openai.errors.words import plural, shorten
from ionos_openai.files.buckets import Place, check_place, is_url
from ionos_openai.files.names import SavingSettings, choose_format, choose_saving, clean_name, parse_format, prompt_name
from ionos_openai.files.writing import is_directory
from ionos_openai.hub.catalogue import DEFAULT_SIZE
from ionos_openai.hub.compat import MOST_PICTURES
from ionos_openai.hub.models import check_size, find_model, model_to_send
from ionos_openai.hub.prices import Money, parse_prices, price_of
from ionos_openai.hub.ratios import choose_size
from ionos_openai.images.generate import edit_images, generate_images
from ionos_openai.images.image import GeneratedImage, partial_images

_STANDARD = "-"  # standard output
_SHORT = 40  # characters of a prompt that a message is about
_LONGEST_SLUG_WHOLE = 190  # bytes; a longer name is cut when it is written


class Target(NamedTuple):
    """Where pictures go: into a directory, under a name if there is one; without a directory, to standard output."""

    directory: Place | None
    name: str | None


@dataclass(slots=True, kw_only=True)
class _Session(Outcome):
    """Everything that a command needs, checked, and what it has come to so far.

    `make` sends one prompt with the given further arguments; `saving` is what `save_images` is told. `piped` is the
    format and the size in bytes of the picture that standard output took, `answered` how many prompts are through.
    """

    prompts: Sequence[str]
    target: Target
    options: PictureOptions
    saving: SavingSettings
    make: Callable[..., list[GeneratedImage]]
    sandbox: bool
    model: str
    prices: Mapping[str, Money]
    saved: list[Path | str] = field(default_factory=list)
    piped: tuple[str, int] | None = None
    answered: int = 0

    @property
    def asked(self) -> int:
        """How many pictures are asked for."""
        return len(self.prompts) * self.options.n

    @property
    def marking(self) -> dict[str, Any]:
        """What the metadata is to say, and whether it is signed."""
        return {name: value for name, value in asdict(self.saving).items() if name != "file_names"}


def generate(prompts: Sequence[str], options: PictureOptions, connection: Connection, terminal: Terminal) -> int:
    """Make pictures from prompts, and return the worst exit code of all."""
    options = replace(options, size=options.size or DEFAULT_SIZE)
    return _prepare(prompts, options, connection, terminal, generate_images, "image_model")


def edit(
    images: Sequence[str], prompt: str, options: PictureOptions, connection: Connection, terminal: Terminal
) -> int:
    """Make pictures from a prompt and pictures, and return the exit code."""
    missing = [name for name in images if not Path(name).exists() and not Path(name).suffix]
    if missing and [*images[-len(missing) :]] == missing:
        meant = shlex.join([*images[: -len(missing)], " ".join([*missing, prompt])])
        raise InvalidRequestError(f"There is no picture {missing[0]!r}. Did you mean: ionos-openai edit {meant}")

    def make(client: OpenAI, prompt: str, **further: Any) -> list[GeneratedImage]:
        return edit_images(client, expand(images), prompt, **further)

    return _prepare([prompt], options, connection, terminal, make, "image_edit_model")


def _prepare(
    prompts: Sequence[str],
    options: PictureOptions,
    connection: Connection,
    terminal: Terminal,
    make: Callable[..., list[GeneratedImage]],
    default_model: Literal["image_model", "image_edit_model"],
) -> int:
    """Check everything, then send the prompts."""
    texts, target = _check(prompts, options)
    settings = IonosSettings()
    url = connection.base_url or settings.base_url
    model = model_to_send(options.model or getattr(settings, default_model), url)
    if (size := choose_size(options.size, options.aspect_ratio, model)) is not None:
        check_size(size, model)
    sign = settings.sign or options.sign  # not less than the settings ask for
    signer = load_signer(sign, settings) if sign else False
    given = {"provenance": options.provenance, "prompt_in_metadata": options.prompt_in_metadata}
    more: dict[str, Any] = {"seed": options.seed} | ({} if options.timeout is None else {"timeout": options.timeout})
    session = _Session(
        prompts=texts,
        target=target,
        options=options,
        terminal=terminal,
        saving=choose_saving(settings, file_names=None, sign=signer, **given),
        make=functools.partial(make, model=model, size=size, n=options.n, **more),
        sandbox=connection.uses_sandbox(settings),
        model=model,
        prices=parse_prices(settings.prices, url),
    )
    _confirm_words(session)
    with connection.connect(settings) as client:
        session.make = functools.partial(session.make, client)
        if options.dry_run:
            return _show_plan(session)
        if target.directory is not None:  # last of all, so that what cannot work leaves no empty directory behind
            check_place(target.directory)
        terminal.on_terminal(f"{_plan(session)}.")
        return _carry_out(session)


def _plan(session: _Session) -> str:
    """Return how many pictures are asked for, and what they will cost."""
    cost = _cost(session, session.asked)
    known = "no cost, placeholders of the sandbox" if session.sandbox else str(cost or "cost not known")
    return f"{plural(session.asked, 'picture')}, {known}"


def _show_plan(session: _Session) -> int:
    if session.terminal.json:
        cost = _cost(session, session.asked)
        facts = {"prompts": len(session.prompts), "images": session.asked, "cost": cost and cost.facts()}
        session.terminal.document({"sandbox": session.sandbox, "dry_run": True, **facts})
    else:
        session.terminal.row([f"Would make {_plan(session)}. Nothing was sent."])
    return MADE


def _confirm_words(session: _Session) -> None:
    """Ask whether several words are as many prompts: the quotes of one prompt may have been forgotten."""
    prompts = session.prompts
    are_words = len(prompts) > 1 and all(len(prompt.split()) == 1 for prompt in prompts)
    if session.options.yes or not are_words or max(map(len, prompts)) == 1:  # of letters no sentence is made
        return
    meant = f'"{" ".join(prompts)}"'
    session.terminal.confirm(
        f"These are {len(prompts)} prompts, {_plan(session)}. Did you mean one, in quotes: {meant}?",
        otherwise=f"Not confirmed, so nothing was sent. For one prompt put it in quotes: ionos-openai generate {meant}",
    )


def choose_target(options: PictureOptions, *, prompts: int, stdout_is_terminal: bool) -> Target:
    """Decide where the pictures of so many prompts go; what cannot work is an error, such as two into one pipe."""
    output = options.output
    if output is None:
        return Target(directory=Path(), name=options.name)
    if output == _STANDARD:
        return _standard_output(options, prompts=prompts, stdout_is_terminal=stdout_is_terminal)
    if not output.strip():
        raise InvalidRequestError("-o is empty: name a file or a directory, or leave it out for the current folder.")
    path, folder = Path(output), output.rpartition("/")[0]
    is_folder = output.endswith(tuple(filter(None, (os.sep, os.altsep)))) or path.name in ("", "..")
    if is_folder or is_directory(path) or (is_url(output) and (folder.endswith("/") or not path.suffix)):
        return Target(directory=open_place(output), name=options.name)
    if options.name is not None:
        raise InvalidRequestError(f"-o {output} names a file already: leave --name out, or end -o in {os.sep}.")
    return Target(directory=open_place(folder) if is_url(output) else path.parent, name=path.name)


def _standard_output(options: PictureOptions, *, prompts: int, stdout_is_terminal: bool) -> Target:
    if options.name is not None or options.overwrite:
        raise InvalidRequestError("-o - writes no file: leave --name and --overwrite out.")
    if prompts * options.n > 1:
        raise InvalidRequestError("-o - takes one picture: give one prompt and -n 1, or name a directory with -o.")
    if stdout_is_terminal:
        raise InvalidRequestError("-o - would write the picture's bytes to the terminal: pipe them, or name a file.")
    return Target(directory=None, name=None)


def may_overwrite(wanted: str, saved: Sequence[Path | str], n: int) -> bool:
    """Tell whether `n` pictures named `wanted`, fox, fox-2, ..., replace none that this very run has `saved`."""
    if saved and len(wanted.encode("utf-8", "surrogatepass")) > _LONGEST_SLUG_WHOLE:
        return False
    names = {wanted.casefold(), *(f"{wanted}-{number}".casefold() for number in range(2, n + 1))}
    return names.isdisjoint(Path(path).stem.casefold() for path in saved)


def _check(prompts: Sequence[str], options: PictureOptions) -> tuple[list[str], Target]:
    """Check what needs no settings; nothing is made, read or sent for a command line that cannot work."""
    if not 1 <= options.n <= MOST_PICTURES:
        raise InvalidRequestError(f"-n is {options.n}: it must be a whole number from 1 to {MOST_PICTURES}.")
    check_whole_number("concurrency", options.concurrency, least=1, most=MOST_PICTURES)
    if options.concurrency > 1 and options.overwrite:
        raise InvalidRequestError("--overwrite and --concurrency exclude each other: prompts may have the same name.")
    options.check_timeout()
    target = choose_target(options, prompts=len(prompts), stdout_is_terminal=sys.stdout.isatty())
    if target.directory is None and getattr(sys.stdout, "name", None) == os.devnull:
        raise InvalidRequestError("-o - would lose the picture: standard output is closed. Name a file.")
    wanted = None if options.format is None else parse_format(options.format)
    if target.name is not None:
        choose_format(clean_name(target.name), "JPEG", wanted)
    return read_prompts(prompts), target


def _carry_out(session: _Session) -> int:
    """Send the prompts, show what comes in their order, and report in the end."""
    several = len(session.prompts) > 1
    with session.terminal.progress(lambda: _progress(session)) if several else contextlib.nullcontext():
        for prompt, (images, error) in _answers(session):
            session.answered += 1
            for image in _secure(session, images, error):
                _show(session, image)
            if error is not None:
                _fail(session, error, prompt)
    left = len(session.prompts) - session.answered
    if left:
        session.terminal.error(f"{plural(left, 'further prompt')} {'were' if left > 1 else 'was'} not sent.")
    cost = _cost(session, len(session.made))
    if session.made:
        session.terminal.on_terminal(_describe_cost(session, cost))
    addresses = [path if isinstance(path, str) else path.resolve().as_uri() for path in session.saved]
    opened = [open_in_browser(address) for address in addresses if session.options.opens]
    if not all(opened):
        session.terminal.warn("No program was found that opens pictures.")
    seen = _price_date(session)
    facts = cost and {**cost.facts(), "seen": seen and seen.isoformat()}
    return session.end({"sandbox": session.sandbox, "images": session.made, "cost": facts})


def _progress(session: _Session) -> tuple[int, int, str]:
    cost = _cost(session, len(session.made))
    failed = f"{len(session.codes)} failed" if session.codes else ""
    return session.answered, len(session.prompts), ", ".join(filter(None, (failed, str(cost or ""))))


def _answers(session: _Session) -> Iterator[tuple[str, tuple[list[GeneratedImage], BaseException | None]]]:
    """Send the prompts, as many at once as is wished, and yield what came of each, in their order.

    After what ends the run none is sent any more; what was sent is waited for.
    """
    if session.options.concurrency == 1:
        for prompt in session.prompts:
            yield prompt, _make(session, prompt)
            if session.code in ENDS_THE_RUN:
                return
        return
    pool = ThreadPoolExecutor(session.options.concurrency)
    asked = [(prompt, pool.submit(_make, session, prompt)) for prompt in session.prompts]
    with pool, _telling_of_interruption(session):
        for prompt, answer in asked:
            try:
                if not answer.cancelled():
                    yield prompt, answer.result()
            except KeyboardInterrupt as interrupted:
                pool.shutdown(wait=False, cancel_futures=True)
                yield prompt, ([], interrupted)
                if not answer.cancelled():
                    session.answered -= 1
                    yield prompt, answer.result()
            if session.code in ENDS_THE_RUN:
                pool.shutdown(wait=False, cancel_futures=True)


def _make(session: _Session, prompt: str) -> tuple[list[GeneratedImage], BaseException | None]:
    """Send one prompt; return the pictures that came, and what went wrong."""
    further: dict[str, Any] = {}
    if session.target.directory is not None:
        further = {
            "directory": session.target.directory,
            "name": session.target.name,
            "format": session.options.format,
            "overwrite": _overwrite(session, prompt),
            **session.marking,
        }
    try:
        with contextlib.ExitStack() as shown:
            shown.enter_context(_telling_of_interruption(session))
            if len(session.prompts) == 1:
                shown.enter_context(session.terminal.waiting(f"Waiting for the picture: {prompt}"))
            return session.make(prompt, **further), None
    except (OpenAIError, KeyboardInterrupt) as error:
        return partial_images(error), error


def _telling_of_interruption(session: _Session) -> contextlib.AbstractContextManager[None]:
    """Say at Ctrl-C why it takes a while: of several pictures, those on their way are paid for and still saved."""
    told: list[int] = []

    def tell(number: int, frame: Any) -> None:
        if not told:
            session.terminal.warn("The pictures that are on their way are still saved; Ctrl-C again gives them up.")
        told.append(number)
        signal.default_int_handler(number, frame)

    return taking(tell, *["SIGINT"] * (session.options.n * session.options.concurrency > 1))


def _overwrite(session: _Session, prompt: str) -> bool:
    if not session.options.overwrite or session.target.name is not None:
        return session.options.overwrite and not session.saved
    return may_overwrite(prompt_name(prompt, session.saving.file_names), session.saved, session.options.n)


def _secure(session: _Session, images: list[GeneratedImage], error: BaseException | None) -> list[GeneratedImage]:
    """See to it that each picture is on disk or in the pipe, whatever went wrong before."""
    if session.target.directory is None:
        return [_pipe(session, image) for image in images]
    if isinstance(error, ImageSaveError):
        written = [replace(image, path=path) for image, path in zip(images, error.paths, strict=False)]
        images = written + images[len(written) :]
    return [image if image.path is not None else session.rescue(image, **asdict(session.saving)) for image in images]


def _pipe(session: _Session, image: GeneratedImage) -> GeneratedImage:
    try:
        data = image.to_bytes(format=session.options.format, **session.marking)
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:  # an ImageSaveError is one too
        rescued = session.rescue(image, **asdict(session.saving))
        if isinstance(error, BrokenPipeError):
            raise
        problem = f"Cannot write the picture to standard output: {error.strerror or type(error).__name__}."
        _fail(session, error if isinstance(error, ImageSaveError) else ImageSaveError(problem), image.prompt or "")
        return rescued
    kind = image.format if session.options.format is None else parse_format(session.options.format)
    session.piped = (kind, len(data))
    return image


def _fail(session: _Session, error: BaseException, prompt: str) -> None:
    text, where = message(error), ""
    if isinstance(error, KeyboardInterrupt):
        saved = ", ".join(map(str, session.saved))
        text = f"{text} {f'Saved: {saved}.' if saved else 'Nothing was saved.'}"
    elif len(session.prompts) > 1:
        where = f'"{shorten(prompt, _SHORT)}"'
    session.fail(error, text, where=where, prompt=prompt)


def _show(session: _Session, image: GeneratedImage) -> None:
    """Report one picture, at once."""
    facts = _facts(image, session.piped)
    session.made.append(facts)
    if image.path is not None:
        session.saved.append(image.path)
    path, size = str(image.path or _STANDARD), f"{image.width}x{image.height}"
    about = [str(image.model), size, str(facts["format"])]
    rows = [[path, *about, "placeholder" if image.sandbox else "-"]]
    if session.terminal.quiet:
        rows = [[path]] if image.path is not None else []
    session.terminal.part(rows, lambda: headed(path, [", ".join(about), *[(PLACEHOLDER, "yellow")] * image.sandbox]))


def _facts(image: GeneratedImage, piped: tuple[str, int] | None) -> dict[str, object]:
    """Return what `--json` says of a picture, as it was written."""
    kind, size = piped or (str(image.format), len(image.data))
    if image.path is not None:
        path = Path(image.path)
        with contextlib.suppress(OSError):  # it is in a bucket, or somebody has moved it on already
            size = path.stat().st_size
        if path.suffix.lower() != image.extension:
            kind = str(parse_format(path.suffix))
    return {
        "path": None if image.path is None else str(image.path),
        **{name: getattr(image, name) for name in ("model", "prompt", "size", "width", "height")},
        "format": kind,
        "bytes": size,
        "sandbox": image.sandbox,
    }


def _cost(session: _Session, images: int) -> Money | None:
    """Return what so many pictures cost; None for placeholders, which cost nothing, and where it is not known."""
    price = None if session.sandbox else price_of(session.model, session.prices)
    return None if price is None else price.times(images)


def _price_date(session: _Session) -> date | None:
    """Return when the catalogue's price was seen; None where the contract's own counts."""
    known = find_model(session.model)
    if session.model in session.prices or known is None or known.price is None:
        return None
    return known.price.source.seen


def _describe_cost(session: _Session, cost: Money | None) -> str:
    if session.sandbox:
        return "No cost: placeholders of the sandbox."
    name = session.model.rpartition("/")[2]
    if cost is None:
        return f"Cost: not known, there is no published price of {name}."
    source = _price_date(session) or "IONOS_PRICES"
    return f"Cost: {cost} for {plural(len(session.made), 'picture')}, by the price of {source}."
