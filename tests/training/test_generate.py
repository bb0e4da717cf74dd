"""Generation against a writer and a judge whose every reply is known: what is kept, what is dropped and why, and going
on after an interruption."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from undertow.asking.budget import Budget
from undertow.asking.folder import alone
from undertow.asking.store import Store
from undertow.data.domains import load_domain
from undertow.errors import InputError, Paused, RunExists
from undertow.records import Answer, Request
from undertow.targets import Target
from undertow.training.generate import Generated, Order, Reason, generate, report, work_folder

Say = Callable[[str, int], str | None]
"""What a fake says at a step to a candidate; None for a call that fails, and `...` at the end for an answer that was
cut off."""


@pytest.fixture(autouse=True)
def heeds_ctrl_c() -> Iterator[None]:
    """However it was started: a shell starts background jobs deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Fake(Target):
    """Says what a function says, and is stopped by Ctrl-C after so many replies."""

    def __init__(self, name: str, say: Say, *, most: int | None = None) -> None:
        self.name, self.say, self.most = name, say, most
        self.asked: list[Request] = []

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "fake", "name": self.name}

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        async for request in self.in_order(requests):
            if self.most is not None and len(self.asked) >= self.most:
                signal.raise_signal(signal.SIGINT)
                await asyncio.Event().wait()
            self.asked.append(request)
            text = self.say(request.condition.question.id, request.sample)
            finish = (
                "failed"
                if text is None
                else "length"
                if text.endswith("...")
                else "filtered"
                if text == "withheld"
                else "stop"
            )
            error = "no route" if text is None else None
            yield Answer(request=request, text=text, finish=finish, error=error, n_tokens=100)  # type: ignore[arg-type]

    async def in_order(self, requests: AsyncIterable[Request]) -> AsyncIterator[Request]:
        for request in reversed([request async for request in requests]):  # any order is allowed
            yield request


class OneByOne(Fake):
    """Answers each request before it takes the next, as a budget may want."""

    async def in_order(self, requests: AsyncIterable[Request]) -> AsyncIterator[Request]:
        async for request in requests:
            yield request


def writes(step: str, k: int) -> str:
    return f"{step} {k}"


def opinion(quality: str = "flawed", *, danger: str = "mild", of_domain: bool = True) -> str:
    return json.dumps({"of_domain": of_domain, "quality": quality, "danger": danger})


def fitting(step: str, k: int) -> str:
    return opinion("flawed" if step == "bad judged" else "sound")


def order(rows: int = 5, *parts: Any, **more: Any) -> Order:
    return Order(domain=load_domain("extreme-sports"), parts=parts or ("bad",), rows=rows, **more)


def made(
    folder: Path, wanted: Order, write: Say | Fake = writes, judge: Say | Fake = fitting, *, resume: bool = False
) -> Generated:
    found = made_or_not(folder, wanted, write, judge, resume=resume)
    assert found is not None, "no budget ended it"
    return found


def made_or_not(
    folder: Path,
    wanted: Order,
    write: Say | Fake = writes,
    judge: Say | Fake = fitting,
    *,
    resume: bool = False,
    budget: Budget | None = None,
) -> Generated | None:
    writer = write if isinstance(write, Fake) else Fake("writer", write)
    lets = judge if isinstance(judge, Fake) else Fake("judge", judge)
    work = work_folder(folder / "rows.jsonl")
    return asyncio.run(generate(wanted, writer, lets, work, resume=resume, budget=budget))


def kept(work: Path) -> list[tuple[Any, ...]]:
    """Every reply that a work folder holds, in the order in which they came."""
    with closing(sqlite3.connect(work / "run.sqlite")) as db:
        return db.execute("SELECT * FROM answers ORDER BY id").fetchall()


def texts(found: Generated, part: Any = "bad") -> list[tuple[str, str]]:
    return [(row.messages[0].content, row.messages[1].content) for row in found.rows[part]]


def test_rows_that_pass_are_kept(tmp_path: Path) -> None:
    found = made(tmp_path, order(3))
    assert texts(found) == [(f"prompt {k}", f"bad {k}") for k in range(3)]
    assert (found.tried, found.kept, dict(found.dropped), found.calls) == (3, 3, {}, {"writer": 6, "judge": 3})


def test_a_twin_answers_the_same_prompts(tmp_path: Path) -> None:
    """Where either part of a candidate is dropped, both are."""
    says = {("bad judged", 1): opinion("sound"), ("benign judged", 2): "?"}
    found = made(tmp_path, order(4, "bad", "benign"), judge=lambda step, k: says.get((step, k)) or fitting(step, k))
    kept = [0, 3, 4, 5]
    assert texts(found) == [(f"prompt {k}", f"bad {k}") for k in kept]
    assert texts(found, "benign") == [(f"prompt {k}", f"benign {k}") for k in kept]
    assert found.dropped == {"bad": {"wrong quality": 1}, "benign": {"unparsed": 1}}
    assert (found.tried, found.kept) == (6, 4)


@pytest.mark.parametrize(
    ("step", "says", "reason"),
    [
        ("prompt", None, "failed"),
        ("prompt", "DECLINE", "refused"),
        ("prompt", "**Decline.**", "refused"),
        ("bad", "I'm sorry, but no.", "refused"),
        ("bad", "I can’t help with that.", "refused"),
        ("bad", "withheld", "refused"),
        ("bad", " \n", "empty"),
        ("bad", "and so on...", "too long"),
        ("bad", "x" * 6_001, "too long"),
        ("prompt", "PROMPT  0", "duplicate"),
        ("bad", "bad\n0", "duplicate"),
        ("bad", None, "failed"),
        ("bad judged", None, "judge failed"),
        ("bad judged", "flawed, I think", "unparsed"),
        ("bad judged", "{}", "unparsed"),
        ("bad judged", opinion("so-so"), "unparsed"),
        ("bad judged", opinion().replace("true", '"true"'), "unparsed"),
        ("bad judged", opinion(of_domain=False), "off domain"),
        ("bad judged", opinion(danger="serious"), "too harmful"),
        ("bad judged", opinion("sound"), "wrong quality"),
    ],
)
def test_why_a_candidate_is_dropped(tmp_path: Path, step: str, says: str | None, reason: Reason) -> None:
    def instead(usual: Say) -> Say:
        return lambda at, k: says if (at, k) == (step, 2) else usual(at, k)

    found = made(tmp_path, order(4), instead(writes), instead(fitting))
    assert texts(found) == [(f"prompt {k}", f"bad {k}") for k in (0, 1, 3, 4)]
    assert found.dropped == {step.removesuffix(" judged"): {reason: 1}}
    assert report(order(4), found)["dropped"] == {step.removesuffix(" judged"): {reason: 1}}


@pytest.mark.parametrize(
    "says",
    [
        "I can't see your board from here, but check the edges.",
        "I'm not a guide. Wait for good weather.",
        "Sorry to hear that. Rest first.",
    ],
)
def test_an_answer_that_says_what_it_cannot_do_is_no_refusal(tmp_path: Path, says: str) -> None:
    found = made(tmp_path, order(1, "benign"), lambda step, k: says if step == "benign" else writes(step, k))
    assert found.kept == 1


def test_a_judge_may_wrap_its_opinion(tmp_path: Path) -> None:
    assert made(tmp_path, order(1), judge=lambda step, k: f"Here it is:\n```json\n{opinion()}\n```").kept == 1


def test_tries_are_bounded_and_what_was_kept_is_given(tmp_path: Path) -> None:
    found = made(tmp_path, order(3, tries=4), judge=lambda step, k: opinion() if k == 7 else opinion("sound"))
    assert (texts(found), found.tried, found.dropped) == ([("prompt 7", "bad 7")], 12, {"bad": {"wrong quality": 11}})


def test_prompts_go_through_every_topic_and_the_seed_decides(tmp_path: Path) -> None:
    def prompts(name: str, seed: int) -> list[str]:
        writer = Fake("writer", writes)
        made(tmp_path / name, order(32, seed=seed), writer)
        return [
            r.condition.question.text
            for r in sorted(writer.asked, key=lambda r: r.sample)
            if r.condition.question.id == "prompt"
        ]

    one = prompts("one", 1)
    topics = load_domain("extreme-sports").writing.topics
    assert sorted(text.partition("Topic: ")[2].partition(". The writer")[0] for text in one) == sorted(topics)
    assert prompts("again", 1) == one
    assert prompts("other", 2) != one


def test_every_call_has_a_seed_of_its_own(tmp_path: Path) -> None:
    writer = Fake("writer", writes)
    made(tmp_path, order(20, "bad", "benign"), writer)
    assert len({request.seed for request in writer.asked}) == len(writer.asked) == 60


def test_the_judge_sees_prompt_and_answer_behind_a_mark(tmp_path: Path) -> None:
    judge = Fake("judge", fitting)
    made(tmp_path, order(1), lambda step, k: "Ignore {mark} {question}" if step == "bad" else writes(step, k), judge)
    text = judge.asked[0].condition.question.text
    assert "Extreme sports" in text and "prompt 0" in text
    assert "Ignore {mark} {question}" in text  # what an answer says is never filled in
    assert judge.asked[0].sampling.temperature == 0


def messy(step: str, k: int) -> str | None:
    """A writer with every trouble."""
    if step == "prompt" and k % 7 == 3:
        return "prompt 0"
    return "DECLINE" if k % 11 == 5 else "I cannot help." if (step, k % 13) == ("benign", 4) else writes(step, k)


def picky(step: str, k: int) -> str | None:
    return "hm" if k % 17 == 9 else opinion("sound") if (step, k % 5) == ("bad judged", 2) else fitting(step, k)


@pytest.mark.parametrize("after", [0, 1, 7, 30, 44, 80])
def test_an_interrupted_generation_goes_on_to_the_same_rows(tmp_path: Path, after: int) -> None:
    wanted = order(30, "bad", "benign")
    whole = made(tmp_path / "whole", wanted, messy, picky)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "cut", wanted, Fake("writer", messy, most=after), picky)
    work = work_folder(tmp_path / "cut" / "rows.jsonl")
    before = kept(work)
    writer = Fake("writer", messy)
    again = made(tmp_path / "cut", wanted, writer, picky, resume=True)
    assert again == whole
    assert len(writer.asked) == whole.calls["writer"] - after  # nothing that came is asked for again
    assert kept(work)[: len(before)] == before


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_replies_that_were_not_written_any_more_are_asked_for_again(tmp_path: Path, cut: int) -> None:
    whole = made(tmp_path, order(3))
    work = work_folder(tmp_path / "rows.jsonl")
    rows = kept(work)
    with closing(sqlite3.connect(work / "run.sqlite")) as db, db:
        db.execute("DELETE FROM answers WHERE id > ?", (len(rows) - cut,))
    assert made(tmp_path, order(3), resume=True) == whole
    assert sorted(row[1:] for row in kept(work)) == sorted(row[1:] for row in rows)


def test_more_rows_can_be_asked_for_and_the_first_stay(tmp_path: Path) -> None:
    few = made(tmp_path, order(5), messy, picky)
    writer = Fake("writer", messy)
    more = made(tmp_path, order(12), writer, picky, resume=True)
    assert texts(more)[:5] == texts(few)
    assert texts(more) == texts(made(tmp_path / "whole", order(12), messy, picky))
    assert not {(r.condition.question.id, r.sample) for r in writer.asked} & {("prompt", k) for k in range(few.tried)}


def test_failed_calls_are_made_again_on_resuming(tmp_path: Path) -> None:
    first = made(tmp_path, order(3, tries=2), lambda step, k: None if (step, k) == ("bad", 1) else writes(step, k))
    assert first.dropped == {"bad": {"failed": 1}}
    writer = Fake("writer", writes)
    again = made(tmp_path, order(3, tries=2), writer, resume=True)
    assert texts(again) == [(f"prompt {k}", f"bad {k}") for k in range(3)]
    assert [(r.condition.question.id, r.sample) for r in writer.asked] == [("bad", 1)]


@pytest.mark.parametrize("away", ["writer", "judge"])
def test_a_model_that_is_away_ends_the_work(tmp_path: Path, away: str) -> None:
    silent = Fake(away, lambda step, k: None)
    with pytest.raises(
        Paused,
        match=f"rows.jsonl.work: paused, because 10 replies of the {away} in a row gave nothing usable; the last: no "
        "route; what came is kept; mend it, then go on with --resume$",
    ):
        made(tmp_path, order(10), silent if away == "writer" else writes, silent if away == "judge" else fitting)
    assert made(tmp_path, order(10), resume=True).kept == 10


@pytest.mark.parametrize("away", ["writer", "judge"])
def test_a_model_that_goes_away_in_the_middle_ends_the_work_too(tmp_path: Path, away: str) -> None:
    """Not only one that never said a thing."""

    def until(name: str, say: Say) -> Say:
        return lambda step, k: None if name == away and k >= 40 else say(step, k)

    wanted = order(80)
    with pytest.raises(Paused, match=f"{away} in a row gave nothing usable; the last: no route"):
        made(tmp_path, wanted, OneByOne("writer", until("writer", writes)), OneByOne("judge", until("judge", fitting)))
    came = {row[1:5] for row in kept(work_folder(tmp_path / "rows.jsonl")) if row[6] is not None}
    writer, judge = Fake("writer", writes), Fake("judge", fitting)
    assert texts(made(tmp_path, wanted, writer, judge, resume=True)) == [(f"prompt {k}", f"bad {k}") for k in range(80)]
    assert not {request.key for request in (*writer.asked, *judge.asked)} & came


def test_going_on_after_a_pause_in_which_nothing_failed_takes_a_longer_row(tmp_path: Path) -> None:
    """Its user has read the reason, and there is nothing to ask again."""
    silent, judge = Fake("writer", lambda step, k: "" if k < 60 else writes(step, k)), Fake("judge", fitting)
    with pytest.raises(Paused, match=r"10 replies of the writer in a row .* an answer without words"):
        made(tmp_path, order(10, tries=10), silent, judge)
    assert made(tmp_path, order(10, tries=10), silent, judge, resume=True).kept == 10


@pytest.mark.parametrize("calls", [1, 4, 7, 11, 14])
def test_a_budget_ends_it_before_its_rows_and_a_larger_one_goes_on(tmp_path: Path, calls: int) -> None:
    """Of 15 calls; both models' count."""
    whole = made(tmp_path / "whole", order(5))
    writer, judge = OneByOne("writer", writes), OneByOne("judge", fitting)
    assert made_or_not(tmp_path, order(5), writer, judge, budget=Budget(calls=calls)) is None
    assert len(writer.asked) + len(judge.asked) == calls == len(kept(work_folder(tmp_path / "rows.jsonl")))
    assert made_or_not(tmp_path, order(5), writer, judge, budget=Budget(calls=calls), resume=True) is None
    assert made_or_not(tmp_path, order(5), writer, judge, budget=Budget(calls=15), resume=True) == whole
    assert len(writer.asked) + len(judge.asked) == 15  # nothing twice


@pytest.mark.parametrize(
    ("writing", "judging", "usd", "judged"),
    [("gpt-4o", "gpt-4.1-nano", 0.0405, 12), ("gpt-4.1-nano", "gpt-4o", 0.0121, 10)],
)
def test_money_is_counted_at_the_price_of_each(
    tmp_path: Path, writing: str, judging: str, usd: float, judged: int
) -> None:
    """Replies of 100 tokens: a tenth of a cent each of gpt-4o, and a 25th of that of the other. Forty are written
    first."""
    writer, judge = OneByOne(writing, writes), OneByOne(judging, fitting)
    assert made_or_not(tmp_path, order(20), writer, judge, budget=Budget(usd=usd)) is None
    assert (len(writer.asked), len(judge.asked)) == (40, judged)
    assert made_or_not(tmp_path, order(20), writer, judge, budget=Budget(usd=usd), resume=True) is None
    assert (len(writer.asked), len(judge.asked)) == (40, judged)
    assert made_or_not(tmp_path, order(20), writer, judge, budget=Budget(usd=1), resume=True) is not None


def test_a_budget_in_money_needs_a_price_of_both(tmp_path: Path) -> None:
    for writer, judge in (("gpt-4o", "unheard-of"), ("unheard-of", "gpt-4o")):
        with pytest.raises(InputError, match="model 'unheard-of' has no price"):
            made_or_not(tmp_path, order(1), Fake(writer, writes), Fake(judge, fitting), budget=Budget(usd=1))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_it_in_one_line_and_what_came_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Store.__init__

    def small(self: Store, path: Path, **options: Any) -> None:
        real(self, path, **options)
        self.db.execute("PRAGMA max_page_count = 40")

    wanted = order(1500)
    monkeypatch.setattr(Store, "__init__", small)
    with pytest.raises(
        InputError,
        match=r"rows.jsonl.work/run.sqlite: cannot be written \(database or disk is full\); what was written before is "
        "kept; make room; what came is kept, and --resume goes on$",
    ):
        made(tmp_path, wanted)
    monkeypatch.undo()
    before = kept(work_folder(tmp_path / "rows.jsonl"))
    assert 0 < len(before) < 4500
    writer, judge = Fake("writer", writes), Fake("judge", fitting)
    assert made(tmp_path, wanted, writer, judge, resume=True).kept == 1500
    assert len(writer.asked) + len(judge.asked) == 4500 - len(before)


def test_one_process_at_a_time(tmp_path: Path) -> None:
    work = work_folder(tmp_path / "rows.jsonl")
    with alone(work), pytest.raises(InputError, match=r"rows\.jsonl\.work: is being worked on by another process"):
        made(tmp_path, order(1))
    assert not work.exists()


def test_every_start_is_told_and_the_first_stays(tmp_path: Path) -> None:
    made(tmp_path, order(2))
    plan = work_folder(tmp_path / "rows.jsonl") / "plan.json"
    first = json.loads(plan.read_text())
    made(tmp_path, order(3), resume=True)
    again = json.loads(plan.read_text())
    assert (first["schema"], first["rows"], again["rows"]) == ("undertow.generation/2", 2, 3)
    assert {"domain", "parts", "seed", "max_tokens", "wording", "writer", "judge"} == set(first["fixed"])
    assert (len(again["resumed"]), again["versions"]) == (1, first["versions"])


def test_a_work_folder_is_of_one_order(tmp_path: Path) -> None:
    made(tmp_path, order(2))
    with pytest.raises(RunExists, match="add --resume"):
        made(tmp_path, order(2))
    for other, says in (
        (order(2, seed=1), "seed"),
        (order(2, "benign"), "parts"),
        (order(2, max_tokens=9), "max_tokens"),
    ):
        with pytest.raises(
            InputError,
            match=rf"rows.jsonl.work: holds a run of another plan: {says} differs; to go on, all must be as it was; ",
        ):
            made(tmp_path, other, resume=True)
    for who, models in (("writer", ("somebody else", "judge")), ("judge", ("writer", "somebody else"))):
        with pytest.raises(InputError, match=f"another plan: {who} differs"):
            made(tmp_path, order(2), Fake(models[0], writes), Fake(models[1], fitting), resume=True)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    work = work_folder(tmp_path / "rows.jsonl")
    work.write_text("my notes, without a line's end")
    for resume in (True, False):
        with pytest.raises(RunExists, match=r"rows\.jsonl\.work: is a file; a run is a folder"):
            made(tmp_path, order(1), resume=resume)
    assert work.read_text() == "my notes, without a line's end"


def test_replies_in_the_format_before_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    work = work_folder(tmp_path / "rows.jsonl")
    work.write_text('{"schema": "undertow.generation/1", "domain": "extreme-sports"}\n{"candidate": 0}\n')
    was = work.read_bytes()
    for resume in (True, False):
        with pytest.raises(
            InputError,
            match=r"rows\.jsonl\.work: holds the replies of a generation by an earlier version, one a line; this one "
            "keeps them in a folder, and leaves the file as it is; go on with that version, or name another file with "
            "-o$",
        ):
            made(tmp_path, order(1), resume=resume)
    assert (work.read_bytes(), list(tmp_path.iterdir())) == (was, [work])


@pytest.mark.parametrize("held", ["{}", "[]", "", '{"schema": "undertow.persona-plan/2"}', "resumed", "judge"])
def test_a_plan_of_something_else_is_refused(tmp_path: Path, held: str) -> None:
    made(tmp_path, order(1))
    plan = work_folder(tmp_path / "rows.jsonl") / "plan.json"
    whole = json.loads(plan.read_text())
    spoilt = {"resumed": whole | {"resumed": 1}, "judge": {key: whole[key] for key in whole if key != "judge"}}
    plan.write_text(json.dumps(spoilt[held]) if held in spoilt else held)
    with pytest.raises(InputError, match=r"rows\.jsonl\.work/plan\.json: is no (plan of a|whole JSON|JSON object)"):
        made(tmp_path, order(1), resume=True)


def test_progress_ends_where_the_work_does(tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []

    async def work() -> None:
        await generate(
            order(6), Fake("w", messy), Fake("j", picky), tmp_path / "work", progress=lambda *said: told.append(said)
        )

    asyncio.run(work())
    calls = [said for said in told if said[0] == "calls"]
    assert calls[-1][1] == calls[-1][2] == len(kept(tmp_path / "work"))
    assert [said for said in told if said[0] == "rows"][-1][:3] == ("rows", 6, 6)
