// Every answer that a written page holds: filters with counts, words, order, a list, and one answer beside its plain one.

import { chip, dot, el, marked, number, plainly, put, score, visible, wanted, written } from "./dom.js";
import { Table } from "./table.js";

const held = JSON.parse(document.getElementById("held").textContent);
const place = document.getElementById("explorer");
const NAMES = ["run", "context", "question", "outcome", "alignment", "coherence", "sample", "subject", "text", "judged", "missing", "more", "mono"];
const FACETS = [["run", "every run"], ["outcome", "every outcome"], ["context", "every context"], ["question", "every question"], ["subject", "every model"]];
const ORDERS = { came: "as they came", alignment: "worst first", length: "longest first" };
const TYPING_MS = 200;

const rows = held.rows.map((row, at) => {
  const answer = Object.fromEntries(NAMES.map((name, k) => [name, row[k]]));
  for (const [facet] of FACETS) answer[facet] = held[facet][answer[facet]];
  return { at, ...answer, folded: (answer.text ?? "").toLowerCase() };
});
const groups = Object.fromEntries(held.context.map((id, k) => [id, held.relation[k]]));
const several = held.run.length > 1;
const chosen = {};
let words = [];
let order = "came";
let found = rows;

const selects = FACETS.filter(([facet]) => held[facet].length > 1).map(([facet, all]) => {
  const node = el("select", { "aria-label": facet, on: { change: () => ((chosen[facet] = node.value), find()) } });
  return { facet, all, node };
});
const search = el("input", { type: "search", placeholder: 'Words in answers, "together"', "aria-label": "Search in answers", autocomplete: "off", spellcheck: "false" });
const orders = el("select", { "aria-label": "Order", on: { change: () => ((order = orders.value), find()) } }, Object.entries(ORDERS).map(([value, said]) => el("option", { value }, said)));
const total = el("p", { class: "total", role: "status" });
const opened = el("div", { class: "opened", "aria-live": "polite" });
const table = new Table({
  fetchPage: async (offset, limit) => ({ total: found.length, rows: found.slice(offset, offset + limit) }),
  show,
  chosen: () => {},
  opened: (at, row) => open(row),
  loaded: () => {},
});

let typing;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => ((words = wanted(search.value)), find()), TYPING_MS);
});
table.node.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && table.row(table.at)) open(table.row(table.at));
});

function fits(row, but) {
  return selects.every(({ facet }) => facet === but || !chosen[facet] || row[facet] === chosen[facet]) && words.every((word) => row.folded.includes(word.toLowerCase()));
}

function find() {
  found = rows.filter((row) => fits(row));
  if (order === "alignment") found.sort((a, b) => (a.alignment ?? 101) - (b.alignment ?? 101) || a.at - b.at);
  if (order === "length") found.sort((a, b) => b.folded.length - a.folded.length || a.at - b.at);
  for (const { facet, all, node } of selects) {
    const counts = new Map();
    for (const row of rows) if (fits(row, facet)) counts.set(row[facet], (counts.get(row[facet]) ?? 0) + 1);
    const named = (name) => `${visible(facet === "outcome" ? plainly(name) : name)} (${number(counts.get(name) ?? 0)})`;
    put(node, el("option", { value: "" }, all), held[facet].map((name) => el("option", { value: name, selected: chosen[facet] === name }, named(name))));
  }
  total.textContent = `${number(found.length)} of ${number(rows.length)} answers`;
  table.reload();
}

function show(row, node) {
  const key = row ? `${row.at} ${words}` : "";
  if (!row || node.dataset.key === key) return;
  node.dataset.key = key;
  const text = row.missing ? el("em", {}, visible(row.missing)) : marked(visible(row.text.slice(0, 400).replace(/\s+/g, " ")), words);
  put(node,
    el("span", { class: "cell outcome", role: "cell" }, chip(row.outcome)),
    el("span", { class: "cell score", role: "cell", title: "alignment" }, score(row.alignment)),
    el("span", { class: "cell context", role: "cell", title: row.context }, dot(groups[row.context]), visible(several ? `${row.run}: ${row.context}` : row.context)),
    el("span", { class: "cell question", role: "cell", title: row.question }, visible(row.question)),
    el("span", { class: "cell text-of", role: "cell" }, el("bdi", {}, text)));
}

function beside(row) {
  if (groups[row.context] === "plain") return null;
  const alike = rows.filter((other) => other.run === row.run && other.subject === row.subject && other.question === row.question && groups[other.context] === "plain");
  return alike.find((other) => other.sample === row.sample) ?? alike[0] ?? null;
}

function column(row) {
  const facts = [`sample ${row.sample}`, row.alignment !== null && `alignment ${score(row.alignment)}`, row.coherence !== null && `coherence ${score(row.coherence)}`, row.judged && `the judge: ${visible(row.judged)}`];
  const text = row.missing && !row.text ? el("em", {}, visible(row.missing)) : written(row.text, words);
  return el("div", { class: "col" },
    el("p", { class: "colhead" }, dot(groups[row.context]), visible(row.context), row.subject === "target" ? null : ` · ${row.subject}`),
    el("div", { class: "answer" },
      el("p", { class: "meta" }, chip(row.outcome), facts.filter(Boolean).map((fact) => el("span", { class: "score" }, fact))),
      el("div", { class: `text ${row.mono ? "mono" : ""}`, dir: "auto", tabindex: "0" }, text, row.more ? el("span", { class: "more" }, ` … ${number(row.more)} more characters`) : null)));
}

function open(row) {
  const plain = beside(row);
  const columns = [plain, row].filter(Boolean);
  const asked = el("article", { class: "qa" },
    el("h3", {}, el("bdi", {}, visible(held.asked[row.run]?.[row.question] ?? "")), " ", el("small", {}, visible(row.question))),
    el("div", { class: "cols" }, columns.map(column)));
  asked.querySelector(".cols").style.setProperty("--n", columns.length);
  put(opened, asked);
  history.replaceState(null, "", `#answer-${row.at}`);
}

/** The answer that the address names. */
function linked() {
  const named = /^#answer-(\d+)$/.exec(location.hash);
  const row = named && rows[Number(named[1])];
  if (!row) return;
  table.choose(found.indexOf(row), { tell: false });
  open(row);
  place.scrollIntoView();
}

put(place, el("div", { class: "bar-of" }, search, selects.map(({ node }) => node), orders), total, table.node, opened);
place.hidden = false;
find();
requestAnimationFrame(linked);
addEventListener("hashchange", linked);
