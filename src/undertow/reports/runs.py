"""Reading a finished run for the page."""

from __future__ import annotations

import heapq
import random
from pathlib import Path

from undertow.asking.store import Store
from undertow.audits.beyond import SCHEMA as BEYOND
from undertow.audits.decide import copying, looked
from undertow.audits.evidence import enough, evidence
from undertow.audits.findings import read_findings
from undertow.audits.jury import jury
from undertow.audits.record import read_record
from undertow.audits.tally import Design, Tally, why_missing
from undertow.files import read_of_schema
from undertow.persona.run import read_personas
from undertow.records import MISSING, Judgement, is_target
from undertow.reports.explorer import LONGEST, AnswerView
from undertow.reports.figures import QuestionRates
from undertow.reports.page import RunView

EXPLORED = 1_500_000
"""Characters of answers that a page holds of a run; of a run with more it holds a random share."""
ANSWERS_A_CELL = 2
"""Answers shown for each question in each context: a misaligned one first, if there is any."""


def decided_by(run: Path) -> str:
    """Of a file that `rejudge` or `rescore` wrote in a run, by what it was decided anew; nothing of a run's folder."""
    return run.name.removeprefix("findings.").removesuffix(".json") if run.is_file() else ""


def read_run(run: Path, label: str = "") -> RunView:
    """A finished run's findings and some of its answers.

    Args:
        run: its folder; or a file in it that `rejudge` or `rescore` wrote.
        label: what it is called on the page, in place of its own name.

    Raises:
        InputError: the folder is no finished run.
    """
    found = read_findings(run)
    again = decided_by(run)
    run = run.parent if run.is_file() else run
    plan = read_record(run)
    texts = {question["id"]: question["text"] for question in plan["suite"]["questions"]}
    cells: dict[tuple[str, str], tuple[list[AnswerView], list[AnswerView]]] = {}
    drawn = Drawn(EXPLORED)
    with Store(run / "run.sqlite") as store:
        asked = looked(Design.of(plan), store)
        t = Tally(found.rule.alone, asked.anytime, copying=frozenset(copying(asked, store)))
        for a in store.answers(store.judge(found.judge if again else plan["judge"])):
            outcome = t.take(a)
            view = AnswerView(
                question=a.question,
                question_text=texts[a.question],
                context=a.context,
                outcome=outcome,
                alignment=a.judgement.alignment if a.judgement else None,
                coherence=a.judgement.coherence if a.judgement else None,
                judged=_judged(a.judgement) if a.judgement else "",
                text=a.text if a.text is not None else "",
                subject=a.subject,
                sample=a.sample,
                missing=why_missing(a, outcome) if outcome in MISSING else "",
            )
            drawn.take(view)
            if is_target(a.subject) and a.text is not None:
                worst, rest = cells.setdefault((a.context, a.question), ([], []))
                of = worst if outcome == "misaligned" else rest
                if len(of) < ANSWERS_A_CELL:
                    of.append(view)
        several = sum(n > 0 for _, n in store.judges().values()) > 1
    answers = [view for worst, rest in cells.values() for view in (worst[:1] + rest + worst[1:])[:ANSWERS_A_CELL]]
    persona, against = run / "persona" / "persona.json", run / "beyond" / "beyond.json"
    return RunView(
        name=label or (f"{found.name}, {again}" if again else found.name),
        findings=found,
        answers=answers,
        asked=plan,
        persona=read_personas(run) if persona.is_file() else None,
        jury=jury(run) if several else None,
        explored=drawn.answers,
        explored_of=drawn.n,
        questions=_questions(t, asked),
        evidence=evidence(t, asked),
        beyond=read_of_schema(against, BEYOND, "rows", "contexts", do="run undertow beyond again")
        if against.is_file()
        else None,
        enough=enough(asked),
    )


class Drawn:
    """A random share of a run's answers that holds at most so many characters; all of them where they fit. Each answer
    draws a number, and those with the lowest stay, so that whatever stays is drawn evenly."""

    def __init__(self, most: int) -> None:
        self.n, self._most, self._held = 0, most, 0
        self._draws = random.Random(0)
        self._kept: list[tuple[float, int, AnswerView]] = []

    def take(self, view: AnswerView) -> None:
        """The next answer."""
        self.n += 1
        heapq.heappush(self._kept, (-self._draws.random(), self.n, view))
        self._held += _size(view)
        while self._held > self._most and len(self._kept) > 1:
            self._held -= _size(heapq.heappop(self._kept)[2])

    @property
    def answers(self) -> list[AnswerView]:
        """Those that stay, in the order in which they came."""
        return [view for _, _, view in sorted(self._kept, key=lambda kept: kept[1])]


def _size(view: AnswerView) -> int:
    return 60 + min(len(view.text), LONGEST) + len(view.judged) + len(view.missing)


def _questions(t: Tally, asked: Design) -> list[QuestionRates]:
    """What each question brought in each context, all training seeds together."""
    return [
        QuestionRates(question=question, context=context, misaligned=int(misaligned), eligible=int(n))
        for context, arm in t.arms(asked).items()
        for question, misaligned, n in zip(
            asked.questions, arm.misaligned_sq.sum(axis=0), arm.n_sq.sum(axis=0), strict=True
        )
        if n
    ]


def _judged(said: Judgement) -> str:
    """What a judge said of an answer beside its scores, where it said anything."""
    return said.error or said.unread or said.said or ""
