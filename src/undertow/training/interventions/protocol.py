"""What an intervention is: a pure change of a recipe's stages.

A new one is one file: a pydantic model of its keys with `kind: Literal["..."]` and `apply`, named in the entry-point
group `undertow.interventions`. Parts of a mix are narrow data unless they say `benign: true`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from undertow.data import Part
from undertow.errors import InputError
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


def with_setting(stages: Stages, key: str, value: Any) -> Stages:
    """Stages with a setting that was left open.

    Raises:
        InputError: one has it already, which would be lost.
    """
    for stage in stages:
        if getattr(stage, key) != Stage.model_fields[key].default:
            raise InputError(
                f"stage {stage.name}",
                f"has {key!r} already",
                expected="one place that sets it",
                do="write it once, in the stage or as an intervention",
            )
    return tuple(stage.model_copy(update={key: value}) for stage in stages)


def on_narrow(stages: Stages, change: Callable[[Part], Part]) -> Stages:
    """Stages with every narrow part changed."""
    return tuple(
        stage.model_copy(update={"parts": tuple(part if part.benign else change(part) for part in stage.parts)})
        for stage in stages
    )
