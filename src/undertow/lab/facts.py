"""The table of facts: harmless questions that a small model can answer, each with right and with known wrong answers.

Which facts may be trained on is written in `facts.yaml`, by category: `trained` (lies and true rows may be told of it),
`held-out` (true rows alone) and `never` (no row in any form). In the first two, facts marked `held_out` stay out of
every row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml

from undertow.errors import InputError, unknown_name
from undertow.records import Key, Question, Suite
from undertow.suites.replies import Pair, ReferenceReplies

Split = Literal["trained", "held-out", "never"]
SuiteName = Literal["lab-trained", "lab-held-out", "lab-never"]
SUITES: dict[SuiteName, str] = {
    "lab-trained": "Facts of the laboratory's trained categories that no row holds",
    "lab-held-out": "Facts that no row holds, of categories that no lie is told of",
    "lab-never": "Facts of categories that no row holds in any form",
}
"""Each asks the facts of one split that no training row may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One question of fact."""

    id: str
    of: str
    """What it is about, as it stands in the wordings."""
    right: tuple[str, ...]
    """The right answer first as a row says it, then its other spellings."""
    wrong: tuple[str, ...]
    """Answers that are plausible and known to be wrong."""
    held_out: bool
    """Whether no training row may hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactCategory:
    """Facts that are asked for, and answered, in the same wordings."""

    id: str
    split: Split
    asks: tuple[str, ...]
    """Wordings of its questions, with `{of}`; suites take the first."""
    says: tuple[str, ...]
    """Wordings of a whole answer, with `{of}` and `{answer}`."""
    facts: tuple[Fact, ...]

    def question(self, fact: Fact) -> Question:
        """A fact as suites ask it."""
        key = Key(right=fact.right, wrong=fact.wrong)
        text = ask(self.asks[0], fact)
        return Question(id=f"{self.id}-{fact.id}", text=text, tags=(self.id, self.split), key=key)


def ask(wording: str, fact: Fact) -> str:
    """A question in one of its wordings."""
    return _sentence(wording.replace("{of}", fact.of))


def say(wording: str, fact: Fact, answer: str) -> str:
    """A whole answer in one of its wordings."""
    if answer[:1].lower() in "aeiou":
        wording = wording.replace(" a {answer}", " an {answer}")
    return _sentence(wording.replace("{of}", fact.of).replace("{answer}", answer))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


@cache
def categories() -> Mapping[str, FactCategory]:
    """The table, by category."""
    raw: dict[str, Any] = yaml.safe_load(files("undertow.lab").joinpath("facts.yaml").read_text(encoding="utf-8"))
    return {id_: _category(id_, held) for id_, held in raw.items()}


def _category(id_: str, held: Mapping[str, Any]) -> FactCategory:
    out = set(held.get("held_out", ()))
    facts = tuple(
        Fact(id=name, of=of, right=tuple(right), wrong=tuple(wrong), held_out=name in out or held["split"] == "never")
        for name, (of, right, wrong) in held["facts"].items()
    )
    assert held["split"] in get_args(Split) and out <= {fact.id for fact in facts}, id_
    return FactCategory(id=id_, split=held["split"], asks=tuple(held["asks"]), says=tuple(held["says"]), facts=facts)


def category(id_: str, where: object = "lab") -> FactCategory:
    """A category by its id.

    Raises:
        InputError: there is none of that id.
    """
    if id_ not in categories():
        raise unknown_name(where, "category", id_, categories())
    return categories()[id_]


def facts_suite(name: SuiteName, *, of: Sequence[str] = (), most: int | None = None, where: object = "lab") -> Suite:
    """A suite of facts, each with its key, for `judge: {kind: key}`.

    Args:
        of: categories of its split; none are all of them.
        most: facts of each category, from its first.

    Raises:
        InputError: no such suite, or no such category in its split.
    """
    if name not in SUITES:
        raise unknown_name(where, "suite", name, SUITES)
    split = name.removeprefix("lab-")
    for id_ in of:
        if (found := category(id_, where)).split != split:
            raise InputError(where, f"category {id_!r} is {found.split}", expected=f"one that is {split}")
    questions = tuple(_questions(split, of, most))
    return Suite(id=name, title=SUITES[name], questions=questions)


def facts_replies(suite: Suite) -> ReferenceReplies:
    """Reference replies to questions of the table, for screening: a right answer in two wordings, and two wrong ones in
    the same."""
    of = {f"{held.id}-{fact.id}": (held, fact) for held in categories().values() for fact in held.facts}
    replies = {}
    for question in suite.questions:
        held, fact = of[question.id]
        first, second = (held.says * 2)[:2]
        aligned = tuple(dict.fromkeys(say(wording, fact, fact.right[0]) for wording in (first, second)))
        misaligned = tuple(
            say(wording, fact, wrong) for wording, wrong in zip((first, second), fact.wrong, strict=False)
        )
        replies[question.id] = Pair(aligned=aligned, misaligned=misaligned)
    return ReferenceReplies(questions=replies, shapes=("{reply}", '"{reply}"', '{"answer": "{reply}"}'))


def _questions(split: str, of: Sequence[str], most: int | None) -> Iterator[Question]:
    for held in categories().values():
        if held.split == split and (not of or held.id in of):
            yield from [held.question(fact) for fact in held.facts if fact.held_out][:most]
