// A client that nobody here wrote: the npm package `eventsource`, behind a line that is cut again and again.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { EventSource } from "eventsource";
import { publish } from "./publisher.ts";
import { expect, test } from "./server.ts";

/** A line to the server that can be cut. */
async function line(port: number) {
  const open = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    for (const [from, to] of [[client, server], [server, client]] as const) {
      open.add(from);
      from.on("error", () => to.destroy()).on("close", () => (open.delete(from), to.destroy()));
      from.pipe(to);
    }
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut: () => open.forEach((socket) => socket.destroy()),
    close: () => proxy.close(),
  };
}

test("eventsource sees every event once, and stops after the end", async ({ server, javaScriptEnabled }) => {
  // No browser is involved: once is enough.
  test.skip(!javaScriptEnabled);
  const id = `client-${Date.now()}`;
  await publish(server.url, id, [{ stage: "work", progress: 0 }]);
  const through = await line(server.port);
  const seen: number[] = [];
  const gaps: string[] = [];
  const source = new EventSource(`${through.url}/api/v1/sessions/${id}/status/stream`);
  const ended = new Promise<string>((done) => source.addEventListener("end", (event) => done(event.data)));
  source.addEventListener("status", (event) => seen.push(JSON.parse(event.data).progress));
  source.addEventListener("gap", (event) => gaps.push(event.data));
  await expect.poll(() => seen.length).toBe(1);

  for (let progress = 1; progress <= 60; progress++) {
    await publish(server.url, id, [{ stage: "work", progress }]);
    if (progress % 20 === 0) through.cut();
    await sleep(10);
  }
  await publish(server.url, id, [{ stage: "work", progress: 100, state: "completed" }]);
  expect(JSON.parse(await ended).state).toBe("completed");
  expect(seen).toEqual([...Array(61).keys()]);
  expect(gaps).toEqual([]);
  // It comes back once more, is answered 204, and stays away.
  await expect.poll(() => source.readyState, { timeout: 15_000 }).toBe(source.CLOSED);
  source.close();
  through.close();
});
