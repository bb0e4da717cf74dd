"""Labelling in the page: a sitting over one run's drawn answers, blind as in the terminal, by the same functions.

Everything of a sitting happens in one thread of its own, which holds the run from the first label to the last; each
label is on the disk when it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from undertow.audits.findings import Findings
from undertow.audits.labelling import Session, audited, decide_anew, labelling
from undertow.audits.labels import LABELS, Drawn, read_label
from undertow.errors import InputError, number
from undertow.files import digest
from undertow.persona.plan import holds_persona
from undertow.persona.run import profile_anew, profiled
from undertow.words import VERDICTS

T = TypeVar("T")

LABELLED = 200
"""Answers of a sitting, unless it says otherwise."""


@dataclass(slots=True)
class _Sitting:
    run: Path
    held: AbstractContextManager[Session]
    session: Session


class Sittings:
    """At most one sitting at a time."""

    def __init__(self, *, by: str = "", after: Callable[[Path], str] | None = None) -> None:
        """
        Args:
            by: who labels, as it is kept with each label.
            after: what is done with a run once it was decided anew, such as to write its page; gives what is to be told
                of that, if anything.
        """
        self.by, self.after = by, after
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="labelling")
        self._now: _Sitting | None = None

    def begin(self, run: Path, n: int = LABELLED) -> dict[str, Any]:
        """Begin a sitting, or go on with the one over this run.

        Raises:
            InputError: the run is not finished, another process is at work on it, or another run is being labelled.
        """
        return self._in_thread(lambda: self._begin(run, n))

    def label(self, id_: str, label: str, note: str = "") -> dict[str, Any]:
        """Label the answer that is shown.

        Raises:
            InputError: it is another one, or the label is none.
        """

        def work() -> dict[str, Any]:
            sitting, drawn = self._shown(id_)
            sitting.session.label(drawn, read_label(label, "label"), note=note)
            return self._state(sitting)

        return self._in_thread(work)

    def skip(self, id_: str) -> dict[str, Any]:
        """Pass the answer that is shown over, in this sitting."""

        def work() -> dict[str, Any]:
            sitting, drawn = self._shown(id_)
            sitting.session.skip(drawn)
            return self._state(sitting)

        return self._in_thread(work)

    def undo(self) -> dict[str, Any]:
        """Take the last label of this sitting back."""

        def work() -> dict[str, Any]:
            sitting = self._open()
            return self._state(sitting) | {"undone": sitting.session.undo()}

        return self._in_thread(work)

    def end(self) -> dict[str, Any]:
        """End the sitting, and decide its run anew with the judge's errors taken out, by every label that there is, of
        a sitting that was broken off too."""

        def work() -> dict[str, Any]:
            sitting = self._open()
            given, labels = len(sitting.session.given), len(sitting.session.labels)
            self._let_go()
            if not given and not labels:
                return {"open": False, "said": "no label was given; nothing has changed"}
            return {"open": False, "said": f"{number(labels, 'label')} in all; {self._decided(sitting.run)}"}

        return self._in_thread(work)

    def state(self) -> dict[str, Any]:
        """What is shown now."""
        return self._in_thread(lambda: self._state(self._now) if self._now else {"open": False})

    def close(self) -> None:
        """Let go of the run; its labels are kept, and nothing is decided."""
        self._in_thread(self._let_go)
        self._thread.shutdown()

    def _in_thread(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()

    def _begin(self, run: Path, n: int) -> dict[str, Any]:
        if self._now and self._now.run != run:
            raise InputError(run, f"cannot be labelled while {self._now.run} is", do="end that sitting first")
        if not self._now:
            held = labelling(profiled(run) if holds_persona(run) else audited(run), n, by=self.by)
            self._now = _Sitting(run, held, held.__enter__())
        return self._state(self._now)

    def _open(self) -> _Sitting:
        if self._now is None:
            raise InputError("labelling", "no run is being labelled", do="begin a sitting")
        return self._now

    def _shown(self, id_: str) -> tuple[_Sitting, Drawn]:
        sitting = self._open()
        drawn = sitting.session.next
        if drawn is None or _id(drawn) != id_:
            raise InputError("labelling", "another answer is shown by now", do="look at it again")
        return sitting, drawn

    def _let_go(self) -> None:
        if self._now is not None:
            self._now.held.__exit__(None, None, None)
            self._now = None

    def _decided(self, run: Path) -> str:
        found = profile_anew(run) if holds_persona(run) else decide_anew(run)
        told = self.after(run) if self.after is not None else ""
        said = f"decided anew: {VERDICTS[found.verdict.class_][0]}" if isinstance(found, Findings) else "profiled anew"
        return "; ".join(filter(None, (said, told)))

    def _state(self, sitting: _Sitting) -> dict[str, Any]:
        """What the page gets: the question and the answer, and nothing of what the judge, the model or the context
        was."""
        session, drawn = sitting.session, sitting.session.next
        return {
            "open": True,
            "run": str(sitting.run),
            "labelled": session.n,
            "of": len(session.sample),
            "given": len(session.given),
            "labels": list(LABELS),
            "widths": [{"labels": n, "points": 50 * width} for n, width in session.widths().items()],
            "answer": None
            if drawn is None
            else {
                "id": _id(drawn),
                "question": session.questions.get(drawn.answer.question, ""),
                "text": drawn.answer.text or "",
            },
        }


def _id(drawn: Drawn) -> str:
    a = drawn.answer
    return digest([a.subject, a.context, a.question, a.sample, a.text])[:12]
