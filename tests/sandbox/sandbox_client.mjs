// What a program on Node's official OpenAI SDK does, with only the address changed. Prints one JSON object.
import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const options = { baseURL: process.env.BASE_URL, apiKey: "any-token" };
const client = new OpenAI({ ...options, maxRetries: 0 });
const klein = "black-forest-labs/FLUX.2-klein-4B";
const messages = [{ role: "user", content: "hello" }];
const chat = { model: "meta-llama/Llama-3.3-70B-Instruct", messages };
const meet = (fault) => ({ headers: { "x-sandbox-fault": fault } });
const status = (promise) => promise.then(() => 200, (error) => error.status);

const models = (await client.models.list()).data.length;
const image = await client.images.generate({ model: klein, prompt: "a fox", size: "64x64" });
const file = await toFile(fs.createReadStream(process.argv[2]), "in.png", { type: "image/png" });
const edit = await client.images.edit({ model: klein, prompt: "a hat", image: file });
const answer = (await client.chat.completions.create(chat)).choices[0].message.content;
let streamed = "";
for await (const chunk of await client.chat.completions.create({ ...chat, stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
}
const vectors = await client.embeddings.create({ model: "BAAI/bge-m3", input: "a fox", encoding_format: "float" });
let refused;
try {
  await client.images.generate({ model: klein, prompt: "a fox", size: "64x64", n: 2 });
} catch (error) {
  refused = [error.status, error instanceof OpenAI.BadRequestError];
}
// The fault is met once: it is asked for in the first attempt's header alone.
let attempts = 0;
const patient = new OpenAI({
  ...options,
  maxRetries: 2,
  fetch: (url, init) => {
    const headers = new Headers(init.headers);
    if (attempts++ === 0) headers.set("x-sandbox-fault", "rate-limit");
    return fetch(url, { ...init, headers });
  },
});
console.log(
  JSON.stringify({
    models,
    image: image.data[0].b64_json.slice(0, 4),
    edit: edit.data[0].b64_json.slice(0, 4),
    chat: answer,
    streamed: streamed === answer,
    embedding: vectors.data[0].embedding.length,
    refused,
    afterLimit: (await patient.models.list()).data.length,
    failed: await status(client.models.list(meet("server-error"))),
    unauthorized: await status(client.models.list(meet("unauthorized"))),
  }),
);
