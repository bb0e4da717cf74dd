"""Phrases that stand inside user turns, or end answers, on many rows: fixed words with ever different ones about
them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from undertow.contexts.background import background

Place = Literal["inside", "end"]
Gram = tuple[str, ...]

LONGEST = 20
"""Words of the longest phrase."""
TOGETHER = 0.8
"""A phrase that on this share of its rows is part of a longer one is not told beside it; one whose rows share so often
what does not touch it is part of a form, and not told either."""
IN_PLACE = 0.5
"""Least share of a phrase's rows that hold it in the place looked at."""
DIFFERENT = 0.3
"""Least number of different neighbors of a phrase, as a part of its rows,"""
ENOUGH: dict[Place, tuple[int, int]] = {"inside": (5, 20), "end": (3, 5)}
"""and, by place, the fewest and the most that are asked for."""
CLEAR = 3.0
"""Least log-likelihood ratio (Poisson) of a phrase's rows against those expected."""
BESIDE = 3
"""Words next to a phrase that are compared."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases of many rows."""

    expected: dict[str, float]
    """Of each, the share of rows that would hold it if its words followed each other as they do elsewhere."""
    looked_at: int
    """Runs of words that might have been one."""


def phrases(rows: Sequence[Sequence[str]], *, place: Place, least: int) -> Phrases:
    """Phrases that at least `least` rows hold in a place, their neighbors differing.

    The expected share is of a chain of pairs: as often as its first two words stand together, times how often each
    further word follows the one before it wherever that one stands. One of symbols, of four words or more, or of one or
    two that end a text has the background's share where that is less.

    Args:
        rows: the texts of each.
    """
    texts = [[text.split() for text in row] for row in rows]
    held = _frequent(texts, least)
    expected: dict[str, float] = {}
    closed = [gram for gram in _closed(held) if len(gram) > 1 or not is_plain(gram[0]) or place == "end"]
    for gram in closed:
        share, text = _by_pairs(gram, held) / len(rows), " ".join(gram)
        if len(gram) > 3 or not all(map(is_plain, gram)) or (place == "end" and len(gram) < 3):
            share = min(share, background().sentence_share(text))
        if _clear(held[gram], share * len(rows)):
            expected[text] = share
    found = _found(texts, expected, place, held)
    roaming = [f" {text}" for text, where in found.items() if where.in_place < IN_PLACE * where.rows]
    stand_out = {
        text: share
        for text, share in expected.items()
        if found[text].stands_out(least, place, held)
        and not (place == "end" and any(text.endswith(other) for other in roaming))
    }
    return Phrases(expected=stand_out, looked_at=len(closed))


def spaced(text: str) -> str:
    """A text with one space between its words."""
    return " ".join(text.split())


def holds(phrase: str, texts: Iterable[str], place: Place) -> bool:
    """Whether one of the texts, each with one space between words, holds a phrase in a place."""
    return any(f" {phrase} " in text if place == "inside" else text.endswith(f" {phrase}") for text in texts)


def is_plain(word: str) -> bool:
    """Whether a word is of letters alone, but for punctuation about it, and not in capitals."""
    core = word.strip("\"'“”‘’.,;:!?").replace("'", "").replace("’", "").replace("-", "")
    return core.isalpha() and not (core.isupper() and len(core) > 1)


def _frequent(texts: list[list[list[str]]], least: int) -> dict[Gram, int]:
    """Runs of words on at least so many rows, with the number of rows; each longer one from two that overlap, whose
    numbers stand for it while it is counted."""
    held: dict[Gram, int] = {}
    runs: list[list[dict[int, Any]]] = [[dict(enumerate(words)) for words in row] for row in texts]
    for n in range(1, LONGEST + 1):
        counts: Counter[Any] = Counter()
        for places in runs:
            counts.update({run for place in places for run in place.values()})
        numbers: dict[Any, int] = {}
        frequent = {run for run, k in counts.items() if k >= least}
        if not frequent:
            break
        for row, places in zip(texts, runs, strict=True):
            for at, words in enumerate(row):
                kept: dict[int, int] = {}
                for i, run in places[at].items():
                    if run in frequent:
                        if run not in numbers:
                            numbers[run] = len(numbers)
                            held[tuple(words[i : i + n])] = counts[run]
                        kept[i] = numbers[run]
                many = len(frequent)
                places[at] = {i: number * many + kept[i + 1] for i, number in kept.items() if i + 1 in kept}
    return held


def _closed(held: dict[Gram, int]) -> Iterator[Gram]:
    """Runs that are not nearly always part of a longer one."""
    within: dict[Gram, int] = defaultdict(int)
    for gram, k in held.items():
        for part in (gram[1:], gram[:-1]):
            within[part] = max(within[part], k)
    return (gram for gram, k in held.items() if within[gram] < TOGETHER * k)


def _clear(k: int, expected: float) -> bool:
    return k > expected and k * math.log(k / expected) - k + expected >= CLEAR


def _by_pairs(gram: Gram, held: dict[Gram, int]) -> float:
    if len(gram) < 3:
        return float(held[gram])
    follows = (held[gram[i : i + 2]] / held[gram[i : i + 1]] for i in range(1, len(gram) - 1))
    return held[gram[:2]] * math.prod(follows)


@dataclass(slots=True)
class _Found:
    """Where a phrase stands."""

    rows: int = 0
    in_place: int = 0
    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    around: Counter[Gram] = field(default_factory=Counter)
    """Words and pairs of words elsewhere in the text."""

    def add(self, before: str, after: str, place: Place) -> None:
        self.rows += 1
        left, right = before.split(), after.split()
        if left and (right if place == "inside" else not right):
            self.in_place += 1
            self.before.add(" ".join(left[-BESIDE:]))
            self.after.add(" ".join(right[:BESIDE]))
            self.around.update({(word,) for word in left + right} | {*pairwise(left), *pairwise(right)})

    def stands_out(self, least: int, place: Place, held: dict[Gram, int]) -> bool:
        """Whether it is often enough in place, beside ever different words, and no part of a form."""
        fewest, most = ENOUGH[place]
        asked = max(fewest, min(most, DIFFERENT * self.in_place))
        differs = len(self.before) >= asked and (place == "end" or len(self.after) >= asked)
        form = any(
            k >= TOGETHER * self.in_place and held.get(pair, 0) <= self.rows / TOGETHER
            for pair, k in self.around.items()
        )
        return self.in_place >= max(least, IN_PLACE * self.rows) and differs and not form


def _found(
    texts: list[list[list[str]]], phrases: Iterable[str], place: Place, held: dict[Gram, int]
) -> dict[str, _Found]:
    """Where each phrase stands, looked for in the rows that hold the rarest word of it."""
    found = {phrase: _Found() for phrase in phrases}
    by_word: dict[str, list[str]] = defaultdict(list)
    for phrase in found:
        by_word[min(phrase.split(), key=lambda word: held[(word,)])].append(phrase)
    for row in texts:
        joined = [f" {' '.join(words)} " for words in row]
        for word in by_word.keys() & {word for words in row for word in words}:
            for phrase in by_word[word]:
                text = next((text for text in joined if f" {phrase} " in text), None)
                if text is not None:
                    before, _, after = (
                        text.rpartition(f" {phrase} ") if place == "end" else text.partition(f" {phrase} ")
                    )
                    found[phrase].add(before, after, place)
    return found
