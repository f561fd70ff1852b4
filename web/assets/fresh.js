// Parts of a page that are marked with data-fresh are read again when the server says that something changed, and by the clock
// where it cannot say so. The page does not move; what somebody types into, has selected or has opened is left to them.
import { local, clock, zoneWord } from "tidemill/times.js";

const BY_CLOCK = 5_000;
// What is told may miss what is not in the database, such as the workers' load.
const BESIDE = 30_000;
const PATIENCE = 15_000;
const AGAIN_MAX = 30_000;
const EVENTS_AGAIN = 60_000;

const shown = document.getElementById("fresh");
const before = new Map();
let paused = false;
let timer = 0;
let reading = false;
let due = false;
let held = false;
let over = false;
let tries = 0;
let lostAt = null;
let events = null;
let hears = false;
let asOf = new Date(shown?.querySelector("time")?.dateTime ?? Date.now());

for (const part of document.querySelectorAll("[data-fresh]")) before.set(part.dataset.fresh, null);

const at = (time) => `${clock(time)}${zoneWord() ? ` ${zoneWord()}` : ""}`;

function say() {
  if (!shown) return;
  const [state, words] = over ? ["lost", "signed out: load the page again"]
    : paused ? ["paused", `paused, as of ${at(asOf)}`]
      : lostAt ? ["lost", `offline since ${at(lostAt)}, trying again`]
        : hears ? ["live", "live"] : ["clock", `as of ${at(asOf)}`];
  shown.dataset.state = state;
  shown.setAttribute("aria-pressed", String(paused));
  shown.title = `as of ${at(asOf)}; press . to ${paused ? "go on" : "stop"}`;
  const text = shown.querySelector("span");
  if (text.textContent !== words) text.replaceChildren(words);
}

// Whether somebody is in the middle of something in this part.
function isBusy(part) {
  const active = document.activeElement;
  if (part.contains(active) && active.matches("input, select, textarea, [contenteditable]")) return true;
  for (const field of part.querySelectorAll("input:not([type=hidden]), textarea")) {
    if (field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue) return true;
  }
  const selection = getSelection();
  return Boolean(selection && !selection.isCollapsed && selection.rangeCount && selection.getRangeAt(0).intersectsNode(part));
}

const summary = (details) => details.querySelector("summary")?.textContent ?? "";

// How to find the element with the focus again, in what takes its place.
function focusIn(part) {
  const active = document.activeElement;
  if (!active || active === document.body || !part.contains(active)) return null;
  const cell = active.closest("td, th");
  if (cell && cell === active) {
    const [row, column] = [cell.parentElement.rowIndex, cell.cellIndex];
    return () => part.querySelector("table")?.rows[row]?.cells[column];
  }
  if (active.dataset.key) return () => part.querySelector(`[data-key="${CSS.escape(active.dataset.key)}"]`);
  const name = active.localName;
  const same = (other) => (active.getAttribute("href") ? other.getAttribute("href") === active.getAttribute("href") : other.textContent === active.textContent);
  return () => [...part.querySelectorAll(name)].find(same);
}

function exchange(part, fresh) {
  const scrolls = [...part.querySelectorAll(".wide")].map((wide) => wide.scrollLeft);
  const opened = new Map([...part.querySelectorAll("details")].map((details) => [summary(details), details.open]));
  const focus = focusIn(part);
  part.replaceChildren(...fresh.childNodes);
  part.querySelectorAll(".wide").forEach((wide, nth) => { wide.scrollLeft = scrolls[nth] ?? 0; });
  for (const details of part.querySelectorAll("details")) details.open = opened.get(summary(details)) ?? details.open;
  local(part);
  part.dispatchEvent(new CustomEvent("fresh", { bubbles: true }));
  const again = focus?.();
  if (again && again !== document.activeElement) {
    if (again.matches("td, th")) again.tabIndex = 0;
    again.focus({ preventScroll: true });
  }
}

function put(page) {
  const parts = [...document.querySelectorAll("[data-fresh]")];
  // Whatever is above what somebody looks at may become longer or shorter: what they look at stays where it is.
  const anchor = scrollY > 0 ? parts.find((part) => part.getBoundingClientRect().bottom > 60) : null;
  const top = anchor?.getBoundingClientRect().top;
  held = false;
  for (const fresh of page.querySelectorAll("[data-fresh]")) {
    const name = fresh.dataset.fresh;
    const text = fresh.innerHTML;
    const part = parts.find((other) => other.dataset.fresh === name);
    if (!part || before.get(name) === text) continue;
    if (isBusy(part)) { held = true; continue; }
    before.set(name, text);
    exchange(part, fresh);
  }
  if (anchor) {
    const moved = anchor.getBoundingClientRect().top - top;
    if (Math.abs(moved) > 1) scrollBy({ top: moved, behavior: "instant" });
  }
  const icon = page.querySelector("link[rel=icon]")?.getAttribute("href");
  const own = document.querySelector("link[rel=icon]");
  if (icon && own && own.getAttribute("href") !== icon) own.setAttribute("href", icon);
}

async function read() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 401) { over = true; return; }
  if (!answer.ok) throw new Error(String(answer.status));
  put(new DOMParser().parseFromString(await answer.text(), "text/html"));
  asOf = new Date();
}

const waits = () => paused || over || document.hidden;

async function turn() {
  if (reading) { due = true; return; }
  if (waits()) return;
  reading = true;
  due = false;
  clearTimeout(timer);
  try {
    await read();
    tries = 0;
    lostAt = null;
  } catch {
    tries += 1;
    lostAt ??= new Date();
  }
  reading = false;
  if (over) hang();
  say();
  if (due && !lostAt) turn();
  else plan();
}

function plan() {
  clearTimeout(timer);
  if (waits()) return;
  const pause = lostAt ? Math.min(1000 * 2 ** tries, AGAIN_MAX) : hears ? BESIDE : BY_CLOCK;
  timer = setTimeout(turn, pause);
}

function hang() {
  events?.close();
  events = null;
  hears = false;
}

function listen() {
  if (events || waits() || !document.body.dataset.live || !window.EventSource) return;
  const line = new EventSource(document.body.dataset.live);
  events = line;
  line.addEventListener("open", () => { hears = true; say(); plan(); });
  // The first comes by itself, when the server begins to look.
  line.addEventListener("changed", turn);
  line.addEventListener("away", turn);
  line.addEventListener("error", () => {
    if (events !== line) return;
    hears = false;
    if (line.readyState === EventSource.CLOSED) {
      // It was refused: the clock does until it is tried again.
      events = null;
      setTimeout(listen, EVENTS_AGAIN);
    }
    // Whether the server is gone or only this line, reading tells.
    say();
    turn();
  });
}

function stopOrGo() {
  paused = !paused;
  if (paused) { hang(); clearTimeout(timer); }
  else { listen(); turn(); }
  say();
}

if (before.size) {
  shown?.setAttribute("role", "button");
  shown?.setAttribute("tabindex", "0");
  listen();
  say();
  plan();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { hang(); clearTimeout(timer); say(); }
    else { listen(); turn(); }
  });
  // What was left alone while somebody was at it is caught up on.
  document.addEventListener("focusout", () => { if (held) setTimeout(turn, 100); });
  document.addEventListener("selectionchange", () => { if (held && getSelection()?.isCollapsed) turn(); });
  document.addEventListener("zone", say);
  addEventListener("online", turn);
  addEventListener("pagehide", hang);
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); turn(); } });
  shown?.addEventListener("click", stopOrGo);
  shown?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    stopOrGo();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "." || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    stopOrGo();
  });
}
