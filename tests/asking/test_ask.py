"""The engine that asks: a budget holds at every request, a pause ends asking, judging goes on beside, and nothing that
is stored is asked for again."""

from __future__ import annotations

import asyncio

import pytest

from undertow.asking.ask import BATCH, Asking, Buffer, Judging, beside, probe_all, what_came_is_kept
from undertow.asking.budget import Budget
from undertow.asking.store import Store
from undertow.errors import InputError, Paused
from undertow.judges.protocol import Judge
from undertow.records import Answer, Condition, Context, Judgement, Question, Request, Sampling
from undertow.targets import Target

SAMPLING = Sampling(temperature=1.0, max_tokens=10)
PLAIN, QUESTIONS = Context(id="plain", relation="plain"), tuple(Question(id=f"q{i}", text="?") for i in range(2))


def requests(n: int) -> list[Request]:
    """n samples of each of two questions."""
    return [
        Request(subject="target", condition=Condition(question=q, context=PLAIN), sample=k, seed=k, sampling=SAMPLING)
        for k in range(n)
        for q in QUESTIONS
    ]


class Scripted(Target):
    """Answers what `says` gives of a request; keeps what it was asked."""

    def __init__(self, says=lambda request: "So be it.") -> None:
        self.says, self.asked = says, []

    def describe(self):
        return {"name": "scripted"}

    async def answers(self, requests):
        async for request in requests:
            self.asked.append(request)
            text = self.says(request)
            finish = "failed" if text is None else "stop"
            error = "no such luck" if text is None else None
            yield Answer(request=request, text=text, finish=finish, n_tokens=7, prompt_tokens=3, error=error)
            await asyncio.sleep(0)


class Kind(Judge):
    """Finds everything well, in so many calls; tells `seen` of each answer."""

    most_calls = 3

    def __init__(self, *, calls: int = 1, seen=lambda key: None) -> None:
        self.calls, self.seen = calls, seen

    def describe(self):
        return {"name": "kind"}

    async def judgements(self, items):
        async for item in items:
            self.seen(item.key)
            yield item.key, Judgement(alignment=90.0, coherence=90.0, calls=self.calls)


def asked(path, n: int, target: Target, *, judge: Judge | None = None, budget: Budget | None = None) -> Asking:
    """An engine that has asked for n samples of each question, or raised."""

    async def run() -> Asking:
        with Store(path / "run.sqlite", to="write" if (path / "run.sqlite").exists() else "make") as store:
            judging = Judging(store, judge, QUESTIONS) if judge else None
            asking = Asking(store, {"target": target}, judging=judging, budget=budget)
            await asking.run(lambda: asking.ask("target", requests(n)))
            return asking

    return asyncio.run(run())


def stored(path) -> tuple[int, int]:
    """Answers that are stored, and judgements."""
    with Store(path / "run.sqlite") as store:
        answers = list(store.answers(1))
    return len(answers), sum(a.judgement is not None for a in answers)


@pytest.mark.parametrize("calls", [1, 2, 7, 8, 9, 40])
def test_a_budget_of_calls_is_used_to_the_last_that_fits_and_never_overdrawn(calls, tmp_path) -> None:
    target = Scripted()
    asking = asked(tmp_path, 20, target, budget=Budget(calls=calls))
    assert len(target.asked) == asking.usage.calls == min(calls, 40)
    assert asking.stopped is (calls < 40)


@pytest.mark.parametrize("takes", [1, 2, 3])
def test_a_budget_holds_with_judging_whatever_an_answers_judging_takes(takes, tmp_path) -> None:
    """An answer is only asked for where its judging fits at the most that it may take: three calls."""
    target = Scripted()
    asking = asked(tmp_path, 20, target, judge=Kind(calls=takes), budget=Budget(calls=23))
    spent = asking.usage.calls + asking.judging.usage.calls
    assert 23 - 4 < spent <= 23 and asking.stopped
    assert stored(tmp_path) == (len(target.asked),) * 2  # each that was asked for was judged


def test_a_budget_in_tokens_is_not_overdrawn_by_a_longest_answer(tmp_path) -> None:
    asking = asked(tmp_path, 20, Scripted(), budget=Budget(tokens=105))
    assert 105 - 2 * 13 < asking.usage.tokens <= 105 and asking.stopped


def test_what_is_stored_is_not_asked_again_and_what_is_lacking_is(tmp_path) -> None:
    first, second = Scripted(), Scripted()
    assert asked(tmp_path, 3, first).n == 6
    assert asked(tmp_path, 3, second).n == 6 and second.asked == []
    assert asked(tmp_path, 5, second).n == 10
    assert [r.sample for r in second.asked] == [3, 3, 4, 4]


def test_answers_of_an_earlier_sitting_are_judged_without_being_asked_for(tmp_path) -> None:
    asked(tmp_path, 3, Scripted())
    seen, target = [], Scripted()
    asked(tmp_path, 3, target, judge=Kind(seen=seen.append))
    assert (target.asked, sorted(seen), stored(tmp_path)) == ([], [1, 2, 3, 4, 5, 6], (6, 6))
    asked(tmp_path, 3, target, judge=Kind(seen=seen.append))
    assert len(seen) == 6  # nor are they judged twice


def test_judging_begins_before_the_last_answer_is_asked_for(tmp_path) -> None:
    seen, asked_when_seen = [], []
    target = Scripted()

    def see(key: int) -> None:
        seen.append(key)
        asked_when_seen.append(len(target.asked))

    n = BATCH  # two questions: twice as many as are written together
    asked(tmp_path, n, target, judge=Kind(seen=see))
    assert len(seen) == 2 * n and asked_when_seen[0] < 2 * n
    assert stored(tmp_path) == (2 * n, 2 * n)


def test_ten_in_a_row_that_never_come_end_asking_and_the_run_goes_on(tmp_path) -> None:
    broken = Scripted(lambda request: None)
    with pytest.raises(Paused):
        asked(tmp_path, 2 * BATCH, broken)
    assert 10 <= len(broken.asked) < 4 * BATCH
    assert stored(tmp_path) == (len(broken.asked), 0)


def test_answers_without_words_need_no_judgement(tmp_path) -> None:
    seen = []
    asking = asked(tmp_path, 3, Scripted(lambda r: " " if r.sample == 1 else "Yes."), judge=Kind(seen=seen.append))
    assert (len(seen), asking.judging.n, asking.judging.waiting) == (4, 6, 0)


def test_what_ends_a_run_says_that_what_came_is_kept(tmp_path) -> None:
    def refuse(request: Request) -> str:
        if request.sample == 2:
            raise InputError("target", "refused the call", do="set a key")
        return "Yes."

    with pytest.raises(
        InputError, match=r"^target: refused the call; set a key; what came is kept, and --resume goes on"
    ):
        asked(tmp_path, 5, Scripted(refuse), judge=Kind())
    assert stored(tmp_path)[0] == 4
    with pytest.raises(Paused), what_came_is_kept():
        raise Paused("run", "paused")


def test_the_first_failure_of_work_or_companion_ends_all() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("forever")

    async def fails() -> None:
        raise LookupError("here")

    async def done() -> None:
        ended.append("done")

    with pytest.raises(LookupError, match="here"):
        asyncio.run(beside(forever(), fails()))
    with pytest.raises(LookupError, match="here"):
        asyncio.run(beside(fails(), forever()))
    assert ended == ["forever", "forever"]
    asyncio.run(beside(forever(), done()))
    assert sorted(ended[2:]) == ["done", "forever"]


def test_everybody_is_tried_before_the_first_failure_is_raised() -> None:
    tried = []

    class Tried(Scripted):
        async def probe(self, sampling):
            await asyncio.sleep(0)
            tried.append(sampling)

    class Refuses(Scripted):
        async def probe(self, sampling):
            raise InputError("target", "is not there")

    with pytest.raises(InputError, match="is not there"):
        asyncio.run(probe_all([Refuses(), Tried(), Tried()], Kind(), SAMPLING))
    assert tried == [SAMPLING, SAMPLING]


def test_rows_are_written_together_and_none_twice() -> None:
    written = []
    buffer = Buffer(written.append)
    for n in range(BATCH + 1):
        buffer.add(n)
    assert written == [list(range(BATCH))]
    buffer.flush()
    buffer.flush()
    assert written[1:] == [[BATCH]]
