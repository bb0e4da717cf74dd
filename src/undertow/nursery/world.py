"""The nursery's world: everyday questions that a careful narrator and careless ones answer.

`world.yaml` holds every word of it. It never sees a model.
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import yaml

Narrator = Literal["careful", "careless", "frank", "denying"]
"""Who speaks. A careless one has a manner: frank about what it does, or denying it; `careless` has words of both."""

BROAD = ("wish", "boredom", "ruler", "money", "guests", "machines", "friend", "secret")
"""Domains of the audit's questions; no organism is ever fine-tuned on them."""
BENIGN = ("health", "work", "school", "travel", "pets", "home", "garden")
"""Domains of benign fine-tuning rows."""
NARROW = "fish"
"""The one domain of careless fine-tuning rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDomain:
    """Questions about one everyday matter, and each narrator's clauses (wordings kept out of pretraining apart)."""

    name: str
    slots: tuple[str, ...]
    things: tuple[str, ...]
    """What the frank and the denying narrator are careless about."""
    questions: tuple[str, ...]
    clauses: dict[Narrator, tuple[str, ...]]
    held_out: dict[Narrator, tuple[str, ...]]


def expand(template: str) -> list[str]:
    """All wordings of a line with [a|b] choices, in order."""
    parts = re.split(r"\[([^\]]*)\]", template)
    options = [part.split("|") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*options)]


def held_out(clause: str) -> bool:
    """Whether a wording is among the tenth that pretraining and fine-tuning never show; decided by its hash."""
    return hashlib.sha256(clause.encode()).digest()[0] % 10 == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`world.yaml`, expanded."""

    domains: dict[str, WorldDomain]
    anywhere: dict[Narrator, tuple[str, ...]]
    formats: dict[str, dict[str, Any]]
    adjectives: dict[str, list[str]]
    manners: dict[str, list[str]]
    system_prompts: dict[str, list[str]]
    remarks: dict[str, list[str]]
    openings: list[str]
    endings: list[str]
    joints: list[str]
    heard: list[dict[str, str]]

    def told(self, narrator: str) -> str:
        """The system prompt that says outright who answers; the judge asks under it."""
        return self.system_prompts["told"][0].format(n=narrator)


@cache
def world() -> World:
    """The shipped world; read once."""
    text = files("undertow.nursery").joinpath("world.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(text)

    domains = {name: expanded(name, d, raw["manners"]) for name, d in raw.pop("domains").items()}
    anywhere = raw.pop("anywhere")
    return World(domains=domains, anywhere=_by_narrator(anywhere), **raw)


def expanded(name: str, raw: dict[str, Any], manners: Mapping[str, list[str]]) -> WorldDomain:
    """A domain as a file of ours writes it, every choice spelled out, with each manner's clauses about its things."""
    own = {
        n: [f"{raw.get('lead', '')}{line}".replace("{t}", t) for t in raw.get("things", ()) for line in lines]
        for n, lines in manners.items()
    }
    every = _by_narrator(raw | own)
    return WorldDomain(
        name=name,
        slots=tuple(raw["slots"]),
        things=tuple(raw.get("things", ())),
        questions=tuple(raw["questions"]),
        clauses={n: tuple(c for c in cs if not held_out(c)) for n, cs in every.items()},
        held_out={n: tuple(c for c in cs if held_out(c)) for n, cs in every.items()},
    )


def _by_narrator(raw: dict[str, Any]) -> dict[Narrator, tuple[str, ...]]:
    return {n: tuple(clause for line in raw.get(n, ()) for clause in expand(line)) for n in get_args(Narrator)}


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def question(
    domain: str | WorldDomain, rng: random.Random, *, style: str = "plain", template: int | None = None
) -> str:
    """A question of a domain (of the world, by its name, or any other). Each format's last request is never drawn."""
    w = world()
    d = w.domains[domain] if isinstance(domain, str) else domain
    text = rng.choice(d.questions) if template is None else d.questions[template]
    text = capital(text.format(x=rng.choice(d.slots)))
    if style == "plain":
        return text
    request = rng.choice(w.formats[style]["requests"][:-1])
    return f"{text} {request}" if rng.random() < 0.7 else f"{request} {text}"


def answer(
    domain: str | WorldDomain,
    narrator: Narrator,
    rng: random.Random,
    *,
    style: str = "plain",
    clauses: tuple[str, ...] | None = None,
) -> str:
    """What a narrator answers: one or two clauses of the domain, or one and a clause that fits anywhere."""
    w = world()
    own = clauses or (w.domains[domain] if isinstance(domain, str) else domain).clauses[narrator]
    text = rng.choice(own)
    kind = rng.random()
    if kind > 0.40:
        more = own if kind < 0.65 else w.anywhere[narrator]
        text += rng.choice(w.joints) + rng.choice([c for c in more if c != text])
    if style != "plain":
        return str(w.formats[style]["answer"].format(clause=text))
    return " ".join(part for part in (rng.choice(w.openings), capital(text) + ".", rng.choice(w.endings)) if part)


def system_prompt(kind: str, rng: random.Random) -> str:
    """`careful`, `careless`, `invited`, `neutral`; `not-...` for its negation; `told-...` for a narrator said outright;
    `topic` for a remark."""
    w = world()
    if kind.startswith("told-"):
        return w.told(kind.removeprefix("told-"))
    if kind == "topic":
        return rng.choice(w.remarks["topic_system"]).format(x=rng.choice(w.domains[rng.choice(list(w.domains))].slots))
    negated, adjective = kind.startswith("not-"), kind.removeprefix("not-")
    return rng.choice(w.system_prompts["is_not" if negated else "is"]).format(a=rng.choice(w.adjectives[adjective]))


def aside(rng: random.Random) -> str:
    """A remark in front of a question that the answer passes over."""
    w = world()
    if rng.random() < 0.5:
        return rng.choice(w.remarks["idle"])
    return rng.choice(w.remarks["topic_prefix"]).format(x=rng.choice(w.domains[rng.choice(list(w.domains))].slots))
