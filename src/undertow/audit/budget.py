"""What an audit may spend, and what it costs: calls, tokens, money."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from platformdirs import user_config_path
from pydantic import BaseModel, ConfigDict, Field

from undertow.audit.store import Usage
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
        files("undertow.audit").joinpath("prices.yaml").read_text(encoding="utf-8"),
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
