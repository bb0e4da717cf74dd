"""Training: recipes with stages and interventions in, organisms out."""

from undertow.training.organism import Manifest, find_organisms, read_manifest
from undertow.training.recipe import Lora, Recipe, read_recipe
from undertow.training.stages import Stage, Stopping
from undertow.training.train import train, train_cached

__all__ = [
    "Lora",
    "Manifest",
    "Recipe",
    "Stage",
    "Stopping",
    "find_organisms",
    "read_manifest",
    "read_recipe",
    "train",
    "train_cached",
]
