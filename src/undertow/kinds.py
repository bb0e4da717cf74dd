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
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    create_model,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError
from pydantic_core.core_schema import no_info_plain_validator_function, tagged_union_schema

from undertow.errors import TRACEBACK
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An installed kind. Its code is loaded when its keys are asked for, and not before."""

    group: str
    name: str
    entry: EntryPoint

    @property
    def config(self) -> type[BaseModel]:
        """Its keys; of a kind that cannot be loaded, a model that refuses every value and says why."""
        return _loaded(self)[0]

    @property
    def problem(self) -> str:
        """Why it cannot be loaded; nothing of one that can."""
        return _loaded(self)[1]

    @property
    def package(self) -> str:
        """The distribution that it is from, with its version."""
        dist = self.entry.dist
        return f"{dist.name} {dist.version}" if dist else "a package without a name"

    @property
    def module(self) -> str:
        """Where its code stands."""
        return self.entry.module

    @property
    def plugin(self) -> bool:
        """Whether it is somebody else's."""
        return not _ours(self.entry)

    @property
    def what(self) -> str:
        """What it is a kind of, in a word."""
        return self.group.removeprefix("undertow.").removesuffix("s")

    def __str__(self) -> str:
        return f"{self.what} plug-in {self.name!r} ({self.package})"


def installed(group: str) -> tuple[Kind, ...]:
    """Every kind of a group, by name. One that cannot be loaded harms nobody who does not name it; a name belongs to
    the kind that ships with it, then to the first."""
    return tuple(_by_name(group).values())


@cache
def _by_name(group: str) -> Mapping[str, Kind]:
    found: dict[str, Kind] = {}
    for entry in sorted(entry_points(group=group), key=lambda e: (e.name, not _ours(e))):
        found.setdefault(entry.name, Kind(group=group, name=entry.name, entry=entry))
    return found


class OfKind:
    """Marks a field that takes any installed kind of a group: `Annotated[Any, OfKind(TARGETS)]`.

    The kind that a value names is loaded when the value is read; all of them only for a JSON Schema.
    """

    def __init__(self, group: str) -> None:
        self.group = group

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        members = {kind.name: TypeAdapter(kind.config).core_schema for kind in installed(self.group)}
        return handler(tagged_union_schema(members, "kind"))

    def _read(self, value: Any) -> Any:
        """A value as its kind's; what does not fit is told as pydantic does of a union with a tag."""
        if not isinstance(value, Mapping | BaseModel):
            raise PydanticKnownError("model_attributes_type")
        name = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
        if name is None:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'kind'"})
        kinds = _by_name(self.group)
        if not isinstance(name, str) or name not in kinds:
            known = ", ".join(repr(kind) for kind in kinds)
            raise PydanticKnownError(
                "union_tag_invalid", {"discriminator": "'kind'", "tag": str(name), "expected_tags": known}
            )
        return _reader(kinds[name]).validate_python(value)


class _Only:
    """Takes values of one kind; what does not fit is placed under its name, as where it is one of several."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return tagged_union_schema({self.kind.name: handler.generate_schema(self.kind.config)}, "kind")


@cache
def _reader(kind: Kind) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[Any, _Only(kind)])


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


@cache
def _loaded(kind: Kind) -> tuple[type[BaseModel], str]:
    """A kind's keys, and why it cannot be used, if so."""
    try:
        config = kind.entry.load()
        problem = _mistake(kind, config)
    except (Exception, SystemExit) as error:  # somebody else's code
        if not kind.plugin:
            raise
        problem = f"{type(error).__name__}: {error}"
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
    if problem:
        why = f"kind {kind.name!r} cannot be loaded ({problem}); mend or remove its package, {kind.package}"
        config = _stand_in(kind.name, why)
    return config, problem


def _mistake(kind: Kind, config: Any) -> str:
    """What is wrong with what an entry point names; nothing where it will do."""
    what = kind.entry.value
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        return f"{what} is no pydantic model"
    field = config.model_fields.get("kind")
    if field is None or get_args(field.annotation) != (kind.name,):
        return f"{what} has no field kind: Literal[{kind.name!r}]"
    if not callable(getattr(config, MAKES[kind.group], None)):
        return f"{what} has no method {MAKES[kind.group]!r}"
    if kind.plugin:
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
