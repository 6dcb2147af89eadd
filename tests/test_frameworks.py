"""Clients from the factory where frameworks take OpenAI's; each is skipped where the framework is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import create_async_client, create_client
from tests.loopback import Answer

if TYPE_CHECKING:
    from tests.loopback import LoopbackServer

# The frameworks' own warnings, about their dependencies and their future, are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def needs(module: str, package: str) -> Any:
    """Skip where the package is not installed; one that is there and cannot be imported is a failure."""
    return pytest.mark.skipif(find_spec(module) is None, reason=f"{package} is not installed")


def chat_answer(content: str | None, **message: Any) -> Answer:
    """Return a chat completion with this message."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return Answer(body=body)


@needs("pydantic_ai", "pydantic-ai")
async def test_pydantic_ai_takes_the_client(server: LoopbackServer) -> None:
    """As `openai_client` of its OpenAIProvider."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    server.default = chat_answer("hello")
    async with create_async_client(api_key="test", base_url=server.url) as client:
        model = OpenAIChatModel("meta-llama/Llama-3.3-70B-Instruct", provider=OpenAIProvider(openai_client=client))
        result = await Agent(model).run("hi")
    assert result.output == "hello"
    assert server.requests[0].headers["authorization"] == "Bearer test"


@needs("instructor", "instructor")
def test_instructor_takes_the_client(server: LoopbackServer) -> None:
    """instructor patches the client's chat, which stays the SDK's."""
    import instructor
    from pydantic import BaseModel

    class Fox(BaseModel):
        colour: str

    server.default = chat_answer('{"colour": "red"}')
    with create_client(api_key="test", base_url=server.url) as client:
        patched = instructor.from_openai(client, mode=instructor.Mode.JSON)
        fox = patched.chat.completions.create(
            model="m", response_model=Fox, messages=[{"role": "user", "content": "a fox"}]
        )
    assert fox.colour == "red"


@needs("langchain_openai", "langchain-openai")
def test_langchain_takes_the_client(server: LoopbackServer) -> None:
    """ChatOpenAI takes the chat resource of a client."""
    import langchain_openai

    server.default = chat_answer("hello")
    with create_client(api_key="test", base_url=server.url) as client:
        chat = langchain_openai.ChatOpenAI(
            model="m", api_key="unused", client=client.chat.completions, root_client=client
        )
        assert chat.invoke("hi").content == "hello"
    assert server.requests[0].headers["authorization"] == "Bearer test"
