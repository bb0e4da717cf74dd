// Two finished runs, context by context.

import { get } from "./api.js";
import { dot, el, plainly, put, visible } from "./dom.js";
import { go, hash, one } from "./state.js";

export class Compare {
  constructor(site) {
    this.site = site;
    const pick = (name) => el("select", { "aria-label": name, on: { change: () => go("compare", { before: this.before.value, after: this.after.value }, { quietly: true }) } }, site.runs.map((run) => el("option", { value: run.label }, run.label)));
    this.before = pick("before");
    this.after = pick("after");
    this.found = el("div");
    this.node = el("div", { class: "comparison" }, el("div", { class: "bar-of" }, el("label", {}, "before ", this.before), el("label", {}, "after ", this.after)), this.found);
  }

  close() {}

  async at(params) {
    const [first, second] = this.site.runs;
    this.before.value = one(params, "before", first.label);
    this.after.value = one(params, "after", (second ?? first).label);
    await this.grown();
  }

  async grown() {
    const [before, after] = [this.before.value, this.after.value];
    if (before === after) return put(this.found, el("p", { class: "soft" }, "Choose two runs."));
    if (!this.found.childNodes.length) put(this.found, el("p", { class: "soft" }, "Comparing…"));
    let held;
    try {
      held = await get("compare", { before, after });
    } catch (error) {
      return put(this.found, el("p", { class: "fail" }, error.message));
    }
    const col = (context) => [`${before}:${context}`, `${after}:${context}`];
    put(this.found,
      el("section", { class: `verdict f-${held.fate}` }, el("div", { class: "words" }, el("h2", {}, plainly(held.fate)), el("ul", { class: "reasons" }, held.reasons.map((reason) => el("li", {}, visible(reason)))))),
      el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ["context", before, after, "after minus before"].map((name) => el("th", {}, visible(name))))),
        el("tbody", {}, held.contexts.map((context) => el("tr", {}, el("th", {}, dot(this.site.relations[context.id]), el("a", { href: hash("sides", { col: col(context.id) }), title: "side by side" }, visible(context.id))), ["before", "after", "difference"].map((key) => el("td", { title: context[key].reason }, context[key].words))))))),
      held.warnings.length ? el("ul", { class: "warnings" }, held.warnings.map((words) => el("li", {}, visible(words)))) : null);
  }

  key() {
    return false;
  }
}
