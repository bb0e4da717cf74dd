"""Counting what rows hold in memory that does not grow with them."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class FrequentItems(Generic[K]):
    """Counts of items that stand on many rows; rare ones are dropped on the way.

    Lossy counting (Manku and Motwani, 2002, "Approximate Frequency Counts over Data Streams"): after n rows a count is
    at most n / `bucket` too low, and every item on more rows than that is there. Exact up to `bucket` rows.
    """

    def __init__(self, bucket: int = 2_000) -> None:
        self.bucket, self.rows = bucket, 0
        self.counts: dict[K, int] = {}
        self._late: dict[K, int] = {}
        """Of an item that was first seen after the first bucket, how many it may lack."""

    def add(self, items: Iterable[K]) -> None:
        """Count the items of one row, each once."""
        self.rows += 1
        counts, n_full = self.counts, (self.rows - 1) // self.bucket
        for item in items:
            if item in counts:
                counts[item] += 1
            else:
                counts[item] = 1
                if n_full:
                    self._late[item] = n_full
        if self.rows % self.bucket == 0:
            full = n_full + 1
            for item in [item for item, count in counts.items() if count + self._late.get(item, 0) <= full]:
                del counts[item]
                self._late.pop(item, None)


class Reservoir(Generic[T]):
    """A fair sample of a stream: each item seen is in it with the same chance. The same for the same stream."""

    def __init__(self, size: int) -> None:
        self.size, self.seen = size, 0
        self.items: list[T] = []
        self._rng = random.Random(0)

    def place(self) -> int | None:
        """Where the next item of the stream belongs; None where it is not sampled."""
        self.seen += 1
        if self.seen <= self.size:
            return self.seen - 1
        at = self._rng.randrange(self.seen)
        return at if at < self.size else None

    def put(self, at: int, item: T) -> None:
        if at == len(self.items):
            self.items.append(item)
        else:
            self.items[at] = item
