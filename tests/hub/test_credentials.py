"""What a token says of itself, what is refused before anything is sent, and which addresses a token may go to."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings, strategies as st

from ionos_openai.errors import ConfigurationError, InvalidTokenError, UntrustedHostError
from ionos_openai.errors.http import http_library
from ionos_openai.hub.credentials import (
    BASE_URL,
    SANDBOX_TOKEN,
    TOKEN_ADVICE,
    check_base_url,
    check_secure,
    check_token,
    clean_token,
    is_hosting_key,
    is_ionos_host,
    is_loopback,
    looks_like_token,
    normalise_base_url,
    read_token,
    same_origin,
)
from tests.tokens import DAY, HUB, make_token

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
UUID = "3f2b8c1e-0d4a-4b6f-9a7e-5c1d2e3f4a5b"


def jwt_of(payload: object) -> str:
    """Return a token whose payload is `payload`, whatever that is."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"eyJhbGciOiJSUzI1NiJ9.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.c2ln"


MISTAKES = {
    "empty": ("", f"X is empty or not text. {TOKEN_ADVICE}"),
    "no text": (None, f"X is empty or not text. {TOKEN_ADVICE}"),
    "bytes": (b"eyJhbGciOiJSUzI1NiJ9", f"X is empty or not text. {TOKEN_ADVICE}"),
    "a UUID": (
        UUID,
        "X is a UUID, which is a token's ID and not the token: the token itself starts with 'eyJ' and is shown "
        f"once, when it is made. {TOKEN_ADVICE}",
    ),
    "a UUID in capitals": (
        UUID.upper(),
        "X is a UUID, which is a token's ID and not the token: the token itself starts with 'eyJ' and is shown "
        f"once, when it is made. {TOKEN_ADVICE}",
    ),
    "an OpenAI key": ("sk-proj-abcdefghijklmnop", f"X is an OpenAI key (it starts with 'sk-'). {TOKEN_ADVICE}"),
    "a hosting key": (
        "0123456789abcdef.ghijklmnopqrstuv",
        "X is a key for IONOS' DNS and hosting API (prefix.secret), which the AI Model Hub does not take. "
        f"{TOKEN_ADVICE}",
    ),
    **{
        f"{name} inside": (
            f"eyJhbGciOiJ{letter}SUzI1NiJ9",
            "X has blanks, line breaks or other characters inside that no token has: copy it again, in one piece.",
        )
        for name, letter in {
            "a blank": " ",
            "a line break": "\n",
            "a carriage return": "\r",
            "a tab": "\t",
            "a NUL": "\0",
            "an umlaut": "ä",
            "a hard blank": "\xa0",
            "a zero-width blank": "\u200b",
            "a lone surrogate": "\ud800",
        }.items()
    },
    "an expired JWT": (jwt_of({"exp": NOW.timestamp() - DAY}), f"X expired on 2026-10-31 at 12:00 UTC. {TOKEN_ADVICE}"),
    "a JWT that expires now": (
        jwt_of({"exp": NOW.timestamp()}),
        f"X expired on 2026-11-01 at 12:00 UTC. {TOKEN_ADVICE}",
    ),
    "a JWT without the privilege": (
        jwt_of({"identity": {"privileges": ["DATA_CENTER_CREATE"]}}),
        f"X lacks the privilege {HUB}: give its user access to the AI Model Hub in the Data Center Designer under "
        "Management > Users & Groups, then make a new token.",
    ),
}


@pytest.mark.parametrize(("token", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_each_mistake_with_a_token_has_its_own_message(token: object, message: str) -> None:
    """A token that cannot work is refused with what is wrong and what to do."""
    with pytest.raises(InvalidTokenError) as caught:
        check_token(token, now=NOW, origin="X")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJSUzI1NiJ9.bm90IGpzb24",
        "eyJhbGciOiJSUzI1NiJ9.%%%%.c2ln",
        "an-opaque-token",
        *[
            jwt_of(payload)
            for payload in (
                b"not json",
                b"\xff\xfe",
                b"[" * 30_000,
                [],
                None,
                7,
                {},
                {"exp": None},
                {"exp": "soon"},
                {"exp": True},
                {"exp": 1e300},
                {"exp": -(10**25)},
                {"exp": 10**25},
                {"identity": None},
                {"identity": []},
                {"identity": {"privileges": None}},
                {"identity": {"privileges": []}},
                {"identity": {"privileges": {HUB: 1}}},
                b'{"exp": NaN}',
                b'{"exp": 1e999}',
            )
        ],
        "eyJ" + "a" * 100_000 + "." + "b" * 100_000 + ".c",
    ],
)
def test_a_token_that_cannot_be_read_is_let_through(token: str) -> None:
    """What says nothing of itself is for the service to judge, so no unreadable token is refused here."""
    facts = check_token(token, now=NOW)
    assert (facts.expires, facts.may_use_hub) == (None, None)


def test_a_good_token_tells_kind_end_contract_and_privilege() -> None:
    """The facts of a JWT are those of its payload."""
    token = jwt_of({"exp": NOW.timestamp() + 60, "identity": {"contractNumber": 31000000, "privileges": ["A", HUB]}})
    facts = check_token(token, now=NOW)
    assert (facts.kind, facts.contract, facts.may_use_hub) == ("jwt", "31000000", True)
    assert facts.expires == datetime(2026, 11, 1, 12, 1, tzinfo=UTC)


def test_the_made_up_tokens_of_these_tests_are_good() -> None:
    """A token as the tests make it passes, so that the refusals above are about what they say."""
    assert check_token(make_token(), now=datetime.now(UTC)).kind == "jwt"


def test_the_stand_ins_token_is_no_secret_and_always_good() -> None:
    """The literal token "sandbox" passes and is told apart."""
    assert check_token(SANDBOX_TOKEN, now=NOW).kind == read_token(SANDBOX_TOKEN).kind == "sandbox"


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("abc", "abc"),
        ("  abc\n", "abc"),
        ("Bearer abc", "abc"),
        ("bearer\tabc ", "abc"),
        (" BEARER   abc", "abc"),
        ("Bearer", ""),
        (" Bearer ", ""),
        ("Bearerabc", "Bearerabc"),
        ("", ""),
    ],
)
def test_outer_blanks_and_a_leading_bearer_are_stripped(text: str, token: str) -> None:
    """What people copy along with a token is taken off."""
    assert clean_token(text) == token


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("prefix.secret", True),
        ("a-b_c.d", True),
        ("eyJabc.def", False),
        ("a.b.c", False),
        ("abc", False),
        ("a.", False),
    ],
)
def test_a_hosting_key_is_known_by_its_shape(token: str, expected: bool) -> None:
    """Two parts with one dot are IONOS' DNS and hosting key, unless it starts as a JWT."""
    assert is_hosting_key(token) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (make_token(), True),
        (make_token()[:60], True),
        ("Bearer opaque-token", True),
        (" sk-proj-abcdefghijklmnop1234\n", True),
        ("/run/secrets/ionos", False),
        ("eyJ.txt", False),
        ("sk-token.txt", False),
        ("C:\\secrets\\ionos token.txt", False),
    ],
)
def test_a_token_in_place_of_something_else_is_known_by_its_beginning(text: str, expected: bool) -> None:
    """So that a token that was pasted where a file belongs is not shown as a path."""
    assert looks_like_token(text) is expected


WORDS = " ".join(message for _, message in MISTAKES.values())


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(),
        st.text(alphabet="eyJabc019.-_= \n", max_size=80),
        st.from_regex(r"sk-[\w-]{8,40}", fullmatch=True),
        st.from_regex(r"[0-9a-f]{16}\.[A-Za-z0-9]{16,60}", fullmatch=True),
        st.binary(max_size=80).map(jwt_of),
        st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5).map(
            lambda value: jwt_of({"exp": value, "identity": {"privileges": value, "contractNumber": value}})
        ),
    )
)
@example(UUID)
def test_arbitrary_text_is_taken_or_refused_without_being_repeated(text: str) -> None:
    """Whatever stands where a token should: nothing but InvalidTokenError is raised, and it never holds the token."""
    token = clean_token(text)
    shown = ""
    try:
        check_token(token, now=NOW, origin="X")
    except InvalidTokenError as error:
        shown = str(error) + repr(error) + repr(error.args)
    assert token not in shown or token in WORDS or len(token) < 6


GOOD_URLS = {
    "https://openai.inference.de-txl.ionos.com/v1": BASE_URL,
    "https://openai.inference.de-txl.ionos.com/v1/": BASE_URL,
    "https://openai.inference.de-txl.ionos.com/": BASE_URL,
    "https://openai.inference.de-txl.ionos.com": BASE_URL,
    "  https://openai.inference.de-txl.ionos.com//\n": BASE_URL,
    "HTTPS://openai.inference.de-txl.ionos.com": BASE_URL,
    "https://gateway.example/ionos/openai/": "https://gateway.example/ionos/openai",
    "http://127.0.0.1:8600": "http://127.0.0.1:8600/v1",
    "http://[::1]:8600/v1": "http://[::1]:8600/v1",
    "http://sandbox:8600/v1": "http://sandbox:8600/v1",
}


@pytest.mark.parametrize(("text", "url"), GOOD_URLS.items())
def test_a_base_url_works_with_and_without_slash_and_v1(text: str, url: str) -> None:
    """A base URL is brought into the form that the SDK wants, a path of its own kept."""
    assert normalise_base_url(text) == url


NO_URL = f"X is not an http or https URL with a host, such as {BASE_URL}."
BAD_URLS = {
    "": NO_URL,
    "ionos.com": NO_URL,
    "openai.inference.de-txl.ionos.com/v1": NO_URL,
    "//ionos.com/v1": NO_URL,
    "https://": NO_URL,
    "https:///v1": NO_URL,
    "ftp://ionos.com": NO_URL,
    "file:///etc/passwd": NO_URL,
    "https://ionos.com:abc": NO_URL,
    "https://ionos.com:70000": NO_URL,
    "https://io nos.com": NO_URL,
    "https://ionos.com\\@evil.example": NO_URL,
    "https://evil.example\\.ionos.com": NO_URL,
    "https://ionos.com\r\nHost: evil.example": NO_URL,
    "https://ion\tos.com": NO_URL,
    "https://ionos.com/\0": NO_URL,
    "https://[::1": NO_URL,
    "http://[::1].evil.example": NO_URL,
    "http://evil.example[::1]": NO_URL,
    "https://ionos.com/\udce9": NO_URL,
    f"https://ionos.com/{'a' * 70_000}": NO_URL,
    "https://ionos.com/v1?x=1": "X has a '?' or '#' part: leave it out.",
    "https://evil.example#.ionos.com": "X has a '?' or '#' part: leave it out.",
    "https://evil.example?.ionos.com": "X has a '?' or '#' part: leave it out.",
    "https://ionos.com@evil.example": "X has a user name or password in front of the host: leave them out.",
    "https://user:secret@ionos.com": "X has a user name or password in front of the host: leave them out.",
    "https://@ionos.com": "X has a user name or password in front of the host: leave them out.",
}


@pytest.mark.parametrize(
    ("text", "message"), BAD_URLS.items(), ids=[url[:40].encode("ascii", "replace") for url in BAD_URLS]
)
def test_what_is_no_base_url_is_refused(text: str, message: str) -> None:
    """A URL without scheme or host, with a user name, a query, or what parsers read differently, is refused."""
    with pytest.raises(ConfigurationError) as caught:
        normalise_base_url(text, origin="X")
    assert str(caught.value) == message


def advice(host: str) -> str:
    return (
        f"X points at {host}, which is not a host of ionos.com, so the token was not sent there. If it is meant: pass "
        f"base_url= in code (or --base-url), or set IONOS_ALLOWED_HOSTS={host} in the real environment (a .env file "
        "cannot allow it)."
    )


LOOKALIKES = [
    "evil-ionos.com",
    "ionos.com.evil.example",
    "openai.inference.de-txl.ionos.com.",
    "ionos.com.",
    "ionos.co",
    "ionos.comm",
    "ionos.de",
    "xionos.com",
    "ionos-com.example",
    "ionos.com-evil.example",
    "\u0131onos.com",  # a dotless i
    "ionos.com%2eevil.example",
    "evil.example%2f.ionos.com",
    "evil.example%00.ionos.com",
    "*.ionos.com",
    ".ionos.com",
    "a..ionos.com",
    "xn--onos-1pa.com",
    "0.0.0.0",
    "169.254.169.254",
    "localhost.evil.example",
    "localhost.",
    "evil.localhost",
    "127.0.0.1.evil.example",
    "2130706433",
]


@pytest.mark.parametrize("host", LOOKALIKES)
def test_a_lookalike_is_foreign(host: str) -> None:
    """A host that only looks like one of IONOS', or like this machine, is refused with the advice how to allow it."""
    with pytest.raises(UntrustedHostError) as caught:
        check_base_url(normalise_base_url(f"https://{host}"), origin="X", named_in_code=False)
    assert str(caught.value) == advice(host)


@pytest.mark.parametrize(
    "url",
    [
        BASE_URL,
        "https://ionos.com/v1",
        "https://OPENAI.Inference.de-txl.IONOS.com/v1",
        "https://api.ionos.com:8443/v1",
        "http://localhost:8600/v1",
        "http://LOCALHOST/v1",
        "http://127.0.0.1/v1",
        "http://127.8.9.10:80/v1",
        "http://[::1]:8600/v1",
        "https://127.0.0.1/v1",
    ],
)
def test_ionos_and_this_machine_need_no_permission(url: str) -> None:
    """Hosts of ionos.com over https, and loopback over either, are allowed as they are."""
    check_base_url(url, origin="X", named_in_code=False)


def test_a_foreign_host_is_allowed_by_code_or_by_name() -> None:
    """A foreign host is allowed when code says so, or when the allowed hosts have exactly it, in any case."""
    url = "https://Gateway.example:8443/v1"
    check_base_url(url, origin="X", named_in_code=True)
    check_base_url(url, origin="X", named_in_code=False, allowed_hosts=["other.example", "GATEWAY.example"])
    for hosts in ([], ["example"], ["*"], ["*.example"], ["gateway.example."]):
        with pytest.raises(UntrustedHostError):
            check_base_url(url, origin="X", named_in_code=False, allowed_hosts=hosts)


@pytest.mark.parametrize("host", ["openai.inference.de-txl.ionos.com", "gateway.example", "10.0.0.1", "x.localhost"])
def test_no_permission_allows_an_unencrypted_way(host: str) -> None:
    """Plain http is for this machine alone, whoever named the host."""
    url = f"http://{host}/v1"
    with pytest.raises(UntrustedHostError) as caught:
        check_base_url(url, origin="X", named_in_code=True, allowed_hosts=[host])
    assert str(caught.value) == (
        f"X would send the token to {host} unencrypted: use https (plain http is for this machine alone, or for the "
        "token 'sandbox')."
    )
    with pytest.raises(UntrustedHostError):
        check_secure("ftp://ionos.com", origin="X")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example/v1", "https://A.example:443/v2?x", True),
        ("http://127.0.0.1", "http://127.0.0.1:80", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://a.example.", False),
        ("https://a.example", "https://b.example", False),
        ("https://a.example", "https://a.example\\@b.example", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    """Two URLs are of one origin only with the same scheme, host and port."""
    assert same_origin(one, other) is same


PIECES = st.sampled_from(
    [
        "ionos.com",
        ".ionos.com",
        "evil",
        "localhost",
        "127.0.0.1",
        "::1",
        "[",
        "]",
        ":",
        "/",
        "\\",
        "@",
        "#",
        "?",
        ".",
        "%",
        "%2e",
        "%00",
        "\u3002",
        "ß",
        "K",
        "\u0131",
        "℀",
        "\u017f",
        "8",
        "443",
        "v1.",
        "-",
        "_",
        "xn--",
        "\uffe3",
        "\uff0ecom",
        "\t",
        "\n",
        " ",
        "\xad",
        "�",
    ]
)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.tuples(
            st.sampled_from(["https://", "http://", "HTTPS://", "https:/", "//", "https:", ""]),
            st.lists(PIECES, max_size=7).map("".join),
        ).map("".join),
    )
)
@example("http://[::1].evil.example")
@example("http://evil.example[::1]:80")
@example("https://evil.example\\.ionos.com")
def test_what_is_allowed_is_what_the_http_library_would_connect_to(text: str) -> None:
    """No text breaks the check, and what passes it has a good host as the HTTP library itself reads it."""
    try:
        url = normalise_base_url(text)
        check_base_url(url, origin="X", named_in_code=False)
    except ConfigurationError:
        return
    try:
        read = http_library().URL(url)
    except (http_library().InvalidURL, ValueError):  # refused when a client is made
        return
    assert is_ionos_host(read.host) or is_loopback(read.host)
    assert read.scheme == "https" or is_loopback(read.host)
    assert not read.userinfo
