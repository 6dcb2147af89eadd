"""The sandbox itself: what it answers to which request; a refusal has the name of its row in `behaviours.toml`."""

from __future__ import annotations

import hashlib
import itertools
import logging
import math
import random
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pybase64

from ionos_openai.errors import InvalidRequestError
from ionos_openai.hub.catalogue import DEFAULT_SIZE
from ionos_openai.hub.credentials import SANDBOX_TOKEN
from ionos_openai.hub.models import broken_rule, find_model, parse_size
from ionos_openai.sandbox import faults as faulty, wire
from ionos_openai.sandbox.chat import chat, complete, embed, purpose_of
from ionos_openai.sandbox.drawing import PlaceholderFormat, picture_size, placeholder
from ionos_openai.sandbox.faults import FaultsOption, LatencyOption
from ionos_openai.sandbox.journal import PREFIX, Journal, RecordedRequest
from ionos_openai.sandbox.limits import Buckets, LimitsOption, read_limits
from ionos_openai.sandbox.wire import Content, Refusal, SandboxRequest, SandboxResponse, json_answer, read_content

_log = logging.getLogger("ionos_openai.sandbox")

# Source: GET /v1/models as recorded in 2026-08, in its order; owned_by was not recorded.
MODELS_2026_08 = tuple(Path(__file__).with_name("models-2026-08.txt").read_text("utf-8").split())

_LONGEST_SIDE = 4096  # px
_IMAGES = "/v1/images/"
_SLOW_BODY_PAUSE = 10.0  # seconds
_SLOWEST, _FASTEST = 0.001, 1_000_000  # of time_scale
_MOST_REMEMBERED = 10_000  # pictures
_TOLD_BROWSERS = "x-sandbox, x-sandbox-reason, x-trace-id, retry-after"
_OPEN = {"access_control_allow_origin": "*", "access_control_expose_headers": _TOLD_BROWSERS}


class Sandbox:
    """A stand-in for the IONOS AI Model Hub: in this process, or behind a `SandboxServer`.

    It may be used from several threads at once. The same requests in the same order give the same answers: chance is
    thrown alike in every run. The second of two equal requests for a picture gives another one than the first. Its
    `requests` are the last 1000, the newest last, without tokens and base64. What is none of these is a ValueError.

    Args:
        token: The only bearer token that is taken; by default, or where it is blank, any is.
        unknown_model: What refuses a model that is unknown or makes no images: a 400 without a body, or a 404.
        image_format: What pictures are encoded as; by default JPEG.
        models: Ids of the models that it offers, or entries of a recorded list; by default the ids of 2026-08.
        faults: What it shows again and again: names, each for every request, or names with a rate from 0 to 1
            (`{"rate-limit": 0.2}` or `["rate-limit:0.2"]`). See `fault()` for the names.
        sizes: "documented" refuses sizes that break a documented rule; "any" draws them.
        embeddings_base64: What embeddings in base64 are answered with: the recorded 500, or base64.
        cors: Whether programs in a browser's page may ask below /v1; what the service allows them is not known.
        limits: "documented" counts each token's requests as is documented, and answers 429 past them;
            "IMAGES_PER_MINUTE:BURST" limits images alone; by default nothing is counted.
        latency: How long each answer takes, in seconds, or a range of them; by default no longer than it needs.
        time_scale: How many times faster than real time limits fill and slow bodies come, from 0.001 to a million.
        clock: Returns seconds that never run backwards; what the limits are counted by.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        unknown_model: Literal["empty-400", "not-found"] = "empty-400",
        image_format: PlaceholderFormat | None = None,
        models: Iterable[str | Mapping[str, object]] | None = None,
        faults: FaultsOption = None,
        sizes: Literal["documented", "any"] = "documented",
        embeddings_base64: Literal["error", "answer"] = "error",
        cors: bool = False,
        limits: LimitsOption = None,
        latency: LatencyOption = None,
        time_scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up a sandbox; see the class for the arguments."""
        _check("unknown_model", unknown_model, "empty-400", "not-found")
        _check("image_format", image_format or "JPEG", "JPEG", "PNG", "WEBP")
        _check("sizes", sizes, "documented", "any")
        _check("embeddings_base64", embeddings_base64, "error", "answer")
        if not isinstance(time_scale, int | float) or not _SLOWEST <= time_scale <= _FASTEST:
            raise ValueError(f"time_scale is a number from {_SLOWEST} to {_FASTEST}, not {time_scale!r}.")
        self._journal = Journal(_PATHS)
        self.requests: deque[RecordedRequest] = self._journal.requests
        self.token = (token or "").strip() or None
        self._unknown_model, self._sizes, self._cors = unknown_model, sizes, cors
        self._embeddings_base64, self._format = embeddings_base64, image_format or "JPEG"
        self._models = _by_id(MODELS_2026_08 if models is None else models)
        self._standing_faults, self._latency = faulty.read_faults(faults), faulty.read_latency(latency)
        self._faults: deque[tuple[str, int]] = deque()
        self._takes: dict[bytes, int] = {}
        self._time_scale, self._clock = time_scale, clock
        self._chance = random.Random(0)  # noqa: S311  # the same in every run
        self._lock = threading.Lock()
        self._errors, self._chats = itertools.count(1), itertools.count(1)
        self.limits(limits)

    def limits(self, limits: LimitsOption = None, **numbers: float) -> None:
        """Count requests from now on against other limits, every bucket full.

        They are given as to the class, or as `images_per_minute`, `image_burst`, `requests_per_second` and
        `request_burst`; what of a pair is left out is as documented. Anything else is a ValueError or TypeError.
        """
        read = read_limits(limits, **numbers)  # type: ignore[arg-type]  # a burst is whole; a Rate would not mind
        self._buckets = Buckets(read, time_scale=self._time_scale, clock=self._clock)

    def fault(self, name: str, *, times: int = 1) -> None:
        """Show a fault at the next requests, at least one, after those that were asked for before.

        It is one of `ionos_openai.sandbox.faults.FAULT_NAMES`, or a ValueError; what befalls pictures waits for one.
        """
        faulty.check_fault(name)
        if times < 1:
            raise ValueError(f"A fault is shown at least once, not {times} times.")
        with self._lock:
            self._faults.append((name, times))

    def respond(self, request: SandboxRequest) -> SandboxResponse:
        """Answer a request; whatever it holds, this never raises and never waits."""
        is_own = request.route == "/" or request.route.startswith(PREFIX)
        is_open = is_own or self._cors
        try:
            if is_open and request.method.upper() == "OPTIONS" and request.header("access-control-request-method"):
                response = _to_a_browser(request)
            elif is_own:
                token = SANDBOX_TOKEN if self.token is None else "the token of --token"
                response = self._journal.answer(request, token=token)
            else:
                response = self._answer(request)
        except Refusal as refusal:
            response = refusal.answer()
        except Exception:  # noqa: BLE001  # nothing may come out of here but an answer
            # A mistake of ours must not look like one of the caller's: over HTTP it would end the connection.
            _log.exception("The sandbox failed at a request.")
            response = wire.error_answer(500, "sandbox-mistake", "The sandbox itself failed; its log says why")
        # So that nobody, a recorder of cassettes least of all, takes it for the service's.
        response = response.with_headers(**{wire.SANDBOX_HEADER: "ionos-openai"})
        if is_open:
            response = response.with_headers(**_OPEN)
        if request.method.upper() == "HEAD":
            response = replace(response.with_headers(content_length=str(len(response.body))), body=b"")
        if response.status < 400:
            return response
        trace = hashlib.sha256(f"ionos-openai sandbox {next(self._errors)}".encode()).hexdigest()[:32]
        return response.with_headers(x_trace_id=trace)

    def _answer(self, request: SandboxRequest) -> SandboxResponse:
        content = read_content(request)
        recorded = self._journal.keep(request, content)
        try:
            recorded.fault = fault = self._next_fault(request)
            if fault == "server-error":
                response = faulty.server_error(images=request.path.startswith(_IMAGES))
            else:
                response = faulty.MADE_UP[fault]() if fault in faulty.MADE_UP else self._serve(request, content)
        except Refusal as refusal:
            response = refusal.answer()
        spoil = faulty.PICTURE_FAULTS.get(recorded.fault)
        response = spoil(response) if spoil and response.status == 200 else response
        with self._lock:
            response = replace(response, delay=self._chance.uniform(*self._latency) if self._latency[1] else 0.0)
        if connection := faulty.CONNECTION_FAULTS.get(recorded.fault):
            pause = _SLOW_BODY_PAUSE / self._time_scale if connection == "slow-body" else 0.0
            response = replace(response, connection=connection, pause=pause)
        if recorded.fault:
            response = response.because(f"the fault {recorded.fault} was asked for")
        self._journal.close(recorded, request, response)
        return response

    def _next_fault(self, request: SandboxRequest) -> str:
        """Return the name of the fault for this request, empty where none is due."""
        exempt = frozenset() if request.path.startswith(_IMAGES) else faulty.PICTURE_FAULT_NAMES
        named = request.header("x-sandbox-fault").strip()
        if named and named not in faulty.FAULT_NAMES:
            faults = ", ".join(faulty.FAULT_NAMES)
            raise Refusal(400, "unknown-fault", f"x-sandbox-fault names no fault; the faults are {faults}")
        if named:
            return "" if named in exempt else named
        with self._lock:
            if self._faults and self._faults[0][0] not in exempt:
                name, left = self._faults.popleft()
                if left > 1:
                    self._faults.appendleft((name, left - 1))
                return name
            possible = (pair for pair in self._standing_faults if pair[0] not in exempt)
            return next((name for name, rate in possible if self._chance.random() < rate), "")

    def _serve(self, request: SandboxRequest, content: Content) -> SandboxResponse:
        token, path = request.token, request.route
        if token is None:
            return wire.unauthorized("no token came")
        known, sent = ((text or "").encode("utf-8", "replace") for text in (self.token, token))
        if self.token is not None and not secrets.compare_digest(sent, known):
            return wire.unauthorized("it is not the token that is taken here")
        if wait := self._buckets.take(token, image=path.startswith(_IMAGES)):
            limited = faulty.rate_limit(max(1, math.ceil(wait)))
            return limited.because(f"a limit is reached; in {wait:.1f} s it is not")
        if path not in _PATHS:
            raise Refusal(404, "unknown-path", f"There is nothing at {request.mask(path)[:200]}: {_slip(path)}")
        method, serve = _PATHS[path]
        if request.method.upper() not in ((method, "HEAD") if method == "GET" else (method,)):
            return Refusal(405, "unknown-path", f"This path is asked with {method}").answer().with_headers(allow=method)
        if content.refusal is not None:
            raise content.refusal
        return serve(self, content)

    def _list_models(self) -> SandboxResponse:
        now = int(time.time())
        blank = {"id": "", "object": "model", "created": now, "owned_by": "unknown"}
        return json_answer({"data": [blank | entry for entry in self._models.values()], "object": "list"})

    def _generate(self, content: Content) -> SandboxResponse:
        model, prompt = self._asked(content, "images", "prompt")
        _check_picture(content)
        return self._picture(prompt, model, self._read_size(content, model) or parse_size(DEFAULT_SIZE))

    def _edit(self, content: Content) -> SandboxResponse:
        model, prompt = self._asked(content, "images", "prompt")
        known = find_model(model)
        if known is not None and known.can_edit is False:
            raise Refusal(400, "cannot-edit", f"{known.name} makes pictures from text alone")
        _check_picture(content)
        files = [(name.partition("[")[0], data) for name, data in content.files if _PICTURE_FIELD.fullmatch(name)]
        images = tuple(data for name, data in files if name == "image")
        if not images:
            raise Refusal(400, "edits", "The form has no file named image or image[]")
        for name, data in files:
            try:
                picture_size(data)
            except ValueError as error:
                raise Refusal(400, "edits", f"{name} is {error}") from None
        size = self._read_size(content, model) or _edit_size(*picture_size(images[0]), model)
        return self._picture(prompt, model, size, *images)

    def _picture(self, prompt: str, model: str, size: tuple[int, int], *images: bytes) -> SandboxResponse:
        try:
            take = self._take(ascii((prompt, model, size)).encode(), *images)
            data = placeholder(prompt, model=model, size=size, format=self._format, inputs=images, take=take)
        except ValueError as error:
            raise Refusal(400, "edits", f"An input is {error}") from None
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        # No "created": whether the service sends it was not recorded, and clients must bear its absence.
        answer = {"data": [{"b64_json": pybase64.b64encode(data).decode("ascii")}]}
        return json_answer(answer if images else {**answer, "usage": usage})

    def _take(self, *parts: bytes) -> int:
        """Return how often this very picture has been asked for, this time included."""
        key = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
        with self._lock:
            take = self._takes[key] = self._takes.pop(key, 0) + 1
            if len(self._takes) > _MOST_REMEMBERED:
                del self._takes[next(iter(self._takes))]
        return take

    def _talk(self, content: Content, answer: Callable[..., SandboxResponse]) -> SandboxResponse:
        (model,) = self._asked(content, "chat")
        return answer(content.values, model, next(self._chats))

    def _embed(self, content: Content) -> SandboxResponse:
        (model,) = self._asked(content, "embeddings")
        if content.values.get("encoding_format") != "base64" or self._embeddings_base64 == "answer":
            return embed(content.values, model)
        hint = "encoding_format=float does not, nor does --embeddings-base64 answer"
        return faulty.server_error().because(f"base64 ends so, as was recorded; {hint}")

    def _asked(self, content: Content, purpose: str, *needed: str) -> list[str]:
        """Return the model and what else is needed; refuse what is missing, or not offered for this purpose."""
        values = []
        for name in ("model", *needed):
            value = content.values.get(name)
            if not isinstance(value, str) or not value.strip():
                raise Refusal(400, "required", f"{name} is missing")
            values.append(value)
        is_offered, silent = values[0] in self._models, self._unknown_model == "empty-400"
        if is_offered and purpose_of(values[0]) == purpose:
            return values
        what = f"is no model for {purpose}" if is_offered else "is none of the models in GET /v1/models"
        raise Refusal(400 if silent else 404, "unknown-model", f"{values[0][:100]} {what}", silent=silent)

    def _read_size(self, content: Content, model: str) -> tuple[int, int] | None:
        """Return the asked width and height in px, or None where the request leaves the size out."""
        size = content.values.get("size")
        if size is None:
            return None
        try:
            width, height = parse_size(str(size).replace("*", "x", 1))
            is_plain = size in (f"{width}x{height}", f"{width}*{height}")
        except InvalidRequestError:
            width, height, is_plain = 0, 0, False
        if not is_plain:
            raise Refusal(400, "size", "size must be WIDTHxHEIGHT, such as 1024x1024")
        if max(width, height) > _LONGEST_SIDE:
            raise Refusal(400, "size-limit", f"No side may be longer than {_LONGEST_SIDE} px")
        if broken := broken_rule(model, width, height):
            rule, makes = broken
            if rule.is_official and self._sizes == "documented":
                told = f"{makes}, as is documented, not {size}; --sizes any (sizes=) draws it"
                raise Refusal(400, "other-sizes", told)
            doubt = "%s, as far as is known%s; %s is drawn all the same, but the service may refuse it."
            _log.warning(doubt, makes, "" if rule.is_official else " from a client's code", size)
        return width, height


_PATHS: dict[str, tuple[str, Callable[[Sandbox, Content], SandboxResponse]]] = {
    "/v1/models": ("GET", lambda sandbox, _content: sandbox._list_models()),
    "/v1/images/generations": ("POST", lambda sandbox, content: sandbox._generate(content)),
    "/v1/images/edits": ("POST", lambda sandbox, content: sandbox._edit(content)),
    "/v1/chat/completions": ("POST", lambda sandbox, content: sandbox._talk(content, chat)),
    "/v1/completions": ("POST", lambda sandbox, content: sandbox._talk(content, complete)),
    "/v1/embeddings": ("POST", lambda sandbox, content: sandbox._embed(content)),
}
_PICTURE_FIELD = re.compile(r"image(\[\d*\])?|mask")


def _slip(path: str) -> str:
    """Say what was likely meant by a path at which there is nothing: most clients that ask there are set up wrong."""
    plain = "/" + "/".join(filter(None, path.split("/")))
    rest = plain.removeprefix("/v1")
    meant = max((name for name in _PATHS if plain.endswith(name.removeprefix("/v1"))), key=len, default="")
    if plain in _PATHS:
        return f"without the slash too many it is {plain}"
    if plain.startswith("/v1/v1"):
        return f"/v1 stands in it twice, as the base URL has it already{f'; it is {meant}' if meant else ''}"
    if meant:
        return f"it is {meant}, so the base URL ends in /v1{'' if meant == f'/v1{plain}' else ' and nothing else'}"
    if rest in ("", "/"):
        return "it is the base URL itself; GET /v1/models lists the models"
    if rest.startswith("/responses"):
        return "the Responses API is not documented; the chat completions API is, at /v1/chat/completions"
    if rest.startswith("/models/"):
        is_native = rest.endswith("/predictions")
        why = "the native API was removed on 2026-05-05" if is_native else "no path for one model is documented"
        return f"{why}; GET /v1/models lists them all"
    return f"there are {', '.join(sorted(_PATHS))}"


def _by_id(models: Iterable[str | Mapping[str, object]]) -> dict[str, dict[str, object]]:
    entries: list[dict[str, object]] = [{"id": model} if isinstance(model, str) else dict(model) for model in models]
    if not all(isinstance(entry.get("id"), str) and entry["id"] for entry in entries):
        raise ValueError("A model needs an id.")
    return {str(entry["id"]): entry for entry in entries}


def _check(name: str, value: object, *known: str) -> None:
    if value not in known:
        *others, last = map(repr, known)
        raise ValueError(f"{name} is {', '.join(others)} or {last}, not {value!r}.")


def _to_a_browser(request: SandboxRequest) -> SandboxResponse:
    """Answer what a browser asks before it lets a page ask."""
    wanted = request.header("access-control-request-headers") or "*"
    headers = "".join(letter for letter in wanted if letter.isascii() and letter.isprintable())
    return SandboxResponse(status=204, headers={}, body=b"").with_headers(
        access_control_allow_headers=headers,
        access_control_allow_methods="GET, HEAD, POST, DELETE",
        access_control_allow_private_network="true",
        access_control_max_age="600",
    )


def _check_picture(content: Content) -> None:
    if content.values.get("stream") not in (None, False, "false"):
        raise Refusal(400, "stream", "Pictures do not come as a stream: leave stream out")
    number = content.values.get("n")
    # In Python, 1 == True == 1.0.
    is_one = number == "1" if content.is_form else type(number) is int and number == 1
    if number is not None and not is_one:
        raise Refusal(400, "n", "n can only be 1")


def _edit_size(width: int, height: int, model: str) -> tuple[int, int]:
    """Return the size nearest to an input's that the model makes, with about the same shape, in px."""
    known = find_model(model)
    rule = known.size_rule if known else None
    step, least, most = 1, 1, _LONGEST_SIDE
    if rule is not None and not rule.choices:
        step, least, most = rule.multiple_of, rule.minimum, min(rule.maximum or most, most)
    shrink = min(1.0, most / max(width, height))
    across, down = (min(most, max(least, round(side * shrink / step) * step)) for side in (width, height))
    return across, down
