"""The one engine that asks: requests in, answers and judgements kept as they come, with a run's store between.

    requests ──> target ──> rows ──> store ──> judge ──> rows ──> store
        └─ within the budget            └─ whatever has no judgement yet, be it from an earlier sitting

A plan (an audit, a persona, a generation of rows) says what to ask next, from what has come; all of them share how
answers are kept, how a budget holds, when a run pauses, and that a run which was killed goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from undertow.asking.budget import Budget, Spending, UnderWay
from undertow.asking.pause import GO_ON, Streak
from undertow.asking.store import Store, Usage
from undertow.errors import InputError, Paused
from undertow.judges.protocol import Item, Judge
from undertow.records import Answer, Judgement, Question, Request, Sampling, Subject
from undertow.targets import Target
from undertow.targets.pool import side_by_side

T = TypeVar("T")

CHECKED = 10
"""Answers to a question in a context that are judged in full whatever their alignment: from these, and a share of the
others, it is known how many are usable."""
WORDLESS = {"filtered": "its server kept them", "length": "its longest length was used up", "stop": "it ended at once"}
"""Why an answer has no words, by how it finished."""
BATCH = 256
"""Rows that are written together, at most."""
EVERY_S = 0.02
"""Seconds that a row waits to be written, at most."""
KEPT = "what came is kept, and --resume goes on"


async def probe_all(targets: Iterable[Target], judge: Judge | None, sampling: Sampling) -> None:
    """Try everybody once, side by side, before the first paid answer.

    Raises:
        InputError: nothing usable comes from one of them.
    """
    await side_by_side(*([judge.probe()] if judge else []), *(target.probe(sampling) for target in targets))


@contextmanager
def what_came_is_kept(how: str = KEPT) -> Iterator[None]:
    """Work under way, whose errors say that it goes on.

    Raises:
        InputError: whatever ended it.
    """
    try:
        yield
    except Paused:
        raise
    except InputError as error:
        do = "; ".join(filter(None, (error.do, how)))
        raise InputError(error.where, error.found, expected=error.expected, do=do) from None


async def beside(companion: Coroutine[Any, Any, None], *work: Coroutine[Any, Any, None]) -> None:
    """Do the work, with a companion that runs as long; the first failure of any of them ends all and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            accompanying = group.create_task(companion)
            await asyncio.wait([group.create_task(part) for part in work])
            accompanying.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def every(seconds: float, *calls: Callable[[], None]) -> None:
    """Call again and again."""
    while True:
        await asyncio.sleep(seconds)
        for call in calls:
            call()


class Buffer(Generic[T]):
    """Rows on their way to the store, written when there are `BATCH` of them or somebody asks."""

    def __init__(self, write: Callable[[list[T]], None]) -> None:
        self._write = write
        self._held: list[T] = []

    def add(self, item: T) -> None:
        """One more."""
        self._held.append(item)
        if len(self._held) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._held:
            self._write(self._held)
            self._held = []  # and not before: whatever broke the writing, they are written once more at the end


class Judging:
    """Judging of stored answers, those that are still being asked for too."""

    def __init__(
        self,
        store: Store,
        judge: Judge,
        questions: Iterable[Question],
        *,
        warned: bool = False,
        do: str = GO_ON,
        who: str = "judgements",
    ) -> None:
        """
        Args:
            questions: those whose answers are judged.
            who: what a pause calls them.
            warned: the run goes on as it was, so a pause that it came to before has been read.
            do: what a pause tells to do.
        """
        self.store, self.judge = store, judge
        self.streak = Streak(who, store.path.parent, warned=warned, do=do)
        self.questions = {question.id: question for question in questions}
        self.id = store.judge(judge.describe())
        self.waiting = sum(n for question, n in store.waiting(self.id).items() if question in self.questions)
        """Stored answers that have words and no judgement."""
        self.n, self.usage = store.judged(self.id), store.usage(self.id)[1]
        """Answers that need no judgement any more, and what judging took."""
        self.n_given = self.n
        self.rows: Buffer[tuple[int, Judgement]] = Buffer(self._write)
        self.checks: Callable[[str], bool] = lambda context: True
        """Whether rates of a context are wanted, so that its first answers are judged in full."""
        self.allowed: Callable[[], bool] = lambda: True
        """Asked before each answer is given to the judge; a False ends judging."""
        self._wrote = asyncio.Event()
        self._complete = False

    async def run(self) -> None:
        """Judge until there are no more answers."""
        async for key_and_judgement in self.judge.judgements(self._unjudged()):
            self.rows.add(key_and_judgement)

    async def alone(self, tell: Callable[[], None]) -> None:
        """Judge what is stored, and nothing else.

        Raises:
            Paused: too many judgements in a row gave nothing usable.
        """
        self.no_more_answers()
        try:
            await beside(every(EVERY_S, self.rows.flush, tell), self.run())
        finally:
            self.rows.flush()
        if self.streak.pause:
            raise self.streak.pause

    def more_answers(self, answers: Sequence[Answer]) -> None:
        """Answers were stored."""
        wordless = sum(not (a.text or "").strip() for a in answers)
        self.n += wordless
        self.n_given += wordless
        self.waiting += sum(
            a.request.condition.question.id in self.questions and bool((a.text or "").strip()) for a in answers
        )
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
                if question in self.questions:
                    self.n_given += 1
                    self.streak.ask(id_)
                    in_full = sample < CHECKED and self.checks(context)
                    yield Item(id_, self.questions[question], text, in_full=in_full)
            if not rows:
                if complete:
                    return
                await self._wrote.wait()

    def _write(self, batch: list[tuple[int, Judgement]]) -> None:
        self.store.add_judgements(self.id, batch)
        self.n += len(batch)
        self.waiting -= len(batch)
        took = [j for _, j in batch]
        self.usage += Usage(
            calls=sum(j.calls for j in took),
            prompt_tokens=sum(j.prompt_tokens for j in took),
            n_tokens=sum(j.n_tokens for j in took),
        )
        for key, j in batch:
            self.streak.hear_judgement(j, key=key)


class Asking:
    """Answers asked for and kept, and judged beside where there is a judge."""

    def __init__(
        self,
        store: Store,
        targets: Mapping[Subject, Target],
        *,
        judging: Judging | None = None,
        budget: Budget | None = None,
        warned: bool = False,
        do: str = GO_ON,
    ) -> None:
        """
        Args:
            warned: the run goes on as it was, so a pause that it came to before has been read.
            do: what a pause tells to do.
        """
        self.store, self.targets, self.judging = store, targets, judging
        judge = judging.judge if judging else None
        self.spending = Spending(
            budget,
            {subject: target.describe() for subject, target in targets.items()},
            judge=judge.describe() if judge else None,
            most_calls=judge.most_calls if judge else 0,
        )
        self.streak = Streak("answers", store.path.parent, warned=warned, do=do)
        self.usable: Callable[[Answer], bool] = has_words
        """Whether an answer is of use, so that a run without any pauses."""
        self.kind: Callable[[Answer], str] = lambda answer: answer.request.condition.context.id
        """What answers are alike in, so that one kind of them may be of no use without a pause; empty for none."""
        self.heard: Callable[[Answer], None] = lambda answer: None
        """Told of each answer when it is stored."""
        self.tick: Callable[[], None] = lambda: None
        """Called at each flush."""
        self.taken = store.taken()
        """What each subject's answers took."""
        self.n, self.n_failed = store.count(), store.failed()
        """Answers stored, and those of them that never came."""
        self.n_asked = self.n
        self.stopped = False
        """Whether the budget ended it."""
        self.rows: Buffer[Answer] = Buffer(self._write)
        self._to_judge = 0
        """Answers under way that will be judged."""
        if judging:
            judging.allowed = self._judging_fits

    @property
    def usage(self) -> Usage:
        """What answers took."""
        return sum(self.taken.values(), Usage())

    def take(self, subject: Subject, usage: Usage) -> None:
        """Count what a subject's answers took."""
        self.taken[subject] = self.taken.get(subject, Usage()) + usage

    @property
    def pause(self) -> Paused | None:
        """Why the run pauses, once it does."""
        return self.streak.pause or (self.judging.streak.pause if self.judging else None)

    @property
    def over(self) -> bool:
        """Whether nothing more is asked: the budget is spent, or the run pauses."""
        return self.stopped or self.pause is not None

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]], *, how: str = KEPT) -> None:
        """Do a plan's work, which calls `ask`, with judging beside it.

        Args:
            how: what errors say of going on.

        Raises:
            InputError: nobody can be asked, or nothing can be written; what came is kept.
            Paused: too many answers or judgements in a row gave nothing usable.
        """

        async def to_the_end() -> None:
            await work()
            if self.judging:
                self.judging.no_more_answers()

        with what_came_is_kept(how):
            self.tick()
            try:
                judging = [self.judging.run()] if self.judging else []
                await beside(every(EVERY_S, self._flush, self.tick), to_the_end(), *judging)
            finally:
                self._flush()
                self.tick()
        if self.pause:
            raise self.pause

    async def ask(self, subject: Subject, requests: Iterable[Request], *, by: Target | None = None) -> None:
        """Ask for answers and keep them, until the budget or a pause ends it; those that are stored are not asked for
        again.

        Args:
            by: who answers, where it is not the subject's own target.
        """
        missing = self.store.missing(requests)
        async for answer in (by or self.targets[subject]).answers(self._within_budget(missing)):
            self.rows.add(answer)
        self.rows.flush()

    async def all_judged(self) -> None:
        """Wait until every answer is judged, or nothing more is."""
        while self.judging and self.judging.waiting and not self.stopped and not self.judging.streak.pause:
            self.judging.rows.flush()
            await asyncio.sleep(EVERY_S / 4)

    def _flush(self) -> None:
        self.rows.flush()
        if self.judging:
            self.judging.rows.flush()

    async def _within_budget(self, requests: Iterator[Request]) -> AsyncIterator[Request]:
        """The requests, until one more, with what is asked already and still to be judged, could overdraw the
        budget."""
        budget = self.spending.budget
        for request in requests:
            if budget and self.n_asked - self.n >= BATCH // 8:
                self.rows.flush()  # what answers cost is known from those that are written
            while budget and self.would_overdraw(request) and not self.over:
                self._flush()
                # all that was asked is here and judged, so what is spent is known
                if self.n == self.n_asked and not (self.judging and self.judging.waiting):
                    self.stopped = self.would_overdraw(request)
                else:
                    await asyncio.sleep(EVERY_S / 2)
            if self.over:
                return
            self.n_asked += 1
            self._to_judge += self._is_judged(request)
            self.streak.ask(request.key)
            yield request

    def _is_judged(self, request: Request) -> bool:
        return self.judging is not None and request.condition.question.id in self.judging.questions

    def would_overdraw(self, request: Request) -> bool:
        """Whether one more answer, with what is under way, could take more than the budget."""
        judging = self.judging
        under_way = UnderWay(
            answers=self.n_asked - self.n + 1,
            judgements=self._to_judge + (judging.waiting if judging else 0) + self._is_judged(request),
        )
        return self.spending.would_overdraw(
            self.taken,
            judging.usage if judging else Usage(),
            under_way,
            subject=request.subject,
            n_judged=judging.n if judging else 0,
            longest=request.sampling.max_tokens,
        )

    def _judging_fits(self) -> bool:
        assert self.judging
        under_way = self.judging.n_given - self.judging.n + 1
        fits = self.spending.judging_fits(self.usage, self.judging.usage, under_way)
        self.stopped = self.stopped or not fits
        return fits

    def _write(self, batch: list[Answer]) -> None:
        self.store.add_answers(batch)
        self.n += len(batch)
        self.n_failed += sum(a.text is None for a in batch)
        for subject in {a.request.subject for a in batch}:
            self.take(subject, _usage([a for a in batch if a.request.subject == subject]))
        if self.judging:
            self._to_judge -= sum(self._is_judged(a.request) for a in batch)
            self.judging.more_answers(batch)
        for a in batch:
            why = a.error or f"an answer without words ({WORDLESS.get(a.finish, a.finish)})"
            self.streak.hear(self.usable(a), why, self.kind(a), key=a.request.key)
            self.heard(a)


def _usage(answers: Sequence[Answer]) -> Usage:
    return Usage(
        calls=len(answers),
        prompt_tokens=sum(a.prompt_tokens for a in answers),
        n_tokens=sum(a.n_tokens for a in answers),
    )


def has_words(answer: Answer) -> bool:
    """Whether an answer says anything."""
    return bool((answer.text or "").strip())
