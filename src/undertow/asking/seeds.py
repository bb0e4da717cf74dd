"""Seeds of sampling: each request has its own, which hangs on nothing but what it is of."""

from __future__ import annotations

from undertow.files import digest


def seed_of(*what: object) -> int:
    """The seed of a request: 48 bits of a hash of what it is of (a run's seed, who answers, context, question,
    sample)."""
    return int(digest(list(what))[:12], 16)
