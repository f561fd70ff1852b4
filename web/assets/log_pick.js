// What can be done with the lines that were picked: a link to them, or the lines themselves for a chat or a ticket.
import { stamp } from "tidemill/times.js";

// More is not copied: whoever wants all of it downloads it.
const LINES_MAX = 500;

// A fence that nothing in the text closes.
function fence(text) {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  return "`".repeat(longest + 1);
}

export function markdown(title, href, lines) {
  const text = lines.map((line) => `${line.number} ${stamp(new Date(line.t / 1000))} ${line.l.toUpperCase()} ${line.m}`).join("\n");
  const ticks = fence(text);
  return `[${title.replace(/[[\]\\]/g, "\\$&")}](${href})\n\n${ticks}text\n${text}\n${ticks}\n`;
}

async function copy(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  // Without https there is only the old way.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser does not let it be copied");
  return undefined;
}

// `read` gives lines by their numbers, `address` the address of a range. Gives what is to be called with each range.
export function picks(root, { read, address }) {
  const bar = root.querySelector("[data-picked]");
  const says = bar.querySelector("[data-picked-says]");
  const done = bar.querySelector("[data-copied]");
  let range = null;

  async function act(what) {
    const href = new URL(address(range), location.href).href;
    try {
      if (what === "link") await copy(href);
      else await copy(markdown(`${document.title}, ${says.textContent}`, href, await read(range.first, Math.min(range.last, range.first + LINES_MAX - 1))));
      done.textContent = "copied";
    } catch { done.textContent = "not copied: the browser or the server refused"; }
  }

  bar.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button && range) act(button.dataset.copy);
  });

  return (now) => {
    if (now === range) return;
    range = now;
    bar.hidden = !range;
    done.textContent = "";
    if (range) says.textContent = range.first === range.last ? `line ${range.first}` : `lines ${range.first} to ${range.last}`;
  };
}
