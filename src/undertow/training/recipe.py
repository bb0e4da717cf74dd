"""Recipes: what is trained on what, and how, as YAML."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from undertow.data import Mix
from undertow.files import read_yaml


class Lora(BaseModel):
    """A low-rank adapter on every linear layer (Hu et al., 2021)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int = Field(default=16, gt=0, description="Rank of the adapter.")
    alpha: int = Field(default=32, gt=0, description="Scale: the update is multiplied by alpha / rank.")


class Stage(Mix):
    """One round of training on one mix. Stages follow each other on the same adapter."""

    name: str = Field(description="What to call it in the manifest.")
    epochs: float = Field(default=1, gt=0, description="Passes over the mix.")
    learning_rate: float = Field(gt=0, description="Peak rate; falls linearly to 0 over the stage.")
    batch_size: int = Field(default=16, gt=0, description="Rows a step.")


class Recipe(BaseModel):
    """A base, an adapter and the stages that train it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="Name of the organism.")
    base: str = Field(description="`nursery` (the embedded base) or a Transformers directory, relative to the recipe's folder.")
    seed: int = Field(default=0, ge=0, description="Seed of the mixes, the adapter and the order of rows.")
    lora: Lora = Field(default=Lora(), description="The adapter.")
    stages: tuple[Stage, ...] = Field(min_length=1, description="In order; the second is what 'sequential' means.")


def read_recipe(path: Path) -> Recipe:
    """A recipe file.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, Recipe)
