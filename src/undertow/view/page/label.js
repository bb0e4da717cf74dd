// Labelling: a question and an answer, and neither the model, the context nor what the judge said.

import { get, post } from "./api.js";
import { el, number, plainly, put, say, written } from "./dom.js";
import { one } from "./state.js";

export class Label {
  constructor(site) {
    this.site = site;
    this.node = el("div", { class: "labelling" });
  }

  close() {}

  async at(params) {
    this.run = one(params, "run", this.site.runs[0].label);
    this.draw(await get("label"));
  }

  grown() {}

  async does(path, said) {
    if (this.busy) return;
    this.busy = true;
    try {
      this.draw(await post(`label/${path}`, said));
    } catch (error) {
      say(error.message);
      this.trouble.textContent = error.message;
    } finally {
      this.busy = false;
    }
  }

  draw(held) {
    this.held = held;
    this.trouble = el("p", { class: "fail", role: "alert" });
    if (!held.open) return this.offer(held.said);
    const { answer } = held;
    const keys = held.labels.map((label) => el("button", { type: "button", class: `label o-${label}`, on: { click: (event) => event.detail < 2 && this.give(label) } }, el("kbd", {}, label[0]), ` ${plainly(label)}`));
    const widths = held.widths.map(({ labels, points }) => `${number(labels)}: ±${points.toFixed(1)}`).join("; ");
    put(this.node,
      el("p", { class: "soft" }, `${held.run}: ${number(held.labelled)} of ${number(held.of)} labelled. The least known rate, in points, about, with so many labels: ${widths}.`),
      this.trouble,
      answer
        ? el("div", { class: "card" }, el("h3", {}, "Question"), el("div", { class: "text", dir: "auto" }, written(answer.question)), el("h3", {}, "Answer"), el("div", { class: "text to-label", dir: "auto" }, written(answer.text)))
        : el("p", {}, "Every answer of the sample has a label or was skipped."),
      el("div", { class: "labels" }, answer && keys, answer && el("button", { type: "button", on: { click: () => this.does("skip", { id: answer.id }) } }, el("kbd", {}, "s"), " skip"), el("button", { type: "button", disabled: !held.given, on: { click: () => this.does("undo") } }, el("kbd", {}, "u"), " undo"), el("button", { type: "button", class: "end", on: { click: () => this.does("end") } }, "Finish, and decide anew")));
  }

  offer(said) {
    const n = el("input", { type: "number", min: 1, value: 200, id: "n-labels" });
    put(this.node, said && el("p", { class: "done" }, said), this.trouble,
      el("h2", {}, `Label answers of ${this.run}`),
      el("p", { class: "lead" }, "You see a question and an answer, and neither what the judge said, which model it was nor in which context. Every answer that the judge flagged comes before long, doubtful ones often and others now and then, so that few labels say much. Each label is kept at once, in labels.jsonl of the run; while labels are given, nothing else may work on the run."),
      el("p", {}, el("label", { for: "n-labels" }, "Answers in all "), n, " ", el("button", { type: "button", class: "end", on: { click: () => this.does("begin", { run: this.run, labels: Number(n.value) }) } }, "Begin")));
  }

  give(label) {
    if (this.held.answer) this.does("set", { id: this.held.answer.id, label });
  }

  key(event) {
    if (!this.held?.open) return false;
    if (event.repeat) return true; // a key that is held down would label answers that nobody has read
    const label = this.held.labels.find((each) => each[0] === event.key);
    if (label) this.give(label);
    else if (event.key === "s" && this.held.answer) this.does("skip", { id: this.held.answer.id });
    else if (event.key === "u") this.does("undo");
    else return false;
    return true;
  }
}
