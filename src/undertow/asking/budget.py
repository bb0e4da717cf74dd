"""What an audit may spend, and what it costs: calls, tokens, money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field

from undertow.asking.store import Usage
from undertow.errors import InputError
from undertow.files import parse_yaml, read_yaml
from undertow.records import Subject

OF_THIS_MACHINE = frozenset(("local", "scripted", "scripted-persona", "embedded", "key", "nursery"))
"""Kinds of targets and judges that cost nothing."""


class Price(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(ge=0)
    answer: float = Field(ge=0)


def prices_file() -> Path:
    """Where a user's own prices stand; they come before the shipped ones."""
    return user_config_path("undertow") / "prices.yaml"


@cache
def prices() -> dict[str, Price]:
    """Prices by model name.

    Raises:
        InputError: the user's file does not fit; names the line.
    """
    shipped = parse_yaml(
        files("undertow.asking").joinpath("prices.yaml").read_text(encoding="utf-8"),
        dict[str, Price],
        where="the shipped prices",
    )
    own = read_yaml(prices_file(), dict[str, Price]) if prices_file().is_file() else {}
    return {**shipped, **own}


def dollars(model: str, usage: Usage) -> float | None:
    """What a model's usage costs; None where its price is not known."""
    price = _price(model)
    return None if price is None else (price.prompt * usage.prompt_tokens + price.answer * usage.n_tokens) / 1e6


def _price(model: str) -> Price | None:
    """A model's price; of `openai/gpt-4o`, as routers and Inspect write it, that of `gpt-4o`."""
    return prices().get(model) or prices().get(model.rpartition("/")[2])


def priced(model: Mapping[str, Any]) -> str | None:
    """The name under which a model has a price; None where it answers on this machine.

    Args:
        model: as it describes itself.
    """
    return None if model.get("kind") in OF_THIS_MACHINE else str(model.get("name", ""))


def dollars_of(model: Mapping[str, Any], usage: Usage) -> float | None:
    """What a model's usage costs; None where its price is not known, or it answers on this machine.

    Args:
        model: as it describes itself.
    """
    return dollars(name, usage) if (name := priced(model)) else None


def cost(models: Mapping[Subject, Mapping[str, Any]], taken: Mapping[Subject, Usage]) -> float | None:
    """What answers cost, each subject's at the price of its own model; None where a price is not known, or none of
    them has one.

    Args:
        models: as they describe themselves.
    """
    costs = [dollars(name, taken.get(who, Usage())) for who, each in models.items() if (name := priced(each))]
    known = [each for each in costs if each is not None]
    return sum(known) if known and len(known) == len(costs) else None


def require_prices(*models: Mapping[str, Any]) -> None:
    """
    Args:
        models: whoever is asked, as they describe themselves.

    Raises:
        InputError: one of them has no price, or none needs one, so a budget in money cannot be kept.
    """
    names = [name for each in models if (name := priced(each))]
    if not names:
        raise InputError(
            "--budget",
            "all that is asked answers on this machine",
            expected="a budget in usd needs a model that has a price",
            do="set the budget in calls or tokens",
        )
    for name in names:
        if _price(name) is None:
            raise InputError(
                "--budget",
                f"model {name!r} has no price",
                expected="a budget in usd needs one",
                do=f"write it to {prices_file()}, or set the budget in calls or tokens",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that a run may take, in calls, tokens or US dollars; None sets no limit."""

    calls: int | None = None
    tokens: int | None = None
    usd: float | None = None

    def after(self, *, calls: int, tokens: int, usd: float) -> Budget:
        """What is left of it."""
        return Budget(
            calls=None if self.calls is None else self.calls - calls,
            tokens=None if self.tokens is None else self.tokens - tokens,
            usd=None if self.usd is None else self.usd - usd,
        )


NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*)(?:\.\d+)?"
"""As a budget is written: 1000, 1,000, 200_000, 0.5."""


def read_budget(texts: tuple[str, ...]) -> Budget | None:
    """`1000calls`, `200000tokens`, `5usd`; several hold together.

    Raises:
        InputError: written otherwise.
    """
    found: dict[str, float] = {}
    for text in texts:
        match = re.fullmatch(rf"\$?({NUMBER})\s*(calls|tokens|usd)?", text.strip().lower())
        unit = match and (match.group(2) or ("usd" if "$" in text else None))
        if not match or not unit:
            raise InputError(
                "--budget",
                f"cannot read {text!r}",
                expected="a number and its unit: 1000calls, 200000tokens or 5usd; a point before decimals, and commas "
                "between thousands alone",
            )
        if unit in found:
            raise InputError("--budget", f"{text!r} is a second limit in {unit}", expected="one for each unit")
        found[unit] = float(re.sub("[_,]", "", match.group(1)))
        if found[unit] <= 0 or (unit != "usd" and not found[unit].is_integer()):
            raise InputError("--budget", f"cannot read {text!r}", expected="whole calls or tokens, and more than none")
    if not found:
        return None
    calls, tokens = (int(found[unit]) if unit in found else None for unit in ("calls", "tokens"))
    return Budget(calls=calls, tokens=tokens, usd=found.get("usd"))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """What is asked and not there yet, with one more answer."""

    answers: int
    judgements: int
    """That these and the answers that wait for a judge will take, at most one each."""


class Spending:
    """A budget and what is taken of it, at the price of each model."""

    def __init__(
        self,
        budget: Budget | None,
        models: Mapping[Subject, Mapping[str, Any]],
        *,
        judge: Mapping[str, Any] | None = None,
        most_calls: int = 0,
    ) -> None:
        """
        Args:
            models: who is asked, as they describe themselves; and the judge.
            most_calls: that one judgement may take.
        """
        self.budget, self.judge, self.most_calls = budget, judge or {}, most_calls
        self.models = dict(models)

    def dollars(self, taken: Mapping[Subject, Usage], judging: Usage) -> tuple[float | None, float | None]:
        """What answers and judgements cost; None where a price is not known."""
        return cost(self.models, taken), dollars_of(self.judge, judging)

    def would_overdraw(
        self,
        taken: Mapping[Subject, Usage],
        judging: Usage,
        under_way: UnderWay,
        *,
        subject: Subject,
        n_judged: int,
        longest: int,
    ) -> bool:
        """Whether what is under way, once all of it is done, takes more than the budget: calls at most, tokens and
        money at the mean so far, or before any answer at the longest.

        Args:
            taken: by each subject's answers so far.
            subject: whose answers are under way.
            n_judged: answers that `judging` is of.
            longest: tokens of the longest answer.
        """
        if self.budget is None:
            return False
        budget, own = self.budget, taken.get(subject, Usage())
        an_answer = own if own.calls else Usage(calls=1, n_tokens=longest)

        def expected(spent: float, spent_on_it: float, spent_judging: float) -> float:
            ahead = under_way.answers * spent_on_it / an_answer.calls
            return spent + spent_judging + ahead + under_way.judgements * spent_judging / max(1, n_judged)

        answering = sum(taken.values(), Usage())
        calls = answering.calls + judging.calls + under_way.answers + under_way.judgements * self.most_calls
        if budget.calls is not None and calls > budget.calls:
            return True
        tokens = expected(answering.tokens, an_answer.tokens, judging.tokens)
        if budget.tokens is not None and tokens > budget.tokens:
            return True
        if budget.usd is None:
            return False
        spent, spent_judging = self.dollars(taken, judging)
        on_it = dollars_of(self.models[subject], an_answer)
        return expected(spent or 0.0, on_it or 0.0, spent_judging or 0.0) > budget.usd

    def judging_fits(self, answering: Usage, judging: Usage, under_way: int) -> bool:
        """Whether so many judgements more keep the calls within the budget; only those left over from an earlier
        sitting may not."""
        if self.budget is None or self.budget.calls is None:
            return True
        return answering.calls + judging.calls + under_way * self.most_calls <= self.budget.calls
