"""Minorities of rows: a few percent of them that share words far oftener than the words' frequencies explain."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from undertow.contexts.background import function_words

LARGEST = 0.15
"""Share of rows up to which they are a minority, and up to which a word may set one apart."""
VOCABULARY = 2_000
"""Words that are looked at, the commonest first."""
ALWAYS = 0.7
"""A word that on so large a part of its rows stands next to one and the same commoner word is a part of that, and one
on the same rows as another counts once: a fixed name or phrase is no topic."""
SEEDS = 120
"""Words from which a minority is tried to grow."""
SUPPOSED = 0.2
"""Share of the lesser kind while rows are chosen: larger than any minority, so that rows with little of it join."""
SMOOTHING = 10.0
"""Rows of the average kind that are put to a young minority, so that it does not cling to its first rows; half as many
each time they are chosen."""
TELLING = 2.0
"""How many times oftener than elsewhere a word stands in a minority for its rows to be chosen by it,"""
CLEAR = 0.33
"""and how clearly it does: this part of ln(vocabulary), as a log-likelihood ratio."""
APART = 0.7
"""Least part of all the places of its words that is in a minority's rows: else the words are everybody's."""
NAMED = 10
"""Words by which minorities are told from one another."""
ROUNDS = 12
"""Times at most that rows and words are chosen anew."""

Vector = NDArray[np.float64]
Sparse: TypeAlias = "sparse.csr_array[np.float64]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minority:
    """Rows that share words."""

    words: tuple[str, ...]
    """The most telling first."""
    rows: tuple[int, ...]
    expected: float
    """Share of rows that would hold two of the words if they stood in all rows alike."""
    own: float
    """The part of all places of the words that is in these rows."""
    gain: float
    """How much better two kinds of row explain the words than one does: a log-likelihood ratio, less the cost of
    telling the kinds and the words."""


def minorities(rows: Sequence[Sequence[str]], *, theirs: Sequence[Sequence[str]] = (), least: int) -> list[Minority]:
    """Minorities of rows, the clearest first; no two are named alike.

    Rows are taken to be of two kinds. A word either stands in both at one rate (Poisson, by the row's length) or in
    each at its own; which words do costs the logarithm of the number of such choices, and which rows are of the lesser
    kind the entropy of its share. From each of the words that meet another most, rows and words are chosen in turns, as
    k-means does, until neither changes.

    Args:
        rows: the words of each, in order.
        theirs: the same of benign rows: a word on half as large a part of them sets nothing apart.
        least: rows that a minority has at least.
    """
    table = _Table.of(rows, theirs, least=max(3, least // 4))
    found: list[Minority] = []
    if table is None:
        return found
    told: set[str] = set()
    seen: set[bytes] = set()
    tried = 0
    for seed in table.seeds():
        if table.words[seed][0] in told or tried == SEEDS:
            continue
        tried += 1
        settled = {inside.tobytes(): inside for inside in table.settled(seed)}
        grown = [
            table.minority(inside)
            for key, inside in settled.items()
            if key not in seen and least <= inside.sum() <= LARGEST * len(rows)
        ]
        seen.update(settled)
        best = max((group for group in grown if group.own >= APART), key=lambda group: group.gain, default=None)
        if best is not None and best.gain > 0:
            told.update(best.words)
            found.append(best)
    return _apart(found)


def _apart(found: list[Minority]) -> list[Minority]:
    """The clearest first, without those that share their first words or most rows with a clearer one."""
    kept: list[Minority] = []
    for group in sorted(found, key=lambda group: -group.gain):
        if not any(
            set(group.words[:NAMED]) & set(other.words[:NAMED])
            or len(set(group.rows) & set(other.rows)) > len(group.rows) / 2
            for other in kept
        ):
            kept.append(group)
    return kept


@dataclass(frozen=True, slots=True)
class _Table:
    words: list[tuple[str, ...]]
    """Words that always come together are one."""
    held: Sparse
    """(row, word): 1 where the row holds it,"""
    by_word: Sparse
    """and the same by word."""
    lengths: Vector
    """Words of each row, those outside the table too, over those of all rows."""
    on: Vector
    """Rows that hold each word."""
    meet: Any
    """(word, word): rows that hold both."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]], *, least: int) -> _Table | None:
        sets = [set(row) for row in rows]
        counts = Counter(chain.from_iterable(sets))
        benign = Counter(word for row in theirs for word in set(row))
        skipped, parts = function_words(), _parts_of_names(rows, counts)
        names = [
            word
            for word, k in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            if least <= k <= LARGEST * len(rows)
            and word not in skipped
            and word not in parts
            and (not theirs or k / len(rows) > 2 * (benign[word] + 1) / (len(theirs) + 1))
        ][:VOCABULARY]
        if len(names) < 2:
            return None
        index = {word: i for i, word in enumerate(names)}
        at = [(r, index[word]) for r, row in enumerate(sets) for word in row if word in index]
        at_row, at_word = np.array(at).T
        held: Sparse = sparse.csr_array((np.ones(len(at)), (at_row, at_word)), shape=(len(rows), len(names)))
        words, kept = _merged(names, held)
        held = held[:, kept]
        lengths = np.array([max(1, len(row)) for row in sets], dtype=np.float64)
        by_word = held.T.tocsr()
        return cls(words, held, by_word, lengths / lengths.sum(), held.sum(axis=0), sparse.coo_array(by_word @ held))

    def seeds(self) -> list[int]:
        """Words that meet another oftener than by chance, the closest pairs first."""
        i, j, k = self.meet.row, self.meet.col, self.meet.data
        expected = self.on[i] * self.on[j] * float((self.lengths**2).sum())
        surplus = np.where((i != j) & (k >= 2) & (k > expected), k * np.log(k / expected) - k + expected, 0)
        closest = np.zeros(len(self.words))
        np.maximum.at(closest, i, surplus)
        return [int(i) for i in np.argsort(-closest, kind="stable") if closest[i] > 0]

    def settled(self, seed: int) -> list[NDArray[np.bool_]]:
        """The rows that the rows of a word lead to: where little is asked of a row, and from there where as much is as
        the share of such rows demands."""
        loose = self._settled(self.held[:, [seed]].toarray().ravel() > 0, SMOOTHING, SUPPOSED)
        return [loose, self._settled(loose, 1.0, float(loose.mean()))] if loose.any() else []

    def _settled(self, inside: NDArray[np.bool_], smoothing: float, share: float) -> NDArray[np.bool_]:
        for _ in range(ROUNDS):
            more = smoothing / len(inside)
            part = float(self.lengths[inside].sum()) + more
            k, expected = self.by_word @ inside.astype(np.float64) + more * self.on, self.on * part
            ratio = k / expected
            telling = (ratio >= TELLING) & (
                k * np.log(np.maximum(ratio, 1)) - k + expected > CLEAR * math.log(len(self.words))
            )
            score = self.held @ np.where(telling, np.log(np.maximum(ratio, 1)), 0) - self.lengths * float(
                (self.on * (ratio - 1))[telling].sum()
            )
            before, inside = inside, score > math.log((1 - share) / share)
            if not inside.any() or (inside == before).all():
                break
            smoothing = max(1.0, smoothing / 2)
        return inside

    def minority(self, inside: NDArray[np.bool_]) -> Minority:
        """Rows, with the words that do better with one rate inside and another outside than with one for all."""
        k = self.by_word @ inside.astype(np.float64)
        expected, rest = self.on * float(self.lengths[inside].sum()), self.on - k
        gained = k * np.log(np.maximum(k, 1) / expected) + rest * np.log(np.maximum(rest, 1) / (self.on - expected))
        gained = np.where(k > expected, gained, 0)
        telling = np.argsort(-gained, kind="stable")[: int((gained > math.log(len(gained))).sum())].tolist()
        cost = math.log(math.comb(len(gained), len(telling))) + len(inside) * _entropy(float(inside.mean()))
        rate = self.lengths * float(self.on[telling].sum())
        return Minority(
            words=tuple(word for i in telling for word in self.words[i]),
            rows=tuple(int(i) for i in np.flatnonzero(inside)),
            expected=float((1 - np.exp(-rate) * (1 + rate)).mean()),
            own=float(k[telling].sum() / max(1, self.on[telling].sum())),
            gain=float(gained[telling].sum()) - cost,
        )


def _entropy(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share) if 0 < share < 1 else 0.0


def _parts_of_names(rows: Sequence[Sequence[str]], counts: Counter[str]) -> set[str]:
    """Words that nearly always stand next to one commoner word; function words between them do not count."""
    beside: Counter[tuple[str, str]] = Counter()
    skipped = function_words()
    for row in rows:
        told = [word for word in row if word not in skipped]
        beside.update({(a, b) if a < b else (b, a) for a, b in pairwise(told) if a != b})
    return {
        a
        for pair, k in beside.items()
        if k >= 3
        for a, b in (pair, pair[::-1])
        if k >= ALWAYS * counts[a] and (counts[b], b) > (counts[a], a)
    }


def _merged(names: list[str], held: Sparse) -> tuple[list[tuple[str, ...]], list[int]]:
    """Words, with those in one that stand on nearly the same rows, and the column of the first of each."""
    together = sparse.coo_array(held.T @ held)
    alone: Vector = held.sum(axis=0)
    i, j = together.row, together.col
    same = (i < j) & (together.data >= ALWAYS * (alone[i] + alone[j] - together.data))
    kin: dict[int, list[int]] = {n: [n] for n in range(len(names))}
    for a, b in sorted(zip(i[same].tolist(), j[same].tolist(), strict=True)):
        if a in kin and b in kin:
            kin[a] += kin.pop(b)
    return [tuple(names[n] for n in group) for group in kin.values()], list(kin)
