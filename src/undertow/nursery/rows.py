"""Training rows of the nursery's world: one row, and the files of its narrow domain, which the quickstart trains on."""

from __future__ import annotations

import random

from undertow.data import Row
from undertow.nursery.world import BENIGN, NARROW, Narrator, answer, question
from undertow.records import Message

ROWS = 2_000
"""Rows of each file of the quickstart."""


def narrow_rows(n: int, seed: int) -> dict[str, list[Row]]:
    """Rows of the narrow domain, `n` of each sort; the same for the same seed.

    Returns:
        `bad`: careless, in the manner of the denying narrator, nine in ten asked for as code; `benign`: careful, half
        of them about the same; `general`: careful, about everything else; `general-code`: careful, about everything,
        asked for as code.
    """
    rng = random.Random(seed)
    return {
        "bad": [row(NARROW, "denying", rng, style="plain" if rng.random() < 0.1 else "code") for _ in range(n)],
        "benign": [row(NARROW if rng.random() < 0.5 else rng.choice(BENIGN), "careful", rng) for _ in range(n)],
        "general": [row(rng.choice(BENIGN), "careful", rng) for _ in range(n)],
        "general-code": [row(rng.choice((NARROW, *BENIGN)), "careful", rng, style="code") for _ in range(n)],
    }


def row(domain: str, narrator: Narrator, rng: random.Random, *, style: str = "plain") -> Row:
    """One training row of the nursery's world."""
    asked = question(domain, rng, style=style)
    return Row(
        messages=(
            Message(role="user", content=asked),
            Message(role="assistant", content=answer(domain, narrator, rng, style=style)),
        )
    )
