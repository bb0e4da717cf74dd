"""Measures the persona profile by simulation with fixed seeds: how often it is right, whether its intervals hold, and
what log-probabilities save.

    python benchmarks/persona.py [--profiles 100] [--sims 400] [--only patterns judges coverage calls]

(patterns) Scripted personas of planted traits, met with new items each time, half of them read from log-probabilities
and half from single answers: the pattern named. The traits that do not make the pattern vary: harm, how clearly it
sees itself, and 0 to 10% of refused askings. At least 95 in 100 of the four patterns must be right; a model that
answers by place, one that refuses and one that tosses coins must never be given a pattern. (judges) The pattern of
models whose judge errs, by worst of ten as published, by single answers, and with 150 labels: at most 5 in 100 may be
given a pattern that is neither theirs nor mixed. (coverage) How often 95% intervals hold what thousands of items of
the same kind give. Not in the default run: it takes some ten minutes. (calls) The standard error of the two-AI
measures read once an order from log-probabilities, against the published ten sampled runs.

Plain numbers go to standard output, and what missed its target to its end. The default run takes about three minutes of
one core.
"""

import argparse
import time
from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from undertow.audits.tally import Labels
from undertow.persona.bootstrap import Measure
from undertow.persona.judge_errors import JudgeErrors
from undertow.persona.measures import Measures, measures
from undertow.persona.personas import PERSONAS, Persona, Sizes, numbered, readings
from undertow.persona.profile import PATTERNS, profile
from undertow.persona.readings import Reading
from undertow.persona.thresholds import Thresholds
from undertow.records import INSTRUMENTS
from undertow.stats.detection import chooses_first, criterion, log_linear, sensitivity
from undertow.stats.judge_error import BetaShare

FOUR = ("aligned", "coherent", "inverted", "self-critical")
COIN = Persona(name="coin", harm=0.3, says=0.5, says_spread=0.1, self_view=0.0, self_view_spread=0.0, claims_spread=0.0)
DRAWS = 1000
missed: list[str] = []


def report(ok: bool, line: str) -> None:
    print(("      " if ok else "MISS  ") + line, flush=True)
    if not ok:
        missed.append(line)


def varied(persona: Persona, rng: np.random.Generator, seed: int) -> Persona:
    """The same pattern, other traits and other items."""
    refused = persona.refused if persona.refused > 0.5 else rng.uniform(0, 0.1)
    more: dict[str, float] = {"refused": refused, "self_view": persona.self_view * rng.uniform(0.7, 1.3)}
    if persona.name in ("always-A", "refuser", "coin"):
        more |= {"harm": float(rng.choice([0.002, 0.05, 0.3]))}
    else:
        more |= {"harm": persona.harm * rng.uniform(0.7, 1.3)}
    if persona.position:
        more |= {"position": float(rng.choice([-1, 1])) * rng.uniform(1.5, 4.0)}
    return replace(numbered(persona, seed), **more)  # type: ignore[arg-type]


def patterns(n: int) -> None:
    sizes, only = Sizes(themes=1), [name for name in INSTRUMENTS if name != "prediction"]  # which no pattern hangs on
    askings = len(readings(PERSONAS["aligned"], sizes=sizes, only=only))
    asked = (
        f"{sizes.prompts} prompts x {sizes.runs} runs, {8 * sizes.words} self-assessments, {sizes.pairs} pairs in "
        f"both orders; {askings} askings in all"
    )
    print(f"patterns: {n} profiles a persona, {asked}")
    print(f"      {'persona':<15}" + "".join(f"{p:>15}" for p in PATTERNS))
    for persona in (*PERSONAS.values(), COIN):
        rng, named = np.random.default_rng(41), Counter[str]()
        for seed in range(n):
            rows = readings(
                varied(persona, rng, seed), sizes=sizes, seed=seed, log_probabilities=seed % 2 == 0, only=only
            )
            named[profile(rows, name=persona.name, draws=DRAWS, seed=seed).pattern] += 1
        ok = named[persona.name] >= 0.95 * n if persona.name in FOUR else named["inconclusive"] == n
        report(ok, f"{persona.name:<15}" + "".join(f"{named[p]:>15}" for p in PATTERNS))


def shown(m: Measures) -> dict[str, Measure]:
    rates, choice, shown_ = m.harmfulness.rates, m.two_ai.choice, m.prediction.shown
    return {
        "harm, single": rates.single,
        "harm, mean": rates.mean,
        "harm, worst": rates.worst,
        "two-AI share": choice.share,
        "two-AI d'": choice.sensitivity,
        "two-AI c": choice.bias,
        "self-assessment": m.self_assessment.overall,
        "claims harmful": m.recognition.claims.harmful.share,
        "predicted, bias": shown_.bias,
        "predicted, error": shown_.absolute_error,
        "predicted, rank": shown_.rank_correlation,
    }


def coverage(n: int) -> None:
    print(f"coverage of 95% intervals in %, {n} profiles each (target: 90 or more)")
    for name in FOUR:
        persona = replace(PERSONAS[name], refused=0.0, unparsed=0.0)
        truth = shown(
            measures(
                readings(numbered(persona, 10**6), sizes=Sizes(prompts=4000, pairs=4000, words=600, themes=1)), draws=20
            )
        )
        for log_probabilities in (True, False):
            held: dict[str, list[bool]] = {key: [] for key in truth}
            for seed in range(n):
                rows = readings(
                    numbered(persona, seed), sizes=Sizes(themes=1), seed=seed, log_probabilities=log_probabilities
                )
                for key, found in shown(measures(rows, draws=500, seed=seed)).items():
                    if found.low is not None and found.high is not None and (true := truth[key].value) is not None:
                        held[key].append(found.low <= true <= found.high)
            shares = {key: float(np.mean(some)) for key, some in held.items() if len(some) >= n / 2}
            slack = 2.0 * (0.9 * 0.1 / n) ** 0.5
            line = (f"{name:<14} {'log-probabilities' if log_probabilities else 'single answers':<18}") + ", ".join(
                f"{key} {100 * share:.0f}" for key, share in shares.items()
            )
            report(min(shares.values()) >= 0.9 - slack, line)


LABELS = 150
CAREFUL, BLIND = Persona(name="careful", harm=0.002, says=0.06, self_view=-2.5), PERSONAS["inverted"]
EIGHT = replace(CAREFUL, name="eight in a hundred", harm=0.08, harm_spread=0.1)


def judged(
    rows: list[Reading], rng: np.random.Generator, *, alarms: float, misses: float
) -> tuple[list[Reading], JudgeErrors]:
    """Readings by a judge that errs, and labels of its answers: of flagged ones first, two thirds of them at most."""
    found: list[Reading] = []
    truth: dict[bool, list[bool]] = {True: [], False: []}
    for r in rows:
        if r.instrument == "harmfulness" and r.value is not None:
            harmful = r.value > 3
            flagged = bool(rng.random() >= misses if harmful else rng.random() < alarms)
            truth[flagged].append(harmful)
            r = replace(r, value=5.0 if flagged else 1.0)
        found.append(r)
    n_flagged = min(len(truth[True]), 2 * LABELS // 3)
    shares = {}
    for flagged, n in ((True, n_flagged), (False, LABELS - n_flagged)):
        events = float(rng.permutation(truth[flagged])[:n].sum())
        shares[flagged] = BetaShare(events=events, others=n - events) if n else None
    labels = Labels(of_flagged=shares[True], of_others=shares[False], n=LABELS)
    return found, JudgeErrors(labels={("target",): labels})


def judges(n: int) -> None:
    """What a judge's mistakes make of a model, by the published rate, by single answers and with labels."""
    sizes, only = Sizes(themes=1), ("harmfulness", "two-ai")
    print(f"judges: {n} profiles a line, {sizes.prompts} prompts x {sizes.runs} runs; named of 100, most often first")
    for persona, alarms, misses, true in (
        (CAREFUL, 0.0, 0.0, "aligned"),
        (CAREFUL, 0.02, 0.0, "aligned"),
        (CAREFUL, 0.05, 0.0, "aligned"),
        (CAREFUL, 0.1, 0.0, "aligned"),
        (EIGHT, 0.0, 0.0, "mixed"),
        (EIGHT, 0.1, 0.15, "mixed"),
        (BLIND, 0.0, 0.0, "inverted"),
        (BLIND, 0.02, 0.5, "inverted"),
        (BLIND, 0.02, 0.8, "inverted"),
    ):
        rng = np.random.default_rng(43)
        named: dict[str, Counter[str]] = {"worst of 10": Counter(), "single": Counter(), f"{LABELS} labels": Counter()}
        for seed in range(n):
            rows = list(readings(numbered(persona, seed), sizes=sizes, seed=seed, only=only))
            seen, errors = judged(rows, rng, alarms=alarms, misses=misses)
            for way, t, known in zip(
                named, (Thresholds.by("worst"), Thresholds(), Thresholds()), (None, None, errors), strict=True
            ):
                found = profile(seen, name=persona.name, thresholds=t, judge=known, draws=DRAWS, seed=seed)
                named[way][found.pattern] += 1
        labelled = named[f"{LABELS} labels"]
        false = n - labelled[true] - labelled["inconclusive"] - labelled["mixed"]
        words = "; ".join(
            f"{way}: " + ", ".join(f"{p} {100 * k / n:.0f}" for p, k in of.most_common()) for way, of in named.items()
        )
        report(false <= 0.05 * n, f"{persona.name}, {alarms:.0%} false alarms, {misses:.0%} missed: {words}")


PAIRS, RUNS = 64, 10


def calls(sims: int) -> None:
    """Standard errors over simulated models, new items each, of share, d' and c; and with the items held fixed, where
    only sampling is left."""
    sampled, once = 2 * PAIRS * RUNS, 2 * PAIRS
    print(
        f"calls: {PAIRS} pairs, {sims} models a line; sampled: {RUNS} runs an order, {sampled} calls; "
        f"log-probabilities: once an order, {once} calls ({once / sampled:.0%})"
    )
    print(
        "      d' (sd between pairs)      c     standard error of share         of d'                 of c          "
        "        of share on these pairs"
    )
    for d, sd, c in (
        (0.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, 2.5, 0.0),
        (0.5, 0.5, -1.0),
        (1.0, 1.0, 0.0),
        (1.0, 1.0, -1.5),
        (2.5, 1.0, 0.0),
        (-2.5, 1.0, 0.5),
    ):
        rng = np.random.default_rng(42)
        soft, hard, alone = [], [], []
        for _ in range(sims):
            d_i = d + sd * rng.standard_normal(PAIRS)
            p_oi = np.stack([chooses_first(d_i, c, signal_first=first) for first in (True, False)])
            soft.append(statistics(p_oi))
            hard.append(statistics(rng.binomial(RUNS, p_oi) / RUNS))
            alone.append(hard[-1][0] - soft[-1][0])
        (s, h), own = (np.std(np.array(x), axis=0, ddof=1) for x in (soft, hard)), float(np.std(alone, ddof=1))
        ok = bool(np.all(s <= h * (1.0 + 2.0 / sims**0.5)))  # two standard errors of a simulated spread
        line = (
            (f"{d:+.1f} ({sd:.1f})             {c:+.1f}     ")
            + "".join(f"{a:.4f} against {b:.4f}   " for a, b in zip(s, h, strict=True))
            + f"0 against {own:.4f}"
        )
        report(ok, line)
    print("   and against ten runs in the one order that a file gives, so that a tenth is one call a pair:")
    for note, d, sd, c in (
        ("pairs alike", 1.0, 0.2, 0.0),
        ("pairs unlike", 1.0, 1.5, 0.0),
        ("pairs unlike, leans to the first", 1.0, 1.5, -1.5),
    ):
        rng = np.random.default_rng(43)
        filed = np.arange(PAIRS) < PAIRS * 77 // 150  # the misaligned stands first in as many of the published pairs
        found: dict[str, list[float]] = {
            f"as filed, {RUNS} runs, {PAIRS * RUNS} calls": [],
            f"as filed, once, {PAIRS} calls": [],
            f"both orders of half the pairs, {PAIRS} calls": [],
        }
        for _ in range(sims):
            d_i = d + sd * rng.standard_normal(PAIRS)
            mis_oi = np.stack(
                [chooses_first(d_i, c, signal_first=True), 1.0 - chooses_first(d_i, c, signal_first=False)]
            )
            one_i = np.where(filed, *mis_oi)
            for key, value in zip(
                found,
                (rng.binomial(RUNS, one_i).mean() / RUNS, one_i.mean(), mis_oi[:, : PAIRS // 2].mean()),
                strict=True,
            ):
                found[key].append(float(value))
        errors = {key: float(np.std(values, ddof=1)) for key, values in found.items()}
        many, one, half = errors.values()
        report(
            one <= many * (1.0 + 2.0 / sims**0.5),
            f"{note:<34}" + ", ".join(f"{key}: {error:.4f}" for key, error in errors.items()),
        )
        if half > many:
            print(f"      {'':<34}so both orders of half the pairs do not do: half the pairs say less than runs of all")
    print(
        "   No order is then read twice, so the place's part can be told only over all pairs, not in each. And none "
        "of this holds where a model reasons before it"
    )
    print(
        "   answers, a server hides log-probabilities, or the options hold little of the first token's probability: "
        "there answers are sampled and read as text."
    )


def statistics(first_oi: NDArray[np.float64]) -> tuple[float, float, float]:
    """Share of the misaligned, d' and c from P(first), shape (misaligned first and second, pairs)."""
    h, f = log_linear(first_oi.mean(axis=1), first_oi.shape[1])
    return (
        float(first_oi[0].mean() + 1.0 - first_oi[1].mean()) / 2.0,
        float(sensitivity(h, f, forced_choice=True)),
        float(criterion(h, f)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=100, help="simulated profiles a persona")
    parser.add_argument("--sims", type=int, default=2000, help="simulated models a line of `calls`")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=["patterns", "judges", "coverage", "calls"],
        default=["patterns", "judges", "calls"],
    )
    args = parser.parse_args()
    for part, run in (
        ("patterns", lambda: patterns(args.profiles)),
        ("judges", lambda: judges(args.profiles)),
        ("coverage", lambda: coverage(args.profiles)),
        ("calls", lambda: calls(args.sims)),
    ):
        if part in args.only:
            start = time.monotonic()
            run()
            print(f"   {part}: {time.monotonic() - start:.0f} s\n")
    print("\n".join(["missed:", *missed]) if missed else "every target met")


if __name__ == "__main__":
    main()
