"""What the sandbox does, and how each of its behaviours is known.

Nothing in here was tried against the live service. A row's basis is that of the behaviour itself; what the sandbox
had to decide beside it, since nobody has published it, stands in `chosen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

BehaviourBasis: TypeAlias = Literal["DOC", "REC", "CODE", "INF", "choice"]
"""DOC: an official page. REC: a recorded answer. CODE: a client's code. INF: inferred. choice: nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One thing that the sandbox does."""

    name: str  # what it is called; an error that the sandbox made up has the code "sandbox-" and this name
    does: str  # what the sandbox does
    basis: BehaviourBasis  # how it is known that the service does so
    chosen: str = ""  # what the sandbox had to decide about it; empty where nothing


# A row a behaviour: its name and basis, what the sandbox does, and what it had to decide about it.
# fmt: off
_ROWS: tuple[tuple[str, BehaviourBasis, str, str], ...] = (
    ("unauthorized", "REC", "Without a bearer token: 401 with code paas-auth-1 and the header x-trace-id.",
     "Any token is taken unless one is fixed; trace ids are a digest of a counter."),
    ("models", "REC", "GET /v1/models lists the models of 2026-08; entries have exactly id, object, created, owned_by.",
     "owned_by was not recorded in 2026-08 and is sent as 'unknown'."),
    ("models-created", "REC", "Each model's created is the time of the answer, as it was in 2026.", ""),
    ("image-answer", "REC",
     "A picture comes as base64 in data[0].b64_json, whatever response_format says, with zero usage.",
     "created, url and revised_prompt are left out: whether the service sends them was not recorded."),
    ("jpeg", "REC", "FLUX.1-schnell answers a JPEG: JFIF 1.01, baseline, 4:2:0.", ""),
    ("other-formats", "choice", "Every other model answers a JPEG too.",
     "FLUX.2's format is unknown; image_format= sends another one, for every model."),
    ("required", "DOC", "Images need model and prompt.",
     "400 with the error below where one is missing, empty or no text."),
    ("n", "REC", "n above 1 fails.",
     "400 with the error below; so does any other n that is not 1."),
    ("size", "DOC", "size is WIDTHxHEIGHT, or with * as on the API's page; FLUX.1-schnell has three sizes.",
     "400 with the error below for what cannot be read; 1024x1024 where it is left out."),
    ("other-sizes", "choice", "FLUX.1-schnell refuses any other size than its three with 400.",
     "No refusal was ever recorded; sizes='any' draws them."),
    ("client-size-rule", "CODE", "FLUX.2's sides are multiples of 16 from 64 to 2048 px.",
     "Other sizes are drawn all the same, with a warning in the log."),
    ("size-limit", "choice", "A side above 4096 px fails with 400.",
     "It bounds the sandbox's memory, as do 64 MiB for a request (413), and 256 MiB for all in work (503)."),
    ("unknown-model", "REC", "A model that is unknown or makes no images: 400 with an empty body.",
     "The documentation says 404; unknown_model='not-found' answers so."),
    ("ignored-parameters", "choice",
     "Parameters that nothing is known of (seed, quality, output_format, user) are ignored.",
     ""),
    ("stream", "DOC", "Pictures do not come as a stream.",
     "stream=true is refused with 400, for every model; the documentation has it of FLUX.1-schnell."),
    ("equal-requests", "REC", "Equal requests give different pictures.",
     "The k-th of them gives the same picture in each run; it was recorded of FLUX.2-klein-4B."),
    ("edits", "INF",
     "POST /v1/images/edits takes a multipart form with image or image[], and mask, prompt, model, size.",
     "The size left out is the first picture's, made to fit; what is no picture fails with 400; no usage is sent."),
    ("cannot-edit", "DOC", "FLUX.1-schnell makes pictures from text alone.",
     "400 with the error below where it is asked to edit."),
    ("error-shape", "INF",
     "A refused request answers httpStatus and messages[] with errorCode and message, as the 401 does.",
     "The texts, codes that begin with 'sandbox-', error.message beside messages[], the header x-sandbox-reason."),
    ("malformed", "choice", "A body that is not a JSON object, or not a form, fails with 400.", ""),
    ("unknown-path", "choice", "An unknown path fails with 404, a wrong method with 405; HEAD is a GET without a body.",
     "The error shape above, with the likely slip; a slash at the end makes a path unknown."),
    ("unknown-fault", "choice", "The header x-sandbox-fault fails with 400 where it names no fault.", ""),
    ("rate-limit", "DOC", "Past a limit: 429 with Retry-After.",
     "The body. Limits are counted where they are asked for, which the server does unless told otherwise."),
    ("image-limit", "DOC", "Images: 10 a minute, 20 in a burst, which refills by one every 6 s.",
     "Counted per token, whatever the answer is; a 429 itself takes nothing."),
    ("request-limit", "DOC", "Requests: 5 a second, 10 in a burst.",
     "Counted per token and refilled as for images; requests for images count too."),
    ("server-error", "REC", "A failure behind the service: 500 with error.message.",
     "It is shown on request; the text is that of the recorded one, of embeddings, but where pictures are asked for."),
    ("chat", "DOC", "POST /v1/chat/completions answers a chat completion, or its chunks as events with stream.",
     "A fixed text that says that it is a placeholder; usage counts words; OpenAI's shapes."),
    ("chat-limits", "DOC", "Chat takes n, stop, max_tokens and max_completion_tokens.",
     "Words count as tokens; the documented 16 is not the most where nothing is said; 400 for what is no such value."),
    ("structured", "DOC", "response_format takes json_object and json_schema.",
     "A small document that fits the schema, for json_object one that stands in the messages; else 400 and why."),
    ("tools", "DOC", "tools and tool_choice call a function.",
     "Only where one is required, in turn, or named, with arguments that fit; else 400 and why."),
    ("image-input", "DOC", "Chat takes pictures in messages.",
     "They are told of by size and format; addresses are not asked; what is no picture fails with 400."),
    ("undocumented", "choice", "What would change what an answer holds, and is not documented, fails with 400.",
     "logprobs, functions, audio and the like; what only steers a model's words changes nothing."),
    ("completions", "DOC", "POST /v1/completions answers a completion, or its chunks as events with stream.",
     "As for chat; echo repeats the prompt."),
    ("embeddings", "REC", "POST /v1/embeddings answers lists of floats.",
     "A direction thrown with the input's digest, of length 1; usage counts words; at most 2048 inputs."),
    ("embeddings-base64", "REC", "Embeddings with encoding_format base64 end in a 500 with the recorded body.",
     "IONOS' own node for n8n sends base64; embeddings_base64='answer' answers it."),
    ("browsers", "choice", "Programs in a browser's page are not let in below /v1.",
     "What the service allows them is not known; cors= lets them in, as /sandbox/ does always."),
    ("expired", "INF", "On request: an expired token is refused as a wrong one is.",
     "The body of the recorded 401; no token ever expires by itself here."),
    ("reports", "choice",
     "GET /, /sandbox/health, /sandbox/requests and /sandbox/stats tell of the sandbox; DELETE clears.",
     "The service has no such paths, nor its answers the header x-sandbox; no token is asked for or shown."),
)
# fmt: on

BEHAVIOURS = tuple(Behaviour(name=name, basis=basis, does=does, chosen=chosen) for name, basis, does, chosen in _ROWS)
