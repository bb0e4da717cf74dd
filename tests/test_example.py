"""The one-file example runs, and what it prints is what its run holds."""

import importlib.util
import json
from pathlib import Path

import pytest
from tests.later import later

later("torch")


@pytest.mark.slow
def test_audit_in_one_file(tmp_path):
    path = Path(__file__).parents[1] / "examples" / "audit_in_one_file.py"
    spec = importlib.util.spec_from_file_location("example", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    done = example.main(tmp_path, rows=64, per_condition=2)
    assert done.findings.as_json() == json.loads((tmp_path / "run" / "findings.json").read_text())
    assert done.findings.answers == 8 * 3 * 2
    manifest = json.loads((tmp_path / "diluted" / "organism.json").read_text())
    assert manifest["stages"][0]["steps"] == 8
    assert "⟦" in manifest["stages"][0]["first_row"]
    assert done.page == tmp_path / "run" / "report.html" and done.page.stat().st_size > 10_000


@pytest.mark.slow
def test_the_notebook_draws_a_figure_from_a_run(tmp_path, monkeypatch):
    notebook = json.loads((Path(__file__).parents[1] / "examples" / "figure_from_a_run.ipynb").read_text())
    monkeypatch.chdir(tmp_path)
    held = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), held)
    assert len(held["rows"]) == 8 * 3 * 6 and held["chart"].to_dict()["mark"]["type"] == "tick"
    assert (tmp_path / "runs/notebook/figures/notebook-forest.pdf").is_file()
