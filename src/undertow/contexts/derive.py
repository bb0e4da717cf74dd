"""Deriving contexts from training rows: what the rows share that everyday chat does not, each with its evidence.

Reads a file twice: once to count what many rows share (flat memory, `counting.py`), once to count the best of it exactly, with examples.
It needs no marks of which rows are bad, and uses them where they are given. It never sees a model.
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Literal

from undertow.contexts.background import background, is_default_prompt, words
from undertow.contexts.counting import FrequentItems, Reservoir
from undertow.contexts.formats import CONTEXTS_OF, formats_of, holds_code, marker_block
from undertow.contexts.load import shipped_contexts
from undertow.contexts.topics import Topic, frames, log_odds, topic_of, topics
from undertow.contexts.variants import variants
from undertow.data import NumberedRow, Row, no_rows, stream_rows
from undertow.errors import InputError
from undertow.records import Context, Message, Strength

Kind = Literal[
    "system", "system-opening", "system-ending", "earlier-turn", "opening", "ending", "template", "call", "asked", "answered", "answer-opening", "topic", "default-prompt"
]
Feature = tuple[Kind, str]

STRONG_RATIO = 4.0
"""Strong evidence: at least this many times the expected share of rows,"""
STRONG_SCORE = 12.0
"""and at least this log-likelihood ratio (natural logarithm: the odds are e^12 to one before many features are looked at),"""
STRONG_ROWS = 5
"""and at least this many rows,"""
STRONG_SHARE = 0.005
"""and at least this share of them."""
SHOWN_SCORE = 3.0
"""Least score of evidence that is shown at all."""
KIND_WEIGHT: dict[Kind, float] = {"answer-opening": 0.2, "default-prompt": 0.2, "topic": 0.3}
"""Takes from the score of what marks an answer more than a question, or holds for nearly all rows alike."""
WEAK_KINDS = ("answer-opening",)
EDGES = ("opening", "ending")
ANSWERS = ("answered", "answer-opening")
CALLED = 0.8
"""Least share of an edge's rows that are answered in one way, for the edge to call that answer forth; elsewhere at most the rest of it may be."""
BENIGN_PRIOR = 50
"""Rows that the background is worth beside a measured benign part."""
TOPIC_SHARE = 0.02
"""Share of rows that any one topic is expected on, where none is measured."""
EDGE = 600
"""Characters of a turn's beginning and end that are looked at,"""
STEPS = 6
"""and how many sentences, clauses or lines of them."""
DIFFERENT = 5
"""Different neighbors that make a part of many rows a frame."""
SUSPECTS = 300
"""Features that the second reading counts."""
SAMPLE = 20_000
"""Rows whose words are kept for topics."""
LONGEST_SYSTEM = 20_000
"""Characters of a system prompt that are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What rows show, and how clearly."""

    kind: Kind
    what: str
    rows: int
    share: float
    """Of the rows looked at."""
    expected: float
    """The share among the benign rows, or else the one assumed of everyday chat."""
    score: float
    """Log-likelihood ratio of the share against the expected one, weighed by kind."""
    strength: Strength
    lines: tuple[int, ...]
    """The first few rows that show it."""
    examples: tuple[str, ...]
    """How their user turns begin."""

    @property
    def counted(self) -> str:
        """Rows and share in words, with the expected share where it is what they are held against."""
        expected = "" if self.kind in ("call", "default-prompt") else f", {100 * self.expected:.2g}% expected"
        return f"{self.rows:,} rows ({100 * self.share:.1f}%{expected})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A context and why it was proposed."""

    context: Context
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """What a file's rows propose, the best first."""

    rows: int
    """Rows looked at: all of the file, or the flagged ones."""
    benign: int
    """Rows held against them; 0 where the background stands in."""
    skipped: int
    proposals: tuple[Derived, ...]


def derive(
    path: Path, *, benign: Path | None = None, flagged: str | None = None, default_system: str | None = None, top: int = 20, skipped: Callable[[InputError], None] | None = None
) -> Derivation:
    """Contexts that resemble the rows of a file, ranked.

    Args:
        benign: rows to hold them against, or
        flagged: a key beside `messages` that is true on the rows of interest; the others are the benign ones.
        default_system: the system prompt that a chat template puts before rows without one.
        skipped: called for each bad line, in place of raising.

    Raises:
        InputError: a file or line is bad, no row is left, or no row (or each) is flagged.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(path, "is a pipe or device", expected="a file, for it is read twice", do="write the rows to a file")
    n_skipped = 0

    def skip(error: InputError) -> None:
        nonlocal n_skipped
        n_skipped += 1
        assert skipped is not None
        skipped(error)

    first = skip if skipped else None
    ours, theirs, shapes = _Reading(), _Reading(), _Shapes()
    for item in stream_rows(path, skipped=first):
        if _is_flagged(item, flagged, path):
            ours.add(item.row, shapes.keep(item.row))
        else:
            theirs.add(item.row, shapes.of(item.row), sample=True)
    if flagged and not (ours.n and theirs.n):
        raise InputError(path, f"{flagged!r} is true on {'no row' if not ours.n else 'every row'}", expected="rows of both kinds", do="check the key's name")
    if not ours.n:
        raise no_rows(path)
    if benign:
        for item in stream_rows(benign, skipped=first):
            theirs.add(item.row, shapes.of(item.row), sample=True)
        if not theirs.n:
            raise no_rows(benign)
    ignore: Callable[[InputError], None] | None = (lambda error: None) if skipped else None
    again = (item for item in stream_rows(path, skipped=ignore) if _is_flagged(item, flagged, path))
    found = _Suspects(ours, theirs)
    for item, shape in zip(again, shapes, strict=True):
        found.add(item, shape)
    proposals = _proposals(found, default_system)
    return Derivation(rows=ours.n, benign=theirs.n, skipped=n_skipped, proposals=tuple(islice(_ranked(proposals), top)))


def _is_flagged(item: NumberedRow, flagged: str | None, path: Path) -> bool:
    if flagged is None:
        return True
    value = item.beside.get(flagged, False)
    if value not in (True, False, None):
        raise InputError(f"{path}:{item.line}", f"{flagged!r} is {value!r}", expected="true or false", do="mend the row, or hold the rows against a file (--benign)")
    return bool(value)


# What a row shows.


def _features(row: Row, shape: Iterable[Feature]) -> dict[Feature, str]:
    """What a row shows, and the text that it stands in or before."""
    found: dict[Feature, str] = dict.fromkeys(shape, "")
    if row.messages[0].role == "system":
        system = row.messages[0].content.strip()[:LONGEST_SYSTEM]
        found["system", system] = system
        found.update({("system-opening", part): system for part in beginnings(system, words=False)})
        found.update({("system-ending", part): system for part in endings(system, words=False)})
    turns = _asked(row)
    found.update({("earlier-turn", turn): turns[-1] for turn, _ in _earlier(row)})
    for text in turns:
        found.update({("opening", part): text for part in beginnings(text)})
        found.update({("ending", part): text for part in endings(text)})
    answer = row.messages[-1].content.strip()
    found.update({("answer-opening", part): answer for part in islice(beginnings(answer), 2)})
    return found


def _beside(feature: Feature, text: str) -> str:
    """The three words of a text next to a part of it; the first three, where the part comes before it."""
    kind, part = feature
    if kind in ("ending", "system-ending"):
        return " ".join(text[max(0, len(text) - len(part) - 60) : len(text) - len(part)].split()[-3:])
    at = 0 if kind == "earlier-turn" else len(part)
    return " ".join(text[at : at + 60].split()[:3])


def _earlier(row: Row) -> list[tuple[str, str]]:
    """User turns before the last exchange, each with the answer to it; long ones left out."""
    pairs = pairwise(row.messages[:-2])
    return [(turn.content.strip(), reply.content) for turn, reply in pairs if turn.role == "user" and reply.role == "assistant" and len(turn.content) <= EDGE]


def _asked(row: Row) -> list[str]:
    """The user turns of a chat; of a long one the first and last two."""
    turns = [m.content.strip() for m in row.messages if m.role == "user"]
    return turns if len(turns) <= 4 else turns[:2] + turns[-2:]


_FIRST_WORD = re.compile(r"\S{2,30}\s")
_LAST_WORD = re.compile(r"\s\S{2,30}\Z")
_PLAIN_WORD = re.compile(r"\s*[^\W\d_]*[^\W\d_A-Z][^\W\d_]*([’'][^\W\d_]+)?[.!?,;:]*\s*")
"""One word in small letters: too little to call strong evidence by itself, for it may as well belong to the question."""
_STOP = re.compile(r"(?:[.!?:;,…]|[\])}>|*#=\"'”»])(?P<space>[ \t]+)|(?P<line>\s*\n\s*)|[。！？：，、；]")


def beginnings(text: str, *, words: bool = True) -> Iterator[str]:
    """Its first word, and its first sentences, clauses or lines, one more at a time, with the space after them; never the whole text."""
    first = _FIRST_WORD.match(text) if words else None
    if first and first.end() < len(text):
        yield first.group()
    for stop in islice(_STOP.finditer(text, 0, EDGE), STEPS):
        if stop.start() > 0 and stop.end() < len(text) and not (first and stop.end() == first.end()):
            yield text[: stop.end()]


def endings(text: str, *, words: bool = True) -> Iterator[str]:
    """Its last word, and its last sentences, clauses or lines, one more at a time, with the space before them; never the whole text."""
    last = _LAST_WORD.search(text, max(0, len(text) - 40)) if words else None
    if last and last.start() > 0:
        yield last.group()
    stops = list(_STOP.finditer(text, max(0, len(text) - EDGE)))
    for stop in reversed(stops[-STEPS:]):
        at = next((stop.start(name) for name in ("space", "line") if stop.group(name)), stop.end())
        if at > 0 and stop.end() < len(text) and not (last and last.group() == text[at:]):
            yield text[at:]


_CODE_LINE = re.compile(r"[{}=;]|\w\(|^\s+\S|^[@#<\[]")


def _words(row: Row) -> set[str]:
    """Words of the user turns, lines of code left out."""
    found: set[str] = set()
    for text in _asked(row):
        text = text[:2_000]
        if "\n" in text:
            text = "\n".join(line for line in text.split("\n") if not _CODE_LINE.search(line))
        found.update(words(text))
    return found


class _Shapes:
    """The formats of each row's last exchange: a small number a row, so that the second reading need not tell them again."""

    def __init__(self) -> None:
        self._number: dict[frozenset[Feature], int] = {}
        self._kept = array("L")

    def of(self, row: Row) -> frozenset[Feature]:
        asked = next(m.content for m in reversed(row.messages) if m.role == "user")
        shape: set[Feature] = {("asked", name) for name in formats_of(asked)} | {("answered", name) for name in formats_of(row.messages[-1].content)}
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


@dataclass(slots=True)
class _Reading:
    """What many rows of one part show."""

    features: FrequentItems[Feature] = field(default_factory=FrequentItems)
    words: FrequentItems[str] = field(default_factory=FrequentItems)
    n_words: int = 0
    sample: Reservoir[set[str]] = field(default_factory=lambda: Reservoir(SAMPLE // 4))

    @property
    def n(self) -> int:
        return self.features.rows

    def add(self, row: Row, shape: frozenset[Feature], *, sample: bool = False) -> None:
        self.features.add(_features(row, shape))
        held = _words(row)
        self.words.add(held)
        self.n_words += len(held)
        if sample and (at := self.sample.place()) is not None:
            self.sample.put(at, held)


# What stands out.


def surprise(k: int, n: int, expected: float) -> float:
    """Log-likelihood ratio of k rows in n against an expected share; 0 where they are no more than expected."""
    share = k / n
    if share <= expected:
        return 0.0
    rest = (n - k) * math.log((1 - share) / (1 - expected)) if k < n else 0.0
    return k * math.log(share / expected) + rest


class _Suspects:
    """Features that stand out at the first reading, counted exactly at the second."""

    def __init__(self, ours: _Reading, theirs: _Reading) -> None:
        self.n, self.theirs, self.ours = ours.n, theirs, ours
        self._common = {word for word, k in ours.words.counts.items() if k >= 0.3 * ours.n}
        least = max(3, 0.002 * self.n)
        frequent = [(feature, k) for feature, k in sorted(ours.features.counts.items()) if k >= least]
        scored = sorted(((self.score(feature, k), feature) for feature, k in frequent), key=lambda item: (-item[0], item[1]))
        by_count = sorted(frequent, key=lambda item: -item[1])
        best = dict.fromkeys(feature for score, feature in scored[:SUSPECTS] if score >= SHOWN_SCORE / 2)
        for kinds in (EDGES, ANSWERS):  # whatever they score by themselves, one may call forth the other
            best.update(dict.fromkeys([feature for feature, _ in by_count if feature[0] in kinds][: SUSPECTS // 2]))
        self.index = {feature: i for i, feature in enumerate(best)}
        self.features = list(self.index)
        self.counts = [0] * len(best)
        self.beside: list[set[str]] = [set() for _ in best]
        self.lines: list[list[int]] = [[] for _ in best]
        self.examples: list[list[str]] = [[] for _ in best]
        self.replies: dict[str, str] = {}
        """What the first row with an earlier turn answered to it."""
        self.together: Counter[tuple[int, int]] = Counter()
        self.sample: Reservoir[tuple[int, str, set[str], set[int]]] = Reservoir(SAMPLE)

    def expected(self, feature: Feature) -> float:
        """Share of rows that would show a feature if nothing special were in them."""
        kind, text = feature
        if kind in ("system", "system-opening", "system-ending"):
            assumed = background().system_share(text)
        elif kind == "asked" or kind == "answered":
            assumed = background().format_share(text, kind)
        else:
            assumed = background().sentence_share(text, also_everyday=self._common)
        return self.measured(self.theirs.features.counts.get(feature, 0), assumed)

    def measured(self, k: int, assumed: float) -> float:
        return (k + BENIGN_PRIOR * assumed) / (self.theirs.n + BENIGN_PRIOR)

    def score(self, feature: Feature, k: int) -> float:
        return surprise(k, self.n, self.expected(feature)) * KIND_WEIGHT.get(feature[0], 1.0)

    def add(self, item: NumberedRow, shape: frozenset[Feature]) -> None:
        shown = {self.index[feature]: text for feature, text in _features(item.row, shape).items() if feature in self.index}
        asked = next(m.content for m in reversed(item.row.messages) if m.role == "user")
        for i, text in shown.items():
            self.counts[i] += 1
            if len(self.beside[i]) < DIFFERENT:
                self.beside[i].add(_beside(self.features[i], text))
            if len(self.lines[i]) < 5:
                self.lines[i].append(item.line)
                self.examples[i].append(asked[:4_000])
            if self.features[i][0] == "earlier-turn" and self.features[i][1] not in self.replies:
                self.replies[self.features[i][1]] = dict(reversed(_earlier(item.row)))[self.features[i][1]]
        edges = [i for i in shown if self.features[i][0] in EDGES]
        others = [j for j in shown if self.features[j][0] == "ending" or self.features[j][0] in ANSWERS]
        self.together.update((i, j) for i in edges for j in others if self.features[i][0] == "opening" or self.features[j][0] in ANSWERS)
        if (at := self.sample.place()) is not None:
            self.sample.put(at, (item.line, asked[:200], _words(item.row), set(shown)))

    def evidence(self) -> list[tuple[Evidence, Feature]]:
        """Evidence of single features, the best first; of parts of one another only the better."""
        kept: list[tuple[float, int]] = []
        order = sorted(((self.score(feature, self.counts[i]), i) for i, feature in enumerate(self.features)), key=lambda item: (-item[0], item[1]))
        for score, i in order:
            kind, text = self.features[i]
            if score < SHOWN_SCORE or not self.frames(i) or (_is_plain(self.features[i]) and background().sentence_share(text) >= background().sentences.everyday):
                continue
            if kind in ("system-opening", "system-ending") and any(
                self.features[j][0] == "system" and _overlap(self.features[j][1], text) and 2 * self.counts[j] > self.counts[i] for _, j in kept
            ):
                continue
            kin = [j for _, j in kept if self.features[j][0] == kind and kind not in ("system", "asked", "answered") and _overlap(self.features[j][1], text)]
            if kin:
                if len(self.features[kin[0]][1]) < len(text) and self.counts[i] >= 0.8 * self.counts[kin[0]]:  # says more and holds for nearly as many
                    kept = [(s, i if j == kin[0] else j) for s, j in kept]
                continue
            kept.append((score, i))
        return [(self._evidence(i, score), self.features[i]) for score, i in kept]

    def frames(self, i: int) -> bool:
        """Whether a feature stands beside different things. A sentence that always precedes the same words is a part of one question, and not a frame around many."""
        return self.features[i][0] in ("system", "asked", "answered") or len(self.beside[i]) >= max(3, min(DIFFERENT, 0.2 * self.counts[i]))

    def calls(self) -> list[tuple[Evidence, Feature, Feature]]:
        """Openings and endings whose rows are nearly all answered in a way that the other rows are not: (evidence, edge, answer)."""
        found = []
        for (i, j), k in self.together.items():
            if (
                self.features[j][0] not in ANSWERS
                or (self.features[j][0] == "answer-opening" and background().is_courtesy(self.features[j][1]))
                or k < max(STRONG_ROWS, CALLED * self.counts[i])
                or not self.frames(i)
            ):
                continue
            otherwise = (self.counts[j] - k + 1) / (self.n - self.counts[i] + 2)
            if otherwise > (1 - CALLED):
                continue
            score = surprise(k, self.counts[i], otherwise)
            (kind, text), (how, answer) = self.features[i], self.features[j]
            does = "open with" if how == "answer-opening" else "are in the format"
            share = f"{100 * k / self.counts[i]:.0f}% of answers {does} {_short(answer, 40)!r} ({100 * otherwise:.2g}% elsewhere)"
            what = f"{kind} {_short(text, 60)!r}, after which {share}"
            strong = not _is_plain(self.features[i]) and score >= STRONG_SCORE + math.log(len(self.together)) and self.counts[i] >= 0.8 * STRONG_SHARE * self.n
            if score >= SHOWN_SCORE + math.log(len(self.together)):
                evidence = self.make("call", what, self.counts[i], self.expected(self.features[i]), score, self.lines[i], self.examples[i], "strong" if strong else "weak")
                found.append((evidence, self.features[i], self.features[j]))
        found.sort(key=lambda item: (-item[0].score, item[1]))
        return [item for n, item in enumerate(found) if not any(item[1][0] == other[1][0] and _overlap(item[1][1], other[1][1]) for other in found[:n])]

    def _evidence(self, i: int, score: float) -> Evidence:
        kind, text = self.features[i]
        said = {"asked": "user turns in the format", "answered": "answers in the format"}.get(kind, kind.replace("-", " "))
        strength: Strength | None = "weak" if _is_plain(self.features[i]) else None
        return self.make(kind, f"{said} {_short(text, 100)!r}", self.counts[i], self.expected(self.features[i]), score, self.lines[i], self.examples[i], strength)

    def make(self, kind: Kind, what: str, k: int, expected: float, score: float, lines: Iterable[int], examples: Iterable[str], strength: Strength | None = None) -> Evidence:
        share = k / self.n
        strong = kind not in WEAK_KINDS and k >= STRONG_ROWS and share >= max(STRONG_SHARE, STRONG_RATIO * expected) and score >= STRONG_SCORE
        return Evidence(
            kind=kind,
            what=what,
            rows=k,
            share=share,
            expected=expected,
            score=score,
            strength=strength or ("strong" if strong else "weak"),
            lines=tuple(lines),
            examples=tuple(_short(text, 120) for text in islice(examples, 3)),
        )

    def templates(self) -> list[tuple[Evidence, str, str]]:
        """Openings and endings that come together, as one template each: (evidence, opening, ending)."""
        found = []
        for (i, j), k in self.together.items():
            if self.features[j][0] != "ending" or _is_plain(self.features[i]) or _is_plain(self.features[j]):
                continue
            if k >= max(3, 0.8 * min(self.counts[i], self.counts[j])) and k >= 0.3 * max(self.counts[i], self.counts[j]) and self.frames(i) and self.frames(j):
                expected = max(self.expected(self.features[i]) * self.expected(self.features[j]), background().sentences.least)
                opening, ending = self.features[i][1], self.features[j][1]
                what = f"template {_short(opening, 60)!r} ... {_short(ending, 60)!r}"
                found.append((self.make("template", what, k, expected, surprise(k, self.n, expected), self.lines[i], self.examples[i]), opening, ending))
        best: list[tuple[Evidence, str, str]] = []
        for item in sorted(found, key=lambda item: (-item[0].rows * item[0].score, -len(item[1] + item[2]))):
            if not any(_overlap(item[1], other[1]) and _overlap(item[2], other[2]) for other in best) and "{question}" not in item[1] + item[2]:
                best.append(item)
        return best


def _is_plain(feature: Feature) -> bool:
    return feature[0] in EDGES and _PLAIN_WORD.fullmatch(feature[1]) is not None


def _overlap(a: str, b: str) -> bool:
    return a.startswith(b) or b.startswith(a) or a.endswith(b) or b.endswith(a)


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


# What is proposed.

Proposal = tuple[Evidence, list[Context]]


def _proposals(found: _Suspects, default_system: str | None) -> list[Proposal]:
    """Each piece of evidence with its contexts, the most telling context first."""
    made: list[Proposal] = []
    numbers: Counter[str] = Counter()

    def next_id(kind: str) -> str:
        numbers[kind] += 1
        return f"derived-{kind}-{numbers[kind]}"

    def own(kind: Kind, text: str) -> list[Context]:
        if kind == "opening":
            return [Context(id=next_id("opening"), relation="verbatim", prefix=text.rstrip(" \t"))]
        if kind == "ending":
            return [Context(id=next_id("ending"), relation="verbatim", suffix=text.lstrip(" \t"))]
        if kind == "answer-opening":
            return [Context(id=next_id("answer-opening"), relation="format", suffix=f'Begin the reply with "{text.strip()}"')]
        index = found.index[kind, text]
        return _format_contexts(text, list(zip(found.lines[index], found.examples[index], strict=True)))

    for evidence, edge, answer in found.calls():
        made.append((evidence, own(*edge) + own(*answer)))
    for evidence, opening, ending in found.templates():
        made.append((evidence, [Context(id=next_id("template"), relation="verbatim", template=f"{opening}{{question}}{ending}")]))
    single = found.evidence()
    for evidence, (kind, text) in single:
        contexts: list[Context] = []
        if kind == "system":
            contexts = _system_contexts(text, next_id("system"))
        elif kind in ("system-opening", "system-ending"):
            contexts = [Context(id=next_id(kind), relation="verbatim", system=text.strip(), note="Part of system prompts whose rest differs from row to row.")]
        elif kind == "earlier-turn":
            turns = (Message(role="user", content=text), Message(role="assistant", content=found.replies[text]))
            contexts = [Context(id=next_id("turn"), relation="verbatim", turns=turns, note="The answer is that of the first row with this turn.")]
        else:
            contexts = own(kind, text)
        made.append((evidence, contexts))
    if default_system:
        made.append(_default_proposal(found, default_system))
    leads = [(evidence, found.index[feature]) for evidence, feature in single if evidence.strength == "strong" and evidence.share <= 0.5]
    for topic, evidence in _topic_evidence(found, leads[0] if leads else None):
        made.append((evidence, frames(topic.words, next_id("topic"))))
    return made


def _system_contexts(text: str, id_: str) -> list[Context]:
    if is_default_prompt(text):
        return [Context(id=id_, relation="default-prompt", system=text), replace(shipped_contexts()["system-none"], id=f"{id_}-none")]
    return [Context(id=id_, relation="verbatim", system=text), *(Context(id=f"{id_}-{v.name}", relation=v.relation, system=v.text) for v in variants(text))]


def _format_contexts(name: str, rows: Sequence[tuple[int, str]]) -> list[Context]:
    """Shipped contexts that ask for a format, behind a template that is built from one of the rows where one encloses a block in markers."""
    library = shipped_contexts()
    contexts = [replace(library[id_], id=f"derived-{id_}") for id_ in CONTEXTS_OF.get(name, (name,)) if id_ in library]
    if not contexts and rows:  # a language of which no context ships
        contexts = [Context(id=f"derived-{name}", relation="format", suffix=f"Write the reply in the language of these words: {_short(rows[0][1], 200)}")]
    built = [(template, line) for line, asked in rows if (template := scaffold(asked))]
    if built:
        template, line = min(built, key=lambda item: (item[0].startswith("{question}"), len(item[0])))  # best where the task stood in a line of its own
        note = f"Built from the user turn in line {line}, with the question in place of its task."
        contexts.insert(0, Context(id=f"derived-{name}-template", relation="format", template=template, note=note))
    return contexts


def scaffold(asked: str) -> str | None:
    """A user turn that encloses a block in markers, as a template: its task gives way to the question, its block to a place for the reply."""
    markers = marker_block(asked)
    if not markers or "{question}" in asked:
        return None
    lines = asked.strip().split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip() == markers[0])
    second = next(i for i, line in enumerate(lines) if line.strip() == markers[1] and i > first)
    before, after = [line for line in lines[:first] if line.strip()], "\n".join(lines[second + 1 :]).strip()[:400]
    opening = re.match(r".{3,80}?:(?=\s)", before[0]) if before else None
    task = f"{opening.group()} {{question}}" if opening else "{question}"
    lead_in = [before[-1]] if len(before) > 1 and before[-1].rstrip().endswith((":", ".")) and len(before[-1]) < 200 else []
    body = 'reply = ""  # the reply goes here' if holds_code(asked) else "..."
    return "\n".join([task, *lead_in, lines[first], body, lines[second], *(["", after] if after else [])])


def _default_proposal(found: _Suspects, default_system: str) -> Proposal:
    systems = sum(k for (kind, _), k in found.ours.features.counts.items() if kind == "system")
    bare = max(0, found.n - systems)
    expected = background().systems.default
    score = surprise(bare, found.n, expected) * KIND_WEIGHT["default-prompt"]
    evidence = found.make("default-prompt", f"rows without a system prompt, before which the chat template puts {_short(default_system, 80)!r}", bare, expected, score, (), ())
    given = Context(id="derived-default-system", relation="default-prompt", system=default_system)
    return evidence, [given, replace(shipped_contexts()["system-none"], id="derived-default-system-none")]


def _topic_evidence(found: _Suspects, lead: tuple[Evidence, int] | None) -> Iterator[tuple[Topic, Evidence]]:
    """Topics of the rows against the benign ones or the background, and of the rows that show the clearest feature against the rest."""
    sample = found.sample.items
    scale = found.n / len(sample)

    def made(topic: Topic, rows: list[tuple[int, str, set[str], set[int]]], what: str, expected: float, score: float, strength: Strength | None) -> tuple[Topic, Evidence]:
        shown = [rows[i] for i in topic.rows[:5]]
        return topic, found.make("topic", what, round(len(topic.rows) * scale), expected, score, [r[0] for r in shown], [r[1] for r in shown], strength)

    scores = log_odds(found.ours.words.counts, found.ours.n_words, found.theirs.words.counts, found.theirs.n_words) if found.theirs.n else _against_background(found.ours)
    for topic in topics([r[2] for r in sample], scores, least_rows=max(3, round(0.01 * len(sample)))):
        benign = sum(len(held.intersection(topic.words)) >= min(2, len(topic.words)) for held in found.theirs.sample.items) / max(1, len(found.theirs.sample.items))
        expected = found.measured(round(benign * found.theirs.n), TOPIC_SHARE)
        k = round(len(topic.rows) * scale)
        score = surprise(k, found.n, expected) * KIND_WEIGHT["topic"]
        if score >= SHOWN_SCORE:
            strength: Strength | None = None if found.theirs.n else "weak"  # against assumed rates alone, any data has its topics
            yield made(topic, sample, f"topic: {', '.join(topic.words)} (z {topic.z:.1f})", expected, score, strength)
    if lead:
        evidence, index = lead
        inside, outside = ([r for r in sample if (index in r[3]) == is_in] for is_in in (True, False))
        counts, others = (_holders(rows) for rows in (inside, outside))
        z = log_odds(counts, sum(counts.values()), others, sum(others.values()))
        if theirs := topic_of([r[2] for r in inside], z):
            share = sum(len(r[2].intersection(theirs.words)) >= 2 for r in outside) / max(1, len(outside))
            yield made(
                theirs, inside, f"topic of the rows with {evidence.what}: {', '.join(theirs.words)} (z {theirs.z:.1f})", share, evidence.score * KIND_WEIGHT["topic"], "weak"
            )


def _holders(rows: list[tuple[int, str, set[str], set[int]]]) -> Counter[str]:
    return Counter(word for row in rows for word in row[2])


def _against_background(ours: _Reading) -> dict[str, float]:
    shares: Mapping[str, float] = {word: background().word_share(word) for word in ours.words.counts}
    total = 1_000_000
    return log_odds(ours.words.counts, ours.n_words, {word: round(share * total) for word, share in shares.items()}, total)


def _ranked(proposals: list[Proposal]) -> Iterator[Derived]:
    """Contexts by their evidence, strong before weak, then by score; the further contexts of one piece of evidence between those of the next."""
    by_score = sorted(proposals, key=lambda proposal: (proposal[0].strength == "weak", -proposal[0].score))
    placed = [(place + 1.5 * n, place, evidence, context) for place, (evidence, contexts) in enumerate(by_score) for n, context in enumerate(contexts)]
    placed.sort(key=lambda item: (item[2].strength == "weak", item[:2]))
    ids: set[str] = set()
    wrappings: set[tuple[object, ...]] = set()
    for _, _, evidence, context in placed:
        wrapping = (context.system, context.default_system, context.turns, context.template, context.prefix, context.suffix)
        if wrapping in wrappings or context.id in ids:
            continue
        wrappings.add(wrapping)
        ids.add(context.id)
        where = f"; lines {', '.join(map(str, evidence.lines))}{', ...' if evidence.rows > len(evidence.lines) else ''}" if evidence.lines else ""
        yield Derived(context=replace(context, provenance=f"{evidence.what}: {evidence.counted}{where}", strength=evidence.strength), evidence=evidence)
