"""Running an audit: ask what is missing, judge what is not judged, decide. Judging overlaps sampling.

    runs/<name>/
      plan.json        resolved configuration, conditions, versions, revision, hashes
      run.sqlite       answers and judgements, one row each
      findings.json    estimates, verdict, rule, counts
      report.html      figures/*.png
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar

from undertow.audit.budget import Budget, dollars
from undertow.audit.decide import Asked, findings
from undertow.audit.plan import Plan
from undertow.audit.store import Store, Usage
from undertow.errors import InputError, RunExists
from undertow.files import to_json, write_text
from undertow.judges.protocol import Item
from undertow.records import Answer, Judgement, Request

T = TypeVar("T")

Progress = Callable[[str, int, int, str], None]
"""Called with `answers` or `judgements`, how many are done, how many there are, and a word on failures and spending."""

BATCH = 256
"""Rows that are written together, at most."""
EVERY_S = 0.1
"""Seconds that a row waits to be written, at most."""


def run_audit(plan: Plan, out: Path, *, resume: bool = False, retry_failed: bool = False, budget: Budget | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Run a plan in its folder and return the findings, which are also in `findings.json`.

    Interrupted at any moment, a run keeps every row written and goes on with `resume`.

    Args:
        retry_failed: on resuming, ask again for the answers that never came.
        budget: what the run may take in all; it stops by itself before it takes more, and decides on what it has.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: the folder holds a run of another plan, or the target or the judge cannot be used.
    """
    return asyncio.run(audit(plan, out, resume=resume, retry_failed=retry_failed, budget=budget, progress=progress))


async def audit(
    plan: Plan, out: Path, *, resume: bool = False, retry_failed: bool = False, budget: Budget | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """`run_audit` for callers that have an event loop of their own."""
    record = plan.record()
    _look_at_folder(out, record, resume=resume)
    async with AsyncExitStack() as stack:
        for target in plan.targets.values():
            await stack.enter_async_context(target)
        await stack.enter_async_context(plan.judge)
        _open_folder(out, record)
        with Store(out / "run.sqlite") as store:
            flow = _Flow(plan, store, budget, progress or (lambda stage, done, total, word: None))
            if retry_failed:
                store.forget_failed()
            await flow.run()
            text = to_json(findings(Asked.of(record), store, plan.rule, judge=flow.judge, stopped=flow.stopped))
    write_text(out / "findings.json", text)
    found: dict[str, Any] = json.loads(text)  # exactly what the file holds
    return found


class _Flow:
    """Sampling and judging side by side, with the store between them."""

    def __init__(self, plan: Plan, store: Store, budget: Budget | None, tell: Progress) -> None:
        self.plan, self.store, self.budget, self.tell = plan, store, budget, tell
        self.judge = store.judge(plan.judge.describe())
        self.usage = store.usage(self.judge)
        self.names = plan.targets["target"].describe()["name"], plan.judge.describe()["name"]
        self.stopped = False
        self.n_answers, self.n_judged, self.n_failed = store.count(), store.judged(self.judge), store.failed()
        self.asked = self.n_answers
        self.sampled = asyncio.Event()
        self.wrote = asyncio.Event()
        self.answers: _Buffer[Answer] = _Buffer(self._write_answers)
        self.judgements: _Buffer[tuple[int, Judgement]] = _Buffer(self._write_judgements)

    async def run(self) -> None:
        ticking = asyncio.create_task(self._tick())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sample())
                group.create_task(self._judge())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            ticking.cancel()
            self.answers.flush()
            self.judgements.flush()
            self._report()

    async def _sample(self) -> None:
        for subject, target in self.plan.targets.items():
            missing = self.store.missing(r for r in self.plan.requests() if r.subject == subject)
            async for answer in target.answers(self._within_budget(missing)):
                self.answers.add(answer)
        self.answers.flush()
        self.sampled.set()
        self.wrote.set()

    async def _judge(self) -> None:
        async for key_and_judgement in self.plan.judge.judgements(self._unjudged()):
            self.judgements.add(key_and_judgement)

    async def _within_budget(self, requests: Iterator[Request]) -> AsyncIterator[Request]:
        """The requests, until what is asked and still to be judged could overdraw the budget."""
        for request in requests:
            if self.budget and self._overdrawn(self.budget):
                self.stopped = True
                return
            self.asked += 1
            yield request

    def _overdrawn(self, budget: Budget) -> bool:
        answering, judging = self.usage
        under_way, to_judge = self.asked - self.n_answers, self.asked - self.n_judged
        if budget.calls is not None:
            worst = answering.calls + judging.calls + under_way + to_judge * self.plan.judge.most_calls
            if worst + 1 + self.plan.judge.most_calls > budget.calls:
                return True
        each, each_judged = max(1, answering.calls), max(1, self.n_judged)
        if budget.tokens is not None:
            spent, spent_judging = (u.prompt_tokens + u.n_tokens for u in self.usage)
            if spent + spent_judging + (under_way + 1) * spent / each + (to_judge + 1) * spent_judging / each_judged > budget.tokens:
                return True
        if budget.usd is not None:
            cost, cost_judging = self._dollars()
            if cost is not None and cost + cost_judging + (under_way + 1) * cost / each + (to_judge + 1) * cost_judging / each_judged > budget.usd:
                return True
        return False

    async def _unjudged(self) -> AsyncIterator[Item]:
        """Stored answers that want judging, those that sampling still writes too."""
        questions = {question.id: question for question in self.plan.suite.questions}
        last = 0
        while True:
            over = self.sampled.is_set()
            self.wrote.clear()
            rows = self.store.unjudged(self.judge, after=last, limit=512)
            for id_, question, text in rows:
                last = id_
                yield id_, questions[question], text
            if not rows:
                if over:
                    return
                await self.wrote.wait()

    def _write_answers(self, batch: list[Answer]) -> None:
        self.store.add_answers(batch)
        self.n_answers += len(batch)
        self.n_failed += sum(a.text is None for a in batch)
        self.n_judged += sum(not (a.text or "").strip() for a in batch)
        took = Usage(calls=len(batch), prompt_tokens=sum(a.prompt_tokens for a in batch), n_tokens=sum(a.n_tokens for a in batch))
        self.usage = self.usage[0] + took, self.usage[1]
        self.wrote.set()

    def _write_judgements(self, batch: list[tuple[int, Judgement]]) -> None:
        self.store.add_judgements(self.judge, batch)
        self.n_judged += len(batch)
        took = Usage(calls=sum(j.calls for _, j in batch), prompt_tokens=sum(j.prompt_tokens for _, j in batch), n_tokens=sum(j.n_tokens for _, j in batch))
        self.usage = self.usage[0], self.usage[1] + took

    async def _tick(self) -> None:
        while True:
            self._report()
            await asyncio.sleep(EVERY_S)
            self.answers.flush()
            self.judgements.flush()

    def _report(self) -> None:
        cost = self._dollars()
        money = f"${sum(c for c in cost if c):,.2f}" if any(c is not None for c in cost) else ""
        failed = f"{self.n_failed:,} failed" if self.n_failed else ""
        self.tell("answers", self.n_answers, self.plan.n_answers, ", ".join(part for part in (failed, money) if part))
        self.tell("judgements", self.n_judged, self.n_answers if self.sampled.is_set() else self.plan.n_answers, f"{sum(u.calls for u in self.usage):,} calls")

    def _dollars(self) -> tuple[float | None, float]:
        """What answers and judgements cost; None for answers of a model without a price, 0 for such a judge."""
        target, judge = self.names
        return dollars(target, self.usage[0]), dollars(judge, self.usage[1]) or 0.0


class _Buffer(Generic[T]):
    """Rows on their way to the store, written when there are `BATCH` of them or somebody asks."""

    def __init__(self, write: Callable[[list[T]], None]) -> None:
        self._write = write
        self._held: list[T] = []

    def add(self, item: T) -> None:
        self._held.append(item)
        if len(self._held) >= BATCH:
            self.flush()

    def flush(self) -> None:
        if self._held:
            held, self._held = self._held, []
            self._write(held)


def _look_at_folder(out: Path, record: dict[str, Any], *, resume: bool) -> None:
    """Refuse a folder that this run may not write to, before anything is asked."""
    held = out / "plan.json"
    if not out.exists():
        return
    if not out.is_dir():
        raise RunExists(out, "is a file", expected="a run is a folder", do="choose another -o")
    if not held.is_file():
        if any(out.iterdir()):
            raise RunExists(out, "exists and is not a run", expected="an audit writes a new folder", do="choose another -o")
    elif not resume:
        raise RunExists(out, "already holds a run", do="add --resume to go on with it, or choose another -o")
    elif json.loads(held.read_text(encoding="utf-8"))["identity"] != record["identity"]:
        raise InputError(out, "holds a run of another plan", expected="only the same target, suite, contexts, samples, seed and judge can be resumed", do="choose another -o")


def _open_folder(out: Path, record: dict[str, Any]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "plan.json", to_json(record))
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
