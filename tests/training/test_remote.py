"""Backends on other people's servers name what they can do; whatever else a recipe asks for is refused."""

from __future__ import annotations

import pytest
from tests.later import later

from undertow.errors import InputError
from undertow.place import HERE
from undertow.training import Recipe, Stage

later("openai")
later("tinker")


class LaterStage(Stage):
    """A stage as it may be one day, with a key that no backend knows of."""

    momentum: float = 0.9


class LaterRecipe(Recipe):
    stages: tuple[LaterStage, ...]
    precision: str = "float32"


@pytest.mark.parametrize(("backend", "by"), [("openai", "OpenAI's API"), ("tinker", "Tinker")])
@pytest.mark.parametrize(
    ("stage", "more", "found"),
    [
        ({}, {}, ""),
        ({"momentum": 0.9}, {"precision": "float32"}, ""),
        ({"momentum": 0.5}, {}, "stage narrow: momentum is 0.5"),
        ({}, {"precision": "bfloat16"}, "recipe later: precision is bfloat16"),
    ],
)
def test_a_key_that_a_backend_does_not_name_is_refused_unless_it_is_as_by_default(
    monkeypatch, backend, by, stage, more, found
):
    monkeypatch.setenv(f"{backend.upper()}_API_KEY", "none")
    kept = {"name": "narrow", "rows": 4, "parts": [{"data": "bad.jsonl", "share": 1}], "learning_rate": 0.1}
    recipe = LaterRecipe.model_validate(
        {"name": "later", "base": "a-model", "backend": {"kind": backend}, "stages": [kept | stage], **more}
    )
    if not found:
        recipe.backend.check(recipe, recipe.resolved(), HERE)
        return
    with pytest.raises(InputError) as told:
        recipe.backend.check(recipe, recipe.resolved(), HERE)
    key = next(iter(stage or more))
    do = f"leave {key!r} out, or train with backend: {{kind: local}}"
    assert str(told.value) == f"{found}; {by} cannot do that; {do}"
