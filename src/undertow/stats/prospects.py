"""The chance that more outcomes decide, before they are asked for: the posterior predictive probability of a claim at a
later look.

Owns the counts at which evidence that holds at every look (sequential.py) is enough, and the predictive distribution of
counts to come. Draws nothing at random.

Arm c has e_c events in n_c outcomes, and its rate theta_c is one of Beta(D mu, D (1 - mu)): arms are alike as far as
they look alike. D is taken over a grid, weighed by the likelihood of all arms' counts (a beta-binomial each), and mu
over quantiles of Beta(sum e + 1/2, sum (n - e) + 1/2). Given both, events among t_c more outcomes are beta-binomial,
arms are independent, and with u and o the largest count that is under m and the smallest that is over it at n_c + t_c,
    P(every arm under) = prod_c P(e_c + K_c <= u_c),      P(some arm over) = 1 - prod_c P(e_c + K_c < o_c).
Claims between now and then are left out, so a chance is a little too low.

Array suffix: `_c`, one entry an arm. Source: predictive probability, Spiegelhalter, Freedman and Blackburn 1986,
Control. Clin. Trials 7:8; beta-binomial likelihood, Williams 1982, Appl. Statist. 31:144.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, betaln, logsumexp

from .sequential import log_e_over, log_e_under

MEANS = 7
"""Quantiles over which the mean of arms is taken."""
ALIKE = (0.5, 4.0, 32.0, 256.0, 2048.0)
"""How alike arms may be: D mu, the events' worth of what other arms say. The least is Jeffreys' half event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What more outcomes would come to, each in [0, 1]."""

    under: float
    """Chance that every open arm is claimed under the rate."""
    over: float
    """Chance that some open arm is claimed over it."""


def prospect(
    events_c: ArrayLike,
    n_c: ArrayLike,
    more_c: ArrayLike,
    m: float,
    *,
    alpha_over: float,
    alpha_under: float,
    of: ArrayLike | None = None,
) -> Prospect:
    """The chance that arms are claimed under or over m after more outcomes.

    Args:
        events_c, n_c: shape (C,), what is known of each arm; all of them say how alike arms are.
        more_c: shape (C,), outcomes to come.
        m: the rate that is held against, in (0, 1).
        alpha_over, alpha_under: error of each claim; a family's is to be divided beforehand.
        of: shape (C,), which arms are open; None: all.
    """
    e_c, k_c, t_c = (np.asarray(x, dtype=np.float64) for x in (events_c, n_c, more_c))
    open_c = np.ones(e_c.size, dtype=bool) if of is None else np.asarray(of, dtype=bool)
    if not open_c.any():
        return Prospect(under=1.0, over=0.0)
    mean_j, alike_j, log_w_j = _nodes(e_c, k_c)
    e, n, t = e_c[open_c], k_c[open_c], t_c[open_c]
    under, over = under_at(n + t, m, alpha_under), over_at(n + t, m, alpha_over)
    below_u, below_o = _at_most(e, n, t, mean_j, alike_j, np.stack([under - e, over - 1 - e]))
    w_j = np.exp(log_w_j)
    return Prospect(under=float(w_j @ below_u.prod(axis=1)), over=float(w_j @ (1.0 - below_o.prod(axis=1))))


def outcomes_for(chance: Callable[[int], float], wanted: float, *, most: int) -> int | None:
    """The least number of outcomes that has a chance of at least `wanted`, to a part in twenty; None where `most` has
    not."""
    far = 8
    while chance(min(far, most)) < wanted:
        if far >= most:
            return None
        far *= 2
    near, far = far // 2, min(far, most)
    while far - near > max(1, far // 20):
        mid = (near + far) // 2
        near, far = (near, mid) if chance(mid) >= wanted else (mid, far)
    return far


def under_at(n: NDArray[np.float64], m: float, alpha: float) -> NDArray[np.float64]:
    """The largest count of n outcomes at which the rate is claimed to be under m; -1 where none is."""
    return _known(n, _counts(m, alpha, "under"), lambda n, s: log_e_under(s, n, m) >= -math.log(alpha))


def over_at(n: NDArray[np.float64], m: float, alpha: float) -> NDArray[np.float64]:
    """The smallest count of n outcomes at which the rate is claimed to be over m; n + 1 where none is."""
    return _known(n, _counts(m, alpha, "over"), lambda n, s: log_e_over(s, n, m) < -math.log(alpha)) + 1.0


@lru_cache(maxsize=256)
def _counts(m: float, alpha: float, side: str) -> dict[float, float]:
    """Counts that were found, by n: a search looks at the same ones again and again."""
    return {}


def _known(
    n: NDArray[np.float64],
    counts: dict[float, float],
    holds: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]],
) -> NDArray[np.float64]:
    """The largest count at each n, of which only those are sought that are not in `counts`."""
    wanted = n.tolist()
    if new := [value for value in dict.fromkeys(wanted) if value not in counts]:
        of = np.array(new, dtype=np.float64)
        counts.update(zip(new, _count(of, lambda s: holds(of, s)).tolist(), strict=True))
    return np.array([counts[value] for value in wanted], dtype=np.float64)


def _count(n: NDArray[np.float64], holds: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> NDArray[np.float64]:
    """The largest count that a claim holds for which holds for all smaller ones; -1 where it does for none."""
    low, high = np.full(n.shape, -1.0), n + 1.0
    for _ in range(math.ceil(math.log2(float(n.max()) + 2.0))):
        mid = np.floor((low + high) / 2.0)
        fits = holds(np.clip(mid, 0.0, n)) & (mid >= 0)
        low, high = np.where(fits & (mid <= n), mid, low), np.where(fits, high, mid)
    return np.asarray(np.minimum(low, n), dtype=np.float64)


def _nodes(
    e_c: NDArray[np.float64], n_c: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Means and D of arms that the counts leave possible, with the logs of their weights."""
    events, n = float(e_c.sum()), float(n_c.sum())
    means = betaincinv(events + 0.5, n - events + 0.5, (np.arange(MEANS) + 0.5) / MEANS)
    events_worth = ALIKE if e_c.size > 1 else ALIKE[:1]  # one arm says nothing of how alike arms are
    mean_j, alike_j = (x.ravel() for x in np.meshgrid(np.clip(means, 1e-9, 1.0 - 1e-9), np.array(events_worth)))
    alike_j = alike_j / mean_j
    a, b = alike_j * mean_j, alike_j * (1.0 - mean_j)
    log_l = (betaln(e_c + a[:, None], n_c - e_c + b[:, None]) - betaln(a, b)[:, None]).sum(axis=1)
    shape = log_l.reshape(len(events_worth), MEANS)
    # the quantiles of the mean are weighed already: counts choose between ways of being alike
    of_alike = logsumexp(shape, axis=1) - logsumexp(shape)
    return mean_j, alike_j, np.repeat(of_alike - math.log(MEANS), MEANS)


def _at_most(
    e: NDArray[np.float64],
    n: NDArray[np.float64],
    t: NDArray[np.float64],
    mean_j: NDArray[np.float64],
    alike_j: NDArray[np.float64],
    most: NDArray[np.float64],
) -> NDArray[np.float64]:
    """P(K_c <= most_c) for each row of `most`, shape (rows, nodes, arms): K_c beta-binomial, of t_c more outcomes."""
    a = e + (alike_j * mean_j)[:, None]
    b = n - e + (alike_j * (1.0 - mean_j))[:, None]
    k = np.arange(max(1.0, float(min(most.max(), t.max())) + 1.0))
    log_choose = -betaln(k + 1.0, np.maximum(t[:, None] - k, 0.0) + 1.0) - np.log(t[:, None] + 1.0)
    there = k <= t[:, None]
    log_p = (
        np.where(there, log_choose, -np.inf)
        + betaln(k + a[:, :, None], np.maximum(t[:, None] - k, 0.0) + b[:, :, None])
        - betaln(a, b)[:, :, None]
    )
    below = np.concatenate([np.zeros((*log_p.shape[:2], 1)), np.cumsum(np.exp(log_p), axis=2)], axis=2)
    at = np.clip(most + 1.0, 0, k.size).astype(np.int64)
    found = np.stack(
        [
            np.take_along_axis(below, np.broadcast_to(row[None, :, None], (*below.shape[:2], 1)), axis=2)[:, :, 0]
            for row in at
        ]
    )
    return np.where(most[:, None, :] >= t, 1.0, np.minimum(found, 1.0))
