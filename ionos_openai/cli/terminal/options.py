"""The options of the command line, each declared once. Loads nothing heavy, so that `--help` stays quick.

A command's parameter of one of these types is spread into options, a field each: `app.command` does so. What a field
is, its help says; None means the library's default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from typer import Option


@dataclass(frozen=True, slots=True)
class Given:
    """What a switch means where it is given; where it is not, the field is None."""

    value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which service to ask; what is not given comes from the settings."""

    base_url: Annotated[
        str | None, Option("--base-url", metavar="URL", help="Another address of the service; the token goes there.")
    ] = None
    ca_bundle: Annotated[
        str | None,
        Option("--ca-bundle", metavar="FILE", help="A PEM file of a private CA to trust, beside the usual ones."),
    ] = None
    max_wait: float | None = None
    sandbox: Annotated[
        bool, Option("--sandbox", help="Ask the stand-in: no token, no network, no cost; it draws placeholders.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedConnection(Connection):
    """A service that is asked for a picture or two, which somebody waits for."""

    max_wait: Annotated[
        float | None,
        Option(
            "--max-wait",
            metavar="SECONDS",
            help="Wait no longer than this for the contract's limits. By default as long as needed.",
        ),
    ] = None


_Model = Annotated[
    str | None, Option("--model", "-m", metavar="MODEL", help="A model's id or a short name for it, such as flux.1.")
]
_Size = Annotated[str | None, Option("--size", "-s", metavar="WIDTHxHEIGHT", help="In pixels. By default 1024x1024.")]
_AspectRatio = Annotated[
    str | None,
    Option("--aspect-ratio", metavar="W:H", help="In place of --size: the nearest size that the model makes."),
]
_Number = Annotated[
    int,
    Option(
        "-n",
        "--number",
        metavar="N",
        show_default=False,
        help="How many pictures of each prompt, by default 1; each one is billed.",
    ),
]
_Provenance = Annotated[
    bool | None,
    Given(value=False),
    Option("--no-provenance", help="Do not write into the metadata that a model made the picture."),
]
_PromptInMetadata = Annotated[
    bool | None,
    Given(value=True),
    Option("--prompt-in-metadata", help="Have the prompt in the metadata too. By default it is not."),
]
_Sign = Annotated[
    bool | None,
    Given(value=True),
    Option("--sign", help="Sign the pictures (C2PA) with the certificate in IONOS_C2PA_CERTIFICATE."),
]


_Concurrency = Annotated[
    int,
    Option(
        "--concurrency", metavar="N", show_default=False, help="Requests at once; a batch makes 4 by default, else 1."
    ),
]
_Timeout = Annotated[float | None, Option("--timeout", metavar="SECONDS", help="Give a request up after so long.")]
_DryRun = Annotated[bool, Option("--dry-run", help="Check everything, tell the cost and time; send nothing.")]
_Yes = Annotated[bool, Option("--yes", "-y", help="Spend without being asked again.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """How pictures are to be made and where they go."""

    output: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="FILE|DIR|-",
            help="Where to save: a file (.png, .jpg or .webp asks for that format), a directory (existing, or ending "
            "in /), or - for standard output. By default the current folder.",
        ),
    ] = None
    model: _Model = None
    size: _Size = None
    aspect_ratio: _AspectRatio = None
    n: _Number = 1
    seed: Annotated[
        int | None, Option("--seed", metavar="N", help="Sent as it is; whether a model honours it is not known.")
    ] = None
    name: Annotated[
        str | None, Option("--name", metavar="NAME", help="The files' name. By default it is made from the prompt.")
    ] = None
    format: Annotated[
        str | None,
        Option("--format", metavar="FORMAT", help="Convert to png, jpeg or webp. By default as the service sends it."),
    ] = None
    overwrite: Annotated[
        bool, Option("--overwrite", help="Replace files of the same name. By default the next free name is taken.")
    ] = False
    provenance: _Provenance = None
    prompt_in_metadata: _PromptInMetadata = None
    sign: _Sign = None
    timeout: _Timeout = None
    dry_run: _DryRun = False
    opens: Annotated[bool, Option("--open", help="Open the pictures when they are there.")] = False
    concurrency: int = 1
    yes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions(PictureOptions):
    """The same of pictures from prompts, of which there may be many."""

    concurrency: _Concurrency = 1
    yes: _Yes = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions(PictureOptions):
    """The same of pictures that are made from pictures."""

    model: Annotated[
        str | None, Option("--model", "-m", metavar="MODEL", help="A model's id or a short name for it, such as klein.")
    ] = None
    size: Annotated[
        str | None, Option("--size", "-s", metavar="WIDTHxHEIGHT", help="In pixels. By default the service decides.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """How a batch is to be carried out; model, size and number are for rows without their own."""

    output: Annotated[
        str, Option("--output", "-o", metavar="DIR", help="Where pictures and record go. One run at a time.")
    ]
    model: _Model = None
    size: _Size = None
    aspect_ratio: _AspectRatio = None
    n: _Number = 1
    prompt: Annotated[
        str | None,
        Option("--prompt", metavar="TEMPLATE", help="Make prompts out of columns: 'Photo of {title}, {category}'."),
    ] = None
    name: Annotated[
        str | None, Option("--name", metavar="TEMPLATE", help="Make the files' names out of columns: '{sku}'.")
    ] = None
    prompt_column: Annotated[
        str | None, Option("--prompt-column", metavar="COLUMN", help="The column with the prompts, by default prompt.")
    ] = None
    labels: Annotated[
        tuple[str, ...], Option("--label", metavar="KEY=VALUE", help="Add this column to every row's metadata.")
    ] = ()
    concurrency: _Concurrency = 4
    timeout: _Timeout = None
    max_cost: Annotated[
        str | None, Option("--max-cost", metavar="AMOUNT", help="Stop before this run would spend more: 5, or '5 EUR'.")
    ] = None
    max_images: Annotated[
        int | None, Option("--max-images", metavar="N", help="Stop before this run would ask for more pictures.")
    ] = None
    missing: Annotated[
        Literal["keep", "remake"],
        Option(
            "--missing",
            metavar="keep|remake",
            show_default=False,
            help="What to do about recorded pictures that are gone; by default keep: none is made again.",
        ),
    ] = "keep"
    ignore_damaged: Annotated[
        bool, Option("--ignore-damaged", help="Go on though lines of the record are damaged; buy those pictures again.")
    ] = False
    verify: Annotated[bool, Option("--verify", help="Compare recorded pictures byte for byte.")] = False
    redo: Annotated[
        tuple[str, ...],
        Option("--redo", metavar="NAME", help="Make the pictures of a file or row of this name once more."),
    ] = ()
    retry_failed: Annotated[bool, Option("--retry-failed", help="Make only what failed before.")] = False
    patience: Annotated[
        float,
        Option(
            "--patience", metavar="SECONDS", show_default=False, help="Wait so long for a lost network, by default 600."
        ),
    ] = 600.0
    verbose: Annotated[bool, Option("--verbose", "-v", help="Show each path on a terminal too.")] = False
    dry_run: _DryRun = False
    provenance: _Provenance = None
    prompt_in_metadata: _PromptInMetadata = None
    sign: _Sign = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOptions:
    """What to sign with, and where to; what is not given comes from the settings."""

    certificate: Annotated[str | None, Option("--certificate", metavar="FILE", help="The chain, in PEM.")] = None
    key: Annotated[str | None, Option("--key", metavar="FILE", help="Its private key, in PEM.")] = None
    tsa_url: Annotated[str | None, Option("--tsa-url", metavar="URL", help="An authority for time stamps.")] = None
    overwrite: Annotated[bool, Option("--overwrite", help="Sign in place. By default FILE-signed is written.")] = False
    make_test_certificate: Annotated[
        str | None,
        Option("--make-test-certificate", metavar="DIR", help="Make a certificate that nobody trusts; sign nothing."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WordOptions:
    """What a picture's mark is to say besides."""

    creator: Annotated[
        str | None, Option("--creator", metavar="NAME", help="Who made it; several with '; ' between them.")
    ] = None
    credit: Annotated[str | None, Option("--credit", metavar="TEXT", help="The credit line.")] = None
    copyright: Annotated[str | None, Option("--copyright", metavar="TEXT", help="The copyright notice.")] = None
    alt: Annotated[
        str | None, Option("--alt", metavar="TEXT", help="The text for people who do not see the picture.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What the server of the sandbox is to do."""

    host: Annotated[str, Option("--host", metavar="ADDRESS", help="Where to listen; 0.0.0.0 is everywhere.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Option("--port", metavar="PORT", help="0 takes any that is free.")] = 8600
    token: Annotated[
        str | None, Option("--token", metavar="TOKEN", help="Take only this token. By default any is taken.")
    ] = None
    limits: Annotated[
        str,
        Option(
            "--limits",
            metavar="LIMITS",
            help="documented, off, or IMAGES_PER_MINUTE:BURST such as 10:20; past them 429 with Retry-After.",
        ),
    ] = "documented"
    time_scale: Annotated[
        float, Option("--time-scale", metavar="N", help="Let limits fill N times faster than real time.")
    ] = 1.0
    latency: Annotated[
        str | None, Option("--latency", metavar="SECONDS", help="How long answers take: 2, or a range such as 0.5-2.")
    ] = None
    models: Annotated[
        str | None, Option("--models", metavar="FILE", help="Offer other models: a recorded answer of GET /v1/models.")
    ] = None
    image_format: Annotated[
        str | None, Option("--image-format", metavar="FORMAT", help="jpeg, png or webp; by default jpeg.")
    ] = None
    unknown_model: Annotated[
        str,
        Option(
            "--unknown-model",
            metavar="ANSWER",
            help="How unknown models are refused, which is not known for certain: empty-400 or not-found.",
        ),
    ] = "empty-400"
    sizes: Annotated[
        str,
        Option(
            "--sizes", metavar="SIZES", help="documented refuses sizes that the documentation does not have; or any."
        ),
    ] = "documented"
    embeddings_base64: Annotated[
        str,
        Option(
            "--embeddings-base64",
            metavar="ANSWER",
            help="error ends them in a 500, as was recorded; answer does not, for clients that ask for nothing else.",
        ),
    ] = "error"
    cors: Annotated[
        bool, Option("--cors", help="Let programs in a browser's page ask; whether the service does is not known.")
    ] = False
    quiet: Annotated[bool, Option("--quiet", "-q", help="Print no line a request on standard error.")] = False
    faults: Annotated[
        tuple[str, ...],
        Option(
            "--fault",
            metavar="NAME[:RATE]",
            help="Show a fault at every request, or at a share of them such as server-error:0.1; repeatable. The "
            "request header x-sandbox-fault: NAME asks for one alone.",
        ),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """What may be asked of a service."""

    spend: Annotated[
        int,
        Option(
            "--spend",
            metavar="IMAGES",
            show_default=False,
            help="Ask for at most so many pictures, each of which may be billed, also where a refusal is expected; 18 "
            "are enough for all rows but the limit of images. By default 0: nothing is asked that costs anything.",
        ),
    ] = 0
    yes: _Yes = False
    limits: Annotated[
        bool,
        Option(
            "--provoke-limits",
            help="Provoke the limits too: 30 requests for the list of models at once, which cost nothing but hold up "
            "others on the contract; the limit of images only where --spend leaves 24 pictures for it.",
        ),
    ] = False
    answers: Annotated[
        str | None,
        Option(
            "--answers",
            metavar="FILE",
            help="Keep the answers in FILE: without token, contract, trace ids and pictures, so "
            "that they can be sent in.",
        ),
    ] = None
