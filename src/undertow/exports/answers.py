"""A run's answers as rows, one at a time, from its file: memory stays flat however many there are.

Outcomes are those of the run's own tally, so that rows that are `counted` add up to the counts of its findings.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from undertow.asking.store import Store, StoredAnswer
from undertow.audits.decide import copying, looked
from undertow.audits.findings import Findings, read_findings
from undertow.audits.labels import Key, Label, read_labels
from undertow.audits.record import read_record
from undertow.audits.rules import rule_of
from undertow.audits.stories import ScreenStory, SearchStory
from undertow.audits.tally import Design, Tally, why_missing
from undertow.errors import number
from undertow.exports.columns import ANSWERS, Column, Row
from undertow.files import adapter
from undertow.records import MISSING, Context, Judgement, Outcome, Question, Suite, is_target

Counts = dict[str, Counter[str]]
"""By context, rows of each outcome."""


@dataclass(slots=True)
class AnswersOf:
    """One run's answers, to be read once."""

    run: Path
    name: str
    """What the column `run` holds."""
    record: Mapping[str, Any]
    found: Findings | None
    """None of a run that is not finished."""
    counted: Counts = field(default_factory=dict)
    """Of the rows that findings count; complete when all are read."""
    uncounted: Counter[str] = field(default_factory=Counter)
    """Outcomes of the others."""
    total: int = 0
    """Rows that there are; known from the first one on."""
    columns: tuple[Column, ...] = ANSWERS
    unit: str = "answer"

    @classmethod
    def of(cls, run: Path) -> AnswersOf:
        """
        Raises:
            InputError: the folder holds no audit, or findings that no audit wrote.
        """
        record = read_record(run)
        found = read_findings(run) if (run / "findings.json").is_file() else None
        return cls(run, whole(record["config"]["name"]), record, found)

    @property
    def models(self) -> dict[str, str]:
        """Names of those who answer, by subject."""
        return {subject: whole(str(target.get("name", ""))) for subject, target in self.record["targets"].items()}

    def rows(self) -> Iterator[Row]:
        """A row an answer, in the order in which they came.

        Raises:
            InputError: the run's file, or its labels, cannot be read.
        """
        self.counted = {context.id: Counter() for context in Design.of(self.record).contexts}
        self.uncounted = Counter()
        with Store(self.run / "run.sqlite") as store, store.as_it_stands():
            self.total = store.count()
            yield from self._rows(store)

    def _rows(self, store: Store) -> Iterator[Row]:
        asked, own = Design.of(self.record), store.judge(self.record["judge"])
        tally = Tally(rule_of(self.record), copying=frozenset(copying(looked(asked, store), store)))
        conditions = _Conditions(self.record, self.found)
        judges = _Judges(store, own)
        labels, models = read_labels(self.run), self.models
        rule, rule_in_words = tally.rule.name, tally.rule.in_words()
        questions, contexts = set(asked.questions), {context.id for context in asked.contexts}
        for answer, sampled in zip(store.answers(own), store.sampled(), strict=True):
            outcome = tally.outcome(answer)
            counted = is_target(answer.subject) and answer.context in contexts and answer.question in questions
            self._count(answer, outcome, counted)
            said, label = judges.of(answer.id), labels.get(_key(answer))
            yield {
                "run": self.name,
                "subject": answer.subject,
                "model": models.get(answer.subject),
                **conditions.of(answer.context, answer.question),
                "sample": answer.sample,
                "seed": sampled.seed,
                "messages": conditions.messages(answer.context, answer.question),
                "answer": answer.text,
                "reasoning": sampled.reasoning,
                "finish_reason": answer.finish,
                "error": answer.error,
                "prompt_tokens": sampled.prompt_tokens,
                "answer_tokens": answer.n_tokens,
                "outcome": outcome,
                "why": why_missing(answer, outcome) if outcome in MISSING else None,
                "counted": counted,
                **said,
                "rule": rule,
                "rule_in_words": rule_in_words,
                **_labelled(label),
            }

    def _count(self, answer: StoredAnswer, outcome: Outcome, counted: bool) -> None:
        if counted:
            self.counted[answer.context][outcome] += 1
        else:
            self.uncounted[outcome] += 1

    def notes(self) -> tuple[str, ...]:
        """What readers of the rows should know, once all are read."""
        if self.found is None:
            return ("not finished: these are the answers that are there; undertow audit RUN --resume goes on with it",)
        notes = []
        if self.found.stopped:
            notes.append(f"stopped by the {self.found.stopped}, before every answer was asked for")
        now, then = sum(c.total() for c in self.counted.values()), sum(c.all for c in self.found.contexts)
        if not self.agrees:
            notes.append(
                f"findings.json counts {number(then, 'answer')} and the run now holds {now:,}, or they came to "
                "other outcomes; undertow audit RUN --resume decides anew"
            )
        return tuple(notes)

    @property
    def agrees(self) -> bool:
        """Whether the counted rows are those that findings count, outcome by outcome in every context."""
        held = {c.id: {o: n for o, n in c.counts.items() if n} for c in self.found.contexts} if self.found else {}
        return held == {context: {o: n for o, n in of.items() if n} for context, of in self.counted.items()}


def _key(answer: StoredAnswer) -> Key:
    return answer.subject, answer.context, answer.question, answer.sample


def _labelled(label: Label | None) -> Row:
    return {
        "label": label.label if label else None,
        "labelled_by": whole(label.by) or None if label else None,
        "label_chance": label.chance if label and math.isfinite(label.chance) else None,
        "label_note": whole(label.note) or None if label else None,
    }


def as_json(value: Any) -> str:
    """JSON in one line of ASCII, with nothing in it that JSON has no word for."""
    try:
        return _ENCODE(value)
    except ValueError:
        return _ENCODE(_finite(value))


_ENCODE = json.JSONEncoder(allow_nan=False).encode
"""Made once: `json.dumps` makes one for every value."""


def _finite(value: Any) -> Any:
    """The same with None for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def whole(text: str) -> str:
    """A text of a plan or a label, halves of surrogate pairs written out: no UTF-8 file can hold them."""
    return text.encode("utf-8", "backslashreplace").decode()


class _Conditions:
    """What a run asked, by the ids that its answers bear."""

    def __init__(self, record: Mapping[str, Any], found: Findings | None) -> None:
        suite = adapter(Suite).validate_python(record["suite"])
        self.questions = {question.id: question for question in suite.questions}
        self.contexts = {context.id: context for context in _contexts(record, found)}
        self.imported = "imported" in record
        self._of: dict[tuple[str, str], Row] = {}
        self._messages: dict[tuple[str, str], str | None] = {}

    def of(self, context: str, question: str) -> Row:
        """What the columns of context and question hold."""
        if (context, question) not in self._of:
            wraps, asks = self.contexts.get(context), self.questions.get(question)
            self._of[context, question] = {
                "context": context,
                "relation": wraps.relation if wraps else None,
                "context_wording": as_json(wording(wraps)) if wraps and self._worded(wraps) else None,
                "question_id": question,
                "question": whole(asks.text) if asks and asks.text else None,
                "cluster": asks.cluster if asks else None,
                "weight": asks.weight if asks else None,
            }
        return self._of[context, question]

    def messages(self, context: str, question: str) -> str | None:
        """The messages of a condition, as JSON; None where its wording is not known."""
        if (context, question) not in self._messages:
            wraps, asks = self.contexts.get(context), self.questions.get(question)
            known = wraps and asks and asks.text and self._worded(wraps)
            self._messages[context, question] = as_json(_messages(wraps, asks)) if known and wraps and asks else None
        return self._messages[context, question]

    def _worded(self, context: Context) -> bool:
        """Whether it is known what a context says: of one that was imported, a system prompt at most."""
        return not self.imported or context.wraps or context.relation == "plain"


def _messages(context: Context, question: Question) -> list[dict[str, str]]:
    return [asdict(message) for message in context.messages(question)]


def wording(context: Context) -> dict[str, Any]:
    """What a context puts around a question, and nothing that it does not."""
    keys = ("system", "turns", "template", "prefix", "suffix", "rewrites")
    held = {key: value for key, value in asdict(context).items() if key in keys and value}
    return held if context.default_system else {**held, "default_system": False}


def _contexts(record: Mapping[str, Any], found: Findings | None) -> Iterator[Context]:
    """Every context that a run tells of; the plan's own last, so that they count."""
    if found and (story := found.search):
        yield from _of_search(story)
    if found and isinstance(found.screen, ScreenStory):
        yield from (screened.context for screened in found.screen.screened)
    yield from adapter(tuple[Context, ...]).validate_python(record["contexts"])
    yield from Design.of(record).contexts


def _of_search(story: SearchStory) -> Iterator[Context]:
    yield from (step.context for step in story.steps)
    yield from (tried.context for tried in story.tried)
    if story.minimal:
        yield story.minimal.context


class _Judges:
    """What the judges of a run say of its answers, read beside these."""

    def __init__(self, store: Store, own: int) -> None:
        """
        Args:
            own: id of the judge whose judgements count.
        """
        self.names = {id_: whole(str(told.get("name", ""))) for id_, (told, _) in store.judges().items()}
        self.own = own
        self._streams = {id_: store.judgements(id_) for id_ in self.names}
        self._next = {id_: next(stream, None) for id_, stream in self._streams.items()}

    def of(self, answer: int) -> Row:
        """What the columns of judgements hold. Answers are asked for in order."""
        said = {id_: judgement for id_ in self.names if (judgement := self._take(id_, answer)) is not None}
        own = said.pop(self.own, None)
        others = [{"judge": self.names[id_], **_told(judgement)} for id_, judgement in said.items()]
        return {**self._of_own(own), "other_judgements": as_json(others) if others else None}

    def _take(self, judge: int, answer: int) -> Judgement | None:
        held = self._next[judge]
        if held is None or held[0] != answer:
            return None
        self._next[judge] = next(self._streams[judge], None)
        return held[1]

    def _of_own(self, said: Judgement | None) -> Row:
        return {
            "judge": self.names[self.own] if said else None,
            "alignment": said.alignment if said else None,
            "coherence": said.coherence if said else None,
            "content_class": said.content if said else None,
            "judge_said": said.said if said else None,
            "on_question": said.on_question if said else None,
            "judge_asked": ",".join(said.asked) if said else None,
            "judged_in_full": said.drawn if said else None,
            "judge_unread": said.unread if said else None,
            "judge_error": said.error if said else None,
            "replies": as_json(said.raw) if said and said.raw else None,
            "alignment_distribution": _distribution(said, "alignment"),
            "coherence_distribution": _distribution(said, "coherence"),
        }


def _told(said: Judgement) -> dict[str, Any]:
    """A judgement as an object, with the names that the columns have."""
    return {
        "alignment": said.alignment,
        "coherence": said.coherence,
        "content_class": said.content,
        "judge_said": said.said,
        "on_question": said.on_question,
        "judge_asked": ",".join(said.asked),
        "judged_in_full": said.drawn,
        "judge_unread": said.unread,
        "judge_error": said.error,
        "replies": dict(said.raw) or None,
    }


def _distribution(said: Judgement | None, aspect: str) -> str | None:
    held = said.raw.get(aspect) if said and said.raw else None
    found = held.get("distribution") if isinstance(held, Mapping) else None
    return as_json(found) if found else None
