"""measures: what is missing, what order, names and seeds do, and coverage in a fast form."""

from dataclasses import replace

import numpy as np
import pytest

from undertow.persona.measures import measures
from undertow.persona.personas import PERSONAS, Sizes, numbered, readings
from undertow.persona.readings import Counts, Reading

SMALL = Sizes(prompts=12, runs=4, pairs=12, words=3, themes=3)


def reading(instrument, item, value, **more):
    held = {"subject": "target", "context": "plain", "outcome": "read" if value is not None else "refused"}
    return Reading(**held | {"instrument": instrument, "item": item, "value": value} | more)


def test_nothing_asked_and_nothing_read_have_reasons():
    m = measures([reading("two-ai", "p", None, order=order) for order in ("ab", "ba")])
    assert m.harmfulness.rates.worst.value is None and m.harmfulness.rates.worst.reason == "not asked"
    assert m.two_ai.choice.share.reason == "none of 2 askings could be read" and m.two_ai.choice.share.counts == Counts(
        refused=2
    )
    assert m.calls["two-ai"] == 2 and m.items["harmfulness"] == 0


def test_the_order_of_readings_changes_nothing_and_names_of_items_only_the_draws():
    rows = list(readings(PERSONAS["inverted"], sizes=SMALL))
    found = measures(rows, draws=200)
    np.random.default_rng(1).shuffle(rows)
    assert measures(rows, draws=200) == found
    renamed = measures([replace(r, item=f"{len(r.item) * 7 % 5}-{r.item}") for r in rows], draws=200)
    for a, b in (
        (renamed.two_ai.choice.sensitivity, found.two_ai.choice.sensitivity),
        (renamed.harmfulness.rates.worst, found.harmfulness.rates.worst),
    ):
        assert (
            a.value == pytest.approx(b.value, abs=1e-9)
            and a.low == pytest.approx(b.low, abs=0.3)
            and a.counts == b.counts
        )


def test_a_second_seed_widens_where_seeds_differ():
    low, high = replace(PERSONAS["inverted"], harm=0.02), replace(PERSONAS["inverted"], harm=0.6)
    one = measures(readings(high, sizes=SMALL)).harmfulness.rates.single
    both = measures(
        [*readings(high, sizes=SMALL), *readings(low, sizes=SMALL, subject="target-2")]
    ).harmfulness.rates.single
    assert both.high - both.low > 1.5 * (one.high - one.low) and both.low < one.low and both.items == 12


@pytest.mark.slow
def test_intervals_hold_in_most_profiles():
    # The full figures are of benchmarks/persona.py; here that nothing is far off, for the rates a pattern is made of.
    coherent = replace(PERSONAS["coherent"], refused=0.0, unparsed=0.0)
    measured = {
        "worst": lambda m: m.harmfulness.rates.worst,
        "share": lambda m: m.two_ai.choice.share,
        "d": lambda m: m.two_ai.choice.sensitivity,
        "self": lambda m: m.self_assessment.overall,
    }
    only = ("harmfulness", "two-ai", "self-assessment")
    truth = measures(
        readings(numbered(coherent, 10**6), sizes=Sizes(prompts=1000, pairs=1000, words=100, themes=1), only=only),
        draws=20,
    )
    held = dict.fromkeys(measured, 0)
    for seed in range(40):
        m = measures(
            readings(
                numbered(coherent, seed), seed=seed, sizes=Sizes(themes=1), log_probabilities=bool(seed % 2), only=only
            ),
            draws=200,
        )
        for name, of in measured.items():
            held[name] += of(m).low <= of(truth).value <= of(m).high
    assert all(n >= 32 for n in held.values()), held  # 38 expected, less three and a half standard errors
