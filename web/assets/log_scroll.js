// Moving in a log by keys and by wheel: by lines.
export function scrolls(view, { by, visible, isScaled, row }) {
  // A log that is too high for a page to scroll goes by lines, not by pixels.
  view.addEventListener("wheel", (event) => {
    if (!isScaled() || event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return;
    event.preventDefault();
    by(event.deltaMode === 1 ? event.deltaY : event.deltaY / row);
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const page = visible() - 1;
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity, g: -Infinity, G: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    by(step);
  });
}
