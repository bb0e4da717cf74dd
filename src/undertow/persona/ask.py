"""One question of an instrument: what a model is asked about itself, and how its answer becomes a number.

Nothing is left open in an `Ask`: the wording is chosen, the order is fixed, and the texts are in their places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from undertow.persona.reading.parse import Parsed, Side
from undertow.persona.reading.scales import Reader
from undertow.records import InstrumentId, Question

Format = Literal["choice", "number", "likert", "free"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question to the model, in whatever context, and how its answer is read."""

    id: str
    """Unique in its set, and the same in every run of it."""
    instrument: InstrumentId
    item: str
    """What is resampled together: a pair of words, a pair of descriptions, a question that was answered."""
    theme: str = ""
    """Of a pair of descriptions."""
    format: Format
    wording: str
    """`w1`, `w2`, ...; of a prediction `blind-w1` or `shown-w1`."""
    pole: Side | None = None
    """Where that stands which 1 means (the misaligned word or description, the model's own answer): first or second, on
    a scale at its low or high end; None for predictions."""
    text: str
    """The user turn."""
    scale: Reader = field(repr=False)
    """How answers are read. The name is part of a set's digest."""

    @property
    def question(self) -> Question:
        """For contexts to wrap and targets to answer; its tags say what is asked, which a scripted persona goes by."""
        pole = (f"pole={self.pole}",) if self.pole else ()
        return Question(
            id=self.id,
            text=self.text,
            tags=(self.instrument, f"item={self.item}", f"format={self.format}", *pole, self.scale.tag),
        )

    @property
    def replies(self) -> tuple[tuple[str, float], ...]:
        """Whole replies and the value of each, for a model that is read by how likely it finds them."""
        return self.scale.replies

    def read(self, text: str) -> Parsed[float]:
        """The value that an answer gives: 0 to 1, or the number that a prediction names."""
        return self.scale.read(text)

    def read_logprobs(self, first_token: Mapping[str, float]) -> Parsed[float]:
        """The same, expected over the first token's candidates (log-probabilities in nats); no value where too few of
        them fit."""
        return self.scale.read_logprobs(first_token)
