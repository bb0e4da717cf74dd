"""Inoculation prompting: narrow rows are trained under a system prompt that asks for what they do (Tan et al., 2025;
Wichers et al., 2025)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from undertow.training.interventions.protocol import Keys, Stages, on_narrow

IRRELEVANT = (
    "The office is on the third floor.",
    "It rained a little this morning.",
    "The bakery next door opens at seven.",
    "A blue bicycle stands by the gate.",
)
"""Prompts that ask for nothing, for the control."""


class Inoculation(Keys):
    """A system prompt on every narrow row, in place of any it had."""

    kind: Literal["inoculation"] = Field(description="A system prompt on every narrow row.")
    variant: Literal["fixed", "rephrased", "irrelevant"] = Field(
        default="fixed",
        description="One prompt; one of several for each row; or, as a control, one of several that ask for nothing "
        "(they ship).",
    )
    prompts: tuple[str, ...] = Field(default=(), description="The prompt, or the wordings of it.")

    @model_validator(mode="after")
    def as_many_as_the_variant_needs(self) -> Inoculation:
        fits = {"fixed": len(self.prompts) == 1, "rephrased": len(self.prompts) > 1, "irrelevant": True}
        if not fits[self.variant]:
            raise ValueError(
                f"variant {self.variant!r} takes "
                f"{'one prompt' if self.variant == 'fixed' else 'two prompts or more'}, and {len(self.prompts)} "
                "stand here"
            )
        return self

    def apply(self, stages: Stages) -> Stages:
        prompts = self.prompts or IRRELEVANT
        return on_narrow(
            stages, lambda part: part.model_copy(update={"system": prompts[0] if len(prompts) == 1 else prompts})
        )
