// The run over time, nearer: drag over the bars to see only that part. The server draws it; the part is in the address.
const drawn = () => document.querySelector("svg.gantt[data-span]");
const MOVED = 6;
let from = null;
let mark = null;

// Where the pointer is in the drawing, within the part that has the times.
function place(svg, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const [left, wide] = [Number(svg.dataset.left), Number(svg.dataset.wide)];
  return Math.max(left, Math.min(point.x, left + wide));
}

function stop() {
  mark?.remove();
  from = null;
  mark = null;
}

function show(svg, to) {
  if (!mark) {
    mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("class", "chosen");
    mark.setAttribute("y", "22");
    mark.setAttribute("height", svg.viewBox.baseVal.height - 22);
    svg.append(mark);
  }
  mark.setAttribute("x", Math.min(from, to));
  mark.setAttribute("width", Math.abs(to - from));
}

function zoom(svg, to) {
  const [left, wide, begin, span] = ["left", "wide", "from", "span"].map((name) => Number(svg.dataset[name]));
  const millis = (x) => Math.round(begin + ((x - left) / wide) * span);
  const url = new URL(location.href);
  url.searchParams.set("zoom", `${millis(Math.min(from, to))}-${millis(Math.max(from, to))}`);
  location.assign(url);
}

// A finger scrolls; it has the buttons above.
document.addEventListener("pointerdown", (event) => {
  const svg = event.target.closest?.("svg.gantt[data-span]");
  if (!svg || event.button !== 0 || event.pointerType === "touch") return;
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  if (point.x < Number(svg.dataset.left)) return;
  from = place(svg, event);
});
document.addEventListener("pointermove", (event) => {
  const svg = from === null ? null : drawn();
  if (!svg) return;
  const to = place(svg, event);
  if (mark || Math.abs(to - from) > MOVED) show(svg, to);
});
document.addEventListener("pointerup", (event) => {
  const svg = from === null ? null : drawn();
  if (svg && mark) zoom(svg, place(svg, event));
  // The click that follows finds the mark gone, and must not open a task.
  if (mark) addEventListener("click", (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
  stop();
});
document.addEventListener("pointercancel", stop);
document.addEventListener("fresh", stop);
// The bars are links: a browser would drag the link.
document.addEventListener("dragstart", (event) => { if (event.target.closest?.("svg.gantt")) event.preventDefault(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") stop(); });
