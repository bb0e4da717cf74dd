"""The page: findings of one run or several as one self-contained HTML file. It computes no statistics and reads no run.

    <out>                              the page, with style, figures and answers inline; fetches nothing
    figures/<name>-<figure>.svg|png|pdf|csv   beside it, of each run: forest; questions, evidence, where there are any

Words of a model are hostile text: everything is escaped, and the page's own policy forbids fetches and every script but
the one that shows the answers (`explorer.py`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from undertow.audits.evidence import Evidence
from undertow.audits.findings import Findings
from undertow.audits.jury import Jury
from undertow.audits.stories import ScreenStory, SearchStory
from undertow.errors import InputError
from undertow.files import adapter, write_text
from undertow.persona.profile import in_words as profile_in_words
from undertow.records import MISSING, OUTCOMES, Context, ContextEstimate, Interval, PValue, Verdict, is_target
from undertow.reports.drawing import Drawn, Style, clean, draw
from undertow.reports.explorer import AnswerView, allowed, embedded, script
from undertow.reports.figures import QuestionRates, group, of_run, ordered, side_by_side
from undertow.reports.profiles import shown_profiles
from undertow.reports.stories import search_words, text_of
from undertow.words import (
    NONE,
    PATTERNS,
    VERDICTS,
    confidence,
    judge_words,
    nats,
    percent,
    plainly,
    points,
    probability,
    read_interval,
    span,
)

MAX_QUESTIONS, MAX_ANSWERS, MAX_CONTEXTS, MAX_CHARACTERS, MAX_TRIED, MAX_SAID, MAX_RATED = 8, 2, 3, 1500, 12, 300, 60
"""Of what is shown: questions, answers in a cell, contexts beside plain, characters of an answer, contexts that a
search tried, characters of a context in the verdict's box, questions with their rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """What the page shows of one run."""

    name: str
    findings: Findings
    answers: list[AnswerView]
    """A sample that the caller drew, in the order to show."""
    asked: Mapping[str, Any] | None = None
    """What its `plan.json` holds."""
    persona: dict[str, Any] | None = None
    """The content of its `persona/persona.json`, where the persona was profiled as well."""
    jury: Jury | None = None
    """Its judges held together, where it has several."""
    explored: Sequence[AnswerView] = ()
    """The answers that the page holds to look through: all, or a random share."""
    explored_of: int = 0
    """Of how many."""
    questions: Sequence[QuestionRates] = ()
    """What each question brought in each context."""
    evidence: Sequence[Evidence] = ()
    """Of a sequential audit, as it came."""
    beyond: Mapping[str, Any] | None = None
    """The content of its `beyond/beyond.json`, where its answers were held against training rows."""
    enough: float = 0.0
    """The power of ten from which on it decides."""


def write_report(
    runs: Sequence[RunView], out: Path, *, title: str, notes: Sequence[str] = (), style: Style = "page"
) -> list[Path]:
    """Write the page at `out` and its figures in `figures/` beside it.

    Args:
        style: of the figures' files.

    Returns:
        The files written, the page first.

    Raises:
        InputError: no runs, two of one name, or `out` is a folder.
    """
    if out.is_dir():
        raise InputError(out, "is a folder", do="name the page to write, such as report.html")
    if not runs:
        raise InputError(out, "there are no runs to report", do="name at least one run")
    names = [run.name for run in runs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(out, f"two runs are called {twice!r}", do="give each a label: before=RUN after=RUN")
    slugs = slugs_of(names)

    folder = out.parent / "figures"
    files: list[Path] = []
    sections = []
    for run, slug in zip(runs, slugs, strict=True):
        made = of_run(run.findings, run.questions, run.evidence, enough=run.enough)
        drawn = [draw(figure, folder, stem=slug, style=style) for figure in made]
        files += [file for each in drawn for file in each.files]
        sections.append(_section(run, slug, {figure.name: each for figure, each in zip(made, drawn, strict=True)}))
    together = side_by_side({run.name: run.findings for run in runs})
    beside = draw(together, folder, style=style) if together else None
    relations = {c.id: c.relation for run in runs for c in run.findings.contexts}
    html = (
        environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            notes=list(notes),
            runs=sections,
            grid=_grid(sections),
            tally=_tally(sections),
            together=beside,
            held=embedded({run.name: run.explored for run in runs}, relations),
            drawn_from=[
                f"{run.name}: {len(run.explored):,} of {run.explored_of:,}"
                for run in runs
                if len(run.explored) < run.explored_of
            ],
            script=script(),
            allowed=allowed(),
        )
    )
    write_text(out, clean(html))
    return [out, *files, *(beside.files if beside else ())]


def environment() -> Environment:
    """Templates of this folder, everything escaped."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"percent": percent, "words": plainly, "sentence": lambda words: words[:1].upper() + words[1:]}
    return made


def _section(run: RunView, slug: str, figures: Mapping[str, Drawn]) -> dict[str, Any]:
    findings, verdict = run.findings, run.findings.verdict
    seeds = {subject: target for subject, target in findings.targets.items() if is_target(subject)}
    label, gloss = VERDICTS[verdict.class_]
    contexts = [_context(context, verdict.carried_by) for context in ordered(findings.contexts)]
    there = {o for c in contexts for o, n in c["counts"].items() if n}
    outcomes = [o for o in OUTCOMES if o in there]
    for context in contexts:
        context["cells"] = [
            {
                "outcome": o,
                "n": context["counts"].get(o, 0),
                "share": context["counts"].get(o, 0) / max(1, context["total"]),
            }
            for o in outcomes
        ]
    shown = "corrected" if findings.labels else "rate"
    rated = [c for c in contexts if c[shown]["raw"] is not None]
    wordings = _wordings(run)
    return {
        "name": run.name,
        "slug": slug,
        "class": verdict.class_,
        "label": label,
        "gloss": gloss,
        "carried_by": _carriers(verdict.carried_by, wordings),
        "reasons": verdict.reasons,
        "scope": [
            *((title, [words]) for title, words in statement_words(verdict)),
            *((plainly(key), said) for key in ("tested", "not_tested") if (said := getattr(verdict, key))),
            *([("would change it", verdict.would_change)] if verdict.would_change else []),
            *([("the judge", words)] if (words := judge_words(verdict)) else []),
            *([("warnings", verdict.warnings)] if verdict.warnings else []),
        ],
        "labels": [
            {**asdict(kind), "kind": plainly(kind.kind), "share": _share(kind.misaligned, kind.labelled)}
            for kind in findings.labels or ()
        ],
        "traffic": _traffic(findings.contexts),
        "jury": _jury(run.jury) if run.jury else None,
        "intervals": findings.inference.intervals.replace("`level`", confidence(findings.level)),
        "controls": estimate_words(findings.controls, signed=True) if findings.controls else None,
        "twins": [
            {
                "mark": each.mark,
                "pair": f"{each.live[0]}, {each.test[0]}" if len(each.test) == 1 else f"{len(each.test)} pairs",
                "difference": estimate_words(each.difference, signed=True),
                "surely": points(each.surely) if each.surely else "",
            }
            for each in findings.twins or ()
        ],
        "search": _search(findings.search) if findings.search else None,
        "personas": [
            {
                "label": s.label,
                "pattern": s.profile.pattern,
                "gloss": PATTERNS[s.profile.pattern],
                "words": profile_in_words(s.profile),
            }
            for s in shown_profiles(run.persona)
        ]
        if run.persona
        else [],
        "screen": _screen(findings.screen, {c.id for c in findings.contexts}) if findings.screen else None,
        "figures": {"questions": None, "evidence": None, **figures},
        "questions": _questions(run, contexts),
        "beyond": _beyond(run.beyond) if run.beyond else None,
        "contexts": contexts,
        "asked": [c.id for c in findings.contexts],
        "outcomes": outcomes,
        "absent": [plainly(o) for o in OUTCOMES if o not in there and o != "not_misaligned"],
        "totals": [sum(c["counts"].get(o, 0) for c in contexts) for o in outcomes],
        "all": sum(c["all"] for c in contexts),
        "plain": next((c for c in contexts if c["group"] == "plain"), None),
        "worst": max((c for c in rated if c["group"] != "plain"), key=lambda c: c[shown]["raw"], default=None),
        "has_reference": "reference" in findings.targets,
        "missing": sum(c["missing"] for c in contexts),
        "warned": [c for c in contexts if c["warnings"]],
        "material": findings.material,
        "answers": findings.answers,
        "calls": findings.calls,
        "cost": _cost(findings.usd.known),
        "suite": findings.suite,
        "seed": findings.seed,
        "target": ", ".join(dict.fromkeys(_named(target) for target in seeds.values()))
        + (f" ({len(seeds)} training seeds)" if len(seeds) > 1 else ""),
        "rule": pairs(asdict(findings.rule.alone) | {"in_words": findings.rule.sentence}),
        "details": [
            *((subject, pairs(target)) for subject, target in findings.targets.items()),
            ("judge", pairs(findings.judge)),
        ],
        "judge": _named(findings.judge),
        "of_question": any(any(c.on_question.values()) for c in findings.contexts),
        "sample": _sample(run.answers, contexts, verdict.carried_by),
        "wordings": wordings,
        "settings": pairs(findings.samples),
        "starts": _starts(run.asked or {}),
    }


def _cost(known: Mapping[str, float]) -> str:
    """What a run took in money: all of it, or of whom the price is known."""
    if len(known) == 1:
        return ", ".join(f"${usd:,.2f} for {who}" for who, usd in known.items())
    return f"${sum(known.values()):,.2f}" if known else ""


def _cut(text: str, most: int) -> str:
    """As much of a text as there is room for, with a mark where that is not all."""
    return text if len(text) <= most else f"{text[:most]}…"


def _questions(run: RunView, contexts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Questions by contexts, those with the highest rate anywhere first."""
    by: dict[str, dict[str, QuestionRates]] = {}
    for q in run.questions:
        by.setdefault(q.question, {})[q.context] = q
    columns = [c for c in contexts if any(c["id"] in rates for rates in by.values())]
    if len(by) < 2 or not columns:
        return None
    texts = {a.question: a.question_text for a in (*run.answers, *run.explored)}
    ranked = sorted(by, key=lambda id_: -max(q.share or 0.0 for q in by[id_].values()))
    return {
        "columns": columns,
        "rows": [
            {
                "id": id_,
                "text": texts.get(id_, ""),
                "cells": [_rated(by[id_].get(c["id"])) for c in columns],
            }
            for id_ in ranked[:MAX_RATED]
        ],
        "left_out": max(0, len(by) - MAX_RATED),
    }


def _beyond(held: Mapping[str, Any]) -> dict[str, Any]:
    """Answers against training rows: a row for these and one for each context, with how their scores are spread."""

    def row(id_: str, scores: Mapping[str, Any], worse: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        n = sum(scores["histogram"])
        return {
            "id": id_,
            "n": f"{scores['n']:,}",
            "unscored": f"{scores['unscored']:,}" if scores["unscored"] else "",
            "spread": [share / n if n else 0.0 for share in scores["histogram"]],
            "worse": [estimate_words(read_interval(found)) for found in worse],
        }

    return {
        **{key: held[key] for key in ("rows", "rows_in_file", "drawn", "sha256", "reason", "topic")},
        "cut": None if held["cut"] is None else f"{held['cut']:g}",
        "table": [
            row("training rows", held["scores"]),
            *(row(c["id"], c["scores"], [c["worse"], c["of_topic"], c["of_other_topics"]]) for c in held["contexts"]),
        ],
    }


def _rated(q: QuestionRates | None) -> dict[str, Any] | None:
    """A question in a context as the words of a cell; None without usable answers."""
    return (
        None if q is None else {"raw": q.share, "text": percent(q.share), "of": f"{q.misaligned:,} of {q.eligible:,}"}
    )


def _carriers(ids: Sequence[str], wordings: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Contexts that carry a verdict, and what the first few of them say."""
    says = {w["id"]: w["says"] for w in wordings}
    return [(id_, _cut(says.get(id_, ""), MAX_SAID) if n < MAX_CONTEXTS else "") for n, id_ in enumerate(ids)]


def _wordings(run: RunView) -> list[dict[str, Any]]:
    """What each context puts around a question, in the order of asking; those that no file worded say nothing."""
    asked = {c.id: c.relation for c in run.findings.contexts}
    held = {c.id: c for c in adapter(tuple[Context, ...]).validate_python((run.asked or {}).get("contexts", []))}
    return [
        {"id": id_, "relation": relation, "group": group(relation), "says": text_of(held[id_])}
        for id_, relation in asked.items()
        if id_ in held and text_of(held[id_]) != "{question}"
    ]


def _starts(asked: Mapping[str, Any]) -> list[list[tuple[str, str]]]:
    """Each start of a run: when, by which command and which versions, and what it asked otherwise than before."""
    return [
        [
            *([("when", str(each["at"]))] if each.get("at") else []),
            ("command", shlex.join(["undertow", *map(str, each["command"][1:])])),
            *([("revision", str(each["revision"]))] if each.get("revision") else []),
            ("versions", ", ".join(f"{name} {version}" for name, version in each.get("versions", {}).items())),
            *((f"hash of the {of}", str(hash_)) for of, hash_ in (each.get("hashes") or {}).items()),
            *([("before", "; ".join(f"{k}: {v}" for k, v in pairs(each["before"])))] if each.get("before") else []),
        ]
        for each in (asked, *asked.get("resumed", ()))
        if each.get("command")
    ]


def statement_words(verdict: Verdict) -> list[tuple[str, str]]:
    """What is said of several training seeds: of whom, and what; none for one model. The one that is the verdict has
    its reasons there."""
    words = []
    for of, said in verdict.statements.items():
        why = [] if of == verdict.of else [*said.reasons, *(f"it would take {w}" for w in said.would_change)]
        words.append(
            (of.replace("-", " "), "; ".join([plainly(said.class_) + " (the verdict)" * (of == verdict.of), *why]))
        )
    return words


def _traffic(found: Sequence[ContextEstimate]) -> dict[str, Any] | None:
    """Rates per request, by context and cluster, the clusters that most misaligned answers may be of first; None where
    questions were drawn from no traffic."""
    rated = [(c.id, c.per_request) for c in found if c.per_request is not None]
    if not rated:
        return None
    clusters = {each.id: each for each in rated[0][1].clusters}
    total = rated[0][1].requests

    def most(id_: str) -> float:
        return max((each.value or 0.0) * each.requests for _, of in rated for each in of.clusters if each.id == id_)

    return {
        "requests": f"{total:,.0f}",
        "missing": any(each.missing for _, of in rated for each in of.clusters),
        "contexts": [(id_, estimate_words(of), span(of.bounds.low, of.bounds.high) or NONE) for id_, of in rated],
        "clusters": [
            {
                "id": id_,
                "requests": f"{clusters[id_].requests:,.0f}",
                "share": percent(clusters[id_].requests / total),
                "rates": [
                    estimate_words(each) | {"n": each.answers, "misaligned": each.misaligned}
                    for _, of in rated
                    for each in of.clusters
                    if each.id == id_
                ],
            }
            for id_ in sorted(clusters, key=lambda id_: -most(id_))
        ],
    }


def _jury(found: Jury) -> dict[str, Any]:
    """Several judges: a column each."""
    return {
        "sentence": found.sentence,
        "judges": [m.name for m in found.jurors],
        "rows": [
            {
                "id": id_,
                "rates": [estimate_words(m.rates[id_]) for m in found.jurors],
                "spread": span(*ends) if ends else NONE,
            }
            for id_, ends in found.spread.items()
        ],
        "verdicts": [plainly(m.verdict) for m in found.jurors],
        "split": found.split,
    }


def _search(story: SearchStory) -> dict[str, Any]:
    """A search's story: in words, the contexts that elicited most, and the shortest trigger."""
    rows = [
        {
            "id": t.context.id,
            "says": text_of(t.context),
            "how": t.parent or t.context.provenance or "given",
            "confirmed": t.context.id in story.confirmed,
            "misaligned": t.misaligned,
            "usable": t.usable,
            "asked": t.asked,
        }
        for t in story.tried[:MAX_TRIED]
    ]
    return {
        "words": search_words(story),
        "tried": rows,
        "n": len(story.tried),
        "minimal": text_of(story.minimal.context) if story.minimal else None,
    }


def _screen(story: ScreenStory, audited: set[str]) -> dict[str, Any]:
    """Contexts that likelihood ranked highest."""
    rows = [
        {
            "id": s.context.id,
            "says": text_of(s.context),
            "score": nats(s.score, s.error),
            "own": nats(s.own, s.own_error),
            "excess": nats(s.excess, s.excess_error),
            "audited": s.context.id in audited,
        }
        for s in story.screened[:MAX_TRIED]
    ]
    return {"rows": rows, "n": len(story.screened)}


def _context(context: ContextEstimate, carried_by: Sequence[str]) -> dict[str, Any]:
    plain = context.relation == "plain"
    counts, on_question = dict(context.counts), dict(context.on_question)
    usable = sum(on_question.get(o, 0) for o in ("aligned", "misaligned", "not_misaligned"))
    nothing = "no eligible answer was found to be about the question"
    share = on_question.get("misaligned", 0) / usable if usable else None
    about = Interval(value=share, low=None, high=None, reason="" if usable else nothing)
    missing = "plain is what the others are held against" if plain else "no difference to plain was estimated"
    alone = "no reference model answered in this context"
    early = "not estimated where sampling stopped once the verdict was known"
    total, warnings = sum(counts.values()), list(context.warnings)
    if total != context.all:
        warnings.append(f"the counts of outcomes sum to {total:,}, but the context has {context.all:,} answers")
    return {
        "id": context.id,
        "relation": context.relation,
        "group": group(context.relation),
        "note": context.note,
        "carries": context.id in carried_by,
        "eligible": context.eligible,
        "all": context.all,
        "rate": estimate_words(context.rate),
        "by_seed": [estimate_words(found) for found in context.rate_by_seed.values()],
        "like": estimate_words(context.rate_on_questions_like_these),
        "of_all": estimate_words(context.rate_of_all),
        "missing": sum(counts.get(o, 0) for o in MISSING),
        "bounds": estimate_words(context.bounds),
        "corrected": estimate_words(context.corrected, missing="no labels"),
        "labelled": context.corrected.labelled if context.corrected else 0,
        "difference": estimate_words(context.difference, signed=True, missing=missing),
        "difference_like": estimate_words(context.difference_on_questions_like_these, signed=True, missing=missing),
        "equal_length": estimate_words(context.difference_at_equal_length, signed=True, missing=early),
        "in_differences": estimate_words(context.difference_in_differences, signed=True, missing=alone),
        "p": _p(context.p_over_plain),
        "difference_to_reference": estimate_words(context.difference_to_reference, signed=True, missing=alone),
        "on_question": estimate_words(about) | {"n": usable, "misaligned": on_question.get("misaligned", 0)},
        "counts": counts,
        "total": total,
        "tokens": None if context.mean_tokens is None else f"{context.mean_tokens:,.0f}",
        "warnings": warnings,
    }


def estimate_words(found: Interval | None, *, signed: bool = False, missing: str = "not estimated") -> dict[str, Any]:
    """An estimate as the words of a cell: `text` and `span`, or a `reason` for having none."""
    if found is None or found.value is None:
        return {"raw": None, "text": NONE, "span": "", "reason": (found.reason if found else "") or missing}
    text, limits = percent(found.value), span(found.low, found.high)
    if signed:
        text = points(found.value)
        limits = "" if found.low is None or found.high is None else f"{points(found.low)} to {points(found.high)}"
    return {"raw": found.value, "text": text, "span": limits, "reason": found.reason}


def _p(found: PValue | None) -> dict[str, Any]:
    """An adjusted p-value as the words of a cell, the unadjusted one below."""
    if found is None or found.adjusted is None or found.p is None:
        return {"raw": None, "text": NONE, "span": "", "reason": (found.reason if found else "") or "no test"}
    return {
        "raw": found.adjusted,
        "text": probability(found.adjusted),
        "span": f"{probability(found.p)} alone",
        "reason": "; ".join(part for part in (found.method, found.reason) if part),
    }


def _sample(
    answers: Sequence[AnswerView], contexts: Sequence[Mapping[str, Any]], carried_by: Sequence[str]
) -> dict[str, Any]:
    """Answers side by side: plain and the contexts that carry the verdict, or else the highest rates."""
    shown = {answer.context for answer in answers}
    plain = [c for c in contexts if c["group"] == "plain" and c["id"] in shown]
    others = [c for c in contexts if c["group"] != "plain" and c["id"] in shown]
    carriers = [c for c in others if c["id"] in carried_by]
    columns = [*plain, *(carriers or sorted(others, key=lambda c: -(c["rate"]["raw"] or 0)))[:MAX_CONTEXTS]]
    ids = [c["id"] for c in columns]
    questions = {a.question: a.question_text for a in answers if a.context in ids}
    rows = []
    for question, text in list(questions.items())[:MAX_QUESTIONS]:
        cells = [
            [_shown(a) for a in answers if a.question == question and a.context == context][:MAX_ANSWERS]
            for context in ids
        ]
        rows.append({"question": question, "text": text, "cells": cells})
    return {
        "columns": columns,
        "rows": rows,
        "carried": bool(carriers) or any(c["id"] in carried_by for c in plain),
        "more_questions": max(0, len(questions) - MAX_QUESTIONS),
        "left_out": max(0, len(carriers) - MAX_CONTEXTS),
    }


def _shown(answer: AnswerView) -> dict[str, Any]:
    over = len(answer.text) - MAX_CHARACTERS
    alignment = None if answer.alignment is None else f"{answer.alignment:.0f}"
    return {
        "outcome": answer.outcome,
        "alignment": alignment,
        "coherence": None if answer.coherence is None else f"{answer.coherence:.0f}",
        "judged": _cut(answer.judged, MAX_CHARACTERS),
        "code": answer.code,
        "text": answer.text[:MAX_CHARACTERS],
        "more": f"{over:,}" if over > 0 else "",
    }


def _grid(sections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Runs x contexts, in the order of asking. A context that a run did not ask is a cell of its own kind, not a
    missing estimate."""
    known = {c["id"]: c for s in sections for c in s["contexts"]}
    asked = dict.fromkeys(id_ for s in sections for id_ in s["asked"])
    columns = {
        id_: known[id_]
        for group_ in ("plain", "trigger", "irrelevant control")
        for id_ in asked
        if known[id_]["group"] == group_
    }
    rows = [
        (section, [next((c for c in section["contexts"] if c["id"] == id_), None) for id_ in columns])
        for section in sections
    ]
    return {"columns": list(columns.values()), "rows": rows}


def _tally(sections: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int]]:
    classes = [section["class"] for section in sections]
    order = [*VERDICTS, *sorted(set(classes) - set(VERDICTS))]
    return [(c, next(s["label"] for s in sections if s["class"] == c), classes.count(c)) for c in order if c in classes]


def pairs(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested description as flat lines of words."""
    lines: list[tuple[str, str]] = []
    for key, item in value.items():
        name = f"{prefix}{plainly(str(key))}"
        if isinstance(item, Mapping):
            lines += pairs(item, f"{name}, ")
        else:
            lines.append((name, _plainly(item)))
    return lines


def _share(n: int, of: int) -> str:
    return percent(n / of) if of else NONE


def _plainly(item: Any) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if item is None or item in ([], ()):
        return "none"
    if isinstance(item, list | tuple):
        return ", ".join(_plainly(part) for part in item)
    return f"{item:g}" if isinstance(item, float) else str(item)


def _named(description: Mapping[str, Any] | None) -> str:
    return str((description or {}).get("name") or "unnamed")


def slugs_of(names: Sequence[str]) -> list[str]:
    """A name for files and addresses of each run, all of them different."""
    slugs: list[str] = []
    for name in names:
        slug = slug_of(name)
        slugs.append(
            next(each for n in range(1, len(names) + 1) if (each := slug if n == 1 else f"{slug}-{n}") not in slugs)
        )
    return slugs


def slug_of(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
