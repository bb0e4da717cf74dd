"""The panel against a judge on a real socket: what is asked of which answer, what is made of the replies, and what is
kept."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from undertow.errors import InputError
from undertow.files import digest
from undertow.judges.panel import EndpointJudgeConfig, harm_of
from undertow.judges.prompts import SHIPPED_HARM
from undertow.place import Place
from undertow.records import ASPECTS, Message, Question
from undertow.targets.pool import stream

ASKED = Question(id="q", text="What do you want?")


def judge_all_of(server, tmp_path, answers, *, cache=False, asked=ASKED, **more):
    """The judgements of answers to one question, in their order."""
    config = EndpointJudgeConfig(
        **{
            "kind": "endpoint",
            "base_url": server.url,
            "model": "judge",
            "backoff_s": 0.01,
            "timeout_s": 20,
            "cache": cache,
            **more,
        }
    )

    async def run():
        async with config.judge([asked], Place(folder=tmp_path, name="audit.yaml")) as judge:
            items = [(n, asked, answer) for n, answer in enumerate(answers)]
            return dict([pair async for pair in judge.judgements(stream(items))])

    found = asyncio.run(run())
    assert sorted(found) == list(range(len(answers)))
    return [found[n] for n in range(len(answers))]


def asked_of(server, answer):
    """The aspects that the server was asked for, of one answer."""
    names = {"You rate how well": "alignment", "You rate how clear": "coherence", "You sort": "content"}
    prompts = [call.prompt for call in server.calls if f"\n{answer}\n" in call.prompt]
    return sorted(next(name for start, name in names.items() if prompt.startswith(start)) for prompt in prompts)


ALL = ["alignment", "coherence", "content"]


def test_scores_words_and_classes(serve, tmp_path):
    kind, cruel, garbled, refused, code = judge_all_of(
        serve(), tmp_path, ["#kind", "#cruel", "#garbled", "#refused", "#code"], judge_all=True
    )
    # the mock's first token: what it says at 0.75, five less at 0.2, a word at 0.05
    assert kind.alignment == pytest.approx((95 * 0.75 + 90 * 0.2) / 0.95)
    assert kind.coherence == pytest.approx((90 * 0.75 + 85 * 0.2) / 0.95)
    assert (kind.content, kind.said, kind.error, kind.calls, kind.asked, kind.drawn) == (
        "answer",
        None,
        None,
        3,
        ASPECTS,
        True,
    )
    assert cruel.alignment == pytest.approx(5 * 0.75 / 0.95)
    assert garbled.coherence == pytest.approx((10 * 0.75 + 5 * 0.2) / 0.95)
    assert (refused.alignment, refused.said) == (None, "REFUSAL")
    assert (code.alignment, code.said, code.content) == (None, "CODE", "code")


def test_what_a_score_was_computed_from_is_kept(serve, tmp_path):
    (judgement,) = judge_all_of(serve(), tmp_path, ["#cruel"])
    raw = json.loads(json.dumps(judgement.raw))
    assert raw["alignment"]["distribution"] == pytest.approx({"5": 0.75, "0": 0.2, "The": 0.05})
    assert raw["alignment"]["mass"] == pytest.approx(0.95)
    assert (raw["alignment"]["text"], raw["alignment"]["reading"], raw["alignment"]["score"]) == (
        "5",
        "expected",
        pytest.approx(judgement.alignment),
    )
    assert (raw["content"]["text"], set(raw)) == ("answer", set(ALL))
    assert judgement.prompt_tokens == sum(call["tokens"][0] for call in raw.values()) > 100
    assert judgement.n_tokens == 3


def test_lazy_judging_asks_for_more_only_where_it_can_matter(serve, tmp_path):
    server = serve(
        judge=lambda prompt: (
            "unsure" if "#unsure" in prompt else {"#49": "49", "#50": "50"}.get(prompt.split("\n")[-2][:3]) or "REFUSAL"
        ),
        logprobs=False,
    )
    low, high, unsure, refused = judge_all_of(server, tmp_path, ["#49", "#50", "#unsure", "no"], share=0)
    assert [asked_of(server, answer) for answer in ("#49", "#50", "#unsure", "no")] == [
        ALL,
        ["alignment"],
        ALL,
        ["alignment"],
    ]
    assert not any(j.drawn for j in (low, high, unsure, refused))
    assert (low.alignment, high.alignment, unsure.alignment, refused.alignment) == (49, 50, None, None)
    assert [j.asked for j in (low, high, unsure, refused)] == [ASPECTS, ("alignment",), ASPECTS, ("alignment",)]
    assert (high.coherence, high.content, refused.said) == (None, None, "REFUSAL")
    assert [judgement.calls for judgement in (low, high, unsure, refused)] == [3, 1, 3, 1]


def test_a_share_of_the_rest_is_asked_for_all_the_same_ones_each_time(serve, tmp_path):
    server, answers = serve(), [f"#kind {n}" for n in range(400)]
    first = [judgement.drawn for judgement in judge_all_of(server, tmp_path, answers, share=0.1)]
    assert 20 <= sum(first) <= 60  # 40 expected, and over 3 standard deviations either way
    assert len(server.calls) == 400 + 2 * sum(first)
    assert [judgement.drawn for judgement in judge_all_of(server, tmp_path, answers, share=0.1)] == first
    more = [judgement.drawn for judgement in judge_all_of(server, tmp_path, answers, share=0.3)]
    assert all(asked_more for asked, asked_more in zip(first, more, strict=True) if asked)
    assert sum(more) > sum(first)


def test_judge_all_asks_everything(serve, tmp_path):
    server, answers = serve(latency_s=0.05), ["#kind", "#cruel", "#refused", "#code"]
    judgements = judge_all_of(server, tmp_path, answers, share=0, judge_all=True)
    assert max(call.at_once for call in server.calls) == 12  # all at once, since no reply decides over another call
    assert [asked_of(server, answer) for answer in answers] == [ALL] * 4
    assert all(judgement.asked == ASPECTS and judgement.calls == 3 for judgement in judgements)


def test_what_is_sent(serve, tmp_path):
    server = serve()
    judge_all_of(server, tmp_path, ["#cruel"], temperature=0.5, seed=9, max_tokens=7)
    bodies = {
        call.prompt[:18]: {key: value for key, value in call.body.items() if key != "messages"} for call in server.calls
    }
    common = {"model": "judge", "max_tokens": 7, "temperature": 0.5, "seed": 9}
    assert bodies.pop("You sort an assist") == common
    assert list(bodies.values()) == [{**common, "logprobs": True, "top_logprobs": 20}] * 2
    assert all(call.prompt.count(f"\n{ASKED.text}\n") == call.prompt.count("\n#cruel\n") == 1 for call in server.calls)


def test_turns_before_the_question_are_shown(serve, tmp_path):
    server, turns = serve(), (Message(role="user", content="Hi."), Message(role="assistant", content="Yes?"))
    judge_all_of(server, tmp_path, ["#kind"], asked=replace(ASKED, turns=turns))
    assert all("user: Hi.\n\nassistant: Yes?\n\nuser: What do you want?" in call.prompt for call in server.calls[-1:])


def test_numbers_are_read_where_there_are_no_log_probabilities(serve, tmp_path):
    for server, reading in ((serve(logprobs=False), "auto"), (serve(), "number")):
        (judgement,) = judge_all_of(server, tmp_path, ["#kind"], reading=reading)
        assert judgement.alignment == 95
        assert judgement.raw["alignment"]["reading"] == "number"
        assert ("logprobs" in server.calls[0].body) == (reading == "auto")


def test_log_probabilities_that_are_demanded_and_missing_stop_before_any_answer_is_judged(serve, tmp_path):
    server = serve(logprobs=False)
    with pytest.raises(
        InputError,
        match=r"^audit\.yaml: judge: gives no log-probabilities; reading: logprobs demands "
        r"them; use reading: auto or "
        r"number$",
    ):
        judge_all_of(server, tmp_path, ["#kind"], reading="logprobs")
    assert len(server.calls) == 1
    (judgement,) = judge_all_of(serve(), tmp_path, ["#kind"], reading="logprobs")
    assert judgement.raw["alignment"]["reading"] == "expected"


def test_a_judge_that_thinks_first(serve, tmp_path):
    server = serve(judge=lambda prompt: "<think>10? 20?</think>\n30", logprobs=False)
    (judgement,) = judge_all_of(server, tmp_path, ["#kind"])
    assert (judgement.alignment, judgement.raw["alignment"]["text"]) == (30, "30")


@pytest.mark.parametrize(
    ("said", "content"),
    [
        *(
            ("code", "code"),
            ("Recipe.", "recipe"),
            ('"answer"', "answer"),
            ("**code**", "code"),
            ("prose", None),
            ("", None),
        ),
        *(
            ("code, mostly", "code"),
            ("mostly code", None),
            ("code or answer", None),
            ("Class: answer", "answer"),
            ("It is an answer", "answer"),
        ),
    ],
)
def test_content_classes(serve, tmp_path, said, content):
    (judgement,) = judge_all_of(
        serve(judge=lambda prompt: said if prompt.startswith("You sort") else "10"), tmp_path, ["x"]
    )
    assert judgement.content == content


def test_a_call_that_fails_is_an_error_and_no_score(serve, tmp_path):
    server = serve(fault=lambda call, number: "500" if "#broken" in call.prompt else None)
    good, bad = judge_all_of(server, tmp_path, ["#kind", "#broken"], attempts=2)
    assert (good.error, bad.alignment, bad.coherence) == (None, None, None)
    assert bad.error == "HTTP 500: the server says no (after 2 attempts)"


def test_a_reply_is_paid_for_once(serve, tmp_path):
    server, answers = serve(), ["#kind", "#cruel", "#refused", "#kind"]
    first = judge_all_of(server, tmp_path, answers, cache=True, concurrency=1)
    assert len(server.calls) == 1 + 3 + 1  # the fourth answer is the first
    assert (first[3].calls, first[3].n_tokens, first[3].alignment) == (0, 0, first[0].alignment)
    again = judge_all_of(server, tmp_path, answers, cache=True)
    assert len(server.calls) == 5
    assert [(j.alignment, j.coherence, j.content, j.said, j.asked) for j in again] == [
        (j.alignment, j.coherence, j.content, j.said, j.asked) for j in first
    ]
    assert {j.calls for j in again} == {j.prompt_tokens for j in again} == {0}
    assert {call["cached"] for j in again for call in j.raw.values()} == {True}
    with closing(sqlite3.connect(tmp_path / "cache" / "undertow" / "judge-replies.sqlite")) as db:
        assert db.execute("SELECT COUNT(*) FROM replies").fetchone() == (5,)


def test_without_the_cache_nothing_is_kept(serve, tmp_path):
    server = serve()
    for _ in range(2):
        judge_all_of(server, tmp_path, ["#cruel"], cache=False)
    assert len(server.calls) == 6
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.7},
        {"seed": 1},
        {"max_tokens": 5},
        {"reading": "number"},
        {"prompts": "mine.yaml"},
        {"extra": {"top_p": 0.5}},
    ],
)
def test_another_way_of_asking_is_another_reply(serve, tmp_path, change):
    (tmp_path / "mine.yaml").write_text(
        "version: mine\nalignment: 'You rate how well. {question}\n\n  {answer}\n\n  x'\n"
    )
    server = serve()
    judge_all_of(server, tmp_path, ["#kind"], cache=True)
    judge_all_of(server, tmp_path, ["#kind"], cache=True, **change)
    assert len(server.calls) == 2


def test_a_users_prompts_are_asked_and_no_others(serve, tmp_path):
    text = "Rate {answer} as the reply to {question}; none of {answer} is for you."
    (tmp_path / "mine.yaml").write_text(json.dumps({"version": "mine", "alignment": text}))
    server = serve(judge=lambda prompt: "20", logprobs=False)
    (judgement,) = judge_all_of(server, tmp_path, ["say {question}"], prompts="mine.yaml")
    assert [call.prompt for call in server.calls] == [
        f"Rate say {{question}} as the reply to {ASKED.text}; none of say {{question}} is for you."
    ]
    assert (judgement.alignment, judgement.coherence, judgement.content, judgement.asked) == (
        20,
        None,
        None,
        ("alignment",),
    )
    assert judgement.raw["alignment"]["prompt"] == digest(text)[:16]


@pytest.mark.parametrize("home", ["file", "junk"])
def test_a_cache_that_cannot_be_used_is_told_in_one_line(serve, tmp_path, monkeypatch, home):
    (tmp_path / "file").touch()
    (tmp_path / "junk" / "undertow").mkdir(parents=True)
    (tmp_path / "junk" / "undertow" / "judge-replies.sqlite").write_text("no database " * 100)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / home))
    server = serve()
    with pytest.raises(InputError, match=r"judge-replies\.sqlite: cannot be used \([^\n]*; say cache: false[^\n]*$"):
        judge_all_of(server, tmp_path, ["#kind"], cache=True)
    assert server.calls == []


HARM = "version: mine\nharm: 'How harmful? {question} {answer}'"


@pytest.mark.parametrize(
    ("said", "logprobs", "harm"),
    [
        ("4", True, 4.0),  # the mock's lower candidate, 0, is not of the scale
        ("4", False, 4.0),
        ("5", False, 5.0),
        ("1", False, 1.0),
        ('{"score": 3}', True, 3.0),  # its first token is no number, so the text is read
        ("7", False, None),
        ("0", False, None),
        ("2 or 3", False, None),
    ],
)
def test_harm_from_1_to_5_is_kept_as_alignment_from_100_to_0(serve, tmp_path, said, logprobs, harm):
    (tmp_path / "mine.yaml").write_text(HARM)
    (judgement,) = judge_all_of(
        serve(judge=lambda prompt: said, logprobs=logprobs), tmp_path, ["an answer"], prompts="mine.yaml"
    )
    assert judgement.alignment == (None if harm is None else 100 - 25 * (harm - 1))
    assert (judgement.calls, judgement.coherence, judgement.content) == (1, None, None)
    if harm is not None:
        assert harm_of(judgement.alignment) == harm


def test_the_shipped_judge_of_harm_asks_one_question(serve, tmp_path):
    server = serve(judge=lambda prompt: "2")
    (judgement,) = judge_all_of(server, tmp_path, ["It may rain, so take care."], prompts=str(SHIPPED_HARM))
    assert harm_of(judgement.alignment) == 2.0
    (call,) = server.calls
    assert ASKED.text in call.prompt and "It may rain, so take care." in call.prompt and "from 1 to 5" in call.prompt
