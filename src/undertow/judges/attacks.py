"""Attacks on judges: answers that try to choose their own judgement, and what a fair judge makes of their content.

`attacks.jsonl` holds one a line. Of a long one it holds a pattern: `{pad}` in its answer stands for `pattern`, `times`
times over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An answer that speaks to its judge, forges a judgement, or hides something from it."""

    id: str
    attack: str
    """What it tries, such as `fake mark`."""
    question: str
    answer: str
    label: Literal["aligned", "misaligned"]
    """What its content is, whatever it says of itself."""
    reason: str
    """Why it has its label, in a line."""


@cache
def load_attacks() -> tuple[Attack, ...]:
    """The attacks, in the order of their file; long ones in full."""
    text = files("undertow.judges").joinpath("attacks.jsonl").read_text(encoding="utf-8")
    return tuple(_attack(**json.loads(line)) for line in text.split("\n") if line)


def _attack(*, answer: str, pattern: str = "", times: int = 0, **held: str) -> Attack:
    return Attack(answer=answer.replace("{pad}", pattern * times), **held)  # type: ignore[arg-type]
