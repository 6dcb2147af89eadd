"""The commands, their options and their help; what they do stands in the modules beside this one."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect as inspection
import itertools
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, is_dataclass
from typing import Annotated, Any, Literal, cast, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from ionos_openai import __version__
from ionos_openai.cli.terminal.options import (
    BatchOptions,
    Connection,
    EditOptions,
    PacedConnection,
    PictureOptions,
    ServerOptions,
    SignOptions,
    VerifyOptions,
    argument,
    option,
    switch,
)
from ionos_openai.cli.terminal.output import BASES, Terminal, open_closed_streams
from ionos_openai.cli.terminal.prompts import expand, is_piped
from ionos_openai.cli.terminal.signals import taking

_NAME = "ionos-openai"
_USAGE, _INTERRUPTED, _PIPE_CLOSED = 2, 130, 1
# Typer brings click along, under a name that depends on its version.
_UsageError: type[Exception] = cast("type[Exception]", typer.BadParameter.__base__)

_EXIT_CODES = (
    "Exit codes: 0 all done, 1 refused, 2 usage, configuration or no token, 75 temporary (worth another try), 77 a "
    "token that is refused or cannot work, 130 interrupted. With several prompts the worst one counts: 130, 77, 2, 1, "
    "75, 0."
)


class _AsGiven:
    """What Typer hands texts and switches to; its own loads pydantic first, which takes longer than many a command."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ARG002  # as Typer calls it
        return list(value or ()) if param.multiple or param.nargs == -1 else value


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = list(super().get_params(ctx))
        for parameter in parameters:
            of = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)  # in Typer from 0.28 on
            if of in (str, bool, list[str]):
                parameter.get_runtime_param = _AsGiven
        return parameters

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        # "PROMPT..." with every version of Typer; the newest would write "{PROMPT...}...".
        return [re.sub(r"[{}]|\.{3}(?=.*\.{3})", "", piece) for piece in super().collect_usage_pieces(ctx)]


class _Group(TyperGroup):
    # Options of Typer's own, even the one for the help, would load pydantic at every `COMMAND --help`.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        shown = {"--version": f"{_NAME} {__version__}", "-V": f"{_NAME} {__version__}", "--help": None, "-h": None}
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        if not args:
            print(ctx.get_help(), file=sys.stderr)
            raise typer.Exit(_USAGE)
        if args[0] in shown:
            print(shown[args[0]] or ctx.get_help())
            raise typer.Exit
        given = args[0].partition("=")[0]
        if given.startswith("-"):
            raise _UsageError(f"No such option: {given}{_meant(given, shown, cutoff=0.75)}", ctx)
        if given not in self.commands:
            raise _UsageError(f"No such command: {given}{_meant(given, self.commands)}", ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Options"):
            formatter.write_dl([("-V, --version", "Show the version."), ("-h, --help", "Show this message and exit.")])
        self.format_commands(ctx, formatter)


def _meant(given: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Ask whether another name was meant, if one is near."""
    from difflib import get_close_matches

    if given in ("--install-completion", "--show-completion"):  # as other programs have them
        return f". Did you mean: {_NAME} completion bash"
    same = [name for name in known if name.casefold() == given.casefold()]
    return "".join(f". Did you mean {name}?" for name in same or get_close_matches(given, known, n=1, cutoff=cutoff))


app = typer.Typer(
    name=_NAME,
    cls=_Group,
    help="Make and edit pictures with the image models of the IONOS AI Model Hub.\n\n"
    "The token is read from IONOS_API_TOKEN (or a .env file in the current folder); --sandbox needs none and draws "
    "placeholders.",
    epilog=_EXIT_CODES,
    add_help_option=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: half the time, and no boxes around a dozen lines
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PRINTING: dict[str, Any] = {
    "json": switch("Print one JSON document, errors included."),
    "quiet": switch("Print only the paths.", "-q"),
}


def command(
    *prints: str, examples: Sequence[str], epilog: str = "", tells_warnings: bool = True, in_sandbox: bool = False
) -> Callable[[Callable[..., int]], None]:
    """Register a function as the command of its name, parameters of option types spread into their fields.

    `prints` are those of "json" and "quiet" that it takes: the function gets a `Terminal` for them, which shows the
    library's warnings unless the result itself holds them. `in_sandbox` has a failure's document say so.
    """

    def register(function: Callable[..., int]) -> None:
        hints = get_type_hints(function)
        kinds = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

        def call(**given: Any) -> int:
            printing = {name: given.pop(name) for name in prints}
            given |= {name: _gather(kind, given) for name, kind in kinds.items()}
            options = given.get("options")
            is_taken = isinstance(options, PictureOptions) and options.output == "-"
            terminal = Terminal(**printing, stdout_is_taken=is_taken, tells_warnings=tells_warnings)
            connection = Connection(sandbox=True) if in_sandbox else given.get("connection")
            return _carry_out(lambda: function(**given, terminal=terminal), terminal, connection)

        call.__doc__ = function.__doc__
        call.__signature__ = inspection.Signature(_parameters(function, hints, prints))  # type: ignore[attr-defined]
        call.__annotations__ = {}  # Typer reads the signature's
        lines = "\n".join(f"  {_NAME} {example}" for example in examples)
        app.command(function.__name__, cls=_Command, epilog=f"\b\nExamples:\n{lines}\n\n{epilog}")(call)

    return register


def _parameters(
    function: Callable[..., int], hints: Mapping[str, Any], prints: Sequence[str]
) -> list[inspection.Parameter]:
    """Return what Typer is told: the function's own parameters, fields of options, and last what many commands have."""
    first: list[inspection.Parameter] = []
    last = [_parameter(name, bool, _PRINTING[name]) for name in prints]
    for name, own in inspection.signature(function).parameters.items():
        if is_dataclass(hints[name]):
            own_hints = get_type_hints(hints[name])
            for field in _options(hints[name]):
                place = last if field.name == "sandbox" else first
                place.append(_parameter(field.name, own_hints[field.name], field))
        elif name != "terminal":
            first.append(_parameter(name, hints[name], own.default))
    return first + last


def _parameter(name: str, kind: Any, declared: Field[Any]) -> inspection.Parameter:
    """Return what `argument`, `option` or `switch` declared, in the form that every version of Typer takes."""
    default, told = declared.default, dict(declared.metadata)
    if "hidden" in told:
        note = typer.Argument(**told)
    else:
        names, means = told.pop("names"), told.pop("means", None)
        if not any(called.startswith("--") for called in names):
            names = (f"--{name.replace('_', '-')}", *names)
        if means is not None:
            kind, default = bool, False
        elif default == ():
            kind, default = list[str] | None, None
        kind = str if get_origin(kind) is Literal else kind
        note = typer.Option(*names, **told, show_default="default" not in told["help"])
    default = inspection.Parameter.empty if default is MISSING else default
    return inspection.Parameter(
        name, inspection.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, note]
    )


def _options(kind: Any) -> list[Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.metadata]


def _gather(kind: Any, given: dict[str, Any]) -> Any:
    """Take the options of one type out of what was given."""
    values = {field.name: given.pop(field.name) for field in _options(kind)}
    for field in _options(kind):
        means = field.metadata.get("means")
        if means is not None:
            values[field.name] = means if values[field.name] else None
        elif field.default == ():
            values[field.name] = tuple(values[field.name] or ())
    return kind(**values)


@command(
    "json",
    "quiet",
    examples=('generate "a fox in the snow" -o fox.png', 'generate "a fox" "a lighthouse" -n 2 -o pictures/ --dry-run'),
)
def generate(
    *,
    prompts: list[str] = argument("PROMPT..."),
    options: PictureOptions,
    connection: PacedConnection,
    terminal: Terminal,
) -> int:
    """Make pictures from prompts.

    PROMPT says what the picture shows; - reads it from standard input. Several prompts are asked for one after the
    other, and each picture is saved as it arrives. What can be checked is checked before the first one is paid for.
    """
    from ionos_openai.cli import generate as pictures

    return pictures.generate(prompts, options, connection, terminal)


@command(
    "json",
    "quiet",
    examples=('edit fox.jpg "give it a red hat" -o fox-with-hat.png', 'edit fox.jpg hat.jpg "put the hat on the fox"'),
)
def edit(
    *,
    images: list[str] = argument("IMAGE..."),
    prompt: str = argument("PROMPT"),
    options: EditOptions,
    connection: PacedConnection,
    terminal: Terminal,
) -> int:
    """Make pictures from a prompt and pictures.

    IMAGE is a picture to edit. PROMPT, the last argument, says what to change; - reads it from standard input.
    """
    from ionos_openai.cli import generate as pictures

    return pictures.edit(images, prompt, options, connection, terminal)


@command(
    "json",
    "quiet",
    examples=(
        'batch prompts.txt -o campaign/ --max-cost "20 USD"',
        'batch products.csv -o shop/ --prompt "Photo of {title}" --name "{sku}" --dry-run',
    ),
)
def batch(*, file: str = argument("FILE"), options: BatchOptions, connection: Connection, terminal: Terminal) -> int:
    """Make the pictures of a file of prompts; can be resumed.

    FILE has a prompt a line (.txt), columns (.csv: prompt, and any of model, size, aspect_ratio, n, name, seed; others
    become metadata) or an object a line (.jsonl); - is standard input. The same command again goes on where the last
    run ended.
    """
    if options.missing not in ("keep", "remake"):
        raise typer.BadParameter("--missing is keep or remake")
    from ionos_openai.cli import batch

    return batch.run(file, options, connection, terminal)


@command("json", examples=("costs campaign/", "costs campaign/ shop/ --by sku --csv"))
def costs(
    *,
    directories: list[str] = argument("DIR..."),
    by: str | None = option("A line for each value of a metadata column, or of model.", "COLUMN"),
    as_csv: bool = switch("Print CSV.", "--csv"),
    terminal: Terminal,
) -> int:
    """Sum what batches have cost, by their records.

    DIR is a directory with a manifest.jsonl. Each picture that was made counts with the price of its day, those that
    were made once more and deleted since too; placeholders cost nothing; an unknown price is told, never counted as 0.
    """
    if as_csv and terminal.json:
        raise typer.BadParameter("--csv and --json exclude each other")
    from ionos_openai.cli import records

    return records.show_costs(directories, terminal, by=by, as_csv=as_csv)


@command("json", examples=("results campaign/ --excel > results.csv", "results campaign/ --failed > again.csv"))
def results(
    *,
    directory: str = argument("DIR"),
    failed: bool = switch("Print what failed, as a CSV that `batch` makes once more."),
    every: bool = switch("Also pictures of older prompts, which others of their name superseded.", "--all"),
    as_csv: bool = switch("Print CSV.", "--csv"),
    for_excel: bool = switch("Print CSV with the mark that Excel needs.", "--excel"),
    terminal: Terminal,
) -> int:
    """Tell what became of each request of a batch.

    DIR is a directory with a manifest.jsonl. A row has your own columns, then file, prompt, model, size, status, cost
    and error. Cells that a spreadsheet would take for formulas begin with an apostrophe.
    """
    if (as_csv or for_excel) and terminal.json:
        raise typer.BadParameter("--csv and --json exclude each other")
    from ionos_openai.cli import records

    return records.show_results(directory, terminal, every=every, failed=failed, as_csv=as_csv, for_excel=for_excel)


@command("json", examples=("models", "models --all --json"))
def models(
    *,
    every: bool = switch("Also list the models that make no pictures.", "--all"),
    connection: Connection,
    terminal: Terminal,
) -> int:
    """List the models that make pictures.

    With what is known of each: whether it edits pictures too, what one picture costs, whether it is retired.
    """
    from ionos_openai.cli import models

    return models.show(connection, terminal, every=every)


@command("json", tells_warnings=False, examples=("doctor", "doctor --offline --min-validity 12h"))
def doctor(
    *,
    offline: bool = switch("Look at this machine only; send nothing."),
    min_validity: str = option(
        "Warn of a token that ends sooner, such as 12h or 30m; by default 7d.", "TIME", default="7d"
    ),
    connection: Connection,
    terminal: Terminal,
) -> int:
    """Check the setup, and say what to mend.

    It looks at versions, the token, the address, variables and the network, and asks for the models once. The
    result holds no secret: it can be pasted into an issue. The exit code is 0 where no line is broken.
    """
    from ionos_openai.cli.doctor import command as doctor

    return doctor.show(connection, terminal, offline=offline, min_validity=min_validity)


@command("json", examples=("migrate src/ --diff", "migrate src/ --write"))
def migrate(
    *,
    paths: list[str] = argument("PATH"),
    diff: bool = switch("Show what --write would change; change nothing."),
    write: bool = switch("Change what is safe to change, in .py files."),
    calls: bool = switch("Change models, sizes and senseless parameters of calls as well."),
    terminal: Terminal,
) -> int:
    """Tell what code for OpenAI meets on IONOS.

    PATH is a file or a directory with Python, notebooks and configuration, written for OpenAI's image models. Each
    place is told with what happens on IONOS and what to write. Keys are never shown. --write makes clients with
    create_client(), with --calls it changes their calls for pictures too; all else stays.
    """
    if diff and write:
        raise typer.BadParameter("--diff and --write exclude each other")
    from ionos_openai.cli.migrate import command as migrate

    return migrate.run(expand(paths), "write" if write else "diff" if diff else "report", terminal, calls=calls)


@command(
    "json",
    "quiet",
    examples=('mark fox.png --creator "A. Nonymous" --alt "A fox in the snow"', "mark small.jpg --like fox.jpg"),
)
def mark(
    *,
    paths: list[str] = argument("FILE..."),
    like: str | None = option("Copy the mark of this picture (or of its sidecar).", "ORIGINAL"),
    creator: str | None = option("Who made it; several with '; ' between them.", "NAME"),
    credit: str | None = option("The credit line.", "TEXT"),
    copyright: str | None = option("The copyright notice.", "TEXT"),
    alt: str | None = option("The text for people who do not see the picture.", "TEXT"),
    terminal: Terminal,
) -> int:
    """Write into pictures where they come from.

    FILE is a JPEG, PNG or WebP; its pixels stay as they are. A program that resizes or crops a picture often loses
    the mark: --like takes it from the original. Without --like, a file that tells its source already keeps that, and
    any other is said to be made by a model on the IONOS AI Model Hub. GIF, AVIF and files with a C2PA manifest get a
    sidecar, FILE.xmp, instead.
    """
    from ionos_openai.cli import marks

    words = {"creator": creator, "credit": credit, "copyright": copyright, "alt": alt}
    return marks.mark(paths, terminal, like=like, words=words)


@command(
    "json", "quiet", examples=("sign fox.jpg --certificate chain.pem --key key.pem", "sign --make-test-certificate pki")
)
def sign(
    *, paths: list[str] | None = argument("FILE...", default=None), options: SignOptions, terminal: Terminal
) -> int:
    """Sign pictures, for others to check.

    FILE is a JPEG, PNG, WebP, GIF or AVIF. What its mark says is signed (C2PA); its pixels and the mark stay as they
    are, and a manifest that it has stays within the new one. IONOS_C2PA_PASSPHRASE opens an encrypted key.
    """
    if not paths and options.make_test_certificate is None:
        raise typer.BadParameter("name a FILE to sign")
    from ionos_openai.cli import marks

    return marks.sign(paths or [], options, terminal)


@command("json", examples=("inspect fox.png", "inspect pictures/*.jpg --json"))
def inspect(
    *,
    paths: list[str] = argument("FILE..."),
    trust: str | None = option("Trust signers whose chain leads to a certificate in this PEM file.", "FILE"),
    terminal: Terminal,
) -> int:
    """Show what pictures are and where they say they come from.

    FILE is a picture: format, size, what its metadata or sidecar says, and its C2PA signature, validated without the
    network. What is not signed is a statement, not a proof.
    """
    from ionos_openai.cli import marks

    return marks.inspect(paths, terminal, trust=trust)


@command("json", "quiet", examples=("gallery campaign/ --open", "gallery campaign/ --caption sku --recursive"))
def gallery(
    *,
    directory: str = argument("DIR"),
    opens: bool = switch("Open the page in the browser.", "--open"),
    recursive: bool = switch("Show pictures in sub-folders too.", "-r"),
    caption: str | None = option("The column on each card, by default the first one.", "COLUMN"),
    output: str | None = option("Where the pictures of a bucket are copied to.", "DIR", "-o"),
    terminal: Terminal,
) -> int:
    """Make a page of the pictures in a directory.

    DIR/index.html shows them with what their metadata and the manifest of a batch say: prompt, model, size, date,
    cost. It opens without a network, and can be searched, filtered and sorted. Thumbnails go into DIR/.thumbnails.
    """
    from ionos_openai.cli import gallery

    return gallery.run(directory, terminal, opens=opens, recursive=recursive, caption=caption, output=output)


@command(
    "json",
    epilog=BASES,
    in_sandbox=True,
    examples=("sandbox --limits off", "sandbox --latency 0.5-2 --fault server-error:0.1"),
)
def sandbox(
    *,
    options: ServerOptions,
    explain: bool = switch("Print what the sandbox does and how each of it is known; serve nothing."),
    terminal: Terminal,
) -> int:
    """Serve the sandbox over HTTP, for programs in any language.

    It answers as the service is publicly known to answer, with placeholder pictures, and prints what to set, and then a
    line a request. GET / shows it in a browser, /sandbox/health, /sandbox/requests and /sandbox/stats to programs. It
    needs uvicorn: pip install uvicorn.
    """
    from ionos_openai.cli import sandbox

    return sandbox.explain(terminal) if explain else sandbox.serve(options, terminal)


@command("json", epilog=BASES, examples=("verify", "verify --spend 18"))
def verify(*, options: VerifyOptions, connection: Connection, terminal: Terminal) -> int:
    """Compare the service with the sandbox.

    Each row of `sandbox --explain` that can be asked is asked of whatever the settings point at: as the sandbox,
    different (what came), no answer, or not asked (why). A report of what differs helps to correct the sandbox.
    """
    if options.spend < 0:
        raise typer.BadParameter("--spend is a number of pictures from 0")
    from ionos_openai.cli.verify import command as verify

    return verify.run(connection, options, terminal)


@command("json", examples=("login", "login < token.txt"))
def login(*, connection: Connection, terminal: Terminal) -> int:
    """Keep a token for this user on this machine.

    It is asked for unseen (or read from standard input), checked as `doctor` does, and kept in the system's keyring,
    else in a file that only you can read. It counts last: after IONOS_API_TOKEN and .env, and never where CI is set.
    """
    from ionos_openai.cli import login

    return login.keep(connection, terminal)


@command("json", examples=("logout", "logout --json"))
def logout(*, terminal: Terminal) -> int:
    """Remove the token that login has kept."""
    from ionos_openai.cli import login

    return login.forget(terminal)


@command(examples=("completion bash >> ~/.bashrc", "completion powershell >> $PROFILE"))
def completion(*, shell: str = argument("SHELL"), terminal: Terminal) -> int:
    """Print a script that completes what is typed.

    That is commands, options and names of files. SHELL is bash, zsh, fish or powershell. The script's first line says
    where it belongs.
    """
    from ionos_openai.cli.completion import script

    group = cast("Any", typer.main.get_command(app))
    options = {
        name: [option for parameter in known.params for option in parameter.opts if option.startswith("--")]
        + ["--help"]
        for name, known in group.commands.items()
    }
    terminal.row([script(shell, options).rstrip()])
    return 0


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line, by default that of this process, and return its exit code."""
    open_closed_streams()
    try:
        # The end of the terminal is taken for Ctrl-C: what is on its way is paid for.
        with taking(signal.default_int_handler, "SIGHUP"):
            code = _invoke(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        return _end_quietly()
    except OSError as error:
        if error.filename is not None:  # it is not about standard output, so it is a bug
            raise
        _end_quietly()
        with contextlib.suppress(OSError):
            print(f"Error: Cannot write the result: {error.strerror or error}.", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)
        return _INTERRUPTED
    return code


def _invoke(given: list[str]) -> int:
    # Not through `main` of Typer: it has exit codes and messages of its own.
    command = typer.main.get_command(app)
    try:
        with command.make_context(_NAME, list(given)) as context:  # a copy, since it is consumed
            return int(command.invoke(context))
    except typer.Exit as leaving:
        return leaving.exit_code
    except _UsageError as error:
        said = error.format_message()  # type: ignore[attr-defined]  # the class is found at run time
        # A prompt, or a batch's file, that stands in a pipe needs no name.
        if said.startswith("Missing argument") and given[-1] != "-" and is_piped():
            return _invoke([*given, "-"])
        into_pipe = any(pair in (("-o", "-"), ("--output", "-")) for pair in itertools.pairwise(given))
        terminal = Terminal(json="--json" in given, stdout_is_taken=into_pipe)
        place = getattr(getattr(error, "ctx", None), "command_path", _NAME)
        return _explain_usage(said, place, terminal, Connection(sandbox="--sandbox" in given))


def _carry_out(work: Callable[[], int], terminal: Terminal, connection: Connection | None = None) -> int:
    """Do a command's work; what is expected to go wrong becomes a message and an exit code, a bug stays a traceback."""
    try:
        with terminal.listening():
            return work()
    except (Exception, KeyboardInterrupt) as error:
        from ionos_openai.cli.terminal.exits import describe, exit_code, is_expected, message

        if not is_expected(error):
            raise
        if terminal.json:
            terminal.document({**_who_answered(connection), "error": describe(error)})
        terminal.error(message(error))
        return exit_code(error)


def _who_answered(connection: Connection | None) -> dict[str, object]:
    """Return what a failed command's document says of the sandbox; nothing for a command that asks no service."""
    if connection is None:
        return {}
    from ionos_openai.client.settings import IonosSettings
    from ionos_openai.errors import ConfigurationError

    try:
        return {"sandbox": connection.uses_sandbox(IonosSettings())}
    except ConfigurationError:  # the settings may be what failed
        return {"sandbox": connection.sandbox}


def _explain_usage(said: str, command: str, terminal: Terminal, connection: Connection) -> int:
    if said.startswith("Missing argument 'IMAGE"):
        said = "Name a picture, and behind it the prompt that says what to change"
    # As each version of Typer asks whether another option was meant.
    said = re.sub(
        r"\.? \(Possible options: ([^,)]*).*\)$|\.? Did you mean:? ([^ ?]*)\?$", r". Did you mean \1\2?", said
    )
    text = f"{said.rstrip('.')}{'' if said.endswith('?') else '.'} See: {command} --help"
    if terminal.json:
        nothing = {"code": None, "status": None, "request_id": None}
        failure = {"message": text, "type": "UsageError", **nothing, "exit_code": _USAGE}
        terminal.document({**_who_answered(connection), "error": failure})
    terminal.error(text)
    return _USAGE


def _end_quietly() -> int:
    """Leave without a word: whoever read our output has seen enough."""
    # Python writes out what is left at its end, and would complain then.
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())  # which a stream that a program put there does not have
    return _PIPE_CLOSED
