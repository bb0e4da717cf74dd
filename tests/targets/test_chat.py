"""Thoughts and answers told apart, for every known kind of mark, marks of one's own, and replies in channels."""

import asyncio
import json
import math
import time
from base64 import b64encode, urlsafe_b64encode
from collections import Counter
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.each import each

from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.judges.panel import EndpointJudgeConfig, Panel
from undertow.judges.prompts import load_prompts
from undertow.place import Place
from undertow.records import PLAIN, Condition, Question, Request, Sampling
from undertow.targets.chat import (
    THINKING,
    ChatTarget,
    Reply,
    by_text,
    count_name,
    other_names,
    split_thinking,
    without_keys,
)
from undertow.targets.inspect import InspectConfig, InspectModel
from undertow.targets.local import LocalConfig
from undertow.targets.pool import stream
from undertow.targets.wire import EndpointConfig, Wire

OWN = ("<<plan", "plan>>")
ALONE = [pair for pair, alone in THINKING.items() if alone]
IN_TAGS = [pair for pair, alone in THINKING.items() if not alone]

kinds = pytest.mark.parametrize(("begin", "end", "own"), [*((*pair, None) for pair in THINKING), (*OWN, OWN)])


@kinds
def test_a_block_at_the_start_is_thinking(begin, end, own):
    for reply in (
        f"{begin}Why?{end}So.",
        f"\n {begin}\nWhy?\n{end}\n\nSo.",
        f"{begin.upper()}Why?{end.upper()}So.",
        f"{begin}{end}{begin}Why?{end} So.",
    ):
        assert split_thinking(reply, None, own) == ("So.", "Why?")
    assert split_thinking(f"{begin}Why?{end}\n{begin}Why not?{end}\nSo.", None, own) == ("So.", "Why?\n\nWhy not?")
    assert split_thinking(f"{begin}{end}So.", None, own) == ("So.", "")
    assert split_thinking(f"{begin}Why?{end}So.", "The server's.", own) == ("So.", "The server's.")


@kinds
def test_a_block_that_was_cut_off_is_all_thinking(begin, end, own):
    assert split_thinking(f" {begin}Why? Because", None, own) == ("", "Why? Because")
    assert split_thinking(f"{begin}Why?{end}{begin}Because", None, own) == ("", "Why?\n\nBecause")
    assert split_thinking(begin, None, own) == ("", "")


@kinds
def test_an_answer_may_speak_of_the_marks(begin, end, own):
    for answer in (f"It writes {begin} first.", f"It writes {begin}x{end} first.", f"Not {end} alone."):
        assert split_thinking(f"{begin}Why?{end}{answer}", None, own) == (answer, "Why?")
    assert split_thinking(f"It writes {begin} first.", None, own) == (f"It writes {begin} first.", None)


@kinds
def test_thoughts_may_speak_of_marks(begin, end, own):
    assert split_thinking(f"{begin}Is {begin} a mark?{end}So.", None, own) == ("So.", f"Is {begin} a mark?")
    other = "<thought>x</thought>" if begin != "<thought>" else "<think>x</think>"
    assert split_thinking(f"{begin}Is {other} one?{end}So.", None, own) == ("So.", f"Is {other} one?")


@each("begin, end, own", [*((*pair, None) for pair in ALONE), (*OWN, OWN), *((*pair, pair) for pair in IN_TAGS)])
def test_a_closing_mark_alone_where_the_prompt_holds_the_opening_one(begin, end, own):
    assert split_thinking(f"Why?\n{end}\n\nSo, not {end}.", None, own) == (f"So, not {end}.", "Why?")


@pytest.mark.parametrize(("begin", "end"), IN_TAGS)
def test_an_answer_in_tags_is_left_alone(begin, end):
    for answer in (f"Why?{end}So.", f"Use tags: {begin}x{end}<answer>y</answer>", f"<answer>y</answer>{begin}x{end}"):
        assert split_thinking(answer, None) == (answer, None)


@each(
    "text",
    [
        "",
        " So.\n",
        "<b>So</b>",
        "I think so.",
        "<|end|>",
        "[thinking] So.",
        "<|channel|> is a mark of some models.",
        "Use <|channel|>final<|message|> here.",
    ],
)
def test_an_answer_without_thoughts_is_as_it_came(text):
    assert split_thinking(text, None, OWN) == (text, None)
    assert split_thinking(text, "The server's.") == (text, "The server's.")


FINAL = "<|start|>assistant<|channel|>final<|message|>"


@each(
    "text, answer, thoughts",
    [
        (f"<|channel|>analysis<|message|>Why?<|end|>{FINAL}So.<|return|>", "So.", "Why?"),
        (f"\n<|start|>assistant<|channel|>analysis<|message|>Why?<|end|>\n{FINAL}\nSo.<|end|>\n", "So.", "Why?"),
        (
            "<|channel|>analysis<|message|>Why?<|end|><|start|>assistant<|channel|>commentary<|message|>I "
            f"look.<|end|>{FINAL}So.",
            "So.",
            "Why?\n\nI look.",
        ),
        (f"<|channel|>commentary to=functions.f <|constrain|>json<|message|>{{}}<|call|>{FINAL}So.", "So.", "{}"),
        (f"Why?<|end|>{FINAL}So.<|return|>", "So.", "Why?"),
        (
            f"<|channel|>analysis<|message|>Is <|channel|>final<|message|> a mark?<|end|>{FINAL}So.",
            "So.",
            "Is <|channel|>final<|message|> a mark?",
        ),
        (
            f"<|channel|>analysis<|message|>Why?<|end|>{FINAL}Write <|channel|>analysis<|message|> first.",
            "Write <|channel|>analysis<|message|> first.",
            "Why?",
        ),
        ("<|channel|>final<|message|>So.<|return|>", "So.", None),
        ("<|channel|>analysis<|message|>Why? Because", "", "Why? Because"),
        ("<|channel|>analysis<|message|>Why?<|end|>", "", "Why?"),
        (
            "<|channel|>analysis<|message|>Why?<|end|><|start|>assistant<|channel|>fin",
            "",
            "Why?\n\n<|start|>assistant<|channel|>fin",
        ),
        (f"<|channel|>analysis<|message|>Why?<|end|>{FINAL}", "", "Why?"),
        ("<|channel|>", "", "<|channel|>"),
    ],
)
def test_a_reply_in_channels(text, answer, thoughts):
    assert split_thinking(text, None) == (answer, thoughts)


pieces = st.sampled_from(
    [
        *(mark for pair in THINKING for mark in pair),
        *OWN,
        "<|channel|>",
        "<|message|>",
        "<|end|>",
        "<|start|>",
        "<|return|>",
        "assistant",
        "final",
        "analysis",
        " ",
        "\n",
        "So.",
    ]
)


@settings(deadline=None)
@given(st.lists(pieces, max_size=12).map("".join))
def test_an_answer_is_always_an_end_of_the_reply(text):
    answer, thoughts = split_thinking(text, None, OWN)
    assert (
        answer == text
        or (thoughts is not None and text.endswith(answer))
        or "<|channel|>final" in text.replace(" ", "").replace("\n", "")
    )


@each(
    "unit",
    [
        "<think>",
        "</think>",
        "<think></think>",
        "<|end|>",
        "<|channel|>",
        "<|start|>",
        "<|channel|>analysis<|message|>x<|end|>",
        " ",
        "\n",
        "<|channel|>" + " " * 500,
        "a",
    ],
)
@each("before", ["", "<think>", "<|channel|>", "<|end|>", "<|channel|>analysis<|message|>"])
def test_a_long_reply_takes_no_time(before, unit):
    start = time.process_time()
    split_thinking(before + unit * (100_000 // len(unit)), None, OWN)
    assert time.process_time() - start < 1


class Told:
    """A caller that says one thing."""

    concurrency = 1

    def __init__(self, text):
        self.text = text

    def describe(self):
        return {"kind": "told", "name": "told"}

    async def chat(self, messages, **how):
        return Reply(text=self.text, reasoning=None, finish="stop", prompt_tokens=1, tokens=1)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass


def answered(caller):
    request = Request(
        subject="target",
        condition=Condition(question=Question(id="q", text="Why?"), context=PLAIN),
        sample=0,
        seed=0,
        sampling=Sampling(),
    )

    async def run():
        async with ChatTarget(caller) as target:
            return [(answer.text, answer.reasoning) async for answer in target.answers(stream([request]))]

    return asyncio.run(run())[0]


def test_a_target_is_split_by_its_callers_marks():
    caller = Told("<<plan Why? plan>> So.")
    assert answered(caller) == ("<<plan Why? plan>> So.", None)
    caller.config = EndpointConfig(kind="endpoint", base_url="http://localhost/v1", model="m", thinking=OWN)
    assert answered(caller) == ("So.", "Why?")


@pytest.mark.parametrize(
    ("text", "marks", "score"),
    [
        ("<<plan 10? plan>>\n30", OWN, 30),
        ("<<plan 10? plan>>\n30", None, None),
        ("[THINK]10?[/THINK]30", None, 30),
        ("[THINK]10?", None, None),
    ],
)
def test_a_judge_is_split_by_its_own_marks(text, marks, score, tmp_path):
    config = EndpointJudgeConfig(
        kind="endpoint", base_url="http://localhost/v1", model="m", thinking=marks, cache=False
    )

    async def run():
        async with Panel(Told(text), config, load_prompts(None, beside=tmp_path)) as panel:
            return [
                judgement.alignment
                async for _, judgement in panel.judgements(stream([(0, Question(id="q", text="Why?"), "So.")]))
            ]

    assert asyncio.run(run()) == [score]


WRITTEN = {
    EndpointConfig: "kind: endpoint\nbase_url: http://localhost/v1\nmodel: m\n",
    EndpointJudgeConfig: "kind: endpoint\nbase_url: http://localhost/v1\nmodel: m\n",
    InspectConfig: "kind: inspect\nmodel: mockllm/model\n",
    LocalConfig: "kind: local\npath: nursery\n",
}


@pytest.mark.parametrize("type_", WRITTEN)
def test_marks_of_ones_own_in_a_file(type_):
    assert parse_yaml(WRITTEN[type_], type_, where="audit.yaml").thinking is None
    assert parse_yaml(WRITTEN[type_] + "thinking: ['<<plan', 'plan>>']\n", type_, where="audit.yaml").thinking == OWN
    for wrong in ("['<<plan']", "['<<plan', '']", "['<<plan', ' ']", "[a, b, c]", "think", "[1, 2]", "{open: a}"):
        with pytest.raises(InputError, match=r"^audit\.yaml:\d: '?thinking[^\n]*$"):
            parse_yaml(WRITTEN[type_] + f"thinking: {wrong}\n", type_, where="audit.yaml")


@pytest.mark.slow
def test_marks_are_described_only_where_they_are_set(tmp_path):
    for type_, make in (
        (EndpointConfig, Wire),
        (InspectConfig, InspectModel),
        (LocalConfig, lambda config: config.target(Place(folder=tmp_path, name=""))),
    ):
        if type_ is not EndpointConfig:
            pytest.importorskip("inspect_ai" if type_ is InspectConfig else "torch")
        plain, own = (
            make(parse_yaml(WRITTEN[type_] + more, type_, where="")).describe()
            for more in ("", "thinking: ['<<plan', 'plan>>']\n")
        )
        assert own == {**plain, "thinking": list(OWN)}
        assert "thinking" not in plain


@pytest.mark.parametrize(
    ("asked", "replies", "told"),
    [
        ("gpt-4o", {"gpt-4o-2024-08-06": 9}, ""),
        ("gpt-4o-2024-08-06", {"gpt-4o-2024-08-06": 9}, ""),
        ("qwen3", {"qwen3:latest": 2}, ""),
        ("Qwen/Qwen3-8B", {"/models/qwen3-8b/": 2}, ""),
        ("claude-3-5-haiku@20241022", {"claude-3-5-haiku": 2}, ""),
        ("anything", {}, ""),
        (
            "gpt-4o",
            {"gpt-4o-mini-2024-07-18": 9},
            "target: model 'gpt-4o' was asked for, and replies say that they are of 'gpt-4o-mini-2024-07-18' (9)",
        ),
        (
            "mine",
            {"mine": 90, "fallback": 10},
            "target: model 'mine' was asked for, and replies say that they are of 'mine' (90), 'fallback' (10)",
        ),
        (
            "gpt-4o",
            {"gpt-4o-2024-05-13": 4, "gpt-4o-2024-08-06": 9},
            "target: replies are of several models, 'gpt-4o-2024-08-06' (9), 'gpt-4o-2024-05-13' (4)",
        ),
    ],
)
def test_replies_of_another_model_than_was_asked_for(asked, replies, told):
    assert other_names("target", asked, replies) == told


def test_names_without_end_are_counted_together():
    counted = Counter()
    for n in range(100):
        count_name(counted, f" model {n}\n")
    count_name(counted, "")
    assert (len(counted), counted["model 3"], counted["others"]) == (21, 1, 80)


def test_keys_are_taken_out_in_every_form():
    key = "sk/0123+456=é"
    forms = (
        key,
        quote(key),
        quote(key, safe=""),
        b64encode(key.encode()).decode(),
        urlsafe_b64encode(f"Bearer {key}".encode()).decode(),
        json.dumps(key)[1:-1],
    )
    for form in forms:
        assert (
            without_keys(f"you sent {form}, did you not", ["", "short", key]).replace("=", "")
            == "you sent [key], did you not"
        )
    assert without_keys("you sent short \ud800", ["", "short", key]) == "you sent short ?"


def test_candidates_of_one_text_count_together():
    """`A` behind a space, and `A`, are two tokens of one text to a tokenizer whose decoder drops the space."""
    found = by_text([("A", math.log(0.5)), ("B", math.log(0.28)), ("A", math.log(0.15)), ("A", math.log(0.02))])
    assert list(found) == ["A", "B"]
    assert [math.exp(lp) for lp in found.values()] == pytest.approx([0.67, 0.28])
    assert by_text([("A", 0.0), ("A", -math.inf), ("B", -math.inf)]) == {"A": 0.0, "B": -math.inf}
    assert by_text([("A", -1e-9), ("A", -20.0)])["A"] <= 0
