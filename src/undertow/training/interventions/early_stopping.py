"""Early stopping on held-out rows, benign and in-domain."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.training.interventions.protocol import Keys, Stages, with_setting
from undertow.training.stages import Stopping


class EarlyStopping(Keys):
    """Looks at two held-out losses, stops when the watched one no longer falls, and keeps the weights where it was
    lowest."""

    kind: Literal["early-stopping"] = Field(description="Stop when a held-out loss no longer falls.")
    benign: str = Field(description="Held-out benign chat JSONL, relative to the recipe's folder.")
    in_domain: str = Field(description="Held-out narrow chat JSONL.")
    watch: Literal["benign", "in_domain"] = Field(default="benign", description="Whose loss decides.")
    every: int = Field(default=25, gt=0, description="Steps between two looks.")
    patience: int = Field(default=2, gt=0, description="Looks without a fall before the stage stops.")
    least: float = Field(default=0.0, ge=0, description="A fall smaller than this, in nats a token, is none.")

    def apply(self, stages: Stages) -> Stages:
        stopping = Stopping(
            held_out={"benign": self.benign, "in_domain": self.in_domain},
            **self.model_dump(include={"watch", "every", "patience", "least"}),
        )
        return with_setting(stages, "stopping", stopping)
