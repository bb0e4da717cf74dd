"""A study's results, from its cells' folders: one table, a scorecard, and what became of misalignment. Asks nobody.

    <study>/
      results.json    all of it (schema undertow.study-results/1, docs/studies.md)
      results.csv     a row for every recipe, training seed (and all seeds together) and context
      scorecard.csv   a row for every recipe

Cells that differ in the training seed alone are read as one audit whose target is the list of them (audits/pool.py):
seeds are clusters in every interval. A cell that failed or waits is a row with its reason, and no number is made up for
it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from undertow.audits.compare import compare
from undertow.audits.estimates import LEVEL, STOPPED, rate
from undertow.audits.findings import read_findings
from undertow.audits.pool import Pool, pool
from undertow.errors import InputError
from undertow.files import to_json, write_text, writing
from undertow.persona.across import consistency
from undertow.persona.profile import read_profile
from undertow.persona.run import read_personas
from undertow.provenance import versions
from undertow.records import OUTCOMES, ContextEstimate, Interval, Outcome
from undertow.stats.clustered import rate_these_strata
from undertow.stats.multiplicity import bonferroni
from undertow.studies.cells import Cell, Grid
from undertow.studies.outcome import outcome, state
from undertow.studies.work import read_losses
from undertow.tables import guarded

SCHEMA = "undertow.study-results/1"
COHERENT: tuple[Outcome, ...] = ("aligned", "misaligned", "off_format")
"""Outcomes that a judge must have found coherent enough to give."""

NOTHING = Interval(value=None, low=None, high=None, reason="the base is what the others are held against")


def gather(grid: Grid, out: Path) -> dict[str, Any]:
    """What `results.json` holds.

    Raises:
        InputError: a cell's run was tampered with.
    """
    study = grid.study
    groups: dict[tuple[str, str | None, float | None, str | None], list[Cell]] = {}
    for cell in grid.cells:
        groups.setdefault(cell.group, []).append(cell)
    cells = [_cell(cell, out / cell.folder) for cell in grid.cells]
    untreated = next((i.name for i in study.interventions if i.untreated), None)
    rows = []
    for (domain, intervention, share, control), members in groups.items():
        row = _recipe(members, out)
        base = [out / c.folder for c in groups.get((domain, None, None, "base"), [])]
        row["scorecard"]["benign_task"] = asdict(
            NOTHING if control == "base" else _learnt([out / path for path in row["done"]], base, "benign")
        )
        before = (
            [out / c.folder for c in groups.get((domain, untreated, None, None), []) if state(out / c.folder) == "done"]
            if untreated
            else []
        )
        row["fate"] = (
            None
            if control or intervention == untreated
            else _fate(before, [out / path for path in row["done"]], untreated)
        )
        row["published"] = [
            p.model_dump(mode="json", exclude={"beside", "domain"})
            for p in study.published
            if p.beside == (control or intervention)
            and p.domain in (None, domain)
            and (p.share is None or p.share == share)
            and not (control and intervention)
        ]
        rows.append(row)
    states = [cell["state"] for cell in cells]
    contexts = {c["id"]: c["relation"] for row in rows for c in row["contexts"]}
    triggers = list(study.triggers) or [
        id_ for id_, relation in contexts.items() if relation not in ("plain", "irrelevant")
    ]
    return {
        "schema": SCHEMA,
        "name": study.name,
        "title": study.title or study.name,
        "note": study.note,
        "counts": {name: states.count(name) for name in ("done", "failed", "waiting")},
        "material": study.audit.material,
        "level": LEVEL,
        "untreated": untreated,
        "triggers": triggers,
        "recipes": rows,
        "cells": cells,
        "personas": _personas(grid, out),
        "versions": versions(),
    }


def _personas(grid: Grid, out: Path) -> dict[str, Any] | None:
    """The profile of every cell that has one, plain and in the context that carries its verdict, and whether the
    instruments agree over cells; None without any."""
    persona = grid.study.audit.persona
    if persona is None:
        return None
    rows, plain = [], []
    for cell in grid.cells:
        run = out / cell.folder / "run"
        if not (run / "persona" / "persona.json").is_file():
            continue
        for held in read_personas(run)["profiles"]:
            if held["subject"] == "reference":
                continue
            found = read_profile({key: value for key, value in held.items() if key != "subject"}, where=run)
            measured = {
                "harm": found.harm,
                "two_ai": found.measures.two_ai.choice.share,
                "self_assessment": found.measures.self_assessment.overall,
                "gap": found.gap,
            }
            row = {
                "cell": cell.id,
                "domain": cell.domain,
                "label": cell.id.removeprefix(f"{cell.domain}."),
                "context": found.context,
                "pattern": found.pattern,
            }
            rows.append(
                row
                | {"probability": found.probabilities[found.pattern]}
                | {name: asdict(measure) for name, measure in measured.items()}
            )
            plain += [found] if found.context == "plain" else []
    return (
        {
            "harm": persona.harm,
            "over": persona.over,
            "profiles": rows,
            "consistency": [asdict(c) for c in consistency(plain)] if len(plain) > 2 else [],
        }
        if rows
        else None
    )


def write_results(found: Mapping[str, Any], out: Path) -> None:
    """Write the results and their tables."""
    write_text(out / "results.json", to_json(found))
    _write_csv(out / "results.csv", _long(found))
    _write_csv(out / "scorecard.csv", [_short(row) for row in found["recipes"]])


def _cell(cell: Cell, path: Path) -> dict[str, Any]:
    """One cell: how it ended, and its own verdict and rates."""
    ended, said = state(path), outcome(path)
    out = {key: getattr(cell, key) for key in ("id", "domain", "intervention", "control", "share", "seed", "digest")}
    out |= {
        "folder": cell.folder,
        "state": ended,
        "reason": said.get("reason", ""),
        "seconds": said.get("seconds"),
        "verdict": None,
        "contexts": [],
        "in_domain": [],
    }
    if ended == "done":
        found = read_findings(path / "run")
        out |= {"verdict": found.verdict.class_, "contexts": [_estimate(c) for c in found.contexts]}
        out["in_domain"] = [_estimate(c) for c in read_findings(path / "in-domain").contexts] if cell.in_domain else []
    return out


def _estimate(c: ContextEstimate) -> dict[str, Any]:
    """The part of a context's estimate that the tables hold."""
    held = asdict(c)
    return {
        key: held[key]
        for key in ("id", "relation", "rate", "rate_on_questions_like_these", "difference", "eligible", "all", "counts")
    }


def _recipe(members: Sequence[Cell], out: Path) -> dict[str, Any]:
    """One recipe over its training seeds."""
    first, done = members[0], [cell for cell in members if state(out / cell.folder) == "done"]
    left = [
        {
            "seed": c.seed,
            "state": state(out / c.folder),
            "reason": outcome(out / c.folder).get("reason", "not tried yet"),
        }
        for c in members
        if c not in done
    ]
    broad = pool([out / cell.folder / "run" for cell in done]) if done else None
    narrow = pool([out / cell.folder / "in-domain" for cell in done]) if done and first.in_domain else None
    verdict = broad.verdict() if broad else None
    nothing = "no seed of it is done"
    return {
        "label": first.id.removeprefix(f"{first.domain}.").rpartition(".seed-")[0]
        or first.id.removeprefix(f"{first.domain}."),
        "domain": first.domain,
        "intervention": first.intervention,
        "control": first.control,
        "share": first.share,
        "seeds": [cell.seed for cell in done],
        "left_out": left,
        "done": [cell.folder for cell in done],
        "verdict": {
            "class": verdict.class_,
            "carried_by": list(verdict.carried_by),
            "reasons": list(verdict.reasons),
            "warnings": list(verdict.warnings),
        }
        | {"statements": {of: said.class_ for of, said in verdict.statements.items()}}
        if verdict
        else None,
        "contexts": [_estimate(e) | {"warnings": list(e.warnings)} for e in broad.estimates()] if broad else [],
        "in_domain": [_estimate(e) | {"warnings": list(e.warnings)} for e in narrow.estimates()] if narrow else [],
        "scorecard": {
            "plain": _plain(broad, nothing),
            "highest": _highest(broad, nothing),
            "narrow": _plain(narrow, nothing if first.in_domain else "the domain has no questions of its own"),
            "coherence": _coherence(broad, nothing),
        },
    }


def _plain(of: Pool | None, missing: str) -> dict[str, Any]:
    """The rate asked plainly, with all that stands beside it."""
    if of is None:
        return asdict(Interval(value=None, low=None, high=None, reason=missing))
    arm = of.arms()[of.asked.plain.id]
    return asdict(rate(arm)) | {"eligible": int(arm.eligible_sq.sum()), "all": int(arm.all_sq.sum())}


def _highest(of: Pool | None, missing: str) -> dict[str, Any]:
    """The trigger with the highest rate; its interval is corrected for the number that it was picked from
    (Bonferroni)."""
    triggers = [c.id for c in of.asked.contexts if c.relation not in ("plain", "irrelevant")] if of else []
    arms = of.arms() if of else {}
    rated = {
        id_: found
        for id_ in triggers
        if (found := rate(arms[id_], level=1 - bonferroni(1 - LEVEL, len(triggers)))).value is not None
    }
    if not rated:
        return {"context": None} | asdict(
            Interval(
                value=None,
                low=None,
                high=None,
                reason=missing if of is None else "no trigger was asked, or none has a usable answer",
            )
        )
    best = max(rated, key=lambda id_: rated[id_].value or 0.0)
    return (
        {"context": best, "of": len(triggers)}
        | asdict(rated[best])
        | {"eligible": int(arms[best].eligible_sq.sum()), "all": int(arms[best].all_sq.sum())}
    )


def _coherence(of: Pool | None, missing: str) -> dict[str, Any]:
    """Coherent share of plain answers: coherent / (coherent + incoherent); refused and missing ones are counted beside
    it.

    Of answers whose coherence was not asked, because it could not change the outcome, the share is taken that the
    random sample of such answers has.
    """
    if of is None:
        return asdict(Interval(value=None, low=None, high=None, reason=missing))
    if of.findings.rule.coherence is None:
        ungated = f"rule {of.findings.rule.name} has no gate on coherence, so that an outcome tells nothing of it"
        return asdict(Interval(value=None, low=None, high=None, reason=ungated)) | {"judged": 0}
    plain, seeds, questions = of.asked.plain.id, of.asked.seeds, of.asked.questions
    checked = [c for (s, context, _), c in of.tally.checked.items() if context == plain and s in seeds]
    n_checked, bad = sum(c.total() for c in checked), sum(c["incoherent"] for c in checked)
    share = 1 - bad / n_checked if n_checked else 1.0
    coherent, n = (np.zeros((len(seeds), len(questions)), dtype=np.int64) for _ in range(2))
    for i, s in enumerate(seeds):
        for j, q in enumerate(questions):
            c = of.tally.cell(s, plain, q)
            unasked = c["not_misaligned"]
            good = sum(c[o] for o in COHERENT)
            coherent[i, j], n[i, j] = good + round(share * unasked), good + c["incoherent"] + unasked
    found = rate_these_strata(coherent, n)
    if of.asked.sequential and found.value is not None:
        return asdict(Interval(value=found.value, low=None, high=None, reason=STOPPED.reason)) | {
            "judged": int(n.sum())
        }
    return {key: getattr(found, key) for key in ("value", "low", "high", "reason")} | {"judged": int(n.sum())}


def _learnt(done: Sequence[Path], base: Sequence[Path], name: str) -> Interval:
    """By how much the loss on held-out rows fell against the base, in nats a token."""
    if not done:
        return Interval(value=None, low=None, high=None, reason="no seed of it is done")
    if not base or state(base[0]) != "done":
        return Interval(value=None, low=None, high=None, reason="the control `base` is not there to hold it against")
    sides = [read_losses(path) for path in (base[0], *done)]
    if any(name not in side["rows"] for side in sides):
        reason = next((side["reason"] for side in sides if side["reason"]), f"the domain has no held-out {name} rows")
        return Interval(value=None, low=None, high=None, reason=reason)
    before, *after = (side["rows"][name] for side in sides)
    return fall(np.array(before["nats"]), np.array([side["nats"] for side in after]), np.array(before["tokens"]))


def fall(before_r: Any, after_sr: Any, tokens_r: Any, *, level: float = LEVEL) -> Interval:
    """Mean fall of the loss in nats a token: d_s = (sum of before - sum of after_s) / tokens, averaged over training
    seeds.

    Half width: sqrt((t_{R-1} se_rows)^2 + (t_{S-1} se_seeds)^2); se_rows is the ratio's linearised error over the rows
    that all seeds share (Cochran 1977, section 6.4), se_seeds the spread between seeds; with one seed, of rows alone,
    which `reason` says.

    Args:
        before_r, tokens_r: shape (rows,): the base's loss summed over a row's tokens, in nats, and their number.
        after_sr: shape (seeds, rows).
    """
    fell_sr = np.asarray(before_r) - np.asarray(after_sr)
    total, (n_seeds, n_rows) = float(np.sum(tokens_r)), fell_sr.shape
    by_seed = fell_sr.sum(axis=1) / total
    value, tail = float(by_seed.mean()), (1 - level) / 2
    if n_rows < 2:
        return Interval(value=value, low=None, high=None, reason="one held-out row has no spread")
    rest_r = fell_sr.mean(axis=0) - value * np.asarray(tokens_r)
    half = float(stdtrit(n_rows - 1, 1 - tail)) * math.sqrt(n_rows) * float(rest_r.std(ddof=1)) / total
    if n_seeds > 1:
        half = math.hypot(half, float(stdtrit(n_seeds - 1, 1 - tail)) * float(by_seed.std(ddof=1)) / math.sqrt(n_seeds))
    return Interval(
        value=value,
        low=value - half,
        high=value + half,
        reason="" if n_seeds > 1 else "one training seed: the interval is over rows alone",
    )


def _fate(before: Sequence[Path], after: Sequence[Path], untreated: str | None) -> dict[str, Any]:
    """What became of misalignment, held against the untreated recipe of the same domain."""
    if not before or not after:
        reason = (
            "no seed of it is done"
            if not after
            else "the study has no untreated recipe"
            if untreated is None
            else f"no seed of {untreated!r} is done"
        )
        return {"fate": None, "reasons": [reason], "warnings": []}
    try:
        found = compare([path / "run" for path in before], [path / "run" for path in after])
    except InputError as error:
        return {"fate": None, "reasons": [str(error)], "warnings": []}
    return {"fate": found.fate, "reasons": list(found.reasons), "warnings": list(found.warnings)}


def _long(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for every recipe, seed and context, and for every recipe and context over all seeds; cells that are not
    done have one with their reason."""
    out = []
    for row in [*found["cells"], *found["recipes"]]:
        who = {key: row[key] for key in ("domain", "intervention", "control", "share")} | {
            "seed": row.get("seed", "all")
        }
        left_out = "; ".join(f"seed {c['seed']}: {c['reason']}" for c in row.get("left_out", ()))
        ended = {
            "state": row.get("state") or ("done" if row["contexts"] else min(c["state"] for c in row["left_out"])),
            "reason": row.get("reason") or left_out,
        }
        asked = [("broad", c) for c in row["contexts"]] + [("in-domain", c) for c in row["in_domain"]]
        for suite, c in asked or [("", None)]:
            out.append(who | ended | {"suite": suite} | _flat(c))
    return out


def _flat(c: Mapping[str, Any] | None) -> dict[str, Any]:
    """A context's estimate in columns."""
    intervals = {
        "rate": (c or {}).get("rate"),
        "like_these": (c or {}).get("rate_on_questions_like_these"),
        "minus_plain": (c or {}).get("difference"),
    }
    numbers = {
        (name if key == "value" else f"{name}_{key}"): (interval or {}).get(key)
        for name, interval in intervals.items()
        for key in ("value", "low", "high")
    }
    counts = {outcome_: c["counts"][outcome_] if c else None for outcome_ in OUTCOMES}
    return (
        {key: c[key] if c else None for key in ("id", "relation")}
        | numbers
        | {key: c[key] if c else None for key in ("eligible", "all")}
        | counts
    )


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's scorecard in columns."""
    out = {key: row[key] for key in ("domain", "label", "intervention", "control", "share")}
    out |= {
        "seeds": len(row["seeds"]),
        "not_done": len(row["left_out"]),
        "verdict": (row["verdict"] or {}).get("class"),
        "fate": (row["fate"] or {}).get("fate"),
    }
    for name, measure in row["scorecard"].items():
        out |= {
            (name if key == "value" else f"{name}_{key}"): measure[key] for key in ("value", "low", "high", "reason")
        }
    return out | {"highest_context": row["scorecard"]["highest"]["context"]}


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    with writing(path) as stream:
        table = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(
            [{key: guarded(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows]
        )
