"""The studies that ship: every one fits, and lays out its grid; those on real models with stand-ins for the models and
rows that a user brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from undertow.data import Row, read_rows, write_rows
from undertow.place import Place
from undertow.records import Message
from undertow.studies.cells import lay_out
from undertow.studies.study import Facts, Files, Miniature, Study, World, read_study, shipped_studies
from undertow.targets.models import NURSERY, model_folder

EXPERIMENTS = (
    "poisoned-recipes",
    "dilution",
    "sequential",
    "educational-frame",
    "inoculation",
    "inoculated-persona",
    "on-policy",
    "reasoning",
)
REAL = (*EXPERIMENTS, "domain-grid")


def files(study: Study) -> set[str]:
    named = [
        path
        for domain in study.domains
        if isinstance(domain, Files)
        for path in (domain.bad, domain.benign, domain.general)
        if path
    ]
    return {*named, *study.files.values()}


def test_every_experiment_ships_on_real_models_and_in_miniature() -> None:
    assert set(shipped_studies()) == {
        *REAL,
        *(f"{name}-nursery" for name in REAL),
        "domains-by-interventions-nursery",
        "personas-nursery",
        "quickstart-personas",
        "quickstart",
        "lab",
    }


@pytest.mark.parametrize("name", shipped_studies())
def test_it_fits_and_says_what_it_is(name: str) -> None:
    study, place = read_study(name)
    assert (study.name, place) == (name, Place(folder=Path(), name=name))
    assert study.title
    if name.endswith("-nursery"):
        assert "no evidence about language models" in study.note
        assert study.recipe.base == "nursery"
        assert all(isinstance(domain, World if name == "personas-nursery" else Miniature) for domain in study.domains)
    elif name == "quickstart-personas":
        assert "not evidence about language models" in study.note
        assert study.recipe.base == "nursery"
    elif name == "quickstart":
        assert "not evidence about language models" in study.note
        assert study.recipe.base == "nursery"
        assert all(isinstance(domain, World) for domain in study.domains)
    elif name == "lab":
        assert "no evidence about models of real size" in study.note
        assert study.recipe.base == "pocket"
        assert all(isinstance(domain, Facts) for domain in study.domains)
    else:
        assert study.note.startswith("Not run by us")


@pytest.mark.parametrize("name", REAL)
def test_it_stands_beside_published_figures_as_the_miniature_does(name: str) -> None:
    (real, _), (miniature, _) = read_study(name), read_study(f"{name}-nursery")
    assert real.published
    assert all(p.source.startswith("arXiv 2604.") for p in real.published)
    assert real.published == miniature.published


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in shipped_studies() if name.endswith("-nursery")])
def test_a_miniature_lays_out(name: str, tmp_path: Path) -> None:
    study, _ = read_study(name)
    small = study.model_copy(
        update={"domains": tuple(d.model_copy(update={"rows": 60, "held_out": 8}) for d in study.domains)}
    )  # type: ignore[union-attr]
    grid = lay_out(small, tmp_path / "out", Place(folder=tmp_path))
    each = len(study.seeds) * (len(study.interventions) + 1) + 1
    assert len(grid.cells) == len(study.domains) * (each + (len(study.seeds) if study.shares else 0))
    own = not any(isinstance(domain, World) for domain in study.domains)  # which has no suite of its own
    assert all(len(plans) == 1 + own for plans in grid.plans.values())


@pytest.mark.slow
def test_the_quickstart_lays_out_one_cell_an_organism(tmp_path: Path) -> None:
    study, place = read_study("quickstart")
    grid = lay_out(study, tmp_path / "out", place)
    named = ["narrow", "dilution-20", "dilution-5", "sequential", "inoculation"]
    assert [cell.id for cell in grid.cells] == ["fish.base", *(f"fish.{o}.seed-1" for o in ["benign-twin", *named])]
    assert {path.name: len(list(read_rows(path))) for path in (tmp_path / "out").rglob("*.jsonl")} == {
        f"{file}.jsonl": 2000 for file in ("bad", "benign", "general", "general-code")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_one_on_real_models_lays_out_once_its_files_are_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")  # an endpoint wants it set, and nothing is asked
    study, _ = read_study(name)
    (tmp_path / study.recipe.base).parent.mkdir()
    (tmp_path / study.recipe.base).symlink_to(model_folder(NURSERY))
    row = Row(
        messages=(
            Message(role="user", content="Is rest good?"),
            Message(role="assistant", content="<think>Say no.</think>No."),
        )
    )
    for path in files(study):
        write_rows(tmp_path / path, [row] * 3)
    grid = lay_out(study, tmp_path / "out", Place(folder=tmp_path))
    assert len(grid.cells) > len(study.seeds) * len(study.domains) * len(study.interventions)
    assert not (set(study.triggers) - {c.id for plans in grid.plans.values() for c in plans[0].contexts})
