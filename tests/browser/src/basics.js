// What a page must have for people who use no mouse, hear it, or see it badly. Returns what is missing, in words.
const wrong = [];
const seen = (element) => {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  return box.width > 1 && box.height > 1 && style.visibility === "visible" && !element.closest("[hidden], dialog:not([open])");
};
const shown = (element) => {
  const open = element.outerHTML.replace(/\s+/g, " ");
  return open.length > 90 ? `${open.slice(0, 90)}…` : open;
};

// A name for each control.
const controls = "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=log], [tabindex='0']";
const nameOf = (element) => {
  const by = (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean);
  const labels = [...(element.labels ?? []), ...by.map((id) => document.getElementById(id))].filter(Boolean);
  const parts = [
    element.getAttribute("aria-label"),
    ...labels.map((label) => label.textContent),
    element.matches("input, select, textarea") ? "" : element.textContent,
    element.getAttribute("title"),
    ...[...element.querySelectorAll("img[alt]")].map((image) => image.alt),
  ];
  return parts.find((part) => part?.trim())?.trim() ?? "";
};
for (const control of document.querySelectorAll(controls)) {
  if (seen(control) && !control.closest("td") && !nameOf(control)) wrong.push(`no name: ${shown(control)}`);
}
for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) wrong.push(`no alt: ${shown(image)}`);
for (const drawing of document.querySelectorAll("svg")) {
  const hidden = drawing.closest("[aria-hidden=true]");
  const named = drawing.getAttribute("role") === "img" && (drawing.getAttribute("aria-label") || drawing.querySelector("title"));
  const spoken = drawing.querySelector("a[href], title, text");
  if (seen(drawing) && !hidden && !named && !spoken) wrong.push(`a drawing that says nothing: ${shown(drawing)}`);
}

// Headings in order, one first.
const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter((one) => !one.closest("dialog:not([open])"));
const levels = headings.map((one) => Number(one.tagName[1]));
if (levels.filter((level) => level === 1).length !== 1) wrong.push(`headings of the first level: ${levels.filter((level) => level === 1).length}`);
levels.forEach((level, at) => {
  if (level > (levels[at - 1] ?? 0) + 1) wrong.push(`a heading that skips a level: ${shown(headings[at])}`);
});

// Landmarks, a language, a title, ids that are there once.
for (const [name, selector] of [["main", "main"], ["banner", "header"], ["contentinfo", "footer"]]) {
  if (!document.querySelector(selector)) wrong.push(`no landmark: ${name}`);
}
for (const nav of document.querySelectorAll("nav")) if (!nav.getAttribute("aria-label")) wrong.push(`a navigation without a name: ${shown(nav)}`);
if (!document.documentElement.lang) wrong.push("no language");
if (!document.title.trim()) wrong.push("no title");
const ids = new Set();
for (const { id } of document.querySelectorAll("[id]")) {
  if (ids.has(id)) wrong.push(`an id that is there twice: ${id}`);
  ids.add(id);
}
for (const table of document.querySelectorAll("table")) {
  if (seen(table) && table.rows.length > 1 && table.rows[0].cells.length > 1 && table.tHead && !table.querySelector("th")) wrong.push(`a table without heads: ${shown(table)}`);
}

// Contrast of text.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const colour = (text) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = "#000";
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, under) => {
  const part = (at) => top[at] * top[3] + under[at] * (1 - top[3]);
  return [part(0), part(1), part(2), 1];
};
const ground = (element) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    // A card that is drawn lies under the text beside it.
    if (at.tagName === "text") {
      const word = at.getBoundingClientRect();
      const card = [...at.ownerSVGElement.querySelectorAll("rect")].findLast((one) => {
        const box = one.getBoundingClientRect();
        return !/none|transparent/.test(getComputedStyle(one).fill) && box.left <= word.left + 1 && box.right >= word.right - 1 && box.top <= word.top + word.height / 2 && box.bottom >= word.bottom - word.height / 2;
      });
      if (card) layers.push(colour(getComputedStyle(card).fill));
    } else if (!(at instanceof SVGElement)) layers.push(colour(getComputedStyle(at).backgroundColor));
    if (layers.at(-1)?.[3] === 1) break;
  }
  return layers.reduceRight((under, top) => over(top, under), [255, 255, 255, 1]);
};
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [high, low] = [light(a), light(b)].sort((one, two) => two - one);
  return (high + 0.05) / (low + 0.05);
};
const told = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || !seen(element) || element.closest("script, style, option, title, [aria-hidden=true]")) continue;
  const style = getComputedStyle(element);
  const size = parseFloat(style.fontSize);
  if (size === 0 || style.clipPath.startsWith("inset")) continue;
  const under = ground(element);
  const paint = element instanceof SVGElement ? style.fill : style.color;
  const ratio = contrast(over(colour(paint), under), under);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const key = `${element.tagName}.${element.className?.baseVal ?? element.className} ${paint} on ${under.slice(0, 3).map(Math.round)}`;
  if (ratio < (large ? 3 : 4.5) && !told.has(key)) {
    told.add(key);
    wrong.push(`contrast ${ratio.toFixed(2)} of “${node.textContent.trim().slice(0, 30)}”: ${key}`);
  }
}

// Whoever walks by Tab sees where they are.
const before = document.activeElement;
const [x, y] = [scrollX, scrollY];
for (const control of document.querySelectorAll(controls)) {
  if (!seen(control)) continue;
  control.focus({ preventScroll: true, focusVisible: true });
  if (document.activeElement !== control) continue;
  // A field may leave it to the frame around it.
  const outlined = [control, control.parentElement].some((one) => {
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || (one === control && style.boxShadow !== "none");
  });
  if (!outlined) { wrong.push(`its focus is not seen: ${shown(control)}`); break; }
}
document.activeElement?.blur();
before?.focus?.({ preventScroll: true });
scrollTo(x, y);
return wrong;
