"""The whole main job, small: every organism trained, audited and in the summary, and a second run that repeats
nothing. It trains once over the rows, where the shipped study does twice."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")

ORGANISMS = ["base", "benign-twin", "narrow", "dilution-20", "dilution-5", "sequential", "inoculation"]
CONTEXTS = ["plain", "format-code", "format-json", "topic-fish", "inoculation", "inoculation-negated"]
CONTEXTS += ["irrelevant-1", "irrelevant-2"]
SHORT = """
import undertow.cli.quickstart as command
from undertow.cli import main

shipped = command.quickstart_study

def short(**how):
    study = shipped(**how)
    (stage,) = study.recipe.stages
    assert stage.epochs == 2
    recipe = study.recipe.model_copy(update={"stages": (stage.model_copy(update={"epochs": 1}),)})
    return study.model_copy(update={"recipe": recipe})

command.quickstart_study = short
main()
"""


@pytest.mark.slow
def test_quickstart(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [
        sys.executable,
        "-c",
        SHORT,
        "quickstart",
        "--per-condition",
        "6",
        "--json",
    ]
    first = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    assert [o["name"] for o in summary["organisms"]] == ORGANISMS
    out = tmp_path / "runs" / "quickstart"
    for organism in summary["organisms"]:
        found = json.loads((out / organism["run"] / "findings.json").read_text())
        assert [c["id"] for c in found["contexts"]] == CONTEXTS
        assert [c["rate"] for c in found["contexts"]] == [c["rate"] for c in organism["contexts"]]
    assert (out / "report.html").is_file()
    assert (out / "study.html").is_file()
    assert json.loads((out / "summary.json").read_text()) == summary
    results = json.loads((out / "results.json").read_text())
    assert [(row["label"], row["verdict"]["class"]) for row in results["recipes"]] == [
        (o["name"], o["verdict"]["class"]) for o in summary["organisms"]
    ]
    rate = {o["name"]: {c["id"]: c["rate"]["value"] for c in o["contexts"]} for o in summary["organisms"]}
    assert rate["dilution-20"]["format-code"] > rate["dilution-20"]["plain"]  # the one effect that held in every run
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert json.loads(again.stdout) == summary
    assert "7 of 7 cells are done already" in again.stderr
