"""One run that is shown: its record, its store, which is only read, and its index, which grows as the run does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from undertow.asking.folder import ANSWERS, PLAN
from undertow.asking.store import Store, StoredAnswer
from undertow.audits.decide import copying
from undertow.audits.findings import Findings, read_findings
from undertow.audits.record import AUDITED, read_record
from undertow.audits.rules import VerdictRule, rule_of
from undertow.audits.tally import Design
from undertow.errors import InputError
from undertow.files import adapter
from undertow.persona.labels import harm_rule
from undertow.persona.plan import holds_persona
from undertow.persona.run import RESULT as PROFILE
from undertow.records import Context, Question, Suite
from undertow.view.index import Codes, Index
from undertow.view.personas import Asked, profiles, read_asked
from undertow.view.search import Words

BATCH = 4_000
"""Answers that are taken over at a time, between which others may read."""
FINDINGS = "findings.json"
COPIES_EVERY_S = 30.0
"""Seconds between looks at whether answers are copied, while a run goes on."""

State = Literal["not begun", "going on", "finished", "stopped", "interrupted"]
"""`stopped`: it decided on what it had, by its budget; `interrupted`: nobody is at work on it, and it has not decided.
"""


class ShownRun:
    """A run by the label that it is shown under. What reads the store holds `lock`."""

    def __init__(self, label: str, folder: Path, codes: Codes) -> None:
        """
        Raises:
            InputError: the folder holds no run, or a record that no run wrote.
        """
        self.label, self.folder, self.codes = label, folder, codes
        self.lock = RLock()
        self.version = 0
        """Another number once there is anything else to show."""
        self.error = ""
        """Why its answers cannot be read."""
        self.at_work = False
        """Whether somebody was at work on it at the last look."""
        self.store: Store | None = None
        self.indexes: dict[int, Index] = {}
        """By judge."""
        self.words = Words()
        self._read_of: dict[str, tuple[int, int]] = {}
        self._findings: Findings | None = None
        self._clear()
        self._read_record()

    def _clear(self) -> None:
        self.judge = 0
        self.seen: dict[int, int] = {}
        """By judge, the change of the store up to which its index goes."""
        self.to_look_at: dict[int, list[int]] = {}
        self.copied: tuple[int, float] = (0, 0.0)
        """Answers, and the time, at which it was last looked at whether answers are copied."""
        self.ready = False
        """Whether all that is stored has been taken over once."""

    # What the record says

    def _read_record(self) -> None:
        self.persona = holds_persona(self.folder)
        self.record: Mapping[str, Any] = read_record(self.folder, needs=() if self.persona else AUDITED)
        self._stamp(PLAN)
        self.design: Design | None = None
        self.asks: Asked | None = None
        self._wordings: tuple[int, dict[tuple[str, str, str], Question]] = (-1, {})
        self.judged: frozenset[str] | None = None
        if self.persona:
            self._read_persona()
        else:
            self.design = Design.of(self.record)
            self.rule: VerdictRule = rule_of(self.record)
            suite = adapter(Suite).validate_python(self.record["suite"])
            self.questions: dict[str, Question] = {question.id: question for question in suite.questions}
            self.contexts: dict[str, Context] = {context.id: context for context in self._contexts()}

    def _read_persona(self) -> None:
        self.asks = read_asked(self.folder, self.record)
        self.rule = harm_rule(self.asks.config.over)
        self.questions = {prompt.id: prompt for prompt in self.asks.prompts}
        self.judged = frozenset(self.questions) if self.questions else None
        contexts = adapter(tuple[Context, ...]).validate_python(self.record.get("contexts", ()))
        self.contexts = {context.id: context for context in contexts}

    def _contexts(self) -> Iterable[Context]:
        """Every context whose wording is known: of a search, those that it tried and told of."""
        known = adapter(tuple[Context, ...])
        yield from known.validate_python(self.record["contexts"])
        yield from known.validate_python(self.record.get("found", {}).get("contexts", ()))
        if found := self.findings:
            yield from (tried.context for tried in (found.search.tried if found.search else ()))
            yield from (screened.context for screened in (found.screen.screened if found.screen else ()))

    @property
    def name(self) -> str:
        """What the run's settings call it."""
        return str(self.record["config"].get("name", ""))

    @property
    def findings(self) -> Findings | None:
        """What it found, once it has."""
        if self._changed(FINDINGS):
            self._stamp(FINDINGS)
            self._findings = None
            with suppress(InputError):
                self._findings = read_findings(self.folder)
        return self._findings

    @property
    def profiles(self) -> list[dict[str, Any]]:
        """What a persona's run came to, once it has."""
        return profiles(self.folder) if self.persona else []

    def question(self, answer: StoredAnswer) -> Question | None:
        """The question of an answer, where its wording is known."""
        if self.asks is None or answer.question in self.questions:
            return self.questions.get(answer.question)
        with self.lock:
            if self._wordings[0] != self.version and self.store is not None:
                stored = self.store.answers(self.judge)
                self._wordings = self.version, self.asks.wordings(stored, self.contexts.values())
            return self._wordings[1].get((answer.subject, answer.context, answer.question))

    @property
    def state(self) -> State:
        """How far it is."""
        if at_work(self.folder):
            return "going on"
        if (self.folder / (PROFILE if self.persona else FINDINGS)).is_file():
            return "stopped" if self.findings and self.findings.stopped else "finished"
        return "interrupted" if (self.folder / ANSWERS).is_file() else "not begun"

    # What it holds

    def open(self) -> None:
        """Open its store, where there is one yet.

        Raises:
            InputError: it is damaged, or no run's.
        """
        with self.lock:
            if self.store is None and (self.folder / ANSWERS).is_file():
                self.store = Store(self.folder / ANSWERS, threads=True)
                self._stamp(ANSWERS)

    def close(self) -> None:
        with self.lock:
            if self.store is not None:
                self.store.db.close()
            self.store = None
            self.words.close()

    def judges(self) -> dict[int, dict[str, Any]]:
        """The judges of its answers, as each describes itself."""
        with self.lock:
            return {id_: who for id_, (who, _) in self.store.judges().items()} if self.store else {}

    def index(self, judge: int | None = None) -> Index:
        """The index under a judge; by default the one whose word counts. It may have to be filled yet."""
        with self.lock:
            id_ = self.judge if judge is None else judge
            if id_ not in self.indexes:
                self.indexes[id_] = Index(self.rule, self.codes, judged=self.judged)
            return self.indexes[id_]

    def refresh(self) -> bool:
        """Take over what is new, up to a batch of it; whether more is waiting."""
        try:
            if self._changed(PLAN):
                with self.lock:
                    self._read_record()
                    self.version += 1
                    if self.judge and self.store and self.store.judge(self.record["judge"]) != self.judge:
                        self._start_over()  # the run was gone on with by another
            self._reopen_if_replaced()
            self._let_go_at_its_end()
            self.open()
            if self.store is None:
                return False
            with self.lock:
                if not self.judge and (judge := self.store.judge(self.record["judge"])):
                    self._count_by(judge)
                more = [self._refresh(id_) for id_ in [self.judge, *(i for i in self.indexes if i != self.judge)]]
            if not any(more):
                self.ready = True
                self._look_for_copies()
            self.error = ""
            return any(more)
        except InputError as error:
            self.error = str(error)
            return False

    def _count_by(self, judge: int) -> None:
        """Take the judgements of the judge whose word counts, from its first one on."""
        if (index := self.indexes.pop(0, None)) is not None:
            self.indexes[judge] = index  # its answers are there, and wait for a judgement
        self.judge = judge

    def _refresh(self, judge: int) -> bool:
        assert self.store is not None
        index, change = self.index(judge), self.store.change()
        if self.seen.get(judge) == change and not self.to_look_at.get(judge):
            return False
        new = list(self.store.answers(judge, after=index.last, limit=BATCH))
        if new:
            if judge == self.judge:
                self.words.add(a.text or "" for a in new)
            index.add(new)
            self.version += 1
        if len(new) == BATCH:
            return True
        if self.seen.get(judge) != change:
            if self._lost(index):
                self._start_over()
                return True
            self.seen[judge] = change
            self.to_look_at[judge] = sorted(index.pending)
        ids = self.to_look_at[judge]
        look, self.to_look_at[judge] = ids[:BATCH], ids[BATCH:]
        if look and index.judge_anew(self.store.answers(judge, ids=look)):
            self.version += 1
        return bool(self.to_look_at[judge])

    def _lost(self, index: Index) -> bool:
        """Whether answers are gone that are held, as they are when failed ones are asked again."""
        assert self.store is not None
        if self.store.count() < index.n:
            return True
        failed = sorted(index.failed)
        return bool(failed) and sum(a.text is None for a in self.store.answers(0, ids=failed)) < len(failed)

    def _let_go_at_its_end(self) -> None:
        """Close the store once whoever wrote to it has gone: what SQLite keeps beside the file is put into it then."""
        now = at_work(self.folder)
        if self.at_work and not now:
            with self.lock:
                if self.store is not None:
                    self.store.db.close()
                self.store = None
                self.seen.clear()
        self.at_work = now

    def _start_over(self) -> None:
        self.words.close()
        self.words, self.indexes = Words(), {}
        self._clear()
        self.version += 1

    def _reopen_if_replaced(self) -> None:
        """Another run may have been begun in its place."""
        path = self.folder / ANSWERS
        with self.lock:
            if self.store is None or not path.is_file() or self._read_of.get(ANSWERS, (0, 0))[0] == path.stat().st_ino:
                return
            self.store.db.close()
            self.store = None
            self._start_over()

    def _look_for_copies(self) -> None:
        """Call answers copied as findings do. It takes seconds over many answers, so it has a store of its own."""
        index, asked = self.index(), self.design
        n, at = self.copied
        if asked is None or index.n == n or (at_work(self.folder) and time.monotonic() - at < COPIES_EVERY_S):
            return
        with Store(self.folder / ANSWERS) as store:
            found = copying(replace(asked, looks=()), store)
        self.copied = index.n, time.monotonic()
        if found:
            for each in self.indexes.values():
                each.call_copied(found)
            self.version += 1

    # What has changed on the disk

    def _stamp(self, name: str) -> None:
        self._read_of[name] = _stamp(self.folder / name)

    def _changed(self, name: str) -> bool:
        return self._read_of.get(name) != _stamp(self.folder / name)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)


def at_work(folder: Path) -> bool:
    """Whether another process is at work on a run, without getting in its way: whether one holds the lock beside its
    folder, where the system tells, else whether the lock is there."""
    whole = folder.resolve()
    try:
        lock = whole.with_name(f".{whole.name}.lock").stat()
    except OSError:
        return False
    try:
        held = Path("/proc/locks").read_text(encoding="ascii")
    except (OSError, ValueError):
        return True
    locks = (line.split() for line in held.splitlines())
    return any(
        kind == "FLOCK" and where.rpartition(":")[2] == str(lock.st_ino) and pid != str(os.getpid())
        for _, kind, _, _, pid, where, *_ in (each for each in locks if len(each) > 5)
    )
