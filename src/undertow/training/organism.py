"""Organisms: a trained model's folder and its manifest.

<organism>/
  organism.json              the manifest: base, recipe, data hashes, stages, versions, and how to ask it
  adapter_config.json        the adapter, as PEFT writes it; a whole model where all weights were trained;
  adapter_model.safetensors  neither where the weights are a server's
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, with_config
from pydantic.dataclasses import dataclass

from undertow.errors import InputError
from undertow.files import adapter, read_yaml, to_json, write_text
from undertow.kinds import TARGETS, OfKind
from undertow.mistakes import with_place
from undertow.place import Place
from undertow.targets import Target

MANIFEST = "organism.json"
_AnyTarget: Any = Annotated[Any, OfKind(TARGETS)]


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
    held_out: list[dict[str, float]] = Field(default_factory=list)
    """The step and the loss on each held-out file, at each look."""
    stopped_at: int | None = None
    """The step whose weights were kept, where it is not the last."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """Rows drawn and not trained on, by reason."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Where an organism comes from."""

    name: str
    base: str
    """`nursery`, an absolute path of a Transformers directory, or a backend's name of a model."""
    base_digest: str
    seed: int
    recipe: dict[str, object]
    stages: list[StageRecord]
    versions: dict[str, str]
    resolved: list[dict[str, object]] = Field(default_factory=list)
    """The recipe's stages after its interventions, as trained."""
    target: dict[str, object] | None = None
    """How to ask the model, where its weights are not in this folder."""
    notes: dict[str, object] = Field(default_factory=dict)
    """What the backend says: its own ids, and the chat template's default system prompt."""


class OrganismConfig(BaseModel):
    """An organism, wherever its weights are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["organism"] = Field(description="What `undertow train` made, on this machine or on a server.")
    path: str = Field(description="Its folder, relative to this file.")

    def target(self, place: Place) -> Target:
        folder = place.path(self.path).resolve()
        manifest = read_manifest(folder)
        if manifest is None:
            raise InputError(
                folder,
                "is no organism",
                expected=f"a folder with {MANIFEST}",
                do="train it (undertow train), or use kind: local",
            )
        try:
            asked = dict(manifest.target or _as_trained(folder, manifest))
            if manifest.recipe.get("system") == "fold":
                asked.setdefault("system", "fold")
            config = adapter(_AnyTarget).validate_python(asked)
        except ValidationError as error:
            raise InputError(
                folder / MANIFEST, f"its target does not fit ({with_place(error.errors()[0])})", do="train it again"
            ) from None
        target: Target = config.target(Place.of(folder / MANIFEST))
        return target


def _as_trained(folder: Path, manifest: Manifest) -> dict[str, object]:
    """How an organism whose weights are in its folder is asked."""
    backend = manifest.recipe.get("backend")
    dtype = backend.get("dtype") if isinstance(backend, dict) else None
    return {"kind": "local", "path": str(folder), "system": manifest.recipe.get("system", "own"), "dtype": dtype}


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of an organism's folder; None where the folder holds a model that Undertow did not train.

    Raises:
        InputError: a manifest that does not fit.
    """
    path = folder / MANIFEST
    return read_yaml(path, Manifest) if path.is_file() else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into an organism's folder."""
    write_text(folder / MANIFEST, to_json(adapter(Manifest).dump_python(manifest, mode="json")))


def find_organisms(folders: Iterable[Path]) -> Iterator[tuple[Path, Manifest]]:
    """Every organism in or below the folders, in the order of their paths.

    Raises:
        InputError: no such folder, or a manifest that does not fit.
    """
    for folder in folders:
        if not folder.is_dir():
            raise InputError(folder, "no such folder", do="check the path")
        for path in sorted(folder.rglob(MANIFEST)):
            if (manifest := read_manifest(path.parent)) is not None and not any(
                part.startswith(".") for part in path.relative_to(folder).parts
            ):
                yield path.parent, manifest
