"""Interventions, one file each: pure changes of a recipe's stages."""

from undertow.training.interventions.protocol import Intervention

__all__ = ["Intervention"]
