"""Running an audit: ask what is missing, judge what is not judged, decide. Judging overlaps sampling.

runs/<name>/
  plan.json        resolved configuration, conditions, versions, revision, hashes
  run.sqlite       answers and judgements, one row each
  findings.json    estimates, verdict, rule, counts
  report.html      figures/*.png
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from undertow.audit.budget import Budget, dollars, require_price
from undertow.audit.findings import findings
from undertow.audit.pause import GO_ON, Streak
from undertow.audit.plan import Plan, read_record
from undertow.audit.propose import Proposed, propose
from undertow.audit.screen import screen
from undertow.audit.sequential import Search, sequential_requests
from undertow.audit.store import Store, Usage
from undertow.audit.tally import Asked, Tally
from undertow.audit.triggers import TriggerSearch, Wish
from undertow.errors import InputError, Paused, RunExists
from undertow.files import adapter, digest, to_json, write_text
from undertow.judges.protocol import Item, Judge
from undertow.progress import Progress, silent
from undertow.records import Answer, Judgement, Question, Request, Sampling, Subject
from undertow.suites import load_replies
from undertow.targets import Target

T = TypeVar("T")

STARTED = ("versions", "revision", "command")
"""What a run's plan says of where it was started from."""
MOST = ("per_condition", "max_per_condition")
"""What a plan calls the most answers to a question in a context."""
CHECKED = 10
"""Answers to a question in a context that are judged in full whatever their alignment: from these, and a share of the
others, it is known how many are usable."""
WORDLESS = {"filtered": "its server kept them", "length": "its longest length was used up", "stop": "it ended at once"}
"""Why an answer has no words, by how it finished."""
BATCH = 256
"""Rows that are written together, at most."""
EVERY_S = 0.1
"""Seconds that a row waits to be written, at most."""


def run_audit(
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a plan in its folder and return the findings, which are also in `findings.json`.

    Interrupted at any moment, a run keeps every row written and goes on with `resume`; with another judge, too, who
    then judges every answer anew. A plan that asks for all that the run's did and more (contexts, training seeds,
    samples, until a verdict) extends it: after a verdict limits are those that hold at every look.

    Args:
        retry_failed: on resuming, ask again for the answers that never came.
        budget: what the run may take in all; it stops by itself before it takes more, and decides on what it has.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: the folder holds a run of another plan, or the target or the judge cannot be used.
        Paused: too many answers or judgements in a row gave nothing usable.
    """
    return asyncio.run(audit(plan, out, resume=resume, retry_failed=retry_failed, budget=budget, progress=progress))


async def audit(
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`run_audit` for callers that have an event loop of their own."""
    record, tell = plan.record(), progress or silent
    before = look_at_folder(out, record, resume=resume)
    with alone(out):
        return await _audit(plan, out, record, before, retry_failed=retry_failed, budget=budget, tell=tell)


async def _audit(
    plan: Plan,
    out: Path,
    record: dict[str, Any],
    before: dict[str, Any] | None,
    *,
    retry_failed: bool,
    budget: Budget | None,
    tell: Progress,
) -> dict[str, Any]:
    if budget and budget.usd is not None:
        require_price(plan.targets["target"].describe()["name"])
    if plan.found and plan.found.screen:
        record |= _screened(plan, out, tell)
        plan = replace(plan, contexts=Asked.of(record).contexts)
    async with AsyncExitStack() as stack:
        for target in plan.targets.values():
            await stack.enter_async_context(target)
        await stack.enter_async_context(plan.judge)
        if plan.proposer:
            await stack.enter_async_context(plan.proposer)
        # else hardly anything is left to ask
        if not (before and (out / "findings.json").is_file() and same_judge(before, record) and not retry_failed):
            await probe_all(plan.targets.values(), plan.judge, plan.sampling)
            record |= {"copying": [subject for subject, target in plan.targets.items() if target.copies]}
        kept = open_folder(out, record, before)
        record |= {"copying": kept.get("copying", [])}
        with Store(out / "run.sqlite", to="make") as store:
            looks = kept.get("looks", [store.count()] if before and (out / "findings.json").is_file() else [])
            if retry_failed:
                store.forget_failed()
            asked = Asked.of(record)
            flow = _Flow(
                plan,
                asked,
                store,
                out,
                budget,
                tell,
                warned=before is not None and same_judge(before, record) and not retry_failed,
            )
            with what_came_is_kept():
                await flow.run()
            story = {"screen": record["screen"]} if plan.found and plan.found.screen else {}
            if flow.triggers:
                asked = flow.triggers.confirmed
                kept |= {
                    "found": {
                        "questions": list(asked.questions),
                        "contexts": [asdict(context) for context in asked.contexts],
                    }
                }
                story = {"search": flow.triggers.story()}
            kept |= {
                "judge_notes": list(plan.judge.notes) or kept.get("judge_notes", []),
                "looks": sorted({*looks, store.count()}),
            }
            kept |= {"answered_by": answered_by(plan, kept.get("answered_by", {}))}
            asked = replace(asked, notes=Asked.of(kept).notes, looks=tuple(kept["looks"]))
            write_text(out / "plan.json", to_json(kept))
            found = findings(
                asked, store, plan.rule, judge=flow.judging.id, stopped="budget" if flow.stopped else None, story=story
            )
            text = to_json(found)
    write_text(out / "findings.json", text)
    held: dict[str, Any] = json.loads(text)  # exactly what the file holds
    return held


@contextmanager
def what_came_is_kept() -> Iterator[None]:
    """A run under way, whose errors say that it goes on.

    Raises:
        InputError: whatever ended it.
    """
    try:
        yield
    except InputError as error:
        if "--resume" in str(error):
            raise
        do = "; ".join(filter(None, (error.do, "what came is kept, and --resume goes on")))
        raise InputError(error.where, error.found, expected=error.expected, do=do) from None


def answered_by(plan: Plan, before: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """The models that servers' replies say they are of, by who was asked, with those of earlier starts."""
    asked: dict[str, Any] = {**plan.targets, "judge": plan.judge}
    found = {
        who: Counter(before.get(who, {})) + Counter(getattr(getattr(each, "caller", None), "answered_by", {}))
        for who, each in asked.items()
    }
    return {who: dict(names) for who, names in found.items() if names}


async def probe_all(targets: Iterable[Target], judge: Judge, sampling: Sampling) -> None:
    """Try everybody once, side by side, before the first paid answer.

    Raises:
        InputError: nothing usable comes from one of them.
    """
    done = await asyncio.gather(judge.probe(), *(target.probe(sampling) for target in targets), return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one


def judge_what_is_there(
    store: Store, questions: Sequence[Question], judge: Judge, progress: Progress | None = None
) -> int:
    """Judge every answer of a run that this judge has not judged, and return the judge's id in the run."""

    async def work() -> int:
        async with judge:
            await judge.probe()
            judging = _Judging(store, judge, questions, do="mend it; the same command goes on")
            judging.no_more_answers()
            tell = progress or silent
            n = store.count()
            try:
                await _beside(
                    _every(
                        EVERY_S,
                        judging.rows.flush,
                        lambda: tell("judgements", judging.n, n, f"{judging.usage.calls:,} calls"),
                    ),
                    judging.run(),
                )
            finally:
                judging.rows.flush()
            if judging.streak.pause:
                raise judging.streak.pause
            return judging.id

    return asyncio.run(work())


async def _beside(companion: Coroutine[Any, Any, None], *work: Coroutine[Any, Any, None]) -> None:
    """Do the work, with a companion that runs as long; the first failure of any of them ends all and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            accompanying = group.create_task(companion)
            await asyncio.wait([group.create_task(part) for part in work])
            accompanying.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _every(seconds: float, *calls: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        for call in calls:
            call()


class _Judging:
    """Judging of stored answers, those that sampling still writes too."""

    def __init__(
        self, store: Store, judge: Judge, questions: Sequence[Question], *, warned: bool = False, do: str = GO_ON
    ) -> None:
        self.store, self.judge = store, judge
        self.streak = Streak("judgements", store.path.parent, warned=warned, do=do)
        self.questions = {question.id: question for question in questions}
        self.id = store.judge(judge.describe())
        self.n, self.usage = store.judged(self.id), store.usage(self.id)[1]
        self.rows: _Buffer[tuple[int, Judgement]] = _Buffer(self._write)
        self.n_given = self.n
        self.checks: Callable[[str], bool] = lambda context: True
        """Whether rates of a context are wanted, so that its first answers are judged in full."""
        self.allowed: Callable[[], bool] = lambda: True
        """Asked before each answer is given to the judge; a False ends judging."""
        self._wrote = asyncio.Event()
        self._complete = False

    async def run(self) -> None:
        async for key_and_judgement in self.judge.judgements(self._unjudged()):
            self.rows.add(key_and_judgement)

    def more_answers(self, without_words: int) -> None:
        """Answers were stored; so many of them have no words to judge."""
        self.n += without_words
        self.n_given += without_words
        self._wrote.set()

    def no_more_answers(self) -> None:
        """Every answer that there will be is stored."""
        self._complete = True
        self._wrote.set()

    async def _unjudged(self) -> AsyncIterator[Item]:
        last = 0
        while True:
            complete = self._complete
            self._wrote.clear()
            rows = self.store.unjudged(self.id, after=last, limit=2 * BATCH)
            for id_, question, text, context, sample in rows:
                if self.streak.pause or not self.allowed():
                    return
                last = id_
                self.n_given += 1
                self.streak.ask(id_)
                yield Item(id_, self.questions[question], text, in_full=sample < CHECKED and self.checks(context))
            if not rows:
                if complete:
                    return
                await self._wrote.wait()

    def _write(self, batch: list[tuple[int, Judgement]]) -> None:
        self.store.add_judgements(self.id, batch)
        self.n += len(batch)
        took = [j for _, j in batch]
        self.usage += Usage(
            calls=sum(j.calls for j in took),
            prompt_tokens=sum(j.prompt_tokens for j in took),
            n_tokens=sum(j.n_tokens for j in took),
        )
        for key, j in batch:
            self.streak.hear_judgement(j, key=key)


class _Flow:
    """Sampling and judging side by side, with the store between them."""

    def __init__(
        self,
        plan: Plan,
        asked: Asked,
        store: Store,
        folder: Path,
        budget: Budget | None,
        tell: Progress,
        *,
        warned: bool = False,
    ) -> None:
        """
        Args:
            warned: the run goes on as it was, so a pause that it came to before has been read.
        """
        self.plan, self.asked, self.store, self.folder, self.budget, self.tell = (
            plan,
            asked,
            store,
            folder,
            budget,
            tell,
        )
        self.judging = _Judging(store, plan.judge, plan.suite.questions, warned=warned)
        self.streak = Streak("answers", folder, warned=warned)
        self.usage = store.usage(self.judging.id)[0]
        self.stopped = False
        self.n, self.n_failed = store.count(), store.failed()
        self.n_asked = self.n
        self.triggers: TriggerSearch | None = None
        self.where: Callable[[], str] = lambda: ""
        """How far an audit has come that does not know how much it will ask."""
        self.n_heard = 0
        """Id of the last answer that was told to a tally."""
        self.rows: _Buffer[Answer] = _Buffer(self._write)
        self.judging.allowed = self._judging_fits
        self.names = plan.targets["target"].describe()["name"], plan.judge.describe()["name"]

    async def run(self) -> None:
        self._report()
        try:
            await _beside(
                _every(EVERY_S, self.rows.flush, self.judging.rows.flush, self._report),
                self._sample(),
                self.judging.run(),
            )
        finally:
            self.rows.flush()
            self.judging.rows.flush()
            self._report()
        if self.pause:
            raise self.pause

    @property
    def pause(self) -> Paused | None:
        """Why the run pauses, once it does."""
        return self.streak.pause or self.judging.streak.pause

    async def _sample(self) -> None:
        if self.plan.found and self.plan.found.search:
            tally = self._tally()
            self.triggers = triggers = TriggerSearch(self.plan, self.asked, tally)
            self.judging.checks = lambda context: any(c.id == context for c in triggers.confirmed.contexts)
            self.where = self.triggers.where
            await self._drive(self.triggers.requests(), tally)
        elif self.asked.sequential:
            tally = self._tally()
            search = Search(self.asked, tally)
            self.where = search.where
            await self._drive(sequential_requests(self.plan, search), tally)
        else:
            for subject in self.plan.targets:
                await self._ask(subject, self.store.missing(r for r in self.plan.requests() if r.subject == subject))
        self.judging.no_more_answers()

    def _tally(self) -> Tally:
        return Tally(self.plan.rule, in_order=True, copying=frozenset((subject, "*") for subject in self.asked.copying))

    async def _drive(self, batches: Iterable[list[Request] | Wish], tally: Tally) -> None:
        """Ask batch after batch; what a batch is may hang on the answers to those before, which `tally` has heard by
        then."""
        await self._hear(tally)
        for batch in batches:
            if isinstance(batch, Wish):
                await self._fulfil(batch)
                continue
            missing = [
                r
                for r in batch
                if not tally.has((r.subject, r.condition.context.id, r.condition.question.id), r.sample)
            ]
            for subject in self.plan.targets:
                await self._ask(subject, iter([r for r in missing if r.subject == subject]))
            if not self.pause:
                await self._hear(tally)
            if self.stopped or self.pause:
                return

    async def _fulfil(self, wish: Wish) -> None:
        """Ask the proposer, whose words are kept in `proposals.json`, so that a search that goes on meets the same
        ones."""
        assert self.triggers and self.plan.proposer
        path = self.folder / "proposals.json"
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if str(wish.turn) not in held:
            found = await propose(self.plan.proposer, wish.prompt, seed=self.asked.seed + wish.turn)
            held[str(wish.turn)] = asdict(found)
            write_text(path, to_json(held))
        self.triggers.proposed[wish.turn] = adapter(Proposed).validate_python(held[str(wish.turn)])

    async def _ask(self, subject: Subject, requests: Iterator[Request]) -> None:
        async for answer in self.plan.targets[subject].answers(self._within_budget(requests)):
            self.rows.add(answer)
        self.rows.flush()

    async def _hear(self, tally: Tally) -> None:
        """Wait until every answer is judged, and tell the tally those that it has not heard."""
        await self._all_judged()
        for row in self.store.answers(self.judging.id, after=self.n_heard):
            tally.take(row)
            self.n_heard = row.id

    async def _all_judged(self) -> None:
        while self.judging.n < self.n and not self.stopped and not self.judging.streak.pause:
            self.judging.rows.flush()
            await asyncio.sleep(EVERY_S / 20)

    async def _within_budget(self, requests: Iterator[Request]) -> AsyncIterator[Request]:
        """The requests, until one more, with what is asked already and still to be judged, could overdraw the
        budget."""
        for request in requests:
            if self.budget and self.n_asked - self.n >= BATCH // 8:
                self.rows.flush()  # what answers cost is known from those that are written
            while self.budget and self._would_overdraw(self.budget) and not self.stopped and not self.pause:
                self.rows.flush()
                self.judging.rows.flush()
                # all that was asked is here and judged, so what is spent is known
                if self.judging.n == self.n == self.n_asked:
                    self.stopped = self._would_overdraw(self.budget)
                else:
                    await asyncio.sleep(EVERY_S / 10)
            if self.stopped or self.pause:
                return
            self.n_asked += 1
            self.streak.ask(request.key)
            yield request

    def _would_overdraw(self, budget: Budget) -> bool:
        answering, judging = self.usage, self.judging.usage
        to_answer, to_judge = self.n_asked - self.n + 1, self.n_asked - self.judging.n + 1  # with one more

        def expected(spent: float, spent_judging: float, guess: float) -> float:
            """What will be spent once all that is under way is done, at the mean cost so far (before any answer, at a
            guess)."""
            an_answer = spent / answering.calls if answering.calls else guess
            return spent + spent_judging + to_answer * an_answer + to_judge * spent_judging / max(1, self.judging.n)

        longest = Usage(n_tokens=self.plan.config.samples.max_tokens)
        if (
            budget.calls is not None
            and answering.calls + judging.calls + to_answer + to_judge * self.plan.judge.most_calls > budget.calls
        ):
            return True
        if budget.tokens is not None and expected(answering.tokens, judging.tokens, longest.tokens) > budget.tokens:
            return True
        cost, cost_judging = self._dollars()
        return (
            budget.usd is not None
            and expected(cost or 0.0, cost_judging or 0.0, dollars(self.names[0], longest) or 0.0) > budget.usd
        )

    def _judging_fits(self) -> bool:
        """Whether one more judgement keeps the calls within the budget; only those left over from an earlier session
        may not."""
        if self.budget is None or self.budget.calls is None:
            return True
        under_way = self.judging.n_given - self.judging.n + 1
        fits = self.usage.calls + self.judging.usage.calls + under_way * self.plan.judge.most_calls <= self.budget.calls
        self.stopped = self.stopped or not fits
        return fits

    def _write(self, batch: list[Answer]) -> None:
        self.store.add_answers(batch)
        self.n += len(batch)
        self.n_failed += sum(a.text is None for a in batch)
        self.usage += Usage(
            calls=len(batch), prompt_tokens=sum(a.prompt_tokens for a in batch), n_tokens=sum(a.n_tokens for a in batch)
        )
        self.judging.more_answers(sum(not (a.text or "").strip() for a in batch))
        for a in batch:
            why = a.error or f"an answer without words ({WORDLESS.get(a.finish, a.finish)})"
            self.streak.hear(bool((a.text or "").strip()), why, a.request.condition.context.id, key=a.request.key)

    def _report(self) -> None:
        cost = [c for c in self._dollars() if c is not None]
        said = (
            [self.where()] * bool(self.where())
            + [f"{self.n_failed:,} failed"] * bool(self.n_failed)
            + [f"${sum(cost):,.2f}"] * bool(cost)
        )
        total = self.n_asked if self.stopped or self.asked.sequential or self.triggers else self.plan.n_answers
        self.tell("answers", self.n, total, ", ".join(said))
        self.tell("judgements", self.judging.n, total, f"{self.usage.calls + self.judging.usage.calls:,} calls in all")

    def _dollars(self) -> tuple[float | None, float | None]:
        """What answers and judgements cost so far; None for a model without a price."""
        return dollars(self.names[0], self.usage), dollars(self.names[1], self.judging.usage)


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
            self._write(self._held)
            self._held = []


def _screened(plan: Plan, out: Path, tell: Progress) -> dict[str, Any]:
    """What screening adds to a plan's record: `found`, the contexts to ask, and `screen`, the scores; from the folder
    where they stand there already."""
    assert plan.found is not None
    if (out / "plan.json").is_file():
        before = read_record(out, needs=("found", "screen"))
        return {key: before[key] for key in ("found", "screen")}
    replies = load_replies(
        plan.config.suite,
        plan.suite.questions,
        file=plan.place.path(plan.found.replies) if plan.found.replies else None,
    )
    candidates = plan.candidates[: plan.found.screen]
    ranked = screen(
        plan.targets["target"],
        plan.targets["reference"],
        candidates,
        plan.suite.questions,
        replies,
        progress=tell,
    )
    asked = [
        next(c for c in plan.contexts if c.relation == "plain"),
        *(s.context for s in ranked[: plan.found.n_confirm]),
        *plan.controls,
    ]
    scores = [{key: value for key, value in asdict(s).items() if "by_question" not in key} for s in ranked]
    story = {"screened": scores, "unscreened": len(plan.candidates) - len(candidates)}
    return {
        "found": {"questions": [q.id for q in plan.suite.questions], "contexts": [asdict(c) for c in asked]},
        "screen": story,
    }


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other processes off a run, from before anything is asked: a lock beside its folder, which ends with the
    process.

    Raises:
        InputError: another process is at work on it.
    """
    path = (whole := out.resolve()).with_name(f".{whole.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(out, "is being worked on by another process", do="wait for it") from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def look_at_folder(out: Path, record: dict[str, Any], *, resume: bool) -> dict[str, Any] | None:
    """Refuse a folder that this run may not write to, before anything is asked; return the record of the run that it
    goes on with, if there is one."""
    held = out / "plan.json"
    if not out.exists():
        return None
    if not out.is_dir():
        raise RunExists(out, "is a file", expected="a run is a folder", do="choose another -o")
    if not held.is_file():
        if any(path.suffix != ".part" for path in out.iterdir()):  # a part is what a killed start leaves
            raise RunExists(
                out, "exists and is not a run", expected="an audit writes a new folder", do="choose another -o"
            )
        return None
    if not resume:
        raise RunExists(out, "already holds a run", do="add --resume to go on with it, or choose another -o")
    if (out / "findings.json").is_file() and not (out / "run.sqlite").is_file():
        raise InputError(
            out,
            "has lost its answers (run.sqlite)",
            expected="all of them would be asked again",
            do="put the file back, or choose another -o",
        )
    before, now = read_record(out, needs=()), json.loads(to_json(record))
    if other := [
        key for key in record["fixed"] if before.get(key, now[key]) != now[key] and not extends(key, before, now)
    ]:
        more = " (another rule on these answers: undertow rescore)" if "rule" in other else ""
        found = f"holds a run of another plan: {', '.join(other)} {'differs' if len(other) == 1 else 'differ'}"
        expected = ("to go on, all but the judge must be as it was") + (
            "; contexts, training seeds and samples may be added" if "samples" in now else ""
        )
        raise InputError(out, found, expected=expected, do=f"choose another -o{more}")
    return before


def extends(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a plan asks for all that it did, and more: added contexts or training seeds, more samples, or sampling
    until a verdict."""
    if "samples" not in now:
        return False
    if key == "targets":
        return all(now[key].get(subject) == target for subject, target in before[key].items())
    found = now["config"]["contexts"] if isinstance(now["config"]["contexts"], dict) else {}
    if key == "contexts":
        return not found and all(context in now[key] for context in before[key])
    if key != "samples" or found.get("search"):
        return False
    was, is_ = before[key], now[key]
    if was.get("until") and not is_.get("until"):
        return False  # it stopped by what it saw, so no number of its answers was fixed beforehand
    alike = all(is_.get(how, was[how]) == was[how] for how in ("temperature", "max_tokens", "alpha") if how in was)
    return alike and all(is_.get(most, was[most]) >= was[most] for most in MOST if most in was)


def same_judge(before: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a run goes on with the judge that it had."""
    return digest(before["judge"]) == digest(record["judge"])


def open_folder(out: Path, record: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Make a run's folder, with its plan; return what the plan holds. Of a run that goes on, where it came from and
    what it found stay, and this start is added."""
    if before is not None:
        start = {key: record[key] for key in STARTED}
        kept = {
            key: before[key]
            for key in (*STARTED, "found", "screen", "judge_notes", "answered_by", "looks")
            if key in before
        }
        kept |= {"copying": before["copying"]} if "copying" in before and "copying" not in record else {}
        asked_then = {
            key: before[key]
            for key in ("samples", "contexts", "targets")
            if key in record["fixed"] and to_json(before[key]) != to_json(record[key])
        }
        record = {
            **record,
            **kept,
            "resumed": [*before.get("resumed", ()), start | ({"before": asked_then} if asked_then else {})],
        }
    try:
        out.mkdir(parents=True, exist_ok=True)
        # it is the old judge's, and stays beside the new one's
        if before is not None and not same_judge(before, record) and (out / "findings.json").is_file():
            (out / "findings.json").replace(out / f"findings.judge-{digest(before['judge'])[:8]}.json")
        write_text(out / "plan.json", to_json(record))
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
    return record
