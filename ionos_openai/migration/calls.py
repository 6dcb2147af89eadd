"""Image calls: which there are, and what becomes of their models and parameters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from ionos_openai.compat import MOST_PICTURES, nearest_size
from ionos_openai.errors import InvalidRequestError, UnknownModelError
from ionos_openai.migration.facts import FACTS, OPENAI_MODEL, RETIRED
from ionos_openai.migration.findings import Finding
from ionos_openai.migration.program import chain, string_texts, text_of
from ionos_openai.models import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL, find_model, parse_size, resolve_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ionos_openai.migration.facts import Fact
    from ionos_openai.migration.program import Program

_METHODS = frozenset({"generate", "edit", "create_variation"})
_RAW = frozenset({"with_raw_response", "with_streaming_response"})
# Parameters that IONOS takes as they are; nothing to say about them.
_PLAIN = frozenset({"prompt", "image", "extra_headers", "extra_query", "extra_body", "timeout", "user", "seed"})
# The module's own functions of openai 0.x.
_OLD = frozenset({"openai.Image.create", "openai.Image.create_edit", "openai.Image.create_variation"})
_OLD |= frozenset({name.replace("create", "acreate") for name in _OLD})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCall:
    """One call for pictures.

    Attributes:
        node: The call; where the method is handed on (`to_thread(client.images.generate, ...)`), the one around it.
        method: "generate", "edit" or "create_variation".
        arguments: Its keyword arguments.
        hides_some: Whether some are in a `**mapping`.
        raw: Whether it asks for the raw response.
        of_module: Whether it is `openai.images`, and not a client's.
    """

    node: cst.Call
    method: str
    arguments: Mapping[str, cst.BaseExpression]
    hides_some: bool
    raw: bool
    of_module: bool

    @property
    def asks_for_url(self) -> bool:
        """Whether the answer's pictures are asked for as URLs."""
        return text_of(self.arguments.get("response_format")) == "url"


def find_image_calls(program: Program) -> list[ImageCall]:
    """Find the calls of `images.generate`, `images.edit` and `images.create_variation`."""
    with_openai = any(
        one.name and chain(one.name)[0] in {"openai", "ionos_openai"} for one in program.all(cst.ImportAlias)
    ) or any(chain(one.module)[0] in {"openai", "ionos_openai"} for one in program.all(cst.ImportFrom) if one.module)
    found = [_read(program, node) for node in program.all(cst.Attribute)]
    return [one for one in found if one is not None and (with_openai or "prompt" in one.arguments)]


def _read(program: Program, node: cst.Attribute) -> ImageCall | None:
    parts = chain(node)
    bare = [part for part in parts if part not in _RAW]
    if bare[-1] not in _METHODS or len(bare) < 3 or bare[-2] != "images":
        return None
    call = program.parent(node)
    if isinstance(call, cst.Arg):
        call = program.parent(call)
    if not isinstance(call, cst.Call):
        return None
    return ImageCall(
        node=call,
        method=bare[-1],
        arguments={arg.keyword.value: arg.value for arg in call.args if arg.keyword},
        hides_some=any(arg.star == "**" for arg in call.args),
        raw=len(bare) < len(parts),
        of_module=any(name.startswith("openai.images.") for name in program.imported(node)),
    )


def describe(program: Program, calls: Sequence[ImageCall]) -> Iterator[Finding]:
    """Report the image calls."""
    for call in calls:
        if call.of_module:
            yield _finding(
                program,
                call.node,
                "call",
                f"calls openai.images.{call.method} of the module",
                "asks OpenAI's service with OPENAI_API_KEY",
                f"client = create_client(), then client.images.{call.method}(...)",
            )
        if call.method == "create_variation":
            yield _finding(
                program,
                call.node,
                "call",
                "asks for a variation of a picture",
                "IONOS documents no such endpoint",
                "client.images.edit(image=..., prompt=...) with a prompt that says what to vary",
            )
        else:
            yield from _parameters(program, call)
    yield from _old_calls(program)


def _old_calls(program: Program) -> Iterator[Finding]:
    for call in program.all(cst.Call):
        if program.imported(call.func) & _OLD:
            yield _finding(
                program,
                call,
                "call",
                "calls a function of openai 0.x",
                "openai 1.0 and later no longer have it",
                "client = create_client(), then client.images.generate(prompt=...).data[0].b64_json",
            )


def _finding(program: Program, node: cst.CSTNode, kind: str, code: str, on_ionos: str, remedy: str) -> Finding:
    return Finding(line=program.line(node), kind=kind, code=code, on_ionos=on_ionos, remedy=remedy, effort="hand")


def _parameters(program: Program, call: ImageCall) -> Iterator[Finding]:
    if call.hides_some:
        yield Finding(
            line=program.line(call.node),
            kind="parameter",
            code="takes parameters from a mapping (**)",
            on_ionos="they are not seen here; the client adapts them when it is called, and warns",
            remedy="look at the warnings of a first run",
            effort="none",
        )
    elif "model" not in call.arguments:
        yield _about(program, call.node, FACTS["model missing"], "names no model")
    for name, value in call.arguments.items():
        fact = _fact(call, name, value)
        if fact is not None:
            date = RETIRED.get(text_of(value) or "") if name == "model" else None
            retired = f" (retired {date})" if date else ""
            yield _about(program, value, fact, f"passes {_shown(name, value)}{retired}")


def _about(program: Program, node: cst.CSTNode, fact: Fact, code: str) -> Finding:
    return Finding(
        line=program.line(node),
        kind="model" if fact.parameter == "model" else "parameter",
        code=code,
        on_ionos=fact.on_ionos,
        remedy=fact.remedy,
        effort="hand" if fact.by_hand else "none",
    )


def _shown(name: str, value: cst.BaseExpression) -> str:
    """Return `name="value"` for values that tell nothing secret, else the name."""
    text = text_of(value)
    if text is not None and len(text) <= 40 and name in {"model", "size", *(fact.parameter for fact in FACTS.values())}:
        return f'{name}="{text}"' if name not in {"user", "safety_identifier"} else f"{name}="
    return f"{name}={value.value}" if isinstance(value, cst.Integer | cst.Name) else f"{name}="


def _fact(call: ImageCall, name: str, value: cst.BaseExpression) -> Fact | None:
    if isinstance(value, cst.Name) and value.value == "None":
        return None
    if name in _PLAIN:
        return None
    text = text_of(value)
    if name == "model":
        return _model_fact(text)
    if name == "n":
        return _number_fact(call, value)
    if name == "size":
        return _size_fact(call, text)
    if name == "stream":
        return None if isinstance(value, cst.Name) and value.value == "False" else FACTS["stream"]
    if name == "response_format":
        return FACTS["response_format url"] if text == "url" else None
    return FACTS.get(f"{name} {text}") or FACTS.get(name)


def _model_fact(name: str | None) -> Fact | None:
    if name is None:
        return None
    if OPENAI_MODEL.fullmatch(name):
        return FACTS["model openai"]
    try:
        known = find_model(resolve_model(name))
    except UnknownModelError:
        known = None
    return None if known is not None and not known.retired else FACTS["model other"]


def _number_fact(call: ImageCall, value: cst.BaseExpression) -> Fact | None:
    if isinstance(value, cst.UnaryOperation):
        return FACTS["n impossible"]
    if not isinstance(value, cst.Integer):
        return None
    number = value.evaluated_value
    if not 1 <= number <= MOST_PICTURES:
        return FACTS["n impossible"]
    if number == 1:
        return None
    return FACTS["n raw"] if call.raw else FACTS["n several"]


def _size_fact(call: ImageCall, size: str | None) -> Fact | None:
    if size is None:
        return None
    if size == "auto":
        return FACTS["size auto"]
    try:
        width, height = parse_size(size)
    except InvalidRequestError:
        return FACTS["size unreadable"]
    # Of edits, the model's sizes are known from a client's code alone: nothing is changed for them.
    named = find_model(text_of(call.arguments.get("model")) or "")
    model = named or find_model(DEFAULT_EDIT_MODEL if call.method == "edit" else DEFAULT_IMAGE_MODEL)
    rule = model.size_rule if model else None
    if rule is None or not rule.is_official or rule.allows(width, height):
        return None
    return dataclasses.replace(FACTS["size other"], remedy=f'size="{nearest_size(width, height, rule)}"')


def find_models_in_strings(program: Program, calls: Sequence[ImageCall]) -> Iterator[Finding]:
    """Report names of OpenAI's image models in strings that are no argument of an image call."""
    reported = {call.arguments.get("model") for call in calls}
    for node, text in string_texts(program):
        if node not in reported:
            for name in dict.fromkeys(OPENAI_MODEL.findall(text)):
                yield model_finding(name, line=program.line(node))


def model_finding(name: str, *, line: int) -> Finding:
    """Return what there is to say of a name of one of OpenAI's image models that stands somewhere."""
    retired = f" (retired {RETIRED[name]})" if name in RETIRED else ""
    fact = FACTS["model openai"]
    return Finding(
        line=line,
        kind="model",
        code=f"names {name}{retired}",
        on_ionos=f"as a model of an image call it {fact.on_ionos}",
        remedy=fact.remedy,
        effort="none",
    )
