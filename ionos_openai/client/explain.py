"""Why a call failed: IONOS' words, the likely cause and the remedy, put into the SDK's own exceptions."""

from __future__ import annotations

import contextlib
import copyreg
import json
import re
import ssl
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import openai
from pydantic import BaseModel

from ionos_openai.client.calls import IMAGE_PATHS
from ionos_openai.client.transport import proxy_asked, redirects_to
from ionos_openai.errors import IonosError
from ionos_openai.errors.exceptions import reduced
from ionos_openai.errors.http import http_library
from ionos_openai.errors.masking import forget_variables, mask_body, mask_secrets
from ionos_openai.errors.words import printable
from ionos_openai.hub.answers import read_error_body
from ionos_openai.hub.catalogue import CATALOGUE
from ionos_openai.hub.credentials import SANDBOX_TOKEN, TOKEN_ADVICE
from ionos_openai.hub.models import find_model, suggest_model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx2 as httpx

Item = TypeVar("Item")

_LONGEST_NAME = 100
_LONGEST_ID = 200
# What parsing an answer that is not what it should be ends in: bad JSON, or JSON that is no object.
UNREADABLE = (ValueError, AttributeError, RecursionError)
NOTHING = object()
_OTHER_LOOP = (
    "Connection error. The http_client= was used in another event loop, which has ended, and its connections with it: "
    "make a client in each, or leave http_client= out."
)
_UNTRUSTED = (
    " The server's certificate is not trusted: behind a proxy with a CA of its own, name the CA's PEM file with "
    "ca_bundle=, IONOS_CA_BUNDLE or --ca-bundle."
)
_OPENAI_MODEL = re.compile(r"(?:gpt|chatgpt|o\d|text-embedding|text-moderation|davinci|babbage|whisper|tts)\b.*")
_HINTS = {
    401: f" The likely cause: the token is wrong, was deleted or has expired. {TOKEN_ADVICE}",
    403: " The likely cause: the token's user has no access to the AI Model Hub, or not to this model.",
    429: " A limit of the contract is reached: wait for the time in the Retry-After header, then try again.",
}


for _kind in list(vars(openai).values()):
    if type(_kind) is type and issubclass(_kind, openai.OpenAIError):  # not `isinstance`: a proxy would load
        copyreg.pickle(_kind, reduced)  # which cannot be made of their message alone


def describe_answer(response: httpx.Response, body: object) -> str:
    """Say in a line what the service answered with a 4xx or 5xx status, and what to do; never a token or base64."""
    said = read_error_body(body, _token_of(response.request))
    code = f" ({said.code})" if said.code else ""
    text = said.message or "the answer has no text"
    hint = _hint(response, said.message)
    return f"Error code: {response.status_code} - {text}{code}{'' if text.endswith('.') and not code else '.'}{hint}"


def readable_body(response: httpx.Response, body: object) -> object:
    """Return `body` for the exception's `.body`, with tokens and base64 masked."""
    return mask_body(body, _token_of(response.request))


def add_ids(error: openai.APIStatusError) -> openai.APIStatusError:
    """Fill `.code` and `.request_id` from IONOS' `errorCode` and `x-trace-id` (recorded answers, 2026-11)."""
    error.code = error.code or read_error_body(error.body).code
    error.request_id = _request_id(error.response)
    return error


def _request_id(response: httpx.Response) -> str | None:
    said = response.headers.get("x-request-id") or response.headers.get("x-trace-id")
    return mask_secrets(said, _token_of(response.request))[:_LONGEST_ID] if said else None


def is_readable(response: httpx.Response) -> bool:
    """Tell whether an answer is a JSON object, as all of the service's are."""
    with contextlib.suppress(ValueError, RecursionError):
        return isinstance(json.loads(response.content), dict)
    return False


def check_parsed(parsed: Any, response: httpx.Response, cast_to: object) -> Any:
    """Return what the SDK made of an answer, `NOTHING` where it could not be parsed; a stream's events are checked too.

    Where one of the SDK's objects belongs and there is none, it is an `openai.APIResponseValidationError`.
    """
    if isinstance(parsed, openai.Stream | openai.AsyncStream):
        checked = _explained_events if isinstance(parsed, openai.Stream) else _aexplained_events
        parsed._iterator = checked(parsed._iterator, response)  # type: ignore[arg-type]  # of its own kind
    wants_object = isinstance(cast_to, type) and issubclass(cast_to, BaseModel)
    is_none = wants_object and isinstance(parsed, (str, int, float, list, type(None)))
    if parsed is NOTHING or (is_none and not is_readable(response)):  # a parser of the user's may make anything of one
        raise _unreadable(response, f"The answer ({len(response.content)} bytes)")
    return parsed


def _unreadable(response: httpx.Response, what: str) -> openai.APIResponseValidationError:
    # The body stands masked on the error, and of its message only words: a picture or a token may be in it.
    kind = mask_secrets(response.headers.get("content-type", "").partition(";")[0])[:_LONGEST_NAME] or "no content type"
    message = (
        f"{what} is not the JSON object that the service sends (status {response.status_code}, {kind}): it was cut "
        "off, or base_url does not lead to the service."
    )
    body = None
    with contextlib.suppress(RuntimeError):  # a stream's was not kept
        body = mask_secrets(response.text, _token_of(response.request))
    with contextlib.suppress(ValueError, RuntimeError):  # some gateways refuse with a list
        parsed = json.loads(response.content)
        said = read_error_body(parsed, _token_of(response.request)).message if isinstance(parsed, list) else None
        message += f" It says: {said}" if said else ""
    error = openai.APIResponseValidationError(response, body, message=message)
    error.request_id = _request_id(response)  # type: ignore[attr-defined]  # as an APIStatusError has it
    return error


def _explained_events(events: Iterator[Item], response: httpx.Response) -> Iterator[Item]:
    """Pass on a stream's events; an error among them, or one that is no JSON, says so and shows no secret."""
    with _explaining_event(response):
        yield from events
        return
    raise _unreadable(response, "An event of the stream")


async def _aexplained_events(events: AsyncIterator[Item], response: httpx.Response) -> AsyncIterator[Item]:
    with _explaining_event(response):
        async for event in events:
            yield event
        return
    raise _unreadable(response, "An event of the stream")


@contextlib.contextmanager
def _explaining_event(response: httpx.Response) -> Iterator[None]:
    """Explain an error among a stream's events; leave the block at one that is no JSON."""
    try:
        yield
    except json.JSONDecodeError:
        return
    except openai.APIError as error:
        forget_variables(error, outside=error.__context__)
        if isinstance(error, openai.APIConnectionError):
            raise
        error.body = readable_body(response, error.body)
        said = read_error_body(error.body)
        error.code = said.code
        error.message = said.message or mask_secrets(error.message, _token_of(response.request))
        error.args = (error.message,)
        error.request_id = _request_id(response)  # type: ignore[attr-defined]  # as an APIStatusError has it
        raise


@contextlib.contextmanager
def explaining_connections() -> Iterator[None]:
    """Add the cause, and for a certificate the remedy, to a connection error; of any error the frames' variables go."""
    outside = sys.exception()
    try:
        yield
    except BaseException as error:
        forget_variables(error, outside=outside)
        if isinstance(error, RuntimeError) and re.search(
            r"[Ee]vent loop is closed|different (event )?loop", str(error)
        ):
            request = http_library().Request("POST", "https://another-loop.invalid/")
            raise openai.APIConnectionError(message=_OTHER_LOOP, request=request) from error
        cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
        if isinstance(cause, IonosError):
            raise cause from None  # which the SDK before 3.20 takes for a broken connection
        if cause is not None and not isinstance(error, openai.APITimeoutError):
            error.message = _describe_connection(error, cause)  # type: ignore[attr-defined,arg-type]  # as seen above
            error.args = (error.message,)  # type: ignore[attr-defined]
        raise


def _describe_connection(error: openai.APIConnectionError, cause: BaseException) -> str:
    # Masked before it is cut: half a token would not be known for one.
    text = " ".join(mask_secrets(str(cause)[:10_000], _token_of(error.request)).split())
    proxy = proxy_asked()
    between = f" The proxy {proxy} was asked, which a variable such as HTTPS_PROXY names: is it right?" if proxy else ""
    untrusted = _UNTRUSTED if _is_certificate_failure(error) else ""
    return f"{error.message} ({text[:300] or type(cause).__name__}){between}{untrusted}"


def _is_certificate_failure(error: BaseException) -> bool:
    cause: BaseException | None = error
    for _ in range(20):  # causes may go in a circle
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause and (cause.__cause__ or cause.__context__)
    return "CERTIFICATE_VERIFY_FAILED" in str(error.__cause__)


def _hint(response: httpx.Response, said: str | None) -> str:
    status, is_image = response.status_code, response.request.url.path.endswith(tuple(IMAGE_PATHS))
    if 300 <= status < 400:
        return (
            f" It redirects to {printable(mask_secrets(redirects_to(response)))}, where nothing was sent: the API has "
            "no redirects. Check base_url, and what stands between you and the service."
        )
    if status in (500, 502):
        cut = ", and a picture whose answer was lost on the way may be billed"
        return f" It is no fault of the request: try again later{cut if is_image else ''}."
    if status not in (400, 404):
        return _HINTS.get(status, "")
    model = _model_sent(response)
    if is_image:
        return _model_hint(model, unexplained=said is None or status == 404)
    if model and _OPENAI_MODEL.fullmatch(model):
        name = mask_secrets(model)
        return f" The service may not offer the model {name!r}; client.models.list() tells what it offers."
    return ""


def _model_hint(model: str | None, *, unexplained: bool) -> str:
    """Return what to say of the model; a model that the catalogue has is suspected only without another reason."""
    known = find_model(model) if model else None
    if known is not None and not (unexplained or known.retired):
        return ""
    offered = ", ".join(offer.id for offer in CATALOGUE if not offer.retired)
    meant = suggest_model(model) if model and known is None else None
    problem = f" The service may not offer the model {mask_secrets(model)!r}." if model else ""
    return f"{problem}{f' Did you mean {meant}?' if meant else ''} Known image models: {offered}."


def _model_sent(response: httpx.Response) -> str | None:
    with contextlib.suppress(RuntimeError, ValueError, LookupError, TypeError):  # multipart, or streamed away
        model = json.loads(response.request.content)["model"]
        return model[:_LONGEST_NAME] if isinstance(model, str) else None
    return None


def _token_of(request: httpx.Request) -> str | None:
    token = request.headers.get("authorization", "").partition(" ")[2]
    return token if token != SANDBOX_TOKEN else None
