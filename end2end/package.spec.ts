// The SDK as npm would publish it: packed, unpacked where a program of its users has it, checked by TypeScript, and loaded.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@playwright/test";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Everything that is declared, as somebody uses it; and what must not compile. */
const PROGRAM = `
import { follow, selfTest } from "streamgauge";
import type { FallbackReason, Following, Gap, Handlers, Mode, Options, SelfTest, Status } from "streamgauge";

interface Words { words: number }

const options: Options = { base: "https://status.example.com", session: "a", ticket: async () => "t", cohort: "stream" };
const handlers: Handlers<Words> = {
  onStatus: (status: Status<Words>) => void (status.data?.words ?? 0).toFixed(),
  onGap: (gap: Gap) => void gap.resumes_at?.length,
  onEnd: ({ state }) => { if (state === "running") throw new Error("not yet"); },
  onIdle: ({ after_ms }) => void after_ms.toFixed(),
  onMode: (mode: Mode, reason?: FallbackReason) => void [mode === "lost", reason === "watchdog"],
};
export const following: Following = follow<Words>(options, handlers);
export const asked: Promise<void> | undefined = following.check();
export const test: Promise<SelfTest> = selfTest({ base: "https://status.example.com" });
follow("/api/v1/sessions/a/status").close();

// @ts-expect-error: there is no such mode
export const wrong: Mode = "streaming";
// @ts-expect-error: a session's id is text
follow({ session: 7 });
// @ts-expect-error: only the SDK sets it
following.mode = "closed";
`;

const SETTINGS = { target: "ES2022", lib: ["ES2022", "DOM"], strict: true, noEmit: true, types: [] };

function typeCheck(folder: string) {
  const { stdout, status } = spawnSync(here("node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(status).toBe(0);
}

test.skip(({ javaScriptEnabled }) => !javaScriptEnabled, "once is enough");

test("the package holds what it declares", () => {
  const folder = mkdtempSync(join(process.env.STREAMGAUGE_TEST_DIR ?? tmpdir(), "package-"));
  try {
    // Copied: npm looks at who owns the folder, and the sources stay as they are.
    cpSync(here("../public/sdk"), join(folder, "sdk"), { recursive: true });
    execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: join(folder, "sdk") });
    const packed = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
    expect(packed).toHaveLength(1);
    const installed = join(folder, "node_modules/streamgauge");
    mkdirSync(installed, { recursive: true });
    execFileSync("tar", ["-xzf", join(folder, packed[0]), "-C", installed, "--strip-components=1"]);
    expect(readdirSync(installed).sort()).toEqual([
      "README.md",
      "package.json",
      "streamgauge.d.ts",
      "streamgauge.js",
    ]);

    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    writeFileSync(join(folder, "program.ts"), PROGRAM);
    for (const [module, moduleResolution] of [["NodeNext", "NodeNext"], ["ESNext", "Bundler"]]) {
      const compilerOptions = { ...SETTINGS, module, moduleResolution };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
      typeCheck(folder);
    }

    // Also where there is no browser, as when a page is made by a server.
    const names = "const sdk = await import('streamgauge'); console.log(typeof sdk.follow, typeof sdk.selfTest)";
    const told = execFileSync("node", ["--input-type=module", "-e", names], { cwd: folder, encoding: "utf8" });
    expect(told.trim()).toBe("function function");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Playwright runs these files without looking at their types. */
test("the tests mean what they say", () => {
  typeCheck(here("."));
});
