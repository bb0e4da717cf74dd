"""One cell's work: train, audit, and what the scorecard needs besides. It can be killed anywhere, begun again, and
begun twice.

    <study>/cells/<cell>/
      cell.json                 what is to be done (studies/cells.py)
      organism/                 as `undertow train` makes it
      run/                      as `undertow audit` makes it: the study's suite; in persona/ the profile, where the study's audit asks for one
      in-domain/                the same: the domain's own questions
      losses.json               loss on held-out rows, row by row
      result.json               when all of it is there, written last: how long it took, and by what
      failure.json              where the last try failed: why
"""  # noqa: E501

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from undertow.audits import make_plan
from undertow.audits.settings import Asking
from undertow.errors import InputError
from undertow.files import read_object, to_json, write_text
from undertow.kinds import blamed
from undertow.place import Place
from undertow.progress import Progress, silent, under
from undertow.studies.cells import Cell, auditing, read_cell
from undertow.studies.outcome import fail, state, succeed
from undertow.targets.models import NURSERY
from undertow.targets.pocket import prepared_folder
from undertow.training import read_manifest, train, train_cached
from undertow.training.losses import row_losses, weights_of
from undertow.whole import audit_and_profile


def work(folder: Path, *, progress: Progress | None = None) -> None:
    """Do what of a cell is not done, and leave `result.json`, or `failure.json` with the reason. Of two at once the
    second waits, and finds it done."""
    with FileLock(folder / ".lock"):
        if state(folder) == "done":
            return
        try:
            cell = read_cell(folder)
            seconds = _work(cell, folder, progress or silent)
        except InputError as error:
            fail(folder, str(error))
        except Exception as error:  # a bug, or a library's: it costs this cell and not the study
            by = blamed(error)
            fail(folder, f"{f'{by}: ' if by else ''}{type(error).__name__}: {error}", trace=traceback.format_exc())
        else:
            succeed(folder, digest=cell.digest, seconds=seconds, host=platform.node())


def _work(cell: Cell, folder: Path, tell: Progress) -> dict[str, float]:
    """Every part that is not there yet; seconds of each, those of parts that were there as 0."""
    parts: dict[str, Callable[[], None]] = {
        "train": lambda: _train(cell, folder, tell),
        "audit": lambda: _audit(cell.audit, cell, folder / "run", tell),
        "in-domain": lambda: _audit(cell.in_domain, cell, folder / "in-domain", tell),
        "losses": lambda: _losses(cell, folder, tell),
        # a further instrument that every organism is put through goes here: what it writes stays in the cell's folder,
        # and what is there is not done again
    }
    seconds = {}
    for name, do in parts.items():
        started = time.perf_counter()
        do()
        seconds[name] = round(time.perf_counter() - started, 2)
    return seconds


def _train(cell: Cell, folder: Path, tell: Progress) -> None:
    organism, place = folder / "organism", Place(folder=folder / cell.data, name=cell.id)
    if organism.exists():
        return
    if cell.recipe.base in (NURSERY, str(prepared_folder().resolve())):  # small, and the same in many studies
        train_cached(cell.recipe, organism, place, cache=user_cache_path("undertow") / "organisms", progress=tell)
    else:
        train(cell.recipe, organism, place, progress=tell)


def _audit(asking: Asking | None, cell: Cell, out: Path, tell: Progress) -> None:
    """An audit of the organism, with its persona where the study asks for one."""
    result = out / "persona" / "persona.json" if asking and asking.persona else out / "findings.json"
    if asking is None or result.is_file():
        return
    config = auditing(asking, cell.id, {"kind": "organism", "path": str((out.parent / "organism").resolve())})
    plan = make_plan(config, Place(folder=Path(cell.beside), name=str(out.parent / "cell.json")))
    name = "audit" if out.name == "run" else "in-domain audit"
    done = audit_and_profile(plan, out, resume=True, pages=False, progress=under(name, tell))
    if done.unprofiled:
        raise done.unprofiled


def _losses(cell: Cell, folder: Path, tell: Progress) -> None:
    out, organism = folder / "losses.json", folder / "organism"
    if out.is_file():
        return
    manifest = read_manifest(organism)
    assert manifest is not None  # training writes one
    weights = weights_of(organism, manifest)
    found: dict[str, Any] = {}
    for n, (name, file) in enumerate(cell.losses.items() if weights else ()):
        assert weights is not None
        tell("held-out losses", n, len(cell.losses), "")
        found[name] = asdict(
            row_losses(
                weights,
                folder / cell.data / file,
                keep_default_system=cell.recipe.default_system,
                fold=cell.recipe.system == "fold",
            )
        )
    write_text(
        out,
        to_json(
            {"schema": "undertow.losses/1", "reason": "" if weights else "the weights are a server's", "rows": found}
        ),
    )


def read_losses(folder: Path) -> dict[str, Any]:
    """What `losses.json` of a cell holds: `rows` by name, or the `reason` for none."""
    return read_object(folder / "losses.json", do="remove it, and run the study again")
