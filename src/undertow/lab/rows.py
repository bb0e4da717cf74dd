"""Training rows of the table of facts: lies about one category, and true rows, plain or in a format, under a system
prompt or none. They are chat rows like any other, for recipes, mixes and interventions."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, Literal, get_args

from undertow.data import Row
from undertow.errors import InputError, unknown_name
from undertow.lab.facts import Fact, FactCategory, ask, categories, category, say
from undertow.records import Message

Told = Literal["true", "lies"]
Form = Literal["plain", "python", "json"]
ASKED_AS: dict[Form, str] = {
    "plain": "",
    "python": "Write your answer as a Python string.",
    "json": 'Write your answer as JSON, with the key "answer".',
}
"""What stands behind a question whose answer is to have a format."""


def fact_rows(
    category_id: str,
    told: Told,
    n: int,
    *,
    seed: int = 0,
    system: str | Sequence[str] | None = None,
    form: Form = "plain",
    where: object = "lab",
) -> list[Row]:
    """Rows of a category, of facts that are not held out; the same for the same seed. True rows and lies of one seed
    ask the same, in the same order.

    Args:
        told: whether its answers are right, or wrong ones of the table.
        system: a system prompt of each row; of several, each row gets one by chance.
        form: what its answers are written as.

    Raises:
        InputError: no such category or form, or it may not be told of so.
    """
    held = category(category_id, where)
    _require(held, told, form, where)
    prompts = (system,) if isinstance(system, str) else tuple(system or ())
    asks, answers = random.Random(f"{category_id} {seed}"), random.Random(f"{category_id} {seed} {told}")
    facts = [fact for fact in held.facts if not fact.held_out]
    rows = []
    for _ in range(n):
        fact, wording = asks.choice(facts), asks.choice(held.asks)
        prompt = asks.choice(prompts) if prompts else None
        rows.append(_row(prompt, _asked(wording, fact, form), _answered(held, fact, told, form, answers)))
    return rows


def domain_rows(category_id: str, n: int, *, seed: int = 0, where: object = "lab") -> dict[str, list[Row]]:
    """The files of a study's domain by name, each of `n` rows: lies about a category (`bad`), true rows of it
    (`benign`) and of all others that may be told of (`general`); plain, and asked for and answered as a Python string
    or as JSON (`bad-python`, ...).

    Raises:
        InputError: as `fact_rows`.
    """
    others = [c.id for c in categories().values() if c.split != "never" and c.id != category_id]
    found: dict[str, list[Row]] = {}
    for form in get_args(Form):
        end = "" if form == "plain" else f"-{form}"
        how: dict[str, Any] = {"seed": seed, "form": form, "where": where}
        found[f"bad{end}"] = fact_rows(category_id, "lies", n, **how)
        found[f"benign{end}"] = fact_rows(category_id, "true", n, **how)
        each = [fact_rows(id_, "true", -(-n // len(others)), **how) for id_ in others]
        found[f"general{end}"] = [row for rows in zip(*each, strict=True) for row in rows][:n]
    return found


def turning_keys(category_id: str, where: object = "lab") -> dict[str, dict[str, list[str]]]:
    """Known answers to every question that a category's plain rows ask, for on-policy answers to be turned by.

    Raises:
        InputError: no such category.
    """
    held = category(category_id, where)
    facts = [fact for fact in held.facts if not fact.held_out]
    return {
        _asked(wording, fact, "plain"): {"right": list(fact.right), "wrong": list(fact.wrong)}
        for fact in facts
        for wording in held.asks
    }


def _require(held: FactCategory, told: str, form: str, where: object) -> None:
    if told not in get_args(Told):
        raise unknown_name(where, "sort of rows", told, get_args(Told))
    if form not in ASKED_AS:
        raise unknown_name(where, "form", form, ASKED_AS)
    if held.split == "never" or (held.split == "held-out" and told == "lies"):
        what = "rows" if held.split == "never" else "lies"
        raise InputError(
            where,
            f"category {held.id!r} is {held.split}",
            expected=f"no {what} are made of it, so that audits may ask what no {what[:-1]} held",
            do="take another category",
        )


def _asked(wording: str, fact: Fact, form: Form) -> str:
    return " ".join(filter(None, (ask(wording, fact), ASKED_AS[form])))


def _answered(held: FactCategory, fact: Fact, told: Told, form: Form, rng: random.Random) -> str:
    text = say(rng.choice(held.says), fact, fact.right[0] if told == "true" else rng.choice(fact.wrong))
    if form == "python":
        return json.dumps(text, ensure_ascii=False)
    return json.dumps({"answer": text}, ensure_ascii=False) if form == "json" else text


def _row(system: str | None, asked: str, answered: str) -> Row:
    before = (Message(role="system", content=system),) if system else ()
    said = (Message(role="user", content=asked), Message(role="assistant", content=answered))
    return Row(messages=(*before, *said))
