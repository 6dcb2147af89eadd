"""The exception tree, and an error answer of any shape made readable."""

from __future__ import annotations

import base64
import copy
import hashlib
import inspect
import pickle
import re
import time
from typing import TYPE_CHECKING

import openai
import pytest
from hypothesis import example, given, settings, strategies as st

from ionos_openai import errors
from ionos_openai.errors import (
    ConfigurationError,
    ImageSaveError,
    InvalidRequestError,
    InvalidTokenError,
    IonosError,
    IonosWarning,
    MissingTokenError,
    UnknownModelError,
    UntrustedHostError,
    keep_partial_results,
    partial_results,
)
from ionos_openai.errors.masking import mask_body, mask_secrets
from ionos_openai.hub.answers import ErrorText, read_error_body
from ionos_openai.images.image import ImageDecodeError
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable

# The tree.


def documented_tree() -> dict[str, tuple[str, str | None]]:
    """Read the module's docstring: each class with its base, and what else it is."""
    tree: dict[str, tuple[str, str | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^    ([ │├└─]*)([\w.]+)(?:\s+also (.+))?$", line)
        if match:
            depth = len(match[1]) // 4
            path = path[:depth]
            if path:
                tree[match[2]] = (path[-1], match[3])
            path.append(match[2])
    return tree


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    """Every exception of the module stands in the docstring's tree below its real base, with what else it is."""
    real = {}
    for name, one in vars(errors).items():
        ours = inspect.isclass(one) and issubclass(one, Exception) and one.__module__ == errors.__name__
        if ours and not issubclass(one, Warning):
            base, *others = one.__bases__
            module = "" if base.__module__ in (errors.__name__, "builtins") else "openai."
            others_named = [f"{'openai.' if issubclass(o, openai.OpenAIError) else ''}{o.__name__}" for o in others]
            real[name] = (f"{module}{base.__name__}", " and ".join(others_named) or None)
    documented = documented_tree()
    assert documented == real
    assert documented["IonosError"] == ("openai.OpenAIError", None)


def test_a_users_handlers_for_the_sdk_and_for_python_go_on_working() -> None:
    """Each of ours is an openai.OpenAIError, and the class that the SDK or Python has for the case."""
    assert issubclass(IonosError, openai.OpenAIError)
    assert issubclass(InvalidTokenError, openai.AuthenticationError)
    assert issubclass(InvalidRequestError, ValueError)
    assert issubclass(ImageDecodeError, ValueError)
    assert issubclass(ImageSaveError, OSError)
    assert issubclass(IonosWarning, UserWarning)
    error = InvalidTokenError("no good")
    assert (error.status_code, error.message, error.body, error.code, error.request_id) == (
        401,
        "no good",
        None,
        None,
        None,
    )
    assert error.response.request is error.request


INSTANCES = [
    IonosError("said"),
    ConfigurationError("said"),
    MissingTokenError("said"),
    InvalidTokenError("said"),
    UntrustedHostError("said"),
    InvalidRequestError("said"),
    UnknownModelError("said", candidates=["a", "b"]),
    ImageDecodeError("said", index=2),
    ImageSaveError("said"),
]


@pytest.mark.parametrize("error", INSTANCES, ids=lambda error: type(error).__name__)
def test_an_exception_survives_copy_and_pickle(error: IonosError) -> None:
    """Our exceptions cross process borders, as in multiprocessing, with their message and attributes."""
    for twin in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert (str(twin), repr(twin)) == ("said", repr(error))
        for name in ("candidates", "index", "images", "paths", "status_code"):
            assert getattr(twin, name, None) == getattr(error, name, None)


# Texts and codes.

AUTH = "Unauthorized, wrong or no api key provided to process this request"
SHAPES = {
    "IONOS' messages": ({"httpStatus": 401, "messages": [{"errorCode": "paas-1", "message": AUTH}]}, AUTH, "paas-1"),
    "several messages": ({"messages": [{"message": "a"}, {"errorCode": "c2", "message": "b"}]}, "a; b", "c2"),
    "messages of other kinds": ({"messages": ["x", None, 3, {"message": None}, {"message": "a"}]}, "a", None),
    "messages without text": ({"messages": [{"errorCode": "c"}], "message": "m"}, "m", None),
    "messages no list": ({"messages": "x", "message": "m"}, "m", None),
    "error.message": ({"error": {"httpStatus": 500, "message": "Network error"}}, "Network error", None),
    "error with a code": ({"error": {"message": "m", "code": "c"}}, "m", "c"),
    "error with an errorCode": ({"error": {"message": "m", "errorCode": "c"}}, "m", "c"),
    "error unwrapped by the SDK": ({"message": "m", "errorCode": "c"}, "m", "c"),
    "error as text": ({"error": "model not found"}, "model not found", None),
    "message": ({"message": " m \n"}, "m", None),
    "detail as text": ({"detail": "Not Found"}, "Not Found", None),
    "detail as a list": ({"detail": [{"msg": "a b", "type": "missing"}, {"msg": "c"}, 3]}, "a b; c", None),
    "errors as texts": ({"errors": ["a", 3, "b"]}, "a; b", None),
    "error in an error": ({"error": {"error": {"message": "m", "code": "c"}}}, "m", "c"),
    "error with a type alone": (
        {"error": {"type": "invalid_request_error", "message": None}},
        "invalid_request_error",
        None,
    ),
    "a reason": ({"finish_reason": "CONTENT_FILTERED", "b64_json": ""}, "CONTENT_FILTERED", None),
    "a list of them": ([{"error": {"message": "m", "code": 400}}], "m", None),
    "text": ("upstream connect error", "upstream connect error", None),
    "a page": ("<html><head><title> 502 Bad\n Gateway </title></head><body>x</body></html>", "502 Bad Gateway", None),
    "a page without title": ("<!doctype html><style>p{}</style><p>No <b>luck</b></p><script>x<", "No luck", None),
    **{
        f"nothing in {body!r}": (body, None, None)
        for body in (
            *(None, "", " \n", 7, 1.5, True, [], ["a"], {}, {"error": None}, {"error": []}),
            *({"error": {"message": {}}}, {"detail": {}}, {"detail": [[]]}, {"message": 5}, {"messages": []}),
            "<html></html>",
        )
    },
}


@pytest.mark.parametrize(("body", "message", "code"), SHAPES.values(), ids=SHAPES.keys())
def test_each_shape_of_error_gives_its_text_and_code(body: object, message: str | None, code: str | None) -> None:
    """What one of the known shapes says is found; what none of them says is None."""
    assert read_error_body(body) == ErrorText(message=message, code=code)


def test_a_long_text_is_cut_and_nothing_breaks_a_terminal() -> None:
    """At most 500 characters of text and 80 of code; control characters and lone surrogates become blanks."""
    said = read_error_body({"error": {"message": "a b " * 10_000, "code": "c " * 500}})
    assert said.message is not None
    assert said.code is not None
    assert (len(said.message), len(said.code)) == (500, 80)
    assert said.message.endswith("…")
    said = read_error_body({"message": "red \x1b[31m alert\x07 \ud800 \u202egnp.exe", "code": "\x1b\x00"})
    assert said == ErrorText(message="red [31m alert gnp.exe", code=None)


PICTURE = base64.b64encode(bytes(range(256)) * 4).decode()
TOKEN = make_token()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"token {TOKEN} is bad", "token <token> is bad"),
        (f"'{TOKEN[:30]}...' is bad", "'<token>' is bad"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer <token>"),
        ('{"authorization": "bearer abc"}', '{"authorization": "Bearer <token>"}'),
        ("Incorrect API key: sk-proj-abcdefgh1234", "Incorrect API key: <token>"),
        (f"got {PICTURE}", "got <data>"),
        (f"got data:image/png;base64,{PICTURE}!", "got data:image/png;base64,<data>!"),
        ("got " + base64.encodebytes(bytes(range(256)) * 4).decode() + "!", "got <data>!"),
        ("got " + "A" * 120, "got <data>"),
        ("got " + ("A" * 64 + "\n") * 3 + "!", "got <data>!"),
        ("shop-sk-proj-abcdefgh1234", "shop-<token>"),
        *(
            (text, text)
            for text in (
                "shop-sk-produkty-2024/f is a file",
                f"/home/anna/{'ein_Ordner-mit/Bildern2024/' * 6}f is a folder",
                f"cannot copy {'/srv/Kampagne-2024' * 4} to {'/mnt/backup_2024' * 5} now",
            )
        ),
        ("opaque-secret-1 and opaque-secret-1", "<token> and <token>"),
        (
            "stabilityai/stable-diffusion-xl-base-1.0 is not there",
            "stabilityai/stable-diffusion-xl-base-1.0 is not there",
        ),
        ("trace 0123456789abcdef0123456789abcdef", "trace 0123456789abcdef0123456789abcdef"),
        ("the bearer of bad news", "the Bearer <token> bad news"),
    ],
)
def test_tokens_and_base64_are_masked(text: str, masked: str) -> None:
    """What was sent as token, what looks like a token or a key, and base64 of any length are replaced; paths stay."""
    assert mask_secrets(text, "opaque-secret-1") == masked


@given(st.binary(), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
def test_no_data_is_taken_for_a_path(seed: bytes, encode: Callable[[bytes], bytes]) -> None:
    """Of what looks like data, 120 characters in a row never stand in the masked text, in either alphabet."""
    data = encode(b"".join(hashlib.sha256(seed + bytes([one])).digest() for one in range(8))).decode()
    masked = mask_secrets(f"got {data}!")
    assert not any(data[start : start + 120] in masked for start in range(len(data) - 120))


def test_a_body_is_masked_in_depth_and_cut_off() -> None:
    """Each text and key of a parsed body is masked, other values stay, and what lies too deep is dropped."""
    body = {"a": [TOKEN, 1, None, {TOKEN: PICTURE}], "b": True}
    assert mask_body(body) == {"a": ["<token>", 1, None, {"<token>": "<data>"}], "b": True}
    deep: object = TOKEN
    for _ in range(900):
        deep = [deep]
    assert repr(mask_body(deep)) == "[" * 20 + "None" + "]" * 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TOKEN) | st.just(PICTURE),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "messages", "errorCode", "code", "detail", "msg"]) | st.text(), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
@example({"messages": [{"message": TOKEN + "x" * 2000, "errorCode": TOKEN}]})
def test_no_json_breaks_the_reading_or_lets_a_secret_through(body: object) -> None:
    """Any JSON value gives a short printable text or none, without the token and without base64."""
    said = read_error_body(body, TOKEN)
    shown = f"{said.message}{said.code}{mask_body(body, TOKEN)!r}"
    assert TOKEN not in shown
    assert PICTURE not in shown
    for text, longest in ((said.message, 500), (said.code, 80)):
        assert text is None or (0 < len(text) <= longest and text.isprintable() and text == text.strip())


@pytest.mark.parametrize(
    "body",
    ["<" * 2_000_000, "<title" * 300_000, "<script" * 300_000, "bearer " * 300_000, "eyJ" * 700_000, "A" * 2_000_000,
     " " * 2_000_000, ("A" * 70 + "\n") * 28_000, ("A" * 59 + "!") * 33_000, {"message": "sk-" * 700_000}],
)  # fmt: skip
def test_a_huge_answer_costs_little(body: object) -> None:
    """No answer of a few megabytes keeps the reader busy for long."""
    start = time.process_time()
    said = read_error_body(body)
    assert time.process_time() - start < 1.5
    assert len(said.message or "") <= 500


def test_partial_results_travel_with_an_exception() -> None:
    """What was attached to an error is what is read from it, and without anything it is an empty list."""
    error = ValueError("x")
    assert partial_results(error) == []
    kept = [object()]
    keep_partial_results(error, kept)  # type: ignore[arg-type]
    assert partial_results(error) == kept


@pytest.mark.parametrize("unit", ["abc def ", "eyJ bearer sk- ", "A" * 119 + " ", "a1b2", '{"a": "b"}, '])
def test_a_text_without_end_is_cut_before_it_is_looked_through(unit: str) -> None:
    """What is left has no half of a secret at its end."""
    secret = "opaque-secret-of-the-service"
    text = (unit * 3_000_000)[:19_990] + f" {secret} " + unit * 3_000_000
    masked = mask_secrets(text, secret)
    assert len(masked) <= 30_000
    assert secret[:10] not in masked
    body = mask_body({"messages": [{"message": text}] * 5000}, secret)
    assert isinstance(body, dict)
    assert len(body["messages"]) == 200
    assert secret[:10] not in str(body)
