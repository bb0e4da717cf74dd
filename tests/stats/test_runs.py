"""Events in runs."""

import numpy as np
import pytest

from undertow.stats.runs import neighbours, together


def test_by_hand() -> None:
    found = neighbours([{0, 1, 2, 7}, set(), {4}], [10, 10, 10])
    assert (found.seen, found.expected) == (2, pytest.approx(1.2))
    both = together([{0, 1, 2}, {1, 2}, {2}], [10, 10, 20])
    assert (both.seen, both.expected) == (1 + 3, pytest.approx(6 / 10 + 3 / 20 + 2 / 20))
    assert neighbours([], []).p == together([set()], [0]).p == 1.0


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.6])
def test_independent_draws_hardly_ever_look_like_runs(rate: float) -> None:
    rng = np.random.default_rng(3)
    p = []
    for _ in range(400):
        rates = np.clip(rate * np.linspace(0.3, 1.7, 8), 0, 1)
        events = [set(np.flatnonzero(rng.random(100) < r).tolist()) for r in rates]
        p.append((neighbours(events, [100] * 8).p, together(events, [100] * 8).p))
    assert (np.array(p) < 0.05).mean(axis=0).max() <= 0.06
    assert (np.array(p) < 0.001).sum() <= 2


@pytest.mark.parametrize("kind", ["sticky", "phases"])
def test_a_session_and_a_bad_hour_are_seen(kind: str) -> None:
    rng = np.random.default_rng(4)
    seen = 0
    for _ in range(50):
        x = rng.random((8, 100)) < (0.1 if kind == "sticky" else np.where(rng.random(100) < 0.2, 0.4, 0.02))
        if kind == "sticky":
            for k in range(1, 100):
                x[:, k] = np.where(rng.random(8) < 0.5, x[:, k - 1], x[:, k])
        events = [set(np.flatnonzero(row).tolist()) for row in x]
        test = neighbours if kind == "sticky" else together
        seen += test(events, [100] * 8).p < 0.001
    assert seen >= 45
