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
from ionos_openai.cli.terminal.options import Connection, PictureOptions
from ionos_openai.cli.terminal.output import BASES, Terminal, open_closed_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NAME = "ionos-openai"
_USAGE, _INTERRUPTED, _PIPE_CLOSED = 2, 130, 1
# Typer brings click along, under a name that depends on its version.
_UsageError: type[Exception] = cast("type[Exception]", typer.BadParameter.__base__)

_EXIT_CODES = (
    "Exit codes: 0 all done, 1 refused, 2 usage, configuration or no token, 75 temporary (worth another try), 77 a "
    "token that is refused or cannot work, 130 interrupted. With several prompts the worst one counts: 130, 77, 2, 1, "
    "75, 0."
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
_EditModel = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="MODEL", help="A model's id or a short name for it, such as klein."),
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
_Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Sent as it is; whether a model honours it is not known."),
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
_NoProvenance = Annotated[
    bool, typer.Option("--no-provenance", help="Do not write into the metadata that a model made the picture.")
]
_PromptInMetadata = Annotated[
    bool, typer.Option("--prompt-in-metadata", help="Have the prompt in the metadata too. By default it is not.")
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
_MaxWait = Annotated[
    float | None,
    typer.Option(
        "--max-wait",
        metavar="SECONDS",
        help="Wait no longer than this for the contract's limits. By default as long as needed.",
    ),
]
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
    seed: _Seed = None,
    name: _FileName = None,
    format_: _Format = None,
    overwrite: _Overwrite = False,
    no_provenance: _NoProvenance = False,
    prompt_in_metadata: _PromptInMetadata = False,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    max_wait: _MaxWait = None,
    json: _Json = False,
    quiet: _Quiet = False,
    sandbox: _Sandbox = False,
) -> int:
    """Make pictures from prompts.

    PROMPT says what the picture shows; - reads it from standard input. Several prompts are asked for one after the
    other, and each picture is saved as it arrives. What can be checked is checked before the first one is paid for.
    """
    options = PictureOptions(
        output=output,
        model=model,
        size=size,
        n=n,
        seed=seed,
        name=name,
        format=format_,
        overwrite=overwrite,
        provenance=False if no_provenance else None,
        prompt_in_metadata=prompt_in_metadata or None,
    )
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, max_wait=max_wait, sandbox=sandbox)
    terminal = Terminal(json=json, quiet=quiet, stdout_is_taken=output == "-")

    def work() -> int:
        from ionos_openai.cli import generate as pictures

        return pictures.generate(prompts, options, connection, terminal)

    return _carry_out(work, terminal, connection)


@app.command(cls=_Command, epilog=_EXIT_CODES)
def edit(
    *,
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", hidden=True)],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", hidden=True)],
    output: _Output = None,
    model: _EditModel = None,
    size: _EditSize = None,
    n: _Number = 1,
    seed: _Seed = None,
    name: _FileName = None,
    format_: _Format = None,
    overwrite: _Overwrite = False,
    no_provenance: _NoProvenance = False,
    prompt_in_metadata: _PromptInMetadata = False,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    max_wait: _MaxWait = None,
    json: _Json = False,
    quiet: _Quiet = False,
    sandbox: _Sandbox = False,
) -> int:
    """Make pictures from a prompt and pictures.

    IMAGE is a picture to edit. PROMPT, the last argument, says what to change; - reads it from standard input.
    """
    options = PictureOptions(
        output=output,
        model=model,
        size=size,
        n=n,
        seed=seed,
        name=name,
        format=format_,
        overwrite=overwrite,
        provenance=False if no_provenance else None,
        prompt_in_metadata=prompt_in_metadata or None,
    )
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, max_wait=max_wait, sandbox=sandbox)
    terminal = Terminal(json=json, quiet=quiet, stdout_is_taken=output == "-")

    def work() -> int:
        from ionos_openai.cli import generate as pictures

        return pictures.edit(images, prompt, options, connection, terminal)

    return _carry_out(work, terminal, connection)


@app.command(
    cls=_Command,
    epilog=_EXIT_CODES,
    short_help="Make the pictures of a file of prompts; can be resumed.",
)
def batch(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", hidden=True)],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Where pictures and record go. One run at a time.")
    ],
    model: _Model = None,
    size: _Size = None,
    n: _Number = 1,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="Add this column to every row's metadata.")
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", metavar="N", show_default=False, help="Requests at once, by default 4.")
    ] = 4,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Give a request up after so long.")
    ] = None,
    max_cost: Annotated[
        str | None,
        typer.Option("--max-cost", metavar="AMOUNT", help="Stop before this run would spend more: 5, or '5 EUR'."),
    ] = None,
    max_images: Annotated[
        int | None, typer.Option("--max-images", metavar="N", help="Stop before this run would ask for more pictures.")
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="keep|remake",
            show_default=False,
            help="What to do about recorded pictures that are gone; by default keep: none is made again.",
        ),
    ] = "keep",
    verify: Annotated[bool, typer.Option("--verify", help="Compare recorded pictures byte for byte.")] = False,
    redo: Annotated[
        list[str] | None,
        typer.Option("--redo", metavar="NAME", help="Make the pictures of a file or row of this name once more."),
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Make only what failed before.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check FILE, tell the cost and time; send nothing.")
    ] = False,
    no_provenance: _NoProvenance = False,
    prompt_in_metadata: _PromptInMetadata = False,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    json: _Json = False,
    quiet: _Quiet = False,
    sandbox: _Sandbox = False,
) -> int:
    """Make the pictures of a file of prompts, and go on where the last run ended.

    FILE has a prompt a line (.txt), columns (.csv: prompt, and any of model, size, n, name, seed; others become
    metadata) or an object a line (.jsonl); - is standard input. The same command again skips what is done.
    """
    from ionos_openai.cli.terminal.options import BatchOptions

    if missing not in ("keep", "remake"):
        raise typer.BadParameter("--missing is keep or remake")
    options = BatchOptions(
        output=output,
        model=model,
        size=size,
        n=n,
        labels=tuple(label or ()),
        concurrency=concurrency,
        timeout=timeout,
        max_cost=max_cost,
        max_images=max_images,
        missing="remake" if missing == "remake" else "keep",
        verify=verify,
        redo=tuple(redo or ()),
        retry_failed=retry_failed,
        dry_run=dry_run,
        provenance=False if no_provenance else None,
        prompt_in_metadata=prompt_in_metadata or None,
    )
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, sandbox=sandbox)
    terminal = Terminal(json=json, quiet=quiet)

    def work() -> int:
        from ionos_openai.cli import batch

        return batch.run(file, options, connection, terminal)

    return _carry_out(work, terminal, connection)


@app.command(
    cls=_Command,
    epilog="Exit codes: 0 the sums are printed (unknown prices are counted in their own column), 2 usage or no record.",
)
def costs(
    *,
    directories: Annotated[list[str], typer.Argument(metavar="DIR...", hidden=True)],
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="COLUMN", help="A line for each value of a metadata column, or of model."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: _Json = False,
) -> int:
    """Sum what batches have cost, by their records.

    DIR is a directory with a manifest.jsonl. Each picture that was made counts with the price of its day, those that
    were made once more and deleted since too; placeholders cost nothing; an unknown price is told, never counted as 0.
    """
    if as_csv and json:
        raise typer.BadParameter("--csv and --json exclude each other")
    terminal = Terminal(json=json)

    def work() -> int:
        from ionos_openai.cli import costs

        return costs.show(directories, terminal, by=by, as_csv=as_csv)

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

    return _carry_out(work, terminal, connection)


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
        from ionos_openai.cli.doctor import command as doctor

        return doctor.show(connection, terminal, offline=offline, min_validity=min_validity)

    return _carry_out(work, terminal, connection)


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
        from ionos_openai.cli.migrate import command as migrate

        return migrate.run(paths, "write" if write else "diff" if diff else "report", terminal)

    return _carry_out(work, terminal)


_FILES_EPILOG = "Exit codes: 0 all done, 1 a file could not be done, 2 usage, 130 interrupted."
_Files = Annotated[list[str], typer.Argument(metavar="FILE...", hidden=True)]


@app.command(cls=_Command, epilog=_FILES_EPILOG)
def mark(
    *,
    paths: _Files,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="ORIGINAL", help="Copy the mark of this picture (or of its sidecar)."),
    ] = None,
    creator: Annotated[
        str | None, typer.Option("--creator", metavar="NAME", help="Who made it; several with '; ' between them.")
    ] = None,
    credit: Annotated[str | None, typer.Option("--credit", metavar="TEXT", help="The credit line.")] = None,
    copyright_: Annotated[str | None, typer.Option("--copyright", metavar="TEXT", help="The copyright notice.")] = None,
    alt: Annotated[
        str | None, typer.Option("--alt", metavar="TEXT", help="The text for people who do not see the picture.")
    ] = None,
    json: _Json = False,
    quiet: _Quiet = False,
) -> int:
    """Write into pictures where they come from.

    FILE is a JPEG, PNG or WebP; its pixels stay as they are. A program that resizes or crops a picture often loses
    the mark: --like takes it from the original. Without --like, a file that tells its source already keeps that, and
    any other is said to be made by a model on the IONOS AI Model Hub. GIF, AVIF and files with a C2PA manifest get a
    sidecar, FILE.xmp, instead.
    """
    terminal = Terminal(json=json, quiet=quiet)

    def work() -> int:
        from ionos_openai.cli import marks

        return marks.mark(paths, terminal, like=like, creator=creator, credit=credit, copyright=copyright_, alt=alt)

    return _carry_out(work, terminal)


@app.command(cls=_Command, epilog=_FILES_EPILOG)
def inspect(*, paths: _Files, json: _Json = False) -> int:
    """Show what pictures are and where they say they come from.

    FILE is a picture: format, size, what its metadata or sidecar says, and whether it has a C2PA manifest, which is
    not verified. What is said is a statement, not a proof.
    """
    terminal = Terminal(json=json)

    def work() -> int:
        from ionos_openai.cli import marks

        return marks.inspect(paths, terminal)

    return _carry_out(work, terminal)


@app.command(
    cls=_Command,
    epilog="Exit codes: 0 the page is made (files that cannot be shown are told), 2 usage, or it cannot be written, "
    "130 interrupted.",
)
def gallery(
    *,
    directory: Annotated[str, typer.Argument(metavar="DIR", hidden=True)],
    opens: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: _Json = False,
    quiet: _Quiet = False,
) -> int:
    """Make a page of the pictures in a directory.

    DIR/index.html shows them with what their metadata and the manifest of a batch say: prompt, model, size, date,
    cost. It opens without a network, and can be searched, filtered and sorted. Thumbnails go into DIR/.thumbnails.
    """
    terminal = Terminal(json=json, quiet=quiet)

    def work() -> int:
        from ionos_openai.cli import gallery

        return gallery.run(directory, terminal, opens=opens)

    return _carry_out(work, terminal)


@app.command(cls=_Command, epilog=f"{BASES} Exit codes: 2 usage or configuration, 130 ended by Ctrl-C.")
def sandbox(
    *,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; 0.0.0.0 is everywhere.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="0 takes any that is free.")] = 8600,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TOKEN", help="Take only this token. By default any is taken.")
    ] = None,
    limits: Annotated[
        str,
        typer.Option(
            "--limits",
            metavar="LIMITS",
            help="documented, off, or IMAGES_PER_MINUTE:BURST such as 10:20; past them 429 with Retry-After.",
        ),
    ] = "documented",
    time_scale: Annotated[
        float, typer.Option("--time-scale", metavar="N", help="Let limits fill N times faster than real time.")
    ] = 1.0,
    latency: Annotated[
        str | None,
        typer.Option("--latency", metavar="SECONDS", help="How long answers take: 2, or a range such as 0.5-2."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option("--models", metavar="FILE", help="Offer other models: a recorded answer of GET /v1/models."),
    ] = None,
    image_format: Annotated[
        str | None, typer.Option("--image-format", metavar="FORMAT", help="jpeg, png or webp; by default jpeg.")
    ] = None,
    unknown_model: Annotated[
        str,
        typer.Option(
            "--unknown-model",
            metavar="ANSWER",
            help="How unknown models are refused, which is not known for certain: empty-400 or not-found.",
        ),
    ] = "empty-400",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="NAME[:RATE]",
            help="Show a fault at every request, or at a share of them such as server-error:0.1; repeatable. The "
            "request header x-sandbox-fault: NAME asks for one alone.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print what the stand-in does and how each of it is known; serve nothing.")
    ] = False,
    json: _Json = False,
) -> int:
    """Serve the stand-in over HTTP, for programs in any language.

    It answers as the service is publicly known to answer, with placeholder pictures, and prints what to set. GET
    /sandbox/health, /sandbox/requests and /sandbox/stats tell of itself. It needs uvicorn: pip install uvicorn.
    """
    terminal = Terminal(json=json)

    def work() -> int:
        from ionos_openai.cli import sandbox

        if explain:
            return sandbox.explain(terminal)
        options = sandbox.ServerOptions(
            host=host,
            port=port,
            token=token,
            limits=limits,
            time_scale=time_scale,
            latency=latency,
            models=models,
            image_format=image_format,
            unknown_model=unknown_model,
            faults=fault or (),
        )
        return sandbox.serve(options, terminal)

    return _carry_out(work, terminal, Connection(sandbox=True))


@app.command(
    cls=_Command,
    short_help="Compare the service with the stand-in.",
    epilog=f"{BASES} Exit codes: 0 every row that was asked is as the stand-in's, 1 one differs, 2 usage or "
    "configuration, 75 a row had no answer (worth another try), 77 token, 130 interrupted. The worst one counts: 130, "
    "77, 2, 1, 75, 0.",
)
def verify(
    *,
    spend: Annotated[
        int,
        typer.Option(
            "--spend",
            metavar="IMAGES",
            show_default=False,
            help="Ask for at most so many pictures, each of which may be billed, also where a refusal is expected; 15 "
            "are enough for all rows but the limit of images. By default 0: nothing is asked that costs anything.",
        ),
    ] = 0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Spend without being asked again.")] = False,
    limits: Annotated[
        bool,
        typer.Option(
            "--limits",
            help="Provoke the limits too: 30 requests for the list of models at once, which cost nothing but hold up "
            "others on the contract; the limit of images only where --spend leaves 24 pictures for it.",
        ),
    ] = False,
    json: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Keep the answers in FILE, - for standard output: without token, contract, trace ids and pictures, so "
            "that they can be sent in.",
        ),
    ] = None,
    base_url: _BaseUrl = None,
    ca_bundle: _CaBundle = None,
    sandbox: _Sandbox = False,
) -> int:
    """Ask the service what the stand-in does, and tell where it differs.

    Each row of `sandbox --explain` that can be asked is asked of whatever the settings point at: as the stand-in,
    different (what came), no answer, or not asked (why). A report of what differs helps to correct the stand-in.
    """
    if spend < 0:
        raise typer.BadParameter("--spend is a number of pictures from 0")
    connection = Connection(base_url=base_url, ca_bundle=ca_bundle, sandbox=sandbox)
    terminal = Terminal(json=json == "-")

    def work() -> int:
        from ionos_openai.cli.verify import command as verify

        options = verify.VerifyOptions(spend=spend, yes=yes, limits=limits, answers=json)
        return verify.run(connection, options, terminal)

    return _carry_out(work, terminal, connection)


def run(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line.

    Args:
        arguments: What stands behind the program's name; by default that of this process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    open_closed_streams()
    try:
        code = _invoke(given)
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
        with command.make_context(_NAME, given) as context:
            code = command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    except _UsageError as error:
        into_pipe = any(pair in (("-o", "-"), ("--output", "-")) for pair in itertools.pairwise(given))
        # The --json of verify names a file.
        json = ("--json", "-") in itertools.pairwise(given) if given[0] == "verify" else "--json" in given
        connection = Connection(sandbox="--sandbox" in given)
        return _explain_usage(error, Terminal(json=json, stdout_is_taken=into_pipe), connection)
    return code if isinstance(code, int) else 0


def _carry_out(work: Callable[[], int], terminal: Terminal, connection: Connection | None = None) -> int:
    """Do a command's work; what is expected to go wrong becomes a message and an exit code, a bug stays a traceback."""
    from openai import OpenAIError

    from ionos_openai.cli.terminal.exits import describe, exit_code, message

    try:
        with terminal.listening():
            return work()
    except (OpenAIError, KeyboardInterrupt) as error:
        if terminal.json:
            terminal.document({**_stand_in(connection), "error": describe(error)})
        terminal.error(message(error))
        return exit_code(error)


def _stand_in(connection: Connection | None) -> dict[str, object]:
    """Return what a failed command's document says of the stand-in; nothing for a command that asks no service."""
    if connection is None:
        return {}
    from ionos_openai.cli.terminal.connection import uses_sandbox
    from ionos_openai.client.settings import IonosSettings
    from ionos_openai.errors import ConfigurationError

    try:
        return {"sandbox": uses_sandbox(connection, IonosSettings())}
    except ConfigurationError:  # the settings may be what failed
        return {"sandbox": connection.sandbox}


def _explain_usage(error: Exception, terminal: Terminal, connection: Connection) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else _NAME
    said = error.format_message()  # type: ignore[attr-defined]  # the class is found at run time
    if said.startswith("Missing argument 'IMAGE"):
        said = "Name a picture, and behind it the prompt that says what to change"
    text = f"{said.rstrip('.')}. See: {command} --help"
    if terminal.json:
        nothing = {"code": None, "status": None, "request_id": None}
        failure = {"message": text, "type": "UsageError", **nothing, "exit_code": _USAGE}
        terminal.document({**_stand_in(connection), "error": failure})
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
