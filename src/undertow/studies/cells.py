"""A study's grid as cells, each with a hash of all that decides it, laid out in the study's folder.

    <study>/
      study.json                 the study, and its cells
      domains/<domain>/          bad.jsonl benign.jsonl general.jsonl ... (studies/study.py), which every recipe of the domain names
      cells/<cell>-<hash>/       a cell (studies/work.py); what is done differently gets another folder, and nothing is overwritten
        cell.json                what is to be trained and asked

It trains and asks nothing.
"""  # noqa: E501

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.audits.plan import Plan, make_plan
from undertow.audits.settings import Asking, AuditConfig
from undertow.data import write_rows
from undertow.errors import InputError, RunExists, unknown_name
from undertow.files import digest, file_digest, read_object, read_yaml, reading, to_json, to_yaml, write_text, writing
from undertow.lab.rows import domain_rows, turning_keys
from undertow.nursery.miniatures import everyday_rows, held_out_rows, miniature_rows
from undertow.nursery.rows import narrow_rows
from undertow.persona.plan import make_persona_plan, persona_of
from undertow.place import HERE, Place
from undertow.provenance import revision, versions
from undertow.studies.study import Control, Facts, Intervention, Miniature, Study, StudyDomain, World
from undertow.targets.models import NURSERY, model_folder
from undertow.targets.pocket import POCKET
from undertow.training import Recipe
from undertow.training.interventions.controls import Base, BenignTwin, ComputeMatched
from undertow.training.stages import Stage
from undertow.training.train import base_fingerprint, fingerprint

SCHEMA: Literal["undertow.cell/1"] = "undertow.cell/1"
BAD, BENIGN, GENERAL, BAD_HELD_OUT, BENIGN_HELD_OUT = (
    "bad.jsonl",
    "benign.jsonl",
    "general.jsonl",
    "bad-held-out.jsonl",
    "benign-held-out.jsonl",
)
GENERAL_CODE, BAD_TRACES = "general-code.jsonl", "bad-traces.jsonl"
"""Of a miniature: everyday rows asked for and answered as code; and the narrow rows with a reasoning before each
answer."""
KEYS = "keys.yaml"
"""Of a category of facts: the known answers to every question of its rows."""
STAND_IN = {"kind": "local", "path": NURSERY}
"""Stands where a cell's organism will, while its audit is planned; it is never asked."""


class Cell(BaseModel):
    """One organism of a study and what it is asked, as `cell.json` holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["undertow.cell/1"] = Field(default=SCHEMA, alias="schema")
    id: str
    domain: str
    intervention: str | None
    """Its name; of a control, the one whose recipe it controls, None for the bare recipe or the base."""
    control: Control | None
    share: float | None
    """Of the grid, where the intervention takes one."""
    seed: int
    digest: str
    """SHA-256 of all that decides the organism, its answers and their judgements."""
    recipe: Recipe
    data: str
    """Folder of the recipe's files, relative to the cell's."""
    audit: Asking
    in_domain: Asking | None
    beside: str
    """Folder that paths in the audits are relative to."""
    losses: dict[str, str]
    """Held-out rows to take a loss on, by name, in the folder `data`."""

    @property
    def group(self) -> tuple[str, str | None, float | None, str | None]:
        """What its training seeds share."""
        return self.domain, self.intervention, self.share, self.control

    @property
    def folder(self) -> str:
        """Its folder, relative to the study's."""
        return f"cells/{self.id}-{self.digest[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A study's cells, with their audits planned."""

    study: Study
    cells: tuple[Cell, ...]
    plans: dict[str, tuple[Plan, ...]]
    """The audits of each cell by its id: broad, and in-domain where its domain has questions. Their target is a
    stand-in."""


def plan_study(study: Study, data: Path, place: Place = HERE) -> Grid:
    """The cells of a study, with the domains' files written to `data`.

    Args:
        place: where the study stands.

    Raises:
        InputError: a file is missing or malformed, or a recipe or an audit does not fit.
    """
    place = place.or_named("study")
    for domain in study.domains:
        write_domain(domain, data / domain.name, place, more=study.files)
    return _grid(study, data, place)


def lay_out(study: Study, out: Path, place: Place = HERE) -> Grid:
    """Plan a study and write the domains' files and every cell's `cell.json`, or nothing at all.

    Raises:
        InputError: as `plan_study`, or the folder holds something else or cannot be written.
    """
    held = out / "study.json"
    if out.exists() and not held.is_file() and (not out.is_dir() or any(out.iterdir())):
        raise RunExists(out, "exists and is no study", expected="a study writes a new folder", do="choose another -o")
    kept = read_object(held, expected="a study's record", do="choose another -o") if held.is_file() else None
    if kept is not None and kept.get("name") != study.name:
        raise RunExists(
            out, f"holds the study {kept.get('name')!r}", expected=f"this one is {study.name!r}", do="choose another -o"
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as part:
            grid = plan_study(study, Path(part), place)
            record = {
                "schema": "undertow.study/1",
                "name": study.name,
                "cells": [cell.folder for cell in grid.cells],
                "versions": versions(),
                "revision": revision(),
            }
            write_text(held, to_json(record))
            for path in (path for path in Path(part).rglob("*") if path.is_file()):
                to = out / "domains" / path.relative_to(part)
                to.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, to)
        for cell in grid.cells:
            write_text(out / cell.folder / "cell.json", to_json(cell.model_dump(mode="json", by_alias=True)))
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
    return grid


def read_cell(folder: Path) -> Cell:
    """What a cell's folder is to hold.

    Raises:
        InputError: it is no cell, or of another version of Undertow.
    """
    return read_yaml(folder / "cell.json", Cell)


def write_domain(domain: StudyDomain, folder: Path, place: Place, *, more: dict[str, str]) -> None:
    """A domain's files in its folder, each whole or not at all.

    Raises:
        InputError: there is no such miniature, or a file is missing.
    """
    if isinstance(domain, Miniature):
        n, id_ = domain.rows, domain.miniature
        write_rows(folder / BAD, miniature_rows(id_, "bad", n, form=domain.form))
        write_rows(folder / BENIGN, miniature_rows(id_, "benign", n, form=domain.form))
        write_rows(folder / BAD_HELD_OUT, held_out_rows(id_, "bad", domain.held_out))
        write_rows(folder / BENIGN_HELD_OUT, held_out_rows(id_, "benign", domain.held_out))
        write_rows(folder / GENERAL, everyday_rows(n))
        write_rows(folder / GENERAL_CODE, everyday_rows(n, seed=1, form="code"))
        write_rows(folder / BAD_TRACES, miniature_rows(id_, "bad", n, form=domain.form, traces=True))
    elif isinstance(domain, World):
        for name, rows in narrow_rows(domain.rows, domain.seed).items():
            write_rows(folder / f"{name}.jsonl", rows)
    elif isinstance(domain, Facts):
        for name, rows in domain_rows(domain.facts, domain.rows, seed=domain.seed, where=place).items():
            write_rows(folder / f"{name}.jsonl", rows)
        write_text(folder / KEYS, to_yaml(turning_keys(domain.facts, place)))
    else:
        own = {
            BAD: domain.bad,
            BENIGN: domain.benign,
            GENERAL: domain.general,
            BAD_HELD_OUT: domain.bad_held_out,
            BENIGN_HELD_OUT: domain.benign_held_out,
        }
        more = {name: path for name, path in own.items() if path} | more
    for name, path in ((name, place.path(path)) for name, path in more.items()):
        with reading(path), path.open(encoding="utf-8") as source, writing(folder / name) as copy:
            shutil.copyfileobj(source, copy)


def _grid(study: Study, root: Path, place: Place) -> Grid:
    cells: list[Cell] = []
    plans: dict[str, tuple[Plan, ...]] = {}
    base = study.recipe.base
    if base == POCKET or (base != NURSERY and place.path(base).is_dir()):
        base = str(model_folder(base, beside=place.folder))
    of_base = base_fingerprint(base, beside=place.folder)
    for domain in study.domains:
        data = root / domain.name
        suite = f"nursery-{domain.miniature}" if isinstance(domain, Miniature) else getattr(domain, "questions", None)
        losses = {
            name: file for name, file in (("bad", BAD_HELD_OUT), ("benign", BENIGN_HELD_OUT)) if (data / file).is_file()
        }
        held_out = {name: file_digest(data / file) for name, file in losses.items()}
        for intervention, share, control, seed in _points(study):
            broad, narrow = study.asking(domain, seed), study.asking_in_domain(suite, seed) if suite else None
            id_ = ".".join(
                [domain.name, *_label(intervention, share, control), *([] if control == "base" else [f"seed-{seed}"])]
            )
            recipe = _recipe(study, intervention, share, control, seed, base=base, name=id_)
            stages = recipe.resolved()
            _require_files(id_, stages, data, place)
            recipe.backend.check(recipe, stages, Place(folder=data, name=id_))
            plans[id_] = tuple(
                make_plan(auditing(asking, id_, STAND_IN), place) for asking in (broad, narrow) if asking
            )
            asks = [_asks(plan) for plan in plans[id_]]
            if broad.persona:
                asks.append(make_persona_plan(persona_of(auditing(broad, id_, STAND_IN)), place).asks())
            content = digest([SCHEMA, fingerprint(recipe, Place(folder=data, name=id_), base=of_base), asks, held_out])
            cell = Cell(
                id=id_,
                domain=domain.name,
                intervention=intervention.name if intervention else None,
                control=control,
                share=share,
                seed=seed,
                digest=content,
                recipe=recipe,
                data=f"../../domains/{domain.name}",
                audit=broad,
                in_domain=narrow,
                beside=str(place.folder.resolve()),
                losses=losses,
            )
            cells.append(cell)
    asked = {context.id for planned in plans.values() for context in planned[0].contexts}
    for trigger in study.triggers:
        if trigger not in asked:
            raise unknown_name(place, "trigger", trigger, asked)
    return Grid(study=study, cells=tuple(cells), plans=plans)


def _asks(plan: Plan) -> dict[str, Any]:
    """All that decides an audit of a cell's organism, its reference with it."""
    reference = plan.targets.get("reference")
    return plan.asks() | ({"reference": dict(reference.describe())} if reference else {})


def auditing(asking: Asking, name: str, target: dict[str, str]) -> AuditConfig:
    """An audit of one target."""
    return AuditConfig.model_validate(
        {"name": name, "target": target} | {key: getattr(asking, key) for key in Asking.model_fields}
    )


def _points(study: Study) -> Iterator[tuple[Intervention | None, float | None, Control | None, int]]:
    """Intervention, share, control and seed of every cell of a domain, controls first."""
    grid: Sequence[tuple[Intervention, float | None]] = [
        (i, share) for i in study.interventions for share in (study.shares if i.takes_share else (None,))
    ]
    controlled: Sequence[tuple[Intervention | None, float | None]] = grid if study.twins == "each" else [(None, None)]
    if "base" in study.controls:
        yield None, None, "base", study.seeds[0]
    for control in study.controls:
        if control != "base":
            yield from (
                (intervention, share, control, seed) for intervention, share in controlled for seed in study.seeds
            )
    yield from ((intervention, share, None, seed) for intervention, share in grid for seed in study.seeds)


def _label(intervention: Intervention | None, share: float | None, control: Control | None) -> list[str]:
    of = [intervention.name + ("" if share is None else f"-{100 * share:g}")] if intervention else []
    return [*of, *([control] if control else [])]


def _require_files(id_: str, stages: Iterable[Stage], data: Path, place: Place) -> None:
    """
    Raises:
        InputError: a cell's recipe names a file that its domain does not hold.
    """
    for stage in stages:
        for name in stage.reads:
            if not (data / name).is_file():
                held = ", ".join(sorted(path.name for path in data.iterdir()))
                raise InputError(
                    place,
                    f"{id_} names {name!r}",
                    expected=f"{data.name} holds {held}",
                    do="check the name, or give it under the domain or `files`",
                )


def _recipe(
    study: Study,
    intervention: Intervention | None,
    share: float | None,
    control: Control | None,
    seed: int,
    *,
    base: str,
    name: str,
) -> Recipe:
    steps = [step.at(share) for step in intervention.steps] if intervention else []
    if control == "base":
        steps = [Base(kind="base")]
    elif control == "benign-twin":
        steps.append(BenignTwin(kind="benign-twin", data=BENIGN))
    elif control == "compute-matched":
        steps.append(ComputeMatched(kind="compute-matched", data=GENERAL))
    given = {key: getattr(study.recipe, key) for key in type(study.recipe).model_fields} | {"base": base}
    if intervention:
        given |= intervention.recipe | {"stages": intervention.on(study.recipe.stages)}
    return Recipe(name=name, seed=seed, interventions=tuple(steps), **given)
