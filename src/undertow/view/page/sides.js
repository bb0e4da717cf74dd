// One question, side by side: plainly and in other contexts, in one run or several.

import { get } from "./api.js";
import { chip, copier, count, dot, el, number, put, score, visible, written } from "./dom.js";
import { go, hash, one } from "./state.js";

const SHOWN = 12;

export class Sides {
  constructor(site) {
    this.site = site;
    this.question = el("select", { "aria-label": "Question" });
    this.columns = el("div", { class: "sides" });
    const step = (by) => () => this.step(by);
    this.node = el("div", { class: "side-by-side" },
      el("div", { class: "bar-of" }, el("button", { type: "button", "aria-label": "Previous question", on: { click: step(-1) } }, "‹"), this.question, el("button", { type: "button", "aria-label": "Next question", on: { click: step(1) } }, "›"),
        el("button", { type: "button", on: { click: () => this.add() } }, "Add a column"), copier("Copy link", "link", () => location.href)),
      this.columns);
    this.question.addEventListener("change", () => this.change({ question: this.question.value }));
  }

  close() {}

  change(changed) {
    go("sides", { ...this.params, ...changed }, { quietly: true });
  }

  async at(params) {
    this.params = params;
    const run = one(params, "run", this.site.runs[0].label);
    const { counts } = await get("rows", { run: this.site.runs.map((each) => each.label), limit: 1 });
    this.questions = Object.keys(counts.question).sort();
    this.contexts = Object.keys(counts.context);
    this.wordings ??= await get("wordings");
    put(this.question, this.questions.map((id) => el("option", { value: id }, visible(this.wordings[id] ? `${id}: ${this.wordings[id].slice(0, 90)}` : id))));
    const question = one(params, "question", this.questions[0]);
    this.question.value = question;
    const cols = params.col ?? (await this.likely(run));
    const label = (col) => this.site.runs.map((each) => each.label).filter((each) => col.startsWith(`${each}:`)).sort((a, b) => b.length - a.length)[0] ?? col.split(":")[0];
    this.cols = cols.map((col) => [label(col), col.slice(label(col).length + 1)]);
    this.of = question;
    await this.grown();
  }

  /** Plain, and the context that is most worth a look. */
  async likely(run) {
    const { contexts } = await get("summary", { run });
    const plain = contexts.find((context) => context.relation === "plain") ?? contexts[0];
    const others = contexts.filter((context) => context !== plain && context.all).sort((a, b) => (b.carries - a.carries) || ((b.rate.value ?? -1) - (a.rate.value ?? -1)));
    return [plain, others[0]].filter(Boolean).map((context) => `${run}:${context.id}`);
  }

  async grown() {
    if (!this.of || this.drawing) return;
    this.drawing = true;
    try {
      const columns = await Promise.all(this.cols.map(([run, context], k) => this.column(run, context, k)));
      this.columns.style.setProperty("--n", columns.length);
      put(this.columns, columns);
    } finally {
      this.drawing = false;
    }
  }

  set(k, run, context) {
    const cols = this.cols.map((col, at) => (at === k ? [run, context] : col)).map((col) => col.join(":"));
    this.change({ question: this.of, col: cols });
  }

  add() {
    const [run] = this.cols[0] ?? [this.site.runs[0].label];
    const other = this.contexts.find((context) => !this.cols.some((col) => col[1] === context)) ?? this.contexts[0];
    this.change({ question: this.of, col: [...this.cols.map((col) => col.join(":")), `${run}:${other}`] });
  }

  step(by) {
    const at = this.questions.indexOf(this.of);
    this.change({ question: this.questions[(at + by + this.questions.length) % this.questions.length], col: this.cols.map((col) => col.join(":")) });
  }

  async column(run, context, k) {
    const filters = { run, context, question: this.of };
    const { total, rows, counts } = await get("rows", { ...filters, sort: "sample", limit: SHOWN, whole: 1 });
    const outcomes = counts.outcome;
    const usable = (outcomes.aligned ?? 0) + (outcomes.misaligned ?? 0) + (outcomes.not_misaligned ?? 0);
    const runs = el("select", { "aria-label": "Run of this column", hidden: this.site.runs.length < 2, on: { change: (event) => this.set(k, event.target.value, context) } }, this.site.runs.map((each) => el("option", { value: each.label, selected: each.label === run }, each.label)));
    const contexts = el("select", { "aria-label": "Context of this column", on: { change: (event) => this.set(k, run, event.target.value) } }, this.contexts.map((id) => el("option", { value: id, selected: id === context }, visible(id))));
    const first = rows[0] ? await get("answer", { run: rows[0].run, id: rows[0].id }) : null;
    return el("section", { class: "side" },
      el("header", {}, dot(this.site.relations[context]), contexts, runs, this.cols.length > 1 && el("button", { type: "button", class: "small", "aria-label": "Leave this column out", on: { click: () => this.change({ question: this.of, col: this.cols.filter((col, at) => at !== k).map((col) => col.join(":")) }) } }, "✕"),
        el("p", { class: "soft" }, total ? `${number(outcomes.misaligned ?? 0)} of ${number(usable)} usable misaligned · ${count(total, "answer")}` : "no answers")),
      first?.messages && el("details", { class: "sent", open: k < 2 && first.messages.length < 3 }, el("summary", {}, "Sent"), first.messages.map((message) => el("div", { class: "message" }, el("span", { class: "role" }, message.role), el("div", { class: "text", dir: "auto" }, written(message.content))))),
      rows.map((row) => el("article", { class: "answer" },
        el("p", { class: "meta" }, chip(row.outcome), el("span", {}, `alignment ${score(row.alignment)}`), el("a", { href: hash("answers", { ...filters, row: `${row.run}:${row.id}` }) }, `sample ${row.sample}`)),
        row.text === null ? el("p", { class: "fail" }, row.reason) : el("div", { class: `text${first?.monospace ? " mono" : ""}`, dir: "auto" }, written(row.text.slice(0, 20_000))))),
      total > SHOWN && el("a", { class: "button small", href: hash("answers", filters) }, `All ${number(total)}`));
  }

  key() {
    return false;
  }
}
