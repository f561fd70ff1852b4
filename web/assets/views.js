// Lists as somebody wants them again. The address has all of it; this browser keeps which, under names.
const STORED = "views";
const KEPT_MAX = 40;

const form = document.querySelector("main form.filters:not([method=post])");
const isList = /^\/(dags|runs|audit|alerts|dags\/[^/]+\/runs)$/.test(location.pathname);

function kept() {
  try {
    const views = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(views) ? views.filter((one) => typeof one?.name === "string" && typeof one.href === "string" && one.href.startsWith("/")) : [];
  } catch { return []; }
}

function keep(views) {
  try { localStorage.setItem(STORED, JSON.stringify(views.slice(-KEPT_MAX))); } catch { /* Nothing is kept then. */ }
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// The address without what is empty, and without a place in the list.
function here() {
  const asked = new URLSearchParams(location.search);
  for (const [name, value] of [...asked]) if (!value || ["after", "choose", "tz"].includes(name)) asked.delete(name);
  return asked.size ? `${location.pathname}?${asked}` : "";
}

function draw(bar) {
  const mine = kept().filter((one) => one.href.split("?")[0] === location.pathname);
  bar.replaceChildren(...mine.flatMap((one) => {
    const link = element("a", one.href === here() ? "btn on" : "btn", one.name);
    link.href = one.href;
    const gone = element("button", "link", "×");
    gone.type = "button";
    gone.setAttribute("aria-label", `Forget the view ${one.name}`);
    gone.addEventListener("click", () => { keep(kept().filter((other) => other.href !== one.href)); draw(bar); });
    return [link, gone];
  }));
  if (!here() || mine.some((one) => one.href === here())) return;
  const ask = element("button", "btn", "Keep this view");
  ask.type = "button";
  ask.addEventListener("click", () => name(bar, ask));
  bar.append(ask);
}

// Asks for the name of a view.
function name(bar, ask) {
  const naming = element("form", "naming");
  const label = element("label", "", "Name of this view ");
  const field = element("input");
  field.maxLength = 60;
  field.required = true;
  label.append(field);
  naming.append(label, element("button", "btn", "Keep"));
  naming.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopPropagation();
    keep([...kept(), { name: field.value.trim(), href: here() }]);
    draw(bar);
  });
  ask.replaceWith(naming);
  field.focus();
}

// Who is not signed in leaves nothing behind for the next one at this browser.
if (!document.querySelector("form.search")) {
  try { localStorage.removeItem(STORED); } catch { /* There is nothing then. */ }
} else if (form && isList) {
  const bar = element("p", "views");
  bar.setAttribute("aria-label", "Kept views");
  bar.setAttribute("role", "group");
  form.after(bar);
  draw(bar);
}
