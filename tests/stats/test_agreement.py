"""Agreement: the coefficients as the field's libraries give them, intervals that hold, and where there is none."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from undertow.stats.agreement import (
    STATISTICS,
    agreement,
    cohen_kappa,
    confusion,
    gwet_ac1,
    krippendorff_alpha,
)

REFERENCES = json.loads(Path(__file__).with_name("judge_references.json").read_text())
"""Made by make_judge_references.py with scikit-learn, statsmodels, krippendorff and ppi-python."""


def test_two_raters_as_scikit_learn_statsmodels_and_krippendorff():
    assert len(REFERENCES["agreement"]) == 4
    for case in REFERENCES["agreement"]:
        table = confusion(case["a"], case["b"], case["k"])
        close = lambda x: pytest.approx(x, abs=1e-9)  # noqa: E731
        assert cohen_kappa(table) == close(case["cohen_kappa"])
        assert cohen_kappa(table) == close(case["statsmodels_kappa"])
        assert cohen_kappa(table, weights="quadratic") == close(case["quadratic_kappa"])
        assert krippendorff_alpha([case["a"], case["b"]]) == close(case["krippendorff_alpha"])
        assert STATISTICS["krippendorff_alpha"](table.astype(float)) == close(case["krippendorff_alpha"])


def test_many_raters_with_gaps_as_krippendorff():
    assert len(REFERENCES["alpha"]) == 2
    for case in REFERENCES["alpha"]:
        ratings = [[math.nan if x is None else x for x in row] for row in case["ratings"]]
        for level in ("nominal", "interval"):
            assert krippendorff_alpha(ratings, level=level) == pytest.approx(case[level], abs=1e-9)


def test_ac1_stays_where_nearly_all_is_of_one_class():
    table = [[118, 5], [2, 0]]  # Gwet's point: 94% agree, kappa says chance
    observed, mean = 118 / 125, (120 + 123) / 250
    e = 2 * mean * (1 - mean)
    assert gwet_ac1(table) == pytest.approx((observed - e) / (1 - e))
    assert gwet_ac1(table) > 0.9 > 0.1 > cohen_kappa(table)
    assert gwet_ac1([[10, 0], [0, 10]]) == cohen_kappa([[10, 0], [0, 10]]) == 1


@pytest.mark.slow
def test_intervals_hold_over_clusters():
    """Of 100 samples of 60 questions with three answers each, whose rater errs by question, near 95% cover."""
    rng = np.random.default_rng(5)

    def tables(questions):
        error = rng.beta(1, 6, questions)[:, None]
        truth = rng.random((questions, 3)) < 0.4
        said = np.where(rng.random((questions, 3)) < error, ~truth, truth)
        found = np.zeros((questions, 2, 2))
        for i in (0, 1):
            for j in (0, 1):
                found[:, i, j] = ((truth == i) & (said == j)).sum(axis=1)
        return found

    for name in ("cohen_kappa", "gwet_ac1", "krippendorff_alpha"):
        true = float(STATISTICS[name](tables(100_000).sum(axis=0)))
        found = [agreement(STATISTICS[name], tables(60), seed=n) for n in range(100)]
        assert 88 < sum(each.low <= true <= each.high for each in found) < 100


def test_what_is_not_defined_says_so():
    one_class = agreement(STATISTICS["cohen_kappa"], [[[5, 0], [0, 0]]] * 3)
    assert one_class.value is one_class.low is None and "one class" in one_class.reason
    one_cluster = agreement(STATISTICS["cohen_kappa"], [[[5, 1], [1, 5]]])
    assert one_cluster.value is not None and one_cluster.low is None and "one cluster" in one_cluster.reason
    assert math.isnan(krippendorff_alpha([[1, 1], [1, 1]])) and math.isnan(krippendorff_alpha([[math.nan]]))
    all_agree = agreement(STATISTICS["cohen_kappa"], [[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 0], [0, 1]]])
    assert all_agree.value == 1 and all_agree.low is None and "tells nothing of the spread" in all_agree.reason


def test_kappa_by_hand() -> None:
    # Agree on 6 of 10; margins (5, 5) and (7, 3): expected 0.35 + 0.15 = 0.5, so (0.6 - 0.5) / 0.5.
    assert cohen_kappa([[4, 1], [3, 2]]) == pytest.approx(0.2)


def test_a_near_miss_counts_little_in_the_quadratic_kappa() -> None:
    a, near, far = np.tile(np.arange(5), 8), np.tile([1, 0, 2, 3, 4], 8), np.tile([4, 1, 2, 3, 0], 8)
    assert cohen_kappa(confusion(a, near, 5)) == pytest.approx(cohen_kappa(confusion(a, far, 5)))
    # Two in five are off, by 1 or by 4: mean squares 0.4 and 6.4, where chance would give 4.
    assert cohen_kappa(confusion(a, near, 5), weights="quadratic") == pytest.approx(0.9)
    assert cohen_kappa(confusion(a, far, 5), weights="quadratic") == pytest.approx(-0.6)
