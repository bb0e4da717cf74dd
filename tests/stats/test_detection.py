"""detection: d' and c worked by hand, what swapping does, kappa and rank correlation against libraries, calibration by
hand."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from undertow.stats.detection import (
    bins_of,
    calibration,
    calibration_errors,
    chooses_first,
    criterion,
    detect,
    log_linear,
    rank_correlation,
    rank_correlations,
    sensitivity,
)

z = NormalDist().inv_cdf
probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_yes_no_by_hand() -> None:
    # 18 of 20 signals and 5 of 20 noises called signals: H = 18.5 / 21, F = 5.5 / 21.
    found = detect([1] * 18 + [0] * 2, [1] * 5 + [0] * 15)
    assert found.hit_rate == pytest.approx(18.5 / 21) and found.false_alarm_rate == pytest.approx(5.5 / 21)
    assert found.sensitivity == pytest.approx(z(18.5 / 21) - z(5.5 / 21)) == pytest.approx(1.8170, abs=1e-3)
    assert found.criterion == pytest.approx(-(z(18.5 / 21) + z(5.5 / 21)) / 2) == pytest.approx(-0.2711, abs=1e-4)


def test_a_forced_choice_halves_the_squared_distance() -> None:
    one, two = detect([1, 1, 0], [0, 0, 1]), detect([1, 1, 0], [0, 0, 1], forced_choice=True)
    assert two.sensitivity == pytest.approx(
        one.sensitivity / math.sqrt(2)
    ) and two.criterion == one.criterion == pytest.approx(0)


def test_one_that_always_takes_the_first_tells_nothing_and_leans() -> None:
    found = detect([1] * 30, [1] * 30, forced_choice=True)
    assert found.sensitivity == 0 and found.criterion == pytest.approx(-z(30.5 / 31))


def test_perfect_choices_have_a_finite_d_that_grows_with_their_number() -> None:
    few, many = (detect([1] * n, [0] * n, forced_choice=True).sensitivity for n in (10, 100))
    assert few == pytest.approx(2 * z(10.5 / 11) / math.sqrt(2)) and few < many < 5


def test_probabilities_count_as_parts_of_answers() -> None:
    assert detect([0.9, 0.7], [0.2, 0.4]).hit_rate == pytest.approx((1.6 + 0.5) / 3)
    assert detect([0.5, 0.5], [0.5]) == detect([1, 0], [0.5])


def test_nothing_shown_gives_a_reason() -> None:
    assert detect([], [1, 0]).sensitivity is None and detect([], [1, 0]).reason == "the signal was never shown"
    assert detect([1], []).criterion is None and detect([1], []).reason == "the noise was never shown"
    with pytest.raises(ValueError, match="between 0 and 1"):
        detect([1.2], [0])


@given(probabilities, probabilities)
def test_swapping_signal_and_noise_turns_the_sign_of_d_alone(signal: list[float], noise: list[float]) -> None:
    found, swapped = detect(signal, noise, forced_choice=True), detect(noise, signal, forced_choice=True)
    assert swapped.sensitivity == pytest.approx(-found.sensitivity, abs=1e-12) and swapped.criterion == pytest.approx(
        found.criterion, abs=1e-12
    )


@given(probabilities, probabilities)
def test_swapping_the_labels_turns_the_sign_of_c_alone(first: list[float], second: list[float]) -> None:
    # First called second everywhere: the signal stands second where it stood first, and who chose the first chose the
    # second.
    found, swapped = (
        detect(first, second, forced_choice=True),
        detect([1 - p for p in second], [1 - p for p in first], forced_choice=True),
    )
    assert swapped.sensitivity == pytest.approx(found.sensitivity, abs=1e-9) and swapped.criterion == pytest.approx(
        -found.criterion, abs=1e-9
    )


@given(st.floats(-3, 3), st.floats(-1.5, 1.5))
def test_d_and_c_come_back_from_the_choices_they_make(d: float, c: float) -> None:
    h, f = (float(chooses_first(d, c, signal_first=first)) for first in (True, False))
    assert sensitivity(h, f, forced_choice=True) == pytest.approx(d, abs=1e-6) and criterion(h, f) == pytest.approx(
        c, abs=1e-6
    )


def test_a_bias_hides_in_the_share_of_one_order() -> None:
    # What a fixed order reports as "picks the misaligned one in 84%" of a model that knows nothing and leans by one.
    assert float(chooses_first(0.0, -1.0, signal_first=True)) == pytest.approx(0.841, abs=1e-3)
    assert log_linear([0.0, 1.0], 10).tolist() == pytest.approx([0.5 / 11, 10.5 / 11])


def test_rank_correlation_agrees_with_scipy_with_ties() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.integers(1, 6, 40), rng.integers(1, 6, 40)
    assert rank_correlation(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3)), min_size=3, max_size=12))
def test_a_whole_weight_is_as_good_as_repeated_pairs(rows: list[tuple[int, int, int]]) -> None:
    x, y, w = np.array(rows, dtype=float).T
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    repeated = stats.spearmanr(np.repeat(x, w.astype(int)), np.repeat(y, w.astype(int))).statistic
    assert rank_correlations(x, y, w[None])[0] == pytest.approx(repeated, abs=1e-9)


def test_rank_correlation_edges() -> None:
    perfect = rank_correlation([1, 2, 3, 4, 5, 6], [2, 3, 5, 7, 8, 9])
    assert (
        perfect.value == pytest.approx(1)
        and perfect.low is not None
        and 0.5 < perfect.low < 0.75
        and perfect.high == pytest.approx(1, abs=0.01)
    )
    assert rank_correlation([1, 2, 3], [3, 2, 1]).reason == "3 pairs; an interval needs four"
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]).reason == "one side is the same throughout"
    assert rank_correlation([1], [1]).value is None


def test_rank_correlation_covers() -> None:
    rng, rho, n, held = np.random.default_rng(3), 0.6, 25, 0
    true = 6 / math.pi * math.asin(rho / 2)  # Spearman's of a bivariate normal
    for _ in range(400):
        x = rng.standard_normal(n)
        found = rank_correlation(x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal(n))
        held += found.low <= true <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_calibration_by_hand() -> None:
    # Two predictions near 1 (mean 1.2) came out at 3 and 2, two near 5 at 5 and 5; the middle bins are empty.
    found = calibration([1.0, 1.4, 5.0, 5.0], [3, 2, 5, 5], edges=[1, 1.5, 2.5, 3.5, 4.5, 5])
    assert [b.n for b in found.bins] == [2, 0, 0, 0, 2]
    assert (found.bins[0].predicted, found.bins[0].observed) == (pytest.approx(1.2), 2.5) and found.bins[
        1
    ].predicted is None
    assert found.error == pytest.approx((2 * 1.3 + 0) / 4) and found.bias == pytest.approx(-2.6 / 4)


def test_errors_in_one_bin_may_cancel_and_in_two_add() -> None:
    edges = np.array([0.0, 0.5, 1.0])
    predicted, excess = np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.1, -0.1, 0.2, 0.2])
    assert calibration_errors(excess, bins_of(predicted, edges), np.ones((1, 4)))[0] == pytest.approx(0.1)
    assert calibration([], [], edges=edges).error is None
    with pytest.raises(ValueError, match="outside 0 to 1"):
        calibration([1.5], [1], edges=edges)
