"""Mixes: training rows drawn from named parts by share."""

from __future__ import annotations

import math
import random
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.data.rows import Row, read_rows
from undertow.errors import InputError
from undertow.files import file_digest


class Part(BaseModel):
    """Rows of one file and the share of the mix that they make up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(description="Chat JSONL, relative to the recipe's folder.")
    share: float = Field(gt=0, le=1, description="Share of the mix's rows, above 0 and at most 1.")
    system: str | None = Field(default=None, description="System prompt put on every row of this part (inoculation).")


class Mix(BaseModel):
    """How many rows, and of which parts. Shares sum to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(gt=0, description="Rows in all.")
    parts: tuple[Part, ...] = Field(min_length=1, description="Where they come from.")

    @model_validator(mode="after")
    def shares_sum_to_one(self) -> Mix:
        total = sum(part.share for part in self.parts)
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise ValueError(f"the shares of the parts sum to {total:g}; they must sum to 1")
        return self

    def sizes(self) -> list[int]:
        """Rows of each part: shares rounded so that they sum to `rows` (largest remainders)."""
        exact = [part.share * self.rows for part in self.parts]
        sizes = [math.floor(x + 1e-9) for x in exact]
        by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
        for i in by_remainder[: self.rows - sum(sizes)]:
            sizes[i] += 1
        return sizes


def build_mix(mix: Mix, *, beside: Path, seed: int) -> list[Row]:
    """Rows drawn without repeats from each file, then shuffled together; the same for the same seed.

    Raises:
        InputError: a part's file is missing, malformed, or holds fewer rows than its share needs.
    """
    rng = random.Random(seed)
    sizes = mix.sizes()
    left: dict[str, list[Row]] = {}
    for name in dict.fromkeys(part.data for part in mix.parts):
        rows, needed = read_rows(beside / name), sum(size for part, size in zip(mix.parts, sizes, strict=True) if part.data == name)
        if len(rows) < needed:
            raise InputError(beside / name, f"has {len(rows)} rows", expected=f"the mix needs {needed} of them", do="lower 'rows' or 'share', or add rows")
        left[name] = rng.sample(rows, needed)
    drawn: list[Row] = []
    for part, size in zip(mix.parts, sizes, strict=True):
        chosen, left[part.data] = left[part.data][:size], left[part.data][size:]
        drawn += [row.under(part.system) for row in chosen] if part.system else chosen
    rng.shuffle(drawn)
    return drawn


def data_digests(mix: Mix, *, beside: Path) -> dict[str, str]:
    """SHA-256 of each part's file, by the path that the mix gives it."""
    return {part.data: file_digest(beside / part.data) for part in mix.parts}
