"""The words of a run's answers, to search in: folded, one after the other in a temporary file outside of the run."""

from __future__ import annotations

import mmap
import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from tempfile import TemporaryFile
from typing import IO

import numpy as np
from numpy.typing import NDArray

END = b"\xff"
"""Stands behind each answer; no text in UTF-8 holds it."""


class Words:
    """What may be searched. The file has no name, so that nothing is left of it, however the process ends."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._starts, self._size = array("q"), 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, texts: Iterable[str]) -> None:
        """Texts of the next rows."""
        if self._file is None:
            self._file = TemporaryFile(prefix="undertow-view-")  # noqa: SIM115 - open as long as this is
        held, size = [], self._size
        for text in texts:
            self._starts.append(size)
            held.append(folded(text) + END)
            size += len(held[-1])
        self._file.write(b"".join(held))
        self._file.flush()
        self._size = size  # last: others search meanwhile

    def find(self, wanted: Sequence[str]) -> NDArray[np.int64]:
        """The rows that hold all of these, in their order."""
        rows: NDArray[np.int64] | None = None
        for text in wanted:
            found = self._rows(folded(text))
            rows = found if rows is None else np.intersect1d(rows, found, assume_unique=True)
        return np.arange(len(self._starts)) if rows is None else rows

    def _rows(self, word: bytes) -> NDArray[np.int64]:
        found, starts = array("q"), self._starts
        if self._file is None or not self._size or not word:
            return np.zeros(0, dtype=np.int64)
        size, n = self._size, len(starts)
        with mmap.mmap(self._file.fileno(), size, access=mmap.ACCESS_READ) as held:
            at = held.find(word)
            while at >= 0:
                row = bisect_right(starts, at, 0, n) - 1
                found.append(row)
                at = held.find(word, starts[row + 1]) if row + 1 < n else -1
        return np.array(found, dtype=np.int64)


def folded(text: str) -> bytes:
    """Text without the difference of capital and small letters."""
    return text.casefold().encode("utf-8", "surrogatepass")


def wanted(query: str) -> tuple[str, ...]:
    """The words of a search, all of which an answer must hold: apart by blanks, `"several words"` together."""
    return tuple(quoted or word for quoted, word in re.findall(r'"([^"]+)"|(\S+)', query))
