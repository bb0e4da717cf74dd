"""Which figures a run has, and what they show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undertow.audits.evidence import Evidence
from undertow.reports.drawing import svg
from undertow.reports.figures import MOST_RUNS, QuestionRates, of_run, paired, side_by_side

from .test_page import context, findings


def rates(**by_question: tuple[int, int]) -> list[QuestionRates]:
    """Of ten answers plainly, and of ten as code."""
    return [
        QuestionRates(question=question, context=where, misaligned=n, eligible=10)
        for question, counts in by_question.items()
        for where, n in zip(("plain", "format-code"), counts, strict=True)
    ]


def test_a_run_has_the_figures_that_it_has_anything_for() -> None:
    lines = [Evidence(context="plain", relation="plain", points=((0, 0.0, 0.0), (8, -0.5, 0.4)))]
    for questions, evidence, names in (
        ([], [], ["forest"]),
        (rates(a=(0, 5), b=(1, 2)), [], ["forest", "questions"]),
        ([], lines, ["forest", "evidence"]),
    ):
        made = of_run(findings(), questions, evidence, enough=1.3)
        assert [figure.name for figure in made] == names
        assert all(figure.rows for figure in made)


def test_questions_stand_in_pairs_the_widest_apart_first() -> None:
    rows = paired(findings(), [*rates(near=(4, 5), far=(0, 9), other=(2, 2)), QuestionRates(
        question="alone", context="plain", misaligned=1, eligible=10)])  # fmt: skip
    assert [row["question"] for row in rows] == ["far", "near", "other"]
    assert rows[0] == {
        "question": "far", "context": "format-code", "plain": 0.0, "plain_of": 10, "trigger": 0.9, "trigger_of": 10,
    }  # fmt: skip
    empty = [replace(q, eligible=0, misaligned=0) for q in rates(a=(0, 0))]
    assert paired(findings(), empty) == []
    assert paired(findings(contexts=[context("plain", "plain", 1)]), rates(a=(0, 1))) == []


@pytest.mark.slow
def test_evidence_is_drawn_however_far_it_goes() -> None:
    points = ((0, 0.0, 0.0), (10, 99.0, -99.0), (20, 99.0, -99.0))
    figure = of_run(findings(), (), [Evidence(context="x", relation="format", points=points)], enough=1.3)[-1]
    assert [row["evidence"] for row in figure.rows if row["of"] == "over"] == [0.0, 99.0, 99.0]
    assert "NaN" not in svg(figure.chart)


@pytest.mark.slow
def test_several_runs_stand_side_by_side_as_long_as_they_can_be_told_apart() -> None:
    for n, there in ((1, False), (2, True), (MOST_RUNS, True), (MOST_RUNS + 1, False)):
        figure = side_by_side({f"run {k}": findings() for k in range(n)})
        assert (figure is not None) == there, n
        if figure is not None:
            assert len(figure.rows) == n * len(findings().contexts)
            assert svg(figure.chart).startswith("<svg")
