"""Clients from the factory where frameworks take OpenAI's; each is skipped where the framework is not installed."""

from __future__ import annotations

import base64
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ionos_openai import create_async_client, create_client
from tests.loopback import Answer
from tests.recipes import frameworks

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


@pytest.fixture
def sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the recipes' clients ask the sandbox, and LiteLLM no server for its prices."""
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


CHAT = "meta-llama/Llama-3.3-70B-Instruct"
STARTS = {"JPEG": b"\xff\xd8\xff", "in base64": "/9j/", "as a data URI": "data:image/jpeg;base64,/9j/"}


@needs("pydantic_ai", "pydantic-ai")
async def test_pydantic_ai_chats_and_draws(sandboxed: None) -> None:
    """By the recipes for its agents and its ImageGenerator."""
    assert "no model has read" in (await frameworks.pydantic_ai_agent(CHAT).run("hi")).output
    if find_spec("pydantic_ai.images") is not None:
        drawn = await frameworks.pydantic_ai_images().generate("a fox")
        assert drawn.image.data.startswith(STARTS["JPEG"])
        edited = await frameworks.pydantic_ai_images().generate("a fox", settings={"openai_n": 2})
        assert len(edited.images) == 2


@needs("langchain_openai", "langchain-openai")
async def test_langchain_chats(sandboxed: None) -> None:
    """By the recipe, awaited and streamed too."""
    chat = frameworks.langchain_chat(CHAT)
    assert "no model has read" in chat.invoke("hi").content
    assert "no model has read" in (await chat.ainvoke("hi")).content
    assert "no model has read" in "".join(chunk.content for chunk in chat.stream("hi"))


@needs("langchain_community", "langchain-community")
def test_langchains_tool_draws(sandboxed: None) -> None:
    """It joins the answers' URLs, which are data URIs; it needs no key of OpenAI's."""
    assert frameworks.langchain_images().run("a fox").startswith(STARTS["as a data URI"])


@needs("agents", "openai-agents")
async def test_an_agent_draws_and_sends_no_traces(
    sandboxed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its tool makes a file; nothing is exported to anybody."""
    import agents
    from agents.tool_context import ToolContext
    from agents.tracing import processors

    monkeypatch.chdir(tmp_path)
    exported: list[object] = []
    monkeypatch.setattr(processors.BackendSpanExporter, "export", lambda self, items: exported.extend(items))
    agent = frameworks.openai_agent(CHAT)
    assert "no model has read" in (await agents.Runner.run(agent, "hi")).final_output
    arguments = json.dumps({"prompt": "a fox"})
    context = ToolContext(context=None, tool_name="draw", tool_call_id="1", tool_arguments=arguments)
    path = await agent.tools[0].on_invoke_tool(context, arguments)
    assert Path(path).read_bytes().startswith(STARTS["JPEG"])  # noqa: ASYNC240 - one small file
    processors.default_processor().force_flush()
    assert exported == []


@needs("instructor", "instructor")
def test_instructor_keeps_the_client(sandboxed: None) -> None:
    """The pictures of the same client stay beside it."""
    drawn = frameworks.instructor_client().client.images.generate(prompt="a fox", model="flux.1")
    assert drawn.data[0].b64_json.startswith(STARTS["in base64"])


@needs("litellm", "litellm")
def test_litellm_draws(sandboxed: None) -> None:
    """With our client in the place of its own."""
    assert frameworks.litellm_picture("a fox").data[0].b64_json.startswith(STARTS["in base64"])


@needs("semantic_kernel", "semantic-kernel")
async def test_semantic_kernel_draws(sandboxed: None) -> None:
    """With our client in the place of its own, and no key of OpenAI's."""
    drawn = await frameworks.semantic_kernel_images().generate_image("a fox", 1024, 1024)
    text = drawn if isinstance(drawn, str) else base64.b64encode(drawn).decode()
    assert text.removeprefix("data:image/jpeg;base64,").startswith(STARTS["in base64"])
