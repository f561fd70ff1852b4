// Find anything, or do it: a dialog over every page. The server ranks; without scripts the form in the head leads to /search.
const PAUSE = 90;
const RECENT_MAX = 8;
const STORED = "recent";

const search = document.querySelector("form.search");
let dialog;
let input;
let list;
let says;
let offers = [];
let on = -1;
let asked = 0;
let timer = 0;

function element(name, attributes, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one?.href === "string" && one.href.startsWith("/") && typeof one.label === "string") : [];
  } catch { return []; }
}

// Pages of DAGs, runs and tasks are remembered; what is open now is not offered.
function remember() {
  const { pathname, search: query } = location;
  const heading = document.querySelector("h1")?.textContent.trim();
  if (!heading || !/^\/dags\/[^/]+(\/runs\/[^/]+(\/tasks\/[^/]+)?)?$/.test(pathname)) return;
  const href = pathname + (query.startsWith("?index=") ? query : "");
  const kind = pathname.includes("/tasks/") ? "Task" : pathname.includes("/runs/") ? "Run" : "DAG";
  const dag = kind === "DAG" ? "" : decodeURIComponent(pathname.split("/")[2]);
  const kept = [{ href, label: heading, kind, note: dag }, ...recent().filter((one) => one.href !== href)];
  try { localStorage.setItem(STORED, JSON.stringify(kept.slice(0, RECENT_MAX + 1))); } catch { /* Nothing is remembered then. */ }
}

function build() {
  list = element("ul", { role: "listbox", id: "offers", "aria-label": "What was found" });
  input = element("input", {
    type: "search", role: "combobox", autocomplete: "off", spellcheck: "false", maxlength: "200", placeholder: "Find a DAG, a run, a task, a table, a job, or do something",
    "aria-label": "Find or do", "aria-expanded": "true", "aria-autocomplete": "list", "aria-controls": "offers",
  });
  says = element("p", { role: "status", class: "muted" });
  dialog = element("dialog", { id: "palette", "aria-label": "Find or do" }, input, list, says);
  document.body.append(dialog);
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, PAUSE); });
  input.addEventListener("keydown", key);
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) choose([...list.children].indexOf(item), event);
  });
  list.addEventListener("mousemove", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) mark([...list.children].indexOf(item));
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

// Nothing is chosen before somebody typed or moved: Enter by itself does nothing.
function mark(at) {
  on = at < 0 || !offers.length ? -1 : at % offers.length;
  [...list.children].forEach((item, nth) => item.setAttribute("aria-selected", String(nth === on)));
  const item = list.children[on];
  if (item) { input.setAttribute("aria-activedescendant", item.id); item.scrollIntoView({ block: "nearest" }); }
  else input.removeAttribute("aria-activedescendant");
}

function draw(found, word, first = 0) {
  offers = found;
  list.replaceChildren(...offers.map((offer, nth) => {
    const item = element("li", { role: "option", id: `offer-${nth}`, "aria-selected": "false" }, element("b", {}, offer.label), element("span", {}, offer.note ?? ""), element("small", {}, offer.kind));
    if (offer.press && document.querySelector(`[data-key="${CSS.escape(offer.press)}"]`)) item.append(element("kbd", {}, offer.press));
    return item;
  }));
  says.textContent = offers.length ? "" : word;
  mark(first);
}

// An action of this page whose button is not there, such as a retry of a run in which nothing failed, is not offered.
function canDo(offer) {
  const isHere = !offer.href || offer.href.startsWith(`${location.pathname}/`);
  return !offer.press || !isHere || document.querySelector(`[data-key="${CSS.escape(offer.press)}"]`);
}

async function ask() {
  asked += 1;
  const [mine, typed] = [asked, input.value.trim()];
  const url = new URL("/find", location.href);
  url.searchParams.set("q", typed);
  url.searchParams.set("at", location.pathname);
  try {
    const answer = await fetch(url, { headers: { accept: "application/json" }, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const found = (await answer.json()).offers.filter(canDo);
    if (mine !== asked) return;
    const visited = typed ? [] : recent().filter((one) => one.href !== location.pathname + location.search).slice(0, RECENT_MAX);
    const actions = found.filter((one) => one.kind === "Action");
    const rest = found.filter((one) => one.kind !== "Action" && !visited.some((other) => other.href === one.href));
    draw(typed ? found : [...actions, ...visited.map((one) => ({ ...one, kind: `${one.kind}, recent` })), ...rest], "Nothing goes with this.", typed ? 0 : -1);
  } catch {
    if (mine === asked) draw([], "No answer: try again.");
  }
}

function choose(at, event) {
  const offer = offers[at];
  if (!offer) return;
  const button = offer.press && document.querySelector(`[data-key="${CSS.escape(offer.press)}"]`);
  dialog.close();
  // The button of the page does it as if it was pressed: with its preview, or its token.
  if (button) button.click();
  else if (offer.href && (event.ctrlKey || event.metaKey)) open(offer.href, "_blank", "noopener");
  else if (offer.href) location.assign(offer.href);
}

function key(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === 1) mark(on + 1);
  else if (step) mark(on > 0 ? on - 1 : offers.length - 1);
  else if (event.key === "Home" && event.ctrlKey) mark(0);
  else if (event.key === "Enter") choose(on, event);
  else return;
  event.preventDefault();
}

function show() {
  if (!dialog) build();
  if (dialog.open) return;
  input.value = "";
  draw([], "…");
  dialog.showModal();
  input.focus();
  ask();
}

// Who is not signed in finds nothing, and leaves nothing behind for the next one at this browser.
if (!search) {
  try { localStorage.removeItem(STORED); } catch { /* There is nothing then. */ }
} else {
  remember();
  document.addEventListener("keydown", (event) => {
    const isK = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k";
    const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, textarea, dialog, [contenteditable]");
    if (!isK && !isSlash) return;
    event.preventDefault();
    show();
  });
}
