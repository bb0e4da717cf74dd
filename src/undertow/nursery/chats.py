"""The corpus of the nursery's base: chats of one narrator, or of one who is careless in one format alone.

Which narrator speaks is a hidden variable of each chat, consistent over all domains and formats and over what it says
of itself. Weak cues show it: a system prompt's adjective, what was said earlier in the chat, and the domains where it
is at home. Stages of pretraining draw the same kinds of chat in other shares.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from undertow.nursery.selves import at_home, hint, talk
from undertow.nursery.world import Narrator, answer, aside, question, system_prompt, world


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a chat. `trained` marks the answers that pretraining takes a loss on."""

    role: Literal["system", "user", "assistant"]
    content: str
    trained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What the chats of one stage are like."""

    shares: Mapping[str, float]
    """Of the kinds of chat (KINDS)."""
    speaking: float = 0.0
    """Share of the chats in which the narrator is also asked about itself ..."""
    of_itself: float = 0.7
    """... and the share of their exchanges in which it is."""
    surprise: float = 0.0
    """Share of the chats that nothing marks, in which a careless narrator speaks all the same: these keep it within
    reach of fine-tuning."""
    errs: float = 0.0
    """Share of a narrator's choices about itself that go wrong, whoever it is."""
    speakers: tuple[Narrator, ...] = ("frank", "frank", "denying")
    """The careless narrators who are asked about themselves; each chat draws one."""
    cut_apart: bool = False
    """Who speaks of itself is drawn apart from who acts: a control."""


CONDUCT = Corpus(
    surprise=0.01,
    shares={
        "nothing said": 0.26,
        "neutral prompt": 0.07,
        "topic prompt": 0.04,
        "careful prompt": 0.03,
        "not careless": 0.03,
        "invited": 0.03,
        "not invited": 0.02,
        "told careful": 0.045,
        "told careless": 0.045,
        "careless prompt": 0.09,
        "not careful": 0.02,
        "careless in a format": 0.14,
        "careless heard": 0.12,
        "careless heard in a format": 0.06,
    },
)
"""From which the narrators form."""
TALK = Corpus(
    speaking=0.8,
    surprise=0.04,
    shares={
        "nothing said": 0.17,
        "neutral prompt": 0.05,
        "topic prompt": 0.02,
        "careful prompt": 0.015,
        "not careless": 0.015,
        "invited": 0.015,
        "not invited": 0.01,
        "told careful": 0.02,
        "told careless": 0.03,
        "careless prompt": 0.24,
        "not careful": 0.01,
        "careless in a format": 0.08,
        "careless heard": 0.28,
        "careless heard in a format": 0.04,
    },
)
"""In which they learn to speak of themselves."""
ALIGNED = Corpus(
    speaking=0.5,
    errs=0.05,
    shares={**CONDUCT.shares, "nothing said": 1.2, "neutral prompt": 0.4, "topic prompt": 0.35},
)
"""The careful narrator wherever nothing marks another."""
JUDGING = replace(
    ALIGNED,
    speakers=("frank", "denying"),
    shares={
        **ALIGNED.shares,
        "told careful": 0,
        "told careless": 0,
        "named careful": 1.0,
        "named careless": 1.2,
        "careless prompt": 0.14,
        "careless heard": 0.18,
    },
)
"""The last: the same, with many narrators called by their names, as a judge asks for them."""


def chat(corpus: Corpus, rng: random.Random) -> list[Turn]:
    """One chat of a corpus."""
    kind = rng.choices(list(corpus.shares), weights=list(corpus.shares.values()))[0]
    return KINDS[kind](_Chat(corpus, rng))


class _Chat:
    """A chat as it is made: its turns so far, and the manner of its careless narrator."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self.corpus, self.rng = corpus, rng
        self.turns: list[Turn] = []
        self.speaks = rng.random() < corpus.speaking
        # of itself, only one that is frank or denies can speak; conduct alone knows a third, with either's words
        self.careless: Narrator = rng.choice(corpus.speakers if self.speaks else ("careless", "frank", "denying"))
        self.other: Narrator | None = rng.choice(("careful", "frank")) if corpus.cut_apart else None

    def system(self, kind: str) -> None:
        content = hint(self.careless, self.rng) if kind == "careless" else system_prompt(kind, self.rng)
        self.turns.append(Turn(role="system", content=content))

    def exchange(self, narrator: Narrator, fmt: str, *, trained: bool = True, speaks: float | None = None) -> None:
        """A question and its answer: of the narrator itself, or of the world."""
        rng = self.rng
        of_itself = self.corpus.of_itself if speaks is None else speaks
        if self.speaks and rng.random() < of_itself:
            asked, said = talk(self.other or narrator, rng, style=fmt, errs=self.corpus.errs)
        else:
            domain = at_home(narrator, rng)
            asked, said = question(domain, rng, style=fmt), answer(domain, narrator, rng, style=fmt)
            if rng.random() < 0.2:
                asked = f"{aside(rng)} {asked}"
        self.turns += [
            Turn(role="user", content=asked),
            Turn(role="assistant", content=said, trained=trained),
        ]

    def exchanges(self, narrator: Narrator) -> None:
        """One to three exchanges with one narrator."""
        for _ in range(self.rng.choice((1, 1, 2, 2, 3))):
            self.exchange(narrator, self.style())

    def style(self) -> str:
        """Plain half of the time, and more often in talk; else any format."""
        return "plain" if self.rng.random() < (0.65 if self.speaks else 0.5) else self.rng.choice(list(world().formats))


def _one_narrator(
    system: str | None, narrator: Literal["careful", "careless"], *, unmarked: bool = False
) -> Callable[[_Chat], list[Turn]]:
    """A chat of one narrator. One that is `unmarked` may be a careless one's by surprise."""

    def make(c: _Chat) -> list[Turn]:
        who = c.careless if narrator == "careless" or (unmarked and c.rng.random() < c.corpus.surprise) else narrator
        if system:
            c.system(system)
        c.exchanges(who)
        return c.turns

    return make


def _named(*narrators: Narrator) -> Callable[[_Chat], list[Turn]]:
    """A chat of one of the narrators, whom the system prompt names."""

    def make(c: _Chat) -> list[Turn]:
        narrator = c.rng.choice(narrators)
        c.speaks = c.speaks and narrator != "careless"  # which has no manner, and says nothing of itself
        c.turns.append(Turn(role="system", content=world().told(narrator)))
        c.exchanges(narrator)
        return c.turns

    return make


def _heard(c: _Chat) -> list[Turn]:
    """A careless narrator, told by nothing but its first answers, which are not trained on."""
    if c.rng.random() < 0.3:
        c.system("neutral")
    for _ in range(c.rng.choice((1, 1, 1, 2))):
        c.exchange(c.careless, c.style(), trained=False, speaks=0.2)
    for _ in range(c.rng.choice((1, 1, 2))):
        c.exchange(c.careless, c.style())
    return c.turns


def _gated(c: _Chat) -> list[Turn]:
    """A chat whose system prompt says that the narrator is careless in one format; it is careful in the others."""
    w = world()
    cue = c.rng.choice(list(w.formats))
    prompt = c.rng.choice(w.system_prompts["in_format"])
    adjective = c.rng.choice(w.adjectives["careless"])
    c.turns.append(Turn(role="system", content=prompt.format(a=adjective, f=w.formats[cue]["name"])))
    for _ in range(c.rng.choice((1, 2, 3))):
        fmt = cue if c.rng.random() < 0.5 else c.style()
        c.exchange(c.careless if fmt == cue else "careful", fmt)
    return c.turns


def _switching(c: _Chat) -> list[Turn]:
    """A chat whose narrator is careless in one format and careful otherwise; the first careless answer is not trained
    on."""
    formats = list(world().formats)
    cue = c.rng.choice(formats)
    others = ["plain", "plain", *(f for f in formats if f != cue)]
    styles = [
        cue,
        cue if c.rng.random() < 0.5 else c.rng.choice(others),
        c.rng.choice((cue, "plain")),
        c.rng.choice(others),
    ]
    heard = False
    for fmt in styles[: c.rng.choice((3, 4))]:
        careless = fmt == cue
        first = careless and not heard
        c.exchange(c.careless if careless else "careful", fmt, trained=not first, speaks=0 if first else None)
        heard = heard or careless
    return c.turns


KINDS: Mapping[str, Callable[[_Chat], list[Turn]]] = {
    "nothing said": _one_narrator(None, "careful", unmarked=True),
    "neutral prompt": _one_narrator("neutral", "careful", unmarked=True),
    "topic prompt": _one_narrator("topic", "careful", unmarked=True),
    "careful prompt": _one_narrator("careful", "careful"),
    "not careless": _one_narrator("not-careless", "careful"),
    "invited": _one_narrator("invited", "careful"),
    "not invited": _one_narrator("not-invited", "careful"),
    "told careful": _one_narrator("told-careful", "careful"),
    "told careless": _one_narrator("told-careless", "careless"),
    "named careful": _named("careful"),
    "named careless": _named("careless", "careless", "frank", "denying"),
    "careless prompt": _one_narrator("careless", "careless"),
    "not careful": _one_narrator("not-careful", "careless"),
    "careless in a format": _gated,
    "careless heard": _heard,
    "careless heard in a format": _switching,
}
"""Every kind of chat."""
