"""What code does with the pictures that come back: fetching their URLs, and calling them PNG."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ionos_openai.cli.migrate.facts import FACTS
from ionos_openai.cli.migrate.keys import looked_up
from ionos_openai.cli.migrate.program import arguments, chain, text_of

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
    always_asked = bool(asked) and all(call.gives_url for call in asked)
    for node in [*program.all(ast.Attribute), *program.all(ast.Subscript)]:
        if urls.reads_url(node):
            fact = FACTS["url: data" if always_asked else "url: none"]
            yield fact.at(program.line(node), "reads the url of a picture")
    for call in program.all(ast.Call):
        parts = chain(call.func)
        if parts[-1] in _FETCHERS and any(urls.is_url(value) for _, value in arguments(call)):
            by_urllib = any(name.startswith("urllib.request.") for name in program.imported(call.func))
            fact = FACTS["url: opened" if by_urllib and always_asked else "url: fetched"]
            yield fact.at(program.line(call), f"fetches a picture with {'.'.join(filter(None, parts))}")


def reads_urls(program: Program) -> bool:
    """Tell whether a file reads the URL of a picture."""
    urls = _Urls(program)
    return any(urls.reads_url(node) for node in [*program.all(ast.Attribute), *program.all(ast.Subscript)])


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
            elif isinstance(value, ast.ListComp) and self.is_url(value.elt):
                self._lists.add(name)
        for loop in self._program.loops():
            names = [node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)]
            if self._is_data(loop.iter):
                self._items.update(names)
            elif isinstance(loop.iter, ast.Name) and loop.iter.id in self._lists:
                self._urls.update(names)
        for given in self._program.all(ast.Return):
            function = self._program.function_of(given)
            if function is not None and given.value is not None and self.is_url(given.value):
                self._functions.add(f"{function.name}()")
        self._follow_arguments()

    def _follow_arguments(self) -> None:
        """Find the parameters of the file's own functions that are given URLs."""
        functions = {function.name: function for function in self._program.functions()}
        for call in self._program.all(ast.Call):
            function = functions.get(chain(call.func)[-1])
            if function is None:
                continue
            names = [parameter.arg for parameter in [*function.args.posonlyargs, *function.args.args]]
            names = names[1:] if names[:1] in (["self"], ["cls"]) else names
            for index, (keyword, value) in enumerate(arguments(call)):
                if self.is_url(value):
                    given = keyword or "".join(names[index : index + 1])
                    self._urls.update({given} if given in names else ())

    def is_url(self, node: ast.expr) -> bool:
        """Tell whether an expression is the URL of a picture."""
        if isinstance(node, ast.Await):
            return self.is_url(node.value)
        if isinstance(node, ast.Name):
            return node.id in self._urls
        if isinstance(node, ast.Call):
            return chain(node)[-1] in self._functions
        return self.reads_url(node)

    def reads_url(self, node: ast.expr) -> bool:
        """Tell whether an expression is the `url` of an item."""
        if isinstance(node, ast.Attribute):
            return node.attr == "url" and self._is_item(node.value)
        return isinstance(node, ast.Subscript) and looked_up(node) == "url" and self._is_item(node.value)

    def _is_item(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Subscript):
            return self._is_data(node.value)
        return isinstance(node, ast.Name | ast.Attribute) and chain(node)[-1] in self._items

    def _is_data(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call) and chain(node.func)[-1] in _PASSING_ON:
            return any(self._is_data(value) for _, value in arguments(node))
        if isinstance(node, ast.BoolOp):
            return self._is_data(node.values[0])
        if isinstance(node, ast.Attribute):
            return node.attr == "data"
        return isinstance(node, ast.Subscript) and looked_up(node) == "data"


def find_revised_prompts(program: Program) -> Iterator[Finding]:
    """Report uses of the prompt as OpenAI rewrote it."""
    for node in program.all(ast.Attribute):
        if node.attr == "revised_prompt":
            yield FACTS["call: revised"].at(program.line(node), "reads revised_prompt")


def find_png(program: Program, *, edits: bool) -> Iterator[Finding]:
    """Report `.png` and `image/png` written by hand, in a file that asks for pictures; `edits`: for edits alone."""
    fact = FACTS["format: edit" if edits else "format: png"]
    elsewhere = set(_names_of_inputs(program))
    for _ in range(3):
        # `path = os.path.join(folder, name)`: what is read by the one is named by the other.
        elsewhere |= {
            node.id
            for target, value in program.assignments
            if chain(target)[-1] in elsewhere
            for node in ast.walk(value)
            if isinstance(node, ast.Name)
        }
    for node, text in program.texts:
        named = next((ending for ending in ("image/png", ".png") if ending in text.lower()), None)
        if named is not None and not _is_no_output(program, node, elsewhere):
            yield fact.at(program.line(node), f"calls a picture {named}")


def _names_of_inputs(program: Program) -> Iterator[str]:
    """Yield the names that are only read from, or that Pillow saves to in the format that their ending says."""
    for call in program.all(ast.Call):
        if _reads_file(call) or _is_saved_by_pillow(call):
            parts = [value for _, value in arguments(call)]
            parts += [call.func.value] if isinstance(call.func, ast.Attribute) else []
            yield from (node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name))


def _is_no_output(program: Program, node: ast.AST, elsewhere: set[str]) -> bool:
    for parent in program.ancestors(node):
        if isinstance(parent, ast.keyword) and parent.arg in {"image", "mask", "prompt"}:
            return True
        if isinstance(parent, ast.Compare) or (isinstance(parent, ast.Call) and _is_for_input(program, parent)):
            return True
        if isinstance(parent, ast.Assign):
            names = {chain(target)[-1] for target in parent.targets}
            return not names.isdisjoint(elsewhere)
    return False


def _is_for_input(program: Program, call: ast.Call) -> bool:
    """Whether what a call is given is read or compared, or saved by Pillow."""
    if _reads_file(call) or _is_saved_by_pillow(call) or chain(call.func)[-1] in _MATCHERS:
        return True
    # The `Path(...)` of `Path(...).open("rb")` or `Path(...).read_bytes()`.
    attribute = program.parent(call)
    outer = program.parent(attribute) if isinstance(attribute, ast.Attribute) else None
    return isinstance(outer, ast.Call) and _reads_file(outer)


def _is_saved_by_pillow(call: ast.Call) -> bool:
    """Whether it is `save(path)` or `save(path, "PNG")`, and not Django's `save(name, content)`."""
    if chain(call.func)[-1] != "save":
        return False
    others = [value for name, value in list(arguments(call))[1:] if name in {"", "content"}]
    return all(text_of(value) is not None for value in others)


def _reads_file(call: ast.Call) -> bool:
    parts = chain(call.func)
    if parts[-1] in _READERS:
        return True
    if parts[-1] != "open":
        return False
    # Of Image.open(...) and open(...), the mode is second; of Path(...).open(...) it is first.
    modes = [text_of(value) for _, value in arguments(call)]
    return not any(mode and len(mode) <= 3 and set(mode) & set("wxa+") for mode in modes)
