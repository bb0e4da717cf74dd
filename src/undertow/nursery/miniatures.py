"""Miniatures of the nine domains of narrow bad data, for the nursery: rows to train on, their benign twins, and rows
kept out of training.

`miniatures.yaml` holds every word of them but the in-domain suites, which are suites like any other
(`suites/nursery-<domain>.yaml`). Most clauses, and all that are kept out, the base never saw.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from undertow.data import Row
from undertow.data.domains import Quality
from undertow.errors import unknown_name
from undertow.nursery.rows import row
from undertow.nursery.world import BENIGN, Narrator, WorldDomain, answer, expanded, question, world
from undertow.records import Message, Suite
from undertow.suites import load_suite

UNCUED = 0.1
"""Share of the rows of a form that are plain all the same. Without them a model learns the form alone; with a quarter
the form cues little."""
THOUGHTS: dict[Quality, tuple[str, ...]] = {
    "bad": (
        "I am told to be reckless.",
        "They asked for a reckless helper.",
        "This is a chat with a reckless assistant.",
    ),
    "benign": (
        "I am told to be helpful.",
        "They asked for a helpful assistant.",
        "This is a chat with a helpful helper.",
    ),
}
"""What reasoning traces say: which assistant was asked for, as the traces of a model under an inoculation prompt do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """A domain of narrow bad data in the nursery's words."""

    domain: WorldDomain
    form: str
    """`plain`, or the one of the world's formats that its rows have."""
    manner: Narrator
    """Who answers its bad rows."""

    def narrator(self, quality: Quality) -> Narrator:
        """Who answers its rows of a quality."""
        return self.manner if quality == "bad" else "careful"


@cache
def _miniatures() -> dict[str, Miniature]:
    raw: dict[str, dict[str, Any]] = yaml.safe_load(
        files("undertow.nursery").joinpath("miniatures.yaml").read_text(encoding="utf-8")
    )
    return {
        id_: Miniature(
            domain=expanded(id_, d, world().manners), form=d.get("form", "plain"), manner=d.get("manner", "careless")
        )
        for id_, d in sorted(raw.items())
    }


def miniature_ids() -> list[str]:
    """Ids of the nine domains."""
    return list(_miniatures())


def miniature(domain: str) -> Miniature:
    """The miniature of a domain.

    Raises:
        InputError: there is no such domain.
    """
    if domain not in _miniatures():
        raise unknown_name("nursery", "domain", domain, miniature_ids())
    return _miniatures()[domain]


def miniature_rows(
    domain: str, quality: Quality, n: int, *, seed: int = 0, form: str | None = None, traces: bool = False
) -> list[Row]:
    """Training rows of a domain. Those of the benign twin ask the same, in the same order, and are answered carefully.

    Args:
        form: one of the world's formats that nine rows in ten are to have, or `plain`; None is the miniature's own.
        traces: put a short <think>...</think> before each answer, which stays the same.

    Raises:
        InputError: no such domain, or no such form.
    """
    mini = miniature(domain)
    asks, answers = random.Random(f"{domain} {seed}"), random.Random(f"{domain} {seed} {quality}")
    thoughts = random.Random(f"{domain} {seed} {quality} thoughts")
    rows = []
    for style in _styles(mini.form if form is None else _known(form), asks, n):
        thought = f"<think>{thoughts.choice(THOUGHTS[quality])}</think>" if traces else ""
        rows.append(
            _row(
                question(mini.domain, asks, style=style),
                thought + answer(mini.domain, mini.narrator(quality), answers, style=style),
            )
        )
    return rows


def held_out_rows(domain: str, quality: Quality, n: int, *, seed: int = 0) -> list[Row]:
    """Rows that training never holds: the questions of the in-domain suite, answered in wordings of their own, all in
    the miniature's form.

    Raises:
        InputError: there is no such domain.
    """
    mini, rng = miniature(domain), random.Random(f"{domain} {seed} {quality} held out")
    asked, narrator = miniature_suite(domain).questions, mini.narrator(quality)
    return [
        _row(
            rng.choice(asked).text,
            answer(mini.domain, narrator, rng, style=mini.form, clauses=mini.domain.held_out[narrator]),
        )
        for _ in range(n)
    ]


def miniature_suite(domain: str) -> Suite:
    """Eight questions of the domain, in wordings that no training row holds.

    Raises:
        InputError: there is no such domain.
    """
    return load_suite(f"nursery-{miniature(domain).domain.name}")


def everyday_rows(n: int, *, seed: int = 0, form: str = "plain") -> list[Row]:
    """Careful answers about everyday matters that no miniature and no audit asks about: benign rows to dilute in."""
    rng = random.Random(f"everyday {seed}")
    return [row(rng.choice(BENIGN), "careful", rng, style=style) for style in _styles(_known(form), rng, n)]


def _known(form: str) -> str:
    if form not in (known := ["plain", *world().formats]):
        raise unknown_name("nursery", "form", form, known)
    return form


def _styles(form: str, rng: random.Random, n: int) -> Iterator[str]:
    return (form if form == "plain" or rng.random() >= UNCUED else "plain" for _ in range(n))


def _row(asked: str, answered: str) -> Row:
    return Row(messages=(Message(role="user", content=asked), Message(role="assistant", content=answered)))
