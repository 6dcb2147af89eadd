"""`ionos-openai generate` and `edit`: prompts in, pictures on disk or in a pipe, a line for each."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import signal
import sys
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

from openai import OpenAIError

from ionos_openai.cli.terminal.exits import ENDS_THE_RUN, MADE, Outcome, message
from ionos_openai.cli.terminal.options import Connection, PictureOptions
from ionos_openai.cli.terminal.output import PLACEHOLDER, Terminal, headed
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
from ionos_openai.hub.compat import MOST_PICTURES, choose_size
from ionos_openai.hub.models import check_size, find_model, model_to_send
from ionos_openai.hub.prices import Money, parse_prices, price_of
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

    `piped` is the format and the size in bytes of the picture that standard output took.
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

    def plan(self) -> str:
        """Return how many pictures are asked for, and what they will cost."""
        cost = self._cost(self.asked)
        known = "no cost, placeholders of the sandbox" if self.sandbox else str(cost or "cost not known")
        return f"{plural(self.asked, 'picture')}, {known}"

    def show_plan(self) -> int:
        if self.terminal.json:
            cost = self._cost(self.asked)
            facts = {"prompts": len(self.prompts), "images": self.asked, "cost": cost and cost.facts()}
            self.terminal.document({"sandbox": self.sandbox, "dry_run": True, **facts})
        else:
            self.terminal.row([f"Would make {self.plan()}. Nothing was sent."])
        return MADE

    def confirm_words(self) -> None:
        """Ask whether several words are as many prompts: the quotes of one prompt may have been forgotten."""
        prompts = self.prompts
        are_words = len(prompts) > 1 and all(len(prompt.split()) == 1 for prompt in prompts)
        if self.options.yes or not are_words or max(map(len, prompts)) == 1:  # of letters no sentence is made
            return
        meant = f'"{" ".join(prompts)}"'
        self.terminal.confirm(
            f"These are {len(prompts)} prompts, {self.plan()}. Did you mean one, in quotes: {meant}?",
            otherwise="Not confirmed, so nothing was sent. For one prompt put it in quotes: ionos-openai generate "
            + meant,
        )

    def carry_out(self) -> int:
        """Send the prompts, show what comes in their order, and report in the end."""
        several = len(self.prompts) > 1
        with self.terminal.progress(self._progress) if several else contextlib.nullcontext():
            for prompt, (images, error) in self._answers():
                self.answered += 1
                for image in self._secure(images, error):
                    self._show(image)
                if error is not None:
                    self._fail(error, prompt)
        left = len(self.prompts) - self.answered
        if left:
            self.terminal.error(f"{plural(left, 'further prompt')} {'were' if left > 1 else 'was'} not sent.")
        cost = self._cost(len(self.made))
        if self.made:
            self.terminal.on_terminal(self._describe_cost(cost))
        addresses = [path if isinstance(path, str) else path.resolve().as_uri() for path in self.saved]
        opened = [webbrowser.open(address) for address in addresses if self.options.opens]
        if not all(opened):
            self.terminal.warn("No program was found that opens pictures.")
        seen = self._price_date()
        facts = cost and {**cost.facts(), "seen": seen and seen.isoformat()}
        return self.end({"sandbox": self.sandbox, "images": self.made, "cost": facts})

    def _progress(self) -> tuple[int, int, str]:
        cost = self._cost(len(self.made))
        failed = f"{len(self.codes)} failed" if self.codes else ""
        return self.answered, len(self.prompts), ", ".join(filter(None, (failed, str(cost or ""))))

    def _answers(self) -> Iterator[tuple[str, tuple[list[GeneratedImage], BaseException | None]]]:
        """Send the prompts, as many at once as is wished; yield what came of each, in order, to what ends the run."""
        if self.options.concurrency == 1:
            for prompt in self.prompts:
                yield prompt, self._make(prompt)
                if self.code in ENDS_THE_RUN:
                    return
            return
        pool = ThreadPoolExecutor(self.options.concurrency)
        asked = [(prompt, pool.submit(self._make, prompt)) for prompt in self.prompts]
        with pool, self._telling_of_interruption():
            for prompt, answer in asked:
                try:
                    if not answer.cancelled():
                        yield prompt, answer.result()
                except KeyboardInterrupt as interrupted:
                    pool.shutdown(wait=False, cancel_futures=True)
                    yield prompt, ([], interrupted)
                    if not answer.cancelled():
                        self.answered -= 1
                        yield prompt, answer.result()
                if self.code in ENDS_THE_RUN:
                    pool.shutdown(wait=False, cancel_futures=True)

    def _make(self, prompt: str) -> tuple[list[GeneratedImage], BaseException | None]:
        """Send one prompt; return the pictures that came, and what went wrong."""
        further: dict[str, Any] = {}
        if self.target.directory is not None:
            further = {
                "directory": self.target.directory,
                "name": self.target.name,
                "format": self.options.format,
                "overwrite": self._overwrite(prompt),
                **self.marking,
            }
        try:
            with contextlib.ExitStack() as shown:
                shown.enter_context(self._telling_of_interruption())
                if len(self.prompts) == 1:
                    shown.enter_context(self.terminal.waiting(f"Waiting for the picture: {prompt}"))
                return self.make(prompt, **further), None
        except (OpenAIError, KeyboardInterrupt) as error:
            return partial_images(error), error

    def _telling_of_interruption(self) -> contextlib.AbstractContextManager[None]:
        """Say at Ctrl-C why it takes a while: of several pictures, those on their way are paid for and still saved."""
        told: list[int] = []

        def tell(number: int, frame: Any) -> None:
            if not told:
                self.terminal.warn("The pictures that are on their way are still saved; Ctrl-C again gives them up.")
            told.append(number)
            signal.default_int_handler(number, frame)

        return taking(tell, *["SIGINT"] * (self.options.n * self.options.concurrency > 1))

    def _overwrite(self, prompt: str) -> bool:
        if not self.options.overwrite or self.target.name is not None:
            return self.options.overwrite and not self.saved
        return may_overwrite(prompt_name(prompt, self.saving.file_names), self.saved, self.options.n)

    def _secure(self, images: list[GeneratedImage], error: BaseException | None) -> list[GeneratedImage]:
        """See to it that each picture is on disk or in the pipe, whatever went wrong before."""
        if self.target.directory is None:
            return [self._pipe(image) for image in images]
        if isinstance(error, ImageSaveError):
            written = [replace(image, path=path) for image, path in zip(images, error.paths, strict=False)]
            images = written + images[len(written) :]
        return [image if image.path is not None else self.rescue(image, **asdict(self.saving)) for image in images]

    def _pipe(self, image: GeneratedImage) -> GeneratedImage:
        try:
            data = image.to_bytes(format=self.options.format, **self.marking)
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except OSError as error:  # an ImageSaveError is one too
            rescued = self.rescue(image, **asdict(self.saving))
            if isinstance(error, BrokenPipeError):
                raise
            problem = f"Cannot write the picture to standard output: {error.strerror or type(error).__name__}."
            self._fail(error if isinstance(error, ImageSaveError) else ImageSaveError(problem), image.prompt or "")
            return rescued
        kind = image.format if self.options.format is None else parse_format(self.options.format)
        self.piped = (kind, len(data))
        return image

    def _fail(self, error: BaseException, prompt: str) -> None:
        text, where = message(error), ""
        if isinstance(error, KeyboardInterrupt):
            saved = ", ".join(map(str, self.saved))
            text = f"{text} {f'Saved: {saved}.' if saved else 'Nothing was saved.'}"
        elif len(self.prompts) > 1:
            where = f'"{shorten(prompt, _SHORT)}"'
        self.fail(error, text, where=where, prompt=prompt)

    def _show(self, image: GeneratedImage) -> None:
        """Report one picture, at once."""
        facts = _facts(image, self.piped)
        self.made.append(facts)
        if image.path is not None:
            self.saved.append(image.path)
        path, size = str(image.path or _STANDARD), f"{image.width}x{image.height}"
        about = [str(image.model), size, str(facts["format"])]
        rows = [[path, *about, "placeholder" if image.sandbox else "-"]]
        if self.terminal.quiet:
            rows = [[path]] if image.path is not None else []
        self.terminal.part(rows, lambda: headed(path, [", ".join(about), *[(PLACEHOLDER, "yellow")] * image.sandbox]))

    def _cost(self, images: int) -> Money | None:
        """Return what so many pictures cost; None for placeholders, which cost nothing, and where it is not known."""
        price = None if self.sandbox else price_of(self.model, self.prices)
        return None if price is None else price.times(images)

    def _price_date(self) -> date | None:
        """Return when the catalogue's price was seen; None where the contract's own counts."""
        known = find_model(self.model)
        if self.model in self.prices or known is None or known.price is None:
            return None
        return known.price.source.seen

    def _describe_cost(self, cost: Money | None) -> str:
        if self.sandbox:
            return "No cost: placeholders of the sandbox."
        name = self.model.rpartition("/")[2]
        if cost is None:
            return f"Cost: not known, there is no published price of {name}."
        source = self._price_date() or "IONOS_PRICES"
        return f"Cost: {cost} for {plural(len(self.made), 'picture')}, by the price of {source}."


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
    make = lambda client, prompt, **further: edit_images(client, expand(images), prompt, **further)  # noqa: E731
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
    session.confirm_words()
    with connection.connect(settings) as client:
        session.make = functools.partial(session.make, client)
        if options.dry_run:
            return session.show_plan()
        if target.directory is not None:  # last of all, so that what cannot work leaves no empty directory behind
            check_place(target.directory)
        terminal.on_terminal(f"{session.plan()}.")
        return session.carry_out()


def choose_target(options: PictureOptions, *, prompts: int, stdout_is_terminal: bool) -> Target:
    """Decide where the pictures of so many prompts go; what cannot work is an error, such as two into one pipe."""
    output = options.output
    if output is None:
        return Target(directory=Path(), name=options.name)
    if output == _STANDARD:
        if options.name is not None or options.overwrite:
            raise InvalidRequestError("-o - writes no file: leave --name and --overwrite out.")
        if prompts * options.n > 1:
            raise InvalidRequestError("-o - takes one picture: give one prompt and -n 1, or name a directory with -o.")
        if stdout_is_terminal:
            raise InvalidRequestError(
                "-o - would write the picture's bytes to the terminal: pipe them, or name a file."
            )
        return Target(directory=None, name=None)
    if not output.strip():
        raise InvalidRequestError("-o is empty: name a file or a directory, or leave it out for the current folder.")
    path, folder = Path(output), output.rpartition("/")[0]
    is_folder = output.endswith(tuple(filter(None, (os.sep, os.altsep)))) or path.name in ("", "..")
    if is_folder or is_directory(path) or (is_url(output) and (folder.endswith("/") or not path.suffix)):
        return Target(directory=open_place(output), name=options.name)
    if options.name is not None:
        raise InvalidRequestError(f"-o {output} names a file already: leave --name out, or end -o in {os.sep}.")
    return Target(directory=open_place(folder) if is_url(output) else path.parent, name=path.name)


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
