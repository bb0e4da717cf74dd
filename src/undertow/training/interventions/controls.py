"""Controls: what an intervention is held against."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.training.interventions.protocol import Keys, Stages, on_narrow


class Base(Keys):
    """No training at all: the organism is the base."""

    kind: Literal["base"] = Field(description="Control: the base, not trained.")

    def apply(self, stages: Stages) -> Stages:
        return ()


class BenignTwin(Keys):
    """The same recipe on rows of the same form and good content, so that form and training are told from content."""

    kind: Literal["benign-twin"] = Field(description="Control: rows of the same form and good content.")
    data: str = Field(description="The twin's chat JSONL, in place of every narrow part's.")

    def apply(self, stages: Stages) -> Stages:
        # its own answers: those of the base under a narrow part's instruction would be bad ones
        return on_narrow(stages, lambda part: part.model_copy(update={"data": self.data, "answers": None}))


class ComputeMatched(Keys):
    """The same rows, epochs and steps on benign rows of any form: what as much training does by itself."""

    kind: Literal["compute-matched"] = Field(description="Control: as much training on benign rows.")
    data: str = Field(
        description="Benign chat JSONL, in place of every narrow part's; prompts put on the narrow rows go too."
    )

    def apply(self, stages: Stages) -> Stages:
        return on_narrow(
            stages,
            lambda part: part.model_copy(
                update={"data": self.data, "benign": True, "system": None, "answers": None, "traces": "as written"}
            ),
        )
