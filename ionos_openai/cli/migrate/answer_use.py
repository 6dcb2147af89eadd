"""What code does with the pictures that come back: fetching their URLs, and calling them PNG."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ionos_openai.cli.migrate.facts import FACTS, WORDS
from ionos_openai.cli.migrate.findings import Finding
from ionos_openai.cli.migrate.image_calls import ImageCall
from ionos_openai.cli.migrate.keys import looked_up
from ionos_openai.cli.migrate.program import FUNCTIONS, Program, arguments, chain, text_of


def find_answer_uses(program: Program, calls: Sequence[ImageCall]) -> Iterator[Finding]:
    """Report what a file that makes some calls for pictures does with their URLs, formats and prompts."""
    urls = Urls(program)
    asked = [call for call in calls if call.method != "create_variation"]
    always_asked = bool(asked) and all(call.gives_url for call in asked)
    for node in urls.reads:
        yield FACTS["url: data" if always_asked else "url: none"].at(program.line(node), "reads the url of a picture")
    for call in program.all(ast.Call):
        parts = chain(call.func)
        if parts[-1] in WORDS["fetchers"] and any(urls.is_url(value) for _, value in arguments(call)):
            by_urllib = any(name.startswith("urllib.request.") for name in program.imported(call.func))
            fact = FACTS["url: opened" if by_urllib and always_asked else "url: fetched"]
            yield fact.at(program.line(call), f"fetches a picture with {'.'.join(filter(None, parts))}")
    for read in program.all(ast.Attribute):
        if read.attr == "revised_prompt":
            yield FACTS["call: revised"].at(program.line(read), "reads revised_prompt")
    yield from _find_png(program, "format: edit" if all(call.method == "edit" for call in calls) else "format: png")


class Urls:
    """Which expressions of a file are URLs of pictures, as far as names tell."""

    def __init__(self, program: Program) -> None:
        """Look through a file; what `reads` the `url` of an item is listed."""
        self._items: set[str] = set()
        self._lists: set[str] = set()
        self._urls: set[str] = set()
        values = list(_values(program))
        # A name may be set from a name that is found later.
        for _ in range(4):
            program.check_time()
            for name, value in values:
                if self._is_item(value):
                    self._items.add(name)
                elif self.is_url(value):
                    self._urls.add(name)
                elif isinstance(value, ast.ListComp) and self.is_url(value.elt):
                    self._lists.add(name)
            for loop in program.loops:
                found = self._items if self._is_data(loop.iter) else None
                if isinstance(loop.iter, ast.Name) and loop.iter.id in self._lists:
                    found = self._urls
                if found is not None:
                    found |= _names(loop.target)
        self.reads = list(filter(self._reads_url, program.all(ast.Attribute, ast.Subscript)))

    def is_url(self, node: ast.expr) -> bool:
        """Tell whether an expression is the URL of a picture."""
        if isinstance(node, ast.Name | ast.Call | ast.Await):
            return chain(node)[-1] in self._urls
        return self._reads_url(node)

    def _reads_url(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return node.attr == "url" and self._is_item(node.value)
        return isinstance(node, ast.Subscript) and looked_up(node) == "url" and self._is_item(node.value)

    def _is_item(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Subscript):
            return self._is_data(node.value)
        return isinstance(node, ast.Name | ast.Attribute) and chain(node)[-1] in self._items

    def _is_data(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call) and chain(node.func)[-1] in WORDS["passing_on"]:
            return any(self._is_data(value) for _, value in arguments(node))
        if isinstance(node, ast.BoolOp):
            return self._is_data(node.values[0])
        if isinstance(node, ast.Attribute):
            return node.attr == "data"
        return isinstance(node, ast.Subscript) and looked_up(node) == "data"


def _values(program: Program) -> Iterator[tuple[str, ast.expr]]:
    """Yield what names are set to, what functions return, as "name()", and what their parameters are given."""
    yield from ((chain(target)[-1], value) for target, value in program.assignments)
    for given in program.all(ast.Return):
        function = program.outer(given, FUNCTIONS)
        if function is not None and given.value is not None:
            yield f"{function.name}()", given.value
    functions = {function.name: function for function in program.all(ast.FunctionDef, ast.AsyncFunctionDef)}
    for call in program.all(ast.Call):
        own = functions.get(chain(call.func)[-1])
        names = [parameter.arg for parameter in [*own.args.posonlyargs, *own.args.args]] if own else []
        by_position = names[names[:1] in (["self"], ["cls"]) :]
        for index, (keyword, value) in enumerate(arguments(call)):
            name = keyword or "".join(by_position[index : index + 1])
            if name in names:
                yield name, value


def _find_png(program: Program, fact: str) -> Iterator[Finding]:
    """Report `.png` and `image/png` where they are written by hand."""
    found = [(node, text.lower()) for node, text in program.texts if re.search(r"(?i)\.png|image/png", text)]
    # What is only read from, or what Pillow saves to in the format that its ending says.
    inputs: set[str] = set()
    for call in filter(_reads_or_converts, program.all(ast.Call) if found else ()):
        inputs.update(*(_names(value) for _, value in arguments(call)))
        inputs.update(_names(call.func.value) if isinstance(call.func, ast.Attribute) else ())
    for _ in range(3):
        # `path = os.path.join(folder, name)`: what is read by the one is named by the other.
        inputs.update(*(_names(value) for target, value in program.assignments if chain(target)[-1] in inputs))
    for node, text in found:
        if not _is_no_output(program, node, inputs):
            named = "image/png" if "image/png" in text else ".png"
            yield FACTS[fact].at(program.line(node), f"calls a picture {named}")


def _names(node: ast.expr) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _is_no_output(program: Program, node: ast.AST, inputs: set[str]) -> bool:
    for parent in program.ancestors(node):
        if isinstance(parent, ast.Assign):
            return not inputs.isdisjoint(chain(target)[-1] for target in parent.targets)
        is_input = isinstance(parent, ast.keyword) and parent.arg in {"image", "mask", "prompt"}
        if is_input or isinstance(parent, ast.Compare):
            return True
        if isinstance(parent, ast.Call):
            # The `Path(...)` of `Path(...).open("rb")` or `Path(...).read_bytes()`.
            attribute = program.parent(parent)
            outer = program.parent(attribute) if isinstance(attribute, ast.Attribute) else None
            is_read = isinstance(outer, ast.Call) and _reads_file(outer)
            if is_read or _reads_or_converts(parent) or chain(parent.func)[-1] in WORDS["matchers"]:
                return True
    return False


def _reads_or_converts(call: ast.Call) -> bool:
    """Whether it reads, or is Pillow's `save(path)` or `save(path, "PNG")`, and not Django's `save(name, content)`."""
    if chain(call.func)[-1] != "save":
        return _reads_file(call)
    others = [value for name, value in list(arguments(call))[1:] if name in {"", "content"}]
    return all(text_of(value) is not None for value in others)


def _reads_file(call: ast.Call) -> bool:
    name = chain(call.func)[-1]
    # Of Image.open(...) and open(...), the mode is second; of Path(...).open(...) it is first.
    modes = [text_of(value) for _, value in arguments(call)]
    is_written = any(mode and len(mode) <= 3 and set(mode) & set("wxa+") for mode in modes)
    return name in WORDS["readers"] or (name == "open" and not is_written)
