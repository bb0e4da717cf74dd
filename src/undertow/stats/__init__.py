"""Statistics kernel: rates, differences and multiplicity on NumPy and SciPy alone.

Owns the interval formulas. Never reads a file, never knows what an event is, and imports nothing else of the package.
"""

from .differences import Difference, difference_fixed
from .multiplicity import bonferroni, holm
from .rates import Rate, rate_clustered, rate_fixed

__all__ = ["Difference", "Rate", "bonferroni", "difference_fixed", "holm", "rate_clustered", "rate_fixed"]
