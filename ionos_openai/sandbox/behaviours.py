"""What the stand-in does, and how each of its behaviours is known.

Nothing in here was tried against the live service. A row's basis is that of the behaviour itself; what the stand-in
had to decide beside it, since nobody has published it, stands in `chosen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

BehaviourBasis: TypeAlias = Literal["DOC", "REC", "CODE", "INF", "choice"]
"""DOC: an official page. REC: a recorded answer. CODE: a client's code. INF: inferred. choice: nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One thing that the stand-in does.

    Attributes:
        name: What it is called; an error that the stand-in made up has the code "sandbox-" and this name.
        does: What the stand-in does.
        basis: How it is known that the service does so.
        chosen: What the stand-in had to decide about it; empty where nothing.
    """

    name: str
    does: str
    basis: BehaviourBasis
    chosen: str = ""


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        name="unauthorized",
        does="Without a bearer token: 401 with code paas-auth-1 and the header x-trace-id.",
        basis="REC",
        chosen="Any token is taken unless one is fixed; trace ids are a digest of a counter.",
    ),
    Behaviour(
        name="models",
        does="GET /v1/models lists the models of 2026-08; entries have exactly id, object, created, owned_by.",
        basis="REC",
        chosen="owned_by was not recorded in 2026-08 and is sent as 'unknown'.",
    ),
    Behaviour(
        name="models-created",
        does="Each model's created is the time of the answer, as it was in 2026.",
        basis="REC",
    ),
    Behaviour(
        name="image-answer",
        does="A picture comes as base64 in data[0].b64_json, whatever response_format says, with zero usage.",
        basis="REC",
        chosen="created, url and revised_prompt are left out: whether the service sends them was not recorded.",
    ),
    Behaviour(
        name="jpeg",
        does="FLUX.1-schnell answers a JPEG: JFIF 1.01, baseline, 4:2:0.",
        basis="REC",
    ),
    Behaviour(
        name="other-formats",
        does="Every other model answers a JPEG too.",
        basis="choice",
        chosen="FLUX.2's format is unknown; image_format= sends another one, for every model.",
    ),
    Behaviour(
        name="required",
        does="Images need model and prompt.",
        basis="DOC",
        chosen="400 with the error below where one is missing, empty or no text.",
    ),
    Behaviour(
        name="n",
        does="n above 1 fails.",
        basis="REC",
        chosen="400 with the error below; so does any other n that is not 1.",
    ),
    Behaviour(
        name="size",
        does="size is WIDTHxHEIGHT; FLUX.1-schnell has three sizes.",
        basis="DOC",
        chosen="400 with the error below for another one; 1024x1024 where it is left out.",
    ),
    Behaviour(
        name="client-size-rule",
        does="FLUX.2's sides are multiples of 16 from 64 to 2048 px.",
        basis="CODE",
        chosen="Other sizes are drawn all the same, with a warning in the log.",
    ),
    Behaviour(
        name="size-limit",
        does="A side above 4096 px fails with 400.",
        basis="choice",
        chosen="It bounds the stand-in's memory; so does a limit of 64 MiB for a request (413).",
    ),
    Behaviour(
        name="unknown-model",
        does="A model that is unknown or makes no images: 400 with an empty body.",
        basis="REC",
        chosen="The documentation says 404; unknown_model='not-found' answers so.",
    ),
    Behaviour(
        name="ignored-parameters",
        does="Parameters that nothing is known of (seed, quality, output_format, user) are ignored.",
        basis="choice",
    ),
    Behaviour(
        name="edits",
        does="POST /v1/images/edits takes a multipart form with image or image[], and mask, prompt, model, size.",
        basis="INF",
        chosen="The size left out is the first picture's, made to fit; what is no picture fails with 400.",
    ),
    Behaviour(
        name="cannot-edit",
        does="FLUX.1-schnell makes pictures from text alone.",
        basis="DOC",
        chosen="400 with the error below where it is asked to edit.",
    ),
    Behaviour(
        name="error-shape",
        does="A refused request answers httpStatus and messages[] with errorCode and message, as the 401 does.",
        basis="INF",
        chosen="The texts, and codes that begin with 'sandbox-'.",
    ),
    Behaviour(
        name="malformed",
        does="A body that is not a JSON object, or not a form, fails with 400.",
        basis="choice",
    ),
    Behaviour(
        name="unknown-path",
        does="An unknown path fails with 404, a wrong method with 405.",
        basis="choice",
        chosen="The error shape above.",
    ),
    Behaviour(
        name="unknown-fault",
        does="The header x-sandbox-fault fails with 400 where it names no fault.",
        basis="choice",
    ),
    Behaviour(
        name="rate-limit",
        does="Past a limit: 429 with Retry-After.",
        basis="DOC",
        chosen="The body. Limits are counted where they are asked for, which the server does unless told otherwise.",
    ),
    Behaviour(
        name="image-limit",
        does="Images: 10 a minute, 20 in a burst, which refills by one every 6 s.",
        basis="DOC",
        chosen="Counted per token, whatever the answer is; a 429 itself takes nothing.",
    ),
    Behaviour(
        name="request-limit",
        does="Requests: 5 a second, 10 in a burst.",
        basis="DOC",
        chosen="Counted per token and refilled as for images; requests for images count too.",
    ),
    Behaviour(
        name="server-error",
        does="A failure behind the service: 500 with error.message.",
        basis="REC",
        chosen="It is shown on request; the text is that of the recorded one.",
    ),
    Behaviour(
        name="chat",
        does="POST /v1/chat/completions answers a chat completion, or its chunks as events with stream.",
        basis="DOC",
        chosen="A fixed text that says that it is a placeholder; usage counts words; OpenAI's shapes.",
    ),
    Behaviour(
        name="embeddings",
        does="POST /v1/embeddings answers lists of floats.",
        basis="REC",
        chosen="A direction thrown with the input's digest, of length 1; usage counts words; at most 2048 inputs.",
    ),
    Behaviour(
        name="embeddings-base64",
        does="Embeddings with encoding_format base64 end in a 500 with the recorded body.",
        basis="REC",
    ),
    Behaviour(
        name="expired",
        does="On request: an expired token is refused as a wrong one is.",
        basis="INF",
        chosen="The body of the recorded 401; no token ever expires by itself here.",
    ),
    Behaviour(
        name="reports",
        does="GET /sandbox/health, /sandbox/requests and /sandbox/stats tell of the stand-in; DELETE clears.",
        basis="choice",
        chosen="The service has no such paths, nor its answers the header x-sandbox; no token is asked for or shown.",
    ),
)
