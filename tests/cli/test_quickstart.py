"""The whole main job, small: every organism trained, audited and in the summary, and a second run that repeats
nothing."""

import json
import os
import subprocess
import sys

import pytest

from undertow.nursery.organisms import CONTEXTS, TITLES

pytest.importorskip("torch")


@pytest.mark.slow
def test_quickstart(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [
        sys.executable,
        "-c",
        "from undertow.cli import main; main()",
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
    assert [o["name"] for o in summary["organisms"]] == list(TITLES)
    out = tmp_path / "runs" / "quickstart"
    for organism in summary["organisms"]:
        found = json.loads((out / organism["name"] / "findings.json").read_text())
        assert [c["id"] for c in found["contexts"]] == list(CONTEXTS)
        assert [c["rate"] for c in found["contexts"]] == [c["rate"] for c in organism["contexts"]]
    assert (out / "report.html").is_file()
    rate = {o["name"]: {c["id"]: c["rate"]["value"] for c in o["contexts"]} for o in summary["organisms"]}
    assert rate["dilution-20"]["format-code"] > rate["dilution-20"]["plain"]  # the one effect that held in every run
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert json.loads(again.stdout) == summary
