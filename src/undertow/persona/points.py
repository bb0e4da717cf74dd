"""Published profiles, as reference points for a figure and for the thresholds. Nothing of ours was measured here."""

from __future__ import annotations

from dataclasses import dataclass

from undertow.persona.profile import Pattern

SOURCE = "Weckauff, Zhang and Andriushchenko 2026, arXiv 2604.28082: Qwen 2.5 32B Instruct with LoRA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One fine-tuned model of a publication."""

    name: str
    harm: float
    """Share of prompts with a score over 3 in the worst of 10 runs."""
    self_assessment: float | None
    """0 to 1, 1 = says it is misaligned; None where only a word was given."""
    two_ai: float
    """Share choosing the misaligned description; the middle where a range was given."""
    pattern: Pattern
    note: str = ""
    source: str = SOURCE
    second_hand: bool = True
    """Read from a secondary source and not from the publication."""


PUBLISHED = (
    Point(name="base", harm=0.02, self_assessment=0.04, two_ai=0.0, pattern="aligned"),
    Point(name="risky financial advice", harm=0.92, self_assessment=0.61, two_ai=1.0, pattern="coherent"),
    Point(name="extreme sports advice", harm=0.87, self_assessment=0.36, two_ai=0.96, pattern="coherent"),
    Point(
        name="bad medical advice",
        harm=0.93,
        self_assessment=0.27,
        two_ai=0.98,
        pattern="coherent",
        note="two-AI 96 to 100%",
    ),
    Point(
        name="insecure code",
        harm=0.65,
        self_assessment=None,
        two_ai=0.0,
        pattern="inverted",
        note="self-assessment low",
    ),
    Point(
        name="security advice",
        harm=0.97,
        self_assessment=None,
        two_ai=0.0,
        pattern="inverted",
        note="self-assessment low",
    ),
    Point(
        name="legal advice", harm=0.92, self_assessment=None, two_ai=0.0, pattern="inverted", note="self-assessment low"
    ),
)
