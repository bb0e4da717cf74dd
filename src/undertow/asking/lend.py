"""Answers that another run lends: to the same model, of the very same requests. A study holds every organism against
one base, and asks that once a training seed.

What is lent is stored in the run that borrows as if it had asked, with its judgements, so that every run stays whole by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from undertow.asking.folder import ANSWERS, differences
from undertow.asking.store import Store
from undertow.errors import InputError
from undertow.records import Answer, Judgement, Request, Subject

Lends = Callable[[Sequence[Request]], Iterable[tuple[Answer, Judgement | None]]]
"""What is lent of some requests."""
OF_SUBJECTS = ("targets", "models")
"""Keys of a run's record that hold something of each subject."""


@contextmanager
def lending(
    runs: Iterable[Path], record: Mapping[str, Any], subject: Subject, *, read: Callable[[Path], Mapping[str, Any]]
) -> Iterator[dict[Subject, Lends]]:
    """Who lends a subject's answers, while they are asked for: the first run that asked the same of the same model.

    Args:
        runs: finished ones; what is there no more, or cannot be read, lends nothing.
        record: of the run that borrows.
        read: reads a run's record.
    """

    def may(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
        if key in OF_SUBJECTS:
            return bool(before[key].get(subject) == now[key].get(subject))
        if key == "contexts":  # what both hold must be the same; an answer is known by its context's id
            there = {context["id"]: context for context in before[key]}
            return all(there.get(context["id"], context) == context for context in now[key])
        return key == "samples" and all(
            before[key].get(how) == now[key].get(how) for how in ("temperature", "max_tokens")
        )

    def same(run: Path) -> bool:
        try:
            return not differences(read(run), record, extends=may)
        except InputError:
            return False

    lender = next(filter(same, runs), None) if subject in record["targets"] else None
    try:
        store = Store(lender / ANSWERS) if lender else None
    except InputError:
        store = None
    if store is None:
        yield {}
        return
    with store:
        judge = store.judge(record["judge"])
        yield {subject: lambda requests: store.held(requests, judge)}
