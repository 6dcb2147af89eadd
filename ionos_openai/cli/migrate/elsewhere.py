"""Pictures that are asked for in other ways than with a client's `images`: tools, wrappers, raw requests, names."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate.facts import ADDRESS, FACTS, address_finding, model_findings
from ionos_openai.cli.migrate.program import arguments, chain, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.program import Program

_ENDPOINT = re.compile(r"(?<!\w)images/(?:generations|edits|variations)\b")
_HOST = re.compile(r"https?://([\w.-]+)")
_FIELDS = frozenset({"prompt", "b64_json", "response_format"})
# What makes pictures with OpenAI in other packages, by the full name, and the fact to tell.
_WAYS = (
    (re.compile(r"\w.*\.(?:Code)?ImageGenerationTool"), "call: tool"),
    (re.compile(r"litellm(?:\.\w+)*\.a?image_(?:generation|edit|variation)"), "call: litellm"),
    (re.compile(r"\w.*\.DallEAPIWrapper"), "call: langchain"),
    (
        re.compile(
            r"(?!openai\.)\w[\w.]*\.(?:\w*(?:[Dd]all_?[Ee]|DALL_?E|G(?:PT|pt)Image)\w*|OpenAIImage\w*|(?:Open|Azure)(?:AI)?TextToImage)"
        ),
        "call: wrapper",
    ),
)
_TOOL, _CHAT = "makes pictures with the tool image_generation", "asks a chat model for pictures"
_TOOL_NAME = "dalle-image-generator"


def find_elsewhere(program: Program) -> Iterator[Finding]:
    """Report the tools of the Responses API and of agents, chat with pictures, wrappers, and raw requests."""
    for call in program.all(ast.Call):
        line = program.line(call)
        for name in program.imported(call.func):
            key = next((key for pattern, key in _WAYS if pattern.fullmatch(name)), None)
            if key:
                yield FACTS[key].at(line, _TOOL if key == "call: tool" else f"makes pictures with {name}")
        given = dict(arguments(call))
        if text_of(given.get("type")) == "image_generation":
            yield FACTS["call: tool"].at(line, _TOOL)
        if _asks_for_images(given.get("modalities")):
            yield FACTS["call: chat"].at(line, _CHAT)
        if _ENDPOINT.search(text_of(given.get("endpoint")) or "") and chain(call.func)[-2:-1] == ["batches"]:
            yield FACTS["call: batch"].at(line, "asks OpenAI's Batch API for pictures")
    for entries in program.all(ast.Dict):
        pairs = dict(zip(map(text_of, entries.keys), entries.values, strict=True))
        if text_of(pairs.get("type")) == "image_generation":
            yield FACTS["call: tool"].at(program.line(entries), _TOOL)
        if _asks_for_images(pairs.get("modalities")):
            yield FACTS["call: chat"].at(program.line(entries), _CHAT)
    for node, text in program.texts:
        if text == _TOOL_NAME:
            yield FACTS["call: langchain"].at(program.line(node), f"makes pictures with {text}")
    yield from _find_requests(program)


def _asks_for_images(value: ast.expr | None) -> bool:
    return isinstance(value, ast.List | ast.Tuple) and any(text_of(kind) == "image" for kind in value.elts)


def _find_requests(program: Program) -> Iterator[Finding]:
    """Report addresses of the image endpoints, where nothing tells that they are another service's."""
    reaches_openai = any("api.openai.com" in text for _, text in program.texts)
    named = {text for _, text in program.texts} | {keyword.arg for keyword in program.all(ast.keyword)}
    hosts = [host for _, text in program.texts for host in _HOST.findall(text)]
    is_asked = not _FIELDS.isdisjoint(named) and not any(map(_is_service, hosts))
    for node, text in program.texts:
        is_ours = _ENDPOINT.search(text) and not _HOST.search(text) and (reaches_openai or is_asked)
        if ADDRESS.search(text) or is_ours:
            call = program.outer(node, ast.Call)
            if call is None or chain(call.func)[-2:] != ["batches", "create"]:
                yield address_finding(program.line(node))


def _is_service(host: str) -> bool:
    return host.startswith(("api.", "openai.", "generativelanguage.")) or host.endswith("ionos.com")


def find_names(program: Program, passed: Collection[ast.expr | None], *, adapted: bool) -> Iterator[Finding]:
    """Report names of OpenAI's image models in strings that no call is `passed`; `adapted`: a client adapts them."""
    for node, text in program.texts:
        if node not in passed:
            yield from model_findings(text, program.line(node), adapted=adapted)
