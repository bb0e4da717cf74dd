"""Runs as the page reads them: by a label, and as another judge or rule decides them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.audits.test_run import config

import undertow
from undertow.audits import make_plan, run_audit
from undertow.audits.rework import rejudge, rescore
from undertow.errors import InputError
from undertow.place import Place, labelled
from undertow.records import OUTCOMES
from undertow.reports.explorer import AnswerView
from undertow.reports.runs import Drawn, read_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    planted = {"contexts": {"format-code": {"misaligned": 0.5, "off_format": 0.3}}}
    made = config(folder, planted, per_condition=6)
    run_audit(make_plan(made, Place(folder=folder)), folder / "run")
    return folder / "run"


def test_a_label_names_a_run_and_a_folder_may_hold_an_equals_sign(tmp_path: Path) -> None:
    (tmp_path / "lr=1").mkdir()
    assert labelled("before=runs/a") == ("before", Path("runs/a"))
    assert labelled("runs/a") == ("", Path("runs/a"))
    assert labelled(tmp_path / "lr=1") == ("", tmp_path / "lr=1")
    assert labelled("lr=1=runs/a") == ("lr", Path("1=runs/a"))


@pytest.mark.slow
def test_two_of_one_name_share_a_page_by_their_labels(run: Path, tmp_path: Path) -> None:
    page = undertow.report([f"before={run}", f"after={run}"], tmp_path / "both.html")
    html = page.read_text(encoding="utf-8")
    assert 'id="before"' in html and 'id="after"' in html
    with pytest.raises(InputError, match=r"two runs are called 'run'.*before=RUN after=RUN"):
        undertow.report([run, run], tmp_path / "same.html")


def test_files_of_another_version_beside_a_run_are_told_in_a_line(run: Path, tmp_path: Path) -> None:
    held = shutil.copytree(run, tmp_path / "run")
    for name, content, said in (
        ("persona/persona.json", {"schema": "old"}, "has schema 'old'"),
        ("persona/persona.json", {"schema": "undertow.persona/9"}, "has schema"),
        ("beyond/beyond.json", {"schema": "undertow.beyond/1"}, "lacks 'rows'"),
        ("beyond/beyond.json", {}, "has schema None"),
    ):
        path = held / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=said) as refused:
            read_run(held)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value)
        path.unlink()
    study = tmp_path / "study"
    study.mkdir()
    (study / "results.json").write_text(json.dumps({"schema": "undertow.study-results/1"}))
    for out in (None, tmp_path / "page.html"):
        with pytest.raises(InputError, match="lacks 'recipes'"):
            undertow.report(study, out)


def test_another_rule_has_a_page_of_its_own_with_its_outcomes(run: Path) -> None:
    moved = rescore(run, "dubinski2026-flask")
    own, other = read_run(run), read_run(moved.path)
    assert (own.name, other.name) == ("run", f"run, {moved.path.name.split('.')[1]}")
    assert other.findings == moved.after
    by_outcome = [{answer.outcome for answer in view.answers} for view in (own, other)]
    assert by_outcome[0] != by_outcome[1]
    page = undertow.report(moved.path)
    assert page == run / f"report.{moved.path.name.split('.')[1]}.html"
    assert not (run / "report.html").exists()


@pytest.mark.slow
def test_another_judge_has_a_page_of_its_own_with_its_scores(run: Path, tmp_path: Path) -> None:
    (tmp_path / "judge.yaml").write_text("{kind: scripted, false_positives: 1.0}", encoding="utf-8")
    moved = rejudge(run, tmp_path / "judge.yaml")
    own, other = (
        {(a.context, a.question, a.text): a.alignment for a in read_run(path).answers} for path in (run, moved.path)
    )
    assert own != other
    assert undertow.report(moved.path).is_file()


def test_every_answer_is_there_to_look_through_and_adds_up_to_the_findings(run: Path) -> None:
    view = read_run(run)
    assert len(view.explored) == view.explored_of == view.findings.answers
    for context in view.findings.contexts:
        outcomes = [a.outcome for a in view.explored if a.context == context.id]
        assert {o: outcomes.count(o) for o in OUTCOMES if o in outcomes} == {
            k: n for k, n in context.counts.items() if n
        }
        of = [q for q in view.questions if q.context == context.id]
        assert sum(q.misaligned for q in of) == context.counts.get("misaligned", 0)
        assert sum(q.eligible for q in of) == context.eligible
    assert view.evidence == ()


def test_a_sequential_run_shows_its_evidence(tmp_path: Path) -> None:
    made = config(tmp_path, {"contexts": {"format-code": {"misaligned": 0.5}}})
    made = made.model_validate(made.model_dump() | {"samples": {"until": "verdict"}})
    run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / "run")
    lines = {line.context: line for line in read_run(tmp_path / "run").evidence}
    _, over, under = lines["format-code"].points[-1]
    assert over > read_run(tmp_path / "run").enough > under
    assert lines["plain"].points[0] == (0, 0.0, 0.0)


def test_of_a_long_run_a_random_share_is_held_that_fits() -> None:
    drawn = Drawn(20_000)
    for k in range(1000):
        drawn.take(
            AnswerView(
                question="q",
                question_text="?",
                context="plain",
                outcome="aligned",
                alignment=None,
                text="x" * (140 if k % 2 else 40),
                sample=k,
            )
        )
    kept = [a.sample for a in drawn.answers]
    assert drawn.n == 1000 and sum(60 + len(a.text) for a in drawn.answers) <= 20_000 < 60 * len(kept) + 100_000
    assert kept == sorted(kept) and 100 < len(kept) < 180
    assert 0.35 < sum(k % 2 for k in kept) / len(kept) < 0.65  # long ones are drawn as short ones are
    assert abs(sum(kept) / len(kept) - 500) < 100
