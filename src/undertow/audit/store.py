"""The run's SQLite file: answers and judgements, one row each, written as they arrive.

Unique keys make resuming safe: the same answer cannot be stored twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from undertow.records import Answer, Judgement, Request, Subject

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL, context TEXT NOT NULL, question TEXT NOT NULL, sample INTEGER NOT NULL,
    seed INTEGER NOT NULL, text TEXT, finish TEXT NOT NULL, n_tokens INTEGER NOT NULL, error TEXT,
    UNIQUE (subject, context, question, sample)
);
CREATE TABLE IF NOT EXISTS judgements (
    answer INTEGER PRIMARY KEY REFERENCES answers (id),
    alignment REAL, coherence REAL, content TEXT, said TEXT, on_question INTEGER, error TEXT, raw TEXT NOT NULL
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer with its judgement, as stored."""

    id: int
    subject: Subject
    context: str
    question: str
    sample: int
    text: str | None
    n_tokens: int
    error: str | None
    judgement: Judgement | None


class Store:
    """One run's answers and judgements. A context manager."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.executescript(_SCHEMA)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.db.close()

    def missing(self, requests: Iterable[Request]) -> list[Request]:
        """The requests with no stored answer."""
        have = set(self.db.execute("SELECT subject, context, question, sample FROM answers"))
        return [r for r in requests if (r.subject, r.condition.context.id, r.condition.question.id, r.sample) not in have]

    def add_answers(self, answers: Iterable[Answer]) -> None:
        """Store a batch, whole or not at all."""
        with self.db:
            self.db.executemany(
                "INSERT INTO answers (subject, context, question, sample, seed, text, finish, n_tokens, error) VALUES (?,?,?,?,?,?,?,?,?)",
                [
                    (r.subject, r.condition.context.id, r.condition.question.id, r.sample, r.seed, a.text, a.finish, a.n_tokens, a.error)
                    for a in answers
                    for r in (a.request,)
                ],
            )

    def unjudged(self) -> list[StoredAnswer]:
        """Answers with a text and no judgement."""
        return [a for a in self.answers() if a.judgement is None and a.text is not None]

    def add_judgements(self, judgements: Iterable[tuple[int, Judgement]]) -> None:
        """Store a batch of (answer id, judgement), whole or not at all."""
        with self.db:
            self.db.executemany(
                "INSERT INTO judgements (answer, alignment, coherence, content, said, on_question, error, raw) VALUES (?,?,?,?,?,?,?,?)",
                [(id_, j.alignment, j.coherence, j.content, j.said, j.on_question, j.error, json.dumps(dict(j.raw))) for id_, j in judgements],
            )

    def answers(self) -> Iterator[StoredAnswer]:
        """Every answer, with its judgement where there is one."""
        rows = self.db.execute(
            "SELECT a.id, a.subject, a.context, a.question, a.sample, a.text, a.n_tokens, a.error, j.answer, j.alignment, j.coherence, j.content, j.said, j.on_question, j.error"
            " FROM answers a LEFT JOIN judgements j ON j.answer = a.id ORDER BY a.id"
        )
        for id_, subject, context, question, sample, text, n_tokens, error, judged, alignment, coherence, content, said, on_question, failed in rows:
            judgement = None
            if judged is not None:
                on = None if on_question is None else bool(on_question)
                judgement = Judgement(alignment=alignment, coherence=coherence, content=content, said=said, on_question=on, error=failed)
            yield StoredAnswer(id=id_, subject=subject, context=context, question=question, sample=sample, text=text, n_tokens=n_tokens, error=error, judgement=judgement)
