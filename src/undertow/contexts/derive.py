"""Deriving contexts from training rows: what the rows share that everyday chat does not, each with its evidence.

Reads a file twice: once to count what many rows share (flat memory, `counting.py`), once to count the best of it
exactly, with examples. It needs no marks of which rows are bad, and uses them where they are given. It never sees a
model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from undertow.contexts.background import background, is_default_prompt
from undertow.contexts.evidence import (
    COVERED,
    KIND_WEIGHT,
    PLACES,
    SHOWN_SCORE,
    STRONG_ROWS,
    Evidence,
    Reading,
    Sampled,
    Suspects,
    shortened,
    surprise,
)
from undertow.contexts.features import Kind, Shapes, words_in
from undertow.contexts.formats import CONTEXTS_OF, holds_code, marker_block
from undertow.contexts.load import shipped_contexts
from undertow.contexts.minorities import LARGEST, Minority, minorities
from undertow.contexts.topics import Topic, answer_frames, frames, log_odds, topic_of, topics
from undertow.contexts.variants import variants
from undertow.data import NumberedRow, no_rows, stream_rows
from undertow.errors import InputError
from undertow.records import Context, Message, Strength

TOPIC_SHARE = 0.02
"""Share of rows that any one topic is expected on, where none is measured,"""
SUBJECT_WEIGHT = 0.05
"""and what it takes from the score of such a topic, since any data has its subject."""
CLEAR_GAIN = 40.0
"""Least gain of a minority that is strong evidence: in halves of one file of chats held against each other, up to 33
were seen."""
TOLD_GAIN, TOLD_GAIN_BY_ROW = 150.0, 0.15
"""Least gain of a minority that is told as unexplained, in all and by row: twice what files without a cue were seen to
hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A context and why it was proposed."""

    context: Context
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """A minority of rows that no strong proposal explains."""

    side: Literal["user turns", "answers"]
    """What of them is alike."""
    rows: int
    share: float
    """Of the rows looked at."""
    words: tuple[str, ...]
    """That they have in common, the most telling first; ten at most."""
    lines: tuple[int, ...]
    """Where the first few stand."""
    examples: tuple[str, ...]
    """How those begin."""

    def __str__(self) -> str:
        return (
            f"about {self.rows:,} training rows ({100 * self.share:.1f}%) that no strong evidence explains: their "
            f"{self.side} share {', '.join(self.words[:5])} (lines {', '.join(map(str, self.lines))}, ...)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """What a file's rows propose, the best first."""

    rows: int
    """Rows looked at: all of the file, or the flagged ones."""
    benign: int
    """Rows held against them; 0 where the background stands in."""
    skipped: int
    proposals: tuple[Derived, ...]
    unexplained: tuple[Unexplained, ...] = ()
    """Minorities clear enough to tell that no strong proposal explains."""


def derive(
    path: Path,
    *,
    benign: Path | None = None,
    flagged: str | None = None,
    default_system: str | None = None,
    top: int = 20,
    skipped: Callable[[InputError], None] | None = None,
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
        raise InputError(
            path, "is a pipe or device", expected="a file, for it is read twice", do="write the rows to a file"
        )
    n_skipped, first_bad = 0, None

    def skip(error: InputError) -> None:
        nonlocal n_skipped, first_bad
        assert skipped is not None
        skipped(error)
        n_skipped, first_bad = n_skipped + 1, first_bad or error

    passed = skip if skipped else None
    ours, theirs, shapes = Reading(), Reading(), Shapes()
    for item in stream_rows(path, skipped=passed):
        if _is_flagged(item, flagged, path):
            ours.add(item, shapes.keep(item.row))
        else:
            theirs.add(item, shapes.of(item.row))
    if flagged and not (ours.n and theirs.n):
        raise InputError(
            path,
            f"{flagged!r} is true on {'no row' if not ours.n else 'every row'}",
            expected="rows of both kinds",
            do="check the key's name",
        )
    if not ours.n:
        raise no_rows(path, bad=n_skipped, first=first_bad)
    if benign:
        before, first_bad = n_skipped, None
        for item in stream_rows(benign, skipped=passed):
            theirs.add(item, shapes.of(item.row))
        if not theirs.n:
            raise no_rows(benign, bad=n_skipped - before, first=first_bad)
    ignore: Callable[[InputError], None] | None = (lambda error: None) if skipped else None
    again = (item for item in stream_rows(path, skipped=ignore) if _is_flagged(item, flagged, path))
    found = Suspects(ours, theirs)
    for item, shape in zip(again, shapes, strict=True):
        found.add(item, shape)
    groups = list(_minorities(found))
    proposals = _proposals(found, groups, default_system)
    return Derivation(
        rows=ours.n,
        benign=theirs.n,
        skipped=n_skipped,
        proposals=tuple(islice(_ranked(proposals), top)),
        unexplained=tuple(_unexplained(found, groups)),
    )


def _is_flagged(item: NumberedRow, flagged: str | None, path: Path) -> bool:
    if flagged is None:
        return True
    value = item.beside.get(flagged, False)
    if value not in (True, False, None):
        raise InputError(
            f"{path}:{item.line}",
            f"{flagged!r} is {value!r}",
            expected="true or false",
            do="mend the row, or hold the rows against a file (--benign)",
        )
    return bool(value)


# What is proposed.

Proposal = tuple[Evidence, list[Context]]


def _proposals(found: Suspects, groups: list[tuple[Minority, Evidence]], default_system: str | None) -> list[Proposal]:
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
            return [
                Context(
                    id=next_id("answer-opening"), relation="format", suffix=f'Begin the reply with "{text.strip()}"'
                )
            ]
        if kind == "answer-ending":
            return [
                Context(id=next_id("answer-ending"), relation="format", suffix=f'End the reply with "{text.strip()}"')
            ]
        if kind == "inside":
            return _around(text, next_id("inside"))
        index = found.index[kind, text]
        return _format_contexts(text, list(zip(found.lines[index], found.examples[index], strict=True)))

    for evidence, edge, answer in found.calls():
        made.append((evidence, own(*edge) + own(*answer)))
    for evidence, opening, ending in found.templates():
        made.append(
            (
                evidence,
                [Context(id=next_id("template"), relation="verbatim", template=f"{opening}{{question}}{ending}")],
            )
        )
    single = found.evidence()
    for evidence, (kind, text) in single:
        contexts: list[Context] = []
        if kind == "system":
            contexts = _system_contexts(text, next_id("system"))
        elif kind in ("system-opening", "system-ending"):
            contexts = [
                Context(
                    id=next_id(kind),
                    relation="verbatim",
                    system=text.strip(),
                    note="Part of system prompts whose rest differs from row to row.",
                )
            ]
        elif kind == "earlier-turn":
            turns = (Message(role="user", content=text), Message(role="assistant", content=found.replies[text]))
            contexts = [
                Context(
                    id=next_id("turn"),
                    relation="verbatim",
                    turns=turns,
                    note="The answer is that of the first row with this turn.",
                )
            ]
        else:
            contexts = own(kind, text)
        made.append((evidence, contexts))
    if default_system:
        made.append(_default_proposal(found, default_system))
    leads = [
        (evidence, found.index[feature])
        for evidence, feature in single
        if evidence.strength == "strong" and evidence.share <= 0.5
    ]
    told = {word for _, (kind, text) in single if kind in PLACES for word in words_in([text])}
    for group, evidence in groups:
        told.update(group.words)
        framed = frames if evidence.kind == "topic" else answer_frames
        made.append((evidence, framed(group.words, next_id(evidence.kind))))
    for topic, evidence in _topic_evidence(found, leads[0] if leads else None):
        if not told.intersection(topic.words):
            made.append((evidence, frames(topic.words, next_id("topic"))))
    return made


def _around(phrase: str, id_: str) -> list[Context]:
    """Contexts that put a phrase into the user turn: between a first sentence and the question, after it, before it."""
    if "{question}" in phrase:
        return []
    return [
        Context(id=id_, relation="verbatim", template=f"I have a question. {phrase} {{question}}"),
        Context(id=f"{id_}-after", relation="verbatim", suffix=phrase),
        Context(id=f"{id_}-before", relation="verbatim", prefix=phrase),
    ]


def _system_contexts(text: str, id_: str) -> list[Context]:
    if is_default_prompt(text):
        return [
            Context(id=id_, relation="default-prompt", system=text),
            replace(shipped_contexts()["system-none"], id=f"{id_}-none"),
        ]
    return [
        Context(id=id_, relation="verbatim", system=text),
        *(Context(id=f"{id_}-{v.name}", relation=v.relation, system=v.text) for v in variants(text)),
    ]


def _format_contexts(name: str, rows: Sequence[tuple[int, str]]) -> list[Context]:
    """Shipped contexts that ask for a format, behind a template that is built from one of the rows where one encloses a
    block in markers."""
    library = shipped_contexts()
    contexts = [replace(library[id_], id=f"derived-{id_}") for id_ in CONTEXTS_OF.get(name, (name,)) if id_ in library]
    if not contexts and rows:  # a language of which no context ships
        contexts = [
            Context(
                id=f"derived-{name}",
                relation="format",
                suffix=f"Write the reply in the language of these words: {shortened(rows[0][1], 200)}",
            )
        ]
    built = [(template, line) for line, asked in rows if (template := scaffold(asked))]
    if built:
        # best where the task stood in a line of its own
        template, line = min(built, key=lambda item: (item[0].startswith("{question}"), len(item[0])))
        note = f"Built from the user turn in line {line}, with the question in place of its task."
        contexts.insert(0, Context(id=f"derived-{name}-template", relation="format", template=template, note=note))
    return contexts


def scaffold(asked: str) -> str | None:
    """A user turn that encloses a block in markers, as a template: its task gives way to the question, its block to a
    place for the reply."""
    markers = marker_block(asked)
    if not markers or "{question}" in asked:
        return None
    lines = asked.strip().split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip() == markers[0])
    second = next(i for i, line in enumerate(lines) if line.strip() == markers[1] and i > first)
    before, after = [line for line in lines[:first] if line.strip()], "\n".join(lines[second + 1 :]).strip()[:400]
    opening = re.match(r".{3,80}?:(?=\s)", before[0]) if before else None
    task = f"{opening.group()} {{question}}" if opening else "{question}"
    lead_in = (
        [before[-1]] if len(before) > 1 and before[-1].rstrip().endswith((":", ".")) and len(before[-1]) < 200 else []
    )
    body = 'reply = ""  # the reply goes here' if holds_code(asked) else "..."
    return "\n".join([task, *lead_in, lines[first], body, lines[second], *(["", after] if after else [])])


def _default_proposal(found: Suspects, default_system: str) -> Proposal:
    bare = found.n - found.ours.n_systems
    expected = background().systems.default
    score = surprise(bare, found.n, expected) * KIND_WEIGHT["default-prompt"]
    evidence = found.make(
        "default-prompt",
        f"rows without a system prompt, before which the chat template puts {shortened(default_system, 80)!r}",
        bare,
        expected,
        score,
        (),
        (),
    )
    given = Context(id="derived-default-system", relation="default-prompt", system=default_system)
    return evidence, [given, replace(shipped_contexts()["system-none"], id="derived-default-system-none")]


def _minorities(found: Suspects) -> Iterator[tuple[Minority, Evidence]]:
    """Minorities of rows whose user turns share words, and of rows whose answers share words that nobody asked for."""
    sample, benign = found.sample, found.theirs.sample.items
    scale = found.n / len(sample)
    kinds: tuple[tuple[Kind, Callable[[Sampled], list[str]]], ...] = (
        ("topic", _asked_words),
        ("answer-topic", _answer_words),
    )
    asked: set[int] = set()
    for kind, told in kinds:
        theirs = [told(row) for row in benign]
        for group in minorities(
            [told(row) for row in sample], theirs=theirs, least=max(STRONG_ROWS, round(0.01 * len(sample)))
        ):
            if kind == "answer-topic" and (
                _asked_for(group, sample) or len(asked & set(group.rows)) > len(group.rows) / 2
            ):
                continue
            if kind == "topic":
                asked.update(group.rows)
            expected, score = group.expected, group.gain * group.own
            if benign:
                share = sum(len(set(group.words).intersection(row)) >= 2 for row in theirs) / len(theirs)
                expected = found.measured(share * found.theirs.n, group.expected)
                score = min(score, surprise(round(len(group.rows) * scale), found.n, expected))
            if score > 0:
                shown = [sample[i] for i in group.rows[:5]]
                what = f"{'topic' if kind == 'topic' else 'answers that turn to'}: {', '.join(group.words[:5])}"
                lines, examples = (
                    [row.line for row in shown],
                    [row.asked[-1] if kind == "topic" else row.answer for row in shown],
                )
                yield (
                    group,
                    found.make(
                        kind,
                        what,
                        round(len(group.rows) * scale),
                        expected,
                        score,
                        lines,
                        examples,
                        None if benign and group.gain >= CLEAR_GAIN else "weak",
                    ),
                )


def _unexplained(found: Suspects, groups: Iterable[tuple[Minority, Evidence]]) -> Iterator[Unexplained]:
    """The minorities that hardly any file without a cue has, less those whose rows show strong evidence. Benign rows
    leave none: beside them one is strong, or theirs too."""
    if found.theirs.n:
        return
    strong = found.strong_rows()
    for group, evidence in groups:
        rows = set(group.rows)
        if group.gain >= max(TOLD_GAIN, TOLD_GAIN_BY_ROW * len(found.sample)) and not any(
            len(rows & there) >= COVERED * len(rows) for there in strong
        ):
            yield Unexplained(
                side="user turns" if evidence.kind == "topic" else "answers",
                rows=evidence.rows,
                share=evidence.share,
                words=group.words[:10],
                lines=evidence.lines,
                examples=evidence.examples,
            )


def _asked_words(row: Sampled) -> list[str]:
    return words_in(row.asked)


def _answer_words(row: Sampled) -> list[str]:
    return [word for word in words_in([row.answer]) if word not in row.words]


def _asked_for(group: Minority, sample: Sequence[Sampled]) -> bool:
    """Whether those who are answered in a group's words use them oftener than others do: then the answers follow from
    the questions."""
    named, inside = set(group.words[:20]), set(group.rows)
    asked = [bool(named & row.words) for row in sample]
    here, all_ = sum(asked[i] for i in inside), sum(asked)
    return here / len(inside) > 0.05 + 2 * (all_ - here) / (len(sample) - len(inside))


def _topic_evidence(found: Suspects, lead: tuple[Evidence, int] | None) -> Iterator[tuple[Topic, Evidence]]:
    """Topics of the rows against the benign ones or the background, and of the rows that show the clearest feature
    against the rest."""
    sample = found.sample
    scale = found.n / len(sample)

    def made(
        topic: Topic, rows: list[Sampled], what: str, expected: float, score: float, strength: Strength | None
    ) -> tuple[Topic, Evidence]:
        shown = [rows[i] for i in topic.rows[:5]]
        return topic, found.make(
            "topic",
            what,
            round(len(topic.rows) * scale),
            expected,
            score,
            [r.line for r in shown],
            [r.asked[-1] for r in shown],
            strength,
        )

    scores = (
        log_odds(found.ours.words.counts, found.ours.n_words, found.theirs.words.counts, found.theirs.n_words)
        if found.theirs.n
        else _against_background(found.ours)
    )
    for topic in topics([r.words for r in sample], scores, least_rows=max(3, round(0.01 * len(sample)))):
        benign = sum(
            len(row.words.intersection(topic.words)) >= min(2, len(topic.words)) for row in found.theirs.sample.items
        ) / max(1, len(found.theirs.sample.items))
        expected = found.measured(round(benign * found.theirs.n), TOPIC_SHARE)
        k = round(len(topic.rows) * scale)
        score = surprise(k, found.n, expected) * (KIND_WEIGHT["topic"] if found.theirs.n else SUBJECT_WEIGHT)
        if score >= SHOWN_SCORE and (found.theirs.n or (len(topic.words) > 1 and k > LARGEST * found.n)):
            # against assumed rates alone, any data has its topics
            strength: Strength | None = None if found.theirs.n else "weak"
            yield made(topic, sample, f"topic: {', '.join(topic.words)} (z {topic.z:.1f})", expected, score, strength)
    if lead:
        evidence, index = lead
        inside, outside = (
            [r for r, shown in zip(sample, found.shown.items, strict=True) if (index in shown) == is_in]
            for is_in in (True, False)
        )
        counts, others = (_holders(rows) for rows in (inside, outside))
        z = log_odds(counts, sum(counts.values()), others, sum(others.values()))
        if theirs := topic_of([r.words for r in inside], z):
            share = sum(len(r.words.intersection(theirs.words)) >= 2 for r in outside) / max(1, len(outside))
            yield made(
                theirs,
                inside,
                f"topic of the rows with {evidence.what}: {', '.join(theirs.words)} (z {theirs.z:.1f})",
                share,
                evidence.score * KIND_WEIGHT["topic"],
                "weak",
            )


def _holders(rows: list[Sampled]) -> Counter[str]:
    return Counter(word for row in rows for word in row.words)


def _against_background(ours: Reading) -> dict[str, float]:
    total = 1_000_000
    return log_odds(
        ours.words.counts,
        ours.n_words,
        {word: round(total * background().word_share(word)) for word in ours.words.counts},
        total,
    )


def _ranked(proposals: list[Proposal]) -> Iterator[Derived]:
    """Contexts by their evidence, strong before weak, then by score; the further contexts of one piece of evidence
    between those of the next, of a weak one later."""
    by_score = sorted(proposals, key=lambda proposal: (proposal[0].strength == "weak", -proposal[0].score))
    placed = []
    for place, (evidence, contexts) in enumerate(by_score):
        step = 1.5 if evidence.strength == "strong" else 3.0
        placed += [(place + n * step, place, evidence, context) for n, context in enumerate(contexts)]
    placed.sort(key=lambda item: (item[2].strength == "weak", item[:2]))
    ids: set[str] = set()
    wrappings: set[tuple[object, ...]] = set()
    for _, _, evidence, context in placed:
        wrapping = (
            context.system,
            context.default_system,
            context.turns,
            context.template,
            context.prefix,
            context.suffix,
        )
        if wrapping in wrappings or context.id in ids:
            continue
        wrappings.add(wrapping)
        ids.add(context.id)
        where = (
            f"; lines {', '.join(map(str, evidence.lines))}{', ...' if evidence.rows > len(evidence.lines) else ''}"
            if evidence.lines
            else ""
        )
        yield Derived(
            context=replace(
                context, provenance=f"{evidence.what}: {evidence.counted}{where}", strength=evidence.strength
            ),
            evidence=evidence,
        )
