"""The plug-in of examples/plugin, as it is once it is installed."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ROOT / "examples" / "plugin"


@pytest.mark.slow
def test_the_example_judges_an_audit(tmp_path):
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (info / "entry_points.txt").write_text(groups)
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, PLUGIN, ROOT / "src"))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def shell(*args):
        done = subprocess.run(
            [sys.executable, "-c", "from undertow.cli import main; main()", *args],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = shell("audit", str(PLUGIN / "audit.yaml"), "--json")
    assert code == 3, err
    found = json.loads(out)
    assert found["verdict"]["class"] == "conditionally_misaligned" and found["verdict"]["carried_by"] == ["format-code"]
    rates = {c["id"]: c["rate"]["value"] for c in found["contexts"]}
    assert rates["plain"] == 0 and rates["format-code"] == pytest.approx(0.3, abs=0.06)
    assert "words (undertow-word-judge 0.1)" in shell("doctor")[1]
    assert "judge of kind words: A judge that looks for words." in shell("audit", "--schema")[1]
    (tmp_path / "audit.yaml").write_text((PLUGIN / "audit.yaml").read_text().replace("misaligned:", "misalligned:"))
    code, _, err = shell("audit", "audit.yaml")
    assert (code, err) == (2, "undertow: audit.yaml:4: unknown key 'judge.misalligned'; did you mean 'misaligned'?\n")
