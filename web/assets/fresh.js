// Parts of a page that are marked with data-fresh are read again and exchanged where they changed. The page does not move, and
// what has the focus or is hidden is left alone.
import { local } from "tidemill/times.js";

const EVERY = 5000;
const shown = document.getElementById("fresh");
let paused = false;
let timer;
let reading = false;
const before = new Map();

for (const part of document.querySelectorAll("[data-fresh]")) before.set(part.dataset.fresh, null);

function say(word, state) {
  if (!shown) return;
  shown.dataset.state = state;
  shown.querySelector("span").replaceChildren(word);
}

async function read() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const fresh of page.querySelectorAll("[data-fresh]")) {
    const name = fresh.dataset.fresh;
    const text = fresh.innerHTML;
    const part = document.querySelector(`[data-fresh="${CSS.escape(name)}"]`);
    if (!part || before.get(name) === text || part.contains(document.activeElement)) continue;
    before.set(name, text);
    const scrolls = [...part.querySelectorAll(".wide")].map((wide) => wide.scrollLeft);
    part.replaceChildren(...fresh.childNodes);
    part.querySelectorAll(".wide").forEach((wide, at) => { wide.scrollLeft = scrolls[at] ?? 0; });
    local(part);
    part.dispatchEvent(new CustomEvent("fresh", { bubbles: true }));
  }
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  say(`live, ${clock.format(new Date())}`, "live");
}

async function turn() {
  // One that reads already comes back by itself.
  if (reading) return;
  reading = true;
  clearTimeout(timer);
  if (!paused && !document.hidden) {
    try {
      await read();
    } catch {
      say("not up to date: no answer", "lost");
    }
  }
  reading = false;
  timer = setTimeout(turn, EVERY);
}

if (before.size) {
  timer = setTimeout(turn, EVERY);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) turn();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "." || event.target.closest("input, select, textarea")) return;
    paused = !paused;
    if (paused) say("paused", "paused");
    else turn();
  });
}
