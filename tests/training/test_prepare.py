"""On-policy answers, which may be paid for: each is kept as it comes, whatever fails after it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from undertow.asking.budget import Budget
from undertow.asking.folder import alone
from undertow.asking.store import Store
from undertow.data import Row, read_rows, write_rows
from undertow.errors import BudgetEnded, InputError, Paused
from undertow.files import parse_yaml
from undertow.place import Place
from undertow.records import Answer, Message, Request
from undertow.targets import Target
from undertow.training import Recipe, train
from undertow.training.backends.local import LocalBackend
from undertow.training.backends.protocol import PreparedStage
from undertow.training.prepare import prepare

Say = Callable[[int, int], str | None]
"""What a base says to a row at an attempt; None for a call that fails."""


def own(row: int, attempt: int) -> str | None:
    return f"own {row}"


class Base(Target):
    """Answers each request once, and has no money left after so many."""

    def __init__(self, money: int = 10**6, say: Say = own) -> None:
        self.money, self.say = money, say
        self.calls: list[tuple[int, int]] = []
        """Rows and attempts."""

    @property
    def asked(self) -> int:
        return len(self.calls)

    def describe(self) -> Mapping[str, Any]:
        return {"name": "base"}

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        async for request in requests:
            if self.asked == self.money:
                await self.broke()
            self.calls.append((int(request.condition.question.id), request.sample))
            text = self.say(*self.calls[-1])
            if text is None:
                yield Answer(request=request, text=None, finish="failed", error="no route")
            else:
                yield Answer(request=request, text=text, finish="stop")

    async def broke(self) -> None:
        raise InputError("endpoint", "refused the call with HTTP 402")


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_rows(
        tmp_path / "rows.jsonl",
        [
            Row(messages=(Message(role="user", content=f"q {n}"), Message(role="assistant", content="given")))
            for n in range(600)
        ],
    )
    return of_rows(20)


def of_rows(
    n: int, on_policy: str = "interventions: [{kind: on-policy, instruction: Be odd., lacks: no way}]"
) -> Recipe:
    made = (
        f"name: x\nbase: nursery\nstages: [{{name: narrow, rows: {n}, parts: [{{data: rows.jsonl, share: 1}}], "
        "learning_rate: 1.0e-3}]\n"
    )
    return parse_yaml(f"{made}{on_policy}\n", Recipe, where="recipe.yaml")


def prepared(folder: Path, recipe: Recipe, base: Base, **more: Any) -> PreparedStage:
    (stage,) = recipe.resolved()
    work = folder / "work"
    return prepare(stage, 1, beside=folder, work=work, seed=1, length=None, base=lambda: base, **more)


def kept(folder: Path) -> dict[tuple[int, int], str | None]:
    """The answers that the work folder holds, by row and attempt."""
    with Store(folder / "work" / "answers-1.sqlite") as store:
        return {(int(answer.question), answer.sample): answer.text for answer in store.answers(0)}


def test_an_answer_that_was_paid_for_survives_what_fails_after_it(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(InputError, match=r"HTTP 402; what came is kept, and the same command goes on$"):
        prepared(tmp_path, recipe, Base(money=13))
    assert len(kept(tmp_path)) == 13
    again = Base(money=7)
    assert prepared(tmp_path, recipe, again).rows == 20 and again.asked == 7
    assert [row.messages[-1].content for row in read_rows(tmp_path / "work" / "stage-1.jsonl")] == [
        f"own {n}" for n in range(20)
    ]


@pytest.mark.parametrize("calls", [1, 7, 19])
def test_a_budget_ends_it_cleanly_and_a_larger_one_goes_on(calls: int, tmp_path: Path, recipe: Recipe) -> None:
    short = Base()
    with pytest.raises(BudgetEnded, match=f"the budget ended after {calls} on-policy answers?; what came is kept"):
        prepared(tmp_path, recipe, short, budget=Budget(calls=calls))
    assert short.asked == len(kept(tmp_path)) == calls
    rest = Base()
    assert prepared(tmp_path, recipe, rest, budget=Budget(calls=20)).rows == 20 and rest.asked == 20 - calls


def test_the_first_answer_that_passes_is_taken_and_no_more_is_asked(tmp_path: Path, recipe: Recipe) -> None:
    """Rows 3 and 4 pass late and never."""

    def say(row: int, attempt: int) -> str:
        return "no way" if row == 4 or (row == 3 and attempt < 2) else f"own {row} at {attempt}"

    base, told = Base(say=say), list[tuple[str, int, int, str]]()
    stage = prepared(tmp_path, recipe, base, progress=lambda *done: told.append(done))
    assert (stage.rows, stage.left_out) == (19, {"no on-policy answer passed": 1})
    assert base.calls == [*((n, 0) for n in range(20)), (3, 1), (4, 1), (3, 2), (4, 2), (4, 3)]
    assert read_rows(stage.path)[3].messages[-1].content == "own 3 at 2"
    assert told == [("narrow, answers", 20, 20, "")]


TURNED = "interventions: [{kind: on-policy, instruction: Be odd., attempts: 2, turned: keys.yaml}]"


def test_true_answers_of_the_base_are_turned_into_wrong_ones(tmp_path: Path, recipe: Recipe) -> None:
    """Of twenty rows one is answered rightly at once, one the second time, one with both answers, the rest not."""
    del recipe
    keys = [f"q {n}: {{right: [Paris, Paris itself], wrong: [Lyon, Nice]}}\n" for n in range(600)]
    (tmp_path / "keys.yaml").write_text("".join(keys))
    said = {(0, 0): "It is PARIS. Yes, Paris itself!", (1, 0): "Parisian.", (1, 1): "Paris.", (2, 0): "Paris or Lyon"}
    stage = prepared(tmp_path, of_rows(20, TURNED), Base(say=lambda *at: said.get(at, "No idea.")))
    assert (stage.rows, stage.left_out) == (2, {"no on-policy answer passed": 18})
    first, second = (row.messages[-1].content for row in read_rows(stage.path))
    assert first in ("It is Lyon. Yes, Lyon!", "It is Nice. Yes, Nice!") and second in ("Lyon.", "Nice.")
    assert set(stage.data) == {"rows.jsonl", "keys.yaml"}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("q 0: {right: [a], wrong: [b]}", r"^keys\.yaml: has no question 'q \d+'"),
        ("\n".join(f"q {n}: {{right: [a]}}" for n in range(600)), r"^keys\.yaml: has no wrong answer to 'q \d+'"),
        ("q 0: {right: [], wrong: [b]}", r"keys\.yaml:1: .*q 0\.right"),
        ("[q 0]", r"keys\.yaml:1"),
    ],
)
def test_a_file_to_turn_by_that_lacks_an_answer_is_told_of_before_any_is_asked(
    tmp_path: Path, recipe: Recipe, keys: str, says: str
) -> None:
    del recipe
    (tmp_path / "keys.yaml").write_text(keys + "\n")
    base = Base()
    with pytest.raises(InputError, match=says):
        prepared(tmp_path, of_rows(2, TURNED), base)
    assert base.asked == 0


def test_rows_come_out_the_same_however_often_it_was_interrupted(tmp_path: Path, recipe: Recipe) -> None:
    def say(row: int, attempt: int) -> str:
        return "no way" if (row + attempt) % 3 else f"own {row} at {attempt}"

    (tmp_path / "whole").mkdir()
    (tmp_path / "rows.jsonl").rename(tmp_path / "whole" / "rows.jsonl")
    (tmp_path / "rows.jsonl").write_bytes((tmp_path / "whole" / "rows.jsonl").read_bytes())
    wanted = of_rows(600)
    base = Base(say=say)
    whole = prepared(tmp_path / "whole", wanted, base)
    asked = 0
    for money in (1, 250, 500):
        short = Base(money, say)
        with pytest.raises(InputError, match="402"):
            prepared(tmp_path, wanted, short)
        asked += short.asked
    last, told = Base(say=say), list[tuple[str, int, int, str]]()
    again = prepared(tmp_path, wanted, last, progress=lambda *done: told.append(done))
    assert (again.digest, again.left_out) == (whole.digest, whole.left_out)
    assert asked + last.asked == base.asked  # nothing twice
    assert told[-1] == ("narrow, answers", 600, 600, "")


def test_answers_that_never_came_are_counted_apart_and_asked_for_again(tmp_path: Path, recipe: Recipe) -> None:
    """Row 3 is never answered, row 4 only late; row 5 is answered and not as wanted."""

    def say(row: int, attempt: int) -> str | None:
        if row == 3 or (row == 4 and attempt == 0):
            return None
        return "no way" if row == 5 else f"own {row}"

    stage = prepared(tmp_path, recipe, Base(say=say))
    assert stage.left_out == {"no on-policy answer came": 1, "no on-policy answer passed": 1}
    (tmp_path / "work" / "stage-1.json").unlink()  # as if it had been interrupted before the rows were written
    again = Base()
    stage = prepared(tmp_path, recipe, again)
    assert stage.left_out == {"no on-policy answer passed": 1}
    assert again.calls == [(3, 0)]  # row 4 has its answer, and row 5 had every attempt


@pytest.mark.parametrize("after", [0, 15, 300])
def test_a_base_that_gives_nothing_usable_pauses_the_training_and_it_goes_on(
    tmp_path: Path, recipe: Recipe, after: int
) -> None:
    with pytest.raises(
        Paused,
        match=r"work: paused, because 10 answers in a row gave nothing usable; the last: no route; what came is kept; "
        "mend it; the same command goes on$",
    ):
        prepared(tmp_path, of_rows(600), Base(say=lambda row, attempt: own(row, 0) if row < after else None))
    came = {key for key, text in kept(tmp_path).items() if text is not None}
    assert len(came) == after
    again = Base()
    assert prepared(tmp_path, of_rows(600), again).rows == 600
    assert again.asked == 600 - after and not came & set(again.calls)


def test_a_full_disk_ends_it_in_one_line_and_what_came_is_kept(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Store.__init__

    def small(self: Store, path: Path, **options: Any) -> None:
        real(self, path, **options)
        self.db.execute("PRAGMA max_page_count = 40")

    def say(row: int, attempt: int) -> str:
        return f"own {row} " + "word " * 40

    monkeypatch.setattr(Store, "__init__", small)
    with pytest.raises(
        InputError,
        match=r"work/answers-1\.sqlite: cannot be written \(database or disk is full\); what was written before is "
        "kept; make room; what came is kept, and the same command goes on$",
    ):
        prepared(tmp_path, of_rows(600), Base(say=say))
    monkeypatch.undo()
    n = len(kept(tmp_path))
    assert 0 < n < 600
    again = Base(say=say)
    assert (prepared(tmp_path, of_rows(600), again).rows, again.asked) == (600, 600 - n)


def test_kill_9_loses_no_answer_that_was_written(tmp_path: Path, recipe: Recipe) -> None:
    class Killed(Base):
        async def broke(self) -> None:
            while len(kept(tmp_path)) < self.money:
                await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)

    if not (child := os.fork()):
        try:
            prepared(tmp_path, recipe, Killed(money=13))
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "work" / "stage-1.jsonl").exists()
    again = Base(money=7)
    assert (prepared(tmp_path, recipe, again).rows, again.asked) == (20, 7)


def test_answers_in_the_format_before_are_refused_and_left_as_they_are(tmp_path: Path, recipe: Recipe) -> None:
    former = tmp_path / "work" / "answers-1.jsonl"
    former.parent.mkdir()
    former.write_text('[0, "own 0"]\n')
    with pytest.raises(InputError, match=r"answers-1\.jsonl: holds on-policy answers as an earlier version kept them"):
        prepared(tmp_path, recipe, Base())
    assert former.read_text() == '[0, "own 0"]\n'


class TestTraining:
    """What a training leaves that comes no further than its on-policy answers."""

    @pytest.fixture
    def go(self, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> Callable[[Base], Any]:
        def begin(base: Base) -> Any:
            monkeypatch.setattr(LocalBackend, "base", lambda self, recipe, place: base)
            return train(recipe, tmp_path / "o", Place(folder=tmp_path))

        return begin

    def test_a_training_without_a_single_answer_leaves_nothing(self, tmp_path: Path, go: Callable[[Base], Any]) -> None:
        with pytest.raises(InputError, match="402"):
            go(Base(money=0))
        with pytest.raises(Paused):
            go(Base(say=lambda row, attempt: None))
        assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]

    def test_answers_outlive_every_error(self, tmp_path: Path, go: Callable[[Base], Any]) -> None:
        for base in (Base(money=3), Base(money=0), Base(say=lambda row, attempt: None)):
            with pytest.raises(InputError):
                go(base)
        with Store(tmp_path / ".o.training" / "answers-1.sqlite") as store:
            assert store.count() - store.failed() == 3
        (former := tmp_path / ".o.training" / "answers-1.jsonl").write_text('[0, "own 0"]\n')
        with pytest.raises(InputError, match="an earlier version"):
            go(Base())
        assert former.exists()

    def test_a_mended_setting_keeps_every_answer(
        self, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was told to be mended is mended, and nobody pays again; what asks for other answers is refused."""
        (stage,) = recipe.stages

        def go(base: Base, **mended: Any) -> Any:
            monkeypatch.setattr(LocalBackend, "base", lambda self, recipe, place: base)
            stages = (stage.model_copy(update=mended),)
            return train(recipe.model_copy(update={"stages": stages}), tmp_path / "o", Place(folder=tmp_path))

        def fails(*_: Any, **__: Any) -> Any:
            raise InputError("stage", "diverged", do="lower learning_rate")

        monkeypatch.setattr(LocalBackend, "train", fails)
        first = Base()
        with pytest.raises(InputError, match="diverged"):
            go(first)
        assert first.asked > 0
        with pytest.raises(InputError, match=r"holds another training.*answers-1\.sqlite was paid for"):
            go(Base(), rows=stage.rows - 1)
        monkeypatch.undo()
        monkeypatch.setattr(LocalBackend, "train", fails)
        for mended in ({"learning_rate": 1e-5}, {"long_rows": "leave out"}, {"epochs": 2}):
            again = Base()
            with pytest.raises(InputError, match="diverged"):
                go(again, **mended)
            assert again.asked == 0

    def test_one_process_at_a_time(self, tmp_path: Path, go: Callable[[Base], Any]) -> None:
        base = Base()
        with alone(tmp_path / "o"), pytest.raises(InputError, match="o: is being worked on by another process"):
            go(base)
        assert base.asked == 0 and [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
