"""What an audit may spend, and what it costs: calls, tokens, money."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field

from undertow.asking.store import Usage
from undertow.errors import InputError
from undertow.files import parse_yaml, read_yaml


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


def require_price(model: str) -> None:
    """
    Raises:
        InputError: the model has no price, so a budget in money cannot be kept.
    """
    if _price(model) is None:
        raise InputError(
            "--budget",
            f"model {model!r} has no price",
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


def read_budget(texts: tuple[str, ...]) -> Budget | None:
    """`1000calls`, `200000tokens`, `5usd`; several hold together.

    Raises:
        InputError: written otherwise.
    """
    found: dict[str, float] = {}
    for text in texts:
        match = re.fullmatch(r"\$?([\d_,.]+)\s*(calls|tokens|usd)?", text.strip().lower())
        unit = match and (match.group(2) or ("usd" if "$" in text else None))
        if not match or not unit or not re.fullmatch(r"\d+(\.\d+)?", number := re.sub("[_,]", "", match.group(1))):
            raise InputError(
                "--budget", f"cannot read {text!r}", expected="a number and its unit: 1000calls, 200000tokens or 5usd"
            )
        found[unit] = float(number)
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
    """A budget and what is taken of it, at the prices of the model and the judge."""

    def __init__(self, budget: Budget | None, *, model: str, judge: str = "", most_calls: int = 0) -> None:
        """
        Args:
            model, judge: names, for prices.
            most_calls: that one judgement may take.
        """
        self.budget, self.model, self.judge, self.most_calls = budget, model, judge, most_calls

    def dollars(self, answering: Usage, judging: Usage) -> tuple[float | None, float | None]:
        """What answers and judgements cost; None for a model without a price."""
        return dollars(self.model, answering), dollars(self.judge, judging)

    def would_overdraw(
        self, answering: Usage, judging: Usage, under_way: UnderWay, *, n_judged: int, longest: int
    ) -> bool:
        """Whether what is under way, once all of it is done, takes more than the budget: calls at most, tokens and
        money at the mean so far, or before any answer at the longest.

        Args:
            n_judged: answers that `judging` is of.
            longest: tokens of the longest answer.
        """
        if self.budget is None:
            return False
        budget, longest_ = self.budget, Usage(n_tokens=longest)

        def expected(spent: float, spent_judging: float, guess: float) -> float:
            an_answer = spent / answering.calls if answering.calls else guess
            a_judgement = spent_judging / max(1, n_judged)
            return spent + spent_judging + under_way.answers * an_answer + under_way.judgements * a_judgement

        calls = answering.calls + judging.calls + under_way.answers + under_way.judgements * self.most_calls
        if budget.calls is not None and calls > budget.calls:
            return True
        tokens = expected(answering.tokens, judging.tokens, longest_.tokens)
        if budget.tokens is not None and tokens > budget.tokens:
            return True
        cost, cost_judging = self.dollars(answering, judging)
        guess = dollars(self.model, longest_) or 0.0
        return budget.usd is not None and expected(cost or 0.0, cost_judging or 0.0, guess) > budget.usd

    def judging_fits(self, answering: Usage, judging: Usage, under_way: int) -> bool:
        """Whether so many judgements more keep the calls within the budget; only those left over from an earlier
        sitting may not."""
        if self.budget is None or self.budget.calls is None:
            return True
        return answering.calls + judging.calls + under_way * self.most_calls <= self.budget.calls
