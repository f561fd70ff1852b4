// The grid by keys and mouse: arrows walk, Enter opens, groups fold. One cell at a time can have the focus.
let at = { row: 0, column: 0 };
const folded = new Set();

const table = () => document.getElementById("grid");
const rows = () => [...table().tBodies[0].rows].filter((row) => !row.hidden);

function fold(group, shut) {
  if (shut) folded.add(group); else folded.delete(group);
  draw();
}

function draw() {
  for (const row of table().tBodies[0].rows) {
    const inside = (row.dataset.in ?? "").split(" ").filter(Boolean);
    row.hidden = inside.some((group) => folded.has(group));
    if (row.dataset.group) row.cells[0].setAttribute("aria-expanded", String(!folded.has(row.dataset.group)));
  }
}

function focus() {
  const all = rows();
  at.row = Math.max(0, Math.min(at.row, all.length - 1));
  const cells = all[at.row]?.cells;
  if (!cells) return;
  at.column = Math.max(0, Math.min(at.column, cells.length - 1));
  table().querySelector("[tabindex='0']")?.removeAttribute("tabindex");
  cells[at.column].tabIndex = 0;
  cells[at.column].focus();
}

// The grid of a task with what is before and after it, or of all tasks again.
function around(task) {
  const form = document.querySelector("form.around");
  if (!form) return;
  const field = form.elements.task;
  field.value = field.defaultValue === task ? "" : task;
  form.requestSubmit();
}

function open(cell) {
  const row = cell.parentElement;
  if (cell.cellIndex === 0) {
    if (row.dataset.group) fold(row.dataset.group, !folded.has(row.dataset.group));
    else around(cell.title);
    return;
  }
  table().tHead.rows[0].cells[cell.cellIndex]?.querySelector("a")?.click();
}

function start() {
  if (!table()) return;
  const first = table().tBodies[0].rows[0]?.cells[0];
  if (first) first.tabIndex = 0;
  draw();
}

// The newest run is on the right, and what people come for.
const wide = table()?.closest(".wide");
if (wide) wide.scrollLeft = wide.scrollWidth;
document.addEventListener("fresh", start);
document.addEventListener("click", (event) => {
  const cell = event.target.closest("#grid tbody th, #grid tbody td");
  if (cell && !event.target.closest("a")) open(cell);
});
document.addEventListener("keydown", (event) => {
  if (!table() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "e" || event.key === "w") {
    if (event.target.closest("input, select, textarea")) return;
    for (const row of table().tBodies[0].rows) if (row.dataset.group) fold(row.dataset.group, event.key === "w");
    return;
  }
  const cell = event.target.closest("#grid tbody th, #grid tbody td");
  if (!cell) return;
  at = { row: rows().indexOf(cell.parentElement), column: cell.cellIndex };
  if (event.key === "ArrowUp") at.row -= 1;
  else if (event.key === "ArrowDown") at.row += 1;
  else if (event.key === "ArrowLeft") at.column -= 1;
  else if (event.key === "ArrowRight") at.column += 1;
  else if (event.key === "Enter") { open(cell); event.preventDefault(); return; }
  else return;
  event.preventDefault();
  focus();
});
start();
