"""Frameworks against the sandbox's server, with only the address changed; each is skipped where it is missing."""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import openai
import pytest
from pydantic import BaseModel

from ionos_openai.sandbox import SandboxServer
from ionos_openai.sandbox.chat import CHAT_ANSWER, COMPLETION
from tests.sandbox.test_sandbox import FLUX1, FLUX2, png
from tests.test_frameworks import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

# The frameworks' own warnings, about their dependencies and their future, are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

LLAMA, BGE = "meta-llama/Llama-3.3-70B-Instruct", "BAAI/bge-m3"
ASKED: list[Any] = [{"role": "user", "content": "hi"}]


class Leg(BaseModel):
    """A part of a fox."""

    name: str
    length: float


class Fox(BaseModel):
    """What programs want as their answer."""

    colour: Literal["red", "white"]
    legs: list[Leg]
    age: int | None


FOX = Fox(colour="red", legs=[Leg(name="placeholder", length=0)], age=0)


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """A server without limits."""
    with SandboxServer() as running:
        yield running


@pytest.fixture
def address(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's base URL, which the variables of OpenAI's SDK name too; nothing is loaded from elsewhere."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", server.token)
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return server.base_url


@needs("pydantic_ai", "pydantic-ai")
async def test_pydantic_ai(address: str) -> None:
    """Agents chat, stream, look, call their tools, and answer with models in each of the ways."""
    from pydantic_ai import Agent, BinaryContent, NativeOutput, PromptedOutput, ToolOutput
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with openai.AsyncOpenAI(base_url=address, api_key="sandbox") as client:
        model = OpenAIChatModel(LLAMA, provider=OpenAIProvider(openai_client=client))
        seen = await Agent(model).run(["what?", BinaryContent(png(8, 9), media_type="image/png")])
        assert seen.output == f"{CHAT_ANSWER} It came with a PNG of 8x9 px."
        async with Agent(model).run_stream("hi") as run:
            assert await run.get_output() == CHAT_ANSWER
        for output in (Fox, ToolOutput(Fox), NativeOutput(Fox), PromptedOutput(Fox)):
            called: list[int] = []
            agent: Agent[None, Any] = Agent(model, output_type=output)
            agent.tool_plain(called.append, name="see")
            assert (await agent.run("hi")).output == FOX


@needs("instructor", "instructor")
@pytest.mark.parametrize("mode", ["TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA", "MD_JSON"])
def test_instructor(address: str, mode: str) -> None:
    """Models come whole, in parts and as several."""
    import instructor

    chats = instructor.from_openai(openai.OpenAI(), mode=instructor.Mode[mode]).chat.completions
    whole = chats.create(model=LLAMA, response_model=Fox, messages=ASKED, max_retries=0)
    *_, last = chats.create_partial(model=LLAMA, response_model=Fox, messages=ASKED)
    assert whole.model_dump() == last.model_dump() == FOX.model_dump()
    assert list(chats.create_iterable(model=LLAMA, response_model=Leg, messages=ASKED)) == FOX.legs


@needs("agents", "openai-agents")
async def test_openai_agents(address: str) -> None:
    """Agents answer with models, call a tool that is required and come to their end, and stream."""
    import agents

    agents.set_tracing_disabled(disabled=True)
    model = agents.OpenAIChatCompletionsModel(model=LLAMA, openai_client=openai.AsyncOpenAI())
    called: list[int] = []

    def see(number: int) -> str:
        """See."""
        called.append(number)
        return "seen"

    painter = agents.Agent(name="painter", model=model, output_type=Fox)
    assert (await agents.Runner.run(painter, "hi")).final_output == FOX
    forced = agents.ModelSettings(tool_choice="required")
    seer = agents.Agent(name="seer", model=model, tools=[agents.function_tool(see)], model_settings=forced)
    assert (await agents.Runner.run(seer, "hi")).final_output == CHAT_ANSWER
    assert called == [0]
    streamed = agents.Runner.run_streamed(agents.Agent(name="x", model=model), "hi")
    assert [event async for event in streamed.stream_events()]
    assert streamed.final_output == CHAT_ANSWER


@needs("langchain_openai", "langchain-openai")
def test_langchain(address: str) -> None:
    """Chats, tools, structured answers, completions and embeddings."""
    import langchain_openai

    chat = langchain_openai.ChatOpenAI(model=LLAMA)
    assert "".join(chunk.content for chunk in chat.stream("hi")) == chat.invoke("hi").content == CHAT_ANSWER
    (call,) = chat.bind_tools([Leg], tool_choice="any").invoke("hi").tool_calls
    assert (call["name"], call["args"]) == ("Leg", {"name": "placeholder", "length": 0})
    for method in ("json_schema", "function_calling"):
        assert chat.with_structured_output(Fox, method=method).invoke("hi") == FOX
    asked = f"Answer as this says: {Fox.model_json_schema()}".replace("'", '"')
    assert chat.with_structured_output(Fox, method="json_mode").invoke(asked) == FOX
    completing = langchain_openai.OpenAI(model=LLAMA)
    assert completing.invoke("hi") == "".join(completing.stream("hi")) == COMPLETION
    options: Any = {"model_kwargs": {"encoding_format": "float"}, "check_embedding_ctx_length": False}
    assert len(langchain_openai.OpenAIEmbeddings(model=BGE, **options).embed_query("hi")) == 1024


@needs("dspy", "dspy")
def test_dspy(address: str) -> None:
    """Signatures are answered, also where only the messages say which fields are wanted."""
    import dspy

    with dspy.context(lm=dspy.LM(f"openai/{LLAMA}", api_base=address, api_key="sandbox", cache=False)):
        answer = dspy.Predict("question -> answer: str, score: float, ok: bool, tags: list[str]")(question="who?")
    assert (answer.answer, answer.score, answer.ok, answer.tags) == ("placeholder", 0.0, False, ["placeholder"])


@needs("litellm", "litellm")
def test_litellm(address: str) -> None:
    """Pictures, edits, embeddings, chats and completions."""
    import litellm

    litellm.disable_hf_tokenizer_download = True
    there: Any = {"api_base": address, "api_key": "sandbox"}
    assert litellm.image_generation("a fox", model=f"openai/{FLUX1}", **there).data[0].b64_json.startswith("/9j/")
    edited = litellm.image_edit(image=[io.BytesIO(png(9, 9))], prompt="a hat", model=f"openai/{FLUX2}", **there)
    assert edited.data[0].b64_json.startswith("/9j/")
    made = litellm.embedding(model=f"openai/{BGE}", input=["hi"], encoding_format="float", **there)
    assert len(made.data[0]["embedding"]) == 1024
    chat: Any = {"model": f"openai/{LLAMA}", "messages": ASKED, **there}
    assert litellm.completion(**chat).choices[0].message.content == CHAT_ANSWER
    pieces = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(**chat, stream=True)]
    assert "".join(pieces) == CHAT_ANSWER
    text = litellm.completion(**chat, response_format=Fox).choices[0].message.content
    assert Fox.model_validate_json(text) == FOX
    done = litellm.text_completion(model=f"text-completion-openai/{LLAMA}", prompt="hi", **there)
    assert done.choices[0].text == COMPLETION


@pytest.fixture
def proxy(address: str, tmp_path: Path) -> Iterator[str]:
    """LiteLLM's proxy in front of the server: its base URL."""
    command = shutil.which("litellm", path=str(Path(sys.executable).parent))
    pytest.importorskip("fastapi", reason="litellm[proxy] is not installed")
    if command is None:
        pytest.skip("litellm[proxy] is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    models = f'model_list: [{{model_name: "*", litellm_params: {{model: "openai/*", api_base: "{address}"}}}}]'
    (tmp_path / "proxy.yaml").write_text(models + "\ngeneral_settings: {master_key: sk-sandbox}\n")
    arguments = ["--config", str(tmp_path / "proxy.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen([command, *arguments], stdout=log, stderr=log) as run:
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/liveliness", run)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            run.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until something answers, for as long as the process lives, at most a minute."""
    for _ in range(240):
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            assert process.poll() is None
            time.sleep(0.25)
        else:
            return
    raise AssertionError(f"Nothing answers at {url}.")


@pytest.mark.slow
@needs("litellm", "litellm")
def test_litellms_proxy(proxy: str) -> None:
    """Clients of the proxy draw, edit, chat, complete and embed."""
    with openai.OpenAI(base_url=proxy, api_key="sk-sandbox", max_retries=0, timeout=60) as client:
        assert client.images.generate(model=FLUX1, prompt="a fox").data[0].b64_json.startswith("/9j/")
        assert client.images.edit(model=FLUX2, prompt="a hat", image=png(9, 9)).data[0].b64_json.startswith("/9j/")
        assert client.chat.completions.create(model=LLAMA, messages=ASKED).choices[0].message.content == CHAT_ANSWER
        assert client.completions.create(model=LLAMA, prompt="hi").choices[0].text == COMPLETION
        assert len(client.embeddings.create(model=BGE, input="hi", encoding_format="float").data[0].embedding) == 1024
