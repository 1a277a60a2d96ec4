// What the dashboards need of scripts beside the live figures: newer panels every ten seconds, keys, full screen, a notice
// where the sign-in is over. The panels are the server's HTML (app/src/panels), put in as they come; nothing is made of
// data here.

const EVERY = 10_000;
const slots = () => [...document.querySelectorAll("[data-slot]")];
const query = () => new URLSearchParams(location.search);

/** A form that is being filled in must not go from under the reader's hands. */
const isHeld = (slot) => slot.querySelector("form") && slot.querySelector("details[open]");

/** What the reader opened stays open, and what had the focus has it again. */
function replace(slot, html) {
  const reachable = () => [...slot.querySelectorAll("a, button, summary")];
  const open = [...slot.querySelectorAll("details")].map((details) => details.open);
  const focused = reachable().indexOf(document.activeElement);
  slot.innerHTML = html;
  slot.querySelectorAll("details").forEach((details, index) => (details.open = open[index] ?? details.open));
  if (focused >= 0) reachable()[focused]?.focus({ preventScroll: true });
}

let reading = false;
/** The address that the panels were last put in for. */
let shown = location.search;
async function refresh() {
  if (reading || document.hidden || isOut || slots().length === 0) return;
  reading = true;
  const asked = location.search;
  try {
    const answer = await fetch(`/panels${asked}`, { headers: { accept: "text/html" } });
    isOut = answer.status === 401;
    if (!answer.ok || asked !== location.search) return;
    const before = shown;
    shown = asked;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const slot of slots()) {
      const newer = fresh.querySelector(`[data-slot="${slot.dataset.slot}"]`);
      // Another view is another form.
      const held = isHeld(slot) && asked === before;
      if (newer && !held && newer.innerHTML !== slot.dataset.last) {
        slot.dataset.last = newer.innerHTML;
        replace(slot, newer.innerHTML);
      }
    }
    offer();
  } catch {
    // The page says by itself when the connection is lost; the panels say as of when they are.
  } finally {
    reading = false;
  }
}

/** The sign-in is over: it expired, its key was revoked, or somebody signed out, perhaps in another tab. */
let isOut = false;
let checkedAt = 0;

/** An EventSource does not say why it got no stream, so the server is asked. */
async function checkAccess() {
  const isLost = document.querySelector(".freshness.lost") !== null;
  if (!(isLost || isOut) || Date.now() - checkedAt < EVERY) return;
  checkedAt = Date.now();
  const answer = await fetch("/api/admin/limits", { method: "HEAD" }).catch(() => undefined);
  if (answer) isOut = answer.status === 401;
}

function showAccess() {
  document.documentElement.classList.toggle("out", isOut);
  let notice = document.querySelector(".notice.out");
  if (!isOut) return notice?.remove();
  if (!notice) {
    notice = Object.assign(document.createElement("p"), { className: "notice critical out", role: "alert" });
    const fact = Object.assign(document.createElement("b"), { textContent: "You are signed out." });
    const link = Object.assign(document.createElement("a"), { rel: "external", textContent: "Sign in" });
    notice.append(fact, " This page no longer updates. ", link);
    document.querySelector("main")?.prepend(notice);
  }
  const here = encodeURIComponent(location.pathname + location.search);
  notice.querySelector("a").setAttribute("href", `/login?next=${here}`);
}

// The app could not read another page or view now. The browser goes there by itself: the server leads to the sign-in, and
// from there to what was asked for.
const goesThere = (event) => isOut && event.target.closest?.("a[href]") && event.stopImmediatePropagation();
window.addEventListener("click", goesThere, true);

/** Buttons that only scripts can serve are hidden without them; a picture is of what the address asks for. */
function offer() {
  document.querySelectorAll("a.export").forEach((link) => (link.search = location.search));
  document.querySelectorAll("[data-act]").forEach((button) => (button.hidden = false));
}

const KEYS = [
  ["1 2 3 4", "last hour, 24 hours, 7 days, 30 days"],
  ["[ ]", "one range earlier, later"],
  ["c", "compare with the range before"],
  ["f", "full screen"],
  ["\u2190 \u2192", "move the cursor in a chart; with Shift by ten steps"],
  ["Enter", "in a chart: mark a beginning, then zoom to the cursor"],
  ["?", "these keys"],
];

function keys() {
  let dialog = document.querySelector("dialog.keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    const list = document.createElement("dl");
    for (const [key, words] of KEYS) {
      const term = document.createElement("dt");
      const meaning = document.createElement("dd");
      term.textContent = key;
      meaning.textContent = words;
      list.append(term, meaning);
    }
    const title = document.createElement("h2");
    title.id = "keys-title";
    title.textContent = "Keys";
    const close = document.createElement("button");
    close.className = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.close());
    dialog.append(title, list, close);
    document.body.append(dialog);
  }
  dialog.showModal();
}

/** A wall has no navigation: the page alone, until Escape. */
async function wall() {
  if (document.fullscreenElement) return document.exitFullscreen();
  await document.documentElement.requestFullscreen?.().catch(() => {});
}
document.addEventListener("fullscreenchange", () => {
  document.documentElement.classList.toggle("wall", document.fullscreenElement !== null);
});

/** By a link, which the app follows without a new page: full screen goes on, and the way back leads here. */
const go = (change) => {
  const asked = query();
  change(asked);
  const link = document.createElement("a");
  link.href = `/?${asked}`;
  document.body.append(link);
  link.click();
  link.remove();
};
const set = (name, value) => go((asked) => {
  asked.delete("from");
  asked.delete("to");
  asked.set(name, value);
});
const RANGES = { 1: ["1h", 3_600], 2: ["24h", 86_400], 3: ["7d", 604_800], 4: ["30d", 2_592_000] };

/** The range beside the one that is shown: -1 earlier, 1 later. */
function pan(way) {
  const asked = query();
  const range = asked.get("range") ?? "1h";
  const moment = (name) => Date.parse(`${asked.get(name)}Z`) / 1_000;
  const custom = /^(\d+)-(\d+)$/.exec(range)?.slice(1).map(Number) ?? (asked.has("to") && [moment("from"), moment("to")]);
  const now = Math.floor(Date.now() / 1_000);
  const length = custom ? custom[1] - custom[0] : Object.values(RANGES).find(([name]) => name === range)?.[1];
  if (!length) return;
  const to = (custom ? custom[1] : now) + way * length;
  // What reaches the present goes on with it.
  if (to < now - length / 10) set("range", `${to - length}-${to}`);
  else if (custom) set("range", Object.values(RANGES).find(([, seconds]) => seconds === length)?.[0] ?? "1h");
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  const busy = typing || document.querySelector("dialog[open]") || slots().length === 0;
  if (busy || event.ctrlKey || event.metaKey || event.altKey) return;
  const range = RANGES[event.key];
  if (range) set("range", range[0]);
  else if (event.key === "c") go((asked) => (asked.get("compare") ? asked.delete("compare") : asked.set("compare", "1")));
  else if (event.key === "f") wall();
  else if (event.key === "?") keys();
  else if (event.key === "[") pan(-1);
  else if (event.key === "]") pan(1);
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  const act = event.target.closest?.("[data-act]")?.dataset.act;
  if (act === "wall") wall();
  if (act === "keys") keys();
});

offer();
setInterval(refresh, EVERY);
document.addEventListener("visibilitychange", refresh);
// The address turned to another range, or the reader came from another page and the panels are not there yet.
setInterval(() => {
  const isNew = (slot) => slot.childElementCount === 0 && slot.dataset.last === undefined;
  if (shown !== location.search || slots().some(isNew)) refresh();
  checkAccess();
  showAccess();
}, 200);
