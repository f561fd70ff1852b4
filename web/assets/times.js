// Times in the reader's own zone or in UTC, whichever they chose; the other is said on hover. The server wrote UTC.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let isUtc = false;
try { isUtc = localStorage.getItem("zone") === "utc"; } catch { /* Without storage it is the reader's own. */ }
// A link shows the times as they were to whoever copied it, for this page.
const asked = new URLSearchParams(location.search).get("tz");
if (asked === "utc" || asked === "local") isUtc = asked === "utc";

const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const made = new Map();
function format(utc, kind) {
  const key = kind + utc;
  if (!made.has(key)) {
    const shown = kind === "clock" ? { ...parts, second: "2-digit" } : { ...parts, day: "numeric", month: "short" };
    made.set(key, new Intl.DateTimeFormat(undefined, utc ? { ...shown, timeZone: "UTC" } : shown));
  }
  return made.get(key);
}

// A time of the day, as everything else on the page has it.
export const clock = (at) => format(isUtc, "clock").format(at);
export const stamp = (at) => `${clock(at)}.${String(at.getUTCMilliseconds()).padStart(3, "0")}`;
export const zoneName = () => (isUtc ? "utc" : "local");
export const zoneWord = () => (isUtc ? "UTC" : "");

// Lengths of time as the server writes them.
export function took(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${minutes} min ${two(Math.floor(seconds) % 60)} s`;
  if (seconds < 86400) return `${hours} h ${two(minutes)} min`;
  return `${days} d ${hours} h`;
}

function until(seconds) {
  if (seconds < 1) return "now";
  if (seconds >= 60 && seconds < 3600) return `in ${Math.floor(seconds / 60)} min`;
  return `in ${took(seconds)}`;
}

function put(time, text) {
  if (time.textContent !== text) time.textContent = text;
}

function write(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const { clock: isClock, until: isUntil, since: isSince } = { clock: "clock" in time.dataset, until: "until" in time.dataset, since: "since" in time.dataset };
  if (isUntil || isSince) {
    const seconds = (at - Date.now()) / 1000;
    put(time, isUntil ? until(seconds) : took(Math.max(0, -seconds)));
    time.title = `${format(isUtc, "near").format(at)}${isUtc ? " UTC" : ""}`;
    return;
  }
  put(time, `${format(isUtc, isClock ? "clock" : "near").format(at)}${isUtc && !isClock ? " UTC" : ""}`);
  time.title = isUtc ? `${format(false, "near").format(at)} in ${zone}` : `${time.dateTime} (UTC); shown in ${zone}`;
  if (isClock && time.nextSibling) time.nextSibling.textContent = isUtc ? " UTC" : "";
}

export function local(root) {
  for (const time of root.querySelectorAll("time[datetime]")) write(time);
}

function turn() {
  isUtc = !isUtc;
  try { localStorage.setItem("zone", isUtc ? "utc" : "local"); } catch { /* It holds for this page. */ }
  const url = new URL(location.href);
  url.searchParams.set("tz", zoneName());
  history.replaceState(history.state, "", url);
  local(document);
  document.dispatchEvent(new CustomEvent("zone"));
}

function count() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-until], time[data-since]")) write(time);
}

local(document);
setInterval(count, 1000);
document.addEventListener("visibilitychange", count);
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-zone-switch]")) turn();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "u" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
  turn();
});
