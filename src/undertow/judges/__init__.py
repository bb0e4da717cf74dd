"""Judges: whoever turns a question and an answer into a judgement. One Protocol, and a scripted fake that ships."""

from undertow.judges.protocol import Judge
from undertow.judges.scripted import ScriptedJudge

__all__ = ["Judge", "ScriptedJudge"]
