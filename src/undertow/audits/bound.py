"""The files of the models that a run asks, by their hashes, fixed before the first answer: of a model on this machine
all that may change what it says, an adapter's base too, and the rows that it was trained on as its manifest names them.
A model behind a server has none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undertow.files import digest, file_digests
from undertow.progress import Progress, silent
from undertow.records import Subject
from undertow.targets import Target
from undertow.targets.local import LocalTarget
from undertow.targets.models import base_of, is_adapter, read_with


def bound_models(targets: Mapping[Subject, Target], progress: Progress = silent) -> dict[Subject, dict[str, Any]]:
    """What a record holds of the files of each model that is on this machine; nothing of the others."""
    return {
        subject: bound_model(target.folder, target.base, progress=progress)
        for subject, target in targets.items()
        if isinstance(target, LocalTarget)
    }


def bound_model(folder: Path, base: Path | None = None, *, progress: Progress = silent) -> dict[str, Any]:
    """The files of a model, of an adapter and of its base, with the SHA-256 of each.

    Args:
        folder: a Transformers directory or a PEFT adapter's.
        base: the model that the adapter is put on, where it is not the one that it names.

    Raises:
        InputError: a file cannot be read, or the base is missing.
    """
    from undertow.training.organism import read_manifest  # an audit of a server's model loads no trainer

    held: dict[str, Any] = {"files": model_files(folder, progress=progress)}
    if base or is_adapter(folder):
        held["base"] = {"files": model_files(base or base_of(folder), progress=progress)}
    if manifest := read_manifest(folder):
        held["rows"] = {name: found for stage in manifest.stages for name, found in stage.data.items()}
    return held


def model_files(folder: Path, *, progress: Progress = silent) -> dict[str, str]:
    """SHA-256 of each file of a folder that may change what its model says."""
    return file_digests(read_with(folder), stage=f"hashing {folder.name}", progress=progress)


def model_digest(files: Mapping[str, str]) -> str:
    """One SHA-256 over a model's files, from their names and hashes."""
    return digest(dict(files))
