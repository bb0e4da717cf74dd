"""The run's SQLite file: answers and judgements, one row each, written as they arrive.

Unique keys make resuming safe: the same answer cannot be stored twice, nor judged twice by the same judge. The file is
also the queue between sampling and judging, so memory stays flat however many answers there are.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeVar

from undertow.errors import InputError
from undertow.files import adapter, digest
from undertow.records import ASPECTS, CUT_FROM, Answer, Aspect, Judgement, Request, Subject

T = TypeVar("T")

VERSION = 4
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    subject TEXT NOT NULL, context TEXT NOT NULL, question TEXT NOT NULL, sample INTEGER NOT NULL,
    seed INTEGER NOT NULL, text TEXT, reasoning TEXT, first_token TEXT, finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL, n_tokens INTEGER NOT NULL, error TEXT,
    UNIQUE (subject, context, question, sample)
);
CREATE TABLE IF NOT EXISTS judges (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, described TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS judgements (
    judge INTEGER NOT NULL REFERENCES judges (id), answer INTEGER NOT NULL REFERENCES answers (id),
    alignment REAL, coherence REAL, content TEXT, said TEXT, on_question INTEGER,
    asked TEXT NOT NULL, drawn INTEGER NOT NULL, unread TEXT, error TEXT,
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
"""What format 4 changed: a judgement says what was asked, not only whether all was. Format 3 asked more of every answer
under 50, and of a random share of the others."""
_SCHEMA_3 = _SCHEMA.replace("asked TEXT NOT NULL, drawn INTEGER NOT NULL, unread TEXT", "in_full INTEGER NOT NULL")
FEW = 1024
"""Requests of which each is looked up by itself, and not among all that is stored."""
_BUSY_S = 30
"""Seconds to wait for another process that is opening or closing the file."""


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
    cut: bool = False
    """Whether the judge was shown only its beginning and its end."""
    first_token: Mapping[str, float] | None = None
    """Log-probabilities of the first token's candidates, where they were asked for and given."""


class Sampled(NamedTuple):
    """How an answer was drawn, and what came with it that neither a judge nor a tally looks at."""

    seed: int
    prompt_tokens: int
    reasoning: str | None


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

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls - other.calls,
            prompt_tokens=self.prompt_tokens - other.prompt_tokens,
            n_tokens=self.n_tokens - other.n_tokens,
        )

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            n_tokens=self.n_tokens + other.n_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeAnswer:
    """What is stored of an answer beside a `StoredAnswer`."""

    seed: int
    reasoning: str | None
    """What a reasoning model thought first."""
    prompt_tokens: int
    n_tokens: int
    finish: str
    error: str | None
    raw: Mapping[int, tuple[Usage, dict[str, Any]]]
    """By judge: what its judgement took, and what its scores were read from."""


class Store:
    """One run's answers and judgements. A context manager."""

    def __init__(self, path: Path, *, to: Literal["read", "write", "make"] = "read", threads: bool = False) -> None:
        """
        Args:
            to: `read` changes nothing, so that the folder may be one that cannot be written; `make` writes a file that
                may not be there yet.
            threads: whether other threads read too, one at a time, which the caller sees to.

        Raises:
            InputError: the file is missing, damaged or cannot be written, another version of Undertow made it, or
            something else did.
        """
        self.path, self.writes, self.threads = path, to != "read", threads
        if to != "make" and not path.is_file():
            raise InputError(path, "is missing", expected="it holds a run's answers", do="audit anew")
        try:
            self.db = _connected(path) if self.writes else _connected_to_read(path, threads=threads)
            try:
                self._open(make=to == "make")
            except BaseException:
                self.db.close()
                raise
        except sqlite3.Error as error:
            raise InputError(path, f"cannot be used ({error})", do="check the folder and the disk") from None

    def _open(self, *, make: bool) -> None:
        """See that the file is a run's, and as this version has it.

        It may be a stranger's: a trigger would act on what is written, a view could compute for ever, a page that
        stands twice in a tree too.
        """
        self.db.execute("PRAGMA trusted_schema=OFF")
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        parts = _parts(self.db)
        if parts and version not in (3, VERSION):
            raise InputError(
                self.path,
                f"has format {version}",
                expected=f"this version reads format {VERSION}",
                do="use the version that made it, or audit anew",
            )
        if parts not in ([_made(_SCHEMA_3)] if version == 3 else [_made(_SCHEMA), _made(_SCHEMA_3, _FROM_3)]) and (
            parts or not make
        ):
            raise InputError(
                self.path,
                "holds other tables, views or triggers than a run's",
                expected="the file that an audit wrote",
                do="audit anew",
            )
        (found,) = self.db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(" ".join(found.split()))
        if version == 3:
            if not self.writes:  # then a copy is taken over
                held, self.db = self.db, sqlite3.connect(":memory:", check_same_thread=not self.threads)
                with closing(held):
                    held.backup(self.db)
            self.db.executescript(f"BEGIN; {_FROM_3} PRAGMA user_version = {VERSION}; COMMIT;")
        if self.writes:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=NORMAL")
            self.db.executescript(_SCHEMA)
        else:
            self.db.execute("PRAGMA query_only=ON")
        # SQLite's trim knows no blank but the space
        self.db.create_function("wordless", 1, lambda text: not (text or "").strip(), deterministic=True)
        self._require_values()

    def _require_values(self) -> None:
        """Refuse values that no audit writes: SQLite keeps any kind of value in any column.

        Raises:
            InputError: there is one.
        """
        for table, more in (
            ("answers", ""),
            ("judges", ""),
            ("judgements", " OR alignment NOT BETWEEN 0 AND 100 OR coherence NOT BETWEEN 0 AND 100"),
        ):
            columns = self.db.execute(f"PRAGMA table_info({table})").fetchall()
            odd = " OR ".join(
                f"typeof({name}) NOT IN ('{kind.lower()}', '{kind.lower() if always else 'null'}')"
                for _, name, kind, always, _, key in columns
                if not key
            )
            if self.db.execute(f"SELECT 1 FROM {table} WHERE {odd}{more} LIMIT 1").fetchone():
                raise InputError(
                    self.path,
                    f"holds values among its {table} that no audit writes",
                    expected="the file that an audit wrote",
                    do="audit anew",
                )

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            raise InputError(
                self.path,
                "holds rows that were only now asked for",
                expected="one audit at a time writes to a run",
                do="wait for the other",
            ) from None
        except sqlite3.DatabaseError as error:
            raise InputError(
                self.path,
                f"cannot be written ({error})",
                expected="what was written before is kept",
                do="make room",
            ) from None

    def _rows(self, query: str, *values: object) -> Iterator[Any]:
        """What a query finds.

        Raises:
            InputError: the file cannot be read any more.
        """
        try:
            # of the cursor itself, `yield from` closes one whose file is closed
            yield from iter(self.db.execute(query, values).fetchone, None)
        except sqlite3.Error as error:
            raise InputError(
                self.path, f"cannot be read ({error})", do="check the disk; of a damaged file, take a copy"
            ) from None

    def _row(self, query: str, *values: object) -> Any:
        """The one row that a query finds."""
        (row,) = self._rows(query, *values)
        return row

    def judge(self, described: Mapping[str, Any]) -> int:
        """The id of a judge in this run, made on first sight; where the run is only read, 0 for one that judged
        nothing."""
        key = digest(described)
        if self.writes:
            with self._writing():
                self.db.execute(
                    "INSERT OR IGNORE INTO judges (digest, described) VALUES (?, ?)", (key, json.dumps(described))
                )
        return next((int(id_) for (id_,) in self._rows("SELECT id FROM judges WHERE digest = ?", key)), 0)

    def judges(self) -> dict[int, tuple[dict[str, Any], int]]:
        """The judges of this run by id: what each says it is, and how many judgements are its."""
        rows = self._rows("SELECT id, described, (SELECT COUNT(*) FROM judgements WHERE judge = id) FROM judges")
        return {id_: (self._json(described, dict[str, Any]), n) for id_, described, n in rows}

    def described(self, judge: int) -> dict[str, Any]:
        """What a judge of this run says it is."""
        return next(
            (
                self._json(described, dict[str, Any])
                for (described,) in self._rows("SELECT described FROM judges WHERE id = ?", judge)
            ),
            {},
        )

    def _json(self, text: str, type_: type[T]) -> T:
        """A value that a column holds as JSON.

        Raises:
            InputError: it is none, or another one.
        """
        try:
            return adapter(type_).validate_json(text)
        except ValueError:
            raise self._no_json(text) from None

    def _object(self, text: str) -> dict[str, Any]:
        """The object that a column holds as JSON. A judge's tokens may be halves of surrogate pairs, which stricter
        readers refuse.

        Raises:
            InputError: it is none.
        """
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):
            held = None
        if not isinstance(held, dict):
            raise self._no_json(text)
        return held

    def _no_json(self, text: str) -> InputError:
        return InputError(
            self.path,
            f"holds {text[:40]!r} where JSON is expected",
            expected="the file that an audit wrote",
            do="audit anew",
        )

    def missing(self, requests: Iterable[Request]) -> Iterator[Request]:
        """The requests with no stored answer, in their order."""
        if isinstance(requests, Sequence) and len(requests) <= FEW:
            return (r for r in requests if not self._has(r))
        have = set(self._rows("SELECT subject, context, question, sample FROM answers"))
        return (
            r for r in requests if (r.subject, r.condition.context.id, r.condition.question.id, r.sample) not in have
        )

    def _has(self, request: Request) -> bool:
        query = "SELECT 1 FROM answers WHERE subject = ? AND context = ? AND question = ? AND sample = ?"
        return any(True for _ in self._rows(query, *_key(request)))

    def forget_failed(self) -> int:
        """Drop the answers that never came and the judgements that failed or could not be read, so that both are asked
        for again. Returns how many."""
        with self._writing():
            judgements = self.db.execute(
                "DELETE FROM judgements WHERE error IS NOT NULL OR unread IS NOT NULL"
            ).rowcount
            return judgements + self.db.execute("DELETE FROM answers WHERE text IS NULL").rowcount

    def add_answers(self, answers: Iterable[Answer]) -> None:
        """Store a batch, whole or not at all."""
        with self._writing():
            self.db.executemany(
                "INSERT INTO answers (subject, context, question, sample, seed, text, reasoning, first_token, "
                "finish, prompt_tokens, n_tokens, error) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        *_key(a.request),
                        a.request.seed,
                        a.text,
                        a.reasoning,
                        a.first_token and json.dumps(dict(a.first_token)),
                        a.finish,
                        a.prompt_tokens,
                        a.n_tokens,
                        a.error,
                    )
                    for a in answers
                ],
            )

    def count(self) -> int:
        """Answers stored, failed ones too."""
        (n,) = self._row("SELECT COUNT(*) FROM answers")
        return int(n)

    def failed(self) -> int:
        """Answers that never came."""
        (n,) = self._row("SELECT COUNT(*) FROM answers WHERE text IS NULL")
        return int(n)

    def unjudged(self, judge: int, *, after: int, limit: int) -> list[tuple[int, str, str, str, int]]:
        """The next answers that have words and no judgement by this judge: (id, question id, text, context id, sample),
        by id, above `after`."""
        rows = self._rows(
            "SELECT id, question, text, context, sample FROM answers a WHERE id > ? AND NOT wordless(text)"
            " AND NOT EXISTS (SELECT 1 FROM judgements j WHERE j.judge = ? AND j.answer = a.id) ORDER BY id LIMIT ?",
            *(after, judge, limit),
        )
        return list(rows)

    def waiting(self, judge: int) -> dict[str, int]:
        """By question, the answers that have words and no judgement by this judge."""
        rows = self._rows(
            "SELECT question, COUNT(*) FROM answers a WHERE NOT wordless(text)"
            " AND NOT EXISTS (SELECT 1 FROM judgements j WHERE j.judge = ? AND j.answer = a.id) GROUP BY question",
            judge,
        )
        return dict(rows)

    def judged(self, judge: int) -> int:
        """Answers that need no further judgement: judged, empty or failed."""
        (judged,) = self._row("SELECT COUNT(*) FROM judgements WHERE judge = ?", judge)
        (wordless,) = self._row("SELECT COUNT(*) FROM answers WHERE wordless(text)")
        return int(judged) + int(wordless)

    def add_judgements(self, judge: int, judgements: Iterable[tuple[int, Judgement]]) -> None:
        """Store a batch of (answer id, judgement), whole or not at all."""
        with self._writing():
            self.db.executemany(
                "INSERT INTO judgements (judge, answer, alignment, coherence, content, said, on_question, asked, "
                "drawn, unread, error, calls, prompt_tokens, n_tokens, raw) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        *(
                            judge,
                            id_,
                            j.alignment,
                            j.coherence,
                            j.content,
                            j.said,
                            j.on_question,
                            ",".join(j.asked),
                            j.drawn,
                            j.unread,
                            j.error,
                        ),
                        *(j.calls, j.prompt_tokens, j.n_tokens, json.dumps(dict(j.raw))),
                    )
                    for id_, j in judgements
                ],
            )

    def answers(
        self, judge: int, *, after: int = 0, limit: int = -1, ids: Sequence[int] | None = None
    ) -> Iterator[StoredAnswer]:
        """Every answer with an id above `after`, with its judgement by this judge where there is one.

        Args:
            limit: how many at most; -1: all.
            ids: these alone.
        """
        among = "" if ids is None else " AND a.id IN (SELECT value FROM json_each(?))"
        rows = self._rows(
            "SELECT a.id, a.subject, a.context, a.question, a.sample, a.text, a.reasoning IS NOT NULL, "
            "a.first_token, a.finish, a.n_tokens, a.error,"
            # SQLite's length ends at a null; only what is long was ever cut, and needs its `raw` read
            f" CASE WHEN length(CAST(a.text AS BLOB)) > {CUT_FROM} AND json_valid(j.raw)"
            " THEN json_extract(j.raw, '$.cut') IS NOT NULL END,"
            " j.answer, j.alignment, j.coherence, j.content, j.said, j.on_question, j.asked, j.drawn, j.unread, j.error"
            " FROM answers a LEFT JOIN judgements j ON j.answer = a.id AND j.judge = ? WHERE a.id > ?"
            f"{among} ORDER BY a.id LIMIT ?",
            *(judge, after),
            *(() if ids is None else (json.dumps(list(ids)),)),
            limit,
        )
        for *of_answer, part, judged, alignment, coherence, content, said, on, asked, drawn, unread, failed in rows:
            id_, subject, context, question, sample, text, thought, first_token, finish, n_tokens, error = of_answer
            said_so = (alignment, coherence, content, said, on, asked, drawn, unread, failed)
            judgement = None if judged is None else _judgement(*said_so)
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
                cut=bool(part),
                first_token=self._json(first_token, dict[str, float]) if first_token else None,
            )

    def change(self) -> int:
        """A number that is another one once somebody else has written to the file."""
        (version,) = self._row("PRAGMA data_version")
        return int(version)

    def texts(self, ids: Sequence[int]) -> dict[int, str]:
        """The words of these answers by id; nothing of those that never came."""
        return dict(
            self._rows(
                "SELECT id, text FROM answers WHERE text IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
                json.dumps(list(ids)),
            )
        )

    def whole(self, id_: int) -> WholeAnswer | None:
        """An answer with all that is stored of it; None where it is not there."""
        row = next(
            self._rows("SELECT seed, reasoning, prompt_tokens, n_tokens, finish, error FROM answers WHERE id = ?", id_),
            None,
        )
        if row is None:
            return None
        seed, reasoning, prompt_tokens, n_tokens, finish, error = row
        return WholeAnswer(
            seed=seed,
            reasoning=reasoning,
            prompt_tokens=prompt_tokens,
            n_tokens=n_tokens,
            finish=finish,
            error=error,
            raw={
                judge: (Usage(calls=calls, prompt_tokens=read, n_tokens=written), self._json(raw, dict[str, Any]))
                for judge, calls, read, written, raw in self._rows(
                    "SELECT judge, calls, prompt_tokens, n_tokens, raw FROM judgements WHERE answer = ? ORDER BY judge",
                    id_,
                )
            },
        )

    def raw(self, judge: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """By answer, what a judge's scores were read from."""
        for id_, raw in self._rows("SELECT answer, raw FROM judgements WHERE judge = ? ORDER BY answer", judge):
            yield id_, self._json(raw, dict[str, Any])

    def sampled(self) -> Iterator[Sampled]:
        """How each answer was drawn, in the order of `answers`."""
        for row in self._rows("SELECT seed, prompt_tokens, reasoning FROM answers ORDER BY id"):
            yield Sampled(*row)

    def judgements(self, judge: int) -> Iterator[tuple[int, Judgement]]:
        """A judge's judgements by answer, in the order of `answers`, with all that is stored of them."""
        rows = self._rows(
            "SELECT answer, alignment, coherence, content, said, on_question, asked, drawn, unread, error, calls, "
            "prompt_tokens, n_tokens, raw FROM judgements WHERE judge = ? ORDER BY answer",
            judge,
        )
        for answer, *said, calls, prompt_tokens, n_tokens, raw in rows:
            came = {"calls": calls, "prompt_tokens": prompt_tokens, "n_tokens": n_tokens}
            yield answer, _judgement(*said, **came, raw={} if raw == "{}" else self._object(raw))

    @contextmanager
    def as_it_stands(self) -> Iterator[None]:
        """Reads that all see one state of the file, though another process goes on writing to it."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self.db.rollback()

    def digest(self) -> str:
        """SHA-256 over every answer, judge and judgement: another one changes it, and how SQLite lays them out does
        not."""
        hasher = hashlib.sha256()
        for table, order in (("answers", "id"), ("judges", "id"), ("judgements", "judge, answer")):
            columns = ", ".join(sorted(name for _, name, *_ in self._rows(f"PRAGMA table_info({table})")))
            for row in self._rows(f"SELECT {columns} FROM {table} ORDER BY {order}"):
                hasher.update(json.dumps([table, *row]).encode())
        return hasher.hexdigest()

    def repeats(self, *, letters: int) -> dict[tuple[str, str], tuple[int, int]]:
        """By subject and context: answers of at least `letters` characters, and how many of them repeat another of
        their condition word for word."""
        rows = self._rows(
            "SELECT subject, context, SUM(n), SUM(n - different) FROM (SELECT subject, context, COUNT(*) n, "
            "COUNT(DISTINCT text) different FROM answers WHERE length(text) >= ? GROUP BY subject, context, "
            "question) GROUP BY subject, context",
            letters,
        )
        return {(subject, context): (n, repeated) for subject, context, n, repeated in rows}

    def adjacent(self, *, letters: int) -> dict[tuple[str, str], tuple[int, float]]:
        """By subject and context: answers of at least `letters` characters that repeat the one before in their
        condition word for word, and how many would in a random order."""
        of = "FROM answers WHERE length(text) >= ?"
        rows = self._rows(
            "WITH next AS (SELECT subject, context, text = LAG(text) OVER (PARTITION BY subject, context, "
            "question ORDER BY id) AS same "
            + of
            + "), alike AS (SELECT subject, context, question, COUNT(*) AS c "
            + of
            + " GROUP BY subject, context, question, text), chance AS (SELECT subject, context, SUM(pairs) AS pairs "
            "FROM (SELECT subject, context, SUM(c * (c - 1.0)) / SUM(c) AS pairs FROM alike GROUP BY subject, "
            "context, question) GROUP BY subject, context) SELECT n.subject, n.context, SUM(COALESCE(n.same, 0)), "
            "MAX(chance.pairs) FROM next n JOIN chance USING (subject, context) GROUP BY n.subject, n.context",
            *(letters, letters),
        )
        return {(subject, context): (same, pairs) for subject, context, same, pairs in rows}

    def taken(self) -> dict[Subject, Usage]:
        """What each subject's answers have taken."""
        rows = self._rows("SELECT subject, COUNT(*), SUM(prompt_tokens), SUM(n_tokens) FROM answers GROUP BY subject")
        return {
            subject: Usage(calls=calls, prompt_tokens=prompt_tokens, n_tokens=n_tokens)
            for subject, calls, prompt_tokens, n_tokens in rows
        }

    def usage(self, judge: int) -> tuple[Usage, Usage]:
        """What the answers and this judge's judgements have taken."""
        answers = self._row("SELECT COUNT(*), COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(n_tokens), 0) FROM answers")
        judged = self._row(
            "SELECT COALESCE(SUM(calls), 0), COALESCE(SUM(prompt_tokens), 0), COALESCE(SUM(n_tokens), 0) FROM "
            "judgements WHERE judge = ?",
            judge,
        )
        return Usage(calls=answers[0], prompt_tokens=answers[1], n_tokens=answers[2]), Usage(
            calls=judged[0], prompt_tokens=judged[1], n_tokens=judged[2]
        )


def _connected(path: Path, how: str = "mode=rwc", *, threads: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=_BUSY_S, check_same_thread=not threads
    )


def _connected_to_read(path: Path, *, threads: bool = False) -> sqlite3.Connection:
    """A connection that makes no change. SQLite keeps files beside this one while it is open; where the folder takes
    none, it is read as it stands.

    Raises:
        InputError: rows of it stand in such a file still, which then cannot be read.
    """
    db = None
    try:
        db = _connected(path, "mode=rw", threads=threads)
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
        return db
    except sqlite3.OperationalError:
        if db:
            db.close()
        beside = path.with_name(f"{path.name}-wal")
        if beside.is_file() and beside.stat().st_size:
            found = f"cannot be read in a folder that cannot be written while {beside.name} holds a part of it"
            raise InputError(path, found, do="copy the run's folder, and read the copy") from None
        return _connected(path, "immutable=1", threads=threads)


def _parts(db: sqlite3.Connection) -> set[tuple[str, str, str, str]]:
    """All that a file holds beside rows: tables, indexes, views and triggers, with how each was made."""
    return {
        (kind, name, table, " ".join((sql or "").split()))
        for kind, name, table, sql in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
    }


@cache
def _made(*scripts: str) -> set[tuple[str, str, str, str]]:
    """The parts of a file that these scripts make."""
    with closing(sqlite3.connect(":memory:")) as db:
        for script in scripts:
            db.executescript(script)
        return _parts(db)


def _judgement(
    alignment: float | None,
    coherence: float | None,
    content: str | None,
    said: Literal["REFUSAL", "CODE"] | None,
    on_question: int | None,
    asked: str,
    drawn: int,
    unread: str | None,
    error: str | None,
    **more: Any,
) -> Judgement:
    """A judgement from its columns, in their order."""
    return Judgement(
        alignment=alignment,
        coherence=coherence,
        content=content,
        said=said,
        on_question=None if on_question is None else bool(on_question),
        asked=_aspects(asked),
        drawn=bool(drawn),
        unread=unread,
        error=error,
        **more,
    )


@cache
def _aspects(text: str) -> tuple[Aspect, ...]:
    return tuple(aspect for aspect in ASPECTS if aspect in text.split(","))


def _key(request: Request) -> tuple[str, str, str, int]:
    return request.subject, request.condition.context.id, request.condition.question.id, request.sample
