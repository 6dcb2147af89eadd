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
            r"(?!openai\.)\w[\w.]*\.(?:\w*(?:Dall_?E|DALL_?E|dall_?e|GPTImage|GptImage)\w*|OpenAIImage\w*|(?:Open|Azure)(?:AI)?TextToImage)"
        ),
        "call: wrapper",
    ),
)
_TOOL = "makes pictures with the tool image_generation"
_TOOL_NAMES = frozenset({"dalle-image-generator"})


def find_elsewhere(program: Program) -> Iterator[Finding]:
    """Report the tools of the Responses API and of agents, chat with pictures, wrappers and the Batch API."""
    for call in program.all(ast.Call):
        line = program.line(call)
        for name in program.imported(call.func):
            key = next((key for pattern, key in _WAYS if pattern.fullmatch(name)), None)
            if key:
                yield FACTS[key].at(line, _TOOL if key == "call: tool" else f"makes pictures with {name}")
        given = dict(arguments(call))
        if _asks_for_images(given.get("modalities")):
            yield FACTS["call: chat"].at(line, "asks a chat model for pictures")
        if _ENDPOINT.search(text_of(given.get("endpoint")) or "") and chain(call.func)[-2:-1] == ["batches"]:
            yield FACTS["call: batch"].at(line, "asks OpenAI's Batch API for pictures")
    for entries in program.all(ast.Dict):
        pairs = {text_of(key): value for key, value in zip(entries.keys, entries.values, strict=True)}
        if text_of(pairs.get("type")) == "image_generation":
            yield FACTS["call: tool"].at(program.line(entries), _TOOL)
        if _asks_for_images(pairs.get("modalities")):
            yield FACTS["call: chat"].at(program.line(entries), "asks a chat model for pictures")
    for node, text in program.texts:
        if text in _TOOL_NAMES:
            yield FACTS["call: langchain"].at(program.line(node), f"makes pictures with {text}")


def _asks_for_images(value: ast.expr | None) -> bool:
    return isinstance(value, ast.List | ast.Tuple) and any(text_of(kind) == "image" for kind in value.elts)


def find_requests(program: Program) -> Iterator[Finding]:
    """Report addresses of the image endpoints, where nothing tells that they are another service's."""
    texts = program.texts
    reaches_openai = any("api.openai.com" in text for _, text in texts)
    named = {text for _, text in texts} | {keyword.arg for keyword in program.all(ast.keyword)}
    hosts = [host for _, text in texts for host in _HOST.findall(text)]
    is_asked = not _FIELDS.isdisjoint(named) and (reaches_openai or not any(map(_is_service, hosts)))
    for node, text in texts:
        call = next((parent for parent in program.ancestors(node) if isinstance(parent, ast.Call)), None)
        if call is not None and chain(call.func)[-2:] == ["batches", "create"]:
            continue
        is_ours = _HOST.search(text) is None and (reaches_openai or is_asked)
        if ADDRESS.search(text) or (is_ours and _ENDPOINT.search(text)):
            yield address_finding(program.line(node))


def _is_service(host: str) -> bool:
    return host.startswith(("api.", "openai.", "generativelanguage.")) or host.endswith("ionos.com")


def find_names(program: Program, passed: Collection[ast.expr | None], *, adapted: bool) -> Iterator[Finding]:
    """Report names of OpenAI's image models in strings that no call is `passed`; `adapted`: a client adapts them."""
    for node, text in program.texts:
        if node not in passed:
            yield from model_findings(text, program.line(node), adapted=adapted)
