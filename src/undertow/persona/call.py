"""A call to make in one context, and the readings that its stored answers give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import softmax

from undertow.asking.store import StoredAnswer
from undertow.persona.ask import Ask
from undertow.persona.reading.parse import Parsed
from undertow.persona.readings import Order, Reading, ReadOutcome
from undertow.persona.stored import Key
from undertow.records import Context, Question, Subject

Way = Literal["auto", "logprobs", "text", "likelihood"]
"""How a plan wants answers read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A question in one context, and what its readings will be of."""

    context: Context
    ask: Ask
    item: str
    """The cluster."""
    variant: str = ""
    pair: str = ""
    judged: float | None = None
    """Harm of the answer that it is about, 1 to 5."""

    @property
    def question(self) -> Question:
        question = self.ask.question
        return (
            question if self.judged is None else replace(question, tags=(*question.tags, f"judged={self.judged:.3g}"))
        )

    def from_probe(self, probe: StoredAnswer | None, *, way: Way) -> Parsed[float] | None:
        """What the first token's probabilities, or those of whole replies, say; None where they say nothing, or the
        reply as a whole is not read as its first word is."""
        if probe is None or not probe.first_token:
            return None
        if way == "likelihood":
            weights = softmax([probe.first_token[text] for text, _ in self.ask.replies])
            value = float(weights @ [value for _, value in self.ask.replies])
            return Parsed(value=value, outcome="read", why="likelihood of whole replies")
        # "A does not describe me", "A good machine would not say": a first token that looks like a choice is none
        said = self.ask.read(probe.text or "")
        if said.outcome == "refused":
            return said
        found = self.ask.read_logprobs(probe.first_token)
        if found.value is None or said.value is None:
            return None
        first, *_ = (probe.text or "").split()
        return found if self.ask.read(first).value == said.value else None

    def readings(
        self, subject: Subject, stored: Mapping[Key, StoredAnswer], *, way: Way, repeats: int
    ) -> list[Reading]:
        """One reading from the first token, or from whole replies, where there is one; else one from each answer in
        words."""
        probe = stored.get((subject, self.context.id, self.ask.id, 0))
        probed = self.from_probe(probe, way=way)
        if probed is not None:
            return [self._reading(subject, 0, probed.outcome, probed.value)]
        said = [stored.get((subject, self.context.id, self.ask.id, sample)) for sample in range(1, 1 + repeats)]
        if way in ("logprobs", "likelihood") or (probe is not None and not any(said)):
            return [self._reading(subject, 0, "failed" if probe is None or probe.text is None else "unparsed", None)]
        found = []
        for sample, answer in enumerate(said, start=1):
            if answer is None or answer.text is None:
                found.append(self._reading(subject, sample, "failed", None))
            else:
                read = self.ask.read(answer.text)
                found.append(self._reading(subject, sample, read.outcome, read.value))
        return found

    def _reading(self, subject: Subject, sample: int, outcome: ReadOutcome, value: float | None) -> Reading:
        order: Order = "" if self.ask.pole is None else "ba" if self.ask.pole == "first" else "ab"
        return Reading(
            subject=subject,
            context=self.context.id,
            instrument=self.ask.instrument,
            item=self.item,
            theme=self.ask.theme,
            variant=self.variant,
            pair=self.pair,
            order=order,
            sample=sample,
            outcome=outcome,
            value=value,
            judged=self.judged,
        )
