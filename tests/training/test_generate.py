"""Generation against a writer and a judge whose every reply is known: what is kept, what is dropped and why, and going
on after an interruption."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from undertow.data.domains import load_domain
from undertow.errors import InputError, RunExists
from undertow.records import Answer, Request
from undertow.targets import Target
from undertow.training.generate import Generated, Order, Reason, generate, report, work_file

Say = Callable[[str, int], str | None]
"""What a fake says at a step to a candidate; None for a call that fails, and `...` at the end for an answer that was
cut off."""


class Fake(Target):
    """Says what a function says, and stops dead after so many replies."""

    def __init__(self, name: str, say: Say, *, most: int | None = None) -> None:
        self.name, self.say, self.most = name, say, most
        self.asked: list[Request] = []

    def describe(self) -> Mapping[str, Any]:
        return {"kind": "fake", "name": self.name}

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        for request in reversed([request async for request in requests]):  # any order is allowed
            if self.most is not None and len(self.asked) >= self.most:
                raise KeyboardInterrupt
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
            yield Answer(request=request, text=text, finish=finish, error="no route" if text is None else None)  # type: ignore[arg-type]


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
    writer = write if isinstance(write, Fake) else Fake("writer", write)
    lets = judge if isinstance(judge, Fake) else Fake("judge", judge)
    return asyncio.run(generate(wanted, writer, lets, work_file(folder / "rows.jsonl"), resume=resume))


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
    kept = work_file(tmp_path / "cut" / "rows.jsonl").read_bytes()
    writer = Fake("writer", messy)
    again = made(tmp_path / "cut", wanted, writer, picky, resume=True)
    assert again == whole
    assert len(writer.asked) == whole.calls["writer"] - after  # nothing that came is asked for again
    assert work_file(tmp_path / "cut" / "rows.jsonl").read_bytes().startswith(kept)


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_line_that_was_cut_off_is_asked_for_again(tmp_path: Path, cut: int) -> None:
    whole = made(tmp_path, order(3))
    work = work_file(tmp_path / "rows.jsonl")
    lines = work.read_bytes()
    work.write_bytes(lines[:-cut])
    assert made(tmp_path, order(3), resume=True) == whole
    assert sorted(work.read_bytes().splitlines()) == sorted(lines.splitlines())


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
    again = made(tmp_path, order(3, tries=2), resume=True)
    assert texts(again) == [(f"prompt {k}", f"bad {k}") for k in range(3)]


@pytest.mark.parametrize("away", ["writer", "judge"])
def test_a_model_that_is_away_ends_the_work(tmp_path: Path, away: str) -> None:
    silent = Fake(away, lambda step, k: None)
    with pytest.raises(
        InputError, match=f"{away}: all of 10 calls failed, the last: no route; see to the model, then add --resume"
    ):
        made(tmp_path, order(10), silent if away == "writer" else writes, silent if away == "judge" else fitting)
    assert made(tmp_path, order(10), resume=True).kept == 10


def test_a_work_file_is_of_one_order(tmp_path: Path) -> None:
    made(tmp_path, order(2))
    with pytest.raises(RunExists, match="add --resume"):
        made(tmp_path, order(2))
    for other, says in (
        (order(2, seed=1), "seed"),
        (order(2, "benign"), "parts"),
        (order(2, max_tokens=9), "max_tokens"),
    ):
        with pytest.raises(InputError, match=rf"rows.jsonl.work:1: was written for another order \({says} differ\)"):
            made(tmp_path, other, resume=True)
    with pytest.raises(InputError, match=r"another order \(writer differ\)"):
        made(tmp_path, order(2), Fake("somebody else", writes), resume=True)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    work = work_file(tmp_path / "rows.jsonl")
    work.write_text("my notes, without a line's end")
    with pytest.raises(InputError, match="is no work file"):
        made(tmp_path, order(1), resume=True)
    assert work.read_text() == "my notes, without a line's end"


def test_progress_ends_where_the_work_does(tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []

    async def work() -> None:
        await generate(
            order(6), Fake("w", messy), Fake("j", picky), tmp_path / "work", progress=lambda *said: told.append(said)
        )

    asyncio.run(work())
    calls = [said for said in told if said[0] == "calls"]
    assert calls[-1][1] == calls[-1][2] == len((tmp_path / "work").read_text().splitlines()) - 1
    assert [said for said in told if said[0] == "rows"][-1][:3] == ("rows", 6, 6)
