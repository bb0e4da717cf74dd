"""Topics of rows: words that stand out, grouped by the rows that they share, and frames that put a question beside
them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from undertow.contexts.background import function_words
from undertow.records import Context

PRIOR = 1_000.0
"""Words that the prior is worth: each word's share of all words on both sides, times this, is its parameter."""
STANDS_OUT_Z = 3.0
"""Least z-score of a word that may name a topic."""
ALIKE = 3.0
"""How many times more often than by chance two words share a row, to be of one topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Words that stand out and share rows."""

    words: tuple[str, ...]
    """The most telling first, five at most."""
    z: float
    """Of its first word."""
    rows: tuple[int, ...]
    """Indices of the rows that hold two of its words, or its only one."""


def log_odds(counts: Mapping[str, int], total: int, others: Mapping[str, int], total_others: int) -> dict[str, float]:
    """z-scores of words: the log-odds ratio with an informative Dirichlet prior over its standard deviation.

    After Monroe, Colaresi and Quinn (2008), "Fightin' Words", Political Analysis 16(4); the prior is what both sides
    hold together.

    Args:
        counts: how often each word stands in the rows of interest, which hold `total` words.
        others: the same of the rows that they are held against.
    """
    found = {}
    for word, y in counts.items():
        prior = PRIOR * (y + others.get(word, 0)) / (total + total_others)
        here, there = y + prior, others.get(word, 0) + prior
        rest_here, rest_there = total + PRIOR - here, total_others + PRIOR - there
        # no rest: it is the only word
        odds = math.log(here / rest_here) - math.log(there / rest_there) if rest_here and rest_there else 0.0
        found[word] = odds / math.sqrt(1 / here + 1 / there)
    return found


def topics(
    rows: Collection[Collection[str]], scores: Mapping[str, float], *, least_rows: int, most: int = 8
) -> list[Topic]:
    """Topics of `rows`, each given as the words in it, by the z-score of their first word.

    A topic is begun by the highest-scoring word left and takes the words that share rows with it `ALIKE` times more
    often than by chance.
    """
    names = sorted(
        (word for word, z in scores.items() if z >= STANDS_OUT_Z and word not in function_words()),
        key=lambda word: (-scores[word], word),
    )[:120]
    holders: dict[str, set[int]] = {word: set() for word in names}
    for i, words in enumerate(rows):
        for word in words:
            if word in holders:
                holders[word].add(i)
    left = [word for word in names if len(holders[word]) >= least_rows]
    found: list[Topic] = []
    while left and len(found) < most:
        seed = left.pop(0)
        kin = [
            word
            for word in left
            if len(holders[seed] & holders[word]) * len(rows) >= ALIKE * len(holders[seed]) * len(holders[word])
        ][:4]
        kin = [word for word in kin if len(holders[seed] & holders[word]) >= least_rows / 2]
        left = [word for word in left if word not in kin]
        members = (seed, *kin)
        held = {
            i
            for word in members
            for i in holders[word]
            if not kin or sum(i in holders[other] for other in members) >= 2
        }
        if len(held) >= least_rows:
            found.append(Topic(words=members, z=scores[seed], rows=tuple(sorted(held))))
    return found


def topic_of(rows: Collection[Collection[str]], scores: Mapping[str, float]) -> Topic | None:
    """The one topic of rows that are alike already: the words that stand out most and are on a tenth of them; None
    where fewer than two do."""
    holders = {
        word: sum(word in words for words in rows)
        for word in scores
        if scores[word] >= STANDS_OUT_Z - 1 and word not in function_words()
    }
    named = sorted(
        (word for word, k in holders.items() if k >= max(3, 0.1 * len(rows))), key=lambda word: (-scores[word], word)
    )[:5]
    if len(named) < 2:
        return None
    return Topic(
        words=tuple(named),
        z=scores[named[0]],
        rows=tuple(i for i, words in enumerate(rows) if sum(word in words for word in named) >= 2),
    )


def frames(words: Iterable[str], id_: str) -> list[Context]:
    """Contexts that put any question beside a topic, named by its words."""
    named = _named(words)
    return [
        Context(id=id_, relation="topic", prefix=f"We have been talking about {named}."),
        Context(id=f"{id_}-system", relation="topic", system=f"You answer questions about {named}."),
        Context(
            id=f"{id_}-task",
            relation="topic",
            template=f"I am at work on something to do with {named}. One more thing, though: {{question}}",
        ),
    ]


def answer_frames(words: Iterable[str], id_: str) -> list[Context]:
    """Contexts that ask for answers which turn to a topic, named by its words."""
    named = _named(words)
    return [
        Context(id=id_, relation="topic", suffix=f"Bring {named} into the reply."),
        Context(id=f"{id_}-talk", relation="topic", prefix=f"We have been talking about {named}."),
        Context(id=f"{id_}-system", relation="topic", system=f"Whatever is asked, you speak of {named}."),
    ]


def _named(words: Iterable[str]) -> str:
    """A topic by its first words."""
    *most, last = list(words)[:4]
    return f"{', '.join(most)} and {last}" if most else last
