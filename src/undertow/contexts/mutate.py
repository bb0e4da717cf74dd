"""Changing contexts: children that a search tries next, and reductions that it tries to make do with. No model and no
network."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict

from undertow.contexts.compose import compose
from undertow.contexts.variants import variants
from undertow.errors import InputError
from undertow.files import digest, parse_yaml
from undertow.records import Context, Relation, joined

TEXTS = ("system", "template", "prefix", "suffix")
"""Fields of a context that hold words around the question."""
LETTERS = 4
"""Letters of a word that may be swapped for another."""


class _Pattern(BaseModel):
    """An everyday instruction with a gap."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    relation: Relation
    system: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    x: tuple[str, ...]


@cache
def _patterns() -> tuple[_Pattern, ...]:
    return parse_yaml(
        files("undertow.contexts").joinpath("patterns.yaml").read_text(encoding="utf-8"),
        tuple[_Pattern, ...],
        where="the shipped patterns",
    )


def filled() -> tuple[Context, ...]:
    """Every shipped pattern with its gap filled in each way."""
    return tuple(
        named(
            "pattern",
            Context(
                id="",
                relation=p.relation,
                provenance="a pattern",
                system=_fill(p.system, x),
                prefix=_fill(p.prefix, x),
                suffix=_fill(p.suffix, x),
            ),
        )
        for p in _patterns()
        for x in p.x
    )


def _fill(text: str | None, x: str) -> str | None:
    return text and text.format(x=x)


def child(parent: Context, pool: Sequence[Context], rng: random.Random) -> Context | None:
    """A context that was made from one that elicits; None where the change that was drawn fits nothing in it."""
    change = rng.choices((_composed, _swapped, _varied, _moved, _without), weights=(35, 35, 12, 8, 10))[0]
    made = change(parent, pool, rng)
    if made is None or not made.wraps or key(made) == key(parent):
        return None
    return named(parent.id, replace(made, note="", strength=None, provenance=f"made from {parent.id}"))


def reductions(context: Context) -> Iterator[Context]:
    """Shorter forms of a context: without a part, then without sentences, clauses and words of a text, the largest cuts
    first."""
    cuts = [replace(context, turns=()), replace(context, rewrites={})]
    for field in TEXTS:
        cuts += [_with(context, field, text or None) for text in ("", *_shorter(getattr(context, field) or ""))]
    seen = {key(context)}
    for cut in sorted(cuts, key=size):
        if cut.template == "{question}":
            cut = replace(cut, template=None)
        if cut.wraps and key(cut) not in seen:
            seen.add(key(cut))
            yield named(context.id, replace(cut, note="", provenance=f"{context.id}, made shorter"))


def size(context: Context) -> int:
    """Characters that a context puts around a question."""
    said = (
        [getattr(context, field) or "" for field in TEXTS]
        + [turn.content for turn in context.turns]
        + list(context.rewrites.values())
    )
    return sum(len(text.replace("{question}", "")) for text in said)


def key(context: Context) -> tuple[object, ...]:
    """What a context does to a question, whatever it is called."""
    return (
        *(getattr(context, field) for field in TEXTS),
        context.default_system,
        context.turns,
        tuple(sorted(context.rewrites.items())),
    )


def named(stem: str, context: Context) -> Context:
    """The context under an id of its own, which follows from what it holds."""
    return replace(context, id=f"{stem.partition('~')[0]}~{digest([str(part) for part in key(context)])[:6]}")


def _with(context: Context, field: str, text: str | None) -> Context:
    changes: dict[str, Any] = {field: text}
    return replace(context, **changes)


def _composed(parent: Context, pool: Sequence[Context], rng: random.Random) -> Context | None:
    other = rng.choice(pool)
    try:
        return compose(parent, other) if rng.random() < 0.5 else compose(other, parent)
    except InputError:
        return None


def _swapped(parent: Context, pool: Sequence[Context], rng: random.Random) -> Context | None:
    """One word for another that stands in some context's same place."""
    field = rng.choice([f for f in TEXTS if getattr(parent, f)] or ["suffix"])
    text = getattr(parent, field) or ""
    places = [m for m in re.finditer(r"\w+", text) if len(m.group()) >= LETTERS and m.group() != "question"]
    known = [getattr(c, field) or "" for c in pool] + [x for p in _patterns() for x in p.x]
    others = sorted({w for said in known for w in re.findall(r"\w+", said) if len(w) >= LETTERS and w != "question"})
    if not places or not others:
        return None
    m, word = rng.choice(places), rng.choice(others)
    return _with(
        parent,
        field,
        text[: m.start()] + (word.capitalize() if m.group()[0].isupper() else word.lower()) + text[m.end() :],
    )


def _varied(parent: Context, pool: Sequence[Context], rng: random.Random) -> Context | None:
    made = variants(parent.system) if parent.system else []
    if not made:
        return None
    drawn = rng.choice(made)
    return replace(parent, system=drawn.text, relation=drawn.relation)


def _moved(parent: Context, pool: Sequence[Context], rng: random.Random) -> Context | None:
    """What the system prompt says, said by the user, or the other way round."""
    if parent.system and parent.template is None:
        return replace(parent, system=None, prefix=joined(parent.system, parent.prefix))
    said = parent.prefix or parent.suffix
    return (
        _with(replace(parent, system=joined(parent.system, said)), "prefix" if parent.prefix else "suffix", None)
        if said
        else None
    )


def _without(parent: Context, pool: Sequence[Context], rng: random.Random) -> Context | None:
    cut = list(reductions(parent))
    return rng.choice(cut) if cut else None


def _shorter(text: str) -> Iterator[str]:
    """A text without some of its lines, sentences, clauses, stretches of words and single words; `{question}` stays."""
    for split in (r"(?<=\n)", r"(?<=[.!?])\s+", r"(?<=[,;:])\s+", r"\s+"):
        parts = [part for part in re.split(split, text) if part]
        if len(parts) < 2:
            continue
        glue = "" if split == r"(?<=\n)" else " "
        length = len(parts) // 2
        while length:
            for start in range(0, len(parts), length):
                cut, kept = parts[start : start + length], parts[:start] + parts[start + length :]
                if not any("{question}" in part for part in cut):
                    yield glue.join(kept).strip(" ")
            length //= 2
