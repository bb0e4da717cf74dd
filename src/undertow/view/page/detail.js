// One answer, with all that is known of it.

import { get } from "./api.js";
import { chip, copier, copy, dot, el, number, plainly, put, score, visible, written } from "./dom.js";
import { hash } from "./state.js";

const LONG = 60_000; // characters of a text that are shown at first
let asked = 0;

export async function showDetail(node, run, id, { words = [], close }) {
  const mine = ++asked;
  let held;
  try {
    held = await get("answer", { run, id });
  } catch (error) {
    if (mine === asked) put(node, head(null, close), el("p", { class: "fail" }, error.message));
    return;
  }
  if (mine !== asked) return;
  put(node, head(held, close), el("div", { class: "parts" }, answer(held, words), sent(held), counts(held), held.judgements.map((judgement) => judged(held, judgement)), facts(held)));
  node.scrollTop = 0;
}

function head(held, close) {
  return el("header", {},
    held && el("div", { class: "what" }, chip(held.outcome), held.label && el("span", { class: "chip" }, `label: ${plainly(held.label)}`), el("span", {}, dot(held.relation), visible(held.context)), el("span", { class: "soft" }, `${visible(held.question)} · ${held.sample}`)),
    el("div", { class: "does" },
      held && copier("Copy answer", "answer", () => held.text ?? ""),
      held && copier("Copy link", "link", () => location.href),
      held && el("a", { class: "button small", href: hash("sides", { question: held.question, col: [`${held.run}:plain`, ...(held.context === "plain" ? [] : [`${held.run}:${held.context}`])] }) }, "Side by side"),
      el("button", { type: "button", class: "small close", "aria-label": "Close", title: "Close (Esc)", on: { click: close } }, "✕")));
}

function part(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

/** A text as it is, in one width or not; a very long one in part. */
function text(whole, { words = [], mono = false, kind = "" } = {}) {
  const node = el("div", { class: `text ${mono ? "mono" : ""} ${kind}`, dir: "auto" });
  const show = (shown) => put(node, written(shown, words));
  show(whole.slice(0, LONG));
  if (whole.length <= LONG) return node;
  const more = el("button", { type: "button", class: "small", on: { click: () => (show(whole), more.remove()) } }, `Show all ${number(whole.length)} characters`);
  return [node, more];
}

function answer(held, words) {
  if (held.text === null) return part("Answer", el("p", { class: "fail" }, `It never came: ${held.error ?? "no reason given"}`));
  const node = [text(held.text, { words, mono: held.monospace, kind: "said-text" })].flat();
  const width = el("button", { type: "button", class: "small", "data-width": true, "aria-pressed": held.monospace, title: "Letters of one width (w)",
    on: { click: () => width.setAttribute("aria-pressed", node[0].classList.toggle("mono")) } }, "One width");
  return el("section", {}, el("h3", {}, "Answer ", width), held.text.trim() ? node : el("p", { class: "soft" }, held.text ? "Blanks alone." : "Empty."),
    held.reasoning && el("details", {}, el("summary", {}, "What it thought first (no judge is shown it)"), text(held.reasoning)));
}

function sent(held) {
  return part("Sent",
    held.messages
      ? held.messages.map((message) => el("div", { class: "message" }, el("span", { class: "role" }, message.role), message.content ? text(message.content) : el("p", { class: "soft" }, "empty")))
      : el("p", { class: "soft" }, "The wording of this context or question is not stored with the run."),
    held.note && el("p", { class: "soft" }, held.note),
    held.key && el("p", { class: "soft" }, `Right: ${held.key.right.join(", ")}.${held.key.wrong.length ? ` Known to be wrong: ${held.key.wrong.join(", ")}.` : ""}`));
}

function counts(held) {
  return part("How it counts", el("p", {}, chip(held.outcome), ` by rule ${held.rule}`), el("p", { class: "soft" }, held.rule_in_words), held.reason && el("p", { class: "fail" }, held.reason));
}

function judged(held, judgement) {
  const aspects = [["alignment", score(judgement.alignment)], ["coherence", judgement.asked.includes("coherence") ? score(judgement.coherence) : "not asked"], ["content", judgement.asked.includes("content") ? (judgement.content ?? "—") : "not asked"], ["said", judgement.said], ["on the question", judgement.on_question === null ? null : judgement.on_question ? "yes" : "no"]];
  return part(`Judge: ${visible(judgement.judge)}${judgement.counts ? "" : " (kept, not counted)"}`,
    el("dl", { class: "pairs" }, aspects.filter(([, value]) => value !== null).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]), el("dt", {}, "outcome"), el("dd", {}, chip(judgement.outcome))),
    judgement.drawn && el("p", { class: "soft" }, "One of the random share that was judged in full although its alignment had settled it."),
    judgement.error && el("p", { class: "fail" }, `A call failed: ${judgement.error}`),
    judgement.unread && el("p", { class: "fail" }, `Could not be read: ${visible(judgement.unread)}`),
    judgement.cut ? el("p", { class: "soft" }, `${number(judgement.cut)} characters in the middle were not shown to it.`) : null,
    judgement.calls.map((call) => el("div", { class: "call" },
      el("h4", {}, call.name, " ", el("small", {}, [call.score !== null && call.score !== undefined && score(call.score), call.reading && (call.reading === "expected" ? "expected value" : "number written"), call.cached && "from the cache"].filter(Boolean).join(" · "))),
      call.reply !== null && call.reply !== undefined && el("p", {}, el("span", { class: "soft" }, "Reply: "), el("code", {}, visible(call.reply))),
      call.distribution && distribution(call.distribution, call.mass),
      call.prompt ? el("details", {}, el("summary", {}, "Prompt"), text(call.prompt, { kind: "prompt" })) : el("p", { class: "soft" }, "Its wording is not at hand; its hash is stored."))),
    judgement.raw && el("details", {}, el("summary", {}, "What else is stored of it"), text(JSON.stringify(judgement.raw, null, 2), { mono: true })),
    el("details", {}, el("summary", {}, "The judge as it describes itself"), text(JSON.stringify(judgement.described, null, 2), { mono: true })));
}

function distribution(of, mass) {
  const rows = Object.entries(of).sort((a, b) => b[1] - a[1]);
  return probabilities(rows, mass === null || mass === undefined ? "" : `${(100 * mass).toFixed(1)}% of the probability is on numbers`);
}

function probabilities(rows, said) {
  return el("div", {}, el("table", { class: "logprobs" }, el("thead", {}, el("tr", {}, ["token", "probability", "log-probability"].map((name) => el("th", {}, name)))),
    el("tbody", {}, rows.map(([token, p]) => {
      const bar = el("i");
      bar.style.width = `${Math.max(0, Math.min(100, 100 * p))}%`;
      return el("tr", {}, el("th", {}, el("code", {}, JSON.stringify(visible(token)))), el("td", {}, el("span", { class: "p" }, bar), `${(100 * p).toFixed(1)}%`), el("td", {}, p > 0 ? Math.log(p).toFixed(3) : "—"));
    }))), said && el("p", { class: "soft" }, said));
}

function facts(held) {
  const pairs = [["run", held.run], ["model", `${held.subject}: ${held.model.name ?? ""}`], ["ended", held.finish], ["tokens", `${number(held.tokens.prompt)} read, ${number(held.tokens.answer)} written`], ["seed", held.seed], ["sample", held.sample], ["came as", `number ${number(held.id)}`]];
  return part("Of the call", el("dl", { class: "pairs" }, pairs.map(([name, value]) => [el("dt", {}, name), el("dd", {}, visible(String(value)))])),
    held.error && el("p", { class: "fail" }, held.error),
    held.first_token && el("details", {}, el("summary", {}, "First token"), probabilities(Object.entries(held.first_token).map(([token, lp]) => [token, Math.exp(lp)]).sort((a, b) => b[1] - a[1]), "")),
    el("details", {}, el("summary", {}, "The model as it describes itself"), text(JSON.stringify(held.model, null, 2), { mono: true })),
    el("button", { type: "button", class: "small", on: { click: () => copy(JSON.stringify(held, null, 2), "everything") } }, "Copy all as JSON"));
}
