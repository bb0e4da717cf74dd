"""Running an audit: ask what is missing, judge what is not judged, decide.

    runs/<name>/
      plan.json        resolved configuration, conditions, versions, revision, hashes
      run.sqlite       answers and judgements, one row each
      findings.json    estimates, verdict, rule, counts
      report.html      figures/*.png
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from undertow.audit.decide import findings
from undertow.audit.plan import Plan
from undertow.audit.store import Store
from undertow.errors import InputError, RunExists
from undertow.files import to_json, write_text

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Called with `answers` or `judgements`, how many are done, and how many there are."""

BATCH = 256
"""Rows that are written together."""


def run_audit(plan: Plan, out: Path, *, resume: bool = False, progress: Progress | None = None) -> dict[str, Any]:
    """Run a plan in its folder and return the findings, which are also in `findings.json`.

    Interrupted at any moment, a run keeps every batch written and goes on with `resume`.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: the folder holds a run of another plan.
    """
    record = plan.record()
    _open_folder(out, record, resume=resume)
    tell = progress or (lambda stage, done, total: None)
    with Store(out / "run.sqlite") as store:
        sample(plan, store, tell)
        judge(plan, store, tell)
        text = to_json(findings(plan, store.answers()))
    write_text(out / "findings.json", text)
    found: dict[str, Any] = json.loads(text)  # exactly what the file holds
    return found


def sample(plan: Plan, store: Store, tell: Progress) -> None:
    """Ask for every answer that the store lacks."""
    requests = list(plan.requests())
    missing = store.missing(requests)
    done = len(requests) - len(missing)
    tell("answers", done, len(requests))
    for subject, target in plan.targets.items():
        for batch in _batches(target.answers([r for r in missing if r.subject == subject]), BATCH):
            store.add_answers(batch)
            done += len(batch)
            tell("answers", done, len(requests))


def judge(plan: Plan, store: Store, tell: Progress) -> None:
    """Judge every answer that has no judgement."""
    questions = {question.id: question for question in plan.suite.questions}
    waiting = store.unjudged()
    done = plan.n_answers - len(waiting)
    tell("judgements", done, plan.n_answers)
    for batch in _batches(waiting, BATCH):
        judged = plan.judge.judgements([(questions[a.question], a.text or "") for a in batch])
        store.add_judgements((a.id, j) for a, j in zip(batch, judged, strict=True))
        done += len(batch)
        tell("judgements", done, plan.n_answers)


def _open_folder(out: Path, record: dict[str, Any], *, resume: bool) -> None:
    held = out / "plan.json"
    if not out.exists():
        try:
            out.mkdir(parents=True)
        except OSError as error:
            raise InputError(out, f"cannot be made ({error.strerror})", do="choose another -o") from None
    elif not held.is_file():
        if any(out.iterdir()):
            raise RunExists(out, "exists and is not a run", expected="an audit writes a new folder", do="choose another -o")
    elif not resume:
        raise RunExists(out, "already holds a run", do="add --resume to go on with it, or choose another -o")
    elif json.loads(held.read_text(encoding="utf-8"))["identity"] != record["identity"]:
        raise InputError(out, "holds a run of another plan", expected="only the same target, suite, contexts, samples, seed and judge can be resumed", do="choose another -o")
    write_text(held, to_json(record))


def _batches(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch
