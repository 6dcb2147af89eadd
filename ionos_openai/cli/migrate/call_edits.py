"""What `--calls` changes in calls for pictures: models, sizes, and parameters that only OpenAI's models know."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate.facts import DROPPED, FACTS, OUR_MODELS
from ionos_openai.cli.migrate.image_calls import fact_of
from ionos_openai.cli.migrate.program import text_of
from ionos_openai.cli.migrate.rewrite import Edit, without_arguments

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ionos_openai.cli.migrate.image_calls import ImageCall
    from ionos_openai.cli.migrate.program import Program


def edit_calls(program: Program, calls: Sequence[ImageCall], *, reads_url: bool) -> dict[ast.expr, list[Edit]]:
    """Return the edits of calls whose client asks IONOS, by the values that they change.

    `reads_url`: the file reads the pictures' URLs.
    """
    reads_data = any(node.attr == "b64_json" for node in program.all(ast.Attribute))
    reads_data |= any(
        text == "b64_json" for node, text in program.texts if isinstance(program.parent(node), ast.Subscript)
    )
    edits: dict[ast.expr, list[Edit]] = {}
    models = {call.node: call.arguments.get("model") for call in calls}
    for call in calls:
        own = {keyword.arg: keyword for keyword in call.node.keywords if keyword.arg}
        goes = [keyword for keyword in own.values() if keyword.arg in DROPPED and _is_dropped(call, keyword)]
        if goes and not any(isinstance(value, ast.Starred) for value in call.node.args):
            is_gone = [False] * len(call.node.args) + [keyword in goes for keyword in call.node.keywords]
            removal = list(without_arguments(program, call.node, is_gone))
            edits.update({keyword.value: removal for keyword in goes})
        for name in ("model", "size"):
            value = call.arguments.get(name)
            if value is not None and (text := _replacement(call, name, value, program)):
                edits[value] = [Edit(*program.span(text[0]), text[1])]
        # A model of IONOS' gives a URL only where one is asked for.
        model = models[call.node]
        is_short = model is not None and fact_of(call, "model", model) == FACTS["model short"]
        if model in edits and (call.gives_url or is_short) and "response_format" not in call.arguments:
            if reads_url and not reads_data and "model" in own:
                end = program.span(own["model"])[1]
                edits[model].append(Edit(end, end, ', response_format="url"'))
            elif reads_url or not reads_data:
                del edits[model]
    return {value: made for value, made in edits.items() if _is_alone(program, value, set(models.values()))}


def _is_dropped(call: ImageCall, keyword: ast.keyword) -> bool:
    is_plain = isinstance(keyword.value, ast.Constant | ast.Name | ast.Attribute)
    fact = fact_of(call, keyword.arg or "", keyword.value)
    return is_plain and fact is not None and fact.effort == "none"


def _replacement(call: ImageCall, name: str, value: ast.expr, program: Program) -> tuple[ast.expr, str] | None:
    """Return the literal that is written for OpenAI, and what to write in its place."""
    literal = value if text_of(value) is not None else program.only_value(value)
    if literal is None or text_of(literal) is None:
        return None
    fact = fact_of(call, name, literal)
    quote = program.written(literal)[-1]
    if fact in (FACTS["model openai"], FACTS["model short"]):
        return literal, f"{quote}{OUR_MODELS['edit' if call.method == 'edit' else 'generate']}{quote}"
    if fact is not None and fact.kind == "parameter" and fact.remedy.startswith("size="):
        return literal, f"{quote}{fact.remedy[6:-1]}{quote}"
    return None


def _is_alone(program: Program, value: ast.expr, models: Collection[ast.expr | None]) -> bool:
    """Whether a literal behind a name is used for models of these calls alone."""
    if text_of(value) is not None or value not in models:
        return text_of(value) is not None or not isinstance(program.only_value(value), ast.Constant)
    uses = program.references(value.id) if isinstance(value, ast.Name) else []
    return bool(uses) and all(node in models or not isinstance(node.ctx, ast.Load) for node in uses)
