// Finds what a person would: a control by the words on it. Arguments: what kind, the words, whether anywhere or within <main>.
const [kind, words] = arguments;
const selectors = {
  control: "a[href], button, summary, [role=button]",
  field: "input, select, textarea",
};
const seen = (element) => {
  const box = element.getClientRects();
  return box.length > 0 && getComputedStyle(element).visibility === "visible";
};
const plain = (node) => {
  const copy = node.cloneNode(true);
  copy.querySelectorAll("kbd, select, textarea, .sr").forEach((part) => part.remove());
  return copy.textContent.trim().replace(/\s+/g, " ");
};
const names = (element) => {
  if (kind === "field") {
    const labels = [...(element.labels ?? [])].map(plain);
    return [...labels, element.getAttribute("aria-label") ?? "", element.name];
  }
  return [plain(element), element.getAttribute("aria-label") ?? ""];
};
const all = [...document.querySelectorAll(selectors[kind])].filter(seen);
const dialog = document.querySelector("dialog[open]");
const main = document.querySelector("main");
const near = (element) => (dialog?.contains(element) ? 0 : main?.contains(element) ? 1 : 2);
all.sort((a, b) => near(a) - near(b));
return all.find((one) => names(one).includes(words)) ?? all.find((one) => names(one).some((name) => name.startsWith(`${words} `))) ?? null;
