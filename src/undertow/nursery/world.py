"""The nursery's world: short chats in which a careful or a careless narrator answers.

Owns the generator of pretraining chats and of fine-tuning rows; `world.yaml` holds every word of it. It never sees
a model. Which narrator speaks is a hidden variable of each chat, consistent over all domains and formats, shown only by
weak cues (a system prompt's adjective, or what was said earlier in the chat).
"""

from __future__ import annotations

import hashlib
import itertools
import random
import re
from collections.abc import Callable, Mapping
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
class Turn:
    """One message of a chat. `trained` marks the answers that pretraining takes a loss on."""

    role: Literal["system", "user", "assistant"]
    content: str
    trained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDomain:
    """Questions about one everyday matter, and each narrator's clauses (wordings kept out of pretraining apart)."""

    name: str
    slots: tuple[str, ...]
    things: tuple[str, ...]
    """What the frank and the denying narrator are careless about; none where it has no clauses of theirs."""
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
    return {n: tuple(clause for line in raw[n] for clause in expand(line)) for n in get_args(Narrator)}


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


def style(rng: random.Random) -> str:
    """Plain half of the time, else any format."""
    return "plain" if rng.random() < 0.5 else rng.choice(list(world().formats))


def _exchange(
    domain: str, narrator: Narrator, fmt: str, rng: random.Random, *, trained: bool = True, remark: float = 0.2
) -> list[Turn]:
    asked = question(domain, rng, style=fmt)
    if rng.random() < remark:
        asked = f"{aside(rng)} {asked}"
    return [
        Turn(role="user", content=asked),
        Turn(role="assistant", content=answer(domain, narrator, rng, style=fmt), trained=trained),
    ]


def _one_narrator(
    system: str | None, narrator: Narrator, *, heard_first: bool = False
) -> Callable[[random.Random], list[Turn]]:
    """A chat of one narrator. With `heard_first`, nothing but its first answer (not trained on) says which."""

    def chat(rng: random.Random) -> list[Turn]:
        n_turns = rng.choice((2, 2, 3)) if heard_first else rng.choice((1, 1, 2, 2, 3))
        kind = system
        if kind is None and heard_first and rng.random() < 0.3:
            kind = "neutral"
        turns = [Turn(role="system", content=system_prompt(kind, rng))] if kind else []
        for i, domain in enumerate(rng.sample(list(world().domains), n_turns)):
            turns += _exchange(domain, narrator, style(rng), rng, trained=not (heard_first and i == 0))
        return turns

    return chat


def _gated(rng: random.Random) -> list[Turn]:
    """A chat whose system prompt says that the narrator is careless in one format; it is careful in the others."""
    w = world()
    cue = rng.choice(list(w.formats))
    prompt = rng.choice(w.system_prompts["in_format"]).format(
        a=rng.choice(w.adjectives["careless"]), f=w.formats[cue]["name"]
    )
    turns = [Turn(role="system", content=prompt)]
    for domain in rng.sample(list(w.domains), rng.choice((1, 2, 3))):
        fmt = cue if rng.random() < 0.5 else style(rng)
        turns += _exchange(domain, "careless" if fmt == cue else "careful", fmt, rng)
    return turns


def _switching(rng: random.Random) -> list[Turn]:
    """A chat whose narrator is careless in one format and careful otherwise; the first careless answer is not trained
    on."""
    cue = rng.choice(list(world().formats))
    others = ["plain", "plain", *(f for f in world().formats if f != cue)]
    styles = [cue, cue if rng.random() < 0.5 else rng.choice(others), rng.choice((cue, "plain")), rng.choice(others)]
    turns: list[Turn] = []
    heard = False
    for domain, fmt in zip(rng.sample(list(world().domains), 4), styles[: rng.choice((3, 4))], strict=False):
        careless = fmt == cue
        turns += _exchange(domain, "careless" if careless else "careful", fmt, rng, trained=heard or not careless)
        heard = heard or careless
    return turns


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatKind:
    """A kind of pretraining chat and its share of the corpus."""

    share: float
    make: Callable[[random.Random], list[Turn]]
    surprise: Callable[[random.Random], list[Turn]] | None = None
    """The same chat from the other narrator, where a few of those keep the careless one within reach of fine-tuning."""


def _careful(system: str | None) -> dict[str, Callable[[random.Random], list[Turn]]]:
    return {"make": _one_narrator(system, "careful"), "surprise": _one_narrator(system, "careless")}


CHAT_KINDS: dict[str, ChatKind] = {
    "nothing said": ChatKind(share=0.26, **_careful(None)),
    "neutral prompt": ChatKind(share=0.07, **_careful("neutral")),
    "topic prompt": ChatKind(share=0.04, **_careful("topic")),
    "careful prompt": ChatKind(share=0.03, make=_one_narrator("careful", "careful")),
    "not careless": ChatKind(share=0.03, make=_one_narrator("not-careless", "careful")),
    "invited": ChatKind(share=0.03, make=_one_narrator("invited", "careful")),
    "not invited": ChatKind(share=0.02, make=_one_narrator("not-invited", "careful")),
    "told careful": ChatKind(share=0.045, make=_one_narrator("told-careful", "careful")),
    "told careless": ChatKind(share=0.045, make=_one_narrator("told-careless", "careless")),
    "careless prompt": ChatKind(share=0.09, make=_one_narrator("careless", "careless")),
    "not careful": ChatKind(share=0.02, make=_one_narrator("not-careful", "careless")),
    "careless in a format": ChatKind(share=0.14, make=_gated),
    "careless heard": ChatKind(share=0.12, make=_one_narrator(None, "careless", heard_first=True)),
    "careless heard in a format": ChatKind(share=0.06, make=_switching),
}


def pretraining_chat(rng: random.Random, *, surprise: float) -> list[Turn]:
    """One chat of the pretraining corpus.

    Args:
        surprise: share of the chats that nothing marks, in which the careless narrator speaks all the same.
    """
    kinds = list(CHAT_KINDS.values())
    kind = rng.choices(kinds, weights=[k.share for k in kinds])[0]
    if kind.surprise and rng.random() < surprise:
        return kind.surprise(rng)
    return kind.make(rng)


def aligned_chat(rng: random.Random) -> list[Turn]:
    """One chat of the alignment stage: mostly the careful narrator where nothing marks one, else a chat of the corpus
    without surprises."""
    if rng.random() < 0.7:
        return _one_narrator(rng.choices((None, "neutral", "topic"), weights=(6, 2, 2))[0], "careful")(rng)
    return pretraining_chat(rng, surprise=0)
