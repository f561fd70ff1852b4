// Groups of a log, as Airflow and GitHub write them: `::group::title` to `::endgroup::`, or to the next group. What is folded is a
// range of places in the log that are not shown; a place in view and a place in the log are therefore not the same.
const GROUPS_MAX = 500;
const GROUP = /^::group::\s?(.*)$/;
const END = /^::endgroup::\s*$/;

export const titleOf = (text) => GROUP.exec(text)?.[1];
export const endsGroup = (text) => END.test(text);

export class Folds {
  // The place of a group's line, of the last line that is hidden under it, and how long it took in seconds.
  #ranges = [];

  clear() { this.#ranges = []; }
  // What is under a folded group.
  under(at) {
    const range = this.#ranges.find(([from]) => from === at);
    return range ? { lines: range[1] - range[0], took: range[2] } : null;
  }
  has(at) { return this.#ranges.some(([from]) => from === at); }
  get any() { return this.#ranges.length > 0; }

  get hidden() {
    return this.#ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  add(from, to, took) {
    if (to <= from) return;
    // What is folded within another is part of it.
    if (this.#ranges.some(([first, last]) => from > first && from <= last)) return;
    this.#ranges = this.#ranges.filter(([first]) => first < from || first > to);
    this.#ranges.push([from, to, took]);
    this.#ranges.sort((a, b) => a[0] - b[0]);
  }

  remove(at) { this.#ranges = this.#ranges.filter(([from]) => from !== at); }

  // Opens whatever hides this place.
  show(at) { this.#ranges = this.#ranges.filter(([from, to]) => at <= from || at > to); }

  // From a place in view to one in the log.
  toLog(view) {
    let at = view;
    for (const [from, to] of this.#ranges) {
      if (at <= from) break;
      at += to - from;
    }
    return at;
  }

  // And back; of a hidden one the line of its group.
  toView(at) {
    let gone = 0;
    for (const [from, to] of this.#ranges) {
      if (at <= from) break;
      if (at <= to) return from - gone;
      gone += to - from;
    }
    return at - gone;
  }
}

// Folds groups: all that begin after this line, or the first of them. The server finds where they begin and end.
export async function foldGroups(folds, { ask, placeOf, last }, number, isAll) {
  let [after, open, folded, began] = [number, null, 0, 0];
  while (after !== null && folded < GROUPS_MAX) {
    const found = await ask({ text: "group::", after }, "/find");
    for (const line of found.lines) {
      const begins = titleOf(line.m) !== undefined;
      if (!begins && !endsGroup(line.m)) continue;
      const at = await placeOf(line.number);
      if (open !== null) {
        folds.add(open, begins ? at - 1 : at, (line.t - began) / 1e6);
        if (!isAll) return;
        folded += 1;
        open = null;
      }
      if (begins) [open, began] = [at, line.t];
    }
    after = found.next ?? null;
  }
  if (open !== null) folds.add(open, last());
}
