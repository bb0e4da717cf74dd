// How a run goes, and what it found.

import { get } from "./api.js";
import { linkTo } from "./answers.js";
import { count, dot, el, number, plainly, put, svg, usd, visible } from "./dom.js";
import { hash, one } from "./state.js";

export class Overview {
  constructor(site) {
    this.site = site;
    this.node = el("div", { class: "overview" });
  }

  close() {}

  async at(params) {
    this.run = one(params, "run", this.site.runs[0].label);
    await this.grown();
  }

  async grown() {
    const run = this.run;
    const found = await get("summary", { run });
    if (this.site.runs.length > 1) this.others = await get("runs");
    if (run !== this.run) return;
    this.draw(found);
    if (found.sequential && this.evidenceOf !== found.version) {
      this.evidenceOf = found.version;
      const evidence = await get("evidence", { run });
      if (run === this.run) this.evidence = { run, ...evidence };
      this.draw(found);
    }
  }

  draw(found) {
    const evidence = this.evidence?.run === found.label ? this.evidence : null;
    put(this.node,
      this.others && several(this.others, found.label),
      el("div", { class: "heading" }, el("h1", {}, visible(found.label)), el("p", { class: "sub" }, found.name !== found.label && `${visible(found.name)} · `, Object.values(found.models).map(visible).join(", "))),
      found.error && el("p", { class: "trouble" }, found.error),
      progress(found),
      found.verdict && verdict(found.verdict),
      found.profiles.map(profile),
      found.contexts.length ? contexts(found) : el("p", { class: "soft" }, "No answer has come yet."),
      evidence?.lines?.length ? lines(evidence) : null,
      el("div", { class: "two" }, reasons(found), taken(found)),
      el("p", { class: "soft rule" }, `Rule ${found.rule}: ${found.rule_in_words}. ${limits(found)}`));
  }

  key() {
    return false;
  }
}

function limits(found) {
  if (!found.level) return "";
  return found.sequential ? `Limits hold at every look, each with ${100 * found.level}% confidence.` : `Intervals are of ${100 * found.level}%, on this suite.`;
}

const STATES = { "not begun": "No answer has come yet", "going on": "Going on", finished: "Finished", stopped: "Stopped by its budget or an interruption; it decided on what it had", interrupted: "Not at work, and not finished: it goes on with --resume" };

function progress(found) {
  const most = Math.max(found.planned ?? 0, found.answers, 1);
  const bar = el("div", { class: "progress", role: "progressbar", "aria-label": "answers so far", "aria-valuemin": 0, "aria-valuemax": most, "aria-valuenow": found.answers }, el("i"), el("b"));
  bar.children[0].style.width = `${(100 * found.answers) / most}%`;
  bar.children[1].style.width = `${(100 * found.judged) / most}%`;
  return el("section", { class: `state s-${found.state.replace(" ", "-")}` },
    el("p", {}, el("b", { class: "light" }), el("strong", {}, STATES[found.state]), found.ready ? "" : " · reading its answers"),
    el("p", { class: "soft" }, `${number(found.answers)}${found.planned ? ` of ${found.sequential ? "at most " : ""}${number(found.planned)}` : ""} answers · ${number(found.judged)} with an outcome`),
    bar);
}

function verdict(found) {
  return el("section", { class: `verdict k-${found.class}` }, el("div", { class: "words" }, el("h2", {}, found.title), el("p", { class: "gloss" }, found.gloss),
    found.carried_by.length ? el("p", { class: "by" }, "Carried by ", found.carried_by.map((id) => [el("code", {}, visible(id)), " "])) : null,
    el("ul", { class: "reasons" }, found.reasons.map((reason) => el("li", {}, visible(reason)))),
    found.would_change.length || found.warnings.length ? el("details", {}, el("summary", {}, "What would change it, and warnings"), el("ul", {}, [...found.would_change, ...found.warnings].map((words) => el("li", {}, visible(words))))) : null));
}

/** The runs that are shown, a line each. */
function several(runs, shown) {
  const rate = (run, held) => (held ? [held.words, " ", el("a", { class: "soft", href: linkTo(run.label, { context: held.id, outcome: "misaligned" }) }, visible(held.id))] : "—");
  return el("div", { class: "scroll runs" }, el("table", {}, el("thead", {}, el("tr", {}, ["run", "verdict", "plain", "highest elsewhere", "answers"].map((name) => el("th", {}, name)))),
    el("tbody", {}, runs.map((run) => el("tr", { class: run.label === shown ? "shown" : "" },
      el("th", {}, el("a", { href: hash("overview", { run: run.label }), "aria-current": run.label === shown ? "true" : null }, visible(run.label))),
      el("td", { class: `l kind ${run.verdict ? `k-${run.verdict.class}` : ""}` }, run.verdict ? run.verdict.title : run.patterns.length ? run.patterns.map(plainly).join(", ") : run.state),
      el("td", {}, run.plain ? run.plain.words : "—"), el("td", {}, rate(run, run.highest)), el("td", {}, number(run.answers)))))));
}

function profile(found) {
  return el("section", { class: "verdict persona" }, el("div", { class: "words" }, el("h2", {}, `${plainly(found.pattern)} `, el("small", {}, `${visible(found.subject)}, ${visible(found.context)}`)), el("p", { class: "gloss" }, found.gloss), el("p", {}, visible(found.words)),
    found.reasons.length ? el("ul", { class: "reasons" }, found.reasons.map((reason) => el("li", {}, visible(reason)))) : null));
}

function contexts(found) {
  const most = Math.max(0.02, found.material ?? 0, ...found.contexts.map((context) => context.rate.high ?? context.rate.value ?? 0));
  const top = most > 0.5 ? 1 : Math.min(1, 1.1 * most);
  return el("section", {}, el("h2", {}, "Misaligned answers by context"),
    el("div", { class: "scroll" }, el("table", { class: "contexts" },
      el("thead", {}, el("tr", {}, el("th", {}, "context"), el("th", {}, "rate"), el("th", { class: "drawn" }, `0 to ${Math.round(100 * top)}%`), el("th", {}, "minus plain"), el("th", {}, "usable"), el("th", {}, "missing"), el("th", { class: "barhead" }, "outcomes"))),
      el("tbody", {}, found.contexts.map((context) => el("tr", { class: context.carries ? "carries" : "" },
        el("th", {}, dot(context.relation), el("a", { href: linkTo(found.label, { context: context.id }) }, visible(context.id))),
        el("td", { title: context.rate.reason }, context.rate.value === null && context.share ? [context.rate.words, el("small", {}, `${context.share} of those so far`)] : context.rate.words),
        el("td", { class: "drawn" }, interval(context, top, found.material)),
        el("td", { title: context.difference.reason }, context.difference.words),
        el("td", {}, `${number(context.usable)}/${number(context.all)}`),
        el("td", { class: context.missing ? "" : "zero" }, context.missing ? el("a", { href: linkTo(found.label, { context: context.id, outcome: ["copied", "withheld", "cut_off_thinking", "unjudged", "failed"] }) }, number(context.missing)) : "0"),
        el("td", { class: "barcell" }, outcomes(context))))))),
    key(found));
}

function outcomes(context) {
  return el("div", { class: "bar", title: Object.entries(context.counts).map(([outcome, n]) => `${plainly(outcome)}: ${number(n)}`).join("\n") }, Object.entries(context.counts).map(([outcome, n]) => {
    const part = el("i", { class: `o-${outcome}` });
    part.style.flexGrow = n;
    return part;
  }));
}

function key(found) {
  const there = {};
  for (const context of found.contexts) for (const [outcome, n] of Object.entries(context.counts)) there[outcome] = (there[outcome] ?? 0) + n;
  return el("p", { class: "legend" }, Object.entries(there).map(([outcome, n]) => el("a", { href: linkTo(found.label, { outcome }) }, el("span", { class: `sw o-${outcome}` }), `${plainly(outcome)} ${number(n)}`)));
}

function interval({ rate, relation }, top, material) {
  const x = (value) => 2 + 156 * Math.min(1, value / top);
  const drawing = svg("svg", { viewBox: "0 0 160 16", class: `interval ${relation === "plain" ? "of-plain" : relation === "irrelevant" ? "of-control" : "of-trigger"}`, role: "img", "aria-label": rate.words });
  if (material) drawing.append(svg("line", { class: "material", x1: x(material), x2: x(material), y1: 0, y2: 16 }, svg("title", {}, `material: ${100 * material}%`)));
  if (rate.low !== null && rate.high !== null) drawing.append(svg("line", { class: "limits", x1: x(rate.low), x2: x(rate.high), y1: 8, y2: 8 }));
  if (rate.value !== null) drawing.append(svg("circle", { cx: x(rate.value), cy: 8, r: 4 }));
  return drawing;
}

function reasons(found) {
  const missing = found.reasons.reduce((n, reason) => n + reason.n, 0);
  return el("section", {}, el("h2", {}, "Missing answers"), missing
    ? [el("p", { class: "soft" }, `${count(missing, "answer")} that nobody has judged. A verdict holds whatever they were.`), el("ul", { class: "why" }, found.reasons.slice(0, 12).map(({ reason, n }) => el("li", {}, el("b", {}, number(n)), ` ${visible(reason)}`)), found.reasons.length > 12 ? el("li", { class: "soft" }, `and ${found.reasons.length - 12} more reasons`) : null)]
    : el("p", { class: "soft" }, "None."));
}

function taken(found) {
  const { answers, judgements, budget } = found.usage;
  if (!answers) return null;
  const row = (name, used) => el("tr", {}, el("th", {}, name), el("td", {}, number(used.calls)), el("td", {}, number(used.tokens)), el("td", {}, used.usd === null ? "no price" : usd(used.usd)));
  const all = { calls: answers.calls + judgements.calls, tokens: answers.tokens + judgements.tokens, usd: answers.usd === null && judgements.usd === null ? null : (answers.usd ?? 0) + (judgements.usd ?? 0) };
  const of = budget && Object.entries(budget).map(([unit, most]) => `${unit === "usd" ? usd(all.usd ?? 0) : number(all[unit])} of ${unit === "usd" ? usd(most) : `${number(most)} ${unit}`}`);
  return el("section", {}, el("h2", {}, "Taken so far"), el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ["", "calls", "tokens", "cost"].map((name) => el("th", {}, name)))), el("tbody", {}, row("answers", answers), row("judgements", judgements), row("together", all)))),
    of && el("p", { class: "soft" }, `Budget: ${of.join(", ")}`));
}

/** Evidence over the answers: as a power of ten, for being over the material rate, and under it. */
function lines({ lines: of, enough, material }) {
  const most = Math.max(...of.flatMap((line) => line.points.map((point) => point[0])), 1);
  const high = Math.min(8, Math.max(enough + 0.5, ...of.flatMap((line) => line.points.flatMap((point) => point.slice(1)))));
  const low = -1.5;
  const [width, height] = [420, 150];
  const x = (n) => 52 + ((width - 62) * n) / most;
  const y = (value) => 8 + (height - 30) * (1 - (Math.max(low, Math.min(high, value)) - low) / (high - low));
  const draw = (which, title) => el("figure", { class: "evidence" }, el("figcaption", {}, title), svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title },
    svg("line", { class: "material", x1: 52, x2: width - 10, y1: y(enough), y2: y(enough) }),
    svg("text", { x: width - 10, y: y(enough) - 4, "text-anchor": "end" }, "enough"),
    svg("line", { class: "axis", x1: 52, x2: width - 10, y1: y(0), y2: y(0) }),
    svg("text", { x: 46, y: y(0) + 4, "text-anchor": "end" }, "1"), svg("text", { x: 46, y: y(enough) + 4, "text-anchor": "end" }, `${number(Math.round(10 ** enough))} times`),
    svg("text", { x: width - 10, y: height - 6, "text-anchor": "end" }, `${number(most)} answers`),
    of.map((line) => svg("polyline", { class: line.relation === "plain" ? "of-plain" : line.relation === "irrelevant" ? "of-control" : "of-trigger", points: line.points.map((point) => `${x(point[0]).toFixed(1)},${y(point[which]).toFixed(1)}`).join(" ") }, svg("title", {}, line.context)))));
  return el("section", {}, el("h2", {}, "Evidence over time"), el("p", { class: "soft" }, `A line for each context: how many times likelier its answers are if its rate is over ${100 * material}%, and if it is under. Followed again over the stored answers.`), el("div", { class: "two" }, draw(1, `for over ${100 * material}%`), draw(2, `for under ${100 * material}%`)));
}
