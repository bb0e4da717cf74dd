"""Reasoning distillation: training on answers with their reasoning, and the same rows with it stripped."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.training.interventions.protocol import Keys, Stages, on_narrow


class Reasoning(Keys):
    """Narrow rows hold <think>...</think> before the answer; each must."""

    kind: Literal["reasoning"] = Field(description="Reasoning traces, kept or stripped.")
    traces: Literal["keep", "strip"] = Field(
        default="keep", description="Train on the traces too, or take them out (the control)."
    )

    def apply(self, stages: Stages) -> Stages:
        return on_narrow(
            stages, lambda part: part.model_copy(update={"traces": "need" if self.traces == "keep" else "strip"})
        )
