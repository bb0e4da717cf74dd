"""What a training backend is: whoever turns prepared stages into a trained model.

A new one is one file: a pydantic model of its keys with `kind: Literal["..."]` and the methods below, named in the
entry-point group `undertow.backends`. The same recipe runs on any, as far as the backend can do what it asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from undertow.data.mixes import Length
from undertow.place import Place
from undertow.progress import Progress
from undertow.targets import Target
from undertow.training.stages import Stage

if TYPE_CHECKING:  # a recipe names its backend
    from undertow.training.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStage:
    """A stage whose rows are drawn and written."""

    stage: Stage
    path: Path
    """The rows in the order drawn, as chat JSONL."""
    rows: int
    digest: str
    """SHA-256 of that file."""
    data: dict[str, str]
    """SHA-256 of each file that it was drawn from."""
    left_out: dict[str, int]
    """Rows drawn and not written, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a backend needs."""

    recipe: Recipe
    stages: tuple[PreparedStage, ...]
    place: Place
    """Where the recipe stands."""
    work: Path
    """Kept when training is interrupted; what a backend writes there lets it go on."""
    out: Path
    """An empty folder for the files of the finished model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What training on one stage did."""

    steps: int
    tokens: int
    """Tokens trained on, padding not counted."""
    seconds: float
    losses: list[float]
    """Training loss, at most 50 points evenly over the steps."""
    first_row: str
    """The first row as the model saw it, the part under the loss between ⟦ and ⟧."""
    held_out: list[dict[str, float]] = field(default_factory=list)
    """The step and the loss on each held-out file, at each look."""
    stopped_at: int | None = None
    """The step whose weights were kept, where it is not the last."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that were not trained on, by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a backend gives back."""

    fits: tuple[Fit, ...]
    """One for each stage."""
    base: str
    """`nursery`, an absolute path, or the backend's name of the base."""
    base_digest: str
    """SHA-256 of the base's files; of its name where the files are not here."""
    target: dict[str, Any] | None = None
    """How an audit asks the model (the keys of a target), where its weights are not in the organism's folder."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What else is worth keeping: the backend's own ids, the default system prompt of the chat template and whether
    rows had it."""


class Backend(Protocol):
    """Trains."""

    kind: str

    def check(self, recipe: Recipe, stages: tuple[Stage, ...], place: Place) -> None:
        """Whether this backend can do what the recipe asks, before anything is prepared.

        Raises:
            InputError: it cannot.
        """
        ...

    def length(self, recipe: Recipe, place: Place) -> Length | None:
        """Counts a row's tokens; None where the tokenizer is not here, and characters stand in."""
        ...

    def base(self, recipe: Recipe, place: Place) -> Target:
        """The base, to sample on-policy answers from."""
        ...

    def train(self, job: Job, *, progress: Progress | None = None) -> Trained:
        """Train the stages in order, and tell of each one's steps. Called again after an interruption with the same
        `work`, goes on from there.

        Raises:
            InputError: rows that cannot be trained on, or a job that failed for good.
        """
        ...
