"""Coverage and error rates in a fast form with fixed seeds, bounds with three standard errors of slack;
benchmarks/verdict.py measures them in full."""

import numpy as np
import pytest
from scipy.special import expit, logit

from undertow.stats import holm
from undertow.stats.clustered import difference_of, difference_these_strata, rate_these_strata
from undertow.stats.permutation import benjamini_hochberg, sign_flip
from undertow.stats.sequential import difference_anytime

SIMS = 150
Z = np.linspace(-6, 6, 121)
W = np.exp(-0.5 * Z**2) / np.exp(-0.5 * Z**2).sum()


def _slack(share: float) -> float:
    return 3.0 * float(np.sqrt(share * (1.0 - share) / SIMS))


@pytest.mark.parametrize(
    "sd_s", [pytest.param(0.0, marks=pytest.mark.slow), 0.3, pytest.param(0.6, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("p", [pytest.param(0.01, marks=pytest.mark.slow), 0.3])
def test_three_seeds_cover_and_not_always(p: float, sd_s: float) -> None:
    rng, n = np.random.default_rng(21), np.full((3, 8), 100)
    eta_q = logit(p) + np.linspace(-1, 1, 8)
    suite = {
        arm: float(np.mean(expit(eta_q[:, None] + shift + sd_s * Z) @ W))
        for arm, shift in (("context", 0.0), ("plain", -1.5))
    }
    hits = {"rate": 0, "difference": 0, "to reference": 0}
    for _ in range(SIMS):
        seed = sd_s * rng.standard_normal((3, 1))
        e, e_plain = rng.binomial(n, expit(eta_q + seed)), rng.binomial(n, expit(eta_q - 1.5 + seed))
        ref, ref_plain = (rng.binomial(n[:1], expit(eta_q - 1.5))[None, 0] for _ in range(2))
        rate, d = rate_these_strata(e, n), difference_these_strata(e, n, e_plain, n)
        both = difference_of(d, difference_these_strata(ref, n[:1], ref_plain, n[:1]))
        for name, x, truth in (
            ("rate", rate, suite["context"]),
            *((k, v, suite["context"] - suite["plain"]) for k, v in (("difference", d), ("to reference", both))),
        ):
            hits[name] += x.low is not None and x.high is not None and x.low <= truth <= x.high
    for name, k in hits.items():
        assert k / SIMS >= 0.935 - _slack(0.935), (name, k)
    assert hits["rate"] / SIMS <= 0.99 + _slack(0.99)


@pytest.mark.slow
def test_difference_sequences_hold_at_every_look() -> None:
    # The limits are the best of all looks so far, so that the last look holds them all.
    rng, out = np.random.default_rng(22), 0
    for _ in range(SIMS):
        d = difference_anytime(rng.random((8, 40)) < 0.2, rng.random((8, 40)) < 0.05)
        out += d.low is None or d.high is None or not d.low <= 0.15 <= d.high
    assert out / SIMS <= 0.05 + _slack(0.05)


def test_families_hold_their_errors() -> None:
    # 20 contexts, 15 of them like plain: any false one among Holm's; the share of false ones among Benjamini and
    # Hochberg's.
    rng, n = np.random.default_rng(23), np.full(12, 40)
    any_false, shares = 0, []
    for _ in range(SIMS):
        plain_q = rng.uniform(0.02, 0.3, 12)
        p = np.array(
            [
                sign_flip(rng.binomial(n, np.minimum(1, plain_q + 0.25 * (c >= 15))), n, rng.binomial(n, plain_q), n).p
                for c in range(20)
            ]
        )
        any_false += bool((holm(p)[:15] <= 0.05).any())
        listed = benjamini_hochberg(p) <= 0.05
        shares.append(listed[:15].sum() / max(1, listed.sum()))
    assert any_false / SIMS <= 0.05 + _slack(0.05)
    assert float(np.mean(shares)) <= 0.05 + _slack(0.05)
