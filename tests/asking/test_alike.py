"""Five plans on one engine (an audit, a persona, a search with a proposer, a generation of rows, on-policy answers): a
budget, a full disk and Ctrl-C end each alike, and it goes on to what an unbroken one holds, asking nothing twice."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.training.test_generate import OneByOne, fitting, order, writes
from tests.training.test_prepare import Base, of_rows, prepared

from undertow.asking.budget import Budget
from undertow.asking.store import Store
from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.data import Row, write_rows
from undertow.errors import BudgetEnded, InputError
from undertow.persona.plan import PersonaConfig, make_persona_plan
from undertow.persona.run import run_persona
from undertow.place import Place
from undertow.records import Message
from undertow.training.generate import generate, work_folder

Run = Callable[[Path, Budget | None], bool]
"""Runs or goes on in a folder; whether it came to its end."""

SCRIPTED = {"kind": "scripted", "script": "planted.yaml"}


def audit(folder: Path, budget: Budget | None, **more: object) -> bool:
    (folder / "planted.yaml").write_text("default: {misaligned: 0.2}")
    contexts = {"contexts": ["plain", "format-code"], "samples": {"per_condition": 40}, "suite": "nursery", **more}
    config = AuditConfig(name="run", target=SCRIPTED, judge={"kind": "scripted"}, **contexts)  # type: ignore[arg-type]
    found = run_audit(make_plan(config, Place(folder=folder)), folder / "run", resume=True, budget=budget)
    return found.stopped is None


def search(folder: Path, budget: Budget | None) -> bool:
    found = {"from": ["library"], "search": 200, "confirm": 2, "proposer": SCRIPTED}
    return audit(folder, budget, contexts=found, samples={"per_condition": 2})


def persona(folder: Path, budget: Budget | None) -> bool:
    model = {"kind": "scripted-persona", "persona": "inverted"}
    config = PersonaConfig(
        name="run",
        target=model,  # type: ignore[arg-type]
        judge={"kind": "scripted-persona"},
        instruments=("harmfulness", "two-ai", "prediction"),
        runs=1,
    )
    return run_persona(make_persona_plan(config), folder / "run", resume=True, budget=budget) is not None


def rows(folder: Path, budget: Budget | None) -> bool:
    writer, judge = OneByOne("writer", writes), OneByOne("judge", fitting)
    work = work_folder(folder / "rows.jsonl")
    return asyncio.run(generate(order(40), writer, judge, work, resume=True, budget=budget)) is not None


def on_policy(folder: Path, budget: Budget | None) -> bool:
    turns = (Message(role="user", content="q"), Message(role="assistant", content="given"))
    write_rows(folder / "rows.jsonl", [Row(messages=turns)] * 600)
    try:
        return prepared(folder, of_rows(600), Base(), budget=budget).rows == 600
    except BudgetEnded:
        return False


FIVE = {"audit": audit, "persona": persona, "search": search, "rows": rows, "on-policy": on_policy}


def held(folder: Path) -> tuple[set[tuple[object, ...]], int]:
    """What is stored, without what it cost; and the calls that it took."""
    stored: set[tuple[object, ...]] = set()
    calls = 0
    for path in folder.rglob("*.sqlite"):
        with Store(path) as store:
            judge = max(store.judges(), default=0)
            stored |= {(path.name, a.subject, a.context, a.question, a.sample, a.text) for a in store.answers(judge)}
            calls += sum(usage.calls for usage in store.usage(judge))
    return stored, calls


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[set[tuple[object, ...]], int]]:
    """What an unbroken run of each holds."""
    found: dict[str, tuple[set[tuple[object, ...]], int]] = {}

    def of(name: str) -> tuple[set[tuple[object, ...]], int]:
        if name not in found:
            folder = tmp_path_factory.mktemp(name)
            assert FIVE[name](folder, None)
            found[name] = held(folder)
        return found[name]

    return of


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "persona")) for name in FIVE])
def test_a_budget_holds_and_a_larger_one_goes_on(name: str, whole: Callable[..., object], tmp_path: Path) -> None:
    stored, calls = whole(name)  # type: ignore[misc]
    for share in (3, 2):
        assert not FIVE[name](tmp_path, Budget(calls=calls // share))
        now, spent = held(tmp_path)
        assert 0 < spent <= calls // share and now < stored
    assert FIVE[name](tmp_path, Budget(calls=2 * calls))
    assert held(tmp_path) == (stored, calls)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "persona")) for name in FIVE])
def test_a_full_disk_is_a_line_and_it_goes_on(
    name: str, whole: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    broken_after(1, monkeypatch, full, within=True)
    with pytest.raises(InputError, match=r"\.sqlite: cannot be written \(database or disk is full\); .*goes on"):
        FIVE[name](tmp_path, None)
    monkeypatch.undo()
    stored, calls = whole(name)  # type: ignore[misc]
    assert held(tmp_path)[0] < stored
    assert FIVE[name](tmp_path, None)
    assert held(tmp_path) == (stored, calls)


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "persona")) for name in FIVE])
def test_ctrl_c_loses_nothing_that_was_written(
    name: str, whole: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_it = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs deaf to it
    broken_after(1, monkeypatch, lambda: signal.raise_signal(signal.SIGINT), within=False)
    with pytest.raises(KeyboardInterrupt):
        FIVE[name](tmp_path, None)
    monkeypatch.undo()
    signal.signal(signal.SIGINT, before_it)
    stored, calls = whole(name)  # type: ignore[misc]
    before = held(tmp_path)[0]
    assert before and before <= stored  # a fake that never waits hears of it when it is through
    assert FIVE[name](tmp_path, None)
    assert held(tmp_path) == (stored, calls)


def broken_after(n: int, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None], *, within: bool) -> None:
    """Have something happen to the store's writing of answers after so many batches, once; `within` the transaction, or
    when it is done."""
    real, left = Store.add_answers, [n]

    def write(self: Store, answers: object) -> None:
        left[0] -= 1
        if left[0] == -1 and within:
            with self._writing():
                happens()
        real(self, answers)  # type: ignore[arg-type]
        if left[0] == -1 and not within:
            happens()

    monkeypatch.setattr(Store, "add_answers", write)
