"""`ionos-openai batch`: a file of prompts into a directory, with a display of how far it is."""

from __future__ import annotations

import contextlib
import functools
import shlex
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from openai import OpenAI, OpenAIError

from ionos_openai.batch import Batch, BatchEvent, BatchResult, ImageRequest, Progress, generate_batch
from ionos_openai.batch.earlier import supersede
from ionos_openai.batch.records import MANIFEST
from ionos_openai.batch.request import complete, digest, identify
from ionos_openai.batch.results import clock_time
from ionos_openai.cli.batch_files import KNOWN_COLUMNS, Table, Templates, parse_labels, read_table
from ionos_openai.cli.terminal.exits import INTERRUPTED, MADE, REFUSED, Outcome
from ionos_openai.cli.terminal.options import BatchOptions, Connection
from ionos_openai.cli.terminal.output import Terminal, visible
from ionos_openai.cli.terminal.signals import taking
from ionos_openai.client.pacing.rates import ContractLimits, estimate_seconds
from ionos_openai.client.settings import IonosSettings
from ionos_openai.errors import InvalidRequestError
from ionos_openai.errors.words import plural
from ionos_openai.files.buckets import is_url
from ionos_openai.files.writing import is_directory
from ionos_openai.hub.catalogue import DEFAULT_SIZE
from ionos_openai.hub.compat import choose_size
from ionos_openai.hub.models import model_to_send
from ionos_openai.images.image import partial_images

_LINE_EVERY = 10.0  # seconds, where nobody watches
_SHOWN_PROMPTS, _SHOWN_NAMES = 3, 10
# All other options are arguments of the library's.
_NOT_THE_LIBRARYS = frozenset(
    {"output", "n", "labels", "retry_failed", "dry_run", "prompt", "name", "prompt_column", "verbose"}
)


def run(source: str, options: BatchOptions, connection: Connection, terminal: Terminal) -> int:
    """Carry out the batch in a file, and return the worst exit code of all its prompts."""
    if not options.output.strip() or options.output == "-":
        raise InvalidRequestError("A batch needs a directory for its pictures and its record: name it with -o DIR.")
    options.check_timeout()
    labels = parse_labels(options.labels)
    settings = IonosSettings()
    sign: Any = settings.sign or options.sign  # not less than the settings ask for
    name_model = functools.partial(model_to_send, url=connection.base_url or settings.base_url)
    model = name_model(options.model or settings.image_model)
    options = replace(options, model=model, size=options.size or DEFAULT_SIZE, sign=sign)
    size = choose_size(options.size, options.aspect_ratio, model)
    asked = {"model": model, "size": size, "aspect_ratio": options.aspect_ratio, "name_model": name_model}
    templates = Templates(prompt=options.prompt, name=options.name, prompt_column=options.prompt_column)
    table = read_table(source, labels, n=options.n, templates=templates, **asked)
    is_sandbox = connection.uses_sandbox(settings)
    report = _Telling(terminal=terminal, is_sandbox=is_sandbox, options=options, table=table, asked=asked)
    for note in table.notes:
        terminal.warn(note)
    with contextlib.ExitStack() as at_the_end:
        if options.dry_run and not is_url(options.output) and not is_directory(options.output):
            nowhere = at_the_end.enter_context(tempfile.TemporaryDirectory(prefix="ionos-openai-"))
            options = replace(options, output=nowhere)
        client = at_the_end.enter_context(connection.connect(settings))
        batch = _make(client, table.requests, options, report)
        return report.show_plan(batch) if options.dry_run else report.carry_out(batch)


def _make(client: OpenAI, requests: list[ImageRequest], options: BatchOptions, report: _Telling) -> Batch:
    given = {name: value for name, value in asdict(options).items() if name not in _NOT_THE_LIBRARYS}
    if options.timeout is None:
        del given["timeout"]  # the client's own counts
    return generate_batch(
        client, requests, options.output, **given, only_failed=options.retry_failed, on_event=report.tell
    )


@dataclass(kw_only=True)
class _Telling(Outcome):
    """What a run has come to, and what is said of it meanwhile."""

    is_sandbox: bool
    options: BatchOptions
    table: Table
    asked: dict[str, Any]  # what `complete` takes for rows without their own
    fatal: BaseException | None = None

    @functools.cached_property
    def rows(self) -> dict[str, int]:
        """Which row each request stands in, by its id."""
        found: dict[str, int] = {}
        seen: Counter[str] = Counter()
        for index, request in enumerate(self.table.requests):
            mark = digest(complete(request, **self.asked))
            seen[mark] += 1
            found[identify(mark, seen[mark])] = index
        return found

    def tell(self, event: BatchEvent) -> None:
        """Say what a person should know at once."""
        if self.terminal.quiet or event.kind not in ("estimate", "waiting", "retrying", "damaged"):
            return
        free = " The sandbox answers: no cost." if event.kind == "estimate" and self.is_sandbox else ""
        self.terminal.on_stderr(f"{_sentence(event.message)}{free}")

    def take(self, result: BatchResult) -> None:
        """Report one prompt, at once."""
        request, terminal = result.request, self.terminal
        asked: dict[str, Any] = {"prompt": request.prompt, "id": result.id, "metadata": dict(request.metadata)}
        for path in map(str, result.paths):
            if terminal.json:
                self.made.append({"path": path, "model": request.model, **asked, "sandbox": result.sandbox})
            elif not terminal.pretty or terminal.error_console is None:
                more = [str(request.model), str(request.size), "placeholder" if result.sandbox else "-"]
                terminal.row([visible(path)] if terminal.quiet else list(map(visible, [path, *more])))
            elif self.options.verbose:
                terminal.on_stderr(path)  # on the console with the live display, which stays below
        if result.error is not None:
            self.fail(result.error, where=self.table.place(self.rows[result.id]), **asked)

    def tell_superseded(self, names: Sequence[str]) -> None:
        """Say which pictures are of prompts that were corrected since."""
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        said = "are of older prompts of their names: superseded (results --all shows them)."
        if len(names) == 1:
            said = "is of an older prompt of this name: superseded (results --all shows it)."
        if names:
            self.terminal.on_stderr(f"{', '.join(names[:_SHOWN_NAMES])}{more} {said}")

    def take_end(self, error: BaseException) -> None:
        """Report what ended the run, and rescue pictures that could not be saved."""
        self.fatal = error
        self.fail(error)
        for image in partial_images(error):
            self.rescue(image, advice=" The next run makes another one.")

    def show_plan(self, batch: Batch) -> int:
        estimate, progress = batch.estimate, batch.progress
        batch.close()
        already = (progress.total or 0) - (estimate.prompts or 0)
        done = f"; {already} of {progress.total} prompts are done" if already else ""
        plan = _sentence(estimate) if estimate.images == 0 else f"Would make {estimate}"
        facts = {"prompts": progress.total, "left": estimate.prompts, "images": estimate.images}
        further = {"cost": estimate.cost and estimate.cost.facts(), "seconds": estimate.seconds}
        if self.terminal.json:
            self.terminal.document({"sandbox": self.is_sandbox, "dry_run": True, **facts, **further})
        else:
            self.terminal.row([f"{plan}{done}. Nothing was sent."])
            for line in self._preview():
                self.terminal.on_stderr(line)
        return MADE

    def carry_out(self, batch: Batch) -> int:
        began, limits = time.monotonic(), batch.limits
        with batch, _stopping_on_signals(batch, self.terminal) as stopped:
            try:
                with _display(self.terminal, lambda: batch.progress, began, limits):
                    for result in batch:
                        self.take(result)
            except (OpenAIError, KeyboardInterrupt) as error:
                self.take_end(error)
        if stopped():
            self.codes.append(INTERRUPTED)
        elif batch.progress.left and self.fatal is None:
            self.codes.append(REFUSED)  # a limit of one's own was reached
        if any(request.name for request in self.table.requests):
            self.tell_superseded([name for record in supersede(batch.directory, self.rows) for name in record.names])
        code = self._summarise(batch, time.monotonic() - began)
        if code == INTERRUPTED and not self.terminal.json:
            self.terminal.on_stderr("Run the same command again: it goes on where this one ended.")
        return code

    def _summarise(self, batch: Batch, elapsed: float) -> int:
        """Say what the run has come to, and return its exit code."""
        progress, terminal = batch.progress, self.terminal
        self.sum_up()
        if not terminal.json and not terminal.quiet:
            terminal.on_stderr(self._summary(batch, elapsed))
            folder = shlex.quote(str(batch.directory))
            terminal.on_terminal(f"Look at it: ionos-openai gallery {folder} --open, or ionos-openai results {folder}")
        counts = ["total", "done", "failed", "skipped", "modified", "missing", "left", "images", "attempts", "limited"]
        counts += ["marked", "signed"] if self.options.sign else []
        document: dict[str, object] = {
            "sandbox": self.is_sandbox,
            "directory": str(batch.directory),
            **{name: getattr(progress, name) for name in counts},
            "seconds": round(elapsed, 3),
            "cost": progress.cost and progress.cost.facts(),
            "images_saved": self.made,
        }
        code = self.code
        why = f"{progress.left} prompts are left: a limit of yours was reached."
        why = "Interrupted." if code == INTERRUPTED else why
        return self.end(document, otherwise={"message": why, "type": "Unfinished", "exit_code": code})

    def _summary(self, batch: Batch, elapsed: float) -> str:
        progress = batch.progress
        parts = [f"{progress.done} made ({plural(progress.images, 'picture')})"]
        parts += [f"{progress.marked} marked, {progress.signed} signed"] * bool(self.options.sign)
        before = "that had not failed left alone" if self.options.retry_failed else "done before"
        others = {
            before: progress.skipped - progress.modified - progress.missing,
            "kept though changed": progress.modified,
            "gone and not made again (--missing remake makes them)": progress.missing,
            "failed (the same command tries them again)": progress.failed,
            "left": progress.left,
            "answered 429 and asked again": progress.limited,
        }
        parts += [f"{number} {what}" for what, number in others.items() if number]
        cost = "no cost, placeholders" if self.is_sandbox else str(progress.cost or "cost not known")
        record = batch.directory / MANIFEST if isinstance(batch.directory, Path) else batch.directory
        return f"{', '.join(parts)}; {clock_time(elapsed)}; {cost}. Record: {record}"

    def _preview(self) -> Iterator[str]:
        """Yield the first prompts with their names, and what becomes of each column of the table."""
        for index, request in enumerate(self.table.requests[:_SHOWN_PROMPTS]):
            named = "" if request.name is None else f" -> {request.name}"
            yield f"{self.table.place(index)}: {request.prompt}{named}"
        for column in self.table.columns if len(self.table.columns) > 1 or self.table.used else ():
            is_prompt = column.casefold() == (self.options.prompt_column or "prompt").casefold()
            said = "the prompt" if is_prompt else "metadata"
            said = f"of the request ({column})" if column in KNOWN_COLUMNS else said
            yield f"Column {column}: {'in prompt or name, and ' if column.casefold() in self.table.used else ''}{said}"


@contextlib.contextmanager
def _stopping_on_signals(batch: Batch, terminal: Terminal) -> Iterator[Callable[[], bool]]:
    """At the first Ctrl-C, SIGTERM or hang-up begin nothing new; at the second one drop what is in flight."""
    came: list[int] = []

    def handle(number: int, frame: object) -> None:
        del frame
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt
        batch.stop()
        if batch.progress.in_flight:
            with contextlib.suppress(OSError):  # the terminal is gone
                terminal.warn("Stopping: what is on its way is still saved; Ctrl-C again drops it.")

    with taking(handle, "SIGINT", "SIGTERM", "SIGHUP"):
        yield lambda: bool(came)


@contextlib.contextmanager
def _display(
    terminal: Terminal, read: Callable[[], Progress], began: float, limits: ContractLimits | None
) -> Iterator[None]:
    """Show how far it is: live on a terminal, as a line every 10 s elsewhere."""
    if terminal.quiet or terminal.error_console is not None:

        def live() -> tuple[int, int | None, str]:
            progress = read()
            parts = _failed(progress), str(progress.cost or ""), _time_left(progress, time.monotonic() - began, limits)
            return progress.done + progress.skipped + progress.failed, progress.total, ", ".join(filter(None, parts))

        with terminal.progress(live):
            yield
        return
    over = threading.Event()
    line = lambda: progress_line(read(), time.monotonic() - began, limits)  # noqa: E731
    thread = threading.Thread(target=tell_regularly, args=(terminal, line, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def tell_regularly(terminal: Terminal, line: Callable[[], str], over: threading.Event) -> None:
    """Say a line every 10 s until it is `over`."""
    while not over.wait(_LINE_EVERY):
        terminal.on_stderr(line())


def progress_line(progress: Progress, elapsed: float, limits: ContractLimits | None) -> str:
    """Return how far a batch is after so many seconds; the time that is left follows from the contract's limits."""
    total = "" if progress.total is None else f" of {progress.total}"
    parts = [
        f"{progress.done + progress.skipped}{total} done",
        _failed(progress),
        f"{progress.in_flight} asked for or waiting for the limit",
        f"{progress.retrying} to try again" if progress.retrying else "",
        f"{60 * progress.images / elapsed:.1f} pictures/min" if elapsed >= 1 else "",
        _time_left(progress, elapsed, limits),
        str(progress.cost or ""),
    ]
    return ", ".join(filter(None, parts))


def _failed(progress: Progress) -> str:
    return f"{progress.failed} failed" if progress.failed else ""


def _time_left(progress: Progress, elapsed: float, limits: ContractLimits | None) -> str:
    """Tell what is left by the limits or by the pace so far, whichever is longer; nothing where that is unknown."""
    if not progress.left:
        return ""
    images = round(progress.left * max(1.0, progress.images / max(1, progress.done)))
    by_pace = elapsed * progress.left / progress.done if progress.done else 0.0
    if limits is None:
        return f"{clock_time(by_pace)} left" if by_pace else ""
    # What has been asked for is out of the bucket already.
    by_limits = estimate_seconds(progress.images + images, limits) - elapsed
    is_in_burst = progress.images <= limits.images.capacity
    longer = max(by_limits, 0.0 if is_in_burst else min(by_pace, images * limits.images.interval))
    return f"{clock_time(longer)} left"


def _sentence(phrase: object) -> str:
    text = str(phrase)
    return text[:1].upper() + text[1:]
