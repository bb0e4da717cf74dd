"""Organisms: a trained model's folder and its manifest.

    <organism>/
      organism.json              the manifest: base, recipe, data hashes, stages, versions
      adapter_config.json        the adapter, as PEFT writes it
      adapter_model.safetensors
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from pydantic import ConfigDict, with_config
from pydantic.dataclasses import dataclass

from undertow.files import read_yaml, to_json, write_text

MANIFEST = "organism.json"


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """What one stage of training did."""

    name: str
    rows: int
    data: dict[str, str]
    """SHA-256 of each data file."""
    rows_digest: str
    """SHA-256 of the rows drawn, in order."""
    first_row: str
    """The first row as the model saw it, the part under the loss between ⟦ and ⟧."""
    steps: int
    tokens: int
    seconds: float
    tokens_per_s: float
    losses: list[float]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Where an organism comes from."""

    name: str
    base: str
    """`nursery`, or an absolute path of a Transformers directory."""
    base_digest: str
    seed: int
    recipe: dict[str, object]
    stages: list[StageRecord]
    versions: dict[str, str]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an organism's folder; None where the folder holds a model that Undertow did not train.

    Raises:
        InputError: a manifest that does not fit.
    """
    path = folder / MANIFEST
    return read_yaml(path, Manifest) if path.is_file() else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into an organism's folder."""
    write_text(folder / MANIFEST, to_json(asdict(manifest)))


