"""What the tests of batches share: a service on loopback, and a client that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ionos_openai import create_client
from tests.tokens import make_token
from tests.torture.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    import openai


@pytest.fixture
def service() -> Iterator[Service]:
    """A service on loopback, without limits and without faults."""
    with Service() as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[openai.OpenAI]:
    """A client of the factory that asks it."""
    with create_client(api_key=make_token(), base_url=service.url) as made:
        yield made
