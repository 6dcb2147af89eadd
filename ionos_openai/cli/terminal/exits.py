"""What went wrong, as an exit code, as a line for people and as JSON for programs.

The codes are the same for every command, 75 (temporary) and 77 (no permission) those of sysexits.h; the worst one wins.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ionos_openai import errors
from ionos_openai.cli.terminal.output import Terminal, as_option
from ionos_openai.errors.masking import mask_secrets

if TYPE_CHECKING:
    import openai

    from ionos_openai.images.image import GeneratedImage

MADE = 0
REFUSED = 1
USAGE = 2
TEMPORARY = 75
TOKEN = 77
INTERRUPTED = 130

_MOST_PLACES = 10
_IN_MEMORY = re.compile(r" (?:The pictures are|It is) still in memory: .*")
_SAID_IN_A_HEADER = "wait for the time in the Retry-After header"
DOCTOR_ADVICE = "`ionos-openai doctor` looks for the cause."

# A temporary failure is the least bad one: it alone says that trying the whole again is worth while.
WORST_FIRST = (INTERRUPTED, TOKEN, USAGE, REFUSED, TEMPORARY, MADE)
# After these, the next prompt would fare no better.
ENDS_THE_RUN = frozenset({INTERRUPTED, TOKEN, USAGE})


def is_expected(error: BaseException) -> bool:
    """Tell whether an error is the user's or the service's, and no bug: Ctrl-C, the SDK's errors, and ours."""
    sdk = sys.modules.get("openai")  # without it an error can be neither
    return isinstance(error, KeyboardInterrupt) or (sdk is not None and isinstance(error, sdk.OpenAIError))


def exit_code(error: BaseException) -> int:
    """Return the exit code of a command that ended with `error`.

    77 is for a token, 2 for usage, settings and places that cannot be written to, 75 for what may work later.
    """
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if "openai" not in sys.modules:  # so it is none of the SDK's errors, nor of ours, which derive from them
        return REFUSED
    import openai

    if isinstance(error, (errors.InvalidTokenError, openai.AuthenticationError, openai.PermissionDeniedError)):
        return TOKEN
    if isinstance(error, (errors.ConfigurationError, errors.InvalidRequestError, errors.ImageSaveError)):
        return USAGE
    if isinstance(error, (openai.APIConnectionError, errors.BatchRunningError, errors.BudgetUnavailableError)):
        return TEMPORARY
    status = getattr(error, "status_code", 0)
    return TEMPORARY if status >= 500 or status in (408, 409, 425, 429) else REFUSED


def worst(codes: Iterable[int]) -> int:
    """Return the worst of some exit codes; 0 where there are none."""
    return min(codes, key=WORST_FIRST.index, default=MADE)


def message(error: BaseException) -> str:
    """Return what went wrong as one line for people, with the remedy where one is known."""
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if "openai" not in sys.modules:
        return " ".join(mask_secrets(str(error)).split()) or type(error).__name__
    import openai

    from ionos_openai.client.pacing.turns import read_retry_after

    if isinstance(error, openai.APITimeoutError):
        billed = " A picture may have been made and billed all the same." if error.request.method == "POST" else ""
        remedy = "Try again later; IONOS_TIMEOUT sets how many seconds to wait."
        return f"{_host(error)} did not answer in time. {remedy}{billed}"
    if isinstance(error, errors.ImageSaveError):
        # It speaks of this machine's files alone, and its last sentence to whoever holds the pictures in code.
        return _IN_MEMORY.sub("", " ".join(str(error).split()))
    text = as_option(" ".join(mask_secrets(str(error)).split())) or type(error).__name__
    if isinstance(error, openai.APIConnectionError):
        # What is in the brackets says it all.
        match = re.fullmatch(r"Connection error\. \((.*)\)( The server's certificate .*)?", text)
        cause = f"{match[1].rstrip('.')}.{match[2] or ''}" if match else text
        return f"Cannot reach {_host(error)}: {cause} {DOCTOR_ADVICE}"
    if isinstance(error, openai.APIStatusError) and text.startswith("Error code: "):
        seconds = read_retry_after(error.response)
        when = "wait a while" if seconds is None else f"wait {seconds:.0f} s"
        return f"The service answered {text.removeprefix('Error code: ').replace(_SAID_IN_A_HEADER, when)}"
    return text


def describe(error: BaseException) -> dict[str, object]:
    """Return the error for `--json`: its message, type, code, HTTP status, request id and exit code."""
    return {
        "message": message(error),
        "type": type(error).__name__,
        "code": getattr(error, "code", None),
        "status": getattr(error, "status_code", None),
        "request_id": getattr(error, "request_id", None),
        "exit_code": exit_code(error),
    }


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a command has come to so far; `made` and `errors` as the document has them, `reasons` with their places."""

    terminal: Terminal
    made: list[dict[str, object]] = field(default_factory=list)
    errors: list[dict[str, object]] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The exit code: the worst one so far."""
        return worst(self.codes)

    def fail(self, error: BaseException, said: str | None = None, *, where: str = "", **facts: object) -> None:
        """Tell what failed: a person once for each reason, a program each time. In the document `facts` win."""
        self.codes.append(exit_code(error))
        if self.terminal.json:
            self.errors.append({**facts, **describe(error), **facts})
        reason = message(error) if said is None else said
        places = self.reasons.setdefault(reason, [])
        places.append(where)
        if len(places) == 1 or self.terminal.error_console is None:
            self.terminal.error(f"{where}: {reason}" if where else reason)

    def rescue(self, image: GeneratedImage, *, advice: str = "", **saving: Any) -> GeneratedImage:
        """Save a picture that has no other place in the system's folder for temporary files; it may be paid for."""
        from ionos_openai.images.image import save_images

        try:
            [path] = save_images([image], Path(tempfile.mkdtemp(prefix="ionos-openai-")), **{**saving, "sign": False})
        except OSError as error:  # an ImageSaveError is one too
            problem = "The picture is lost, the system's folder for temporary files takes none either"
            self.terminal.error(f"{problem}: {error}")
            return image
        self.terminal.warn(f"So that the picture is not lost, it was saved as {path}.{advice}")
        return replace(image, path=path)

    def sum_up(self) -> None:
        """Say how often each reason was met, of those that were met several times; each is said once."""
        for reason, places in self.reasons.items():
            if len(places) > 1 and all(places):
                more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
                self.terminal.error(f"{len(places)} times: {reason} ({', '.join(places[:_MOST_PLACES])}{more})")
        self.reasons.clear()

    def end(self, content: Mapping[str, object], *, otherwise: Mapping[str, object] | None = None) -> int:
        """Print the document, if one is wanted, and return the exit code; `otherwise` is what no error stands for."""
        self.sum_up()
        if self.terminal.json:
            # As in every failed command's document: the error that decided the exit code.
            decisive = next((error for error in self.errors if error["exit_code"] == self.code), otherwise)
            failure = {} if self.code == MADE else {"error": decisive}
            self.terminal.document({**content, "errors": self.errors, **failure})
        return self.code


def _host(error: openai.APIConnectionError) -> str:
    parts = urlsplit(str(error.request.url))
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
