import asyncio
import base64
import io

import config
import discord
from openai import AsyncOpenAI

painter = AsyncOpenAI(api_key=config.OPENAI_KEY)
bot = discord.Bot()


@bot.command("paint")
async def paint(context, wish: str):
    answer = await painter.images.generate(
        model="dall-e-3",
        prompt=wish,
        quality="hd",  # sharper
        style="vivid",
        response_format="b64_json",
    )
    await context.send(file=discord.File(io.BytesIO(base64.b64decode(answer.data[0].b64_json)), "wish.jpg"))


asyncio.run(bot.call("paint", "an otter with a hat"))
