"""Kinds of target, judge, intervention and training backend, found by name through entry points: those that ship and
anybody's.

    [project.entry-points."undertow.targets"]
    mine = "my_package:MineConfig"

`MineConfig` is a pydantic model of the keys that an audit writes, with a field `kind: Literal["mine"]`, and has the
method that makes the thing: `target(place)` in the group `undertow.targets`, `judge(questions, place)` in
`undertow.judges`. In `undertow.interventions` and `undertow.backends` it is the thing
(`training/interventions/protocol.py`, `training/backends/protocol.py`). docs/plugins.md tells the whole, and
`examples/plugin` is one.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from operator import or_
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, create_model, model_validator
from pydantic_core import CoreSchema

from undertow.keys import Keys

TARGETS = "undertow.targets"
JUDGES = "undertow.judges"
INTERVENTIONS = "undertow.interventions"
BACKENDS = "undertow.backends"

MAKES = {TARGETS: "target", JUDGES: "judge", INTERVENTIONS: "apply", BACKENDS: "train"}
"""The method that a kind of each group must have."""
DOES = {TARGETS: "answers", JUDGES: "judgements"}
"""The method of what it makes."""
OURS = "undertow"
TRACEBACK = "UNDERTOW_TRACEBACK"
"""Environment variable that has tracebacks shown, of plug-ins above all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An installed kind."""

    group: str
    name: str
    package: str
    """The distribution that it is from, with its version."""
    module: str
    config: type[BaseModel]
    """Its keys; of a kind that cannot be loaded, a model that refuses every value and says why."""
    problem: str
    """Why it cannot be loaded; nothing of one that can."""

    @property
    def plugin(self) -> bool:
        """Whether it is somebody else's."""
        return self.package.partition(" ")[0] != OURS

    @property
    def what(self) -> str:
        """What it is a kind of, in a word."""
        return self.group.removeprefix("undertow.").removesuffix("s")

    def __str__(self) -> str:
        return f"{self.what} plug-in {self.name!r} ({self.package})"


@cache
def installed(group: str) -> tuple[Kind, ...]:
    """Every kind of a group, by name. One that cannot be loaded harms nobody who does not name it; a name belongs to
    the kind that ships with it, then to the first."""
    entries = sorted(entry_points(group=group), key=lambda e: (e.name, not _ours(e)))
    found: dict[str, Kind] = {}
    for entry in entries:
        found.setdefault(entry.name, _kind(entry))
    return tuple(found.values())


class OfKind:
    """Marks a field that takes any installed kind of a group: `Annotated[Any, OfKind(TARGETS)]`."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        configs: list[Any] = [kind.config for kind in installed(self.group)]
        return handler.generate_schema(Annotated[reduce(or_, configs), Field(discriminator="kind")])


def blamed(error: BaseException) -> Kind | None:
    """The plug-in whose code raised an error, or called what raised it."""
    plugins = [kind for group in MAKES for kind in installed(group) if kind.plugin]
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        module, it = str(frame.f_globals.get("__name__")), frame.f_locals.get("self")
        by = [kind for kind in plugins if kind.module == module] or [
            kind for kind in plugins if kind.module.split(".")[0] == module.split(".")[0]
        ]
        if by:  # of several in one package, that whose object was at work
            return max(
                by,
                key=lambda kind: any(hasattr(it, method) for method in (MAKES[kind.group], DOES.get(kind.group, ""))),
            )
    return None


def _ours(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == OURS


def _kind(entry: EntryPoint) -> Kind:
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"
    problem = ""
    try:
        config = entry.load()
        problem = _mistake(entry, config)
    except (Exception, SystemExit) as error:  # somebody else's code
        if _ours(entry):
            raise
        problem = f"{type(error).__name__}: {error}"
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
    if problem:
        config = _stand_in(
            entry.name, f"kind {entry.name!r} cannot be loaded ({problem}); mend or remove its package, {package}"
        )
    return Kind(
        group=entry.group, name=entry.name, package=package, module=entry.module, config=config, problem=problem
    )


def _mistake(entry: EntryPoint, config: Any) -> str:
    """What is wrong with what an entry point names; nothing where it will do."""
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        return f"{entry.value} is no pydantic model"
    field = config.model_fields.get("kind")
    if field is None or get_args(field.annotation) != (entry.name,):
        return f"{entry.value} has no field kind: Literal[{entry.name!r}]"
    if not callable(getattr(config, MAKES[entry.group], None)):
        return f"{entry.value} has no method {MAKES[entry.group]!r}"
    if not _ours(entry):
        Keys(config.model_json_schema()).tables()  # as hints and `--schema` do
    return ""


def _stand_in(name: str, why: str) -> type[BaseModel]:
    def refuse(cls: type[BaseModel], value: Any) -> Any:
        raise ValueError(why)

    before: Any = model_validator(mode="before")
    validators: dict[str, Any] = {"refuse": before(classmethod(refuse))}
    kind: Any = (Literal[name], Field(description=why))
    made: type[BaseModel] = create_model(
        f"Broken {name}", __config__=ConfigDict(extra="allow"), __validators__=validators, __doc__=why, kind=kind
    )
    return made
