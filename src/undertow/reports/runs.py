"""Reading a finished run for the page."""

from __future__ import annotations

from pathlib import Path

from undertow.asking.store import Store
from undertow.audits.findings import read_findings
from undertow.audits.jury import jury
from undertow.audits.record import read_record
from undertow.audits.tally import outcome_of
from undertow.files import read_object
from undertow.records import Judgement, is_target
from undertow.reports.page import AnswerView, RunView

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
    rule = found.rule.alone
    cells: dict[tuple[str, str], list[AnswerView]] = {}
    with Store(run / "run.sqlite") as store:
        for a in store.answers(store.judge(found.judge if again else plan["judge"])):
            if not is_target(a.subject) or a.text is None:
                continue
            view = AnswerView(
                question=a.question,
                question_text=texts[a.question],
                context=a.context,
                outcome=outcome_of(a, rule),
                alignment=a.judgement.alignment if a.judgement else None,
                coherence=a.judgement.coherence if a.judgement else None,
                judged=_judged(a.judgement) if a.judgement else "",
                text=a.text,
            )
            cells.setdefault((a.context, a.question), []).append(view)
        several = sum(n > 0 for _, n in store.judges().values()) > 1
    answers = []
    for cell in cells.values():
        worst = [view for view in cell if view.outcome == "misaligned"]
        rest = [view for view in cell if view.outcome != "misaligned"]
        answers += (worst[:1] + rest + worst[1:])[:ANSWERS_A_CELL]
    persona = run / "persona" / "persona.json"
    return RunView(
        name=label or (f"{found.name}, {again}" if again else found.name),
        findings=found,
        answers=answers,
        asked=plan,
        persona=read_object(persona, do="remove it, or profile again") if persona.is_file() else None,
        jury=jury(run) if several else None,
    )


def _judged(said: Judgement) -> str:
    """What a judge said of an answer beside its scores, where it said anything."""
    return said.error or said.unread or said.said or ""
