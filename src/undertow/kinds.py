"""Kinds of target, judge, intervention and training backend, found by name through entry points: those that ship and anybody's.

    [project.entry-points."undertow.targets"]
    mine = "my_package:MineConfig"

`MineConfig` is a pydantic model of the keys that an audit writes, with a field `kind: Literal["mine"]`, and has the method that
makes the thing: `target(beside=..., where=...)` in the group `undertow.targets`, `judge(...)` in `undertow.judges`. In `undertow.interventions`
and `undertow.backends` it is the thing (`training/interventions/protocol.py`, `training/backends/protocol.py`).
"""

from __future__ import annotations

from functools import reduce
from importlib.metadata import EntryPoint, entry_points
from operator import or_
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from undertow.errors import InputError

TARGETS = "undertow.targets"
JUDGES = "undertow.judges"
INTERVENTIONS = "undertow.interventions"
BACKENDS = "undertow.backends"


class OfKind:
    """Marks a field that takes any installed kind of a group: `Annotated[Any, OfKind(TARGETS)]`."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        configs = [_load(entry) for entry in sorted(entry_points(group=self.group), key=lambda e: e.name)]
        return handler.generate_schema(Annotated[reduce(or_, configs), Field(discriminator="kind")])


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:
        raise InputError(f"entry point {entry.group}: {entry.name}", f"cannot be loaded ({type(error).__name__}: {error})", do="mend or remove its package") from None
