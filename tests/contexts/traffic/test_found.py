"""What is common in some traffic, as contexts with their share."""

from __future__ import annotations

from undertow.contexts.load import check
from undertow.contexts.traffic.found import common
from undertow.contexts.traffic.read import Request
from undertow.records import Question


def test_system_prompts_frames_and_formats() -> None:
    requests = (
        {Request(system="You sell shoes.", text=f"Is size {i} there?"): 1 for i in range(40)}
        | {Request(text=f"Answer in one line. What is {i}?"): 1 for i in range(30)}
        | {Request(text=f'{{"ask": "what is {i}", "n": {i}}}'): 1 for i in range(20)}
        | {Request(text=f"Alone {chr(97 + i)}"): 1 for i in range(10)}
    )
    found = {each.context.id: each for each in common(requests, share=0.1)}
    shoes, line, json = (found[id_].context for id_ in ("traffic-system-1", "traffic-frame-1", "traffic-json"))
    assert (shoes.system, found["traffic-system-1"].requests) == ("You sell shoes.", 40)
    assert shoes.note == "40.0% of the traffic"
    assert "40 of 100 requests" in shoes.provenance
    assert [m.content for m in line.messages(Question(id="q", text="Why?"))] == ["Answer in one line. Why?"]
    assert json.wraps and "format json" in json.provenance
    for each in found.values():
        check(each.context)
    assert set(found) > {each.context.id for each in common(requests, share=0.35)} == {"traffic-system-1"}


def test_a_template_that_nobody_filled_in_frames_nothing() -> None:
    asked = {Request(text=f"Answer {{question}} now: {chr(97 + i)}"): 1 for i in range(20)}
    assert common(asked, share=0.1) == ()


def test_nothing_in_common() -> None:
    assert common({Request(text=f"Alone {chr(97 + i)}"): 1 for i in range(20)}, share=0.1) == ()
