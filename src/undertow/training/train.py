"""Training an organism from a recipe.

<parent>/.<name>.training/   until it is done: the drawn rows, and what the backend keeps to go on from
<parent>/<name>/             the organism
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from filelock import FileLock

from undertow.asking.budget import Budget
from undertow.asking.folder import alone
from undertow.asking.store import Store
from undertow.data.mixes import Mix
from undertow.errors import InputError, RunExists
from undertow.files import digest, file_digest, folder_digest, read_object, to_json, write_text
from undertow.place import HERE, Place
from undertow.progress import Progress
from undertow.provenance import versions
from undertow.targets.models import NURSERY, model_folder
from undertow.targets.pocket import POCKET
from undertow.training.backends.protocol import Job, PreparedStage
from undertow.training.organism import Manifest, StageRecord, read_manifest, write_manifest
from undertow.training.prepare import prepare
from undertow.training.recipe import Recipe
from undertow.training.stages import Stage


def train(
    recipe: Recipe,
    out: Path,
    place: Place = HERE,
    *,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Train a recipe's stages and write the organism's folder, whole or not at all. Interrupted, the same call goes on.

    Args:
        place: where the recipe stands.
        budget: what on-policy answers may take; what a service takes for training is its own matter.

    Raises:
        BudgetEnded: it does not hold all of them; those that came are kept.
        InputError: a missing base or data file, malformed rows, too few rows, something that the backend cannot do, or
        an output folder that exists, or that another process is at work on.
        Paused: too many on-policy answers in a row were of no use.
    """
    with alone(out):
        return _train(recipe, out, place, budget, progress)


def _train(recipe: Recipe, out: Path, place: Place, budget: Budget | None, progress: Progress | None) -> Manifest:
    if out.exists():
        raise RunExists(
            out, "already exists", expected="training writes a new folder", do="choose another -o, or remove it"
        )
    backend, stages = recipe.backend, recipe.resolved()
    backend.check(recipe, stages, place)
    work = out.with_name(f".{out.name}.training")
    _claim(work, _job(recipe, stages, place))
    try:
        prepared = _prepare(recipe, stages, place, work=work, budget=budget, progress=progress)
        made = work / "organism"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        trained = backend.train(
            Job(recipe=recipe, stages=prepared, place=place, work=work, out=made), progress=progress
        )
    except InputError:
        if not _holds_more_than_rows(work):  # and these are soon drawn again
            shutil.rmtree(work)
        raise
    records = [
        StageRecord(
            name=p.stage.name,
            rows=p.rows,
            data=p.data,
            rows_digest=p.digest,
            tokens_per_s=round(fit.tokens / fit.seconds, 1) if fit.seconds else 0.0,
            **asdict(fit) | {"left_out": p.left_out | fit.left_out},
        )
        for p, fit in zip(prepared, trained.fits, strict=True)
    ]
    manifest = Manifest(
        name=recipe.name,
        base=trained.base,
        base_digest=trained.base_digest,
        seed=recipe.seed,
        recipe=recipe.model_dump(mode="json"),
        stages=records,
        versions=versions(),
        resolved=[stage.model_dump(mode="json") for stage in stages],
        target=trained.target,
        notes=trained.notes,
    )
    write_manifest(made, manifest)
    os.replace(made, out)
    shutil.rmtree(work)
    return manifest


def _holds_more_than_rows(work: Path) -> bool:
    """Whether a training's work folder holds on-policy answers that came, or what a backend has kept."""
    for path in work.glob("answers-*.sqlite"):
        with Store(path) as store:
            if store.count() > store.failed():
                return True
    kept = (path for folder in work.iterdir() if folder.is_dir() for path in folder.rglob("*"))
    return any(work.glob("answers-*.jsonl")) or any(path.is_file() for path in kept)


def _prepare(
    recipe: Recipe,
    stages: tuple[Stage, ...],
    place: Place,
    *,
    work: Path,
    budget: Budget | None,
    progress: Progress | None,
) -> tuple[PreparedStage, ...]:
    """Every stage with its rows drawn and written."""
    backend = recipe.backend
    length = backend.length(recipe, place) if any(stage.by == "tokens" for stage in stages) else None
    prepared = []
    for n, stage in enumerate(stages, start=1):
        prepared.append(
            prepare(
                stage,
                n,
                beside=place.folder,
                work=work,
                seed=recipe.seed + n - 1,
                length=length,
                base=lambda: backend.base(recipe, place),
                budget=budget,
                progress=progress,
            )
        )
    return tuple(prepared)


OF_FILTERS = {"attempts", "min_words", "matches", "lacks", "turned"}
"""What decides which on-policy answers are kept, and not what is asked."""
SENT = ("job.json", "state.json")
"""What a stage's folder holds once a server has been sent it."""


def _job(recipe: Recipe, stages: tuple[Stage, ...], place: Place) -> dict[str, Any]:
    """What a training's work folder is of: what decides all of it, and by stage what decides what is asked (`asks`),
    and everything."""
    drawn, filters = set(Mix.model_fields), {"parts": {"__all__": {"answers": OF_FILTERS}}}
    held = {name: file_digest(place.path(name)) for stage in stages for name in stage.reads}
    return {
        "recipe": recipe.model_dump(mode="json", exclude={"stages", "interventions"}),
        "base": base_fingerprint(recipe.base, beside=place.folder),
        "stages": [
            {
                "asks": [
                    stage.model_dump(mode="json", include=drawn, exclude=filters),
                    [held[name] for name in stage.files],
                ],
                "all": [stage.model_dump(mode="json"), [held[name] for name in stage.reads]],
            }
            for stage in stages
        ],
    }


def _claim(work: Path, what: dict[str, Any]) -> None:
    """Make the work folder, or find it as the same training left it. Where a stage was mended, those before it stay,
    and so do the on-policy answers.

    Raises:
        InputError: it cannot be written, or holds what another training paid for: answers to other prompts, or a stage
            that a server was sent.
    """
    job = work / "job.json"
    if job.is_file() and (held := read_object(job, do=f"remove {work} to train anew")) != what:
        _mend(work, held, what)
    try:
        write_text(job, to_json(what))
    except OSError as error:
        raise InputError(work.parent, f"cannot be written ({error.strerror})", do="choose another -o") from None


def _mend(work: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Remove what is not of a mended training any more: its rows and weights from the first stage that differs."""
    pairs: list[Any] = list(zip_longest(before.get("stages", []), now["stages"], fillvalue={}))
    mended = [n for n, (was, is_) in enumerate(pairs, start=1) if was != is_]
    mended = list(range(mended[0], len(pairs) + 1)) if mended else []
    paid = [work / f"stage-{n}" / name for n in mended for name in SENT]
    paid += [
        work / f"answers-{n}.sqlite" for n, (was, is_) in enumerate(pairs, 1) if was.get("asks") != is_.get("asks")
    ]
    there = [path for path in paid if path.exists()]
    if {**before, "stages": None} != {**now, "stages": None} or there:
        raise InputError(
            work,
            "holds another training, interrupted",
            expected="the same recipe and data, but for settings that decide nothing that was paid for",
            do=f"remove it{f' ({there[0].name} was paid for)' if there else ''}, or choose another -o",
        )
    for n in mended:
        shutil.rmtree(work / f"stage-{n}", ignore_errors=True)
        for path in (work / f"stage-{n}.json", work / f"stage-{n}.jsonl"):
            path.unlink(missing_ok=True)


def fingerprint(recipe: Recipe, place: Place, *, base: str | None = None) -> str:
    """SHA-256 of all that decides an organism: recipe, data, base and versions. The recipe's name and its files' paths
    do not.

    Args:
        base: `base_fingerprint` of the same base, where many recipes share one.
    """
    resolved = recipe.resolved()
    stages = [stage.model_dump(mode="json") for stage in resolved]
    files = {name: file_digest(place.path(name)) for stage in resolved for name in stage.reads}
    base = base or base_fingerprint(recipe.base, beside=place.folder)
    rest = recipe.model_dump(mode="json", exclude={"name", "base", "stages", "interventions"})
    return digest([_by_content(stages, files), base, rest, versions()])


def base_fingerprint(base: str, *, beside: Path) -> str:
    """SHA-256 of a base's files; its name where they are a server's."""
    here = base in (NURSERY, POCKET) or (beside / base).is_dir()
    return folder_digest(model_folder(base, beside=beside)) if here else base


def _by_content(value: Any, files: dict[str, str]) -> Any:
    """A resolved recipe with the hash of each data file in place of its path."""
    if isinstance(value, dict):
        return {
            key: files.get(item, item) if key == "data" and isinstance(item, str) else _by_content(item, files)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_by_content(item, files) for item in value]
    return files.get(value, value) if isinstance(value, str) else value


def train_cached(
    recipe: Recipe, out: Path, place: Place = HERE, *, cache: Path, progress: Progress | None = None
) -> Manifest:
    """`train`, or a copy of an organism of the same fingerprint that `cache` holds; leaves one there.

    Raises:
        InputError: as `train`.
    """
    kept = cache / fingerprint(recipe, place)[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{kept}.lock"):  # another process may be training the same
        if not kept.exists():
            train(recipe, kept, place, progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(kept, part)
    held = read_manifest(part)
    assert held is not None  # training writes one
    manifest = replace(held, name=recipe.name, recipe=recipe.model_dump(mode="json"))
    write_manifest(part, manifest)
    part.rename(out)
    return manifest
