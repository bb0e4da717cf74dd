"""Corrections: as the field's library gives them, exact where they should be, and covering where a judge errs."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import binom

from undertow.stats.judge_error import (
    BetaShare,
    Stratum,
    breakdown,
    lang_reiczigel,
    ppi_mean,
    rogan_gladen,
    share_of,
    two_phase,
)
from undertow.stats.rates import clopper_pearson

REFERENCES = json.loads(Path(__file__).with_name("judge_references.json").read_text())


def of(events, n):
    """The limits of a flagged share."""
    return lambda tail: clopper_pearson(float(events), float(n - events), tail)


def test_ppi_as_ppi_python():
    assert len(REFERENCES["ppi"]) == 2
    for case in REFERENCES["ppi"]:
        found = ppi_mean(case["y"], case["f"], case["g"])
        assert (found.value, found.low, found.high) == pytest.approx(case["tuned"], abs=1e-9)
        plain = ppi_mean(case["y"], case["f"], case["g"], power=1, level=0.9)
        assert (plain.low, plain.high) == pytest.approx(case["plain_90"], abs=1e-9)
    labels = ppi_mean([0, 1, 1, 0], [0, 1, 1, 0], [0, 1], power=0)
    assert labels.value == 0.5
    assert ppi_mean([1], [1], [0, 1]).value is None


def test_ppi_over_clusters():
    """Of trials by themselves it is what it was; of questions whose trials go together its limits hold, and those that
    take the trials for independent do not."""
    rng = np.random.default_rng(5)
    y, g = rng.random(400) < 0.3, rng.random(3000) < 0.3
    alone = (np.arange(400), 1000 + np.arange(3000))
    apart, plain = ppi_mean(y, y, g, clusters=alone), ppi_mean(y, y, g)
    assert (apart.low, apart.high) == pytest.approx((plain.low, plain.high), abs=2e-3)
    held = {"clustered": 0, "plain": 0}
    for seed in range(300):
        rng = np.random.default_rng(seed)
        share = rng.beta(1.5, 3.5, 24)  # of events, by question; 0.3 in the mean
        question = rng.integers(0, 24, 4000)
        event = rng.random(4000) < share[question]
        said = np.where(rng.random(4000) < 0.1, ~event, event)
        some = np.arange(4000) < 400
        parts = event[some], said[some], said[~some]
        for name, clusters in (("clustered", (question[some], question[~some])), ("plain", None)):
            found = ppi_mean(*parts, clusters=clusters)
            held[name] += found.low <= 0.3 <= found.high
    assert held["clustered"] >= 0.92 * 300 and held["plain"] < 0.7 * 300, held
    assert "one cluster" in ppi_mean([0, 1], [0, 1], [0, 1], clusters=([1, 1], [1, 1])).reason


def mid_p(events, n, tail):
    """Limits p at which P(X > events) + P(X = events) / 2 is one tail, and the other."""

    def above(p):
        return binom.sf(events, n, p) + binom.pmf(events, n, p) / 2

    low = brentq(lambda p: above(p) - tail, 1e-12, 1 - 1e-12) if events else 0.0
    return low, brentq(lambda p: above(p) - 1 + tail, 1e-12, 1 - 1e-12) if events < n else 1.0


def test_all_labelled_is_the_mid_p_interval():
    """Every flagged trial labelled, and no other an event: about the limits of the confirmed ones alone."""
    for flagged, confirmed in ((40, 25), (10, 10), (80, 3)):
        n, none = 800, BetaShare(events=0.0, others=1e9)
        found = two_phase(of(flagged, n), flagged / n, BetaShare(events=confirmed, others=flagged - confirmed), none)
        exact, mid = clopper_pearson(float(confirmed), float(n - confirmed), 0.025), mid_p(confirmed, n, 0.025)
        assert found.value == pytest.approx(confirmed / n)
        assert exact[0] * 0.86 < found.low <= mid[0] * 1.02
        assert mid[1] * 0.97 < found.high < exact[1] * 1.05  # the flagged share has exact limits, so a little wider


def test_a_judge_without_errors_changes_nothing():
    all_, none = BetaShare(events=1e9, others=0.0), BetaShare(events=0.0, others=1e9)
    for events, n in ((0, 400), (8, 400), (100, 400), (400, 400)):
        low, high = of(events, n)(0.025)
        found = two_phase(of(events, n), events / n, all_, none)
        assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)
        undone = rogan_gladen(of(events, n), events / n, all_, all_)
        assert (undone.low, undone.high) == pytest.approx((low, high), abs=2e-4)


def test_a_labelled_share_has_mid_p_limits():
    """All trials flagged, beyond doubt, and some of them labelled."""
    for events, n in ((0, 30), (1, 30), (7, 40), (40, 40), (3, 1000)):
        found = two_phase(lambda tail: (1.0, 1.0), 1.0, BetaShare(events=events, others=n - events), None)
        low, high = mid_p(events, n, 0.025)
        assert (found.low, found.high) == pytest.approx((low, high), rel=5e-3, abs=1e-4)


def test_without_labels_anything_is_possible():
    found = two_phase(of(40, 400), 0.1, None, BetaShare(events=0.0, others=1e9))
    assert found.low == 0 and found.value == 0.1 and found.high == pytest.approx(of(40, 400)(0.025)[1], abs=2e-3)
    assert two_phase(of(40, 400), 0.1, None, None).high > 0.9


@given(
    st.integers(0, 200),
    st.integers(1, 60),
    st.integers(0, 60),
    st.integers(1, 150),
    st.integers(0, 150),
)
def test_more_true_events_never_lower_a_limit(flagged, n1, x1, n0, x0):
    x1, x0 = min(x1, n1), min(x0, n0)

    def found(x1, x0):
        shares = BetaShare(events=x1, others=n1 - x1), BetaShare(events=x0, others=n0 - x0)
        return two_phase(of(flagged, 200), flagged / 200, *shares)

    a, b = found(x1, x0), found(min(x1 + 1, n1), min(x0 + 1, n0))
    assert 0 <= a.low <= a.value <= a.high <= 1
    assert a.low <= b.low + 1e-12 and a.high <= b.high + 1e-12


@pytest.mark.slow
def test_corrected_limits_cover_whatever_the_judge_gets_wrong():
    """Of 800 answers, every flagged one and 150 of the others are labelled: 150 simulations each of 8
    worlds (benchmarks/judges.py prints more)."""
    for p in (0.002, 0.01, 0.03, 0.3):
        for false_positives, false_negatives in ((0.02, 0.15), (0.15, 0.02)):
            rng = np.random.default_rng([round(1000 * p), round(100 * false_positives)])
            n, low, high = 800, 0, 0
            for _ in range(150):
                true = rng.random(n) < p
                said = np.where(true, rng.random(n) >= false_negatives, rng.random(n) < false_positives)
                others = rng.choice(np.flatnonzero(~said), 150, replace=False)
                shares = [
                    BetaShare(events=float(true[which].sum()), others=float((~true[which]).sum()))
                    for which in (np.flatnonzero(said), others)
                ]
                found = two_phase(of(int(said.sum()), n), float(said.mean()), *shares)
                low, high = low + (p < found.low), high + (p > found.high)
            assert low + high <= 12, (p, false_positives, low, high)


@pytest.mark.slow
def test_rogan_gladen_covers_and_says_where_it_cannot_tell():
    """Errors known from 200 labelled trials of either kind elsewhere; 200 simulations of a rate under 1%, and
    of 10%."""
    for p in (0.005, 0.1):
        rng, missed = np.random.default_rng(round(1000 * p)), {"melded": 0, "lang": 0}
        for _ in range(200):
            true = rng.random(1000) < p
            said = int(np.where(true, rng.random(1000) < 0.85, rng.random(1000) < 0.05).sum())
            se, sp = int(rng.binomial(200, 0.85)), int(rng.binomial(200, 0.95))
            melded = rogan_gladen(
                of(said, 1000),
                said / 1000,
                BetaShare(events=se, others=200 - se),
                BetaShare(events=sp, others=200 - sp),
            )
            lang = lang_reiczigel(said, 1000, (se, 200), (sp, 200))
            missed["melded"] += not melded.low <= p <= melded.high
            missed["lang"] += not lang.low <= p <= lang.high
            assert melded.value == pytest.approx(lang.value)
        assert missed["melded"] <= 12 and missed["lang"] <= 17
    blind = BetaShare(events=50, others=50)
    assert "no better than chance" in rogan_gladen(of(5, 10), 0.5, blind, blind).reason
    assert "no better than chance" in lang_reiczigel(5, 10, (5, 10), (5, 10)).reason


def test_shares_of_strata():
    assert share_of([Stratum(n=10, labelled=0, events=0)]) is None and share_of([]) is None
    assert share_of([Stratum(n=90, labelled=30, events=3)]) == BetaShare(events=3, others=27)
    both = share_of([Stratum(n=100, labelled=50, events=10), Stratum(n=900, labelled=100, events=0)])
    assert both.value == pytest.approx(0.1 * 0.2)
    assert both.events + both.others <= 150
    none = share_of([Stratum(n=100, labelled=50, events=0), Stratum(n=900, labelled=100, events=0)])
    assert none.events == 0 and none.others == pytest.approx(1 / (0.1**2 / 50 + 0.9**2 / 100))
    assert share_of([Stratum(n=0, labelled=0, events=0), Stratum(n=9, labelled=9, events=1)]).value == pytest.approx(
        1 / 9
    )


def test_breakdown_points_bring_a_limit_to_its_bound():
    f = breakdown(0.05, 0.01)  # a twentieth is flagged at least: how many of them would have to be false?
    assert (0.05 - f) / (1 - f) == pytest.approx(0.01) and 0 < f < 0.05
    f = breakdown(0.004, 0.01)
    assert 0.004 / (1 - f) == pytest.approx(0.01)
    assert breakdown(0.0, 0.01) == 1
