"""A panel whose model is reached through Inspect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from undertow.judges.panel import Panel, PanelConfig
from undertow.judges.prompts import load_prompts
from undertow.judges.protocol import Judge
from undertow.place import Place
from undertow.records import Question
from undertow.targets.inspect import InspectModel, InspectModelConfig


class InspectJudgeConfig(InspectModelConfig, PanelConfig):
    """An Inspect model as a judge."""

    kind: Literal["inspect"] = Field(description="A model that Inspect (inspect_ai) can reach.")

    def judge(self, questions: Sequence[Question], place: Place) -> Judge:
        return Panel(
            InspectModel(self, where=place.key("judge")),
            self,
            load_prompts(self.prompts, beside=place.folder),
            where=place.key("judge"),
        )
