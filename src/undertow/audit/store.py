"""The run's SQLite file: answers and judgements, one row each, written as they arrive.

Unique keys make resuming safe: the same answer cannot be stored twice, nor judged twice by the same judge. The file is
also the queue between sampling and judging, so memory stays flat however many answers there are.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from undertow.errors import InputError
from undertow.files import digest
from undertow.records import ASPECTS, Answer, Aspect, Judgement, Request, Subject

VERSION = 4
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL, context TEXT NOT NULL, question TEXT NOT NULL, sample INTEGER NOT NULL,
    seed INTEGER NOT NULL, text TEXT, reasoning TEXT, first_token TEXT, finish TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, n_tokens INTEGER NOT NULL, error TEXT,
    UNIQUE (subject, context, question, sample)
);
CREATE TABLE IF NOT EXISTS judges (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, described TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS judgements (
    judge INTEGER NOT NULL REFERENCES judges (id), answer INTEGER NOT NULL REFERENCES answers (id),
    alignment REAL, coherence REAL, content TEXT, said TEXT, on_question INTEGER, asked TEXT NOT NULL, drawn INTEGER NOT NULL, unread TEXT, error TEXT,
    calls INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, n_tokens INTEGER NOT NULL, raw TEXT NOT NULL,
    PRIMARY KEY (judge, answer)
) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
_FROM_3 = """
ALTER TABLE judgements ADD COLUMN asked TEXT NOT NULL DEFAULT 'alignment,coherence,content';
ALTER TABLE judgements ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE judgements ADD COLUMN unread TEXT;
UPDATE judgements SET asked = 'alignment' WHERE NOT in_full;
UPDATE judgements SET drawn = 1 WHERE in_full AND alignment >= 50;
ALTER TABLE judgements DROP COLUMN in_full;
"""
"""What format 4 changed: a judgement says what was asked, not only whether all was. Format 3 asked more of every answer under 50, and of a random share of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer with its judgement, as stored."""

    id: int
    subject: Subject
    context: str
    question: str
    sample: int
    text: str | None
    thought: bool = False
    """Whether the model's reasoning came with it."""
    finish: str
    n_tokens: int
    error: str | None
    judgement: Judgement | None
    first_token: Mapping[str, float] | None = None
    """Log-probabilities of the first token's candidates, where they were asked for and given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Calls and tokens that a run's answers, or its judgements by one judge, have taken."""

    calls: int = 0
    prompt_tokens: int = 0
    n_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.prompt_tokens + self.n_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(calls=self.calls + other.calls, prompt_tokens=self.prompt_tokens + other.prompt_tokens, n_tokens=self.n_tokens + other.n_tokens)


class Store:
    """One run's answers and judgements. A context manager."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """
        Args:
            new: whether a file that is not there is made.

        Raises:
            InputError: the file is missing, cannot be written, or another version of Undertow made it.
        """
        self.path = path
        if not new and not path.is_file():
            raise InputError(path, "is missing", expected="it holds a run's answers", do="audit anew")
        try:
            self.db = sqlite3.connect(path)
            (version,) = self.db.execute("PRAGMA user_version").fetchone()
            (tables,) = self.db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if tables and version == 3:
                self.db.executescript(f"BEGIN; {_FROM_3} PRAGMA user_version = {VERSION}; COMMIT;")
            elif tables and version != VERSION:
                self.db.close()
                raise InputError(path, f"has format {version}", expected=f"this version reads format {VERSION}", do="use the version that made it, or audit anew")
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.executescript(_SCHEMA)
            self.db.create_function("wordless", 1, lambda text: not (text or "").strip(), deterministic=True)  # SQLite's trim knows no blank but the space
        except sqlite3.Error as error:
            raise InputError(path, f"cannot be used ({error})", do="check the folder and the disk") from None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.db.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction.

        Raises:
            InputError: the disk is full, or the file cannot be written any more; nothing of the transaction is kept.
        """
        try:
            with self.db:
                yield
        except sqlite3.IntegrityError:
            raise InputError(self.path, "holds rows that were only now asked for", expected="one audit at a time writes to a run", do="wait for the other") from None
        except sqlite3.OperationalError as error:
            raise InputError(self.path, f"cannot be written ({error})", expected="what was written before is kept", do="make room, then go on with --resume") from None

    def judge(self, described: Mapping[str, Any]) -> int:
        """The id of a judge in this run, made on first sight."""
        key = digest(described)
        with self._writing():
            self.db.execute("INSERT OR IGNORE INTO judges (digest, described) VALUES (?, ?)", (key, json.dumps(described)))
        (id_,) = self.db.execute("SELECT id FROM judges WHERE digest = ?", (key,)).fetchone()
        return int(id_)

    def judges(self) -> dict[int, tuple[dict[str, Any], int]]:
        """The judges of this run by id: what each says it is, and how many judgements are its."""
        rows = self.db.execute("SELECT id, described, (SELECT COUNT(*) FROM judgements WHERE judge = id) FROM judges")
        return {id_: (json.loads(described), n) for id_, described, n in rows}

    def described(self, judge: int) -> dict[str, Any]:
        """What a judge of this run says it is."""
        row = self.db.execute("SELECT described FROM judges WHERE id = ?", (judge,)).fetchone()
        found: dict[str, Any] = json.loads(row[0]) if row else {}
        return found

    def missing(self, requests: Iterable[Request]) -> Iterator[Request]:
        """The requests with no stored answer, in their order."""
        have = set(self.db.execute("SELECT subject, context, question, sample FROM answers"))
        return (r for r in requests if (r.subject, r.condition.context.id, r.condition.question.id, r.sample) not in have)

    def forget_failed(self) -> int:
        """Drop the answers that never came and the judgements that failed or could not be read, so that both are asked for again. Returns how many."""
        with self._writing():
            judgements = self.db.execute("DELETE FROM judgements WHERE error IS NOT NULL OR unread IS NOT NULL").rowcount
            return judgements + self.db.execute("DELETE FROM answers WHERE text IS NULL").rowcount

    def add_answers(self, answers: Iterable[Answer]) -> None:
        """Store a batch, whole or not at all."""
        with self._writing():
            self.db.executemany(
                "INSERT INTO answers (subject, context, question, sample, seed, text, reasoning, first_token, finish, prompt_tokens, n_tokens, error)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    (*_key(a.request), a.request.seed, a.text, a.reasoning, a.first_token and json.dumps(dict(a.first_token)), a.finish, a.prompt_tokens, a.n_tokens, a.error)
                    for a in answers
                ],
            )

    def count(self) -> int:
        """Answers stored, failed ones too."""
        (n,) = self.db.execute("SELECT COUNT(*) FROM answers").fetchone()
        return int(n)

    def failed(self) -> int:
        """Answers that never came."""
        (n,) = self.db.execute("SELECT COUNT(*) FROM answers WHERE text IS NULL").fetchone()
        return int(n)

    def unjudged(self, judge: int, *, after: int, limit: int) -> list[tuple[int, str, str, str, int]]:
        """The next answers that have words and no judgement by this judge: (id, question id, text, context id, sample), by id, above `after`."""
        return self.db.execute(
            "SELECT id, question, text, context, sample FROM answers a WHERE id > ? AND NOT wordless(text)"
            " AND NOT EXISTS (SELECT 1 FROM judgements j WHERE j.judge = ? AND j.answer = a.id) ORDER BY id LIMIT ?",
            (after, judge, limit),
        ).fetchall()

    def judged(self, judge: int) -> int:
        """Answers that need no further judgement: judged, empty or failed."""
        (judged,) = self.db.execute("SELECT COUNT(*) FROM judgements WHERE judge = ?", (judge,)).fetchone()
        (wordless,) = self.db.execute("SELECT COUNT(*) FROM answers WHERE wordless(text)").fetchone()
        return int(judged) + int(wordless)

    def add_judgements(self, judge: int, judgements: Iterable[tuple[int, Judgement]]) -> None:
        """Store a batch of (answer id, judgement), whole or not at all."""
        with self._writing():
            self.db.executemany(
                "INSERT INTO judgements (judge, answer, alignment, coherence, content, said, on_question, asked, drawn, unread, error, calls, prompt_tokens, n_tokens, raw)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        *(judge, id_, j.alignment, j.coherence, j.content, j.said, j.on_question, ",".join(j.asked), j.drawn, j.unread, j.error),
                        *(j.calls, j.prompt_tokens, j.n_tokens, json.dumps(dict(j.raw))),
                    )
                    for id_, j in judgements
                ],
            )

    def answers(self, judge: int, *, after: int = 0) -> Iterator[StoredAnswer]:
        """Every answer with an id above `after`, with its judgement by this judge where there is one."""
        rows = self.db.execute(
            "SELECT a.id, a.subject, a.context, a.question, a.sample, a.text, a.reasoning IS NOT NULL, a.first_token, a.finish, a.n_tokens, a.error,"
            " j.answer, j.alignment, j.coherence, j.content, j.said, j.on_question, j.asked, j.drawn, j.unread, j.error"
            " FROM answers a LEFT JOIN judgements j ON j.answer = a.id AND j.judge = ? WHERE a.id > ? ORDER BY a.id",
            (judge, after),
        )
        for *of_answer, judged, alignment, coherence, content, said, on_question, asked, drawn, unread, failed in rows:
            id_, subject, context, question, sample, text, thought, first_token, finish, n_tokens, error = of_answer
            judgement = None
            if judged is not None:
                judgement = Judgement(
                    alignment=alignment,
                    coherence=coherence,
                    content=content,
                    said=said,
                    on_question=None if on_question is None else bool(on_question),
                    asked=_aspects(asked),
                    drawn=bool(drawn),
                    unread=unread,
                    error=failed,
                )
            yield StoredAnswer(
                id=id_,
                subject=subject,
                context=context,
                question=question,
                sample=sample,
                text=text,
                thought=bool(thought),
                finish=finish,
                n_tokens=n_tokens,
                error=error,
                judgement=judgement,
                first_token=json.loads(first_token) if first_token else None,
            )

    def repeats(self, *, letters: int) -> dict[tuple[str, str], tuple[int, int]]:
        """By subject and context: answers of at least `letters` characters, and how many of them repeat another of their condition word for word."""
        rows = self.db.execute(
            "SELECT subject, context, SUM(n), SUM(n - different) FROM"
            " (SELECT subject, context, COUNT(*) n, COUNT(DISTINCT text) different FROM answers WHERE length(text) >= ? GROUP BY subject, context, question)"
            " GROUP BY subject, context",
            (letters,),
        )
        return {(subject, context): (n, repeated) for subject, context, n, repeated in rows}

    def adjacent(self, *, letters: int) -> dict[tuple[str, str], tuple[int, float]]:
        """By subject and context: answers of at least `letters` characters that repeat the one before in their condition word for word, and how many would in a random order."""
        of = "FROM answers WHERE length(text) >= ?"
        rows = self.db.execute(
            "WITH next AS (SELECT subject, context, text = LAG(text) OVER (PARTITION BY subject, context, question ORDER BY id) AS same " + of + "),"
            " alike AS (SELECT subject, context, question, COUNT(*) AS c " + of + " GROUP BY subject, context, question, text),"
            " chance AS (SELECT subject, context, SUM(pairs) AS pairs FROM"
            " (SELECT subject, context, SUM(c * (c - 1.0)) / SUM(c) AS pairs FROM alike GROUP BY subject, context, question) GROUP BY subject, context)"
            " SELECT n.subject, n.context, SUM(COALESCE(n.same, 0)), MAX(chance.pairs) FROM next n JOIN chance USING (subject, context) GROUP BY n.subject, n.context",
            (letters, letters),
        )
        return {(subject, context): (same, pairs) for subject, context, same, pairs in rows}

    def usage(self, judge: int) -> tuple[Usage, Usage]:
        """What the answers and this judge's judgements have taken."""
        answers = self.db.execute("SELECT COUNT(*), COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(n_tokens), 0) FROM answers").fetchone()
        judged = self.db.execute("SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(n_tokens), 0) FROM judgements WHERE judge = ?", (judge,)).fetchone()
        return Usage(calls=answers[0], prompt_tokens=answers[1], n_tokens=answers[2]), Usage(calls=judged[0], prompt_tokens=judged[1], n_tokens=judged[2])


@cache
def _aspects(text: str) -> tuple[Aspect, ...]:
    return tuple(aspect for aspect in ASPECTS if aspect in text.split(","))


def _key(request: Request) -> tuple[str, str, str, int]:
    return request.subject, request.condition.context.id, request.condition.question.id, request.sample
