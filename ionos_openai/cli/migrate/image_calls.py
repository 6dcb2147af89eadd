"""Image calls: which there are, and what becomes of their models and parameters."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst

from ionos_openai import errors
from ionos_openai.cli.migrate.facts import ADDRESS, FACTS, OPENAI_MODEL, address_finding, model_findings, retirement
from ionos_openai.cli.migrate.program import chain, string_texts, text_of
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL
from ionos_openai.hub.compat import MOST_PICTURES, nearest_size
from ionos_openai.hub.models import find_model, parse_size, resolve_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.program import Program

_METHODS = frozenset({"generate", "edit", "create_variation"})
_RAW = frozenset({"with_raw_response", "with_streaming_response"})
# Parameters that IONOS takes as they are; nothing to say about them.
_PLAIN = frozenset({"prompt", "image", "extra_headers", "extra_query", "extra_body", "timeout", "user", "seed"})
_ENDPOINT = re.compile(r"(?<!\w)images/(?:generations|edits|variations)\b")
# The module's own functions of openai 0.x.
_OLD = frozenset({"openai.Image.create", "openai.Image.create_edit", "openai.Image.create_variation"})
_OLD |= frozenset({name.replace("create", "acreate") for name in _OLD})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCall:
    """One call for pictures."""

    # the call; where the method is handed on (`to_thread(client.images.generate, ...)`), the one around it
    node: cst.Call
    client: str  # what it asks, as the file names it: "client", "get_client()"; "" where that is no name
    method: str  # "generate", "edit" or "create_variation"
    # its keyword arguments, those in a `**mapping` that the file shows among them
    arguments: Mapping[str, cst.BaseExpression]
    hides_some: bool  # whether some are in a `**mapping` that it does not show
    raw: bool  # whether it asks for the raw response
    of_module: bool  # whether it is `openai.images`, and not a client's

    @property
    def asks_for_url(self) -> bool:
        """Whether the answer's pictures are asked for as URLs."""
        return text_of(self.arguments.get("response_format")) == "url"


def find_image_calls(program: Program) -> list[ImageCall]:
    """Find the calls of `images.generate`, `images.edit` and `images.create_variation`."""
    with_openai = program.imports("openai", "ionos_openai")
    aliases = dict(_aliases(program))
    nodes: list[cst.Attribute | cst.Name] = [*program.all(cst.Attribute)]
    nodes += [node for name in aliases for node in program.references(name)]
    mappings = dict(_mappings(program))
    found = [_read(program, node, aliases, mappings) for node in nodes]
    return [call for call in found if call is not None and (with_openai or "prompt" in call.arguments)]


def _aliases(program: Program) -> Iterator[tuple[str, list[str]]]:
    """Yield the names that stand for some `client.images` or `client.images.generate`, with its parts."""
    for target, value in program.assignments:
        parts = chain(value)
        bare = [part for part in parts if part not in _RAW]
        bare = bare[:-1] if bare[-1] in _METHODS else bare
        is_images = bool(bare[1:]) and bare[-1] == "images"
        if is_images and isinstance(target, cst.Name) and program.only_value(target) is value:
            yield target.value, parts


def _mappings(program: Program) -> Iterator[tuple[str, cst.BaseExpression]]:
    """Yield what calls are given as `**name`, with its value, where the file does nothing else with the name."""
    given = {
        arg.value.value: arg.value
        for arg in program.all(cst.Arg)
        if arg.star == "**" and isinstance(arg.value, cst.Name)
    }
    for name, node in given.items():
        uses = [program.parent(reference) for reference in program.references(name)]
        others = [use for use in uses if not (isinstance(use, cst.Arg) and use.star == "**")]
        value = program.only_value(node) if len(others) == 1 else None
        if value is not None:
            yield name, value


def _read(
    program: Program,
    node: cst.Attribute | cst.Name,
    aliases: Mapping[str, list[str]],
    mappings: Mapping[str, cst.BaseExpression],
) -> ImageCall | None:
    first, *rest = chain(node)
    parts = [*aliases.get(first, [first]), *rest]
    bare = [part for part in parts if part not in _RAW]
    if bare[-1] not in _METHODS or len(bare) < 3 or bare[-2] != "images":
        return None
    call = program.parent(node)
    if isinstance(call, cst.Arg):
        call = program.parent(call)
    if not isinstance(call, cst.Call):
        return None
    given = [_entries(arg.value, mappings) for arg in call.args if arg.star == "**"]
    arguments = {name: value for entries in given if entries for name, value in entries.items()}
    return ImageCall(
        node=call,
        client=bare[-3],
        method=bare[-1],
        arguments=arguments | {arg.keyword.value: arg.value for arg in call.args if arg.keyword},
        hides_some=None in given,
        raw=len(bare) < len(parts),
        of_module=any(name.startswith("openai.images.") for name in program.imported(node)),
    )


def _entries(
    node: cst.BaseExpression, mappings: Mapping[str, cst.BaseExpression]
) -> dict[str, cst.BaseExpression] | None:
    """Return what is in a mapping that the file writes out, else None."""
    value = mappings.get(node.value) if isinstance(node, cst.Name) else node
    pairs: list[tuple[str | None, cst.BaseExpression]] = [(None, node)]
    if isinstance(value, cst.Call) and chain(value) == ["dict()"]:
        pairs = [(arg.keyword.value if arg.keyword else None, arg.value) for arg in value.args]
    elif isinstance(value, cst.Dict):
        pairs = [(text_of(getattr(entry, "key", None)), entry.value) for entry in value.elements]
    entries = {name: passed for name, passed in pairs if name is not None}
    return entries if len(entries) == len(pairs) else None


def describe(program: Program, calls: Sequence[ImageCall]) -> Iterator[Finding]:
    """Report the image calls."""
    for call in calls:
        line = program.line(call.node)
        if call.of_module:
            fact = FACTS["call: module"]
            fact = dataclasses.replace(fact, remedy=fact.remedy.replace("generate", call.method))
            yield fact.at(line, f"calls openai.images.{call.method} of the module")
        if call.method == "create_variation":
            yield FACTS["call: variation"].at(line, "asks for a variation of a picture")
        else:
            yield from _parameters(program, call)
    for node in program.all(cst.Call):
        if program.imported(node.func) & _OLD:
            yield FACTS["call: old"].at(program.line(node), "calls a function of openai 0.x")


def _parameters(program: Program, call: ImageCall) -> Iterator[Finding]:
    if call.hides_some:
        yield FACTS["parameter: mapping"].at(program.line(call.node), "takes parameters from a mapping (**)")
    elif "model" not in call.arguments:
        yield FACTS["model missing"].at(program.line(call.node), "names no model")
    for name, value in call.arguments.items():
        fact = _fact(call, name, value)
        if fact is not None:
            retired = retirement(text_of(value) or "") if name == "model" else ""
            yield fact.at(program.line(value), f"passes {_shown(name, value)}{retired}")


def _shown(name: str, value: cst.BaseExpression) -> str:
    """Return `name="value"` for values that tell nothing secret, else the name."""
    text = text_of(value)
    if text is not None and len(text) <= 40 and name in {fact.partition(" ")[0] for fact in FACTS}:
        text = mask_secrets(text)
        return f'{name}="{text}"' if name not in {"user", "safety_identifier"} else f"{name}="
    return f"{name}={value.value}" if isinstance(value, cst.Integer | cst.Name) else f"{name}="


def _fact(call: ImageCall, name: str, value: cst.BaseExpression) -> Finding | None:
    if name in _PLAIN or (isinstance(value, cst.Name) and value.value == "None"):
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


def _model_fact(name: str | None) -> Finding | None:
    if name is None:
        return None
    if OPENAI_MODEL.fullmatch(name):
        return FACTS["model openai"]
    try:
        known = find_model(resolve_model(name))
    except errors.UnknownModelError:
        known = None
    return None if known is not None and not known.retired else FACTS["model other"]


def _number_fact(call: ImageCall, value: cst.BaseExpression) -> Finding | None:
    number = value.evaluated_value if isinstance(value, cst.Integer) else 1
    if isinstance(value, cst.UnaryOperation) or not 1 <= number <= MOST_PICTURES:
        return FACTS["n impossible"]
    return None if number == 1 else FACTS["n raw" if call.raw else "n several"]


def _size_fact(call: ImageCall, size: str | None) -> Finding | None:
    if size is None:
        return None
    if size == "auto":
        return FACTS["size auto"]
    try:
        width, height = parse_size(size)
    except errors.InvalidRequestError:
        return FACTS["size unreadable"]
    # Of edits, the model's sizes are known from a client's code alone: nothing is changed for them.
    named = find_model(text_of(call.arguments.get("model")) or "")
    model = named or find_model(DEFAULT_EDIT_MODEL if call.method == "edit" else DEFAULT_IMAGE_MODEL)
    rule = model.size_rule if model else None
    if rule is None or not rule.is_official or rule.allows(width, height):
        return None
    return dataclasses.replace(FACTS["size other"], remedy=f'size="{nearest_size(width, height, rule)}"')


def find_names(program: Program, calls: Sequence[ImageCall], *, adapted: bool) -> Iterator[Finding]:
    """Report names of OpenAI's image models in strings that no call is passed, and addresses of the image endpoints.

    `adapted`: the file has a client that adapts the names. Nothing adapts what code sends to an address.
    """
    texts = list(string_texts(program))
    reported = {call.arguments.get("model") for call in calls}
    for node, text in texts:
        if node not in reported:
            yield from model_findings(text, program.line(node), adapted=adapted)
    reaches_openai = any("api.openai.com" in text for _, text in texts)
    for node, text in texts:
        if ADDRESS.search(text) or (reaches_openai and _ENDPOINT.search(text)):
            yield address_finding(program.line(node))
