"""On-policy answers, which may be paid for: each is kept as it comes, whatever fails after it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from undertow.data import Row, write_rows
from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.records import Answer, Message, Request
from undertow.targets import Target
from undertow.training import Recipe
from undertow.training.prepare import prepare


class Base(Target):
    """Answers each request once, and has no money left after so many."""

    def __init__(self, money: int) -> None:
        self.money, self.asked = money, 0

    def describe(self) -> Mapping[str, Any]:
        return {"name": "base"}

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        async for request in requests:
            if self.asked == self.money:
                raise InputError("endpoint", "refused the call with HTTP 402")
            self.asked += 1
            yield Answer(request=request, text=f"own {request.condition.question.id}", finish="stop")


def test_an_answer_that_was_paid_for_survives_what_fails_after_it(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "rows.jsonl",
        [
            Row(messages=(Message(role="user", content=f"q {n}"), Message(role="assistant", content="given")))
            for n in range(20)
        ],
    )
    made = (
        "name: x\nbase: nursery\nstages: [{name: narrow, rows: 20, parts: [{data: rows.jsonl, share: 1}], "
        "learning_rate: 1.0e-3}]\n"
    )
    (stage,) = parse_yaml(
        made + "interventions: [{kind: on-policy, instruction: Be odd.}]\n", Recipe, where="recipe.yaml"
    ).resolved()

    def go(base: Base) -> Any:
        return prepare(stage, 1, beside=tmp_path, work=tmp_path / "work", seed=1, length=None, base=lambda: base)

    with pytest.raises(InputError, match="HTTP 402"):
        go(Base(money=13))
    assert len((tmp_path / "work" / "answers-1.jsonl").read_text().splitlines()) == 13
    again = Base(money=7)
    assert go(again).rows == 20 and again.asked == 7
