"""How alike short texts are: cosines of word counts weighted by rarity (TF-IDF), and which texts are of a kind with a
collection by the likeness that its own members have."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

WORD = re.compile(r"\w+", re.UNICODE)
BLOCK = 500
"""Texts that are held against all others at once."""
RARE = 0.05
"""Share of a collection's members that are less like their nearest than what counts as its likeness."""
SLACK = 0.75
"""Part of that likeness from which on a text is of a kind: one that names what no member names is less alike."""


def nearest(texts: Sequence[str], among: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The likeness, 0 to 1, of each of `texts` to the nearest of `among`; and of each of those to the nearest other.

    Words weigh log((1 + N) / (1 + n)) + 1, with n of the N members of `among` that hold them (Sparck Jones 1972, as
    scikit-learn smooths it); words that none holds lengthen a text and meet nothing.
    """
    bags = [Counter(WORD.findall(text.casefold())) for text in (*among, *texts)]
    of_word: Counter[str] = Counter(word for bag in bags[: len(among)] for word in bag)
    number = {word: k for k, word in enumerate(dict.fromkeys(word for bag in bags for word in bag))}
    weight = {word: math.log((1 + len(among)) / (1 + of_word[word])) + 1 for word in number}
    rows = [k for k, bag in enumerate(bags) for _ in bag]
    columns = [number[word] for bag in bags for word in bag]
    values = [(1 + math.log(n)) * weight[word] for bag in bags for word, n in bag.items()]
    table = sparse.csr_matrix((values, (rows, columns)), shape=(len(bags), len(number)))
    norms = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    unit = sparse.csr_matrix(sparse.diags(1 / np.where(norms > 0, norms, 1)) @ table)
    own, others = unit[: len(among)], unit[len(among) :]
    return _highest(others, own), _highest(own, own, but_itself=True)


def _highest(some: Any, among: Any, *, but_itself: bool = False) -> NDArray[np.float64]:
    """The highest product of each row with the rows of another table, so many at a time as there is room for."""
    found = [np.zeros(0)]
    for start in range(0, some.shape[0], BLOCK):
        products = (some[start : start + BLOCK] @ among.T).toarray()
        if but_itself:
            at = np.arange(len(products))
            products[at, start + at] = 0
        found.append(products.max(axis=1, initial=0.0))
    return np.concatenate(found)


def of_a_kind(texts: Sequence[str], among: Sequence[str]) -> list[bool]:
    """Which texts are nearly as like some member of a collection (`SLACK`) as all but `RARE` of its members are like
    another."""
    likeness, inside = nearest(texts, among)
    least = SLACK * float(np.quantile(inside, RARE))
    return [bool(0 < like >= least) for like in likeness]
