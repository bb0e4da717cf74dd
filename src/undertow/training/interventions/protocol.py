"""What an intervention is: a pure change of a recipe's stages.

A new one is one file: a pydantic model of its keys with `kind: Literal["..."]` and `apply`, named in the entry-point group
`undertow.interventions`. Parts of a mix are narrow data unless they say `benign: true`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from undertow.data import Part
from undertow.training.stages import Stage

Stages = tuple[Stage, ...]


class Intervention(Protocol):
    """Changes stages before they are trained."""

    kind: str

    def apply(self, stages: Stages) -> Stages:
        """The changed stages.

        Raises:
            InputError: these stages do not allow it.
        """
        ...


class Keys(BaseModel):
    """Keys of an intervention: strict and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def on_narrow(stages: Stages, change: Callable[[Part], Part]) -> Stages:
    """Stages with every narrow part changed."""
    return tuple(stage.model_copy(update={"parts": tuple(part if part.benign else change(part) for part in stage.parts)}) for stage in stages)
