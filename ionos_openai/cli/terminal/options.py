"""The options of the command line, each declared once. Loads nothing heavy, so that `--help` stays quick.

`app.command` spreads a parameter of such a type into options. A field's help says what it is; None is the library's.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ionos_openai import errors

if TYPE_CHECKING:
    import openai

    from ionos_openai.client.settings import IonosSettings


def option(help: str, metavar: str | None = None, *names: str, default: Any = None) -> Any:
    """Declare an option, called as its field unless `names` has a long one; `metavar` is what its value is called.

    Where `help` does not speak of the default, that is shown behind it; `MISSING` makes an option that must be given.
    """
    return field(default=default, metadata={"names": names, "help": help, "metavar": metavar})


def switch(help: str, *names: str, means: bool | None = None) -> Any:
    """Declare an option without a value: True or False, or where it `means` something, that or None."""
    return field(default=False if means is None else None, metadata={"names": names, "help": help, "means": means})


def argument(metavar: str, default: Any = MISSING) -> Any:
    """Declare what stands without a name; the command's help explains it."""
    return field(default=default, metadata={"metavar": metavar, "hidden": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Which service to ask; what is not given comes from the settings."""

    base_url: str | None = option("Another address of the service; the token goes there.", "URL")
    ca_bundle: str | None = option("A PEM file of a private CA to trust, beside the usual ones.", "FILE")
    max_wait: float | None = None
    sandbox: bool = switch("Ask the sandbox: no token, no network, no cost; it draws placeholders.")

    def connect(self, settings: IonosSettings) -> openai.OpenAI:
        """Make the client that the options and the settings ask for; raises what `create_client` raises."""
        from ionos_openai.client import create_client

        given = {"base_url": self.base_url, "ca_bundle": self.ca_bundle, "max_wait": self.max_wait}
        return create_client(settings=settings, **given, sandbox=self.sandbox or None)  # type: ignore[arg-type]

    def uses_sandbox(self, settings: IonosSettings) -> bool:
        """Tell whether the sandbox answers instead of the service."""
        return self.sandbox or settings.sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class PacedConnection(Connection):
    """A service that is asked for a picture or two, which somebody waits for."""

    max_wait: float | None = option("Wait no longer for the limits. By default as long as needed.", "SECONDS")


@dataclass(frozen=True, slots=True, kw_only=True)
class _MakingOptions:
    """What is asked for, where it goes and how it is kept."""

    output: str | None = option(
        "Where to save: a file (.png, .jpg or .webp asks for that format), a directory (existing, or ending in /), "
        "s3://BUCKET/PREFIX, or - for standard output. By default the current folder.",
        "FILE|DIR|-",
        "-o",
    )
    model: str | None = option("A model's id or a short name for it, such as flux.1.", "MODEL", "-m")
    size: str | None = option("In pixels. By default 1024x1024.", "WIDTHxHEIGHT", "-s")
    aspect_ratio: str | None = option("In place of --size: the nearest size that the model makes.", "W:H")
    n: int = option("Pictures of each prompt, by default 1; each one is billed.", "N", "-n", "--number", default=1)
    name: str | None = option("The files' name. By default it is made from the prompt.", "NAME")
    concurrency: int = option("Requests at once, by default 1.", "N", default=1)
    timeout: float | None = option("Give a request up after so long.", "SECONDS")
    dry_run: bool = switch("Check everything, tell the cost and time; send nothing.")
    provenance: bool | None = switch("Leave out of the metadata that a model made it.", "--no-provenance", means=False)
    prompt_in_metadata: bool | None = switch("Have the prompt in the metadata too. By default it is not.", means=True)
    sign: bool | None = switch("Sign the pictures (C2PA) with the certificate in IONOS_C2PA_CERTIFICATE.", means=True)

    def check_timeout(self) -> None:
        """Refuse a time in which nothing can be made."""
        if self.timeout is not None and not self.timeout > 0:
            raise errors.InvalidRequestError(f"--timeout {self.timeout:g} leaves no time: give more than 0 seconds.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions(_MakingOptions):
    """How pictures are to be made and where they go."""

    seed: int | None = option("Sent as it is; whether a model honours it is not known.", "N")
    format: str | None = option("Convert to png, jpeg or webp. By default as the service sends it.", "FORMAT")
    overwrite: bool = switch("Replace files of the same name. By default the next free name is taken.")
    opens: bool = switch("Open the pictures when they are there.", "--open")
    yes: bool = switch("Spend without being asked again.", "-y")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions(PictureOptions):
    """The same of pictures that are made from pictures, by one prompt."""

    model: str | None = option("A model's id or a short name for it, such as klein.", "MODEL", "-m")
    size: str | None = option("In pixels. By default the service decides.", "WIDTHxHEIGHT", "-s")
    concurrency: int = 1
    yes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions(_MakingOptions):
    """How a batch is to be carried out; model, size and number are for rows without their own."""

    output: str = option(
        "Where pictures and record go, or s3://BUCKET/PREFIX. One run at a time.", "DIR", "-o", default=MISSING
    )
    name: str | None = option("Make the files' names out of columns: '{sku}'.", "TEMPLATE")
    prompt: str | None = option("Make prompts out of columns: 'Photo of {title}, {category}'.", "TEMPLATE")
    prompt_column: str | None = option("The column with the prompts, by default prompt.", "COLUMN")
    labels: tuple[str, ...] = option("Add this column to every row's metadata.", "KEY=VALUE", "--label", default=())
    concurrency: int = option("Requests at once, by default 4.", "N", default=4)
    max_cost: str | None = option("Stop before this run would spend more: 5, or '5 EUR'.", "AMOUNT")
    max_images: int | None = option("Stop before this run would ask for more pictures.", "N")
    missing: Literal["keep", "remake"] = option(
        "What becomes of pictures that are gone; by default keep: none is made again.", "keep|remake", default="keep"
    )
    ignore_damaged: bool = switch("Go on though lines of the record are damaged; buy those pictures again.")
    verify: bool = switch("Compare recorded pictures byte for byte.")
    redo: tuple[str, ...] = option("Make the pictures of a file or row of this name once more.", "NAME", default=())
    retry_failed: bool = switch("Make only what failed before.")
    patience: float = option("Wait so long for a lost network, by default 600.", "SECONDS", default=600.0)
    verbose: bool = switch("Show each path on a terminal too.", "-v")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOptions:
    """What to sign with, and where to; what is not given comes from the settings."""

    certificate: str | None = option("The chain, in PEM.", "FILE")
    key: str | None = option("Its private key, in PEM.", "FILE")
    tsa_url: str | None = option("An authority for time stamps.", "URL")
    overwrite: bool = switch("Sign in place. By default FILE-signed is written.")
    make_test_certificate: str | None = option("Make a certificate that nobody trusts; sign nothing.", "DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What the server of the sandbox is to do."""

    host: str = option("Where to listen; 0.0.0.0 is everywhere.", "ADDRESS", default="127.0.0.1")
    port: int = option("0 takes any that is free.", "PORT", default=8600)
    token: str | None = option("Take only this token. By default any is taken.", "TOKEN")
    limits: str = option("documented, off, or IMAGES_PER_MINUTE:BURST such as 10:20.", "LIMITS", default="documented")
    time_scale: float = option("Let limits fill N times faster than real time.", "N", default=1.0)
    latency: str | None = option("How long answers take: 2, or a range such as 0.5-2.", "SECONDS")
    models: str | None = option("Offer other models: a recorded answer of GET /v1/models.", "FILE")
    image_format: str | None = option("jpeg, png or webp; by default jpeg.", "FORMAT")
    unknown_model: str = option(
        "How unknown models are refused (not known for certain): empty-400 or not-found.", "ANSWER", default="empty-400"
    )
    sizes: str = option("documented refuses sizes that are not documented; or any.", "SIZES", default="documented")
    embeddings_base64: str = option(
        "error is the 500 that was recorded; answer is for clients that ask for nothing else.",
        "ANSWER",
        default="error",
    )
    cors: bool = switch("Let programs in a browser's page ask; whether the service does is not known.")
    quiet: bool = switch("Print no line a request on standard error.", "-q")
    faults: tuple[str, ...] = option(
        "Show a fault at every request, or at a share of them such as server-error:0.1; repeatable. The request header "
        "x-sandbox-fault: NAME asks for one alone.",
        "NAME[:RATE]",
        "--fault",
        default=(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """What may be asked of a service."""

    spend: int = option(
        "Ask for at most so many pictures, each of which may be billed, also where a refusal is expected; 18 are "
        "enough for all rows but the limit of images. By default 0: nothing is asked that costs anything.",
        "IMAGES",
        default=0,
    )
    yes: bool = switch("Spend without being asked again.", "-y")
    limits: bool = switch(
        "Provoke the limits too: 30 requests for the list of models at once, which cost nothing but hold up others on "
        "the contract; the limit of images only where --spend leaves 24 pictures for it.",
        "--provoke-limits",
    )
    answers: str | None = option(
        "Keep the answers in FILE: without token, contract, trace ids and pictures, so that they can be sent in.",
        "FILE",
    )
