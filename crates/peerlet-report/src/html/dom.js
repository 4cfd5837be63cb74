// Small helpers that build the page: elements, buttons, switches, selects, tables and sections.
// All text goes in as text nodes: names in the data may contain anything.

/** An element with attributes and children (nodes or texts). */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) {
      node.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function button(label, onClick, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", onClick);
  return node;
}

/** Every switch and select, so that the self check can use each once. */
const controls = [];

/** A check box with a label; `onChange` gets whether it is on. */
function toggle(label, isOn, onChange, attributes = {}) {
  const box = element("input", { type: "checkbox", ...attributes });
  box.checked = isOn;
  box.addEventListener("change", () => onChange(box.checked));
  controls.push({ kind: "toggle", node: box });
  return element("label", { class: "toggle" }, box, element("span", {}, label));
}

/** A labeled select; `options` are `[value, text]`, and `onChange` gets the value. */
function choice(label, options, selected, onChange) {
  const select = element("select", {},
    options.map(([value, text]) => element("option", { value }, text)));
  select.value = selected;
  select.addEventListener("change", () => onChange(select.value));
  controls.push({ kind: "choice", node: select });
  const field = element("label", { class: "choice" }, element("span", {}, label), select);
  field.setOptions = (others, value) => {
    select.replaceChildren(...others.map(([key, text]) => element("option", { value: key }, text)));
    select.value = value;
  };
  return field;
}

/** A table of `{label, numeric}` columns; a cell is a text or a node. */
function table(columns, rows, caption = null) {
  const head = element("tr", {}, columns.map((column) =>
    element("th", { scope: "col", class: column.numeric ? "number" : null }, column.label)));
  const body = rows.map((row) => element("tr", {}, row.map((cell, i) =>
    element("td", { class: columns[i].numeric ? "number" : null }, cell ?? MISSING))));
  return element("div", { class: "table", tabindex: "0", role: "region",
    "aria-label": caption ?? columns.map((column) => column.label).join(", ") },
  element("table", {}, caption ? element("caption", {}, caption) : null,
    element("thead", {}, head), element("tbody", {}, body)));
}

/** A part of the page with a heading; `navigation` links to it. */
function section(id, title, ...children) {
  return element("section", { id, "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title), ...children);
}

function note(text, kind = "") {
  return element("p", { class: `note ${kind}`.trim() }, text);
}

/** Something to fold: its content is made when it opens for the first time. */
function folded(summary, makeContent, isOpen = false) {
  const details = element("details", {}, element("summary", {}, summary));
  let isMade = false;
  details.ensureContent = () => {
    if (!isMade) {
      isMade = true;
      details.append(...[makeContent()].flat());
    }
  };
  details.addEventListener("toggle", () => details.open && details.ensureContent());
  if (isOpen) {
    details.open = true;
    details.ensureContent();
  }
  return details;
}

/** Saves a blob under a name that file systems take. */
function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name.replace(/[^\w.-]+/g, "_") });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Calls `onVisible` once, when the node is about to come into view. */
const visibility = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) {
      visibility.unobserve(entry.target);
      entry.target.onceVisible?.();
    }
  }
}, { rootMargin: "300px" });

function whenVisible(node, onVisible) {
  node.onceVisible = onVisible;
  visibility.observe(node);
}
