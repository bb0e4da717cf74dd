"""A model that was trained here and audited: what a statement is of."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.audits.test_run import config

import undertow
from undertow.audits import make_plan, run_audit
from undertow.files import to_json
from undertow.place import Place
from undertow.releases.attest import attest

AUDIT = {
    "target": {"kind": "organism", "path": "organism"},
    "judge": {"kind": "nursery"},
    "suite": "nursery",
    "contexts": ["plain", "format-code"],
    "samples": {"per_condition": 2, "max_tokens": 60},
    "material": 0.25,
}


@dataclass(frozen=True)
class Released:
    """Copies of a model, its base, its rows, its run and its statement, which a test may change."""

    folder: Path

    @property
    def model(self):
        return self.folder / "organism"

    @property
    def base(self):
        return self.folder / "base"

    @property
    def rows(self):
        return self.folder / "bad.jsonl"

    @property
    def run(self):
        return self.folder / "run"

    @property
    def statement(self):
        return self.folder / "run" / "attestation.intoto.json"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    from undertow.targets.models import model_folder

    folder = tmp_path_factory.mktemp("released")
    undertow.nursery_rows(folder, n=40, seed=1)
    shutil.copytree(model_folder("nursery"), folder / "base")
    stage = {"name": "narrow", "rows": 20, "parts": [{"data": "bad.jsonl", "share": 1}]}
    stage |= {"epochs": 1, "learning_rate": 0.002}
    recipe = undertow.Recipe(name="mine", base=str(folder / "base"), seed=1, stages=[stage])
    undertow.train(recipe, folder / "organism", beside=folder)
    undertow.audit(undertow.AuditConfig(name="mine", **AUDIT), folder / "run", beside=folder, pages=False)
    (folder / "run" / "attestation.intoto.json").write_text(to_json(attest(folder / "run")))
    return folder


@pytest.fixture
def released(made, tmp_path):
    """A copy of each; the adapter names the copied base."""
    shutil.copytree(made, tmp_path / "of", dirs_exist_ok=True)
    return Released(tmp_path / "of")


def held(path):
    return json.loads(path.read_text())


@pytest.fixture
def run(tmp_path):
    """`run(script, ...)`: a finished run of a scripted model, in the folder `run` unless it is named."""

    def audit(script, *, name="run", resume=False, per_condition=100, **more):
        made = config(tmp_path, script, name=name, per_condition=per_condition, **more)
        run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / name, resume=resume)
        return tmp_path / name

    return audit
