// What a program on Vercel's AI SDK does, with only the address changed. Prints one JSON object.
import fs from "node:fs";
import { createOpenAI } from "@ai-sdk/openai";
import * as ai from "ai";
import { z } from "zod";

const ionos = createOpenAI({ baseURL: process.env.BASE_URL, apiKey: "any-token" });
const generateImage = ai.generateImage ?? ai.experimental_generateImage;
const model = ionos.chat("meta-llama/Llama-3.3-70B-Instruct");
const schema = z.object({
  name: z.string(),
  legs: z.array(z.object({ length: z.number().min(1) })),
  kind: z.enum(["fox", "hen"]),
  mail: z.string().email().nullable(),
  weights: z.record(z.string(), z.number()),
});
const prompt = "a fox";
let streamed = "";
for await (const piece of ai.streamText({ model, prompt }).textStream) streamed += piece;
const look = [{ type: "text", text: "what?" }, { type: "image", image: fs.readFileSync(process.argv[2]) }];
const see = ai.tool({ description: "see", inputSchema: schema, execute: async () => "seen" });
const tools = { tools: { see }, toolChoice: "required" };
console.log(
  JSON.stringify({
    text: (await ai.generateText({ model, prompt })).text,
    streamed,
    seen: (await ai.generateText({ model, messages: [{ role: "user", content: look }] })).text,
    object: (await ai.generateText({ model, prompt, output: ai.Output.object({ schema }) })).output,
    called: (await ai.generateText({ model, prompt, ...tools })).toolCalls.map((call) => call.toolName),
    completed: (await ai.generateText({ model: ionos.completion("openai/gpt-oss-120b"), prompt })).text,
    picture: (await generateImage({ model: ionos.image("black-forest-labs/FLUX.1-schnell"), prompt })).image.mediaType,
  }),
);
