// Every answer: filters with counts, words, order, and a list that is paged by the server.

import { get } from "./api.js";
import { showDetail } from "./detail.js";
import { chip, copier, count, dot, el, marked, number, plainly, put, score, visible, wanted } from "./dom.js";
import { go, hash, one } from "./state.js";
import { Table } from "./table.js";

const FACETS = [["outcome", "Outcome"], ["context", "Context"], ["question", "Question"], ["subject", "Model"], ["finish", "How it ended"]];
const SORTS = { time: "as they came", alignment: "alignment", coherence: "coherence", length: "length", tokens: "tokens", sample: "sample", question: "question" };
const TYPING_MS = 250;

export class Answers {
  constructor(site) {
    this.site = site;
    this.facets = el("div", { class: "facets" });
    this.search = el("input", { type: "search", id: "search", placeholder: 'Words in answers, "together"', "aria-label": "Search in answers", autocomplete: "off", spellcheck: "false" });
    this.sort = el("select", { "aria-label": "Order" }, Object.entries(SORTS).map(([value, words]) => el("option", { value }, words)));
    this.down = el("button", { type: "button", title: "Turn the order round", "aria-label": "Turn the order round" }, "↑");
    this.judge = el("select", { "aria-label": "Judge" });
    this.sample = el("input", { class: "sample", placeholder: "3 or 0-4", "aria-label": "Sample, such as 3 or 0-4", inputmode: "numeric" });
    this.total = el("span", { class: "total", role: "status" });
    this.filters = el("details", { class: "filters" }, el("summary", {}, "Filters"), this.facets, el("label", { class: "samples" }, "Sample ", this.sample));
    this.detail = el("aside", { class: "detail", "aria-label": "One answer", tabindex: "-1", hidden: true });
    this.table = new Table({
      fetchPage: (offset, limit, signal) => get("rows", { ...this.query(), offset, limit }, signal),
      show: (row, node) => this.show(row, node),
      chosen: (at, row) => this.choose(row),
      opened: () => this.detail.focus({ preventScroll: true }),
      loaded: (found) => this.loaded(found),
    });
    this.node = el("div", { class: "answers" },
      this.filters,
      el("section", { class: "list" },
        el("div", { class: "bar-of" }, this.search, this.sort, this.down, this.judge),
        el("div", { class: "bar-of under" }, this.total, copier("Copy link", "link", () => location.href)),
        this.table.node),
      this.detail);
    this.listen();
    if (matchMedia("(min-width:1000px)").matches) this.filters.open = true;
  }

  close() {
    this.table.close();
  }

  listen() {
    let typing;
    this.search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.change({ q: this.search.value.trim() }), TYPING_MS);
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.table.node.focus();
    });
    this.sort.addEventListener("change", () => this.change({ sort: this.sort.value === "time" ? "" : this.sort.value }));
    this.down.addEventListener("click", () => this.change({ dir: one(this.params, "dir") === "down" ? "" : "down" }));
    this.judge.addEventListener("change", () => this.change({ judge: this.judge.value }));
    this.sample.addEventListener("change", () => this.change({ sample: this.sample.value.trim() }));
  }

  /** What the server is asked for, from the address. */
  query() {
    const { row, ...query } = this.params;
    return query;
  }

  change(changed) {
    go("answers", { ...this.params, row: "", ...changed }, { quietly: true });
  }

  /** Show what the address says. */
  async at(params) {
    const before = JSON.stringify(this.params && this.query());
    this.params = params;
    const { row, ...query } = params;
    if (document.activeElement !== this.search) this.search.value = one(params, "q");
    this.sort.value = one(params, "sort", "time");
    this.down.textContent = one(params, "dir") === "down" ? "↓" : "↑";
    this.sample.value = one(params, "sample");
    if (JSON.stringify(query) !== before) {
      this.table.reload();
      this.fillJudges();
    }
    const wanted_ = one(params, "row");
    if (wanted_ === this.open) return;
    this.open = wanted_;
    if (!wanted_) {
      this.detail.hidden = true;
      this.node.classList.remove("with-detail");
      return;
    }
    this.node.classList.add("with-detail");
    this.detail.hidden = false;
    const at = wanted_.lastIndexOf(":");
    const [run, id] = [wanted_.slice(0, at), wanted_.slice(at + 1)];
    showDetail(this.detail, run, id, { words: wanted(one(params, "q")), close: () => this.shut() });
    const held = this.table.row(this.table.at);
    if (!held || held.run !== run || String(held.id) !== id) this.find(wanted_);
  }

  /** Bring the row of a link into sight, where it passes the filters. */
  async find(row) {
    const { place } = await get("rows", { ...this.query(), find: row });
    if (place === null || row !== this.open) return;
    for (let tries = 0; !this.table.total && tries < 200; tries++) await new Promise((wait) => setTimeout(wait, 20));
    this.table.choose(place, { tell: false });
  }

  choose(row) {
    const to = `${row.run}:${row.id}`;
    if (to !== one(this.params, "row")) go("answers", { ...this.params, row: to }, { quietly: true });
  }

  shut() {
    go("answers", { ...this.params, row: "" }, { quietly: true });
    this.table.node.focus();
  }

  async fillJudges() {
    const runs = this.params.run ?? this.site.runs.map((run) => run.label);
    this.judge.hidden = true;
    if (runs.length !== 1) return;
    const { judges } = await get("summary", { run: runs[0] });
    this.judge.hidden = judges.length < 2;
    put(this.judge, judges.map((judge) => el("option", { value: judge.counts ? "" : judge.id }, `judged by ${judge.name}${judge.counts ? " (counts)" : ""}`)));
    this.judge.value = one(this.params, "judge");
  }

  loaded(found) {
    if (found.error) {
      this.total.textContent = found.error.message;
      return;
    }
    const still = found.ready ? "" : " · reading on";
    this.total.textContent = `${count(found.total, "answer")}${still}`;
    this.node.classList.toggle("several", (this.params.run ?? this.site.runs).length > 1);
    this.fillFacets(found.counts);
  }

  fillFacets(counts) {
    const key = JSON.stringify([counts, this.query()]);
    if (key === this.facetsKey) return;
    this.facetsKey = key;
    const chosen = [...FACETS, ["run"], ["sample"]].reduce((n, [facet]) => n + (this.params[facet]?.length ?? 0), 0);
    const summary = this.filters.firstElementChild;
    summary.textContent = chosen ? `Filters (${chosen})` : "Filters";
    const places = [...this.facets.querySelectorAll(".names")].map((node) => node.scrollTop);
    const focused = document.activeElement?.dataset?.name && document.activeElement.dataset;
    const several = this.site.runs.length > 1;
    put(this.facets,
      several && this.facet("run", "Run", Object.fromEntries(this.site.runs.map((run) => [run.label, run.answers]))),
      FACETS.map(([facet, title]) => this.facet(facet, title, counts[facet] ?? {})),
      chosen ? el("button", { type: "button", class: "small", on: { click: () => this.change(Object.fromEntries([...FACETS, ["run"], ["sample"], ["judge"]].map(([facet]) => [facet, ""]))) } }, "All answers") : null);
    [...this.facets.querySelectorAll(".names")].forEach((node, k) => (node.scrollTop = places[k] ?? 0));
    if (focused) this.facets.querySelector(`[data-facet="${CSS.escape(focused.facet)}"][data-name="${CSS.escape(focused.name)}"]`)?.focus();
  }

  facet(facet, title, counts) {
    const chosen = new Set(this.params[facet] ?? []);
    const order = facet === "outcome" ? this.site.outcomes : facet === "question" ? Object.keys(counts).sort() : Object.keys(counts);
    const names = [...new Set([...order.filter((name) => counts[name] || chosen.has(name)), ...chosen])];
    if (names.length < 2 && !chosen.size && facet !== "outcome") return null;
    return el("fieldset", {}, el("legend", {}, title), el("div", { class: "names" }, names.map((name) =>
      el("label", {},
        el("input", { type: "checkbox", checked: chosen.has(name), data: { facet, name }, on: { change: (event) => this.toggle(facet, name, event.target.checked) } }),
        facet === "outcome" ? el("span", { class: `sw o-${name}` }) : facet === "context" ? dot(this.site.relations[name]) : null,
        el("span", { class: "name", title: name }, facet === "outcome" ? plainly(name) : visible(name)), " ",
        el("span", { class: "n" }, number(counts[name] ?? 0))))));
  }

  toggle(facet, name, on) {
    const held = new Set(this.params[facet] ?? []);
    if (on) held.add(name);
    else held.delete(name);
    this.change({ [facet]: [...held], ...(facet === "run" ? { judge: "" } : {}) });
  }

  show(row, node) {
    const key = row ? `${row.run}:${row.id}:${row.outcome}:${row.alignment}:${one(this.params, "q")}` : "";
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    if (!row) {
      put(node, el("span", { class: "waiting" }, "…"));
      return;
    }
    const text = row.text === null ? el("em", {}, row.reason || "it never came") : marked(visible(row.text.replace(/\s+/g, " ")), wanted(one(this.params, "q")));
    put(node,
      el("span", { class: "cell outcome", role: "cell" }, chip(row.outcome)),
      el("span", { class: "cell score", role: "cell", title: "alignment" }, score(row.alignment)),
      el("span", { class: "cell of-run", role: "cell", title: row.run }, row.run),
      el("span", { class: "cell context", role: "cell", title: row.context }, dot(this.site.relations[row.context]), visible(row.context)),
      el("span", { class: "cell question", role: "cell", title: row.question }, visible(row.question), el("small", {}, ` ${row.sample}`)),
      el("span", { class: "cell text-of", role: "cell" }, el("bdi", {}, text, row.more ? "…" : "")));
  }

  /** Something new has come. */
  grown() {
    this.table.reload({ keep: true });
  }

  key(event) {
    if (event.key === "j") this.table.choose(this.table.at + 1);
    else if (event.key === "k") this.table.choose(this.table.at - 1);
    else if (event.key === "Home") this.table.choose(0);
    else if (event.key === "End") this.table.choose(this.table.total - 1);
    else if (event.key === "Enter") {
      if (this.table.at < 0) this.table.choose(0, { open: true });
      else if (this.open) this.detail.focus();
      else this.table.choose(this.table.at, { open: true });
    } else if (event.key === "Escape" && this.open) this.shut();
    else if (event.key === "/") this.search.focus(), this.search.select();
    else if (event.key === "w") this.detail.querySelector("[data-width]")?.click();
    else return false;
    return true;
  }
}

export const linkTo = (run, more) => hash("answers", { run, ...more });
