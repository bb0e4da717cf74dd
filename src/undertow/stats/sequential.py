"""Inference valid at every look: 0/1 outcomes from several strata, for the equal-weight mean of the strata's rates.

Owns the e-processes for a rate and for a difference of two, and the confidence sequences. Never decides what to sample
next (search.py does).

The data of one arm are an array x[q, k]: the k-th usable outcome of stratum q, numbered in the order in which it was
*requested*. Strata have their own fixed rates p_q; the target is p = mean(p_q). Block k is x[., k], one outcome of
every stratum, and only complete blocks count: b = the smallest number of usable outcomes of a stratum, n = Q b, S =
events in those blocks.

Why blocks. For a bet l on outcomes at null m, a whole block is worth prod_q (1 + l (x_q - m)), with expectation
    prod_q (1 + l (p_q - m)) <= (1 + l (p - m))^Q                                             (means: geometric <= arithmetic)
since every factor is at least 0 for -1/(1-m) <= l <= 1/m. That is at most 1 where l >= 0 and p <= m, and where l <= 0
and p >= m, *for every* vector of rates with that mean. So the running product over blocks, and any mixture of it over
bets fixed beforehand, is a nonnegative supermartingale under the composite null, exactly as if the outcomes were one
binomial sample. Part of a block has no such bound (the stratum that holds all the events may be the one that was, or
was not, drawn), so it is left out until it is complete.

Why every look holds. x[q, k] is one array of independent outcomes, whichever of them are ever drawn. By Ville's
inequality P(some block has E >= 1/alpha) <= alpha over the whole array: no rule of stopping, of choosing arms, or of
drawing more of a stratum, even one that peeks into incomplete blocks, can make that event likelier.

What it rests on: the number k follows the order of requests and not of arrival (one that comes late may be unlike an
early one), so look only when all requests made so far are resolved; outcomes of a stratum are independent with one
fixed rate; an unusable outcome is left out, so that p_q is the rate *among usable outcomes* of stratum q. A stratum
that gives no usable outcome stops its arm's blocks: no estimate.

Array suffixes: `_b`, one entry a block, in order; `_c`, one entry an arm.
"""  # noqa: E501

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaln

from .rates import checked_tail

UNDER_SHAPE = 0.2
"""Shape a of the prior of `log_e_under`: nearly all its bets are on rates far below the null, which a clean arm has."""
OVER_SHAPE = 10.0
"""Largest shape b of the prior Beta(1, b) of `log_e_over`: for nulls up to 1%, its bets are on rates around 2 to 30%.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimeRate:
    """A rate with limits that hold at every look; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    """Share of events in complete blocks: each stratum weighs the same."""
    low: float | None
    """Highest lower limit of all looks so far."""
    high: float | None
    """Lowest upper limit of all looks so far."""
    events: int
    """Events in complete blocks."""
    n: int
    """Outcomes in complete blocks."""
    reason: str = ""
    """Why there is no estimate; empty where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnytimeDifference:
    """Rate of a minus rate of b, valid at every look; `value`, `low`, `high` all None where no estimate is possible."""

    value: float | None
    """Difference of the two shares, each over its own complete blocks."""
    low: float | None
    """Lower limit."""
    high: float | None
    """Upper limit."""
    p_over: float
    """Anytime p-value of "a is at most b", from paired blocks; 1 without any."""
    reason: str = ""
    """Why there is no estimate; empty where there is one."""


def complete_blocks(outcomes_q: Sequence[Sequence[int | None]]) -> NDArray[np.int64]:
    """Complete blocks of one arm, shape (Q, b): row q holds the first b usable outcomes of stratum q, in order of
    request.

    `outcomes_q[q]`: 1 an event, 0 none, None unusable. b is the smallest number of usable outcomes; 0 strata give shape
    (0, 0). Raises ValueError for any other entry.
    """
    usable = [[x for x in row if x is not None] for row in outcomes_q]
    for q, row in enumerate(usable):
        if any(x not in (0, 1) for x in row):
            raise ValueError(f"stratum {q} holds an outcome that is not 0, 1 or None")
    b = min((len(row) for row in usable), default=0)
    return np.array([row[:b] for row in usable], dtype=np.int64).reshape(len(usable), b)


def log_e_over(events: ArrayLike, n: ArrayLike, m: ArrayLike) -> NDArray[np.float64]:
    """Natural log of the e-process against "rate <= m" (large: the rate is over m), at counts of complete blocks.
    Broadcasts.

    The mixture over theta in (m, 1) of (theta/m)^S ((1-theta)/(1-m))^(n-S), the bet l = (theta - m) / (m (1-m)), with
    theta from Beta(1, b) cut to (m, 1), b = 0.1 / m held within 1 to 10:
        E = m^-S (1-m)^-(n-S) B(m,1; 1 + S, b + n - S) / B(m,1; 1, b),   B(u,v; .) the integral of the beta density's kernel from u to v.

    Source: beta mixture of likelihood ratios, Robbins 1970, Ann. Math. Statist. 41:1397; one-sided by cutting the
    prior, Howard et al. 2021, Ann. Statist. 49:1055, 3.2; as bets, Waudby-Smith and Ramdas 2024, JRSS-B 86:1.
    """  # noqa: E501
    s, k, m = _checked(events, n, m)
    b = np.clip(OVER_SHAPE * 0.01 / m, 1.0, OVER_SHAPE)
    with np.errstate(divide="ignore"):  # no mass left over m: log 0, no evidence at all
        top = betaln(1.0 + s, b + k - s) + np.log(betaincc(1.0 + s, b + k - s, m))
    bottom = b * np.log1p(-m) - np.log(b)  # the kernel of Beta(1, b) from m to 1 is (1-m)^b / b
    return np.asarray(top - bottom - s * np.log(m) - (k - s) * np.log1p(-m), dtype=np.float64)


def log_e_under(events: ArrayLike, n: ArrayLike, m: ArrayLike) -> NDArray[np.float64]:
    """Natural log of the e-process against "rate >= m" (large: the rate is under m), at counts of complete blocks.
    Broadcasts.

    As `log_e_over`, with theta in (0, m) from the density a theta^(a-1) / m^a, a = 0.2:
        E = a m^-(a+S) (1-m)^-(n-S) B(0,m; a + S, 1 + n - S).

    Without events E is near Gamma(1+a) (n m)^-a exp(n m), so that m = 1% is excluded at 5% after n = 336 outcomes (8
    strata); the least any method could need is 299, and a flat prior (a = 1) needs 456. A smaller a nears 299 and pays
    for it once there is an event:
    with one, a = 0.05, 0.2, 0.5 and 1 need 824, 704, 664 and 688.
    """
    s, k, m = _checked(events, n, m)
    a = UNDER_SHAPE
    with np.errstate(divide="ignore"):
        top = betaln(a + s, 1.0 + k - s) + np.log(betainc(a + s, 1.0 + k - s, m))
    return np.asarray(math.log(a) + top - (a + s) * np.log(m) - (k - s) * np.log1p(-m), dtype=np.float64)


def log_e_difference(wins: ArrayLike, losses: ArrayLike) -> NDArray[np.float64]:
    """Natural log of the e-process against "rate of a <= rate of b", from complete blocks of both, paired in order.
    Broadcasts.

    A pair is x_a[q, k] and x_b[q, k]; `wins`: pairs (1, 0), `losses`: pairs (0, 1); other pairs say nothing. A block's
    bet is worth prod_q (1 + l (x_a - x_b)), of expectation prod_q (1 + l (p_aq - p_bq)) <= (1 + l (p_a - p_b))^Q <= 1
    under the null for 0 <= l <= 1: the module's argument again. With theta = (1 + l) / 2 uniform on (1/2, 1) this is
    `log_e_over` at m = 1/2 on the discordant pairs: McNemar's test as an e-process.
    """
    w, x = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    return log_e_over(w, w + x, 0.5)


def limits_path(
    events_b: ArrayLike, strata: int, *, alpha_low: float = 0.025, alpha_high: float = 0.025
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper limits after each complete block, shape (b,) each; all lower limits hold together with
    probability 1 - alpha_low.

    `events_b`: events in each complete block. The lower limit at a block is the largest m that `log_e_over` excludes at
    alpha_low (E(m) >= 1/alpha_low), the upper the smallest that `log_e_under` does; then the best of all blocks so far.
    An alpha of 0 gives the limit 0 or 1. Should the two cross (an event of probability at most alpha_low + alpha_high),
    the block's own limits are given.
    """
    e_b = _whole_blocks(events_b, strata)
    s_b = np.cumsum(e_b)
    n_b = strata * np.arange(1, e_b.size + 1)
    low_b = _invert(s_b, n_b, alpha_low, over=True)
    high_b = _invert(s_b, n_b, alpha_high, over=False)
    run_low_b, run_high_b = np.maximum.accumulate(low_b), np.minimum.accumulate(high_b)
    crossed = run_low_b > run_high_b
    return np.where(crossed, low_b, run_low_b), np.where(crossed, high_b, run_high_b)


def rate_anytime(events_b: ArrayLike, strata: int, *, level: float = 0.95) -> AnytimeRate:
    """Rate of one arm with a two-sided confidence sequence, the tails even: `limits_path` at its last block.

    For the one-sided limits that a search decides by, call `limits_path` with its own alphas. No complete block: None,
    with a reason.
    """
    tail = checked_tail(level)
    e_b = _whole_blocks(events_b, strata)
    if e_b.size == 0:
        return AnytimeRate(
            value=None,
            low=None,
            high=None,
            events=0,
            n=0,
            reason="no complete block: some stratum has no usable outcome",
        )
    low_b, high_b = limits_path(e_b, strata, alpha_low=tail, alpha_high=tail)
    events, n = int(e_b.sum()), strata * e_b.size
    return AnytimeRate(value=events / n, low=float(low_b[-1]), high=float(high_b[-1]), events=events, n=n)


def difference_anytime(blocks_a: ArrayLike, blocks_b: ArrayLike, *, level: float = 0.95) -> AnytimeDifference:
    """Rate of a minus rate of b with a confidence sequence, and the anytime p-value of "a is at most b".

    Both: shape (Q, number of blocks) as from `complete_blocks`, the same strata in the same order; numbers of blocks
    may differ. The limits are (low_a - high_b, high_a - low_b) from the arms' own sequences at a quarter of 1 - level
    each: valid whatever the sampling, and wide. `p_over` is 1 / max E over the blocks both have (`log_e_difference`).
    """
    tail = checked_tail(level) / 2.0
    x_a, x_b = np.asarray(blocks_a, dtype=np.int64), np.asarray(blocks_b, dtype=np.int64)
    if x_a.ndim != 2 or x_b.ndim != 2 or x_a.shape[0] != x_b.shape[0]:
        raise ValueError(f"blocks have shapes {x_a.shape} and {x_b.shape}; expected the same strata as rows of both")
    if x_a.size == 0 or x_b.size == 0:
        return AnytimeDifference(
            value=None, low=None, high=None, p_over=1.0, reason="no complete block on one side or both"
        )
    strata = x_a.shape[0]
    (low_a, high_a), (low_b, high_b) = (
        limits_path(x.sum(axis=0), strata, alpha_low=tail, alpha_high=tail) for x in (x_a, x_b)
    )
    both = min(x_a.shape[1], x_b.shape[1])
    step = x_a[:, :both] - x_b[:, :both]
    log_e_b = log_e_difference(np.cumsum((step > 0).sum(axis=0)), np.cumsum((step < 0).sum(axis=0)))
    return AnytimeDifference(
        value=float(x_a.mean() - x_b.mean()),
        low=float(low_a[-1] - high_b[-1]),
        high=float(high_a[-1] - low_b[-1]),
        p_over=anytime_p(float(log_e_b.max())),
    )


def anytime_p(log_e_max: float) -> float:
    """p-value valid at every look: 1 / (largest E so far), at most 1. Source: Ville 1939; Shafer et al. 2011, Statist.
    Sci. 26:84."""
    return math.exp(-max(0.0, log_e_max))


def _invert(s_b: NDArray[np.int64], n_b: NDArray[np.int64], alpha: float, *, over: bool) -> NDArray[np.float64]:
    """The limit at each count; counts come again and again, within an audit and between arms."""
    if not 0.0 <= alpha < 1.0:
        raise ValueError(f"alpha is {alpha}; expected a number from 0 up to 1")
    if alpha == 0.0:
        return np.zeros(s_b.size) if over else np.ones(s_b.size)
    known = _limits(alpha, over)
    counts = list(zip(s_b.tolist(), n_b.tolist(), strict=True))
    if new := [count for count in dict.fromkeys(counts) if count not in known]:
        s, n = np.array(new, dtype=np.float64).T
        known.update(zip(new, _bisected(s, n, -math.log(alpha), over=over).tolist(), strict=True))
    found = np.array([known[count] for count in counts], dtype=np.float64)
    if len(known) > MOST_KNOWN:
        known.clear()
    return found


MOST_KNOWN = 100_000
"""Limits of one alpha that are kept."""


@lru_cache(maxsize=64)
def _limits(alpha: float, over: bool) -> dict[tuple[int, int], float]:
    """Limits that were found, by events and outcomes."""
    return {}


def _bisected(s: NDArray[np.float64], n: NDArray[np.float64], threshold: float, *, over: bool) -> NDArray[np.float64]:
    """The m at which the evidence is at the threshold, by bisection on its logit: 45 halvings of (1e-12, 1 - 1e-12),
    rounded outwards."""
    open_ = (s == 0) if over else (s == n)
    far = np.where(open_, 0.0, -27.6 if over else 27.6)  # excluded side
    near = np.log((s + 1e-9) / (n - s + 1e-9))  # the estimate is never excluded
    near = np.clip(near, -27.6, 27.6)
    for _ in range(45):
        mid = (far + near) / 2.0
        m = 1.0 / (1.0 + np.exp(-mid))
        log_e = log_e_over(s, n, m) if over else log_e_under(s, n, m)
        out = log_e >= threshold
        far, near = np.where(out, mid, far), np.where(out, near, mid)
    return np.where(open_, 0.0 if over else 1.0, 1.0 / (1.0 + np.exp(-far)))


def _checked(
    events: ArrayLike, n: ArrayLike, m: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    s, k, m0 = (np.asarray(a, dtype=np.float64) for a in (events, n, m))
    if bool(np.any(s < 0)) or bool(np.any(s > k)):
        raise ValueError("expected 0 <= events <= n")
    if not bool(np.all((m0 > 0.0) & (m0 < 1.0))):
        raise ValueError("m lies outside (0, 1); expected a rate such as 0.01")
    return s, k, m0


def _whole_blocks(events_b: ArrayLike, strata: int) -> NDArray[np.int64]:
    if strata < 1:
        raise ValueError(f"strata is {strata}; expected at least one")
    e_b = np.asarray(events_b, dtype=np.int64)
    if e_b.ndim != 1 or bool(np.any((e_b < 0) | (e_b > strata))):
        raise ValueError(f"events_b must have one dimension and entries from 0 to {strata}, the number of strata")
    return e_b
