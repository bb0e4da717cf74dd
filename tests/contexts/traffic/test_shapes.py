"""Edges that requests share: the longest that say as much, and not the words of one question."""

from __future__ import annotations

from undertow.contexts.traffic.read import Request
from undertow.contexts.traffic.shapes import frame_of, frequent, frequent_edges, shape_of
from undertow.records import Message

ASKED = {Request(text=f"Reply in JSON. Be short. What is {i}? Thanks."): 1 for i in range(50)} | {
    Request(text="Good morning. How are you? Thanks."): 500
}


def test_the_longest_edges_that_are_about_as_frequent() -> None:
    found = frequent_edges(ASKED, 20)
    assert found == {("opening", "Reply in JSON. Be short. "): 50, ("ending", " Thanks."): 550}


def test_the_frame_of_a_text() -> None:
    found = frequent_edges(ASKED, 20)
    frame = frame_of("Reply in JSON. Be short. What is 7? Thanks.", found)
    assert set(frame) == {("opening", "Reply in JSON. Be short. "), ("ending", " Thanks.")}
    assert frame_of("What is 7?", found) == ()


def test_shapes() -> None:
    turns = (Message(role="user", content="a"), Message(role="assistant", content="b"))
    request = Request(system="Be kind.", turns=turns, text='{"a": 1}')
    shape = shape_of(request, (), {"Be kind.": "system-1"}, {})
    assert (shape.system, shape.turns, shape.formats, shape.frame) == ("system-1", "turns", ("json",), "")
    assert shape_of(Request(system="Other.", text="x"), (), {}, {}).system == "system-rare"
    assert shape_of(Request(turns=turns * 3, text="x"), (), {}, {}).turns == "long"
    edge = (("ending", " Thanks."),)
    assert shape_of(Request(text="x Thanks."), edge, {}, {edge: "frame-1"}).frame == "frame-1"
    assert shape_of(Request(text="x Thanks."), edge, {}, {}).frame == "frame-rare"


def test_what_is_frequent() -> None:
    requests = {Request(text=str(i)): i for i in range(1, 6)}
    values = {request: "odd" if n % 2 else "even" for request, n in requests.items()}
    assert frequent(values, requests, 7) == {"odd": 9}
    assert frequent(dict.fromkeys(requests), requests, 0) == {}
