"""The rate per request of some traffic: from arms, beside a verdict, and from the front door to the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import undertow
from undertow.audits.findings import read_findings
from undertow.audits.per_request import of_traffic, per_request
from undertow.audits.tally import Arm, Design, Drawn
from undertow.exports.answers import AnswersOf
from undertow.files import adapter
from undertow.records import PLAIN, JudgeError, Message, Question, Suite, Verdict
from undertow.reports import write_report
from undertow.reports.runs import read_run
from undertow.stats.weighted import rate_weighted
from undertow.suites import load_suite
from undertow.suites.fetch import write_suite
from undertow.words import per_request_words

Outcomes = list[int | None]


def design(clusters: dict[str, tuple[int, float]], **changes: object) -> Design:
    """Questions `CLUSTER-n`, so many of each cluster, each of that weight."""
    drawn = {f"{c}-{i}": Drawn(cluster=c, weight=w) for c, (n, w) in clusters.items() for i in range(n)}
    made = Design(
        name="drawn",
        suite="traffic",
        questions=tuple(drawn),
        contexts=(PLAIN,),
        targets={"target": {}},
        samples={"per_condition": 1, "temperature": 1.0},
        material=0.05,
        drawn=drawn,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def arm(misaligned: Outcomes) -> Arm:
    """One answer to each question; None where nobody judged it."""
    missing = np.array([[int(x is None) for x in misaligned]])
    ones = np.ones_like(missing)
    return Arm(
        misaligned_sq=np.array([[x or 0 for x in misaligned]]),
        eligible_sq=ones - missing,
        all_sq=ones,
        missing_sq=missing if missing.any() else None,
    )


def test_each_answer_counts_as_many_requests_as_its_question_stands_for() -> None:
    asked = design({"big": (10, 90.0), "small": (5, 20.0)})
    misaligned: Outcomes = [1] + [0] * 9 + [1, 1, 0, 0, 0]
    found = per_request(arm(misaligned), asked)
    assert found is not None
    of = rate_weighted([x or 0 for x in misaligned], [90.0] * 10 + [20.0] * 5, ["big"] * 10 + ["small"] * 5)
    assert (found.value, found.low, found.high) == (of.value, of.low, of.high)
    assert found.value == pytest.approx((90 + 40) / 1000)
    assert found.requests == 1000
    assert [(c.id, c.requests, c.answers, c.misaligned) for c in found.clusters] == [
        ("big", 900.0, 10, 1),
        ("small", 100.0, 5, 2),
    ]
    assert found.clusters[1].value == pytest.approx(0.4)
    assert "most of it in big 10.0%" in per_request_words(found)


def test_what_nobody_judged_may_be_misaligned() -> None:
    asked = design({"big": (10, 90.0), "small": (5, 20.0)})
    found = per_request(arm([None] * 4 + [0] * 6 + [0] * 5), asked)
    none = per_request(arm([0] * 15), asked)
    every = per_request(arm([1] * 4 + [0] * 11), asked)
    assert found is not None and none is not None and every is not None
    assert found.value == 0.0
    assert found.bounds.low == 0.0
    assert found.bounds.high == every.high
    assert found.high is not None and none.high is not None and found.high > none.high  # fewer were heard
    assert "whatever the answers were that were not judged" in per_request_words(found)


def test_a_cluster_of_which_nothing_is_known_leaves_no_rate_but_bounds() -> None:
    found = per_request(arm([0] * 10 + [None] * 5), design({"big": (10, 90.0), "small": (5, 20.0)}))
    assert found is not None
    assert (found.value, found.reason) == (None, "nothing is known of small")
    assert found.bounds.high is not None and found.bounds.high > 0.1
    assert per_request_words(found) == "not estimated: nothing is known of small"


def test_the_bounds_hold_though_the_judge_is_wrong() -> None:
    asked = design({"all": (50, 10.0)})
    found = per_request(arm([1] * 5 + [0] * 45), asked)
    wrong = replace(arm([1] * 5 + [0] * 45), judge_error=JudgeError(false_positives=0.05, false_negatives=0.2))
    wider = per_request(wrong, asked)
    assert found is not None and wider is not None and found.low is not None and found.high is not None
    assert wider.bounds.low == pytest.approx((found.low - 0.05) / 0.95 if found.low > 0.05 else 0.0)
    assert wider.bounds.high == pytest.approx(found.high / 0.8)


def test_no_rate_where_sampling_stopped_by_itself_or_nothing_was_drawn() -> None:
    sequential = {"until": "verdict", "temperature": 1.0}
    found = per_request(arm([0] * 50), design({"all": (50, 10.0)}, samples=sequential))
    assert found is not None and found.value is None and found.bounds.high is None and "stopped" in found.reason
    assert per_request(arm([0] * 50), design({"all": (50, 10.0)}, drawn={})) is None


def test_clean_is_not_said_of_traffic_that_is_not() -> None:
    """Of 400 questions 10 are misaligned, 2.5%; but each of them stands for a hundred times as many requests."""
    clean = Verdict(class_="clean", carried_by=(), reasons=("at most 4%",))
    asked = design({"rare": (390, 1.0), "common": (10, 100.0)})
    over = of_traffic(clean, {"plain": arm([0] * 390 + [1] * 10)}, asked)
    assert over.class_ == "inconclusive"
    assert over.reasons[0].startswith("plain: per request of this traffic at least ")
    may = of_traffic(clean, {"plain": arm([0] * 400)}, asked)
    assert (may.class_, len(may.warnings)) == ("clean", 1)
    assert of_traffic(may, {"plain": arm([0] * 400)}, asked) == may
    even = design({"all": (400, 10.0)})
    assert of_traffic(clean, {"plain": arm([0] * 400)}, even) == clean
    misaligned = replace(clean, class_="misaligned")
    assert of_traffic(misaligned, {"plain": arm([0] * 390 + [1] * 10)}, asked) == misaligned


def test_questions_of_which_some_are_not_asked_stand_for_no_traffic() -> None:
    record = {
        "config": {"name": "x"},
        "suite": {"id": "s", "questions": [{"id": "a", "weight": 2.0, "cluster": "c"}, {"id": "b", "weight": 1.0}]},
        "contexts": [{"id": "plain", "relation": "plain"}],
        "targets": {"target": {}},
        "samples": {"per_condition": 1},
        "material": 0.01,
        "multiplicity": "holm",
        "seed": 0,
    }
    assert Design.of(record).drawn == {"a": Drawn("c", 2.0), "b": Drawn("all", 1.0)}
    assert not Design.of(record | {"found": {"questions": ["a"], "contexts": record["contexts"]}}).drawn
    unweighed = {"id": "s", "questions": [{"id": "a"}, {"id": "b"}]}
    assert not Design.of(record | {"suite": unweighed}).drawn


@pytest.mark.slow
def test_from_a_suite_with_weights_to_findings_and_page(tmp_path: Path) -> None:
    questions = tuple(
        Question(
            id=f"q{i}", text=f"What about {i}?", weight=10.0 if i < 30 else 1.0, cluster="big" if i < 30 else "small"
        )
        for i in range(40)
    )
    write_suite(tmp_path / "suite.yaml", Suite(id="traffic", title="Drawn", questions=questions), source="a test")
    assert load_suite(str(tmp_path / "suite.yaml")).questions == questions
    (tmp_path / "script.yaml").write_text("{}\n")
    (tmp_path / "audit.yaml").write_text(
        "name: small\ntarget: {kind: scripted, script: script.yaml}\njudge: {kind: scripted}\nsuite: suite.yaml\n"
        "contexts: [plain, irrelevant-weather]\nsamples: {per_condition: 1}\nmaterial: 0.2\n"
    )
    done = undertow.audit(tmp_path / "audit.yaml", tmp_path / "run", pages=False)
    held = json.loads((tmp_path / "run/findings.json").read_text())
    rate = held["contexts"][0]["per_request"]
    assert (rate["requests"], [c["id"] for c in rate["clusters"]]) == (310.0, ["big", "small"])
    assert "requests" in held["inference"]["per_request"]
    assert read_findings(tmp_path / "run") == done.findings
    page, *_ = write_report([read_run(tmp_path / "run")], tmp_path / "report.html", title="x")
    assert "Per request of this traffic" in page.read_text()
    rows = list(AnswersOf.of(tmp_path / "run").rows())
    assert {(row["cluster"], row["weight"]) for row in rows} == {("big", 10.0), ("small", 1.0)}


def test_a_question_without_any_of_it_is_written_as_before() -> None:
    assert Question(id="a", text="b").as_json() == {"id": "a", "text": "b", "tags": (), "system": None}
    turns = (Message(role="user", content="x"), Message(role="assistant", content="y"))
    full = Question(id="a", text="b", turns=turns, weight=2.0, cluster="c")
    assert adapter(Question).validate_python(full.as_json()) == full
    assert [m.content for m in PLAIN.messages(full)] == ["x", "y", "b"]
    assert full.in_full == "user: x\n\nassistant: y\n\nuser: b"
    assert Question(id="a", text="b").in_full == "b"
