// Elements without markup, and in-place updates of a page.
//
// Views build a tree from data. `morph` makes the tree on the page equal to it and leaves equal parts alone: focus,
// scroll position and open details survive every refresh, and nothing flickers. Text is only inserted as text nodes:
// whatever a provider sends, it cannot become markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "use", "rect", "path", "line", "circle", "title", "g"]);

/** An element. Null, undefined and false are left out; children may be nested lists. */
export function h(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name === "key" ? "data-key" : name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

export const span = (look, ...children) => h("span", { class: look }, children);
export const div = (look, ...children) => h("div", { class: look }, children);
export const code = (...children) => h("code", {}, children);

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(String(child));
  }
}

/** Makes the children of `home` equal to `children`. */
export function render(home, ...children) {
  const wanted = home.cloneNode(false);
  append(wanted, children);
  morphChildren(home, wanted);
}

// What the reader has opened or typed is theirs: a refresh does not undo it.
const OWNED = { DETAILS: ["open"], DIALOG: ["open"], INPUT: ["value", "checked"], OPTION: ["selected"] };

function morph(have, wanted) {
  if (have.nodeType === Node.TEXT_NODE) {
    if (have.data !== wanted.data) have.data = wanted.data;
    return;
  }
  const owned = OWNED[have.tagName] ?? [];
  for (const { name } of [...have.attributes]) {
    if (!wanted.hasAttribute(name) && !owned.includes(name)) have.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (have.getAttribute(name) !== value && !owned.includes(name)) have.setAttribute(name, value);
  }
  if (have.tagName === "TEXTAREA") return;
  morphChildren(have, wanted);
  if (have.tagName === "SELECT" && have.value !== wanted.value) have.value = wanted.value;
}

function morphChildren(home, wantedHome) {
  const wantedNodes = [...wantedHome.childNodes];
  const wantedKeys = new Set(wantedNodes.map(keyOf).filter(Boolean));
  const byKey = new Map();
  for (const child of home.children) {
    if (keyOf(child)) byKey.set(keyOf(child), child);
  }
  let cursor = home.firstChild;
  for (const wanted of wantedNodes) {
    // Removed elements go first, so that the others need not move: a moved element loses its focus.
    while (cursor && keyOf(cursor) && !wantedKeys.has(keyOf(cursor))) cursor = remove(cursor);
    const key = keyOf(wanted);
    const match = key ? byKey.get(key) : cursor && !keyOf(cursor) ? cursor : null;
    if (match && match.nodeName === wanted.nodeName) {
      if (match === cursor) cursor = cursor.nextSibling;
      else home.insertBefore(match, cursor);
      morph(match, wanted);
    } else {
      home.insertBefore(wanted, cursor);
    }
  }
  while (cursor) cursor = remove(cursor);
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function remove(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}
