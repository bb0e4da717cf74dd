"""Working through a study: nothing twice, failures again, additions alone."""

import json

import pytest

from undertow.audits.compare import compare
from undertow.reports.runs import read_run
from undertow.studies import run_study, unfinished

ONE_SEED, ONE_SHARE, FEW = (
    ("seeds: [1, 2]", "seeds: [1]"),
    ("[0.05, 0.2]", "[0.2]"),
    ("per_condition: 20", "per_condition: 5"),
)


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_what_failed_is(laid, scripted, tmp_path):
    out, grid = tmp_path / "study", laid(FEW)
    flaky = scripted({"dilution": "no disk", "": {}})
    first = run_study(grid, out, flaky)
    assert [cell.id for cell in unfinished(grid, out).values()] == [
        cell["id"] for cell in first["cells"] if cell["state"] == "failed"
    ]
    again = scripted({"": {"default": {"misaligned": 0.5}}})
    second = run_study(laid(FEW), out, again)
    assert set(again.begun) == {f"medical.dilution-{share}.seed-{seed}" for share in (5, 20) for seed in (1, 2)}
    assert second["counts"] == {"done": 9, "failed": 0, "waiting": 0}
    assert not list(out.glob("cells/*/failure.json"))
    third = scripted({})
    assert run_study(laid(FEW), out, third) == second
    assert not third.begun


@pytest.mark.slow
def test_a_grid_that_grows_adds_its_new_cells(laid, scripted, tmp_path):
    run_study(laid(FEW, ONE_SEED, ONE_SHARE), tmp_path / "study", scripted({"": {}}))
    more = scripted({"": {}})
    found = run_study(laid(FEW), tmp_path / "study", more)
    assert all("seed-2" in id_ or "dilution-5." in id_ for id_ in more.begun)
    assert (len(more.begun), found["counts"]["done"]) == (5, 9)


def test_a_cell_is_a_run_like_any_other(laid, scripted, tmp_path):
    grid = laid(ONE_SHARE)
    run_study(grid, tmp_path / "study", scripted({"narrow": {"default": {"misaligned": 0.5}}, "": {}}))
    runs = {cell.id: tmp_path / "study" / cell.folder / "run" for cell in grid.cells}
    assert compare(runs["medical.narrow.seed-1"], runs["medical.dilution-20.seed-1"]).fate == "removed"
    assert compare([runs[f"medical.narrow.seed-{n}"] for n in (1, 2)], [runs["medical.base"]]).fate == "removed"
    assert read_run(runs["medical.base"]).name == "medical.base"


def test_progress_tells_which_cell(laid, scripted, tmp_path):
    said = []
    run_study(
        laid(FEW, ONE_SEED, ONE_SHARE),
        tmp_path / "study",
        scripted({"": {}}),
        watch=lambda cell: lambda *what: said.append((cell.id, *what)),
    )
    assert said[0] == ("medical.base", "audit", 1, 2, "")
    assert json.loads((tmp_path / "study" / "study.json").read_text())["name"] == "small"
