// Node and better-sse: one channel a session.

import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";

const channels = new Map();
const channel = (id) => channels.get(id) ?? channels.set(id, createChannel()).get(id);

createServer(async (request, response) => {
  const [, id, stream] = request.url.match(/^\/api\/v1\/sessions\/([^/]+)\/status(\/stream)?/) ?? [];
  if (!id) {
    // What the load tool asks besides.
    response.writeHead(request.method === "POST" ? 201 : 200).end("{}");
  } else if (stream) {
    channel(id).register(await createSession(request, response, { keepAlive: 15_000 }));
  } else {
    let body = "";
    for await (const part of request) body += part;
    channel(id).broadcast(JSON.parse(body), "status");
    response.writeHead(202).end();
  }
}).listen({ port: 4103, host: "127.0.0.1", backlog: 4096 });
