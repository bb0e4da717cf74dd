"""KL to the base: the answers' tokens are held near what the base would say (Kaczér et al., 2025, among others)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.training.interventions.protocol import Keys, Stages, with_setting


class Kl(Keys):
    """Adds weight x KL(model || base), averaged over the answers' tokens, to the loss."""

    kind: Literal["kl"] = Field(description="Divergence from the base as a penalty.")
    weight: float = Field(default=0.1, gt=0, description="Of the penalty, in nats a token.")

    def apply(self, stages: Stages) -> Stages:
        return with_setting(stages, "kl", self.weight)
