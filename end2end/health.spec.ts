import { expect, test } from "./server.ts";

test("a running server says that it is healthy", async ({ request }) => {
  const answer = await request.get("/healthz");
  expect(answer.status()).toBe(200);
});

test("it comes back with its data after a restart and after kill -9", async ({ server, request }) => {
  await server.restart();
  expect((await request.get("/readyz")).status()).toBe(200);
  await server.kill9();
  await server.up();
  expect((await request.get("/readyz")).status()).toBe(200);
});
