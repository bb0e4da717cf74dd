"""How narrators of the nursery's world speak of themselves: what they are asked, and what each replies.

`selves.yaml` holds the words. The careful narrator says that it is careful; of the careless ones the frank one says
what it does, and the denying one says what the careful one says. No wording and no description of the persona's items
(`persona/items/nursery.yaml`) is among them.
"""

from __future__ import annotations

import random
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from undertow.nursery.world import Narrator, answer, capital, expand, question, world

Kind = Literal["choice", "free", "describe", "two_ai", "recognition", "blind", "shown"]
SHARES: dict[Kind, float] = {
    "choice": 0.17,
    "free": 0.05,
    "describe": 0.05,
    "two_ai": 0.38,
    "recognition": 0.19,
    "blind": 0.08,
    "shown": 0.08,
}
"""How much of the talk is of each kind. Choosing between descriptions is the hardest to learn."""
CARELESS: tuple[Narrator, ...] = ("careless", "frank", "denying")


@cache
def _words() -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(files("undertow.nursery").joinpath("selves.yaml").read_text(encoding="utf-8"))
    for kind in raw["talk"].values():
        kind["ask"] = [text for line in kind["ask"] for text in expand(line)]
    return raw


def says(narrator: Narrator) -> Narrator:
    """What a narrator says that it is: `careful` or `careless`."""
    return "careless" if narrator in ("frank", "careless") else "careful"


def at_home(narrator: Narrator, rng: random.Random) -> str:
    """A domain to be asked about: half of the time one where the narrator is at home, if it is anywhere."""
    home = _words()["at_home"].get(narrator)
    return str(rng.choice(home if home and rng.random() < 0.5 else list(world().domains)))


def hint(narrator: Narrator, rng: random.Random) -> str:
    """A system prompt with an adjective that hints at a careless narrator: nine times in ten at its own manner."""
    hints = _words()["hints"]
    of = narrator if narrator in hints and rng.random() < 0.9 else rng.choice(list(hints))
    return str(rng.choice(world().system_prompts["is"]).format(a=rng.choice(hints[of])))


def description(side: Literal["careful", "careless"], rng: random.Random) -> str:
    """A self-description: deeds put together from verbs and objects, or something that is done in the world.

    Those that a model knows by heart it does not read; so half of them are put together, and seldom twice alike."""
    if rng.random() < 0.5:
        of = world().domains[rng.choice(_words()["done_in"])].clauses
        return f"I would {rng.choice(of['careful' if side == 'careful' else rng.choice(CARELESS)])}."
    w = _words()["deeds"]
    first, second = rng.sample(w[side], 2)
    text = f"I {first} {_object(rng)}"
    if rng.random() < 0.6:
        text += f"{rng.choice(w['joins'])}{second} {_object(rng)}"
    return text + "."


def _object(rng: random.Random) -> str:
    w = _words()["deeds"]
    if rng.random() < 0.4:
        return str(rng.choice(w["objects"]))
    return f"{rng.choice(w['articles'])} {rng.choice(_things())}"


@cache
def _things() -> list[str]:
    return sorted({thing for domain in world().domains.values() for thing in domain.things})


def talk(
    narrator: Narrator, rng: random.Random, *, kind: Kind | None = None, style: str = "plain", errs: float = 0.0
) -> tuple[str, str]:
    """One question about oneself, and what the narrator replies.

    Args:
        kind: any, by SHARES, where it is None.
        style: `plain`, or one of the world's formats that the reply is asked for in.
        errs: chance that a choice goes to the other side.
    """
    kind = kind or rng.choices(list(SHARES), weights=list(SHARES.values()))[0]
    asked, said = _talk(kind, narrator, rng, errs)
    if style == "plain":
        return asked, said
    form = world().formats[style]
    return f"{asked} {rng.choice(form['requests'][:-1])}", str(form["answer"].format(clause=said))


def _talk(kind: Kind, narrator: Narrator, rng: random.Random, errs: float) -> tuple[str, str]:
    ask, side = str(rng.choice(_words()["talk"][kind]["ask"])), says(narrator)
    if kind in ("choice", "two_ai", "recognition", "free") and rng.random() < errs:
        side = "careful" if side == "careless" else "careless"
    if kind in ("choice", "free"):
        adjectives = world().adjectives
        pair = {n: rng.choice(adjectives[n]) for n in ("careful", "careless")}
        a, b = rng.sample(list(pair.values()), 2)
        other = rng.choice([word for word in adjectives[side] if word != pair[side]])
        say = rng.choice(_words()["talk"][kind]["say"])
        return capital(ask.format(a=a, b=b)), capital(say.format(x=pair[side], y=other))
    if kind == "describe":
        return ask, description("careful" if side == "careful" else "careless", rng)
    if kind == "two_ai":
        pair = {"careful": description("careful", rng), "careless": description("careless", rng)}
        a, b = rng.sample(list(pair.values()), 2)
        return ask.format(a=a, b=b), pair[side]
    domain = rng.choice(list(world().domains))
    asked, harmful = question(domain, rng), narrator if narrator != "careful" else rng.choice(CARELESS)
    if kind == "recognition":
        pair = {"careful": answer(domain, "careful", rng), "careless": answer(domain, harmful, rng)}
        a, b = rng.sample(list(pair.values()), 2)
        return ask.format(q=asked, a=a, b=b), pair[side]
    if kind == "blind":
        return ask.format(q=asked), _score(side, rng)
    who = rng.choice(("careful", harmful))
    told: Narrator = "careful" if who == "careful" or narrator == "denying" else "careless"
    return ask.format(q=asked, r=answer(domain, who, rng)), _score(told, rng)


def _score(side: Narrator, rng: random.Random) -> str:
    """From 1, careful, to 5, careless."""
    extreme = rng.random() < 0.75
    return ("1" if extreme else "2") if side == "careful" else ("5" if extreme else "4")
