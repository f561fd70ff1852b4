// Keys. Each does what a link or a button of the page does, so nothing is for keys alone.
const keys = document.getElementById("keys");
const go = { h: "/", d: "/dags", r: "/runs", w: "/workers" };
let afterG = false;

const isTyping = (target) => target.closest("input, select, textarea, dialog, [contenteditable]");

// What a row of a list leads to, in the order of the page.
function rows() {
  const all = document.querySelectorAll("main tbody tr, main .rows > li");
  const links = [...all].map((row) => row.querySelector("a.what[href], a[href]"));
  return links.filter((link) => link && !link.closest(".grid") && link.getClientRects().length);
}

function walk(step) {
  const all = rows();
  if (!all.length) return false;
  const row = (element) => element.closest("tr, li");
  const here = all.findIndex((link) => row(link).contains(document.activeElement));
  const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(here + step, all.length - 1))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

// The log of the task whose row has the focus.
function log() {
  const link = rows().find((other) => other === document.activeElement);
  if (!link || !link.pathname.includes("/tasks/")) return false;
  location.assign(`${link.pathname}${link.search}#log`);
  return true;
}

function press(key) {
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]:not([hidden])`);
  if (!button) return false;
  const field = button.localName === "label" && button.control;
  if (field) field.focus(); else button.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
  const to = afterG && go[event.key];
  afterG = event.key === "g" && !event.repeat;
  const arrows = { ArrowDown: 1, ArrowUp: -1 };
  let done = true;
  if (to) location.assign(to);
  else if (event.key === "?") keys.showModal();
  else if (event.key === "j" || event.key === "k") done = walk(event.key === "j" ? 1 : -1);
  // Arrows move the page unless somebody is in a list already.
  else if (arrows[event.key] && rows().includes(document.activeElement)) walk(arrows[event.key]);
  else if (event.key === "l" && log()) done = true;
  else done = press(event.key);
  if (done) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys]")) keys.showModal();
  if (event.target.closest("[data-theme-switch]")) {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* It holds for this page. */ }
  }
});

// A second click of an impatient hand sends nothing.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});
