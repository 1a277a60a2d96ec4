// How soon a page is there: `node speed.mjs http://127.0.0.1:3000/ [rounds]` against a running (release) server. Each
// round is a browser without a cache. First contentful paint is the browser's own; interactive is when the WASM has
// hydrated the page: the line under the title leaves the state that the server sent. Bars: 500 ms and 1,500 ms.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const [url = "http://127.0.0.1:3000/", rounds = "15"] = process.argv.slice(2);
const system = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
const browser = await chromium.launch({ executablePath: system, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
const paints = [];
const ready = [];
for (let round = 0; round < Number(rounds); round++) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => {
    const look = setInterval(() => {
      const line = document.querySelector(".freshness");
      if (line && !line.classList.contains("served")) {
        window.ready = performance.now();
        clearInterval(look);
      }
    }, 5);
  });
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await page.waitForFunction(() => window.ready);
  ready.push(await page.evaluate(() => window.ready));
  paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN));
  await context.close();
}
await browser.close();

const at = (values, share) => values.sort((a, b) => a - b)[Math.round((values.length - 1) * share)].toFixed(0);
const good = at(paints, 0.5) < 500 && at(ready, 0.5) < 1_500;
console.log(`first contentful paint: median ${at(paints, 0.5)} ms, p90 ${at(paints, 0.9)} ms`);
console.log(`interactive: median ${at(ready, 0.5)} ms, p90 ${at(ready, 0.9)} ms`);
console.log(`${good ? "pass" : "FAIL"}: medians under 500 and 1,500 ms, ${rounds} rounds without a cache`);
process.exitCode = good ? 0 : 1;
