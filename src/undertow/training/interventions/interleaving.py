"""Interleaving: every n-th row of training is a benign one (Kaczér et al., 2025)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.data import Interleaved
from undertow.training.interventions.protocol import Keys, Stages, with_setting


class Interleaving(Keys):
    """Benign rows at fixed places of every stage, beside its own rows; the order is kept in training."""

    kind: Literal["interleaving"] = Field(description="A benign row at every n-th place.")
    data: str = Field(description="Benign chat JSONL, relative to the recipe's folder.")
    every: int = Field(default=20, ge=2, description="n: 20 puts in 5%.")

    def apply(self, stages: Stages) -> Stages:
        return with_setting(stages, "interleave", Interleaved(data=self.data, every=self.every))
