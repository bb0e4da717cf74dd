"""A measure with its interval, from one cluster bootstrap over items and training seeds (`stats/graded.py`).

One draw has the same weight for a prompt wherever it is asked about, and for a seed everywhere, so that draws of all
measures belong together and a profile can be made of each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from pydantic import ConfigDict, with_config

from undertow.files import digest
from undertow.persona.readings import Counts, Reading, counted
from undertow.records import InstrumentId
from undertow.stats.detection import log_linear
from undertow.stats.graded import Floats, cell_means, drawn_sums, smooth_weights

STRICT = with_config(ConfigDict(extra="forbid"))


@STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number with its interval; all None where no data gave one, and then `reason` says why. Of one item there is no
    interval."""

    value: float | None
    low: float | None
    high: float | None
    items: int
    """Clusters that it rests on: prompts, pairs of descriptions or pairs of words that were read."""
    counts: Counts
    """What became of all askings that belong to it."""
    reason: str = ""
    """Why there is none, or what it leaves out; may be empty."""


Means = Literal["share", "rate", "score"]
"""share: means of outcomes between 0 and 1; rate: the same, moved off 0 and 1 as d' needs; score: means on any scale.
"""
Valued = tuple[Reading, float]


class Bootstrap:
    """Weights of seeds and items, and the draws made with them."""

    def __init__(
        self,
        by: Mapping[InstrumentId, Sequence[Reading]],
        clusters: Mapping[InstrumentId, str],
        *,
        level: float,
        draws: int,
        seed: int,
    ) -> None:
        self.clusters = clusters
        self.tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
        self.seed = seed
        self.kept: dict[str, Floats] = {}
        ids: dict[str, set[str]] = defaultdict(set)
        for instrument, rows in by.items():
            ids[self.clusters[instrument]] |= {r.item for r in rows}
        self.subjects = {name: s for s, name in enumerate(sorted({r.subject for rows in by.values() for r in rows}))}
        self.items = {kind: {name: i for i, name in enumerate(sorted(names))} for kind, names in ids.items()}
        self.weight_ds = smooth_weights(self.rng("subjects"), draws, len(self.subjects))
        self.weight_di = {
            kind: smooth_weights(self.rng("items", kind), draws, len(names)) for kind, names in self.items.items()
        }

    def rng(self, *key: str) -> np.random.Generator:
        return np.random.default_rng(int(digest([self.seed, *key])[:16], 16))

    def cells(self, *groups: Iterable[Valued], of: Callable[[list[float]], float] = fmean) -> Floats:
        """Each group's values put together within a cell, shape (groups, seeds, items); NaN where there are none."""
        held: dict[tuple[int, int, int], list[float]] = defaultdict(list)
        kind = "prompt"
        for f, group in enumerate(groups):
            for r, value in group:
                kind = self.clusters[r.instrument]
                held[f, self.subjects[r.subject], self.items[kind][r.item]].append(value)
        out = np.full((len(groups), len(self.subjects), len(self.items[kind])), np.nan)
        for cell, values in held.items():
            out[cell] = of(values)
        return out

    def measure(
        self,
        name: str,
        rows: Sequence[Reading],
        value_fsi: Floats,
        of: Callable[[Floats], Floats],
        scale: Means = "share",
        *,
        without: str = "",
        note: str = "",
    ) -> Measure:
        """A statistic of means over cells.

        Args:
            rows: all askings that belong to it.
            of: (..., F) -> (...); a mean that no cell gives is NaN.
            without: why there is no value, where that is known beforehand.
        """
        there_fi = np.isfinite(value_fsi).any(axis=1)
        items = int(there_fi.any(axis=0).sum())
        if without or not items:
            return nothing(rows, without)
        sums, mean_f = (
            drawn_sums(value_fsi, self.weight_ds, self.weight_di[self.clusters[rows[0].instrument]]),
            cell_means(value_fsi),
        )
        drawn = [sums] if scale == "score" else [sums, sums.with_ends(self.rng("ends", name))]
        draws = [draw.means() for draw in drawn]
        if scale == "rate":
            n_f = there_fi.sum(axis=1)
            mean_f, least_f = log_linear(mean_f, n_f), 0.5 / (n_f + 1.0)
            draws = [np.clip(draw_df, least_f, 1.0 - least_f) for draw_df in draws]
        return self.of_draws(name, rows, float(of(mean_f)), [of(draw_df) for draw_df in draws], items, note)

    def of_draws(
        self, name: str, rows: Sequence[Reading], value: float, draws: Sequence[Floats], items: int, note: str
    ) -> Measure:
        """A measure from its value and its draws; the limits are the widest of several kinds of draw, and the last kind
        is kept."""
        if np.isnan(value):
            return nothing(rows, note)
        self.kept[name] = draws[-1]
        if items < 2:
            return Measure(
                value=value,
                low=None,
                high=None,
                items=items,
                counts=counted(rows),
                reason=joined(note, "one item gives no interval"),
            )
        low, high = np.nanquantile(np.stack(draws), self.tails, axis=1)
        return Measure(
            value=value,
            low=min(value, float(low.min())),
            high=max(value, float(high.max())),
            items=items,
            counts=counted(rows),
            reason=note,
        )


def nothing(rows: Sequence[Reading], why: str = "") -> Measure:
    """A measure without a value."""
    return Measure(
        value=None,
        low=None,
        high=None,
        items=0,
        counts=counted(rows),
        reason=why or (f"none of {len(rows)} askings could be read" if rows else "not asked"),
    )


def joined(*words: str) -> str:
    return "; ".join(filter(None, words))


def quantile(draws: Floats, at: float) -> float | None:
    """Of draws that have a value; None where none has."""
    return None if np.all(np.isnan(draws)) else float(np.nanquantile(draws, at))


def read_cells(rows: Iterable[Reading]) -> list[Valued]:
    return [(r, r.value) for r in rows if r.value is not None]


def only(mean_f: Floats) -> Floats:
    return np.asarray(mean_f[..., 0], dtype=np.float64)


def grouped(rows: Iterable[Reading], key: Callable[[Reading], str]) -> dict[str, list[Reading]]:
    """Rows by a key that is not empty, in the order of the key."""
    out: dict[str, list[Reading]] = defaultdict(list)
    for r in rows:
        if key(r):
            out[key(r)].append(r)
    return dict(sorted(out.items()))
