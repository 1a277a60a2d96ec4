// The list of sessions, and the public page where a browser follows one.

import { expect, Server, test } from "./server.ts";
import { create, publish } from "./publisher.ts";

/** A fresh session of a cohort: which one an id falls into is a hash, so ids are tried. */
async function sessionOf(cohort: "stream" | "poll", url: string): Promise<string> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const id = `${cohort}-${Date.now()}-${attempt}`;
    if ((await create(url, id)) === cohort) return id;
  }
  throw new Error(`no id falls into the cohort ${cohort}`);
}

test("a session's page shows its status before any script", async ({ page, server }) => {
  const id = await sessionOf("stream", server.url);
  await publish(server.url, id, [{ stage: "transcribing", progress: 42, message: "minute <b>17</b> of 40" }]);
  await page.goto(`/s/${id}`);
  await expect(page.getByText("transcribing").first()).toBeVisible();
  await expect(page.getByText("42").first()).toBeVisible();
  // What a publisher says is text, whatever it says.
  await expect(page.getByText("minute <b>17</b> of 40").first()).toBeVisible();
});

test("a session that never was is a 404", async ({ page }) => {
  for (const id of ["never-was", "not%20an%20id", "%3Cscript%3E"]) {
    const answer = await page.goto(`/s/${id}`);
    expect(answer?.status()).toBe(404);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
});

test("the list of sessions shows what runs", async ({ page, server }) => {
  const id = await sessionOf("stream", server.url);
  await publish(server.url, id, [{ stage: "diarizing", progress: 90 }]);
  // Rows are written about once a second.
  await expect(async () => {
    await page.goto("/sessions");
    await expect(page.getByRole("link", { name: id })).toBeVisible({ timeout: 500 });
  }).toPass();
  await page.getByRole("link", { name: id }).click();
  await expect(page).toHaveURL(`/s/${id}`);
});

test("an empty list says how a session begins", async ({ page }) => {
  const server = await Server.start();
  try {
    await page.goto(`${server.url}/sessions`);
    await expect(page.getByText("curl").first()).toBeVisible();
  } finally {
    await server.stop();
  }
});

test.describe("with scripts", () => {
  test.skip(({ javaScriptEnabled }) => !javaScriptEnabled);

  for (const cohort of ["stream", "poll"] as const) {
    test(`a browser of the ${cohort} cohort follows to the end`, async ({ page, server }) => {
      const id = await sessionOf(cohort, server.url);
      await publish(server.url, id, [{ stage: "uploading", progress: 5 }]);
      const asked: string[] = [];
      page.on("request", (request) => asked.push(new URL(request.url()).pathname));
      await page.goto(`/s/${id}`);
      await expect.poll(() => asked.some((path) => path.startsWith(`/api/v1/sessions/${id}/status`))).toBe(true);
      await publish(server.url, id, [{ stage: "transcribing", progress: 55, message: "half way" }]);
      await expect(page.getByText("half way").first()).toBeVisible();
      await publish(server.url, id, [{ stage: "done", progress: 100, state: "completed", message: "all said" }]);
      await expect(page.getByText(/completed/i).first()).toBeVisible();
      await expect(page.getByText("all said").first()).toBeVisible();
      expect(asked.some((path) => path.endsWith("/stream"))).toBe(cohort === "stream");
    });
  }

  test("a page that was cut off resumes without losing an event", async ({ page }) => {
    const server = await Server.start(["--control-group-percent", "0"]);
    try {
      await publish(server.url, "cut-1", [{ stage: "transcribing", progress: 10 }]);
      await page.goto(`${server.url}/s/cut-1`);
      await publish(server.url, "cut-1", [{ stage: "transcribing", progress: 20, message: "before the cut" }]);
      await expect(page.getByText("before the cut").first()).toBeVisible();
      await server.restart();
      await publish(server.url, "cut-1", [{ stage: "transcribing", progress: 60, message: "after the cut" }]);
      await expect(page.getByText("after the cut").first()).toBeVisible({ timeout: 20_000 });
    } finally {
      await server.stop();
    }
  });
});
