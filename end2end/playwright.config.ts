// Every spec runs with scripts off and on: a page is useful before its WASM arrives, and without it.
// A spec that only makes sense one way says so with `test.skip(({ javaScriptEnabled }) => …)`.

import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const chromium = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

export default defineConfig({
  testDir: ".",
  outputDir: "test-results",
  // Two cores carry a browser, a server and a database: more at once would only measure the waiting.
  workers: 1,
  forbidOnly: !!process.env.CI,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: {
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      // Without a Chromium of the system: Playwright's own, if it was downloaded.
      executablePath: chromium,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    },
  },
  projects: [
    { name: "scripts on", use: { javaScriptEnabled: true } },
    { name: "scripts off", use: { javaScriptEnabled: false } },
  ],
});
