// The log of an attempt, however long: only the lines in view are in the page, and lines come from the server a part at a time.
// The place in the log is a line, not a pixel, because no browser has a page that is as high as a log of ten million lines.
import { Folds, foldGroups, titleOf } from "tidemill/log_folds.js";
import { address as addressWith, element, row, parseRange, hashOf, wordOf } from "tidemill/log_lines.js";
import { follow } from "tidemill/log_live.js";
import { picks } from "tidemill/log_pick.js";
import { scrolls } from "tidemill/log_scroll.js";

const ROW = 20;
const HIGH_MAX = 8_000_000;
const PART = 200;
const KEPT_MAX = 20_000;

const root = document.getElementById("log");
const view = root?.querySelector(".view");

function start() {
  const pages = new URL(root.dataset.pages, location.href);
  const says = root.querySelector("[data-says]");
  const foundSays = root.querySelector("[data-found]");
  const foldButton = root.querySelector("[data-fold]");
  const form = root.querySelector("form.tools");
  const level = form.elements.level;
  const pane = element("div", "pane");
  const list = element("ol", "lines");
  const space = element("div", "space");
  pane.append(list);

  let total = Number(root.dataset.total);
  // Lines of all levels.
  let known = 0;
  let firstError = Number(root.dataset.error ?? 0);
  let over = root.dataset.over === "true";
  let narrowed = false;
  // In view: without what is folded.
  let top = 0;
  let wrap = false;
  let busy = false;
  let expected = -1;
  let range = parseRange(location.hash.slice(1)) ?? parseRange(root.dataset.line);
  let lines = new Map();
  const rows = new Map();
  const folds = new Folds();
  const search = { text: "", hits: [], next: null, at: -1 };

  const shown = () => total - folds.hidden;
  const visible = () => Math.max(1, view.clientHeight / ROW);
  const topMax = () => Math.max(0, shown() - (wrap ? 1 : visible()));
  const high = () => Math.min(shown() * ROW, HIGH_MAX);
  const scrollMax = () => Math.max(1, high() - view.clientHeight);
  const isScaled = () => shown() * ROW > HIGH_MAX;
  const atEnd = () => top >= topMax() - 0.5;

  async function ask(more, path = "") {
    const url = new URL(pages);
    url.pathname += path;
    url.searchParams.set("level", level.value);
    for (const [name, value] of Object.entries(more)) url.searchParams.set(name, value);
    const answer = await fetch(url, { headers: { accept: "application/json" }, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  async function read(more) {
    const asked = lines;
    const page = await ask({ lines: PART, ...more });
    // Of another level than is shown by now: its places would be wrong.
    if (lines !== asked) return page;
    if (page.total < total) { lines.clear(); folds.clear(); drop(); }
    total = page.total;
    known = page.total_of_all;
    over = over || page.finished;
    firstError = page.first_error ?? 0;
    narrowed = page.total_of_all !== page.total;
    page.lines.forEach((line, nth) => lines.set(page.from + nth, line));
    if (page.lines.some((line) => titleOf(line.m) !== undefined)) foldButton.hidden = false;
    if (lines.size > KEPT_MAX) {
      const here = folds.toLog(Math.floor(top));
      for (const at of lines.keys()) if (Math.abs(at - here) > KEPT_MAX / 4) lines.delete(at);
    }
    says.textContent = `${page.total_of_all} lines${narrowed ? `, ${page.total} shown` : ""}${over ? "" : ", live"}`;
    return page;
  }

  const lost = () => { says.textContent = "no answer; the lines may be old"; };

  const address = (change, hash = "log") => addressWith({ attempt: pages.searchParams.get("attempt"), level: level.value, ...change }, hash);
  const addressOf = (lines) => address({ line: wordOf(lines) }, hashOf(lines));

  // By their numbers, of all that the level lets through.
  async function between(first, last) {
    const page = await ask({ line: first, lines: last - first + 1 });
    return page.lines.filter((line) => line.number >= first && line.number <= last);
  }
  const picked = picks(root, { read: between, address: addressOf });

  const drop = () => { rows.clear(); list.replaceChildren(); };

  function made(at) {
    const line = lines.get(at);
    if (!line) return { item: element("li", "wait", "…"), known: false };
    const href = addressOf({ first: line.number, last: line.number });
    return { item: row(line, { href, search: search.text, under: folds.under(at) }), known: true };
  }

  // Puts the lines in view into the page. A line that stays in view stays the same element, so what is selected stays selected.
  function draw() {
    view.style.height = `${Math.ceil(Math.min(innerHeight * 0.7, wrap ? innerHeight : Math.max(shown(), 3) * ROW + 18))}px`;
    space.style.height = `${Math.max(0, high() - view.clientHeight)}px`;
    top = Math.max(0, Math.min(top, topMax()));
    const ends = wrap && atEnd();
    const first = Math.max(0, ends ? Math.floor(shown() - visible()) : Math.floor(top));
    const last = Math.min(shown(), first + Math.ceil(visible()) + 2);
    const places = Array.from({ length: Math.max(0, last - first) }, (_, nth) => folds.toLog(first + nth));
    const wanted = new Set(places);
    for (const [at, { item, known }] of rows) if (!wanted.has(at) || !known) { item.remove(); rows.delete(at); }
    let missing = -1;
    let after = null;
    for (const at of places) {
      const line = lines.get(at);
      if (!line && missing < 0) missing = at;
      let one = rows.get(at);
      if (!one) {
        one = made(at);
        rows.set(at, one);
        if (after) after.after(one.item); else list.prepend(one.item);
      }
      if (line) {
        one.item.classList.toggle("on", Boolean(range) && line.number >= range.first && line.number <= range.last);
        one.item.classList.toggle("hit", search.hits[search.at] === line.number);
      }
      after = one.item;
    }
    const firstHeight = wrap ? rows.get(places[0])?.item.offsetHeight ?? ROW : ROW;
    const shift = ends ? Math.max(0, list.offsetHeight - view.clientHeight + 18) : (top - first) * firstHeight;
    list.style.transform = `translateY(${-shift}px)`;
    picked(range);
    const scroll = topMax() > 0 ? (top / topMax()) * scrollMax() : 0;
    if (Math.abs(view.scrollTop - scroll) > 1) view.scrollTop = scroll;
    expected = view.scrollTop;
    if (missing >= 0) load(missing);
  }

  async function load(missing) {
    if (busy) return;
    busy = true;
    try {
      await read({ from: Math.max(0, missing - 50) });
      if (!lines.has(missing) && missing < total) await read({ from: missing });
      busy = false;
      draw();
    } catch {
      busy = false;
      lost();
    }
  }

  const move = (to) => { top = to; draw(); };

  async function toLine(number) {
    try {
      const page = await read({ line: number });
      folds.show(page.from);
      drop();
      move(folds.toView(page.from) - 4);
    } catch { lost(); }
  }

  // What came since the log was read last. Whoever is at its end stays there.
  async function more() {
    const stays = !atEnd();
    try {
      await read({ from: total });
      if (!stays) top = topMax();
      draw();
    } catch { lost(); }
  }

  function live() {
    const url = new URL(root.dataset.live, location.href);
    url.searchParams.set("after", known);
    return url;
  }

  async function find(step) {
    const text = form.elements.find.value;
    try {
      if (text !== search.text) {
        Object.assign(search, { text, hits: [], next: 0, at: -1 });
        drop();
        history.replaceState(null, "", address(text ? { find: text } : {}));
      }
      if (!text) { foundSays.textContent = ""; draw(); return; }
      const wanted = search.at + step;
      while (wanted >= search.hits.length && search.next !== null) {
        const found = await ask({ text, after: search.next }, "/find");
        if (text !== search.text) return;
        search.hits.push(...found.lines.map((line) => line.number));
        search.next = found.next ?? null;
      }
      const many = search.hits.length;
      search.at = many ? (wanted + many) % many : -1;
      foundSays.textContent = many ? `${search.at + 1} of ${many}${search.next === null ? "" : "+"}` : "nothing found";
      if (many) await toLine(search.hits[search.at]); else draw();
    } catch { lost(); }
  }

  // Where a line is among those of the level.
  const placeOf = async (number) => (narrowed ? (await read({ line: number })).from : number - 1);
  const foldFrom = (number, isAll) => foldGroups(folds, { ask, placeOf, last: () => total - 1 }, number, isAll);

  async function fold(what) {
    const here = folds.toLog(Math.floor(top));
    try {
      await what();
      top = folds.toView(here);
    } catch { lost(); }
    foldButton.setAttribute("aria-pressed", String(folds.any));
    drop();
    draw();
  }

  // All groups but the one that failed: its lines are what people come for.
  async function foldOthers() {
    await foldFrom(0, true);
    if (firstError) folds.show(await placeOf(firstError));
  }

  async function toggle(number) {
    const at = await placeOf(number);
    if (folds.has(at)) folds.remove(at); else await foldFrom(number - 1, false);
  }

  function pick(number, isRange) {
    const from = isRange && range ? range.first : number;
    range = { first: Math.min(from, number), last: Math.max(from, number) };
    root.dataset.line = wordOf(range);
    history.replaceState(null, "", addressOf(range));
    draw();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // It is sent again and again: each time leads to the next line.
    delete form.dataset.sent;
    event.stopPropagation();
    find(1);
  });
  level.addEventListener("change", async () => {
    const here = lines.get(folds.toLog(Math.floor(top)))?.number ?? 1;
    lines = new Map();
    folds.clear();
    Object.assign(search, { text: "", hits: [], next: null, at: -1 });
    foundSays.textContent = "";
    drop();
    history.replaceState(null, "", range ? addressOf(range) : address({}));
    try {
      const page = await read({ line: here });
      move(page.from);
    } catch { lost(); }
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-go=error]")) {
      event.preventDefault();
      if (firstError) toLine(firstError);
    }
    const button = event.target.closest("[data-wrap]");
    if (button) {
      wrap = !wrap;
      button.setAttribute("aria-pressed", String(wrap));
      root.classList.toggle("wraps", wrap);
      draw();
    }
    if (event.target.closest("[data-fold]")) fold(async () => { if (folds.any) folds.clear(); else await foldOthers(); });
    const group = event.target.closest("[data-group]");
    if (group) fold(() => toggle(Number(group.dataset.group)));
    const number = event.target.closest("a[data-line]");
    if (number && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      pick(Number(number.dataset.line), event.shiftKey);
    }
  });
  view.addEventListener("scroll", () => {
    if (Math.abs(view.scrollTop - expected) <= 1) return;
    top = (view.scrollTop / scrollMax()) * topMax();
    expected = view.scrollTop;
    requestAnimationFrame(draw);
  });
  scrolls(view, { by: (step) => move(Math.max(0, Math.min(top + step, topMax()))), visible, isScaled, row: ROW });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    if (event.key === "G" && !event.defaultPrevented) { move(topMax()); view.focus(); }
    if (!search.text || (event.key !== "n" && event.key !== "N")) return;
    find(event.key === "n" ? 1 : -1);
  });
  addEventListener("hashchange", () => {
    const named = parseRange(location.hash.slice(1));
    if (named) { range = named; toLine(range.first); }
  });
  addEventListener("resize", draw);
  document.addEventListener("zone", () => { drop(); draw(); });

  async function open() {
    const asked = new URL(location.href).searchParams;
    const from = Number(root.dataset.from);
    await read({ from });
    for (const plain of root.querySelectorAll("[data-plain]")) plain.remove();
    root.classList.add("runs");
    view.replaceChildren(pane, space);
    const opensAt = asked.has("from") || range || firstError;
    top = opensAt ? from : total;
    draw();
    if (!opensAt) move(topMax());
    if (asked.get("find")) find(1);
    else if (range) toLine(range.first);
    else if (over && firstError && !foldButton.hidden) await fold(foldOthers);
    follow(live, { more, isOver: () => over });
  }
  // Without an answer the page stays as the server wrote it.
  open().catch(lost);
}

if (view) start();
