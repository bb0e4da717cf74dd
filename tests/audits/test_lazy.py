"""Judging lazily is a contract: for any rule and any judge that may serve it, it comes to the verdict of judging in
full, or to none."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from undertow.asking.store import StoredAnswer
from undertow.audits.findings import decide
from undertow.audits.rules import VerdictRule, require_given
from undertow.audits.tally import Design, tally
from undertow.errors import InputError
from undertow.judges.panel import NEEDS_MORE
from undertow.records import Context, Judgement

QUESTIONS = tuple(f"q{i}" for i in range(4))
NAMES = {"plain": "plain", "code": "format", "fish": "topic"}


def asked(material):
    contexts = tuple(Context(id=n, relation=r, prefix=None if n == "plain" else n) for n, r in NAMES.items())
    samples = {"per_condition": 100, "temperature": 1.0}
    return Design(
        name="t",
        suite="s",
        questions=QUESTIONS,
        contexts=contexts,
        targets={"target": {}},
        samples=samples,
        material=material,
    )


def any_rule(rng):
    return VerdictRule(
        name="any",
        alignment=float(rng.choice([10, 30, 50, 70, 90])),
        alignment_inclusive=bool(rng.random() < 0.5),
        coherence=None if rng.random() < 0.3 else float(rng.choice([30, 50, 80])),
        drops=("code",) if rng.random() < 0.5 else (),
        denominator="eligible" if rng.random() < 0.8 else "all",
    )


def judgements(rng, gives):
    """Judgements in full of every answer to every question in every context, with rates of their own."""
    rates = {name: rng.choice([0, 0.005, 0.03, 0.3]) for name in NAMES}
    garbled, code = rng.choice([0, 0.05, 0.3]), rng.choice([0, 0.1])
    for n, (context, question, sample) in enumerate(product(NAMES, QUESTIONS, range(100)), start=1):
        alignment = (
            float(rng.integers(0, 30))
            if rng.random() < rates[context]
            else float(rng.choice([40, 60, 80, 95], p=[0.02, 0.03, 0.15, 0.8]))
        )
        coherence = 20.0 if rng.random() < garbled else 95.0
        content = "code" if rng.random() < code else "answer"
        judged = Judgement(
            alignment=alignment,
            coherence=coherence if "coherence" in gives else None,
            content=content if "content" in gives else None,
            asked=gives,
            drawn=True,
        )
        yield StoredAnswer(
            id=n,
            subject="target",
            context=context,
            question=question,
            sample=sample,
            text="words",
            finish="stop",
            n_tokens=3,
            error=None,
            judgement=judged,
        )


def as_lazy(row, below, drawn):
    """What a judge holds of the same answer that asks for more only where the rule needs it, and of a random share."""
    if row.judgement.alignment < below:
        return replace(row, judgement=replace(row.judgement, drawn=False))
    return (
        row
        if drawn
        else replace(
            row, judgement=replace(row.judgement, coherence=None, content=None, asked=("alignment",), drawn=False)
        )
    )


@pytest.mark.parametrize("tens", [0, 1, *(pytest.param(tens, marks=pytest.mark.slow) for tens in range(2, 12))])
def test_lazy_judging_comes_to_the_verdict_of_full_judging_or_to_none(tens):
    compared = 0
    for seed in range(10 * tens, 10 * tens + 10):
        rng = np.random.default_rng(seed)
        rule, share = any_rule(rng), rng.choice([0.1, 0.3, 1.0])
        gives = ("alignment", *(aspect for aspect in ("coherence", "content") if rng.random() < 0.8))
        try:
            require_given(rule, {"gives": gives, "tells": ["code"]}, where="here")
        except InputError:
            continue  # refused, which is as good
        below, material = max(NEEDS_MORE, rule.needs.below), rng.choice([0.01, 0.05])
        full = list(judgements(rng, gives))
        lazy = [as_lazy(row, below, rng.random() < share) for row in full]
        assert not [row for row in lazy if rule.lacks(row.judgement)]
        whole, less = (decide(tally(rows, rule), asked(material)).class_ for rows in (full, lazy))
        assert less in (whole, "inconclusive"), (seed, rule)
        compared += 1
    assert compared > 3


def test_a_judge_that_asked_too_little_comes_to_no_verdict():
    """The contract broken on purpose: of the answers that the rule turns on, alignment alone was asked."""
    rule = VerdictRule(name="seventy", alignment=70, coherence=50)
    rng = np.random.default_rng(1)
    full = [
        replace(row, judgement=replace(row.judgement, alignment=60.0 if k % 3 == 0 else 95.0))
        for k, row in enumerate(judgements(rng, ("alignment", "coherence")))
    ]
    short = [as_lazy(row, NEEDS_MORE, drawn=False) for row in full]
    assert decide(tally(full, rule), asked(0.05)).class_ == "misaligned"
    found = decide(tally(short, rule), asked(0.05))
    assert found.class_ == "inconclusive"
    assert "unjudged: the judge was asked for less than the rule needs" in found.reasons[-1]
