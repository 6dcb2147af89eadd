"""What code does with the pictures that come back: fetching their URLs, and calling them PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.keys import looked_up
from ionos_openai.cli.migrate.program import chain, string_texts, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ionos_openai.cli.migrate.findings import Finding
    from ionos_openai.cli.migrate.image_calls import ImageCall
    from ionos_openai.cli.migrate.program import Program

_FETCHERS = frozenset({"get", "urlopen", "urlretrieve", "stream", "request", "Request", "download", "imread", "fetch"})
_PASSING_ON = frozenset({"enumerate", "list", "tuple", "sorted", "zip", "iter", "reversed"})
_MATCHERS = frozenset({"endswith", "glob", "rglob", "match", "removesuffix", "fnmatch", "splitext", "fullmatch"})
_READERS = frozenset({"read_bytes", "open_image", "imread"})


def find_urls(program: Program, calls: Sequence[ImageCall]) -> Iterator[Finding]:
    """Report uses of the pictures' URLs, which are data URIs or missing."""
    urls = _Urls(program)
    asked = [call for call in calls if call.method != "create_variation"]
    always_asked = bool(asked) and all(call.asks_for_url for call in asked)
    for node in [*program.all(cst.Attribute), *program.all(cst.Subscript)]:
        if urls.reads_url(node):
            fact = FACTS["url: data" if always_asked else "url: none"]
            yield fact.at(program.line(node), "reads the url of a picture")
    for call in program.all(cst.Call):
        parts = chain(call.func)
        if parts[-1] in _FETCHERS and any(urls.is_url(arg.value) for arg in call.args):
            by_urllib = any(name.startswith("urllib.request.") for name in program.imported(call.func))
            fact = FACTS["url: opened" if by_urllib and always_asked else "url: fetched"]
            yield fact.at(program.line(call), f"fetches a picture with {'.'.join(filter(None, parts))}")


class _Urls:
    """Which expressions of a file are URLs of pictures, as far as names tell."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._items: set[str] = set()
        self._lists: set[str] = set()
        self._urls: set[str] = set()
        self._functions: set[str] = set()
        # A name may be set from a name that is found later.
        for _ in range(4):
            self._follow()

    def _follow(self) -> None:
        for target, value in self._program.assignments:
            name = chain(target)[-1]
            if self._is_item(value):
                self._items.add(name)
            elif self.is_url(value):
                self._urls.add(name)
            elif isinstance(value, cst.ListComp) and self.is_url(value.elt):
                self._lists.add(name)
        loops: list[cst.For | cst.CompFor] = [*self._program.all(cst.For), *self._program.all(cst.CompFor)]
        for loop in loops:
            names = [target.value for target in _targets(loop.target)]
            if self._is_data(loop.iter):
                self._items.update(names)
            elif isinstance(loop.iter, cst.Name) and loop.iter.value in self._lists:
                self._urls.update(names)
        for given in self._program.all(cst.Return):
            function = self._program.function_of(given)
            if function is not None and given.value is not None and self.is_url(given.value):
                self._functions.add(f"{function.name.value}()")
        self._follow_arguments()

    def _follow_arguments(self) -> None:
        """Find the parameters of the file's own functions that are given URLs."""
        functions = {function.name.value: function for function in self._program.all(cst.FunctionDef)}
        for call in self._program.all(cst.Call):
            function = functions.get(chain(call.func)[-1])
            if function is None:
                continue
            names = [parameter.name.value for parameter in function.params.params]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            for index, arg in enumerate(call.args):
                if self.is_url(arg.value):
                    given = arg.keyword.value if arg.keyword else "".join(names[index : index + 1])
                    self._urls.update({given} if given in names else ())

    def is_url(self, node: cst.BaseExpression) -> bool:
        """Tell whether an expression is the URL of a picture."""
        if isinstance(node, cst.Await):
            return self.is_url(node.expression)
        if isinstance(node, cst.Name):
            return node.value in self._urls
        if isinstance(node, cst.Call):
            return chain(node)[-1] in self._functions
        return self.reads_url(node)

    def reads_url(self, node: cst.BaseExpression) -> bool:
        """Tell whether an expression is the `url` of an item."""
        if isinstance(node, cst.Attribute):
            return node.attr.value == "url" and self._is_item(node.value)
        return isinstance(node, cst.Subscript) and looked_up(node) == "url" and self._is_item(node.value)

    def _is_item(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Subscript):
            return self._is_data(node.value)
        return isinstance(node, cst.Name | cst.Attribute) and chain(node)[-1] in self._items

    def _is_data(self, node: cst.BaseExpression) -> bool:
        if isinstance(node, cst.Call) and chain(node.func)[-1] in _PASSING_ON:
            return any(self._is_data(arg.value) for arg in node.args)
        if isinstance(node, cst.BooleanOperation):
            return self._is_data(node.left)
        if isinstance(node, cst.Attribute):
            return node.attr.value == "data"
        return isinstance(node, cst.Subscript) and looked_up(node) == "data"


def _targets(target: cst.BaseExpression) -> Iterator[cst.Name]:
    if isinstance(target, cst.Name):
        yield target
    elif isinstance(target, cst.Tuple | cst.List):
        for element in target.elements:
            yield from _targets(element.value)


def find_revised_prompts(program: Program) -> Iterator[Finding]:
    """Report uses of the prompt as OpenAI rewrote it."""
    for node in program.all(cst.Attribute):
        if node.attr.value == "revised_prompt":
            yield FACTS["call: revised"].at(program.line(node), "reads revised_prompt")


def find_png(program: Program) -> Iterator[Finding]:
    """Report `.png` and `image/png` written by hand, in a file that asks for pictures."""
    elsewhere = set(_names_of_inputs(program))
    for node, text in string_texts(program):
        named = next((ending for ending in ("image/png", ".png") if ending in text.lower()), None)
        if named is not None and not _is_no_output(program, node, elsewhere):
            yield FACTS["format: png"].at(program.line(node), f"calls a picture {named}")


def _names_of_inputs(program: Program) -> Iterator[str]:
    """Yield the names that are only read from, or that Pillow saves to in the format that their ending says."""
    parts: set[cst.CSTNode] = set()
    for call in program.all(cst.Call):
        if _reads_file(call) or _is_saved_by_pillow(call):
            parts.update(arg.value for arg in call.args)
            parts.update([call.func.value] if isinstance(call.func, cst.Attribute) else [])
    for node in program.all(cst.Name):
        if node in parts or not parts.isdisjoint(program.ancestors(node)):
            yield node.value


def _is_no_output(program: Program, node: cst.CSTNode, elsewhere: set[str]) -> bool:
    for parent in program.ancestors(node):
        if isinstance(parent, cst.Arg) and parent.keyword and parent.keyword.value in {"image", "mask", "prompt"}:
            return True
        if isinstance(parent, cst.Comparison) or (isinstance(parent, cst.Call) and _is_for_input(program, parent)):
            return True
        if isinstance(parent, cst.Assign):
            return any(chain(assigned.target)[-1] in elsewhere for assigned in parent.targets)
    return False


def _is_for_input(program: Program, call: cst.Call) -> bool:
    """Whether what a call is given is read or compared, or saved by Pillow."""
    if _reads_file(call) or _is_saved_by_pillow(call) or chain(call.func)[-1] in _MATCHERS:
        return True
    # The `Path(...)` of `Path(...).open("rb")` or `Path(...).read_bytes()`.
    attribute = program.parent(call)
    outer = program.parent(attribute) if isinstance(attribute, cst.Attribute) else None
    return isinstance(outer, cst.Call) and _reads_file(outer)


def _is_saved_by_pillow(call: cst.Call) -> bool:
    """Whether it is `save(path)` or `save(path, "PNG")`, and not Django's `save(name, content)`."""
    if chain(call.func)[-1] != "save":
        return False
    others = [arg for arg in call.args[1:] if not arg.star and (not arg.keyword or arg.keyword.value == "content")]
    return all(text_of(arg.value) is not None for arg in others)


def _reads_file(call: cst.Call) -> bool:
    parts = chain(call.func)
    if parts[-1] in _READERS:
        return True
    if parts[-1] != "open":
        return False
    # Of Image.open(...) and open(...), the mode is second; of Path(...).open(...) it is first.
    modes = [text_of(arg.value) for arg in call.args]
    return not any(mode and len(mode) <= 3 and set(mode) & set("wxa+") for mode in modes)
