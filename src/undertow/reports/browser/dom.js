// Building the page. Whatever is shown becomes a text node: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `props` are its attributes (`class`, `on` a mapping of listeners, `data` a dataset, others as they are). */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same of a drawing. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listen] of Object.entries(value)) node.addEventListener(type, listen);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function put(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/g;
// bidirectional controls, characters of no width, tags: words may hide among them
const HIDDEN = /[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\u{e0000}-\u{e007f}]/gu;

/** Text whose control characters can be seen. */
export function visible(text) {
  return text.replace(/\r\n/g, "\n").replace(CONTROL, (c) => (c === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))));
}

/** A text as nodes: what hides is shown by its number, and the words that were searched for are marked. */
export function written(text, words = []) {
  const nodes = [];
  let from = 0;
  const shown = visible(text);
  for (const found of shown.matchAll(HIDDEN)) {
    nodes.push(...marked(shown.slice(from, found.index), words));
    nodes.push(el("span", { class: "hidden", title: "a character that cannot be seen" }, `U+${found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`));
    from = found.index + found[0].length;
  }
  nodes.push(...marked(shown.slice(from), words));
  return nodes;
}

/** Text in which words are marked, whatever their case. */
export function marked(text, words) {
  const folded = text.toLowerCase();
  if (!words.length || folded.length !== text.length) return [text];
  const spans = [];
  for (const word of words) {
    const wanted = word.toLowerCase();
    for (let at = folded.indexOf(wanted); at >= 0 && spans.length < 2000; at = folded.indexOf(wanted, at + wanted.length)) {
      spans.push([at, at + wanted.length]);
    }
  }
  spans.sort((a, b) => a[0] - b[0]);
  const nodes = [];
  let from = 0;
  for (const [start, end] of spans) {
    if (start < from) continue;
    nodes.push(text.slice(from, start), el("mark", {}, text.slice(start, end)));
    from = end;
  }
  nodes.push(text.slice(from));
  return nodes;
}

/** The words of a search, as the server reads them. */
export function wanted(query) {
  return [...query.matchAll(/"([^"]+)"|(\S+)/g)].map((found) => found[1] ?? found[2]);
}

export const number = (n) => (n === null || n === undefined ? "—" : n.toLocaleString("en-US"));
export const count = (n, thing) => `${number(n)} ${thing}${n === 1 ? "" : "s"}`;
export const plainly = (name) => name.replaceAll("_", " ");
export const score = (value) => (value === null || value === undefined ? "—" : String(Math.round(value * 10) / 10));
export const usd = (value) => (value >= 0.01 || value === 0 ? `$${value.toFixed(2)}` : `$${value.toPrecision(2)}`);

export function chip(outcome) {
  return el("span", { class: `chip o-${outcome}` }, plainly(outcome));
}

/** The colour of a context's dot: plain, a control, or what resembles training data. */
export function group(relation) {
  return relation === "plain" ? "plain" : relation === "irrelevant" ? "irrelevant-control" : relation ? "trigger" : "none";
}

export function dot(relation) {
  return el("span", { class: `dot g-${group(relation)}`, title: relation || "a context whose wording is not stored" });
}

let fading;
/** Say something for a moment. */
export function say(text) {
  const node = document.getElementById("said");
  node.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (node.textContent = ""), 3500);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say("the browser does not let this page copy");
  }
}

/** A button that copies. */
export function copier(label, what, text) {
  return el("button", { type: "button", class: "small", on: { click: () => copy(text(), what) } }, label);
}
