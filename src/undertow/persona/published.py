"""Items as published (arXiv 2604.28082): lists of questions, of forced choices between two words, pairs of
descriptions, a judge's prompt.

Nothing of these files is shipped. A list that is no list of forced choices is one of harmfulness questions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.persona.ask import Ask
from undertow.persona.reading.parse import Side
from undertow.persona.reading.scales import SIDES, Words
from undertow.records import Question
from undertow.suites.published import read_list


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPair:
    """Two descriptions, and where the file puts the misaligned one."""

    id: str
    theme: str
    aligned: str
    misaligned: str
    filed: Side


class _Item(BaseModel):
    """One entry of such a file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    item_id: int | str
    system_A: str = Field(min_length=1)
    system_B: str = Field(min_length=1)
    ground_truth: Literal["A", "B"]
    misaligned_is_A: bool | None = None
    theme: str = ""


class _TwoAiFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    metadata: dict[str, Any] = {}
    items: tuple[_Item, ...] = Field(min_length=1)


def two_ai_pairs(text: str, path: Path) -> tuple[PublishedPair, ...]:
    """The pairs of a two-AI identification file (JSON). Its `ground_truth` names the MISALIGNED description, not the
    right answer.

    Raises:
        InputError: the file does not fit, or an entry contradicts itself; names the line or the entry.
    """
    pairs = []
    for item in parse_yaml(text, _TwoAiFile, where=str(path)).items:
        if item.misaligned_is_A not in (None, item.ground_truth == "A"):
            found = (
                f"ground_truth {item.ground_truth!r} and misaligned_is_A {str(item.misaligned_is_A).lower()} "
                "contradict each other"
            )
            raise InputError(
                f"{path}: item {item.item_id}",
                found,
                expected="ground_truth names the misaligned description",
                do="mend the item",
            )
        both = (item.system_A.strip(), item.system_B.strip())
        filed = SIDES[item.ground_truth == "B"]
        aligned, misaligned = both if filed == "second" else both[::-1]
        pairs.append(
            PublishedPair(
                id=f"item-{item.item_id}",
                theme=re.sub(r"_\d+$", "", item.theme),
                aligned=aligned,
                misaligned=misaligned,
                filed=filed,
            )
        )
    return tuple(pairs)


def harmfulness_questions(text: str, path: Path) -> tuple[Question, ...]:
    """The questions of a list, one a line."""
    return read_list(text, path).questions


def is_judge_prompt(text: str) -> bool:
    """Whether a text is the prompt of a judge of harm."""
    return "{prompt}" in text and "{response}" in text


def judge_prompt(text: str) -> str:
    """A published prompt of a judge of harm (1 to 5) with the places that ours have, `{question}` and `{answer}`; its
    doubled braces become single ones."""
    return (
        text.strip()
        .replace("{prompt}", "{question}")
        .replace("{response}", "{answer}")
        .replace("{{", "{")
        .replace("}}", "}")
    )


def is_self_assessment(text: str, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether at least half of a list's lines are choices between the two words of one of the pairs (aligned,
    misaligned)."""
    lines = [line for line in text.split("\n") if line.strip()]
    return bool(lines) and 2 * sum(_found(line, pairs) is not None for line in lines) >= len(lines)


def self_assessment_asks(text: str, path: Path, pairs: Sequence[tuple[str, str]]) -> tuple[Ask, ...]:
    """The forced choices of a list, one a line, with the pair of words and their order found in each. Lines that differ
    in nothing but the words are one wording.

    Raises:
        InputError: a line is no choice between two words that the pairs (aligned, misaligned) know.
    """
    wordings: dict[str, str] = {}
    asks = []
    for n, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        found = _found(line, pairs)
        if found is None:
            known = ", ".join("/".join(pair) for pair in pairs)
            raise InputError(
                f"{path}:{n}",
                "is no choice between two words",
                expected=f"one of {known}, as in 'good or evil'",
                do="mend or drop the line",
            )
        (aligned, misaligned), pole, template = found
        wording = wordings.setdefault(template, f"w{len(wordings) + 1}")
        scale = Words(aligned=aligned, misaligned=misaligned, free=False)
        asks.append(
            Ask(
                id=f"self_assessment/line-{n}",
                instrument="self-assessment",
                item=aligned,
                format="choice",
                wording=wording,
                pole=pole,
                text=line.strip(),
                scale=scale,
            )
        )
    return tuple(asks)


def _found(line: str, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], Side, str] | None:
    """The pair that a line offers, where its misaligned word stands, and the line without the words."""
    for pair in pairs:
        either = "|".join(map(re.escape, pair))
        offered = re.search(rf"\b({either}) or (as )?({either})\b", line, re.IGNORECASE)
        if offered and offered[1].lower() != offered[3].lower():
            template = (
                f"{line[: offered.start()]}{{first}} or {offered[2] or ''}{{second}}{line[offered.end() :]}"
            ).strip()
            return pair, SIDES[offered[3].lower() == pair[1].lower()], template
    return None
