// Parts of a page that are marked with data-fresh are read again every two seconds and exchanged where they changed. What
// somebody types into, has selected or has opened is left to them. Without this, pages are as they were when they were loaded.
const EVERY = 2_000;
const PATIENCE = 15_000;
const AGAIN_MAX = 30_000;

const shown = document.getElementById("live");
const parts = [...document.querySelectorAll("[data-fresh]")];
const before = new Map();
let timer = 0;
let reading = false;
let paused = false;
let tries = 0;

function say(state, words) {
  shown.dataset.state = state;
  const text = shown.querySelector("span");
  if (text.textContent !== words) text.textContent = words;
}

function isBusy(part) {
  const active = document.activeElement;
  if (active && part.contains(active) && active.matches("input, textarea, select")) return true;
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.getRangeAt(0).intersectsNode(part));
}

const summary = (details) => details.dataset.key ?? details.querySelector("summary")?.textContent ?? "";

// How to find the element with the focus again, in what takes its place.
function focusIn(part) {
  const active = document.activeElement;
  if (!active || active === document.body || !part.contains(active)) return null;
  if (active.dataset.key) return () => part.querySelector(`[data-key="${CSS.escape(active.dataset.key)}"]`);
  const href = active.getAttribute("href");
  const same = (other) => (href ? other.getAttribute("href") === href : other.textContent === active.textContent);
  return () => [...part.querySelectorAll(active.localName)].find(same);
}

function exchange(part, fresh) {
  const scrolls = [...part.querySelectorAll(".wide")].map((wide) => [wide.scrollLeft, wide.scrollTop]);
  const opened = new Map([...part.querySelectorAll("details")].map((details) => [summary(details), details.open]));
  const focus = focusIn(part);
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll(".wide").forEach((wide, nth) => { [wide.scrollLeft, wide.scrollTop] = scrolls[nth] ?? [0, 0]; });
  for (const details of part.querySelectorAll("details")) details.open = opened.get(summary(details)) ?? details.open;
  focus?.()?.focus({ preventScroll: true });
}

function put(page) {
  for (const fresh of page.querySelectorAll("[data-fresh]")) {
    const part = parts.find((other) => other.dataset.fresh === fresh.dataset.fresh);
    const text = fresh.innerHTML;
    if (!part || isBusy(part)) continue;
    if ((before.get(part) ?? part.innerHTML) !== text) exchange(part, fresh);
    before.set(part, text);
  }
}

async function read() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  put(page);
  say("live", page.querySelector("#live span")?.textContent ?? "live");
}

async function turn() {
  clearTimeout(timer);
  if (reading || paused || document.hidden) return;
  reading = true;
  try {
    await read();
    tries = 0;
  } catch {
    tries += 1;
    say("lost", "the sandbox does not answer");
  }
  reading = false;
  if (!paused && !document.hidden) timer = setTimeout(turn, tries ? Math.min(1_000 * 2 ** tries, AGAIN_MAX) : EVERY);
}

function stopOrGo() {
  paused = !paused;
  if (paused) say("paused", "paused");
  shown.setAttribute("aria-pressed", String(paused));
  turn();
}

if (parts.length) {
  shown.setAttribute("role", "button");
  shown.setAttribute("tabindex", "0");
  shown.title = "stop or go on with fresh data";
  shown.addEventListener("click", stopOrGo);
  shown.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    stopOrGo();
  });
  timer = setTimeout(turn, EVERY);
  document.addEventListener("visibilitychange", turn);
}

const statement = document.querySelector(".console textarea");
statement?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) statement.form.requestSubmit(statement.form.querySelector("[value=run]"));
});
