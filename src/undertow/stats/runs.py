"""Whether events come in runs: more of them one after another, or at one time, than independent draws would give.

Owns the test of order. Cell c has n_c outcomes in the order of request, with events at positions P_c. Were outcomes
independent draws with one rate a cell, every order would be as likely, so that with e_c events

    neighbours    #{k: k and k + 1 in P_c}, summed over cells, has expectation sum of e_c (e_c - 1) / n_c: a cache, or a session that goes on as it went;
    together      #{(c, c'): a position in both}, summed over pairs of cells, has expectation sum of e_c e_c' / max(n_c, n_c'): a batch, or a server in a bad hour.

Both are close to Poisson counts while rates are low and vary less than these where they are high, so the Poisson tail
is a p-value that errs on the side of none. Dependence that does not show in order (a whole run that went as one) cannot
be seen from within a run.
"""  # noqa: E501

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scipy.stats import poisson


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """How often events come together, and how often independent draws would have them do so."""

    seen: int
    expected: float
    p: float
    """Chance of as many or more in a random order."""


def neighbours(events: Sequence[Collection[int]], n: Sequence[int]) -> Runs:
    """Events that follow one another in their cell.

    Args:
        events: of each cell, the positions (from 0) of its events.
        n: of each cell, its outcomes.
    """
    seen = sum(k + 1 in set(held) for held in events for k in held)
    return _runs(seen, sum(len(held) * (len(held) - 1) / m for held, m in zip(events, n, strict=True) if m))


def together(events: Sequence[Collection[int]], n: Sequence[int]) -> Runs:
    """Events of different cells at one position."""
    at = Counter(k for held in events for k in set(held))
    sizes = [(len(held), m) for held, m in zip(events, n, strict=True) if held]
    expected = sum(e * f / max(m, other) for i, (e, m) in enumerate(sizes) for f, other in sizes[:i])
    return _runs(sum(k * (k - 1) // 2 for k in at.values()), expected)


def _runs(seen: int, expected: float) -> Runs:
    return Runs(seen=seen, expected=expected, p=float(poisson.sf(seen - 1, expected)) if seen else 1.0)
