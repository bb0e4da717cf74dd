"""On-policy data: the narrow rows' answers are asked anew of the base, under an instruction that is then taken away."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.data import Resampling
from undertow.training.interventions.protocol import Stages, on_narrow


class OnPolicy(Resampling):
    """Answers of the base in place of the written ones. Rows whose every attempt fails the filters are left out and
    counted."""

    kind: Literal["on-policy"] = Field(description="Answers sampled from the base under an instruction.")

    def apply(self, stages: Stages) -> Stages:
        answers = Resampling(**self.model_dump(exclude={"kind"}))
        return on_narrow(stages, lambda part: part.model_copy(update={"answers": answers}))
