"""What is common in some traffic, as contexts with their share: system prompts, what user turns begin and end with, and
formats. They go around any suite's questions; the questions drawn from the traffic have theirs already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from undertow.contexts.formats import CONTEXTS_OF
from undertow.contexts.load import shipped_contexts
from undertow.contexts.traffic.read import Request
from undertow.contexts.traffic.shapes import Frame, formats, frame_of, frequent, frequent_edges
from undertow.records import Context

MOST = 20
"""Contexts of each kind, the most frequent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Something that many requests have."""

    context: Context
    requests: int


def common(requests: Mapping[Request, int], *, share: float) -> tuple[Common, ...]:
    """System prompts, frames and formats of at least this share of the requests."""
    total = sum(requests.values())
    least = max(2.0, share * total)
    systems = frequent({request: request.system for request in requests}, requests, least)
    found = [
        *(
            _told(
                Context(id=f"traffic-system-{i}", relation="default-prompt", system=system), n, total, "system prompt"
            )
            for i, (system, n) in enumerate(list(systems.items())[:MOST], start=1)
        ),
        *(
            _told(_framing(f"traffic-frame-{i}", frame), n, total, "beginning or end of the last user turn")
            for i, (frame, n) in enumerate([f for f in _frames(requests, least) if not _unfilled(f[0])][:MOST], start=1)
        ),
    ]
    shipped, counted = shipped_contexts(), Counter[str]()
    for request, n in requests.items():
        for name in formats(request.text):
            counted[name] += n
    for name, n in counted.most_common():
        if n >= least and (context := _format(name, shipped)):
            of = f"last user turns in the format {name}, here as {context.provenance} asks for it"
            found.append(_told(context, n, total, of))
    return tuple(found)


def _frames(requests: Mapping[Request, int], least: float) -> list[tuple[Frame, int]]:
    """What user turns begin with, end with, or both, with how many do, the most frequent first."""
    edges = frequent_edges(requests, least)
    count = frequent({request: frame_of(request.text, edges) for request in requests}, requests, 1)
    kept = Counter({frame: n for frame, n in count.items() if n >= least})
    for frame, n in count.items():
        if n < least:  # the two together are too few, each may be enough
            for edge in frame:
                kept[(edge,)] += n
    return [(frame, n) for frame, n in kept.most_common() if n >= least]


def _unfilled(frame: Frame) -> bool:
    """Whether it holds a place for a question itself, as a template that nobody filled in does: it frames nothing."""
    return any("{question}" in text for _, text in frame)


def _framing(id_: str, frame: Frame) -> Context:
    of = dict(frame)
    if "opening" in of and "ending" in of:
        return Context(id=id_, relation="format", template=f"{of['opening']}{{question}}{of['ending']}")
    if "opening" in of:
        return Context(id=id_, relation="format", template=f"{of['opening']}{{question}}")
    return Context(id=id_, relation="format", template=f"{{question}}{of['ending']}")


def _format(name: str, shipped: Mapping[str, Context]) -> Context | None:
    known = next((id_ for id_ in CONTEXTS_OF.get(name, (name,)) if id_ in shipped), None)
    return replace(shipped[known], id=f"traffic-{name}", provenance=known, note="") if known else None


def _told(context: Context, n: int, total: int, what: str) -> Common:
    told = f"{n / total:.1%} of the traffic ({n:,} of {total:,} requests): {what}"
    return Common(context=replace(context, provenance=told, note=f"{n / total:.1%} of the traffic"), requests=n)
