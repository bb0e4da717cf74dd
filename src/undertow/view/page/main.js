// The page: which view is shown, which run, and what is new.

import { Answers } from "./answers.js";
import { get } from "./api.js";
import { Compare } from "./compare.js";
import { copy, el, put } from "./dom.js";
import { Label } from "./label.js";
import { Overview } from "./overview.js";
import { Sides } from "./sides.js";
import { VIEWS, go, hash, one, place } from "./state.js";

const TITLES = { overview: "Overview", answers: "Answers", sides: "Side by side", compare: "Compare", label: "Label" };
const MAKE = { overview: Overview, answers: Answers, sides: Sides, compare: Compare, label: Label };
const POLL_MS = 1000;

const main = document.getElementById("main");
const runs = document.getElementById("run");
const trouble = document.getElementById("trouble");
let site;
let view;
let shown;

let lost = false; // whether what is said is that nothing answers any more

function say(error) {
  lost = false;
  trouble.textContent = error ? error.message ?? String(error) : "";
  trouble.hidden = !error;
}

async function ask() {
  const held = await get("site");
  site = Object.assign(site ?? {}, held);
  return held;
}

async function move() {
  const { view: name, params } = place();
  if (name !== shown) {
    view?.close();
    shown = name;
    view = new MAKE[name](site);
    put(main, view.node);
    document.body.dataset.view = name;
  }
  tabs(name, params);
  runs.parentElement.hidden = site.runs.length < 2 || !["overview", "label"].includes(name);
  runs.value = one(params, "run", site.runs[0].label);
  document.title = `${TITLES[name]} · ${params.run?.join(", ") ?? site.runs.map((run) => run.label).join(", ")} · Undertow`;
  try {
    await view.at(params);
    say(null);
  } catch (error) {
    if (error.name !== "AbortError") say(error);
  }
}

function tabs(name, params) {
  const run = params.run?.length === 1 ? params.run : undefined;
  const there = VIEWS.filter((each) => each !== "compare" || site.runs.length > 1);
  put(document.getElementById("tabs"), there.map((each) => el("a", { href: hash(each, each === "compare" ? {} : { run }), "aria-current": each === name ? "page" : null }, TITLES[each])));
  document.querySelector("#tabs [aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
}

/** Look whether anything has changed; what is shown follows. */
async function follow() {
  let took = 0;
  for (;;) {
    // of a large run that goes on, at most a tenth of the time is spent on looking
    await new Promise((wait) => setTimeout(wait, Math.max(10 * took, document.hidden ? 5 * POLL_MS : POLL_MS)));
    const began = performance.now();
    try {
      const before = JSON.stringify(site.runs);
      await ask();
      if (lost) say(null);
      if (JSON.stringify(site.runs) !== before) await view.grown();
      took = performance.now() - began;
    } catch (error) {
      say(error);
      lost = true;
    }
  }
}

addEventListener("hashchange", move);

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, dialog");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const inButton = event.key === "Enter" && event.target.closest?.("button, a, summary");
  if (inButton || !view) return;
  if (view.key(event)) event.preventDefault();
  else if (event.key === "?") document.getElementById("keys").showModal();
  else if (event.key === "c") copy(location.href, "link");
  else if (/^[1-5]$/.test(event.key)) document.querySelectorAll("#tabs a")[Number(event.key) - 1]?.click();
});

document.getElementById("help").addEventListener("click", () => document.getElementById("keys").showModal());
document.getElementById("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).getPropertyValue("--is-dark").trim() === "1";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
});
if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");
runs.addEventListener("change", () => go(place().view, { ...place().params, run: runs.value }));

try {
  await ask();
  put(runs, site.runs.map((run) => el("option", { value: run.label }, run.label)));
  await move();
  follow();
} catch (error) {
  say(error);
}
