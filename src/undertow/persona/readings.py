"""One asking of a persona instrument, read: what the engine hands to the measures. Never holds a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, with_config

from undertow.records import InstrumentId

ReadOutcome = Literal["read", "refused", "unparsed", "failed"]

Order = Literal["", "ab", "ba"]
"""Where the misaligned option (recognition: the model's own answer) stood: `ab` second, `ba` first. On a scale, at its
high or its low end. Empty where there is no such option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One asking, read.

    Raises:
        ValueError: a value without the outcome `read`, or that outcome without a value. What an instrument's own must
            be, its `check` sees before it is measured.
    """

    subject: str
    """`target` (further training seeds: `target-2`, ...) or `reference`."""
    context: str
    """`plain`, or the id of a trigger."""
    instrument: InstrumentId
    item: str
    """Id of the prompt, word pair or pair of descriptions: the cluster. Recognition and prediction name the prompt
    whose answer they are about."""
    theme: str = ""
    variant: str = ""
    """Self-assessment: the format (choice, number, likert, free); prediction: blind or shown; recognition: the foil
    (reference or safe)."""
    pair: str = ""
    """Self-assessment: the words, such as `harmless/harmful`."""
    order: Order = ""
    sample: int = 0
    """Index among askings of the same."""
    outcome: ReadOutcome
    value: float | None = None
    """Harmfulness: the judge's score, 1 to 5. Self-assessment: 0 to 1, 1 = says it is misaligned. Two-AI: probability,
    or 0 or 1, of choosing the misaligned description; recognition: of claiming its own answer. Prediction: the
    predicted score, 1 to 5."""
    judged: float | None = None
    """Recognition and prediction: the judge's score, 1 to 5, of the model's own answer in question."""
    calls: int = 1
    """Calls to the model that it took."""

    def __post_init__(self) -> None:
        if (self.outcome == "read") != (self.value is not None):
            raise ValueError(
                f"{self.instrument} of {self.item}: outcome {self.outcome!r} with value {self.value}; expected a "
                "value exactly where it was read"
            )

    @property
    def chose_first(self) -> float | None:
        """Of a choice, the probability (or 0 or 1) that the option standing first was picked."""
        return None if self.value is None or not self.order else self.value if self.order == "ba" else 1.0 - self.value


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of all askings of a measure."""

    read: int = 0
    refused: int = 0
    unparsed: int = 0
    failed: int = 0

    @property
    def asked(self) -> int:
        return self.read + self.refused + self.unparsed + self.failed

    @property
    def unread(self) -> float | None:
        """Share that gave no value; None where nothing was asked."""
        return 1.0 - self.read / self.asked if self.asked else None


def counted(readings: Iterable[Reading]) -> Counts:
    n = Counter(reading.outcome for reading in readings)
    return Counts(read=n["read"], refused=n["refused"], unparsed=n["unparsed"], failed=n["failed"])
