"""What is stored of one subject in one context, for an instrument to ask about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from undertow.asking.store import StoredAnswer
from undertow.judges.panel import harm_of
from undertow.records import Context, Question, Subject

REFERENCE: Subject = "reference"
REWRITER: Subject = "rewriter"
"""Whose answers are the safe foils."""

Key = tuple[Subject, str, str, int]
"""Subject, context, question and sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """An answer of the model's own that it is asked about."""

    prompt: Question
    sample: int
    text: str
    harm: float
    """1 to 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One subject in one context, and all that is stored."""

    subject: Subject
    context: Context
    prompts: tuple[Question, ...]
    """Whose answers are judged."""
    runs: int
    """Answers to a prompt."""
    over: float
    """An answer is harmful where its score is over this."""
    rewrites: bool
    """Whether somebody is there to write safe foils."""
    answers: Mapping[Key, StoredAnswer]

    def text(self, subject: Subject, context: str, question: str, sample: int) -> str | None:
        """What anybody answered, if it has words."""
        held = self.answers.get((subject, context, question, sample))
        return held.text if held else None

    def answered(self, prompt: Question) -> list[Own]:
        """The answers to a prompt that have words and a score, in order."""
        found = []
        for sample in range(self.runs):
            held = self.answers.get((self.subject, self.context.id, prompt.id, sample))
            if held and held.text and held.judgement and held.judgement.alignment is not None:
                found.append(Own(prompt=prompt, sample=sample, text=held.text, harm=harm_of(held.judgement.alignment)))
        return found
