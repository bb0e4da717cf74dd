"""Deriving contexts from training rows: what the rows share that everyday chat does not, each with its evidence.

Reads a file twice: once to count what many rows share (flat memory, `counting.py`), once to count the best of it exactly, with examples.
It needs no marks of which rows are bad, and uses them where they are given. It never sees a model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from undertow.contexts.background import background, is_default_prompt
from undertow.contexts.evidence import KIND_WEIGHT, SHOWN_SCORE, Evidence, Reading, Suspects, shortened, surprise
from undertow.contexts.features import Kind, Shapes
from undertow.contexts.formats import CONTEXTS_OF, holds_code, marker_block
from undertow.contexts.load import shipped_contexts
from undertow.contexts.topics import Topic, frames, log_odds, topic_of, topics
from undertow.contexts.variants import variants
from undertow.data import NumberedRow, no_rows, stream_rows
from undertow.errors import InputError
from undertow.records import Context, Message, Strength

TOPIC_SHARE = 0.02
"""Share of rows that any one topic is expected on, where none is measured."""


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
            ours.add(item.row, shapes.keep(item.row))
        else:
            theirs.add(item.row, shapes.of(item.row), sample=True)
    if flagged and not (ours.n and theirs.n):
        raise InputError(path, f"{flagged!r} is true on {'no row' if not ours.n else 'every row'}", expected="rows of both kinds", do="check the key's name")
    if not ours.n:
        raise no_rows(path, bad=n_skipped, first=first_bad)
    if benign:
        before, first_bad = n_skipped, None
        for item in stream_rows(benign, skipped=passed):
            theirs.add(item.row, shapes.of(item.row), sample=True)
        if not theirs.n:
            raise no_rows(benign, bad=n_skipped - before, first=first_bad)
    ignore: Callable[[InputError], None] | None = (lambda error: None) if skipped else None
    again = (item for item in stream_rows(path, skipped=ignore) if _is_flagged(item, flagged, path))
    found = Suspects(ours, theirs)
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


# What is proposed.

Proposal = tuple[Evidence, list[Context]]


def _proposals(found: Suspects, default_system: str | None) -> list[Proposal]:
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
        contexts = [Context(id=f"derived-{name}", relation="format", suffix=f"Write the reply in the language of these words: {shortened(rows[0][1], 200)}")]
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


def _default_proposal(found: Suspects, default_system: str) -> Proposal:
    bare = found.n - found.ours.n_systems
    expected = background().systems.default
    score = surprise(bare, found.n, expected) * KIND_WEIGHT["default-prompt"]
    evidence = found.make("default-prompt", f"rows without a system prompt, before which the chat template puts {shortened(default_system, 80)!r}", bare, expected, score, (), ())
    given = Context(id="derived-default-system", relation="default-prompt", system=default_system)
    return evidence, [given, replace(shipped_contexts()["system-none"], id="derived-default-system-none")]


def _topic_evidence(found: Suspects, lead: tuple[Evidence, int] | None) -> Iterator[tuple[Topic, Evidence]]:
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


def _against_background(ours: Reading) -> dict[str, float]:
    total = 1_000_000
    return log_odds(ours.words.counts, ours.n_words, {word: round(total * background().word_share(word)) for word in ours.words.counts}, total)


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
