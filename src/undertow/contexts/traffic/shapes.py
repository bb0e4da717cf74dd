"""What requests have in common beside their words: system prompts, how user turns begin and end, formats, turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from math import ceil
from typing import TypeVar

from undertow.contexts.features import beginnings, endings
from undertow.contexts.formats import formats_of, holds_code
from undertow.contexts.traffic.read import Request

T = TypeVar("T", bound=Hashable)
Edge = tuple[str, str]
"""`opening` or `ending`, and the sentences, clauses or lines that a user turn begins or ends with, space included."""
Frame = tuple[Edge, ...]
"""What a user turn begins with, ends with, or both."""

RESTS = 3
"""Different texts that an edge must stand beside, not to be a part of one question that often comes."""
SEEN = 50_000
"""Distinct requests whose edges are looked at to find those that may be frequent."""
SAME = 0.8
"""Share of the requests of an edge from which on a longer one with the same beginning (or end) stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What tells requests apart before their words do."""

    system: str
    """`system-1` for the most frequent system prompt, `system-2`, ...; `system-rare`; empty without one."""
    turns: str
    """Earlier turns: empty for none, `turns` for some, `long` for six or more."""
    formats: tuple[str, ...]
    frame: str
    """How the last turn begins and ends, where many others do so too: `frame-1` for the most frequent way, `frame-2`,
    ...; `frame-rare`; else empty."""


def edges(text: str) -> Iterator[Edge]:
    """How a user turn begins and ends."""
    yield from (("opening", part) for part in beginnings(text, words=False))
    yield from (("ending", part) for part in endings(text, words=False))


def frequent_edges(requests: Mapping[Request, int], least: float) -> dict[Edge, int]:
    """Edges of at least so many requests, the longest that are about as frequent, with how many there are of each."""
    step = ceil(len(requests) / SEEN)
    likely: Counter[Edge] = Counter()
    for request in islice(requests, 0, None, step):
        for edge in edges(request.text):
            likely[edge] += requests[request] * step
    likely = Counter({edge: n for edge, n in likely.items() if n >= (least if step == 1 else least / 2)})
    count: Counter[Edge] = Counter()
    rests: dict[Edge, set[int]] = {edge: set() for edge in likely}
    for request, n in requests.items():
        for edge in edges(request.text):
            if edge in likely:
                count[edge] += n
                if len(rests[edge]) < RESTS:
                    rests[edge].add(hash(without(request.text, [edge])))
    return _longest({edge: n for edge, n in count.items() if n >= least and len(rests[edge]) >= RESTS})


def _longest(found: Mapping[Edge, int]) -> dict[Edge, int]:
    """Without those that longer ones hold, which are about as frequent."""
    # what begins alike (of endings, read backwards) stands together
    written = {(kind, part if kind == "opening" else part[::-1]): (kind, part) for kind, part in found}
    order = sorted(written)
    kept = {}
    for at, key in enumerate(order):
        after = map(order.__getitem__, range(at + 1, len(order)))
        n = found[written[key]]
        if not any(found[written[other]] >= SAME * n for other in takewhile(partial(_begins, key), after)):
            kept[written[key]] = n
    return kept


def _begins(key: Edge, other: Edge) -> bool:
    """Whether an edge, as it is sorted, begins another."""
    return key[0] == other[0] and other[1].startswith(key[1])


def without(text: str, which: Iterable[Edge]) -> str:
    """What is left of a text without its edges."""
    for kind, part in which:
        text = text.removeprefix(part) if kind == "opening" else text.removesuffix(part)
    return text


def frame_of(text: str, frequent: Mapping[Edge, int]) -> Frame:
    """The frequent edges of a text: the longest opening and the longest ending."""
    longest: dict[str, Edge] = {}
    for edge in edges(text):
        kind, part = edge
        if edge in frequent and len(part) > len(longest.get(kind, ("", ""))[1]):
            longest[kind] = edge
    return tuple(longest.values())


def frequent(values: Mapping[Request, T], requests: Mapping[Request, int], least: float) -> dict[T, int]:
    """What at least so many requests have of something, the most frequent first; what is None or empty is nothing."""
    count: Counter[T] = Counter()
    for request, value in values.items():
        if value:
            count[value] += requests[request]
    return {value: n for value, n in count.most_common() if n >= least}


def formats(text: str) -> tuple[str, ...]:
    """The formats that a user turn is in; being short is none."""
    found = formats_of(text) - {"short"}
    return tuple(sorted(found | ({"code"} if holds_code(text) else set())))


def shape_of(request: Request, frame: Frame, systems: Mapping[str, str], frames: Mapping[Frame, str]) -> Shape:
    """A request's shape; `systems` and `frames` name the frequent ones."""
    return Shape(
        system=systems.get(request.system, "system-rare") if request.system is not None else "",
        turns="" if not request.turns else "turns" if len(request.turns) < 6 else "long",
        formats=formats(request.text),
        frame=frames.get(frame, "frame-rare") if frame else "",
    )
