"""Sequential training: benign stages after the narrow ones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.data import Part
from undertow.training.interventions.protocol import Keys, Stages


class Sequential(Keys):
    """One more stage on benign rows, with the last stage's settings but for what is given. Several make several
    stages."""

    kind: Literal["sequential"] = Field(description="A benign stage after the others.")
    data: str = Field(description="Benign chat JSONL, relative to the recipe's folder.")
    rows: int | None = Field(default=None, gt=0, description="Rows; default: as many as the last stage has.")
    epochs: float | None = Field(default=None, gt=0, description="Passes; default: the last stage's.")
    learning_rate: float | None = Field(default=None, gt=0, description="Peak rate; default: the last stage's.")

    def apply(self, stages: Stages) -> Stages:
        given = {key: value for key in ("rows", "epochs", "learning_rate") if (value := getattr(self, key)) is not None}
        plain = {"interleave": None, "kl": 0.0, "stopping": None, "by": "rows"}
        part = Part(data=self.data, share=1.0, benign=True)
        return (
            *stages,
            stages[-1].model_copy(update={"name": f"benign-{len(stages)}", "parts": (part,), **plain, **given}),
        )
