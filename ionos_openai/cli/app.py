"""The commands, their options and their help; what they do stands in the modules beside this one."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from ionos_openai import __version__
from ionos_openai.cli.options import Connection, PictureOptions
from ionos_openai.cli.output import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME = "ionos-openai"
_USAGE, _INTERRUPTED, _PIPE_CLOSED = 2, 130, 1
# Typer brings click along, under a name that depends on its version.
_UsageError: type[Exception] = cast("type[Exception]", typer.BadParameter.__base__)

_EXIT_CODES = (
    "Exit codes: 0 all done, 1 refused, 2 usage or configuration, 75 temporary (worth another try), 77 token, "
    "130 interrupted. With several prompts the worst one counts: 130, 77, 2, 1, 75, 0."
)


class _Command(TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        # "PROMPT..." with every version of Typer; the newest would write "{PROMPT...}...".
        return [re.sub(r"[{}]|\.{3}(?=.*\.{3})", "", piece) for piece in super().collect_usage_pieces(ctx)]


class _Group(TyperGroup):
    # Options of Typer's own, even the one for the help, would load pydantic at every `COMMAND --help`.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        shown = {"--version": f"{_NAME} {__version__}", "--help": None, "-h": None}
        if args and args[0] in shown:
            print(shown[args[0]] or ctx.get_help())
            raise typer.Exit
        if not args:
            print(ctx.get_help(), file=sys.stderr)
            raise typer.Exit(_USAGE)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Options"):
            formatter.write_dl([("--version", "Show the version."), ("-h, --help", "Show this message and exit.")])
        self.format_commands(ctx, formatter)


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

_Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|DIR|-",
        help="Where to save: a file (.png, .jpg or .webp asks for that format), a directory (existing, or ending in "
        "/), or - for standard output. By default the current folder.",
    ),
]
_Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="A model's id or a short name for it, such as flux.1."),
]
_Size = Annotated[
    str | None,
    typer.Option("--size", "-s", metavar="WIDTHxHEIGHT", help="In pixels. By default 1024x1024."),
]
_EditSize = Annotated[
    str | None,
    typer.Option("--size", "-s", metavar="WIDTHxHEIGHT", help="In pixels. By default the service decides."),
]
_Number = Annotated[
    int,
    typer.Option(
        "-n",
        "--number",
        metavar="N",
        show_default=False,
        help="How many pictures of each prompt, by default 1; each one is billed.",
    ),
]
_FileName = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="The files' name. By default it is made from the prompt.")
]
_Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="FORMAT", help="Convert to png, jpeg or webp. By default as the service sends it."
    ),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files of the same name. By default the next free name is taken.")
]
_BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="Another address of the service; the token goes there.")
]
_CaBundle = Annotated[
    str | None,
    typer.Option("--ca-bundle", metavar="FILE", help="A PEM file of a private CA to trust, beside the usual ones."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, errors included.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the paths.")]
_Sandbox = Annotated[
    bool, typer.Option("--sandbox", help="Ask the stand-in: no token, no network, no cost; it draws placeholders.")
]


@app.command(cls=_Command, epilog=_EXIT_CODES)
def generate(
    *,
    prompts: Annotated[list[str], typer.Argument(metavar="PROMPT...", hidden=True)],
    output: _Output = None,
    model: _Model = None,
    size: _Size = None,
    n: _Number = 1,
    name: _FileName = None,
    format_: _Format = None,
    overwrite: _Overwrite = False,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    json: _Json = False,
    quiet: _Quiet = False,
    sandbox: _Sandbox = False,
) -> int:
    """Make pictures from prompts.

    PROMPT says what the picture shows; - reads it from standard input. Several prompts are asked for one after the
    other, and each picture is saved as it arrives. What can be checked is checked before the first one is paid for.
    """
    options = PictureOptions(output=output, model=model, size=size, n=n, name=name, format=format_, overwrite=overwrite)
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, sandbox=sandbox)
    terminal = Terminal(json=json, quiet=quiet, stdout_is_taken=output == "-")

    def work() -> int:
        from ionos_openai.cli import pictures

        return pictures.generate(prompts, options, connection, terminal)

    return _carry_out(work, terminal)


@app.command(cls=_Command, epilog=_EXIT_CODES)
def edit(
    *,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", hidden=True)],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", hidden=True)],
    output: _Output = None,
    model: _Model = None,
    size: _EditSize = None,
    n: _Number = 1,
    name: _FileName = None,
    format_: _Format = None,
    overwrite: _Overwrite = False,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    json: _Json = False,
    quiet: _Quiet = False,
    sandbox: _Sandbox = False,
) -> int:
    """Make pictures from a prompt and pictures.

    IMAGE is a picture to edit. PROMPT, the last argument, says what to change; - reads it from standard input.
    """
    options = PictureOptions(output=output, model=model, size=size, n=n, name=name, format=format_, overwrite=overwrite)
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, sandbox=sandbox)
    terminal = Terminal(json=json, quiet=quiet, stdout_is_taken=output == "-")

    def work() -> int:
        from ionos_openai.cli import pictures

        return pictures.edit(images, prompt, options, connection, terminal)

    return _carry_out(work, terminal)


@app.command(cls=_Command, epilog=_EXIT_CODES)
def models(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also list the models that make no pictures.")] = False,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    json: _Json = False,
    sandbox: _Sandbox = False,
) -> int:
    """List the models that make pictures.

    With what is known of each: whether it edits pictures too, what one picture costs, whether it is retired.
    """
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, sandbox=sandbox)
    terminal = Terminal(json=json)

    def work() -> int:
        from ionos_openai.cli import models

        return models.show(connection, terminal, every=every)

    return _carry_out(work, terminal)


@app.command(cls=_Command, epilog=_EXIT_CODES)
def doctor(
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Look at this machine only; send nothing.")] = False,
    min_validity: Annotated[
        str,
        typer.Option(
            "--min-validity",
            metavar="TIME",
            show_default=False,
            help="Warn of a token that ends sooner, such as 12h or 30m; by default 7d.",
        ),
    ] = "7d",
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    json: _Json = False,
    sandbox: _Sandbox = False,
) -> int:
    """Check the setup, and say what to mend.

    It looks at versions, the token, the address, variables and the network, and asks for the models once. The
    result holds no secret: it can be pasted into an issue. The exit code is 0 where no line is broken.
    """
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, sandbox=sandbox)
    terminal = Terminal(json=json, tells_warnings=False)

    def work() -> int:
        from ionos_openai.cli import doctor

        return doctor.show(connection, terminal, offline=offline, min_validity=min_validity)

    return _carry_out(work, terminal)


@app.command(
    cls=_Command,
    epilog="Exit codes: 0 nothing is left to do by hand, 1 something is, 2 usage or configuration, 130 interrupted.",
)
def migrate(
    *,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", hidden=True)],
    diff: Annotated[bool, typer.Option("--diff", help="Show what --write would change; change nothing.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Change what is safe to change, in .py files.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document, errors included.")] = False,
) -> int:
    """Tell what code written for OpenAI's image models meets on IONOS.

    PATH is a file or a directory with Python, notebooks and configuration. Each place is told with what happens on
    IONOS and what to write. Keys are never shown. --write makes clients with create_client(); all else stays.
    """
    if diff and write:
        raise typer.BadParameter("--diff and --write exclude each other")
    terminal = Terminal(json=json)

    def work() -> int:
        from ionos_openai.cli import migrate

        return migrate.run(paths, "write" if write else "diff" if diff else "report", terminal)

    return _carry_out(work, terminal)


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        arguments: What stands behind the program's name; by default that of this process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _invoke(given)
    except BrokenPipeError:
        return _end_quietly()
    except KeyboardInterrupt:
        print("Error: Interrupted.", file=sys.stderr)
        return _INTERRUPTED


def _invoke(given: list[str]) -> int:
    # Not through `main` of Typer: it has exit codes and messages of its own.
    command = typer.main.get_command(app)
    try:
        with command.make_context(_NAME, given) as context:
            code = command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    except _UsageError as error:
        into_pipe = any(pair in (("-o", "-"), ("--output", "-")) for pair in itertools.pairwise(given))
        return _explain_usage(error, Terminal(json="--json" in given, stdout_is_taken=into_pipe))
    return code if isinstance(code, int) else 0


def _carry_out(work: Callable[[], int], terminal: Terminal) -> int:
    """Do a command's work; what is expected to go wrong becomes a message and an exit code, a bug stays a traceback."""
    from openai import OpenAIError

    from ionos_openai.cli.failure import describe, exit_code, message

    try:
        with terminal.listening():
            return work()
    except (OpenAIError, KeyboardInterrupt) as error:
        if terminal.json:
            terminal.document({"error": describe(error)})
        terminal.error(message(error))
        return exit_code(error)


def _explain_usage(error: Exception, terminal: Terminal) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else _NAME
    said = error.format_message()  # type: ignore[attr-defined]  # the class is found at run time
    text = f"{said.rstrip('.')}. See: {command} --help"
    if terminal.json:
        nothing = {"code": None, "status": None, "request_id": None}
        terminal.document({"error": {"message": text, "type": "UsageError", **nothing, "exit_code": _USAGE}})
    terminal.error(text)
    return _USAGE


def _end_quietly() -> int:
    """Leave without a word: whoever read our output has seen enough."""
    # Python writes out what is left at its end, and would complain then.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # a stream that a program put there has no number
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return _PIPE_CLOSED
