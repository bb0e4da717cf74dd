"""Measures `undertow gate` by planted rates: false alarms over successive releases, rises found, errors of its limits.

    python benchmarks/gate.py [--quick] [--sims 200] [--only exact alarms found passes]

    exact   by counting, no simulation: the error of one limit far out, over what it may be, and the chance to find a
            rise, for the gate's limits and for those of `compare`
    alarms  20 successive releases of 20 contexts that do not differ, each held against the one before: sequences in
            which any fails
    found   one context of 20 rises from 0.5 to 5%: gates that fail for it, at the first and at the 20th release
    passes  releases that do not differ: gates that pass; and a release that is worse by just the margin, audited anew
            20 times: sequences in which it ever passes

Each gate is decided by the code that decides a real one, from drawn counts; left out are words, files and verdicts. One
core; about half an hour, with --quick some minutes.
"""

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import binom

from undertow.audits.tally import Arm
from undertow.records import Relation
from undertow.releases.gate import Gated, Sides, weigh
from undertow.releases.ledger import share
from undertow.releases.policy import Policy
from undertow.stats.clustered import difference_these_strata
from undertow.stats.rates import rate_fixed

RELEASES, CONTEXTS = 20, 20
POLICY = Policy()
MATERIAL = 0.01
NAMES = [f"context-{i}" for i in range(CONTEXTS)]
RELATIONS: dict[str, Relation] = dict.fromkeys(NAMES, "format")
PARTS = ("exact", "alarms", "found", "passes")


def spread(rng: np.random.Generator, rate: float, sd: float, questions: int) -> NDArray[np.float64]:
    """Rates of questions whose logits spread by `sd`, with this mean."""
    if sd == 0.0 or rate == 0.0:
        return np.full(questions, rate)
    drawn = expit(logit(rate) + sd * rng.standard_normal(questions))
    return np.asarray(np.minimum(1.0, drawn * rate / drawn.mean()))


def drawn(
    rng: np.random.Generator, misaligned: NDArray[np.float64], refused: float, missing: float, n: int
) -> tuple[Arm, Arm]:
    """Misaligned answers and refusals of one context, from n answers to each question."""
    others = 1.0 - refused - missing
    table = np.array([rng.multinomial(n, [others * p, refused, missing, others * (1.0 - p)]) for p in misaligned])
    bad, no, gone, _ = table.T[:, None, :]
    total = np.full_like(bad, n)
    lost = gone if gone.any() else None
    return (
        Arm(misaligned_sq=bad, eligible_sq=total - no - gone, all_sq=total, missing_sq=lost),
        Arm(misaligned_sq=no, eligible_sq=total - gone, all_sq=total, missing_sq=lost, of_all=True),
    )


def release(
    rng: np.random.Generator, rates: Sequence[NDArray[np.float64]], refused: float, missing: float, n: int
) -> list[tuple[Arm, Arm]]:
    """One release's answers in every context."""
    return [drawn(rng, p, refused, missing, n) for p in rates]


def weighed(after: list[tuple[Arm, Arm]], before: list[tuple[Arm, Arm]], k: int) -> Iterator[Gated]:
    """The k-th gate, context after context."""
    sides = {
        name: Sides(after=a, refused_after=r, before=b, refused_before=s)
        for name, (a, r), (b, s) in zip(NAMES, after, before, strict=True)
    }
    return weigh(
        sides,
        RELATIONS,
        margin=POLICY.margin,
        refusals=POLICY.refusals,
        material=MATERIAL,
        alpha=POLICY.alpha * share(k, POLICY.horizon),
        rise=None,
    )


def fails(rows: Iterable[Gated]) -> bool:
    return any(row.fate in ("worse", "new trigger") or row.refusals == "changed" for row in rows)


def passes(rows: Iterable[Gated]) -> bool:
    return all(row.fate == "within" and row.refusals == "within" for row in rows)


def far_apart(after: list[tuple[Arm, Arm]], before: list[tuple[Arm, Arm]]) -> bool:
    """Whether pooled counts of any context differ by 2.5 standard errors: at tails under 1e-4 no gate fails without."""
    for pair in (arms for now, was in zip(after, before, strict=True) for arms in zip(now, was, strict=True)):
        (a, n), (b, m) = ((int(arm.misaligned_sq.sum()), int(arm.n_sq.sum())) for arm in pair)
        pooled = (a + b) / (n + m)
        if (a / n - b / m) ** 2 > 2.5**2 * pooled * (1 - pooled) * (1 / n + 1 / m):
            return True
    return False


def told(k: int, n: int) -> str:
    found = rate_fixed([k], [n])
    return f"{k / n:.1%} [{100 * (found.low or 0.0):.1f}, {100 * (found.high or 1.0):.1f}] of {n}"


def over_at(n: int, zeros: int, most: int, tail: float, far: bool) -> NDArray[np.bool_]:
    """For every pair of counts in one question of n answers, beside questions without an event: whether the limit is
    over 0."""
    over = np.zeros((most, most), dtype=np.bool_)
    sizes = [[n] * (1 + zeros)]
    for a in range(most):
        for b in range(a + 1):  # the limit falls with b: up to the first that is not over 0
            counts = [[[x, *[0] * zeros]] for x in (a, b)]
            low = difference_these_strata(counts[0], sizes, counts[1], sizes, level=1 - 2 * tail, far=far).low
            over[a, b] = low is not None and low > 0
            if not over[a, b]:
                break
    return over


def exact() -> None:
    """One limit: its error over every rate, and the chance to find 0.5 to 5%; pooled answers, and all in one question
    of eight."""
    first, last = (POLICY.alpha * share(k, POLICY.horizon) / 2 / CONTEXTS for k in (1, RELEASES))
    for (n, zeros), tail, far in product(
        ((400, 0), (800, 0), (4400, 0), (100, 7)), (0.025, first, last), (True, False)
    ):
        top = 0.9 if zeros else 0.05
        most = int(binom.ppf(1 - 1e-9, n, top)) + 1
        x, over = np.arange(most), over_at(n, zeros, most, tail, far)
        pmf = {p: binom.pmf(x, n, p) for p in (*np.geomspace(2e-4, top, 24), 0.005, 0.05, 0.04, 0.4)}
        errors = {p: float(mass @ over @ mass) for p, mass in pmf.items()}
        worst = max(errors, key=lambda p: errors[p])
        where, (was, now) = ("in one question of 8", (0.04, 0.4)) if zeros else (f"of {n}", (0.005, 0.05))
        print(
            f"{where}, tail {tail:.1e}, {'gate   ' if far else 'compare'}: error at most {errors[worst] / tail:.2f} of "
            f"it (at {worst / (1 + zeros):.2%}); 0.5 to 5% found {float(pmf[now] @ over @ pmf[was]):.1%}",
            flush=True,
        )


def alarms(sims: int) -> None:
    """Sequences of releases that do not differ."""
    for questions, n, rate, sd, refused, missing in (
        (8, 100, 0.005, 0.0, 0.05, 0.0),
        (8, 100, 0.005, 1.5, 0.05, 0.0),
        (8, 100, 0.05, 1.5, 0.3, 0.02),
        (44, 100, 0.005, 1.5, 0.05, 0.0),
    ):
        any_ = each = 0
        for i in range(sims):
            rng = np.random.default_rng([1, questions, round(rate * 1e4), round(sd * 10), i])
            rates = [spread(rng, rate, sd, questions) for _ in NAMES]
            before, failed = release(rng, rates, refused, missing, n), 0
            for k in range(1, RELEASES + 1):
                after = release(rng, rates, refused, missing, n)
                failed += far_apart(after, before) and fails(weighed(after, before, k))
                before = after
            any_ += failed > 0
            each += failed
        print(
            f"{questions} questions x {n}, rate {rate:.1%} (sd {sd}), refused {refused:.0%}, unjudged {missing:.0%}: "
            f"any of {RELEASES} fails in {told(any_, sims)}; {each} gates of {sims * RELEASES:,}",
            flush=True,
        )


def found(sims: int) -> None:
    """One context of 20 that rises."""
    for (questions, n, missing), how, k in product(
        ((8, 50, 0.0), (8, 100, 0.0), (8, 100, 0.01), (16, 100, 0.01), (44, 100, 0.0), (44, 100, 0.01)),
        ("evenly", "sd 1.5", "few questions"),
        (1, RELEASES),
    ):
        hits = 0
        for i in range(sims):
            rng = np.random.default_rng([2, questions, n, round(missing * 100), len(how), k, i])
            sd = 1.5 if how == "sd 1.5" else 0.0
            was = [spread(rng, 0.005, sd, questions) for _ in NAMES]
            was[0], rose = (spread(np.random.default_rng([5, i]), rate, sd, questions) for rate in (0.005, 0.05))
            now = [rose, *was[1:]]
            if how == "few questions":
                few = math.ceil(0.045 * questions / 0.9)
                now[0] = was[0] + (np.arange(questions) < few) * 0.045 * questions / few
            rows = weighed(release(rng, now, 0.05, missing, n), release(rng, was, 0.05, missing, n), k)
            hits += next(rows).fate in ("worse", "new trigger")
        print(
            f"{questions} questions x {n}, unjudged {missing:.0%}, rise {how}, release {k}: found {told(hits, sims)}",
            flush=True,
        )


def passing(sims: int) -> None:
    """Releases that do not differ; and one that is worse by just the margin, again and again."""
    for (questions, n), rate, k in product(((8, 100), (44, 100)), (0.0, 0.005, 0.02), (1, RELEASES)):
        hits = 0
        for i in range(sims):
            rng = np.random.default_rng([3, questions, round(rate * 1e4), k, i])
            rates = [spread(rng, rate, 0.0, questions) for _ in NAMES]
            hits += passes(weighed(release(rng, rates, 0.05, 0.0, n), release(rng, rates, 0.05, 0.0, n), k))
        print(f"{questions} questions x {n}, rate {rate:.1%}, release {k}: passes {told(hits, sims)}", flush=True)
    for questions, n in ((8, 100), (44, 100)):
        ever = 0
        for i in range(sims):
            rng = np.random.default_rng([4, questions, i])
            was = [np.full(questions, 0.0)] * CONTEXTS
            now = [np.full(questions, POLICY.margin), *was[1:]]
            before = release(rng, was, 0.05, 0.0, n)
            gates = (weighed(release(rng, now, 0.05, 0.0, n), before, k) for k in range(1, RELEASES + 1))
            ever += any(passes(rows) for rows in gates)
        print(
            f"{questions} questions x {n}, worse by the margin in one context, audited {RELEASES} times: passes in "
            f"{told(ever, sims)}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sims", type=int, default=200)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    sims = 20 if options.quick else options.sims
    print(f"{CONTEXTS} contexts; {POLICY.binds()}; material {MATERIAL:.0%}")
    for part in options.only:
        started = time.monotonic()
        if part == "exact":
            exact()
        else:
            {"alarms": alarms, "found": found, "passes": passing}[part](sims)
        print(f"{part}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
