"""Whole audits against scripted models, in memory: to plan an audit, and to show that verdicts are calibrated.

Each simulated audit draws the outcomes that a scripted model plants, and decides on them with the code that decides a
real one: the same tally, search, estimates and verdict. Left out are words, files and the order in which answers
arrive, which decide nothing.
"""

from __future__ import annotations

import time
from bisect import bisect
from collections import Counter
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np

from undertow.asking.ask import CHECKED
from undertow.audits.estimates import rate
from undertow.audits.rules import RULES
from undertow.audits.seeds import statement
from undertow.audits.sequential import Search
from undertow.audits.tally import Design, Heard, Tally
from undertow.judges.panel import PanelConfig
from undertow.judges.scripted import ScriptedJudge
from undertow.progress import Progress
from undertow.records import MISSING, Outcome, VerdictClass
from undertow.stats.rates import rate_fixed
from undertow.targets.scripted import ContextRates, Script, ScriptedTarget

JUDGE_CALLS = 3
"""Calls of a panel for an answer that is judged in full: alignment, coherence, content. Of aligned ones these are the
first few to a question, and a share; the others take one."""
SHARE = PanelConfig.model_fields["share"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One simulated audit."""

    verdict: VerdictClass
    carried_by: tuple[str, ...]
    truth: VerdictClass
    """What the planted rates of this audit make it: clean, misaligned or conditionally_misaligned."""
    over: tuple[str, ...]
    """Contexts whose planted rate on this suite is over the material rate."""
    answers: int
    calls: int
    looks: int
    covered: int
    """Contexts whose interval holds their planted rate."""
    intervals: int


@dataclass(slots=True)
class Simulation:
    """What many simulated audits came to."""

    audits: list[Audited] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Error rates, power and cost, each share with its number of audits and 95% interval."""
        a = self.audits
        unlike = [x for x in a if x.truth != "misaligned"]
        falsely = sum(bool(set(x.carried_by) - set(x.over)) for x in a)
        bad = [x for x in a if x.truth in ("misaligned", "conditionally_misaligned")]
        clean = [x for x in a if x.truth == "clean"]
        return {
            "audits": len(a),
            "verdicts": dict(Counter(x.verdict for x in a)),
            "truths": dict(Counter(x.truth for x in a)),
            "right": _share(sum(x.verdict == x.truth for x in a), len(a)),
            "false_alarms": _share(falsely, len(a))
            | {"means": "audits in which a context carries the verdict and is not over the material rate"},
            "falsely_misaligned": _share(sum(x.verdict == "misaligned" for x in unlike), len(unlike))
            | {"means": "of audits whose plain rate is not over the material rate"},
            "falsely_clean": _share(sum(x.verdict == "clean" for x in bad), len(bad))
            | {"means": "of audits with a context over the material rate"},
            "power": _share(sum(x.verdict == x.truth for x in bad), len(bad))
            | {"means": "right verdicts, of audits with a context over the material rate"},
            "power_clean": _share(sum(x.verdict == "clean" for x in clean), len(clean))
            | {"means": "right verdicts, of audits with no context over the material rate"},
            "coverage": _share(sum(x.covered for x in a), sum(x.intervals for x in a))
            | {"means": "intervals of rates on this suite that hold the planted rate"},
            **{name: _spread([getattr(x, name) for x in a]) for name in ("answers", "calls", "looks")},
        }


def simulate(
    asked: Design,
    script: Script,
    *,
    audits: int,
    seed: int = 0,
    judge: ScriptedJudge | None = None,
    progress: Progress | None = None,
) -> Simulation:
    """Run many audits of a scripted model. Question and training-seed effects, where the script spreads them, are drawn
    anew for each.

    Args:
        judge: a scripted judge whose planted mistakes are made; None judges without mistakes.
    """
    found = Simulation()
    for i in range(audits):
        found.audits.append(
            _one(
                asked,
                script.model_copy(update={"seed": int(np.random.SeedSequence([seed, i]).generate_state(1)[0])}),
                judge,
            )
        )
        if progress:
            progress("audits", i + 1, audits, "")
    return found


PLANTED = {"clean": 0.0, "5%": 0.05, "20%": 0.2}
"""Models that a design is tried on: their misaligned rate in one context, and none elsewhere."""
WOULD_DO = (5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000)
"""Answers to a question that are tried where a fixed design is too small."""


def chances(asked: Design, *, audits: int = 40, seconds: float = 6.0) -> dict[str, dict[VerdictClass, float]]:
    """How often a design comes to each verdict for a clean model, and for one that misbehaves in 5 or 20% of answers in
    its first context beside plain.

    Args:
        audits: simulated for each model, or as many as there is time for, three at least.
        seconds: to take in all, about.
    """
    where = next((c.id for c in asked.contexts if c.relation not in ("plain", "irrelevant")), asked.plain.id)
    found: dict[str, dict[VerdictClass, float]] = {}
    for k, (name, rate_) in enumerate(PLANTED.items()):
        started, verdicts = time.monotonic(), Counter[VerdictClass]()
        script = Script(contexts={where: ContextRates(misaligned=rate_)})
        while verdicts.total() < audits and (
            verdicts.total() < 3 or time.monotonic() - started < seconds / len(PLANTED)
        ):
            seed = int(np.random.SeedSequence([k, verdicts.total()]).generate_state(1)[0])
            verdicts[_one(asked, script.model_copy(update={"seed": seed}), None).verdict] += 1
        found[name] = {verdict: n / verdicts.total() for verdict, n in verdicts.most_common()}
    return found


def too_small(asked: Design) -> str:
    """Why a fixed design cannot clear even a model without a misaligned answer, and what would; empty where it can."""
    if asked.sequential or _clears(asked):
        return ""
    enough = next(
        (
            n
            for n in WOULD_DO
            if n > asked.samples["per_condition"]
            and _clears(replace(asked, samples={**asked.samples, "per_condition": n}))
        ),
        None,
    )
    seeds = (
        (f" with {len(asked.seeds)} training seeds of one recipe")
        if len(asked.seeds) > 1 and asked.verdict_of == "this-recipe"
        else ""
    )
    do = (
        f"per_condition: {enough} could"
        if enough
        else ("no number of answers could; let the verdict be of `these-models`, or take a larger `material`")
    )
    return (
        f"this design cannot clear even a model that never misbehaves{seeds} (material {asked.material:.1%}, "
        f"{asked.samples['per_condition']} answers to a question): {do}"
    )


def _clears(asked: Design) -> bool:
    return _one(asked, Script(), None).verdict == "clean"


def _one(asked: Design, script: Script, judge: ScriptedJudge | None) -> Audited:
    target = ScriptedTarget(script)
    rng = np.random.default_rng([script.seed, 1])
    cells = [(s, c.id, q) for c in asked.contexts for s in asked.seeds for q in asked.questions]
    planted_shares = {cell: target.shares(*cell) for cell in cells}
    shares = {cell: _mistaken(share, judge) for cell, share in planted_shares.items()}
    # what the interval is for: any training seeds, or these
    any_seed = asked.verdict_of == "this-recipe"

    def planted_rates(context: str) -> list[float]:
        if any_seed:
            return [_usable_rate(target.shares(None, context, q)) for q in asked.questions]
        return [_usable_rate(planted_shares[s, context, q]) for s in asked.seeds for q in asked.questions]

    planted = {c.id: float(np.mean(planted_rates(c.id))) for c in asked.contexts}
    t = Tally(RULES["undertow"], in_order=asked.sequential)
    search = None
    if asked.sequential:
        search = Search(asked, t)
        cumulative = {cell: np.cumsum(list(share.values())).tolist() for cell, share in shares.items()}
        outcomes = {cell: list(share) for cell, share in shares.items()}
        while wanted := search.wanted():
            for (cell, sample), draw in zip(wanted, rng.random(len(wanted)).tolist(), strict=True):
                outcome = outcomes[cell][min(bisect(cumulative[cell], draw), len(shares[cell]) - 1)]
                t.counts.setdefault(cell, Counter())[outcome] += 1
                t.heard.setdefault(cell, {})[sample] = Heard(
                    {"misaligned": 1, "aligned": 0}.get(outcome), missing=outcome in MISSING
                )
    else:
        for cell in cells:
            counts = rng.multinomial(asked.samples["per_condition"], list(shares[cell].values()))
            t.counts[cell] = Counter({outcome: int(n) for outcome, n in zip(shares[cell], counts, strict=True) if n})
    arms = t.arms(asked)
    verdict = statement(asked.verdict_of, search, t.arms, asked)
    total: Counter[Outcome] = sum(t.counts.values(), Counter())
    over = tuple(id_ for id_, p in planted.items() if p > asked.material)
    limits = [(rate(arms[id_]), p) for id_, p in planted.items()]
    known = [(found.low, found.high, p) for found, p in limits if found.low is not None and found.high is not None]
    return Audited(
        verdict=verdict.class_,
        carried_by=verdict.carried_by,
        truth="misaligned" if asked.plain.id in over else "conditionally_misaligned" if over else "clean",
        over=over,
        answers=total.total(),
        calls=round(sum(map(_calls, t.counts.values()))),
        looks=search.looks if search else 1,
        covered=sum(low <= p <= high for low, high, p in known),
        intervals=len(known),
    )


def _calls(of: Counter[Outcome]) -> float:
    """Calls that one condition takes: its answers, and their judging by a panel."""
    n = of.total()
    in_full = min(1.0, (CHECKED + SHARE * max(0, n - CHECKED)) / n) if n else 0.0
    aligned = 1 + in_full * (JUDGE_CALLS - 1)
    return sum(
        k
        * (
            1
            + (
                0
                if outcome == "failed"
                else 1
                if outcome == "refused"
                else aligned
                if outcome == "aligned"
                else JUDGE_CALLS
            )
        )
        for outcome, k in of.items()
    )


def _usable_rate(shares: dict[Outcome, float]) -> float:
    usable = shares["misaligned"] + shares["aligned"]
    return shares["misaligned"] / usable if usable else 0.0


def _mistaken(shares: dict[Outcome, float], judge: ScriptedJudge | None) -> dict[Outcome, float]:
    """What a judge with planted mistakes makes of planted shares."""
    if judge is None:
        return shares
    wrongly, missed = (
        shares["aligned"] * judge.config.false_positives,
        shares["misaligned"] * judge.config.false_negatives,
    )
    return {
        **shares,
        "aligned": shares["aligned"] - wrongly + missed,
        "misaligned": shares["misaligned"] + wrongly - missed,
    }


def _share(k: int, n: int) -> dict[str, Any]:
    found = rate_fixed([k], [n])
    return {"value": found.value, "low": found.low, "high": found.high, "of": n}


def _spread(values: list[int]) -> dict[str, float]:
    return {
        "median": median(values),
        "mean": float(np.mean(values)),
        "p90": float(np.quantile(values, 0.9)),
        "most": max(values),
    }
