"""Dilution: the narrow rows become a small share of a benign mix."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.data import Part
from undertow.errors import InputError
from undertow.training.interventions.protocol import Keys, Stages


class Dilution(Keys):
    """Every stage keeps its number of rows; `share` of them stay what they were and the rest are benign."""

    kind: Literal["dilution"] = Field(description="Narrow rows diluted in benign ones.")
    data: str = Field(description="Benign chat JSONL, relative to the recipe's folder.")
    share: float = Field(
        gt=0,
        lt=1,
        description="Share left to the stage's own rows, between 0 and 1; for 1 leave the intervention out, for 0 "
        "use compute-matched.",
    )
    by: Literal["rows", "tokens"] = Field(default="rows", description="What it is a share of.")

    def apply(self, stages: Stages) -> Stages:
        for stage in stages:
            if stage.by != self.by and len(stage.parts) > 1:
                raise InputError(
                    f"stage {stage.name}",
                    f"mixes its parts by {stage.by}, and dilution by {self.by}",
                    expected="one way for all of them",
                    do=f"write by: {stage.by} in the dilution, or by: {self.by} in the stage",
                )
        benign = Part(data=self.data, share=1 - self.share, benign=True)
        return tuple(
            stage.model_copy(
                update={
                    "by": self.by,
                    "parts": (
                        *(part.model_copy(update={"share": part.share * self.share}) for part in stage.parts),
                        benign,
                    ),
                }
            )
            for stage in stages
        )
