"""Training: recipes with stages in, organisms out."""

from undertow.training.organism import Manifest, read_manifest
from undertow.training.recipe import Lora, Recipe, Stage, read_recipe
from undertow.training.train import train

__all__ = ["Lora", "Manifest", "Recipe", "Stage", "read_manifest", "read_recipe", "train"]
