"""The one place that masks secrets: what a conversation gave away, and parsed JSON."""

from __future__ import annotations

import copy

import pytest

from ionos_openai.errors.masking import TOKEN, Secrets, each_leaf, mask_recorded
from tests.tokens import make_token


def test_the_longest_secret_is_hidden_first() -> None:
    """A secret that is part of a longer one leaves nothing of the longer one behind."""
    secrets = Secrets()
    secrets.learn("0123456789ab", "<short>")
    secrets.learn("0123456789abcdef", "<long>")
    assert secrets.hide("0123456789abcdef, 0123456789ab") == "<long>, <short>"


def test_a_word_is_no_secret() -> None:
    """A token such as "sandbox" is not learned, since it stands in many a text; a number may be shorter."""
    secrets = Secrets()
    secrets.learn_token("sandbox")
    secrets.learn("31000", "<contract>", shortest=5)
    assert secrets.hide("a sandbox on 31000") == "a sandbox on <contract>"


def test_a_token_is_hidden_whole_in_part_and_quoted() -> None:
    """A token is hidden as it is, as an address has it, and a JWT part by part."""
    secrets = Secrets()
    token = make_token()
    secrets.learn_token(token)
    secrets.learn_token("opaque token/0123")
    assert secrets.hide(f"{token} {token.split('.')[1]}") == f"{TOKEN} {TOKEN}"
    assert secrets.hide("?key=opaque%20token%2F0123") == f"?key={TOKEN}"


def test_secrets_can_be_copied() -> None:
    """pytest-recording copies what holds them; the copy knows what was known."""
    secrets = Secrets()
    secrets.learn_token("opaque-token-0123")
    assert copy.deepcopy(secrets).mask("opaque-token-0123, Bearer abc") == f"{TOKEN}, Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a ring bearer at a wedding", "a ring bearer at a wedding"),
        ("Bearer abcdefghijkl and sk-abcdefgh", f"{TOKEN} and {TOKEN}"),
        (f"Bearer {TOKEN}", TOKEN),
        ("iVBOeyJabcde", "iVBOeyJabcde"),
    ],
)
def test_what_is_recorded_keeps_prompts_and_pictures(text: str, masked: str) -> None:
    """Where prompts and pictures are to be read again, only what is surely a secret is replaced."""
    assert mask_recorded(text) == masked


def test_parsed_json_is_changed_leaf_by_leaf_and_cut() -> None:
    """Each leaf and each name is changed; what is too deep or too much is left out."""
    value = {"a": ["b", "c", "d"], "e": {"f": {"g": "h"}}, "i": 1}
    upper = each_leaf(value, lambda leaf: leaf.upper() if isinstance(leaf, str) else leaf, depth=2, deeper="…", most=2)
    assert upper == {"A": ["B", "C"], "E": {"F": "…"}}
    assert each_leaf(value, lambda leaf: leaf) == value
    assert each_leaf([1, 2, 3], lambda leaf: leaf, most=1, shorten=lambda entries: entries[1:]) == [2, 3]
