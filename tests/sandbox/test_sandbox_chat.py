"""The sandbox's chat and completions, in process, and the documents that fit a schema."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ionos_openai.sandbox import Sandbox, SandboxRequest
from ionos_openai.sandbox.chat import CHAT_ANSWER, COMPLETION
from ionos_openai.sandbox.documents import NoDocumentError, minimal_document
from tests.sandbox.test_sandbox import png, refused

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
HELLO = [{"role": "user", "content": "hello there"}]
FOX = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "legs": {"type": "integer", "minimum": 4}},
    "required": ["name", "legs"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "see", "parameters": FOX}}
OTHER = {"type": "function", "function": {"name": "rest"}}


def respond(path: str, **body: Any) -> Any:
    request = SandboxRequest(
        method="POST", path=f"/v1/{path}", headers={"authorization": "Bearer x"}, body=json.dumps(body).encode()
    )
    return Sandbox().respond(request)


def chat(**values: Any) -> Any:
    answer = respond("chat/completions", **{"model": LLAMA, "messages": HELLO} | values)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def said(**values: Any) -> Any:
    (choice,) = chat(**values)["choices"]
    return choice["message"]["content"], choice["finish_reason"]


def events(path: str, **values: Any) -> list[Any]:
    answer = respond(path, **{"model": LLAMA, "stream": True} | values)
    assert answer.status == 200, answer.body
    *texts, done, rest = answer.body.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(text.removeprefix("data: ")) for text in texts]


def problem(path: str = "chat/completions", **values: Any) -> tuple[str, str]:
    status, code, text = refused(respond(path, **{"model": LLAMA, "messages": HELLO} | values))
    assert status == 400
    return code.removeprefix("sandbox-"), text


# Lengths, numbers and stops.


def test_several_choices() -> None:
    """n answers come with their places, and are counted."""
    answer = chat(n=3)
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] == 3 * len(CHAT_ANSWER.split())
    chunks = events("chat/completions", messages=HELLO, n=2)
    assert {chunk["choices"][0]["index"] for chunk in chunks} == {0, 1}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks].count("stop") == 2


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_so_many_words(name: str) -> None:
    """After so many words the answer ends, and says so; one that is short enough ends by itself."""
    assert said(**{name: 3}) == ("PLACEHOLDER: this is", "length")
    assert said(**{name: 100}) == (CHAT_ANSWER, "stop")
    assert chat(**{name: 3})["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize(
    ("stop", "expected"), [("is the", "PLACEHOLDER: this "), (["zzz", ";", "model"], None), ([], "")]
)
def test_stops(stop: Any, expected: str | None) -> None:
    """The answer ends before the first of the stops."""
    whole = {None: CHAT_ANSWER.partition(";")[0], "": CHAT_ANSWER}
    assert said(stop=stop) == (whole.get(expected, expected), "stop")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"n": 0}, ("chat-limits", "n is a whole number from 1 to 128")),
        ({"n": True}, ("chat-limits", "n is a whole number from 1 to 128")),
        ({"max_tokens": 0}, ("chat-limits", "max_tokens is a whole number from 1")),
        ({"max_completion_tokens": "9"}, ("chat-limits", "max_completion_tokens is a whole number from 1")),
        ({"stop": [1]}, ("chat-limits", "stop is a text, or a list of up to 4 texts")),
        ({"stop": list("abcde")}, ("chat-limits", "stop is a text, or a list of up to 4 texts")),
        ({"logprobs": True}, ("undocumented", "logprobs is not documented")),
        ({"functions": [{"name": "x"}]}, ("undocumented", "functions is not documented")),
        ({"modalities": ["text", "audio"]}, ("undocumented", "modalities is not documented")),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            ("undocumented", "content of the type input_audio is not documented"),
        ),
        (
            {"messages": [{"role": "user", "content": [7]}]},
            ("undocumented", "content of the type None is not documented"),
        ),
        (
            {"response_format": {"type": "grammar"}},
            ("structured", "response_format: the type grammar is not documented"),
        ),
        ({"response_format": {"type": "json_schema"}}, ("structured", "response_format: json_schema needs a schema")),
        ({"tools": [{"type": "web_search"}]}, ("tools", "tools of the type web_search are not documented")),
        ({"tools": [{"type": "function"}]}, ("tools", "a tool needs a function with a name")),
        ({"tool_choice": "required"}, ("tools", "tool_choice asks for a tool that is not among the tools")),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}},
            ("tools", "tool_choice allowed_tools is not documented"),
        ),
    ],
)
def test_what_is_refused_has_its_name(values: dict[str, Any], expected: tuple[str, str]) -> None:
    """What is not documented, or no such value, is refused with its name."""
    assert problem(**values) == expected


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0, "top_p": 1, "seed": 3, "user": "x", "parallel_tool_calls": False, "reasoning_effort": "low"},
        {"logprobs": False, "functions": [], "modalities": ["text"], "stop": None, "response_format": {"type": "text"}},
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [TOOL], "tool_choice": "none"},
    ],
)
def test_what_changes_nothing(values: dict[str, Any]) -> None:
    """What only steers a model's words changes nothing, and nobody here wants to call a tool."""
    assert said(**values) == (CHAT_ANSWER, "stop")


# Structured answers and tools.


def test_an_answer_fits_its_schema() -> None:
    """The answer is a document that fits, whole or as events, and is cut where it is too long."""
    wanted = {"type": "json_schema", "json_schema": {"name": "fox", "schema": FOX}}
    text, finish = said(response_format=wanted)
    assert (json.loads(text), finish) == ({"name": "placeholder", "legs": 4}, "stop")
    chunks = events("chat/completions", messages=HELLO, response_format=wanted)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == text
    assert said(response_format=wanted, max_tokens=1) == ('{"name":', "length")
    odd = {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}
    expected = "The sandbox finds nothing that fits response_format.json_schema: not is not understood here"
    assert problem(response_format=odd) == ("structured", expected)


def test_an_answer_that_is_json() -> None:
    """Where only JSON is asked for, it fits the last schema in the messages, if there is one."""
    wanted = {"type": "json_object"}
    assert json.loads(said(response_format=wanted)[0]) == {"placeholder": CHAT_ANSWER}
    first, last = json.dumps({"properties": {"a": {}}}), json.dumps(FOX, indent=2)
    text = f"Such as {{this}}: {first}. Now answer as {last} says, {{please}} {{{{"
    messages = [{"role": "system", "content": [{"type": "text", "text": text}]}, *HELLO]
    assert json.loads(said(response_format=wanted, messages=messages)[0]) == {"name": "placeholder", "legs": 4}


def test_an_answer_is_like_an_example() -> None:
    """Where the messages show an object in place of a schema, its texts tell what stands in their places."""
    example = {
        "title": "{title}",
        "age": "{age}  # a single int value",
        "ok": "{ok}  # must be True or False",
        "kind": "{kind}  # one of: hen; fox",
        "tags": '{tags}  # must adhere to the JSON schema: {"type": "array", "items": {"type": "integer"}}',
        "parts": [{"name": "string", "share": 0.5}],
    }
    messages = [{"role": "system", "content": f"Answer so: {json.dumps(example, indent=1)}"}, *HELLO]
    assert json.loads(said(response_format={"type": "json_object"}, messages=messages)[0]) == {
        "title": "placeholder",
        "age": 0,
        "ok": False,
        "kind": "hen",
        "tags": [0],
        "parts": [{"name": "placeholder", "share": 0.5}],
    }
    assert said(messages=messages) == (CHAT_ANSWER, "stop")


def test_an_answer_in_a_block_of_code() -> None:
    """Where the messages ask for JSON as code and have a schema, the answer is that."""
    messages = [{"role": "user", "content": f"Answer in a ```json codeblock as {json.dumps(FOX)} says."}]
    text, _ = said(messages=messages)
    assert json.loads(text.removeprefix("```json\n").removesuffix("\n```")) == {"name": "placeholder", "legs": 4}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "see"}}])
def test_a_tool_is_called(choice: Any) -> None:
    """A tool that is required or named is called with arguments that fit."""
    (answer,) = chat(tools=[TOOL], tool_choice=choice)["choices"]
    (call,) = answer["message"]["tool_calls"]
    assert (answer["finish_reason"], answer["message"]["content"]) == ("tool_calls", None)
    assert (call["type"], call["function"]["name"]) == ("function", "see")
    assert json.loads(call["function"]["arguments"]) == {"name": "placeholder", "legs": 4}
    chunks = events("chat/completions", messages=HELLO, tools=[TOOL], tool_choice=choice)
    pieces = [chunk["choices"][0]["delta"].get("tool_calls", [{}])[0] for chunk in chunks]
    assert (pieces[0]["id"], pieces[0]["index"], pieces[0]["function"]["name"]) == (call["id"], 0, "see")
    assert "".join(piece.get("function", {}).get("arguments", "") for piece in pieces) == call["function"]["arguments"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_required_tools_are_called_in_turn() -> None:
    """Where one is required again and again, each is called once and then the last one: programs come to an end."""
    messages: list[Any] = list(HELLO)
    called = []
    for _ in range(3):
        (answer,) = chat(messages=messages, tools=[OTHER, TOOL], tool_choice="required")["choices"]
        (call,) = answer["message"]["tool_calls"]
        called.append(call["function"]["name"])
        messages += [answer["message"], {"role": "tool", "tool_call_id": call["id"], "content": "done"}]
    assert called == ["rest", "see", "see"]


# Pictures.


def picture(url: Any) -> list[Any]:
    return [{"role": "user", "content": [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": url}]}]


def test_pictures_are_told_of() -> None:
    """A picture is told of by its format and size; one at an address is not fetched."""
    data = f"data:image/png;base64,{base64.b64encode(png(30, 20)).decode()}"
    assert said(messages=picture({"url": data}))[0] == f"{CHAT_ANSWER} It came with a PNG of 30x20 px."
    far = said(messages=picture({"url": "https://example.invalid/x.png"}))[0]
    assert far == f"{CHAT_ANSWER} It came with a picture at an address that nobody has opened."


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data:image/png;base64,****", "image_url has no picture that can be read: it is not base64"),
        (
            "data:image/png;base64,JSFQUy1BZG9iZQ==",
            "image_url has no picture that can be read: its bytes are not JPEG, PNG, WebP, GIF or AVIF",
        ),
        ("file:///etc/passwd", "image_url needs a url: data: with base64, or https:"),
        (7, "image_url needs a url: data: with base64, or https:"),
    ],
)
def test_what_is_no_picture_is_refused(url: Any, why: str) -> None:
    """Neither base64 that is none, nor another kind of file or address is taken, whatever answer is wanted."""
    for more in ({}, {"response_format": {"type": "json_object"}}, {"tools": [TOOL], "tool_choice": "required"}):
        assert problem(messages=picture({"url": url}), **more) == ("image-input", why)


# Completions.


def test_completions() -> None:
    """A completion answers each prompt, whole or as events, with usage where that is wanted."""
    answer = json.loads(respond("completions", model=LLAMA, prompt=["one two", "three"], n=2).body)
    assert answer["object"] == "text_completion"
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert {(choice["text"], choice["finish_reason"]) for choice in answer["choices"]} == {(COMPLETION, "stop")}
    assert answer["usage"]["prompt_tokens"] == 3
    chunks = events("completions", prompt="one two", stream_options={"include_usage": True})
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks[:-1]) == COMPLETION
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["prompt_tokens"]) == ([], 2)


def test_what_completions_take() -> None:
    """Tokens are a prompt too, echo repeats it, and stops and lengths hold."""

    def text(**values: Any) -> str:
        return str(json.loads(respond("completions", model=LLAMA, **values).body)["choices"][0]["text"])

    assert text(prompt=[1, 2]) == COMPLETION
    assert text(prompt="a fox", echo=True, max_tokens=2) == "a fox PLACEHOLDER: this"
    assert text(prompt="a fox", stop=":") == " PLACEHOLDER"
    for prompt in (None, 5, [], [None], {}, [[]]):
        expected = ("completions", "prompt is missing, or no text and no list of 1 to 128 texts")
        assert problem("completions", prompt=prompt) == expected
    assert problem("completions", prompt="x", logprobs=3) == ("undocumented", "logprobs is not documented")


# Documents.

NODE = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "description": "or none"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["next", "children"],
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        (True, "placeholder"),
        ({}, "placeholder"),
        (FOX, {"name": "placeholder", "legs": 4}),
        (NODE, {"next": None, "children": []}),
        ({"type": "object", "properties": {"a": {}}}, {}),
        ({"properties": {"a": {"type": "boolean"}}, "required": ["a", "b"]}, {"a": False, "b": "placeholder"}),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": {"x": 1}}, {"x": 1}),
        ({"type": ["null", "string"]}, None),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": "array", "prefixItems": [{"type": "null"}, {"type": "number"}], "minItems": 2}, [None, 0]),
        ({"type": "string", "maxLength": 3}, "pla"),
        ({"type": "string", "minLength": 13}, "placeholderpl"),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "string", "pattern": "^[A-Z]{2}$"}, "AA"),
        ({"type": "integer", "exclusiveMinimum": 4, "multipleOf": 5}, 5),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"allOf": [{"$ref": "#/$defs/A"}], "title": "x", "$defs": {"A": {"type": "boolean"}}}, False),
        (
            {"allOf": [FOX, {"properties": {"b": {"type": "null"}}, "required": ["b"]}]},
            {"name": "placeholder", "legs": 4, "b": None},
        ),
        ({"type": "object", "properties": {"a": {"type": "null"}}, "anyOf": [{"required": ["a"]}]}, {"a": None}),
        ({"oneOf": [{"not": {}}, {"type": "null"}]}, None),
        ({"properties": {"a": {"type": "array", "items": {"type": "null"}}, "b": {}}, "required": []}, {"a": [None]}),
        ({"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {"type": "null"}}, {}),
        ({"type": "string", "format": "binary", "x-shown": "later"}, "placeholder"),
    ],
)
def test_documents_fit(schema: Any, document: object) -> None:
    """The smallest document that is easily found."""
    assert minimal_document(schema) == document


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"not": {}}, "not is not understood here"),
        ({"type": "object", "minProperties": 1}, "minProperties is not understood here"),
        ({"type": "tree"}, "the type 'tree' is not known"),
        ({"propertyNames": {}, "required": ["a"]}, "propertyNames is not understood here where names are required"),
        ({"type": "string", "format": "iban"}, "the format iban is not understood here"),
        ({"type": "string", "pattern": "^x+y$"}, "no text was found that fits pattern"),
        ({"type": "string", "pattern": "("}, "a pattern in it cannot be read"),
        ({"type": "string", "minLength": 10**9}, "no text was found that fits its length"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "no number fits its bounds"),
        ({"type": "integer", "minimum": "x"}, "a keyword in it has a value of the wrong kind"),
        ({"type": "array", "items": {"type": "null"}, "minItems": 10**9}, "it is too large, or has no end"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "$ref #/$defs/A leads into itself"),
        ({"$ref": "http://x.invalid/"}, "$ref http://x.invalid/ leads elsewhere"),
        (
            {"type": "array", "items": {"type": "null"}, "minItems": 2, "uniqueItems": True},
            "uniqueItems is not understood here where several items are needed",
        ),
    ],
)
def test_what_no_document_fits_is_said(schema: Any, why: str) -> None:
    """What is not understood is named, and nothing goes on for ever."""
    with pytest.raises(NoDocumentError) as caught:
        minimal_document(schema)
    assert str(caught.value) == why


KEYWORDS = st.sampled_from(
    [
        "type",
        "$ref",
        "properties",
        "required",
        "items",
        "anyOf",
        "allOf",
        "enum",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "pattern",
        "prefixItems",
    ]
)
VALUES = st.sampled_from(
    ["object", "array", "string", "integer", "#", "#/properties/a", 0, -1, True, ["a"], [{}], [], {}]
)
SCHEMAS = st.recursive(
    st.dictionaries(KEYWORDS, VALUES, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object"), "required": st.just(["a"]), "properties": st.fixed_dictionaries({"a": inner})}
    ),
    max_leaves=4,
)


@given(schema=SCHEMAS | VALUES)
def test_any_schema_ends_in_a_document_or_a_reason(schema: Any) -> None:
    """Whatever stands in a schema, there is a document or a reason why not."""
    with contextlib.suppress(NoDocumentError):
        json.dumps(minimal_document(schema))
