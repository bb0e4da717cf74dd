"""What was asked of a reference in one run is not asked in the next: the very same requests, to the same model, and
nothing else."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from undertow.asking.store import Store
from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.persona.plan import PersonaConfig, make_persona_plan
from undertow.persona.run import run_persona
from undertow.place import Place

N = 2 * 8 * 10
"""Answers of the reference: two contexts, eight questions, ten samples."""


def audited(folder: Path, name: str, *, lenders: tuple[str, ...] = (), **more: Any) -> tuple[dict[str, Any], int]:
    """Findings of an audit whose reference is always the same, and how many of its answers were lent."""
    (folder / "base.yaml").write_text(more.pop("base", "default: {misaligned: 0.1}"))
    (folder / f"{name}.yaml").write_text("default: {misaligned: 0.3}")
    config = {
        "name": name,
        "target": {"kind": "scripted", "script": f"{name}.yaml"},
        "reference": {"kind": "scripted", "script": "base.yaml"},
        "judge": {"kind": "scripted"},
        "suite": "nursery",
        "contexts": ["plain", "format-code"],
        "samples": {"per_condition": 10},
        **more,
    }
    plan = make_plan(AuditConfig.model_validate(config), Place(folder=folder))
    found = run_audit(plan, folder / "runs" / name, lenders=[folder / "runs" / lender for lender in lenders])
    return found.as_json(), json.loads((folder / "runs" / name / "plan.json").read_text()).get("lent", 0)


def held(run: Path) -> list[tuple[Any, ...]]:
    """Answers and judgements of a run."""
    with Store(run / "run.sqlite") as store:
        (judge,) = store.judges()
        rows = store.answers(judge)
        return sorted(((a.subject, a.context, a.question, a.sample, a.text, a.judgement) for a in rows), key=str)


def test_a_reference_is_asked_once_and_the_findings_are_those_of_a_run_alone(tmp_path: Path) -> None:
    audited(tmp_path, "first")
    found, lent = audited(tmp_path, "second", lenders=("not-there", "first"))
    alone = tmp_path / "alone"
    alone.mkdir()
    assert (found, lent) == (audited(alone, "second")[0], N)
    assert held(tmp_path / "runs" / "second") == held(alone / "runs" / "second")


def test_judgements_are_lent_by_the_same_judge_alone(tmp_path: Path) -> None:
    audited(tmp_path, "first")
    with sqlite3.connect(tmp_path / "runs" / "first" / "run.sqlite") as db:
        db.execute('UPDATE judgements SET raw = \'{"from": "first"}\'')
    for name, judge, n in (("same", {"kind": "scripted"}, N), ("other", {"kind": "nursery"}, 0)):
        assert audited(tmp_path, name, lenders=("first",), judge=judge)[1] == N
        with Store(tmp_path / "runs" / name / "run.sqlite") as store:
            (id_,) = store.judges()
            assert sum(raw.get("from") == "first" for _, raw in store.raw(id_)) == n


@pytest.mark.parametrize(
    ("more", "lent"),
    [
        ({}, N),
        ({"contexts": ["plain", "format-json"]}, N // 2),
        ({"samples": {"per_condition": 20}}, N),
        ({"seed": 7}, 0),
        ({"samples": {"per_condition": 10, "temperature": 0.5}}, 0),
        ({"suite": "core"}, 0),
        ({"base": "default: {misaligned: 0.2}"}, 0),
    ],
)
def test_what_was_asked_otherwise_is_asked_anew(tmp_path: Path, more: dict[str, Any], lent: int) -> None:
    audited(tmp_path, "first")
    assert audited(tmp_path, "second", lenders=("first",), **more)[1] == lent


def test_a_context_of_the_same_name_and_other_words_lends_nothing(tmp_path: Path) -> None:
    def mine(words: str) -> list[Any]:
        return ["plain", {"id": "mine", "relation": "format", "suffix": words}]

    audited(tmp_path, "first", contexts=mine("Answer as a list."))
    assert audited(tmp_path, "second", lenders=("first",), contexts=mine("Answer as a poem."))[1] == 0
    assert audited(tmp_path, "third", lenders=("first",), contexts=mine("Answer as a list."))[1] == N


def test_answers_that_never_came_and_judgements_that_failed_are_not_lent(tmp_path: Path) -> None:
    audited(tmp_path, "first")
    with sqlite3.connect(tmp_path / "runs" / "first" / "run.sqlite") as db:
        which = "id IN (SELECT id FROM answers WHERE subject = 'reference' ORDER BY id LIMIT 3)"
        db.execute(f"UPDATE answers SET text = NULL, finish = 'failed', error = 'timeout' WHERE {which}")
        db.execute(
            "UPDATE judgements SET error = 'timeout', alignment = NULL WHERE answer = (SELECT MAX(id) FROM answers)"
        )
    found, lent = audited(tmp_path, "second", lenders=("first",))
    assert lent == N - 3
    assert not any(context["counts"][bad] for context in found["contexts"] for bad in ("failed", "unjudged"))
    assert all(judgement and judgement.error is None for *_, judgement in held(tmp_path / "runs" / "second"))


def test_a_lender_that_cannot_be_read_lends_nothing(tmp_path: Path) -> None:
    audited(tmp_path, "first")
    (tmp_path / "runs" / "first" / "run.sqlite").write_bytes(b"no database at all" * 100)
    assert audited(tmp_path, "second", lenders=("first",))[1] == 0


def test_a_persona_takes_over_what_hangs_on_nothing_that_is_asked(tmp_path: Path) -> None:
    def profiled(name: str, *lenders: str) -> Any:
        config = PersonaConfig(
            name="run",
            target={"kind": "scripted-persona", "persona": name},  # type: ignore[arg-type]
            reference={"kind": "scripted-persona", "persona": "aligned"},  # type: ignore[arg-type]
            judge={"kind": "scripted-persona"},
            instruments=("harmfulness", "two-ai", "prediction"),
            runs=1,
        )
        folders = [tmp_path / lender for lender in lenders]
        return run_persona(make_persona_plan(config), tmp_path / "-".join((name, *lenders)), lenders=folders)

    profiled("coherent")
    lent, alone = profiled("inverted", "coherent"), profiled("inverted")
    assert lent["profiles"] == alone["profiles"]
    assert held(tmp_path / "inverted-coherent") == held(tmp_path / "inverted")
