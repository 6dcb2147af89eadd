"""Where frameworks take a client. Each function needs its own framework alone; with IONOS_SANDBOX=1 no token.

What the frameworks would send elsewhere by themselves, such as traces to OpenAI, is turned off beside it.
"""

from __future__ import annotations

from typing import Any

from ionos_openai import agenerate_images, create_async_client, create_client

FLUX = "black-forest-labs/FLUX.1-schnell"


def pydantic_ai_agent(chat_model: str) -> Any:
    """Return an agent of pydantic-ai: `pip install "pydantic-ai-slim[openai]"`."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return Agent(OpenAIChatModel(chat_model, provider=OpenAIProvider(openai_client=create_async_client())))


def pydantic_ai_images() -> Any:
    """Return pydantic-ai's ImageGenerator."""
    from pydantic_ai import ImageGenerator
    from pydantic_ai.images.openai import OpenAIImageGenerationModel
    from pydantic_ai.providers.openai import OpenAIProvider

    provider = OpenAIProvider(openai_client=create_async_client())
    return ImageGenerator(OpenAIImageGenerationModel(FLUX, provider=provider))


def langchain_chat(chat_model: str) -> Any:
    """Return LangChain's ChatOpenAI: `pip install langchain-openai`. Without all four it makes clients of its own."""
    from langchain_openai import ChatOpenAI

    client, asynchronous = create_client(), create_async_client()
    return ChatOpenAI(
        model=chat_model,
        api_key="unused",
        client=client.chat.completions,
        root_client=client,
        async_client=asynchronous.chat.completions,
        root_async_client=asynchronous,
    )


def langchain_images() -> Any:
    """Return LangChain's tool for pictures: `pip install langchain-community`. It answers with data URIs."""
    from langchain_community.utilities.dalle_image_generator import DallEAPIWrapper

    return DallEAPIWrapper(client=create_client().images, async_client=create_async_client().images)


def openai_agent(chat_model: str) -> Any:
    """Return an agent of the OpenAI Agents SDK that can draw: `pip install openai-agents`."""
    import agents

    client = create_async_client()
    # By default it sends traces to OpenAI; set_default_openai_client(client) would send them with the IONOS token.
    agents.set_tracing_disabled(disabled=True)

    async def draw(prompt: str) -> str:
        """Draw a picture and return its file."""
        (image,) = await agenerate_images(client, prompt, directory="pictures")
        return str(image.path)

    model = agents.OpenAIChatCompletionsModel(model=chat_model, openai_client=client)
    return agents.Agent(name="painter", model=model, tools=[agents.function_tool(draw)])


def instructor_client() -> Any:
    """Return a client whose chats answer with pydantic models: `pip install instructor`."""
    import instructor

    return instructor.from_openai(create_client(), mode=instructor.Mode.JSON)


def litellm_picture(prompt: str) -> Any:
    """Ask LiteLLM for a picture: `pip install litellm`.

    In front of a LiteLLM proxy it is `create_client(base_url="http://127.0.0.1:4000/v1", api_key="sk-...")`; set its
    `num_retries` to 0, since each of its own retries may buy a picture again.
    """
    import litellm

    client = create_client()
    return litellm.image_generation(prompt, model=f"openai/{FLUX}", client=client, api_key="unused", max_retries=0)


def semantic_kernel_images() -> Any:
    """Return Semantic Kernel's service for pictures: `pip install semantic-kernel`."""
    from semantic_kernel.connectors.ai.open_ai import OpenAITextToImage

    return OpenAITextToImage(ai_model_id=FLUX, async_client=create_async_client())
