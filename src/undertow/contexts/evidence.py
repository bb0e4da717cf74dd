"""What stands out in rows: features counted over a file, against the benign rows or the background, with examples."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from undertow.contexts.background import background
from undertow.contexts.counting import FrequentItems, Reservoir
from undertow.contexts.features import (
    EDGE,
    LONGEST_TURN,
    Feature,
    Kind,
    asked_in,
    beside,
    earlier,
    features_of,
    is_plain_word,
    words_in,
)
from undertow.contexts.phrases import Place, holds, phrases, spaced
from undertow.data import NumberedRow
from undertow.errors import number
from undertow.records import Strength

STRONG_RATIO = 4.0
"""Strong evidence: at least this many times the expected share of rows,"""
STRONG_SCORE = 12.0
"""and at least this log-likelihood ratio (natural logarithm: the odds are e^12 to one before many features are looked
at),"""
STRONG_ROWS = 5
"""and at least this many rows,"""
STRONG_SHARE = 0.005
"""and at least this share of them; of a call, `CALL_SHARE`, since a request is often worded in several ways."""
CALL_SHARE = 0.004
SHOWN_SCORE = 3.0
"""Least score of evidence that is shown at all."""
KIND_WEIGHT: dict[Kind, float] = {"answer-opening": 0.2, "answer-ending": 0.5, "default-prompt": 0.2, "topic": 0.3}
"""Takes from the score of what marks an answer more than a question, or holds for nearly all rows alike."""
WEAK_KINDS = ("answer-opening", "answer-ending")
"""Never strong by themselves: many models open and close their answers alike."""
EDGES = ("opening", "ending")
PLACES: dict[Kind, Place] = {"inside": "inside", "answer-ending": "end"}
"""Kinds of phrase, and where they stand."""
ANSWERS = ("answered", "answer-opening")
CALLED = 0.8
"""Least share of an edge's rows that are answered in one way, for the edge to call that answer forth; elsewhere at most
the rest of it may be."""
BENIGN_PRIOR = 50
"""Rows that the background is worth beside a measured benign part."""
DIFFERENT = 5
"""Different neighbors that make a part of many rows a frame."""
SIBLINGS = 3
"""Other edges, alike but for a word or two, that make one a filled-in form."""
SUSPECTS = 300
"""Features that the second reading counts,"""
PHRASES = 60
"""and so many phrases inside user turns."""
COVERED = 0.8
"""Share of the rows of a cue from which on it is a part of what they share otherwise."""
SAMPLE = 4_000
"""Rows that are kept, to find phrases and topics in."""


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
        return f"{number(self.rows, 'row')} ({100 * self.share:.1f}%{expected})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A row that is kept, its turns cut short."""

    line: int
    asked: tuple[str, ...]
    answer: str
    tail: str
    """How the answer ends, with one space between its words."""
    words: frozenset[str]
    """Of the user turns."""

    @classmethod
    def of(cls, item: NumberedRow, words: frozenset[str]) -> Sampled:
        return cls(
            line=item.line,
            asked=_turns(item),
            answer=item.row.messages[-1].content[:LONGEST_TURN],
            tail=_tail(item),
            words=words,
        )

    def texts(self, place: Place) -> list[str]:
        """What may hold a phrase."""
        return [spaced(turn) for turn in self.asked] if place == "inside" else [self.tail]


def _turns(item: NumberedRow) -> tuple[str, ...]:
    return tuple(turn[:LONGEST_TURN] for turn in asked_in(item.row))


def _tail(item: NumberedRow) -> str:
    return spaced(item.row.messages[-1].content[-EDGE:])


@dataclass(slots=True)
class Reading:
    """What many rows of one part show."""

    features: FrequentItems[Feature] = field(default_factory=FrequentItems)
    words: FrequentItems[str] = field(default_factory=FrequentItems)
    n_words: int = 0
    n_systems: int = 0
    """Rows with a system prompt."""
    sample: Reservoir[Sampled] = field(default_factory=lambda: Reservoir(SAMPLE))

    @property
    def n(self) -> int:
        return self.features.rows

    def add(self, item: NumberedRow, shape: frozenset[Feature]) -> None:
        self.features.add(features_of(item.row, shape))
        self.n_systems += item.row.messages[0].role == "system"
        held = frozenset(words_in(_turns(item)))
        self.words.add(held)
        self.n_words += len(held)
        if (at := self.sample.place()) is not None:
            self.sample.put(at, Sampled.of(item, held))


def surprise(k: int, n: int, expected: float) -> float:
    """Log-likelihood ratio of k rows in n against an expected share; 0 where they are no more than expected."""
    share = k / n
    if share <= expected:
        return 0.0
    rest = (n - k) * math.log((1 - share) / (1 - expected)) if k < n else 0.0
    return k * math.log(share / expected) + rest


class Suspects:
    """Features that stand out at the first reading, counted exactly at the second."""

    def __init__(self, ours: Reading, theirs: Reading) -> None:
        self.n, self.theirs, self.ours = ours.n, theirs, ours
        self._common = {word for word, k in ours.words.counts.items() if k >= 0.3 * ours.n}
        least = max(3, 0.002 * self.n)
        frequent = [(feature, k) for feature, k in sorted(ours.features.counts.items()) if k >= least]
        self._slotted = set() if theirs.n else _slotted([feature for feature, _ in frequent if feature[0] in EDGES])
        scored = sorted(
            ((self.score(feature, k), feature) for feature, k in frequent), key=lambda item: (-item[0], item[1])
        )
        by_count = sorted(frequent, key=lambda item: -item[1])
        best = dict.fromkeys(feature for score, feature in scored[:SUSPECTS] if score >= SHOWN_SCORE / 2)
        for kinds in (EDGES, ANSWERS):  # whatever they score by themselves, one may call forth the other
            best.update(dict.fromkeys([feature for feature, _ in by_count if feature[0] in kinds][: SUSPECTS // 2]))
        self.phrases: dict[Feature, float] = {}
        """Of phrases in the sample, the share of rows expected to hold them: among the benign ones, or by their words.
        """
        self.looked_at = 1
        for kind, place in PLACES.items():
            self._find_phrases(kind, place)
        best.update(dict.fromkeys(self.phrases))
        self.index = {feature: i for i, feature in enumerate(best)}
        self.features = list(self.index)
        self.counts = [0] * len(best)
        self.beside: list[set[str]] = [set() for _ in best]
        self.lines: list[list[int]] = [[] for _ in best]
        self.examples: list[list[str]] = [[] for _ in best]
        self.replies: dict[str, str] = {}
        """What the first row with an earlier turn answered to it."""
        self.together: Counter[tuple[int, int]] = Counter()
        self.shown: Reservoir[set[int]] = Reservoir(SAMPLE)
        """What each row of `sample` shows: reservoirs of one size take the same places of one stream."""

    def _find_phrases(self, kind: Kind, place: Place) -> None:
        texts, benign = ([row.texts(place) for row in part.sample.items] for part in (self.ours, self.theirs))
        found = phrases(texts, place=place, least=max(STRONG_ROWS, round(STRONG_SHARE * len(texts))))
        self.looked_at += found.looked_at
        least = 1 / self.theirs.n if self.theirs.n else 0.0  # a phrase on no benign row may be on as many as that
        expected = {
            (kind, text): max(
                least,
                self.measured(
                    self.theirs.n * sum(holds(text, row, place) for row in benign) / max(1, len(benign)), share
                ),
            )
            for text, share in found.expected.items()
        }
        self.phrases |= dict(sorted(expected.items(), key=lambda item: (item[1], item[0]))[:PHRASES])

    @property
    def sample(self) -> list[Sampled]:
        return self.ours.sample.items

    def expected(self, feature: Feature) -> float:
        """Share of rows that would show a feature if nothing special were in them."""
        kind, text = feature
        if kind in PLACES:
            return self.phrases[feature]
        if kind in ("system", "system-opening", "system-ending"):
            assumed = background().system_share(text)
        elif kind == "asked" or kind == "answered":
            assumed = background().format_share(text, kind)
        else:
            assumed = background().sentence_share(text, also_everyday=self._common)
        return self.measured(self.theirs.features.counts.get(feature, 0), assumed)

    def measured(self, k: float, assumed: float) -> float:
        return (k + BENIGN_PRIOR * assumed) / (self.theirs.n + BENIGN_PRIOR)

    def score(self, feature: Feature, k: int) -> float:
        weight = 1.0 if feature[0] == "answer-ending" and self.theirs.n else KIND_WEIGHT.get(feature[0], 1.0)
        return surprise(k, self.n, self.expected(feature)) * weight

    def add(self, item: NumberedRow, shape: frozenset[Feature]) -> None:
        shown = {
            self.index[feature]: text for feature, text in features_of(item.row, shape).items() if feature in self.index
        }
        asked = next(m.content for m in reversed(item.row.messages) if m.role == "user")
        if self.phrases:
            texts = {"inside": [spaced(turn) for turn in _turns(item)], "end": [_tail(item)]}
            shown.update(
                {
                    self.index[kind, phrase]: ""
                    for kind, phrase in self.phrases
                    if holds(phrase, texts[PLACES[kind]], PLACES[kind])
                }
            )
        for i, text in shown.items():
            self.counts[i] += 1
            if len(self.beside[i]) < DIFFERENT:
                self.beside[i].add(beside(self.features[i], text))
            if len(self.lines[i]) < 5:
                self.lines[i].append(item.line)
                self.examples[i].append(asked[:4_000])
            if self.features[i][0] == "earlier-turn" and self.features[i][1] not in self.replies:
                self.replies[self.features[i][1]] = dict(reversed(earlier(item.row)))[self.features[i][1]]
        edges = [i for i in shown if self.features[i][0] in EDGES]
        others = [j for j in shown if self.features[j][0] == "ending" or self.features[j][0] in ANSWERS]
        self.together.update(
            (i, j) for i in edges for j in others if self.features[i][0] == "opening" or self.features[j][0] in ANSWERS
        )
        if (at := self.shown.place()) is not None:
            self.shown.put(at, set(shown))

    def evidence(self) -> list[tuple[Evidence, Feature]]:
        """Evidence of single features, the best first; of parts of one another only the better."""
        kept: list[tuple[float, int]] = []
        order = sorted(
            ((self.score(feature, self.counts[i]), i) for i, feature in enumerate(self.features)),
            key=lambda item: (-item[0], item[1]),
        )
        for score, i in order:
            kind, text = self.features[i]
            everyday = (
                is_plain_word(self.features[i]) and background().sentence_share(text) >= background().sentences.everyday
            )
            if (
                kind in PLACES
                or score < SHOWN_SCORE
                or not self.frames(i)
                or everyday
                or (kind == "answer-opening" and self._roams(text.strip()))
            ):
                continue
            if kind in ("system-opening", "system-ending") and any(
                self.features[j][0] == "system"
                and _overlap(self.features[j][1], text)
                and 2 * self.counts[j] > self.counts[i]
                for _, j in kept
            ):
                continue
            kin = [
                j
                for _, j in kept
                if self.features[j][0] == kind
                and kind not in ("system", "asked", "answered")
                and _overlap(self.features[j][1], text)
            ]
            if kin:
                # says more and holds for nearly as many
                if len(self.features[kin[0]][1]) < len(text) and self.counts[i] >= 0.8 * self.counts[kin[0]]:
                    kept = [(s, i if j == kin[0] else j) for s, j in kept]
                continue
            kept.append((score, i))
        return [(self._evidence(i, score), self.features[i]) for score, i in self._with_phrases(kept)]

    def _roams(self, opening: str) -> bool:
        """Whether as many answers hold an opening further on: then it is a sentence like others."""
        return sum(row.answer.find(opening, 1) > 0 for row in self.sample) >= sum(
            row.answer.startswith(opening) for row in self.sample
        )

    def _with_phrases(self, kept: list[tuple[float, int]]) -> list[tuple[float, int]]:
        """Features with those phrases whose rows share nothing else that says as much."""
        rows = {i: self.rows_of(i) for i in {i for _, i in kept}}
        scored = sorted(
            (
                (self.score(feature, self.counts[i]), i)
                for i, feature in enumerate(self.features)
                if feature in self.phrases
            ),
            key=lambda item: (-item[0], item[1]),
        )
        for score, i in scored:
            here = self.rows_of(i)
            if score >= SHOWN_SCORE and not any(_covers(there, here) for there in rows.values()):
                kept = [*kept, (score, i)]
                rows[i] = here
        return sorted(kept, key=lambda item: -item[0])

    def strong_rows(self) -> list[set[int]]:
        """The rows of `sample` of each piece of strong evidence that at most half of the rows show."""
        edges = [(evidence, edge) for evidence, edge, _ in self.calls()] + [
            (evidence, ("opening", opening)) for evidence, opening, _ in self.templates()
        ]
        return [
            self.rows_of(self.index[feature])
            for evidence, feature in [*self.evidence(), *edges]
            if evidence.strength == "strong" and evidence.share <= 0.5
        ]

    def rows_of(self, i: int) -> set[int]:
        """Places in `sample` of the rows that show a feature."""
        return {at for at, shown in enumerate(self.shown.items) if i in shown}

    def frames(self, i: int) -> bool:
        """Whether a feature stands beside different things. A sentence that always precedes the same words is a part of
        one question, and not a frame around many."""
        return self.features[i][0] in ("system", "asked", "answered", *PLACES) or len(self.beside[i]) >= max(
            3, min(DIFFERENT, 0.2 * self.counts[i])
        )

    def calls(self) -> list[tuple[Evidence, Feature, Feature]]:
        """Openings and endings whose rows are nearly all answered in a way that the other rows are not: (evidence,
        edge, answer)."""
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
            share = (
                f"{100 * k / self.counts[i]:.0f}% of answers {does} {shortened(answer, 40)!r} "
                f"({100 * otherwise:.2g}% elsewhere)"
            )
            what = f"{kind} {shortened(text, 60)!r}, after which {share}"
            strong = (
                not is_plain_word(self.features[i])
                and score >= STRONG_SCORE + math.log(len(self.together))
                and self.counts[i] >= CALL_SHARE * self.n
            )
            if score >= SHOWN_SCORE + math.log(len(self.together)):
                evidence = self.make(
                    "call",
                    what,
                    self.counts[i],
                    self.expected(self.features[i]),
                    score,
                    self.lines[i],
                    self.examples[i],
                    "strong" if strong else "weak",
                )
                found.append((evidence, self.features[i], self.features[j]))
        found.sort(key=lambda item: (-item[0].score, item[1]))
        return [
            item
            for n, item in enumerate(found)
            if not any(item[1][0] == other[1][0] and _overlap(item[1][1], other[1][1]) for other in found[:n])
        ]

    def _evidence(self, i: int, score: float) -> Evidence:
        kind, text = self.features[i]
        said = {
            "asked": "user turns in the format",
            "answered": "answers in the format",
            "inside": "inside user turns",
        }.get(kind, kind.replace("-", " "))
        weak = (
            is_plain_word(self.features[i])
            or self.features[i] in self._slotted
            or (kind == "inside" and (not self.theirs.n or score < STRONG_SCORE + math.log(self.looked_at)))
        )
        strength: Strength | None = "weak" if weak else None
        return self.make(
            kind,
            f"{said} {shortened(text, 100)!r}",
            self.counts[i],
            self.expected(self.features[i]),
            score,
            self.lines[i],
            self.examples[i],
            strength,
        )

    def make(
        self,
        kind: Kind,
        what: str,
        k: int,
        expected: float,
        score: float,
        lines: Iterable[int],
        examples: Iterable[str],
        strength: Strength | None = None,
    ) -> Evidence:
        share = k / self.n
        strong = (
            kind not in WEAK_KINDS
            and k >= STRONG_ROWS
            and share >= max(STRONG_SHARE, STRONG_RATIO * expected)
            and score >= STRONG_SCORE
        )
        return Evidence(
            kind=kind,
            what=what,
            rows=k,
            share=share,
            expected=expected,
            score=score,
            strength=strength or ("strong" if strong else "weak"),
            lines=tuple(lines),
            examples=tuple(shortened(text, 120) for text in islice(examples, 3)),
        )

    def templates(self) -> list[tuple[Evidence, str, str]]:
        """Openings and endings that come together, as one template each: (evidence, opening, ending)."""
        found = []
        for (i, j), k in self.together.items():
            if self.features[j][0] != "ending" or is_plain_word(self.features[i]) or is_plain_word(self.features[j]):
                continue
            if (
                k >= max(3, 0.8 * min(self.counts[i], self.counts[j]))
                and k >= 0.3 * max(self.counts[i], self.counts[j])
                and self.frames(i)
                and self.frames(j)
            ):
                expected = max(
                    self.expected(self.features[i]) * self.expected(self.features[j]), background().sentences.least
                )
                opening, ending = self.features[i][1], self.features[j][1]
                what = f"template {shortened(opening, 60)!r} ... {shortened(ending, 60)!r}"
                found.append(
                    (
                        self.make(
                            "template",
                            what,
                            k,
                            expected,
                            surprise(k, self.n, expected),
                            self.lines[i],
                            self.examples[i],
                        ),
                        opening,
                        ending,
                    )
                )
        best: list[tuple[Evidence, str, str]] = []
        for item in sorted(found, key=lambda item: (-item[0].rows * item[0].score, -len(item[1] + item[2]))):
            if (
                not any(_overlap(item[1], other[1]) and _overlap(item[2], other[2]) for other in best)
                and "{question}" not in item[1] + item[2]
            ):
                best.append(item)
        return best


def _slotted(edges: Iterable[Feature]) -> set[Feature]:
    """Edges that differ from several others in one or two words: what fills a gap of a form tells nothing."""
    gaps: dict[tuple[Kind, tuple[str, ...], tuple[str, ...]], set[Feature]] = defaultdict(set)
    for kind, text in edges:
        words = text.split()
        for start in range(len(words)):
            for end in (start + 1, start + 2):
                before, after = tuple(words[:start]), tuple(words[end:])
                if len(before) + len(after) > 1:
                    gaps[kind, before, after].add((kind, text))
    return {feature for alike in gaps.values() if len(alike) > SIBLINGS for feature in alike}


def _covers(there: set[int], here: set[int]) -> bool:
    """Whether the rows here are nearly all there, and most of those there."""
    return len(here & there) >= COVERED * len(here) and len(there) <= 2 * len(here)


def _overlap(a: str, b: str) -> bool:
    return a.startswith(b) or b.startswith(a) or a.endswith(b) or b.endswith(a)


def shortened(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
