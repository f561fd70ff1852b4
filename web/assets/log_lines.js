// A line of a log as an element, and what is marked in it.
import { stamp, took, zoneName } from "tidemill/times.js";
import { titleOf, endsGroup } from "tidemill/log_folds.js";

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Lines from and to: `7`, `7-12`, `L7-L12`.
export function parseRange(text) {
  const found = /^L?(\d+)(?:-L?(\d+))?$/.exec(text ?? "");
  if (!found) return null;
  const [first, last] = [Number(found[1]), Number(found[2] ?? found[1])];
  return first >= 1 ? { first: Math.min(first, last), last: Math.max(first, last) } : null;
}

export const hashOf = (range) => (range.first === range.last ? `L${range.first}` : `L${range.first}-L${range.last}`);
export const wordOf = (range) => (range.first === range.last ? String(range.first) : `${range.first}-${range.last}`);

// The address of this page with something else of the log.
export function address({ attempt, level, ...change }, hash) {
  const url = new URL(location.href);
  for (const name of ["from", "find", "after", "line"]) url.searchParams.delete(name);
  url.searchParams.set("attempt", attempt);
  if (level === "debug") url.searchParams.delete("level");
  else url.searchParams.set("level", level);
  url.searchParams.set("tz", zoneName());
  for (const [name, value] of Object.entries(change)) url.searchParams.set(name, value);
  url.hash = hash;
  return url.pathname + url.search + url.hash;
}

function marked(text, wanted) {
  const part = element("span");
  if (!wanted) { part.textContent = text; return part; }
  const low = text.toLowerCase();
  const small = wanted.toLowerCase();
  let at = 0;
  // Letters that change their length when they are made small are left unmarked.
  while (low.length === text.length) {
    const next = low.indexOf(small, at);
    if (next < 0) break;
    part.append(text.slice(at, next), element("mark", "", text.slice(next, next + small.length)));
    at = next + small.length;
  }
  part.append(text.slice(at));
  return part;
}

// The element of a line. A group's has a button that folds it.
export function row(line, { href, search, under }) {
  const made = element("li", line.l);
  const number = element("a", "", line.number);
  number.href = href;
  number.dataset.line = line.number;
  const at = new Date(line.t / 1000);
  const isTime = !Number.isNaN(at.getTime());
  const time = element("time", "", isTime ? stamp(at) : "");
  if (isTime) time.title = `${at.toISOString()}, here ${at.toLocaleString()}`;
  const title = titleOf(line.m);
  const text = marked(title ?? line.m, search);
  if (title !== undefined) {
    made.classList.add("group");
    const button = element("button", "fold", under ? "▸" : "▾");
    button.type = "button";
    button.dataset.group = line.number;
    button.setAttribute("aria-expanded", String(!under));
    button.setAttribute("aria-label", `${under ? "Unfold" : "Fold"} ${title}`);
    text.prepend(button, " ");
    if (under) text.append(" ", element("small", "", under.took === undefined ? `${under.lines} lines` : `${under.lines} lines, ${took(Math.max(0, under.took))}`));
  } else if (endsGroup(line.m)) made.classList.add("ends");
  if (line.s) text.prepend(element("i", "", line.s), " ");
  if (line.k) text.append(" ", element("small", "", JSON.stringify(line.k)));
  made.append(number, time, element("b", "", line.l), text);
  return made;
}
