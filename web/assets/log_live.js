// New lines are told of by the server as they come. While it does not, the log is asked for them by the clock.
const POLL = 2000;
const AGAIN = 60_000;

// `more` reads on from the end; `isOver` says whether the attempt is.
export function follow(address, { more, isOver }) {
  let line = null;
  let hears = false;
  let reading = false;
  let due = false;

  async function read() {
    if (reading) { due = true; return; }
    reading = true;
    do {
      due = false;
      await more();
    } while (due && !isOver());
    reading = false;
    if (isOver()) hang();
  }

  function hang() {
    line?.close();
    line = null;
    hears = false;
  }

  function listen() {
    if (line || isOver() || document.hidden || !window.EventSource) return;
    const opened = new EventSource(address());
    line = opened;
    opened.addEventListener("open", () => { hears = true; });
    opened.addEventListener("lines", read);
    opened.addEventListener("over", () => { hang(); read(); });
    opened.addEventListener("error", () => {
      if (line !== opened) return;
      hears = false;
      // It was refused: the clock does until it is tried again.
      if (opened.readyState === EventSource.CLOSED) { line = null; setTimeout(listen, AGAIN); }
    });
  }

  async function poll() {
    if (!hears && !document.hidden) await read();
    if (!isOver()) setTimeout(poll, POLL);
  }

  if (isOver()) return;
  listen();
  setTimeout(poll, POLL);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hang();
    else { listen(); read(); }
  });
  addEventListener("pagehide", hang);
}
