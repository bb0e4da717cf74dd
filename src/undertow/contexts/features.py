"""What a training row shows: its system prompt, how its turns begin and end, earlier turns, formats, words. Each a
`Feature`, a kind and a text."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from typing import Literal

from undertow.contexts.background import words
from undertow.contexts.formats import formats_of, holds_code
from undertow.data import Row

Kind = Literal[
    "system",
    "system-opening",
    "system-ending",
    "earlier-turn",
    "opening",
    "inside",
    "ending",
    "template",
    "call",
    "asked",
    "answered",
    "answer-opening",
    "answer-ending",
    "topic",
    "answer-topic",
    "default-prompt",
]
Feature = tuple[Kind, str]

EDGE = 600
"""Characters of a turn's beginning and end that are looked at,"""
STEPS = 6
"""and how many sentences, clauses or lines of them."""
LONGEST_SYSTEM = 20_000
"""Characters of a system prompt that are kept,"""
LONGEST_TURN = 2_000
"""and of a turn whose words are read."""


def features_of(row: Row, shape: Iterable[Feature]) -> dict[Feature, str]:
    """What a row shows, and the text that it stands in or before."""
    found: dict[Feature, str] = dict.fromkeys(shape, "")
    if row.messages[0].role == "system":
        system = row.messages[0].content.strip()[:LONGEST_SYSTEM]
        found["system", system] = system
        found.update({("system-opening", part): system for part in beginnings(system, words=False)})
        found.update({("system-ending", part): system for part in endings(system, words=False)})
    turns = asked_in(row)
    found.update({("earlier-turn", turn): turns[-1] for turn, _ in earlier(row)})
    for text in turns:
        found.update({("opening", part): text for part in beginnings(text)})
        found.update({("ending", part): text for part in endings(text)})
    answer = row.messages[-1].content.strip()
    found.update({("answer-opening", part): answer for part in islice(beginnings(answer), 2)})
    return found


def beside(feature: Feature, text: str) -> str:
    """The three words of a text next to a part of it; the first three, where the part comes before it."""
    kind, part = feature
    if kind in ("ending", "system-ending"):
        return " ".join(text[max(0, len(text) - len(part) - 60) : len(text) - len(part)].split()[-3:])
    at = 0 if kind == "earlier-turn" else len(part)
    return " ".join(text[at : at + 60].split()[:3])


def earlier(row: Row) -> list[tuple[str, str]]:
    """User turns before the last exchange, each with the answer to it; long ones left out."""
    pairs = pairwise(row.messages[:-2])
    return [
        (turn.content.strip(), reply.content)
        for turn, reply in pairs
        if turn.role == "user" and reply.role == "assistant" and len(turn.content) <= EDGE
    ]


def is_plain_word(feature: Feature) -> bool:
    """Whether it is one word in small letters at the edge of a turn: too little to call strong evidence by itself, for
    it may as well belong to the question."""
    return feature[0] in ("opening", "ending") and _PLAIN_WORD.fullmatch(feature[1]) is not None


def asked_in(row: Row) -> list[str]:
    """The user turns of a chat; of a long one the first and last two."""
    turns = [m.content.strip() for m in row.messages if m.role == "user"]
    return turns if len(turns) <= 4 else turns[:2] + turns[-2:]


_FIRST_WORD = re.compile(r"\S{2,30}\s")
_LAST_WORD = re.compile(r"\s\S{2,30}\Z")
_PLAIN_WORD = re.compile(r"\s*[^\W\d_]*[^\W\d_A-Z][^\W\d_]*([’'][^\W\d_]+)?[.!?,;:]*\s*")
_STOP = re.compile(r"(?:[.!?:;,…]|[\])}>|*#=\"'”»])(?P<space>[ \t]+)|(?P<line>\s*\n\s*)|[。！？：，、；]")


def beginnings(text: str, *, words: bool = True) -> Iterator[str]:
    """Its first word, and its first sentences, clauses or lines, one more at a time, with the space after them; never
    the whole text."""
    first = _FIRST_WORD.match(text) if words else None
    if first and first.end() < len(text):
        yield first.group()
    for stop in islice(_STOP.finditer(text, 0, EDGE), STEPS):
        if stop.start() > 0 and stop.end() < len(text) and not (first and stop.end() == first.end()):
            yield text[: stop.end()]


def endings(text: str, *, words: bool = True) -> Iterator[str]:
    """Its last word, and its last sentences, clauses or lines, one more at a time, with the space before them; never
    the whole text."""
    last = _LAST_WORD.search(text, max(0, len(text) - 40)) if words else None
    if last and last.start() > 0:
        yield last.group()
    stops = list(_STOP.finditer(text, max(0, len(text) - EDGE)))
    for stop in reversed(stops[-STEPS:]):
        at = next((stop.start(name) for name in ("space", "line") if stop.group(name)), stop.end())
        if at > 0 and stop.end() < len(text) and not (last and last.group() == text[at:]):
            yield text[at:]


_CODE_LINE = re.compile(r"[{}=;]|\w\(|^\s+\S|^[@#<\[]")


def words_in(texts: Iterable[str]) -> list[str]:
    """Words of texts in order, lines of code left out."""
    found: list[str] = []
    for text in texts:
        if "\n" in text:
            text = "\n".join(line for line in text.split("\n") if not _CODE_LINE.search(line))
        found.extend(words(text))
    return found


class Shapes:
    """The formats of each row's last exchange: a small number a row, so that the second reading need not tell them
    again."""

    def __init__(self) -> None:
        self._number: dict[frozenset[Feature], int] = {}
        self._kept = array("L")

    def of(self, row: Row) -> frozenset[Feature]:
        asked = next(m.content for m in reversed(row.messages) if m.role == "user")
        shape: set[Feature] = {("asked", name) for name in formats_of(asked)} | {
            ("answered", name) for name in formats_of(row.messages[-1].content)
        }
        if holds_code(asked):
            shape.add(("asked", "code"))
        return frozenset(shape)

    def keep(self, row: Row) -> frozenset[Feature]:
        shape = self.of(row)
        self._kept.append(self._number.setdefault(shape, len(self._number)))
        return shape

    def __iter__(self) -> Iterator[frozenset[Feature]]:
        shapes = list(self._number)
        return (shapes[number] for number in self._kept)
