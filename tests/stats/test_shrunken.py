"""Shares drawn towards those of all: by hand, at the ends, and as often inside their limits as they should be."""

import numpy as np
import pytest
from scipy import stats

from undertow.stats.shrunken import DRAWN, Share, shrunken_shares


def test_by_hand():
    # pooled 15/20; var of (0.9, 0.6) is 0.045, less 0.1875/10: D = 0.1875/0.02625 - 1 = 6.142857
    one, other = shrunken_shares([9, 6], [10, 10])
    drawn = 0.1875 / 0.02625 - 1
    assert one.likely == pytest.approx((9 + 0.75 * drawn) / (10 + drawn)) and other.likely == pytest.approx(
        (6 + 0.75 * drawn) / (10 + drawn)
    )
    assert other.least == pytest.approx(stats.beta.ppf(0.1, 6 + 0.75 * drawn, 4 + 0.25 * drawn))
    assert other.most == pytest.approx(stats.beta.ppf(0.9, 6 + 0.75 * drawn, 4 + 0.25 * drawn))


def test_strata_that_are_alike_say_more_together_than_one_alone():
    alike, alone = shrunken_shares([10] * 8, [10] * 8), shrunken_shares([10], [10])
    assert alike == [Share(1.0, pytest.approx(0.1 ** (1 / (10 + DRAWN[1]))), 1.0)] * 8
    assert alone[0].least == pytest.approx(0.1 ** (1 / (10 + DRAWN[0])))
    assert shrunken_shares([0] * 3, [10] * 3)[0] == Share(0.0, 0.0, pytest.approx(1 - 0.1 ** (1 / 30)))


def test_one_that_differs_stays_where_it_is():
    risky, *others = shrunken_shares([1, *[10] * 7], [10] * 8)
    assert risky.likely < 0.25 and risky.least < 0.12
    assert all(share.likely > 0.97 for share in others)


def test_a_stratum_without_trials_is_not_known():
    found = shrunken_shares([0, 9, 10], [0, 10, 10])
    assert found[0] == Share(pytest.approx(19 / 20), 0.0, 1.0)
    assert shrunken_shares([0, 0], [0, 0]) == [Share(1.0, 0.0, 1.0)] * 2


@pytest.mark.parametrize("spread", [0.0, 0.5, 2.0])
def test_limits_hold_about_as_often_as_they_say(spread):
    rng = np.random.default_rng(3)
    outside = n = 0
    for _ in range(300):
        r = 1 / (1 + np.exp(-(1.5 + spread * rng.standard_normal(8))))
        for share, true in zip(shrunken_shares(rng.binomial(12, r), [12] * 8), r, strict=True):
            outside, n = outside + (true < share.least), n + 1
    assert outside / n < 0.15  # 0.1, and a little for what is estimated of the spread
