"""Measures the statistics of a verdict by simulation with fixed seeds: coverage, errors at every look, false alarms,
cost, speed.

    python benchmarks/verdict.py [--quick] [--sims 2000] [--only evidence seeds runs advice coverage differences
    failures anytime alarms cost speed]
                                 [--clusters 1 3 10] [--questions 8 20 48] [--rates 0.002 0.01 0.05 0.3] [--targets these like]

Plain numbers go to standard output, one line a setting, and a summary of what missed its target at the end. Everything
is on one core; the full run takes hours, nearly all of it coverage and differences with clusters (--only, --clusters
and --rates take it in parts), --quick a few minutes with far fewer simulated data sets (and so with figures that wander
by a point or two).
"""  # noqa: E501

import argparse
import time
from collections import Counter
from itertools import product

import numpy as np
import pandas
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, stdtrit
from verdict_evidence import advice, evidence, in_runs, of_seeds

from undertow.asking.ask import CHECKED
from undertow.audits.rules import RULES
from undertow.audits.seeds import statement
from undertow.audits.simulate import JUDGE_CALLS
from undertow.audits.tally import Design, Tally
from undertow.judges.panel import PanelConfig
from undertow.records import Context
from undertow.stats import rate_clustered
from undertow.stats.clustered import (
    ClusteredRate,
    bootstrap_rates,
    count_cells,
    difference_like_strata,
    difference_of,
    difference_these_strata,
    rate_like_strata,
    rate_these_strata,
)
from undertow.stats.search import Decision, SearchPlan, Track, decide
from undertow.stats.sequential import (
    difference_anytime,
    limits_path,
    log_e_difference,
    log_e_over,
    log_e_under,
    rate_anytime,
)

QUESTIONS, SAMPLES, CONTEXTS, MATERIAL = 8, 100, 20, 0.01
PUBLISHED_ANSWERS = QUESTIONS * SAMPLES * CONTEXTS
SHARE = PanelConfig.model_fields["share"].default
Z = np.linspace(-8.0, 8.0, 321)
W = np.exp(-0.5 * Z**2) / np.exp(-0.5 * Z**2).sum()
PARTS = [
    "evidence",
    "seeds",
    "runs",
    "advice",
    "coverage",
    "differences",
    "failures",
    "anytime",
    "alarms",
    "cost",
    "speed",
]
missed: list[str] = []


def centre(p: float, sd: float) -> float:
    """Centre of a normal logit of that sd whose mean rate is p."""
    return float(brentq(lambda mu: float(W @ expit(mu + sd * Z)) - p, -60.0, 30.0))


def spread_rates(rng: np.random.Generator, p: float, sd: float, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Rates of questions with logit sd, moved on the logit scale so that their mean over the last axis is p exactly."""
    if p == 0.0:
        return np.zeros(shape)
    a = sd * rng.standard_normal(shape)
    low, high = np.full((*shape[:-1], 1), -60.0), np.full((*shape[:-1], 1), 30.0)
    for _ in range(60):
        mid = (low + high) / 2.0
        less = expit(mid + a).mean(axis=-1, keepdims=True) < p
        low, high = np.where(less, mid, low), np.where(less, high, mid)
    return np.asarray(expit(low + a))


def report(name: str, ok: bool, line: str) -> None:
    print(("      " if ok else "MISS  ") + line, flush=True)
    if not ok:
        missed.append(f"{name}: {line}")


def coverage(sims: int, clusters: list[int], rates: list[float], questions: list[int]) -> None:
    """Both targets over the grid; width beside an oracle's that knows the estimate's true sd (2 * 1.96 of it), and the
    old method's coverage."""
    print(
        f"coverage of 95% intervals, {sims} data sets each, {SAMPLES} answers to a question and cluster (low: limit "
        "over the truth)"
    )
    # two standard errors of a simulated share, where those are few
    slack = 0.0 if sims >= 2000 else 2.0 * (0.05 * 0.95 / sims) ** 0.5
    for s, n_q in product(clusters, questions):
        for p in rates:
            for sd_q in (0.0, 1.0, 1.5):
                for sd_s in (0.0,) if s == 1 else (0.0, 0.3, 0.6):
                    rng = np.random.default_rng(
                        [s, round(p * 1e4), round(sd_q * 10), round(sd_s * 10), *([n_q] if n_q != QUESTIONS else [])]
                    )
                    n = np.full((s, n_q), SAMPLES)
                    mu = centre(p, float(np.hypot(sd_q, sd_s)))
                    these: list[tuple[ClusteredRate, float]] = []
                    like: list[tuple[ClusteredRate, float]] = []
                    old = 0
                    for _ in range(sims):
                        a = mu + sd_q * rng.standard_normal(n_q)
                        suite = float(np.mean(expit(a[:, None] + sd_s * Z) @ W))
                        e = rng.binomial(n, expit(a + sd_s * rng.standard_normal((s, 1))))
                        these.append((rate_these_strata(e, n), suite))
                        like.append((rate_like_strata(e, n), p))
                        kg = rate_clustered(e.sum(axis=0), n.sum(axis=0))
                        old += kg.low is not None and kg.high is not None and kg.low <= p <= kg.high
                    for name, found in (("these", these), ("like", like)):
                        t = np.array([[r.low, r.high, r.value, truth] for r, truth in found], dtype=float)
                        low, high = float((t[:, 0] > t[:, 3]).mean()), float((t[:, 1] < t[:, 3]).mean())
                        share, oracle = 1.0 - low - high, 2.0 * 1.96 * float((t[:, 2] - t[:, 3]).std())
                        many = p * s * n_q * SAMPLES >= 20
                        ok = share >= 0.935 - slack and (not many or share <= 0.99 + slack)
                        line = (
                            f"{name:5} {n_q} questions clusters {s:2} rate {p:5.3f} sd questions {sd_q} clusters "
                            f"{sd_s}: {share:.3f} (low {low:.3f} high {high:.3f})"
                        )
                        line += f" width {np.median(t[:, 1] - t[:, 0]):.4f} oracle {oracle:.4f}"
                        report("coverage", ok, line + (f" Korn-Graubard {old / sims:.3f}" if name == "like" else ""))


def differences(sims: int, clusters: list[int], rates: list[float], targets: list[str]) -> None:
    """Context minus plain, and that minus the same of a reference model with one seed and plain's rate in both; both
    targets.

    The arms of a model share their seeds' effects, and all of the questions' effects or half of their variance.
    """
    print(
        f"coverage of 95% intervals of differences, {sims} audits each, {QUESTIONS} questions x {SAMPLES} answers a "
        "cluster (low: limit over the truth)"
    )
    slack = 0.0 if sims >= 2000 else 2.0 * (0.05 * 0.95 / sims) ** 0.5
    for s in clusters:
        for sd_q, shared in ((0.0, 1.0), (1.0, 1.0), (1.5, 1.0), (1.5, 0.5)):
            for sd_s in (0.0,) if s == 1 else (0.0, 0.3, 0.6):
                for plain in (0.002, 0.01):
                    for p in rates:
                        rng = np.random.default_rng(
                            [
                                s,
                                round(p * 1e4),
                                round(plain * 1e4),
                                round(sd_q * 10),
                                round(sd_s * 10),
                                round(shared * 10),
                            ]
                        )
                        n, n_ref = np.full((s, QUESTIONS), SAMPLES), np.full((1, QUESTIONS), SAMPLES)
                        sd = float(np.hypot(sd_q, sd_s))
                        mu_c = np.array(
                            [[centre(p, sd)], [centre(plain, sd)], [centre(plain, sd_q)], [centre(plain, sd_q)]]
                        )
                        found: dict[str, list[tuple[float, float, float]]] = {
                            name + end: [] for name in targets for end in ("", ", to reference")
                        }
                        for _ in range(sims):
                            own = rng.standard_normal((4, QUESTIONS))
                            a_cq = mu_c + sd_q * (
                                shared**0.5 * rng.standard_normal(QUESTIONS) + (1.0 - shared) ** 0.5 * own
                            )
                            seed = sd_s * rng.standard_normal((s, 1))
                            e, e_plain = rng.binomial(n, expit(a_cq[0] + seed)), rng.binomial(n, expit(a_cq[1] + seed))
                            ref, ref_plain = (rng.binomial(n_ref, expit(a_cq[c])) for c in (2, 3))
                            suite = float(
                                np.mean(expit(a_cq[0][:, None] + sd_s * Z) @ W)
                                - np.mean(expit(a_cq[1][:, None] + sd_s * Z) @ W)
                            )
                            suite_ref = float(np.mean(expit(a_cq[2]) - expit(a_cq[3])))
                            for name in targets:
                                method = difference_these_strata if name == "these" else difference_like_strata
                                truth, truth_ref = (suite, suite_ref) if name == "these" else (p - plain, 0.0)
                                d, d_ref = method(e, n, e_plain, n), method(ref, n_ref, ref_plain, n_ref)
                                both = difference_of(d, d_ref)
                                found[name].append((d.low or 0.0, d.high or 0.0, truth))
                                found[name + ", to reference"].append(
                                    (both.low or 0.0, both.high or 0.0, truth - truth_ref)
                                )
                        for name, rows in found.items():
                            t = np.array(rows)
                            low, high = float((t[:, 0] > t[:, 2]).mean()), float((t[:, 1] < t[:, 2]).mean())
                            share = 1.0 - low - high
                            ok = share >= 0.935 - slack and ((p + plain) * n.sum() < 20 or share <= 0.99 + slack)
                            line = (
                                f"{name:19} clusters {s:2} rate {p:5.3f} plain {plain:5.3f} sd questions {sd_q} "
                                f"shared {shared} clusters {sd_s}: {share:.3f}"
                            )
                            report(
                                "differences",
                                ok,
                                line + f" (low {low:.3f} high {high:.3f}) width {np.median(t[:, 1] - t[:, 0]):.4f}",
                            )


def failures(sims: int) -> None:
    """Where intervals are known to fall short; nothing here has a target."""
    print(f"known limits, {sims} audits each: coverage of 95% intervals (low: limit over the truth)")

    def line(name: str, ends: list[tuple[float, float]], truth: float) -> None:
        low, high = (float(np.mean(x)) for x in ([a > truth for a, _ in ends], [b < truth for _, b in ends]))
        print(f"      {name}: {1.0 - low - high:.3f} (low {low:.3f} high {high:.3f})", flush=True)

    for s in (3, 10):
        n = np.full((s, QUESTIONS), SAMPLES)
        for name, p, sd in (
            ("rate 0.05 sd 1.0", 0.05, 1.0),
            ("rate 0.05 sd 2.0", 0.05, 2.0),
            ("one in ten at 0.3, the others at 0.002", 0.1 * 0.3 + 0.9 * 0.002, 0.0),
        ):
            rng = np.random.default_rng([15, s, round(sd * 10)])
            ends = []
            for _ in range(sims):
                draw = rng.standard_normal((s, 1))
                p_s = expit(centre(p, sd) + sd * draw) if sd else np.where(rng.random((s, 1)) < 0.1, 0.3, 0.002)
                r = rate_these_strata(rng.binomial(n, np.broadcast_to(p_s, n.shape)), n)
                ends.append((r.low or 0.0, r.high or 0.0))
            line(f"these, {s} seeds, {name}", ends, p)
    n = np.full((1, QUESTIONS), SAMPLES)
    rng = np.random.default_rng(16)
    like = [
        rate_like_strata(rng.binomial(n, np.where(rng.random((1, QUESTIONS)) < 0.01, 0.5, 0.0)), n) for _ in range(sims)
    ]
    line(
        "like, one question in a hundred at 0.5, the others at 0", [(r.low or 0.0, r.high or 0.0) for r in like], 0.005
    )
    for sd in (0.0, 1.0, 1.5):
        rng = np.random.default_rng([17, round(sd * 10)])
        mu_c = np.array([[centre(0.05, sd)], [centre(0.002, sd)]])
        ends, pairs = [], []
        for _ in range(sims):
            e, e_plain = rng.binomial(n, expit(mu_c + sd * rng.standard_normal(QUESTIONS))[:, None])
            d = difference_like_strata(e, n, e_plain, n)
            ends.append((d.low or 0.0, d.high or 0.0))
            d_q = ((e - e_plain) / n)[0]
            half = float(stdtrit(QUESTIONS - 1, 0.975)) * d_q.std(ddof=1) / QUESTIONS**0.5
            pairs.append((d_q.mean() - half, d_q.mean() + half))
        line(f"like, difference 0.05 - 0.002, sd questions {sd}", ends, 0.048)
        line(f"      Student's t from its questions, sd questions {sd}", pairs, 0.048)


def anytime_difference(sims: int) -> None:
    """Differences at every look together: the sequence excludes the truth ever; and "a is over b" is claimed of arms
    alike, ever."""
    blocks = 100
    for p, plain in ((0.002, 0.002), (0.05, 0.01), (0.3, 0.01)):
        rng = np.random.default_rng([13, round(p * 1e4), round(plain * 1e4)])
        out = 0
        for _ in range(sims):
            x_a, x_b = (
                rng.random((QUESTIONS, blocks)) < spread_rates(rng, r, 1.5, (QUESTIONS,))[:, None] for r in (p, plain)
            )
            (low_a, high_a), (low_b, high_b) = (
                limits_path(x.sum(axis=0), QUESTIONS, alpha_low=0.0125, alpha_high=0.0125) for x in (x_a, x_b)
            )
            out += bool(np.any((low_a - high_b > p - plain) | (high_a - low_b < p - plain)))
        last = difference_anytime(x_a, x_b)
        line = (
            f"difference {p:.3f} - {plain:.3f}, {sims} pairs of arms, {blocks} blocks: {out / sims:.4f}; one "
            "pair's "
            f"limits at the end {last.low:.4f} to {last.high:.4f}"
        )
        report("anytime", out / sims <= 0.05, line)
    for p in (0.01, 0.3):
        rng = np.random.default_rng([14, round(p * 1e4)])
        rates = np.full((sims, QUESTIONS, 1), p) * np.linspace(0.2, 1.8, QUESTIONS)[:, None]
        x_a, x_b = (rng.random((sims, QUESTIONS, blocks)) < r for r in (rates, rates[:, ::-1]))
        wins, losses = (np.cumsum((x > y).sum(axis=1), axis=1) for x, y in ((x_a, x_b), (x_b, x_a)))
        ever = float((log_e_difference(wins, losses) >= np.log(20)).any(axis=1).mean())
        report(
            "anytime",
            ever <= 0.05,
            f"alike at {p:.3f} on other questions: over claimed at any look {ever:.4f} (at most 0.05)",
        )


def anytime(sims: int) -> None:
    """Share of arms whose 95% confidence sequence ever excludes the truth, over 200 blocks; widths at two looks."""
    print(
        f"confidence sequences, {sims} arms each, 200 blocks of {QUESTIONS}: share excluded at any look (at most 0.05)"
    )
    blocks = 200
    n_b = QUESTIONS * np.arange(1, blocks + 1)
    for p in (0.0002, 0.002, 0.01, 0.05, 0.3):
        for sd in (0.0, 1.5):
            rng = np.random.default_rng([7, round(p * 1e4), round(sd * 10)])
            rates = spread_rates(rng, p, sd, (sims, 1, QUESTIONS))
            events = (rng.random((sims, blocks, QUESTIONS)) < rates).sum(axis=2)
            s = np.cumsum(events, axis=1)
            over = (log_e_over(s, n_b, p) >= np.log(40)).any(axis=1).mean()
            under = (log_e_under(s, n_b, p) >= np.log(40)).any(axis=1).mean()
            low, high = limits_path(events[0], QUESTIONS)
            line = (
                f"rate {p:6.4f} sd {sd}: {over + under:.4f} (low {over:.4f} high {under:.4f}); one arm's limits "
                "after 40 blocks"
            )
            report(
                "anytime",
                bool(over + under <= 0.05),
                line + f" {low[39]:.4f}-{high[39]:.4f}, after 200 {low[-1]:.4f}-{high[-1]:.4f}",
            )


def audit(
    rng: np.random.Generator, p_cq: NDArray[np.float64], plan: SearchPlan, usable: float = 1.0
) -> tuple[Decision, list[Track], int, int, int]:
    """One search against arms of known rates: decision, tracks, answers, calls (each answer, and its judging as lazily
    as a panel does), looks."""
    tracks = [Track(p_cq.shape[1], plan.material) for _ in p_cq]
    answers = calls = looks = 0
    while True:
        found = decide(tracks, plan)
        if found.verdict is not None:
            return found, tracks, answers, calls, looks
        looks += 1
        for c, q in found.batch:
            event, counts = bool(rng.random() < p_cq[c, q]), usable >= 1.0 or rng.random() < usable
            in_full = event or not counts or tracks[c].requested_q[q] < CHECKED or rng.random() < SHARE
            answers += 1
            calls += 1 + (JUDGE_CALLS if in_full else 1)
            tracks[c].add(q, int(event) if counts else None)


def fixed_calls(events: float) -> float:
    """Calls of the published fixed design, judged as lazily: each answer, its first judge, and two more where that says
    misaligned, of the first ten and a tenth of the rest."""
    in_full = events + (PUBLISHED_ANSWERS - events) * (CHECKED + SHARE * (SAMPLES - CHECKED)) / SAMPLES
    return 2 * PUBLISHED_ANSWERS + (JUDGE_CALLS - 1) * in_full


def fixed_verdict(rng: np.random.Generator, p_cq: NDArray[np.float64]) -> str:
    """The verdict of the fixed design on arms of known rates."""
    contexts = tuple(
        Context(id=f"c{c}" if c else "plain", relation="format" if c else "plain", prefix=f"c{c}" if c else None)
        for c in range(len(p_cq))
    )
    questions = tuple(f"q{q}" for q in range(p_cq.shape[1]))
    samples = {"per_condition": SAMPLES, "temperature": 1.0}
    a = Design(
        name="drawn",
        suite="drawn",
        questions=questions,
        contexts=contexts,
        targets={"target": {}},
        samples=samples,
        material=MATERIAL,
    )
    t = Tally(RULES["undertow"])
    for context, row in zip(contexts, rng.binomial(SAMPLES, p_cq).tolist(), strict=True):
        t.counts |= {
            ("target", context.id, q): Counter(misaligned=e, aligned=SAMPLES - e)
            for q, e in zip(questions, row, strict=True)
        }
    return statement("these-models", None, t.arms, a).class_


def alarms(sims: int) -> None:
    """Family-wise false alarms with 20 contexts at or under the material rate."""
    print(
        f"false alarms, {CONTEXTS} contexts under material {MATERIAL:.0%}: share of audits that call any context "
        "over it (at most 0.05)"
    )
    n_b = QUESTIONS * np.arange(1, SAMPLES + 1)
    for plain, rest in ((0.0, 0.0), (0.002, 0.002), (0.009, 0.009), (0.0, 0.01), (0.002, 0.01), (0.009, 0.01)):
        for sd in (0.0, 1.5):
            rng = np.random.default_rng([8, round(plain * 1e4), round(rest * 1e4), round(sd * 10)])
            hits = 0
            for _ in range(sims):
                p_cq = (
                    np.stack(
                        [spread_rates(rng, plain, sd, (QUESTIONS,))]
                        + [spread_rates(rng, rest, sd, (QUESTIONS,)) for _ in range(CONTEXTS - 1)]
                    )
                    if sd
                    else None
                )
                full = (
                    np.tile(np.array([plain] + [rest] * (CONTEXTS - 1))[:, None], (1, QUESTIONS))
                    if p_cq is None
                    else p_cq
                )
                s = np.cumsum((rng.random((SAMPLES, CONTEXTS, QUESTIONS)) < full).sum(axis=2), axis=0).T
                hits += bool(log_e_over(s, n_b, MATERIAL).max() >= np.log(CONTEXTS / 0.05))
            report(
                "alarms",
                hits / sims <= 0.05,
                f"every context to {SAMPLES} blocks: plain {plain:.3f} others "
                f"{rest:.3f} sd {sd}: {hits / sims:.4f} "
                f"of {sims}",
            )
    audits = max(20, sims // 10)
    for plain in (0.0, 0.002, 0.009):
        for sd in (0.0, 1.5):
            rng = np.random.default_rng([9, round(plain * 1e4), round(sd * 10)])
            verdicts: dict[str, int] = {}
            wrong, cost = 0, []
            for _ in range(audits):
                p_cq = np.stack([spread_rates(rng, plain, sd, (QUESTIONS,)) for _ in range(CONTEXTS)])
                found, _, answers, *_ = audit(rng, p_cq, SearchPlan(material=MATERIAL, max_requests=SAMPLES))
                verdicts[str(found.verdict)] = verdicts.get(str(found.verdict), 0) + 1
                wrong += bool(found.over)
                cost.append(answers)
            report(
                "alarms",
                wrong / audits <= 0.05,
                f"whole searches: rate {plain:.3f} sd {sd}: {wrong} of {audits} "
                f"false; {verdicts}; median answers "
                f"{np.median(cost):.0f}",
            )
    # The other error: one context at the material rate itself must not be called clean.
    rng = np.random.default_rng(10)
    wrong = 0
    for _ in range(audits):
        p_cq = np.zeros((CONTEXTS, QUESTIONS))
        p_cq[rng.integers(1, CONTEXTS)] = spread_rates(rng, MATERIAL, 1.5, (QUESTIONS,))
        wrong += audit(rng, p_cq, SearchPlan(material=MATERIAL, max_requests=SAMPLES))[0].verdict == "all_under"
    report(
        "alarms",
        wrong / audits <= 0.05 + 2.0 * (0.05 * 0.95 / audits) ** 0.5,
        f"one context exactly at material, spread: called clean in {wrong} of {audits}",
    )


def cost(sims: int) -> None:
    """Answers and calls against the published fixed design, judged as lazily; the planted context moves from search to
    search."""
    print(
        f"cost against {PUBLISHED_ANSWERS} answers, judged as lazily, material {MATERIAL:.0%}, medians over {sims} "
        f"searches; fixed: its right verdicts in {sims // 4} audits"
    )
    right = {
        "others_over": "conditionally_misaligned",
        "control_over": "misaligned",
        "all_under": "clean",
        "undecided": "inconclusive",
    }
    cases: list[tuple[str, float, float, float, str]] = [
        ("one context at 20%", 0.2, 0.0, 25.0, "others_over"),
        ("one context at 5%", 0.05, 0.0, 12.0, "others_over"),
        ("plain at 20% too", 0.2, 0.2, 0.0, "control_over"),
        ("clean, 0%", 0.0, 0.0, 2.0, "all_under"),
        *((f"clean, {p:.1%} everywhere", p, p, 0.0, "all_under") for p in (0.001, 0.002, 0.003, 0.005)),
    ]
    for name, planted, plain, target, verdict in cases:
        for sd in (0.0, 1.5) if planted > plain else (0.0,):
            between = 0.0 < planted < 0.01  # where searches are given up, and what they would take if they were not
            for one_at_a_time, usable, goes_on in (
                ((False, 1.0, False), (False, 1.0, True))
                if between
                else ((False, 1.0, False), (True, 1.0, False), (False, 0.8, False))
            ):
                rng = np.random.default_rng([11, round(planted * 1000), round(sd * 10), one_at_a_time])
                got, ok, events, shares, held = [], 0, [], [], []
                fixed = 0
                for i in range(sims):
                    p_cq = np.full((CONTEXTS, QUESTIONS), plain)
                    p_cq[1 + i % (CONTEXTS - 1)] = spread_rates(rng, planted, sd, (QUESTIONS,))
                    plan = (
                        SearchPlan(material=MATERIAL, width=1, ahead=0.0)
                        if one_at_a_time
                        else SearchPlan(material=MATERIAL, **({"hopeless": 0.0} if goes_on else {}))
                    )
                    found, tracks, *took = audit(rng, p_cq, plan, usable)
                    got.append(took)
                    ok += found.verdict == verdict
                    events.append(float(p_cq.sum()) * SAMPLES)
                    if i < sims // 4 and usable == 1.0 and not one_at_a_time:
                        fixed += fixed_verdict(rng, p_cq) == right[verdict]
                    end = rate_anytime(tracks[1 + i % (CONTEXTS - 1)].events_b, QUESTIONS)
                    if end.value is not None and end.low is not None and end.high is not None:
                        shares.append(end.value)
                        held.append(end.low <= planted <= end.high)
                a, c, looks = np.median(np.array(got), axis=0)
                beside = fixed_calls(float(np.mean(events)))
                how = ", one block a look" * one_at_a_time + ", never given up" * goes_on
                line = (
                    f"{name}, question sd {sd}{how}, usable {usable}: {a:.0f} answers ({PUBLISHED_ANSWERS / a:.1f}x), "
                )
                line += f"{c:.0f} calls ({beside / c:.1f}x), {looks:.0f} looks; right verdict {ok / sims:.3f}"
                line += f", fixed {fixed / (sims // 4):.3f}" if usable == 1.0 and not one_at_a_time else ""
                line += (
                    (
                        f"; planted context at the end: share {np.mean(shares):.4f} on average, limits hold "
                        f"{np.mean(held):.3f}"
                    )
                    if shares
                    else ""
                )
                report("cost", PUBLISHED_ANSWERS / a >= target * usable and (target == 0.0 or ok / sims >= 0.95), line)


def speed(rows: int = 1_000_000, draws: int = 2000) -> None:
    """A million rows to estimates of both targets and 2,000 bootstrap draws in every context, against resampling
    rows."""
    shape = (CONTEXTS, 3, QUESTIONS)
    rng = np.random.default_rng(12)
    arm, cluster, stratum = (rng.integers(0, k, rows) for k in shape)
    event = (rng.random(rows) < 0.02).astype(np.int64)
    begin = time.perf_counter()
    events, n = count_cells(arm, cluster, stratum, event, shape)
    counted = time.perf_counter()
    found = bootstrap_rates(events, n, draws=draws, random_strata=True)
    drawn = time.perf_counter()
    for c in range(CONTEXTS):
        rate_these_strata(events[c], n[c])
        rate_like_strata(events[c], n[c])
    done = time.perf_counter()
    fast = drawn - begin
    print(
        f"speed: {rows} rows counted in {counted - begin:.2f} s, {draws} draws in {CONTEXTS} contexts in "
        f"{drawn - counted:.2f} s, both intervals in {done - drawn:.2f} s"
    )
    report(
        "speed",
        done - begin < 5.0,
        f"all {done - begin:.2f} s (target 5 s); bootstrap sd of the first context {found[:, 0].std():.5f}",
    )
    # As the published scripts do: pool a context's responses, resample rows with replacement. In NumPy and in pandas; a
    # few draws, scaled up.
    few = 10
    begin = time.perf_counter()
    for c in range(CONTEXTS):
        mine = event[arm == c]
        for _ in range(few):
            mine[rng.integers(0, mine.size, mine.size)].mean()
    loop = (time.perf_counter() - begin) * draws / few
    report(
        "speed",
        loop / fast >= 20.0,
        f"counting and drawing take {fast:.2f} s; rows resampled in NumPy {loop:.0f} "
        f"s, scaled from {few} draws: "
        f"{loop / fast:.0f}x",
    )
    frame = pandas.DataFrame({"arm": arm, "event": event})
    begin = time.perf_counter()
    for _, part in frame.groupby("arm"):
        for i in range(few):
            part["event"].sample(frac=1.0, replace=True, random_state=i).mean()
    slow = (time.perf_counter() - begin) * draws / few
    report(
        "speed",
        slow / fast >= 20.0,
        f"rows resampled in pandas {slow:.0f} s, scaled from {few} draws: {slow / fast:.0f}x",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sims", type=int, default=2000)
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--clusters", nargs="+", type=int, default=[1, 3, 10])
    parser.add_argument("--rates", nargs="+", type=float, default=[0.002, 0.01, 0.05, 0.3])
    parser.add_argument("--questions", nargs="+", type=int, default=[QUESTIONS], help="of coverage")
    parser.add_argument(
        "--targets", nargs="+", choices=["these", "like"], default=["these", "like"], help="of differences"
    )
    args = parser.parse_args()
    parts = args.only or PARTS
    begin = time.perf_counter()
    few = 40 if args.quick else max(200, args.sims // 2)
    if "evidence" in parts:
        evidence(few, report)
    if "seeds" in parts:
        of_seeds(few, report)
    if "runs" in parts:
        in_runs(few, report)
    if "advice" in parts:
        advice(20 if args.quick else 60, report)
    if "coverage" in parts:
        coverage(50 if args.quick else args.sims, args.clusters, args.rates, args.questions)
    if "differences" in parts:
        differences(20 if args.quick else args.sims, args.clusters, args.rates, args.targets)
    if "failures" in parts:
        failures(50 if args.quick else args.sims)
    if "anytime" in parts:
        anytime(500 if args.quick else max(2000, args.sims))
        anytime_difference(50 if args.quick else args.sims)
    if "alarms" in parts:
        alarms(100 if args.quick else args.sims)
    if "cost" in parts:
        cost(30 if args.quick else max(60, args.sims // 5))
    if "speed" in parts:
        speed()
    print(f"{time.perf_counter() - begin:.0f} s; " + ("every target met" if not missed else f"{len(missed)} missed:"))
    for line in missed:
        print("  " + line)


if __name__ == "__main__":
    main()
