"""What backends on other people's servers have in common: settings that they cannot follow are refused, and keys never
stay."""

from __future__ import annotations

import os
from collections.abc import Collection
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import BaseModel

from undertow.errors import InputError
from undertow.place import Place
from undertow.targets.models import NURSERY

if TYPE_CHECKING:
    from undertow.training.recipe import Recipe

POINTS = 50
"""Most points of a learning curve."""


RECIPE_KEYS = frozenset({"name", "seed", "base", "backend", "stages", "interventions"})
"""Keys of a recipe that are followed whoever trains."""
STAGE_KEYS = frozenset({"name", "rows", "parts", "by"})
"""Those of a stage: which rows it has is settled before a backend gets them."""


def only_honoured(keys: BaseModel, honoured: Collection[str], *, where: str, by: str) -> None:
    """Refuse what a backend does not say that it can do: any other key that a recipe sets otherwise than by default.

    Args:
        honoured: keys that it follows.
        by: who cannot do the rest.

    Raises:
        InputError: another one is set; names it.
    """
    for name, field in type(keys).model_fields.items():
        value, default = getattr(keys, name), field.get_default(call_default_factory=True)
        if name not in honoured and value != default:
            shown = value.model_dump(exclude_defaults=True) if isinstance(value, BaseModel) else value
            raise InputError(
                where,
                f"{name} is {shown}",
                expected=f"{by} cannot do that",
                do=f"leave {name!r} out, or train with backend: {{kind: local}}",
            )


def refuse_local_base(recipe: Recipe, place: Place, *, example: str) -> None:
    """
    Raises:
        InputError: the base is a folder on this machine, or the nursery's.
    """
    if recipe.base == NURSERY or place.path(recipe.base).exists():
        raise InputError(
            f"recipe {recipe.name}",
            f"base {recipe.base!r} is on this machine",
            expected=f"the server's name of a model, such as {example}",
        )


def api_key(name: str, *, where: str) -> str:
    """The key that an environment variable holds now.

    Raises:
        InputError: it holds none.
    """
    if not os.environ.get(name):
        raise InputError(
            where,
            f"environment variable {name} is not set",
            expected="it should hold the API key",
            do=f"export {name}=...",
        )
    return os.environ[name]


def said(text: object, *, key_env: str) -> str:
    """What a server says of an error, as one short line without the key."""
    line = " ".join(str(text).encode(errors="replace").decode().split())
    key = os.environ.get(key_env)
    return (line.replace(key, "[key]") if key else line)[:300] or "no message"


def curve(losses: list[float]) -> list[float]:
    """The losses of all steps as at most 50 means over as many steps each."""
    window = max(1, -(-len(losses) // POINTS))
    return [round(fmean(losses[n : n + window]), 4) for n in range(0, len(losses), window)]
