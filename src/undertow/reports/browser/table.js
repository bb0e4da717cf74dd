// A list of any length of which only what is seen is in the page: a fixed number of rows, moved as it is scrolled.

import { el, put } from "./dom.js";

const PAGE = 100; // rows that are asked for at once
const SPARE = 8; // rows over and under what is seen
const TALLEST = 8_000_000; // pixels that any browser makes an element; a longer list is scrolled in proportion

export class Table {
  /**
   * @param fetchPage (offset, limit, signal) -> {total, rows}
   * @param show (row or null, node, position) fills a row's node
   * @param chosen (position, row) is told what is chosen
   */
  constructor({ fetchPage, show, chosen, opened, loaded }) {
    Object.assign(this, { fetchPage, show, chosen, opened, loaded });
    this.total = 0;
    this.at = -1; // the position that is chosen
    this.pages = new Map();
    this.asked = new Map();
    this.space = el("div", { class: "space" });
    this.body = el("div", { class: "rows", role: "rowgroup" });
    this.node = el("div", { class: "scroller", role: "table", tabindex: "0", "aria-label": "Answers", on: { scroll: () => this.draw(), keydown: (event) => this.key(event) } }, this.space, this.body);
    this.nodes = [];
    this.sized = new ResizeObserver(() => this.draw());
    this.sized.observe(this.node);
  }

  close() {
    this.sized.disconnect();
    for (const ask of this.asked.values()) ask.abort();
  }

  /** Ask anew. `keep`: what is shown stays until what is new has come, as where a run grows. */
  reload({ keep = false } = {}) {
    for (const ask of this.asked.values()) ask.abort();
    this.asked.clear();
    this.stale = this.pages;
    this.pages = new Map();
    if (!keep) {
      this.stale = new Map();
      this.at = -1;
      this.node.scrollTop = 0;
    }
    this.need(Math.floor(this.first() / PAGE));
  }

  get height() {
    return matchMedia("(max-width:760px)").matches ? 62 : 36;
  }

  get seen() {
    return Math.max(1, Math.ceil(this.node.clientHeight / this.height));
  }

  /** How far it can be scrolled, and how far that is in rows. */
  get range() {
    const whole = this.total * this.height;
    return { whole, shown: Math.min(whole, TALLEST) };
  }

  /** Pixels of the whole list above what is seen. */
  offset() {
    const { whole, shown } = this.range;
    const view = this.node.clientHeight;
    return shown >= whole ? this.node.scrollTop : (this.node.scrollTop / Math.max(1, shown - view)) * (whole - view);
  }

  first() {
    return Math.max(0, Math.floor(this.offset() / this.height));
  }

  row(position) {
    const page = Math.floor(position / PAGE);
    return (this.pages.get(page) ?? this.stale?.get(page))?.[position % PAGE] ?? null;
  }

  async need(page) {
    if (this.pages.has(page) || this.asked.has(page)) return;
    const ask = new AbortController();
    this.asked.set(page, ask);
    try {
      const found = await this.fetchPage(page * PAGE, PAGE, ask.signal);
      if (ask.signal.aborted) return;
      this.pages.set(page, found.rows);
      this.total = found.total;
      this.loaded(found);
      this.draw();
    } catch (error) {
      if (!ask.signal.aborted) this.loaded({ error });
    } finally {
      if (this.asked.get(page) === ask) this.asked.delete(page);
    }
  }

  draw() {
    const { shown } = this.range;
    this.space.style.height = `${shown}px`;
    const offset = this.offset();
    const from = Math.max(0, Math.floor(offset / this.height) - SPARE);
    const to = Math.min(this.total, from + this.seen + 2 * SPARE);
    while (this.nodes.length < to - from) this.nodes.push(el("div", { class: "row", role: "row", on: { click: (event) => this.clicked(event) } }));
    for (let k = from; k < to; k++) {
      const node = this.nodes[k - from];
      const row = this.row(k);
      node.dataset.at = k;
      node.setAttribute("aria-rowindex", k + 1);
      node.classList.toggle("chosen", k === this.at);
      node.setAttribute("aria-selected", k === this.at);
      this.show(row, node, k);
    }
    put(this.body, this.nodes.slice(0, to - from));
    this.body.style.transform = `translateY(${this.node.scrollTop - offset + from * this.height}px)`;
    this.node.setAttribute("aria-rowcount", this.total);
    for (let page = Math.floor(from / PAGE); page <= Math.floor(Math.max(from, to - 1) / PAGE); page++) this.need(page);
  }

  clicked(event) {
    if (event.target.closest("a")) return;
    this.choose(Number(event.currentTarget.dataset.at), { open: true });
  }

  /** Choose a position, bring it into sight, and tell. */
  async choose(position, { open = false, tell = true } = {}) {
    if (!this.total) return;
    this.at = Math.max(0, Math.min(this.total - 1, position));
    this.reveal(this.at);
    this.draw();
    const page = Math.floor(this.at / PAGE);
    const at = this.at;
    if (!this.row(at)) {
      while (this.asked.has(page)) await new Promise((wait) => setTimeout(wait, 15));
    }
    const row = this.row(at);
    if (!row || at !== this.at || !tell) return;
    this.chosen(at, row);
    if (open) this.opened(at, row);
  }

  reveal(position) {
    const { whole, shown } = this.range;
    const view = this.node.clientHeight;
    const top = position * this.height;
    const offset = this.offset();
    let wanted = offset;
    if (top < offset) wanted = top;
    else if (top + this.height > offset + view) wanted = top + this.height - view;
    else return;
    this.node.scrollTop = shown >= whole ? wanted : (wanted / (whole - view)) * (shown - view);
  }

  key(event) {
    const far = { PageDown: this.seen - 1, PageUp: 1 - this.seen, ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (far !== undefined) {
      event.preventDefault();
      this.choose(this.at + far);
    }
  }
}
