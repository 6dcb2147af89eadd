"""A user's tests of that program: no token, no network, no cost."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import TYPE_CHECKING

import openai
import pytest
from cards import count_cards, make_card

if TYPE_CHECKING:
    from pathlib import Path

    from ionos_openai.sandbox import Sandbox, SandboxServer


def test_a_card_is_made(ionos_client: openai.OpenAI, ionos_sandbox: Sandbox, tmp_path: Path) -> None:
    """A card is on disk, and what was asked for is on record."""
    path = make_card(ionos_client, "Ada", tmp_path)
    assert path.name == "card-for-Ada.jpg"
    assert ionos_sandbox.requests[-1].body["prompt"] == "a birthday card for Ada"


def test_a_failure_is_told(ionos_client: openai.OpenAI, ionos_sandbox: Sandbox, tmp_path: Path) -> None:
    """Where the service refuses, no file is left behind."""
    ionos_sandbox.fault("empty-400")
    with pytest.raises(openai.BadRequestError):
        make_card(ionos_client, "Ada", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_several_cards_and_another_language(
    ionos_async_client: openai.AsyncOpenAI, ionos_sandbox_server: SandboxServer
) -> None:
    """The async client and whatever speaks HTTP ask the same sandbox."""
    assert asyncio.run(count_cards(ionos_async_client, ["Ada", "Grace"])) == 2
    with urllib.request.urlopen(f"{ionos_sandbox_server.url}/sandbox/stats") as answer:
        assert json.load(answer)["images"] == 2
