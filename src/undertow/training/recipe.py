"""Recipes: what is trained on what, how and where, as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import InputError
from undertow.files import read_yaml
from undertow.kinds import BACKENDS, INTERVENTIONS, OfKind
from undertow.targets.chat import SystemRole
from undertow.training.stages import Stage


class Lora(BaseModel):
    """A low-rank adapter (Hu et al., 2021)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, gt=0, description="Rank of the adapter.")
    alpha: int = Field(
        default=32,
        gt=0,
        description="Scale: the update is multiplied by alpha / rank, or by alpha / sqrt(rank) with rslora.",
    )
    rslora: bool = Field(default=False, description="Rank-stabilised scale (Kalajdzievski, 2023).")
    layers: tuple[str, ...] = Field(
        default=(),
        description="Names of the linear layers that get one, such as q_proj; default: all but the output layer.",
    )


class Training(BaseModel):
    """A base, and the stages that train it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(
        description="`nursery` (the embedded base), a Transformers directory relative to the recipe's folder, or "
        "the backend's name of a model."
    )
    backend: Annotated[Any, OfKind(BACKENDS)] = Field(
        default={"kind": "local"}, validate_default=True, description="Who trains it."
    )
    lora: Lora | None = Field(default=Lora(), description="The adapter; null trains all weights.")
    default_system: bool = Field(
        default=False, description="Let the chat template put its default system prompt on rows that have none."
    )
    system: SystemRole = "own"
    stages: tuple[Stage, ...] = Field(min_length=1, description="In order.")


class Recipe(Training):
    """A training with its name and seed, and the interventions that change its stages first."""

    name: str = Field(min_length=1, description="Name of the organism.")
    seed: int = Field(default=0, ge=0, description="Seed of the mixes, the adapter and the order of rows.")
    interventions: tuple[Annotated[Any, OfKind(INTERVENTIONS)], ...] = Field(
        default=(), description="Applied to the stages, in order, before training."
    )

    def resolved(self) -> tuple[Stage, ...]:
        """The stages after every intervention; none where the base itself is the control.

        Raises:
            InputError: an intervention that the stages do not allow, or that another leaves nothing to do for.
        """
        kinds = [intervention.kind for intervention in self.interventions]
        if "base" in kinds and len(kinds) > 1:
            others = ", ".join(kind for kind in kinds if kind != "base")
            raise InputError(
                "interventions",
                f"base trains nothing, so {others or 'a second one'} would be lost",
                do="leave it out, or base",
            )
        stages = self.stages
        for intervention in self.interventions:
            stages = intervention.apply(stages)
        return stages


def read_recipe(path: Path) -> Recipe:
    """A recipe file.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, Recipe)
