"""Image calls: which there are, and what becomes of their models and parameters; and what asks in other ways."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ionos_openai import errors
from ionos_openai.cli.migrate.facts import ADDRESS, FACTS, WAYS, WORDS, retirement
from ionos_openai.cli.migrate.findings import Finding
from ionos_openai.cli.migrate.program import Program, arguments, chain, owner, text_of
from ionos_openai.errors.masking import mask_secrets
from ionos_openai.hub.catalogue import DEFAULT_EDIT_MODEL, DEFAULT_IMAGE_MODEL
from ionos_openai.hub.compat import MOST_PICTURES, nearest_size
from ionos_openai.hub.models import find_model, is_openai_model, parse_size, resolve_model

_METHODS = frozenset({"generate", "edit", "create_variation"})
_RAW = frozenset({"with_raw_response", "with_streaming_response"})
# Those whose values tell nothing secret.
_TOLD = frozenset(name.partition(" ")[0] for name in FACTS) - {"user", "safety_identifier"}
# The module's own functions of openai 0.x.
_OLD = frozenset({"openai.Image.create", "openai.Image.create_edit", "openai.Image.create_variation"})
_OLD |= frozenset({name.replace("create", "acreate") for name in _OLD})
_ENDPOINT = re.compile(r"(?<!\w)images/(?:generations|edits|variations)\b")
_HOST = re.compile(r"https?://([\w.-]+)")
_SERVICES = ("api.", "openai.", "generativelanguage.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCall:
    """One call for pictures."""

    # the call; where the method is handed on (`to_thread(client.images.generate, ...)`), the one around it
    node: ast.Call
    asked: ast.expr  # the client in `client.images.generate`, or in what stands for it
    client: str  # what it asks, as the file names it: "client", "get_client()"; "" where that is no name
    method: str  # "generate", "edit" or "create_variation"
    arguments: Mapping[str, ast.expr]  # what it is given by name, also in a `**mapping` that the file shows
    hides_some: bool  # whether some are in a `**mapping` that it does not show
    raw: bool  # whether it asks for the raw response
    of_module: bool  # whether it is `openai.images`, and not a client's

    @property
    def gives_url(self) -> bool:
        """Whether the answer's pictures come as URLs: where they are asked for, and by default from DALL-E."""
        if "response_format" in self.arguments:
            return text_of(self.arguments["response_format"]) == "url"
        model = self.arguments.get("model")
        return not self.hides_some if model is None else (text_of(model) or "").startswith("dall-e")


def find_image_calls(program: Program) -> list[ImageCall]:
    """Find the calls of `images.generate`, `images.edit` and `images.create_variation`."""
    with_openai = program.imports_from("openai", "ionos_openai")
    aliases = dict(_aliases(program))
    names = {*_METHODS, *(parts[-1] for parts in aliases)}
    nodes: list[ast.Attribute | ast.Name] = [node for node in program.all(ast.Attribute) if node.attr in names]
    nodes += [node for (name, *more) in aliases if not more for node in program.references[name]]
    mappings = dict(_mappings(program))
    found = [_read(program, node, aliases, mappings) for node in nodes if isinstance(node.ctx, ast.Load)]
    return [call for call in found if call is not None and (with_openai or _is_for_pictures(call))]


def _is_for_pictures(call: ImageCall) -> bool:
    """Whether it reads like a call for a picture, in a file that does not import openai."""
    is_typical = call.hides_some or not {"model", "size", "quality", "n", "mask"}.isdisjoint(call.arguments)
    is_named = call.client not in {"", "self", "cls"}
    return "prompt" in call.arguments or call.method == "create_variation" or (is_named and is_typical)


def _aliases(program: Program) -> Iterator[tuple[tuple[str, ...], ast.expr]]:
    """Yield the names that stand for some `client.images` or `client.images.generate`, with that."""
    for target, value in program.assignments:
        bare = [part for part in chain(value) if part not in _RAW]
        bare = bare[:-1] if bare[-1] in _METHODS else bare
        is_images = bool(bare[1:]) and bare[-1] == "images"
        if is_images and isinstance(target, ast.Name | ast.Attribute) and program.only_value(target) is value:
            yield tuple(chain(target)), value


def _mappings(program: Program) -> Iterator[tuple[str, ast.expr]]:
    """Yield what calls are given as `**name`, with its value, where the file does nothing else with the name."""
    passed = [pair for call in program.all(ast.Call) for pair in arguments(call)]
    spread = {node: node.id for keyword, node in passed if keyword == "**" and isinstance(node, ast.Name)}
    for name, node in {name: node for node, name in spread.items()}.items():
        others = [reference for reference in program.references[name] if reference not in spread]
        value = program.only_value(node) if len(others) == 1 else None
        if value is not None:
            yield name, value


def _read(
    program: Program, node: ast.expr, aliases: Mapping[tuple[str, ...], ast.expr], mappings: Mapping[str, ast.expr]
) -> ImageCall | None:
    parts = chain(node)
    whole: ast.expr = node
    for length in range(len(parts), 0, -1):
        if value := aliases.get(tuple(parts[:length])):
            whole, parts = value, [*chain(value), *parts[length:]]
            break
    bare = [part for part in parts if part not in _RAW]
    call = program.parent(node)
    call = program.parent(call) if isinstance(call, ast.keyword) else call
    if not isinstance(call, ast.Call) or len(bare) < 3 or bare[-2] != "images" or bare[-1] not in _METHODS:
        return None
    given = [_entries(value, mappings) for keyword, value in arguments(call) if keyword == "**"]
    passed = {name: value for entries in given if entries for name, value in entries.items()}
    return ImageCall(
        node=call,
        asked=owner(whole, parts[: len(parts) - parts[::-1].index(bare[-3], parts[::-1].index("images"))]),
        client=bare[-3],
        method=bare[-1],
        arguments=passed | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg},
        hides_some=None in given,
        raw=len(bare) < len(parts),
        of_module=any(name.startswith("openai.images.") for name in program.imported(node)),
    )


def _entries(node: ast.expr, mappings: Mapping[str, ast.expr]) -> dict[str, ast.expr] | None:
    """Return what is in a mapping that the file writes out, else None."""
    value = mappings.get(node.id) if isinstance(node, ast.Name) else node
    pairs: list[tuple[str | None, ast.expr]] = [(None, node)]
    if isinstance(value, ast.Call) and chain(value) == ["dict()"]:
        pairs = [(keyword if keyword.strip("*") else None, passed) for keyword, passed in arguments(value)]
    elif isinstance(value, ast.Dict):
        pairs = [(text_of(key), passed) for key, passed in zip(value.keys, value.values, strict=True)]
    entries = {name: passed for name, passed in pairs if name is not None}
    return entries if len(entries) == len(pairs) else None


def describe(program: Program, calls: Sequence[ImageCall], changed: Collection[object] = ()) -> Iterator[Finding]:
    """Report the image calls; the values that `--calls` changes are `changed`."""
    for call in calls:
        line = program.line(call.node)
        if call.of_module:
            fact = FACTS["call: module"].at(line, f"calls openai.images.{call.method} of the module")
            yield dataclasses.replace(fact, remedy=fact.remedy.replace("generate", call.method))
        if call.method == "create_variation":
            yield FACTS["call: variation"].at(line, "asks for a variation of a picture")
            continue
        if call.hides_some:
            yield FACTS["parameter: mapping"].at(line, "takes parameters from a mapping (**)")
        elif "model" not in call.arguments:
            yield FACTS["model missing"].at(line, "names no model")
        for name, value in call.arguments.items():
            parameter = fact_of(call, name, value)
            if parameter is not None:
                retired = retirement(text_of(value) or "") if name == "model" else ""
                parameter = dataclasses.replace(parameter, effort="write") if value in changed else parameter
                yield parameter.at(program.line(value), f"passes {_shown(name, value)}{retired}")
    for old in program.all(ast.Call):
        if program.imported(old.func) & _OLD:
            yield FACTS["call: old"].at(program.line(old), "calls a function of openai 0.x")


def _shown(name: str, value: ast.expr) -> str:
    """Return `name="value"` for values that tell nothing secret, else the name."""
    text = text_of(value)
    if text is not None and len(text) <= 40 and name in _TOLD:
        return f'{name}="{mask_secrets(text)}"'
    if isinstance(value, ast.Name) or (isinstance(value, ast.Constant) and not isinstance(value.value, str | bytes)):
        return f"{name}={ast.unparse(value)}"
    return f"{name}="


def fact_of(call: ImageCall, name: str, value: ast.expr) -> Finding | None:
    """Return what there is to say of a parameter, None where it goes through."""
    constant = value.value if isinstance(value, ast.Constant) else ...
    text = text_of(value)
    if name in WORDS["plain"] or constant is None or (name == "stream" and constant is False):
        return None
    if name == "model":
        return _model_fact(text)
    if name == "n":
        return _number_fact(call, value)
    if name == "size":
        return _size_fact(call, text)
    return FACTS.get(f"{name} {text}") or FACTS.get(name)


def _model_fact(name: str | None) -> Finding | None:
    if name is None or is_openai_model(name):
        return FACTS["model openai"] if name else None
    try:
        known = find_model(resolve_model(name))
    except errors.UnknownModelError:
        known = None
    if known is not None and not known.retired:
        return None
    return FACTS["model other" if "/" in name or known else "model short"]


def _number_fact(call: ImageCall, value: ast.expr) -> Finding | None:
    number = value.value if isinstance(value, ast.Constant) and isinstance(value.value, int) else 1
    if isinstance(value, ast.UnaryOp) or not 1 <= number <= MOST_PICTURES:
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


def find_elsewhere(program: Program) -> Iterator[Finding]:
    """Report the tools of the Responses API and of agents, chat with pictures, wrappers, and raw requests."""
    for call in program.all(ast.Call):
        for name in program.imported(call.func):
            key = next((key for key, pattern in WAYS.items() if re.fullmatch(pattern, name)), None)
            if key:
                known = "the tool image_generation" if key == "call: tool" else name
                yield FACTS[key].at(program.line(call), f"makes pictures with {known}")
        given = dict(arguments(call))
        yield from _find_requested(program.line(call), given)
        if _ENDPOINT.search(text_of(given.get("endpoint")) or "") and chain(call.func)[-2:-1] == ["batches"]:
            yield FACTS["call: batch"].at(program.line(call), "asks OpenAI's Batch API for pictures")
    for entries in program.all(ast.Dict):
        pairs = zip(map(text_of, entries.keys), entries.values, strict=True)
        yield from _find_requested(program.line(entries), {name: value for name, value in pairs if name is not None})
    for node, text in program.texts:
        if text == "dalle-image-generator":
            yield FACTS["call: langchain"].at(program.line(node), f"makes pictures with {text}")
    yield from _find_requests(program)


def _find_requested(line: int, given: Mapping[str, ast.expr]) -> Iterator[Finding]:
    if text_of(given.get("type")) == "image_generation":
        yield FACTS["call: tool"].at(line, "makes pictures with the tool image_generation")
    kinds = given.get("modalities")
    if isinstance(kinds, ast.List | ast.Tuple) and any(text_of(kind) == "image" for kind in kinds.elts):
        yield FACTS["call: chat"].at(line, "asks a chat model for pictures")


def _find_requests(program: Program) -> Iterator[Finding]:
    """Report addresses of the image endpoints, where nothing tells that they are another service's."""
    reaches_openai = any("api.openai.com" in text for _, text in program.texts)
    named = {text for _, text in program.texts} | {keyword.arg for keyword in program.all(ast.keyword)}
    hosts = [host for _, text in program.texts for host in _HOST.findall(text)]
    services = [host for host in hosts if host.startswith(_SERVICES) or host.endswith("ionos.com")]
    is_asked = not WORDS["fields"].isdisjoint(named) and not services
    for node, text in program.texts:
        is_ours = _ENDPOINT.search(text) and not _HOST.search(text) and (reaches_openai or is_asked)
        if ADDRESS.search(text) or is_ours:
            call = program.outer(node, ast.Call)
            if call is None or chain(call.func)[-2:] != ["batches", "create"]:
                yield FACTS["call: address"].at(program.line(node))
