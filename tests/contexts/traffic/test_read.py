"""Logs in everybody's form; what cannot be asked; and that nothing unmasked is kept."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from tests.each import each

from undertow.contexts.traffic.read import Request, Unaskable, read_log, request_of
from undertow.errors import InputError
from undertow.records import Message

USER = {"role": "user", "content": "Why?"}
PARTS = [{"type": "text", "text": "Why"}, {"type": "text", "text": "?"}]
SAID = {"role": "assistant", "content": "So."}
TURNS = (Message(role="user", content="Why?"), Message(role="assistant", content="So."))


@each(
    "raw, request_",
    [
        ({"model": "x", "messages": [USER]}, Request(text="Why?")),
        ({"messages": [{"role": "system", "content": "Be brief."}, USER]}, Request(system="Be brief.", text="Why?")),
        ({"messages": [{"role": "developer", "content": "Be brief."}, USER]}, Request(system="Be brief.", text="Why?")),
        ({"system": "Be brief.", "messages": [USER]}, Request(system="Be brief.", text="Why?")),
        ({"messages": [USER, SAID]}, Request(text="Why?")),  # a chat row: the answer is asked for anew
        ({"messages": [USER, SAID, {"role": "user", "content": "And?"}]}, Request(turns=TURNS, text="And?")),
        ({"messages": [USER, {"role": "user", "content": "Well?"}]}, Request(text="Why?\n\nWell?")),
        ({"custom_id": "1", "url": "/v1/x", "body": {"messages": [USER]}}, Request(text="Why?")),
        ({"request": {"body": {"messages": [USER]}}}, Request(text="Why?")),
        ({"input": "Why?", "instructions": "Be brief."}, Request(system="Be brief.", text="Why?")),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "Why?"}]}]}, Request(text="Why?")),
        ({"messages": [{"role": "user", "content": PARTS}]}, Request(text="Why?")),
        ({"prompt": "Why?", "params": {"n": 1}}, Request(text="Why?")),  # vLLM
        ({"prompt": [USER]}, Request(text="Why?")),
        ({"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "!"}]}, Request(text="Why?")),
        ({"prompt": "Why?", "completion": "So."}, Request(text="Why?")),
        ({"instruction": "Why?", "output": "So.", "system": "Be brief."}, Request(system="Be brief.", text="Why?")),
    ],
)  # fmt: skip
def test_every_form(raw: Any, request_: Request) -> None:
    assert request_of(raw) == request_


@each(
    "raw, why",
    [
        ([1, 2], "no messages"),
        ({"messages": []}, "no messages"),
        ({"model": "x"}, "no messages"),
        ({"messages": [SAID]}, "no user turn"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, "no user turn"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "images, sound or files",
        ),
        ({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{}]}, USER]}, "calls of tools"),
        ({"messages": [USER, {"role": "tool", "content": "3"}, USER]}, "calls of tools"),
        ({"input": [USER, {"type": "function_call", "name": "x"}]}, "calls of tools"),
        ({"messages": [{"role": "user", "content": " "}]}, "a message without text"),
        ({"messages": [{"role": "critic", "content": "x"}]}, "a message of an unknown role"),
        ({"messages": [USER, {"role": "system", "content": "x"}, USER]}, "a system prompt after the first turn"),
        (
            {"messages": [{"role": "user", "content": "\ud800"}]},
            "half of a surrogate pair, which no text file can hold",
        ),
        ({"prompt": "<|im_start|>user\nWhy?<|im_end|>"}, "a prompt that a chat template has rendered already"),
    ],
)
def test_what_cannot_be_asked(raw: Any, why: str) -> None:
    with pytest.raises(Unaskable) as refused:
        request_of(raw)
    assert str(refused.value) == why


def written(path: Path, *lines: Any) -> Path:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode())) if path.suffix == ".gz" else path.write_text(text)
    return path


def test_requests_are_masked_and_those_that_are_then_alike_are_one(tmp_path: Path) -> None:
    asked = [{"messages": [{"role": "user", "content": f"Write to {who}@example.org"}]} for who in ("ann", "bob")]
    first = written(tmp_path / "a.jsonl", *asked, {"messages": [SAID]})
    second = written(
        tmp_path / "b.jsonl.gz", {"messages": [{"role": "system", "content": "I am at +49 30 901820"}, USER]}
    )
    log = read_log([first, second])
    assert log.requests == {Request(text="Write to [mail]"): 2, Request(system="I am at [phone]", text="Why?"): 1}
    assert (log.n, log.records, dict(log.unaskable)) == (3, 4, {"no user turn": 1})
    assert (log.masked, log.touched) == ({"mail": 2, "phone": 1}, 3)


@each(
    "lines, words",
    [
        ((), "log.jsonl: is empty; expected a request a line"),
        (({"model": "x"}, {"model": "y"}), "holds no request that can be asked: of 2 records 2 with no messages"),
        (({"messages": [SAID]},), "holds no request that can be asked: of 1 record 1 with no user turn"),
        (({"messages": [USER]}, '{"messages": [{"secret@example.org'), "log.jsonl:2: is not JSON"),
        (('[{"messages": []}]',), "log.jsonl:1: is one JSON array"),
    ],
)
def test_bad_logs_are_told_in_a_line_that_quotes_nothing(lines: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read_log([written(tmp_path / "log.jsonl", *lines)])
    said = str(refused.value)
    assert words.replace("expected ", "") in said and "secret" not in said and "\n" not in said


def test_a_file_that_is_not_there_and_a_broken_pack(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_log([tmp_path / "log.jsonl"])
    with pytest.raises(InputError, match="is a folder"):
        read_log([tmp_path])
    (tmp_path / "log.jsonl.gz").write_bytes(b"secret@example.org")
    with pytest.raises(InputError, match="cannot be unpacked") as refused:
        read_log([tmp_path / "log.jsonl.gz"])
    assert "secret" not in str(refused.value)


def test_broken_lines_may_be_passed_over(tmp_path: Path) -> None:
    bad: list[InputError] = []
    log = read_log([written(tmp_path / "log.jsonl", "{", {"messages": [USER]})], skipped=bad.append)
    assert (log.n, len(bad)) == (1, 1)
    with pytest.raises(InputError, match="is empty; 1 line not JSON"):
        read_log([written(tmp_path / "log.jsonl", "{")], skipped=bad.append)


@pytest.mark.slow
def test_an_inspect_log_that_is_none_quotes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    (tmp_path / "log.eval").write_text('{"secret@example.org": 1}')
    with pytest.raises(InputError, match="cannot be read as an Inspect log") as refused:
        read_log([tmp_path / "log.eval"])
    assert "secret" not in str(refused.value)


@pytest.mark.slow
def test_an_inspect_log(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
    from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput

    chat = [
        ChatMessageSystem(content="Be brief."),
        ChatMessageUser(content="I am ann@example.org"),
        ChatMessageAssistant(content="Good."),
        ChatMessageUser(content="Why?"),
    ]
    samples = [
        EvalSample(id=n, epoch=1, input=asked, target="", output=ModelOutput.from_content("mock/model", "So."))
        for n, asked in enumerate(("Why?", chat), start=1)
    ]
    spec = EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task="chats",
        model="mock/model",
        dataset=EvalDataset(samples=2, sample_ids=[1, 2]),
        config=EvalConfig(),
    )
    write_eval_log(EvalLog(eval=spec, samples=samples), str(tmp_path / "log.eval"))
    turns = (Message(role="user", content="I am [mail]"), Message(role="assistant", content="Good."))
    assert list(read_log([tmp_path / "log.eval"]).requests) == [
        Request(text="Why?"),
        Request(system="Be brief.", turns=turns, text="Why?"),
    ]
