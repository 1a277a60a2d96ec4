// Keeps the pages of alerts current, and runs the backtest while one types. The markup is the server's
// (app/src/pages/alerts): the same page is asked for again, and the parts (`data-part`) that differ are put in. What the
// reader points at, types into or has opened stays as it is. Without this script the pages are complete, only older.

const parts = (root) => [...root.querySelectorAll("[data-part]")];
const find = (selector, root = document) => root.querySelector(selector);

/** A part that must not go from under the reader's hands. */
function isHeld(part) {
  const opened = find("details[open] form, details[open] .scroll", part);
  const focused = part.contains(document.activeElement) && document.activeElement !== document.body;
  return part.matches(":hover") || focused || opened !== null;
}

/** What the server sent last for a part: the browser's own changes of it must not look like news. */
const sent = new WeakMap();

/** Puts in what differs. `names`: only these parts. */
function put(fresh, { names, force = false } = {}) {
  for (const part of parts(document)) {
    const { part: name } = part.dataset;
    if (names && !names.includes(name)) continue;
    const newer = find(`[data-part="${name}"]`, fresh);
    if (!newer || newer.innerHTML === (sent.get(part) ?? part.innerHTML)) continue;
    if (!force && isHeld(part)) continue;
    const open = [...part.querySelectorAll("details")].map((details) => details.open);
    part.innerHTML = newer.innerHTML;
    sent.set(part, newer.innerHTML);
    part.querySelectorAll("details").forEach((details, index) => (details.open = open[index] ?? details.open));
  }
  if (fresh.title) document.title = fresh.title;
  equip();
}

async function page(address, signal) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, signal });
  if (answer.status === 401) throw new Error("signed out");
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  // Signed out, the server leads to the sign-in, which is another page.
  if (answer.redirected && new URL(answer.url).pathname === "/login") throw new Error("signed out");
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// --- The whole page, every few seconds ---

const line = find("[data-live]");
/** Said to those who listen, and only when it changes. */
function say(words) {
  const said = find("[data-said]");
  if (said && said.textContent !== words) said.textContent = words;
}

function live() {
  const every = Number(line.dataset.live) * 1_000;
  let last = Date.now();
  let verdict = find("#verdict")?.textContent;
  let asking = false;

  function show(state, words) {
    const line = find("[data-live]");
    line.className = `freshness ${state}`;
    find(".link", line).textContent = words;
  }

  async function refresh() {
    if (asking || document.hidden) return;
    asking = true;
    try {
      const fresh = await page(location.href, AbortSignal.timeout(every * 2));
      last = Date.now();
      put(fresh);
      const clock = find("[data-live] time", fresh);
      const shown = find("[data-live] time");
      if (clock && shown) Object.assign(shown, { dateTime: clock.dateTime, textContent: clock.textContent });
      show("live", ", live");
      const now = find("#verdict")?.textContent;
      if (now !== verdict) say(now ?? "");
      verdict = now;
    } catch (error) {
      const age = Math.round((Date.now() - last) / 1_000);
      const why = error.message === "signed out" ? "signed out: reload this page to sign in" : "no answer, trying again";
      if (age > 15 || error.message === "signed out") {
        show("lost", `, stale: ${why}`);
        say(`These figures are ${age} seconds old: ${why}.`);
      }
    } finally {
      asking = false;
    }
  }

  show("live", ", live");
  setInterval(refresh, every);
  document.addEventListener("visibilitychange", refresh);
}

// --- The backtest of a draft ---

const draft = find("[data-draft]");
const PARTS = ["backtest", "against", "hints", "yaml", "meta", "discard"];
/** Typing goes on for a while; a choice is made at once. */
const PAUSE = { input: 600, change: 150 };

/** The controls that stand elsewhere belong to the form as well. */
const controls = () => [...draft.elements].filter((control) => control.name && control.type !== "hidden");

/** What differs from what is saved is marked. */
function mark() {
  for (const control of controls()) {
    if (control.dataset.saved === undefined || control.dataset.saved === "") continue;
    control.classList.toggle("chg", control.value !== control.dataset.saved);
  }
  const metric = find('select[name="metric"]', draft);
  const unit = metric?.selectedOptions[0]?.dataset.unit;
  if (unit === undefined) return;
  for (const shown of document.querySelectorAll("span[data-unit]")) shown.textContent = unit;
}

let running = null;
let waiting = 0;

async function test() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const query = new URLSearchParams(new FormData(draft));
  query.delete("back");
  query.set("backtest", "1");
  const panel = find('[data-part="backtest"]');
  panel.setAttribute("aria-busy", "true");
  try {
    const fresh = await page(`${draft.getAttribute("action")}?${query}`, signal);
    put(fresh, { names: PARTS, force: !panel.contains(document.activeElement) });
    say(find("[data-say]")?.textContent ?? find(".faults")?.textContent ?? "");
  } catch (error) {
    if (signal.aborted) return;
    say("The backtest could not be run: the server did not answer.");
  }
  if (running?.signal === signal) panel.removeAttribute("aria-busy");
}

function later(event) {
  mark();
  clearTimeout(waiting);
  waiting = setTimeout(test, PAUSE[event.type] ?? 0);
}

/** The slider moves the threshold; the threshold moves the slider when the test is back. */
function slide(slider) {
  const threshold = controls().find((control) => control.name === "threshold");
  const output = find("output", slider.parentElement);
  const unit = find("span[data-unit]", draft)?.textContent ?? "";
  slider.hidden = false;
  slider.addEventListener("input", () => {
    threshold.value = String(Number(Number(slider.value).toPrecision(3)));
    output.textContent = `${threshold.value}\u00a0${unit}`;
    slider.setAttribute("aria-valuetext", output.textContent);
    mark();
  });
  // It keeps the focus after it was moved, which would hold the panel that it stands in.
  slider.addEventListener("change", () => {
    slider.blur();
    later({ type: "change" });
  });
}

// --- What was put in anew gets its behaviour anew ---

function equip() {
  const slider = find("[data-slider]");
  if (slider && draft && !slider.dataset.ready) {
    slider.dataset.ready = "1";
    slide(slider);
  }
  for (const pre of document.querySelectorAll(".prose pre, .yaml pre")) {
    if (pre.dataset.ready) continue;
    pre.dataset.ready = "1";
    const copy = Object.assign(document.createElement("button"), { type: "button", className: "button copy", textContent: "Copy" });
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(pre.textContent.trim());
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 2_000);
    });
    // Outside of a secure address there is no clipboard to write to.
    if (navigator.clipboard) pre.before(copy);
  }
}

/** A menu of a short form closes by Escape and by a click beside it. */
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.drop[open]")) if (!menu.contains(except)) menu.open = false;
}
document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.activeElement?.closest("details.drop[open]");
  closeMenus(null);
  menu?.querySelector("summary").focus();
});

equip();
if (line && !draft) live();
if (draft) {
  for (const button of document.querySelectorAll("[data-scriptless]")) button.hidden = true;
  draft.addEventListener("input", later);
  // Controls outside of the form's own element do not bubble through it.
  find("#rest")?.addEventListener("input", later);
  find("#rest")?.addEventListener("change", later);
  draft.addEventListener("change", later);
  // A firing count is a button of the form: with scripts it sets the threshold and the page stays.
  document.addEventListener("click", (event) => {
    const step = event.target.closest?.(".step");
    if (!step) return;
    event.preventDefault();
    const threshold = controls().find((control) => control.name === "threshold" && control.tagName === "INPUT");
    threshold.value = String(parseFloat(step.value));
    step.blur();
    later({ type: "change" });
  });
  mark();
  if (!find("[data-say]")) test();
}
