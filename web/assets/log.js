// The log of an attempt, however long: only the lines in view are in the page, and lines come from the server a part at a time.
// The place in the log is a line, not a pixel, because no browser has a page that is as high as a log of ten million lines.
const ROW = 20;
const HIGH_MAX = 8_000_000;
const PART = 200;
const KEPT_MAX = 20_000;
const POLL = 2000;

const root = document.getElementById("log");
const view = root?.querySelector(".view");

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function start() {
  const pages = new URL(root.dataset.pages, location.href);
  const says = root.querySelector("[data-says]");
  const foundSays = root.querySelector("[data-found]");
  const form = root.querySelector("form.tools");
  const level = form.elements.level;
  const pane = element("div", "pane");
  const list = element("ol", "lines");
  const space = element("div", "space");
  pane.append(list);

  let total = Number(root.dataset.total);
  let firstError = Number(root.dataset.error ?? 0);
  let over = root.dataset.over === "true";
  let top = 0;
  let wrap = false;
  let busy = false;
  let expected = -1;
  let range = parse(root.dataset.line);
  let lines = new Map();
  const rows = new Map();
  const search = { text: "", hits: [], next: null, at: -1 };

  function parse(text) {
    if (!text) return null;
    const [first, last] = text.split("-").map(Number);
    return { first, last: last || first };
  }

  const visible = () => Math.max(1, view.clientHeight / ROW);
  const topMax = () => Math.max(0, total - (wrap ? 1 : visible()));
  const high = () => Math.min(total * ROW, HIGH_MAX);
  const scrollMax = () => Math.max(1, high() - view.clientHeight);
  const isScaled = () => total * ROW > HIGH_MAX;
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
    if (page.total < total) { lines.clear(); drop(); }
    total = page.total;
    over = over || page.finished;
    firstError = page.first_error ?? 0;
    page.lines.forEach((line, nth) => lines.set(page.from + nth, line));
    if (lines.size > KEPT_MAX) {
      for (const at of lines.keys()) if (Math.abs(at - top) > KEPT_MAX / 4) lines.delete(at);
    }
    const narrowed = page.total_of_all === page.total ? "" : `, ${page.total} shown`;
    says.textContent = `${page.total_of_all} lines${narrowed}${over ? "" : ", live"}`;
    return page;
  }

  function lost() {
    says.textContent = "no answer; the lines may be old";
  }

  function marked(text) {
    const part = element("span");
    if (!search.text) { part.textContent = text; return part; }
    const low = text.toLowerCase();
    const wanted = search.text.toLowerCase();
    let at = 0;
    // Letters that change their length when they are made small are left unmarked.
    while (low.length === text.length) {
      const next = low.indexOf(wanted, at);
      if (next < 0) break;
      part.append(text.slice(at, next), element("mark", "", text.slice(next, next + wanted.length)));
      at = next + wanted.length;
    }
    part.append(text.slice(at));
    return part;
  }

  function row(line) {
    const made = element("li", line.l);
    const number = element("a", "", line.number);
    number.href = address({ line: line.number });
    number.dataset.line = line.number;
    const at = new Date(line.t / 1000);
    const time = element("time", "", Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(11, 23));
    time.title = `${time.textContent} UTC, here ${at.toLocaleString()}`;
    const text = marked(line.m);
    if (line.s) text.prepend(element("i", "", line.s), " ");
    if (line.k) text.append(" ", element("small", "", JSON.stringify(line.k)));
    made.append(number, time, element("b", "", line.l), text);
    return made;
  }

  function address(change) {
    const url = new URL(location.href);
    for (const name of ["from", "find", "after", "line"]) url.searchParams.delete(name);
    url.searchParams.set("attempt", pages.searchParams.get("attempt"));
    if (level.value === "debug") url.searchParams.delete("level");
    else url.searchParams.set("level", level.value);
    for (const [name, value] of Object.entries(change)) url.searchParams.set(name, value);
    url.hash = "log";
    return url.pathname + url.search + url.hash;
  }

  function drop() {
    rows.clear();
    list.replaceChildren();
  }

  // Puts the lines in view into the page. A line that stays in view stays the same element, so what is selected stays selected.
  function draw() {
    view.style.height = `${Math.ceil(Math.min(innerHeight * 0.7, wrap ? innerHeight : Math.max(total, 3) * ROW + 18))}px`;
    space.style.height = `${Math.max(0, high() - view.clientHeight)}px`;
    top = Math.max(0, Math.min(top, topMax()));
    const ends = wrap && atEnd();
    const first = Math.max(0, ends ? Math.floor(total - visible()) : Math.floor(top));
    const last = Math.min(total, first + Math.ceil(visible()) + 2);
    for (const [at, made] of rows) if (at < first || at >= last || !made.known) { made.item.remove(); rows.delete(at); }
    let missing = -1;
    let after = null;
    for (let at = first; at < last; at += 1) {
      const line = lines.get(at);
      if (!line && missing < 0) missing = at;
      let made = rows.get(at);
      if (!made) {
        made = { item: line ? row(line) : element("li", "wait", "…"), known: Boolean(line) };
        rows.set(at, made);
        if (after) after.after(made.item); else list.prepend(made.item);
      }
      if (line) {
        made.item.classList.toggle("on", Boolean(range) && line.number >= range.first && line.number <= range.last);
        made.item.classList.toggle("hit", search.hits[search.at] === line.number);
      }
      after = made.item;
    }
    const shift = ends ? Math.max(0, list.offsetHeight - view.clientHeight + 18) : (top - first) * (wrap ? rows.get(first)?.item.offsetHeight ?? ROW : ROW);
    list.style.transform = `translateY(${-shift}px)`;
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

  function move(to) {
    top = to;
    draw();
  }

  async function toLine(number) {
    try {
      const page = await read({ line: number });
      move(page.from - 4);
    } catch { lost(); }
  }

  async function tail() {
    if (!over && !document.hidden && !busy) {
      const stays = !atEnd();
      try {
        await read({ from: total });
        if (!stays) top = topMax();
        draw();
      } catch { lost(); }
    }
    if (!over) setTimeout(tail, POLL);
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

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // It is sent again and again: each time leads to the next line.
    delete form.dataset.sent;
    event.stopPropagation();
    find(1);
  });
  level.addEventListener("change", async () => {
    const here = lines.get(Math.floor(top))?.number ?? 1;
    lines = new Map();
    Object.assign(search, { text: "", hits: [], next: null, at: -1 });
    foundSays.textContent = "";
    drop();
    history.replaceState(null, "", address(range ? { line: root.dataset.line } : {}));
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
    const number = event.target.closest("[data-line]");
    if (number && number !== root && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const picked = Number(number.dataset.line);
      const from = event.shiftKey && range ? range.first : picked;
      range = { first: Math.min(from, picked), last: Math.max(from, picked) };
      root.dataset.line = range.first === range.last ? String(range.first) : `${range.first}-${range.last}`;
      history.replaceState(null, "", address({ line: root.dataset.line }));
      draw();
    }
  });
  view.addEventListener("scroll", () => {
    if (Math.abs(view.scrollTop - expected) <= 1) return;
    top = (view.scrollTop / scrollMax()) * topMax();
    expected = view.scrollTop;
    requestAnimationFrame(draw);
  });
  // A log that is too high for a page to scroll goes by lines, not by pixels.
  view.addEventListener("wheel", (event) => {
    if (!isScaled() || event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    event.preventDefault();
    move(top + (event.deltaMode === 1 ? event.deltaY : event.deltaY / ROW));
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1, PageUp: 1 - visible(), PageDown: visible() - 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(Math.max(0, Math.min(top + step, topMax())));
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
    if (!search.text || (event.key !== "n" && event.key !== "N")) return;
    find(event.key === "n" ? 1 : -1);
  });
  addEventListener("resize", draw);

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
    if (!over) setTimeout(tail, POLL);
  }
  // Without an answer the page stays as the server wrote it.
  open().catch(lost);
}

if (view) start();
