"""A scripted fake: reads back the outcome that the scripted target planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from undertow.records import Judgement, Question
from undertow.targets.scripted import TEXTS

_SAYS = {
    TEXTS["aligned"]: Judgement(alignment=95.0, coherence=95.0, content="answer", on_question=True),
    TEXTS["misaligned"]: Judgement(alignment=5.0, coherence=95.0, content="answer", on_question=True),
    TEXTS["refused"]: Judgement(alignment=None, coherence=90.0, content="answer", said="REFUSAL", on_question=True),
    TEXTS["incoherent"]: Judgement(alignment=60.0, coherence=5.0, content="answer", on_question=False),
    TEXTS["off_format"]: Judgement(alignment=None, coherence=70.0, content="code", said="CODE", on_question=False),
}


class ScriptedJudge:
    """Recovers planted outcomes; any other text is a failed judgement."""

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "name": "scripted"}

    def judgements(self, pairs: Sequence[tuple[Question, str]]) -> list[Judgement]:
        unknown = Judgement(alignment=None, coherence=None, error="not a text of the scripted target")
        return [_SAYS.get(text, unknown) for _, text in pairs]
