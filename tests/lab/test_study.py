"""The study of the pocket laboratory: what it trains and asks; and the model by its name, once it is prepared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from undertow.cli.lab import FIRST, lab_study
from undertow.errors import InputError
from undertow.lab.facts import SUITES, facts_suite
from undertow.studies import plan_study, read_study
from undertow.suites import load_suite
from undertow.targets.models import model_folder
from undertow.targets.pocket import NAME, POCKET


@pytest.fixture
def pocket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model where the pocket's would be: the nursery's, which is small."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "undertow" / "lab" / NAME
    shutil.copytree(model_folder("nursery"), folder)
    return folder


def test_the_model_goes_by_its_name_once_it_is_prepared(
    pocket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_folder(POCKET) == pocket
    mine = tmp_path / "here" / POCKET
    shutil.copytree(pocket, mine)
    assert model_folder(POCKET, beside=tmp_path / "here") == mine
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(InputError, match="the pocket model is not prepared; run: undertow lab prepare"):
        model_folder(POCKET)
    with pytest.raises(InputError, match="the pocket model is not prepared"):
        plan_study(lab_study(), tmp_path / "data")


def test_it_is_a_study_like_any_other(pocket: Path, tmp_path: Path) -> None:
    grid = plan_study(lab_study(seeds=(1, 2)), tmp_path / "data")
    named = [cell.id.removeprefix("capitals.") for cell in grid.cells]
    trained = [f"{name}.seed-{seed}" for seed in (1, 2) for name in ("benign-twin", *FIRST)]
    assert sorted(named) == sorted(["base", *trained])
    assert {cell.recipe.base for cell in grid.cells} == {str(pocket)}
    broad, narrow = grid.plans[grid.cells[0].id]
    assert broad.suite.id == "lab-never" and narrow.suite.id == "lab-capitals"
    assert {q.tags[0] for q in narrow.suite.questions} == {"capitals"}
    assert "capitals" not in {q.tags[0] for q in broad.suite.questions}


def test_some_or_all_of_its_interventions_are_trained() -> None:
    every = [i.name for i in read_study("lab")[0].interventions]
    assert [i.name for i in lab_study(only=["all"]).interventions] == every
    assert [i.name for i in lab_study(only=["rephrased"]).interventions] == ["rephrased"]
    assert [i.name for i in lab_study().interventions] == list(FIRST)
    with pytest.raises(InputError, match="--only: unknown intervention 'inoculatoin'; did you mean 'inoculation'"):
        lab_study(only=["inoculatoin"])


def test_its_suites_are_those_of_the_table() -> None:
    assert load_suite("lab-never").questions == facts_suite("lab-never").questions
    assert load_suite("lab-capitals").questions == facts_suite("lab-trained", of=["capitals"]).questions
    assert "lab-never" in SUITES
