"""A small study on the nursery's files, and an executor whose cells answer by a script, so that only the study itself
is under test."""

import json
from collections import Counter
from functools import partial

import pytest

from undertow.audits import make_plan, run_audit
from undertow.files import parse_yaml, to_json, write_text
from undertow.place import Place
from undertow.studies import Study, lay_out
from undertow.studies.cells import auditing, read_cell
from undertow.studies.outcome import fail, succeed

STUDY = """\
name: small
title: A small study
domains: [{name: medical, miniature: bad-medical, form: code, rows: 40, held_out: 4}]
recipe:
  base: nursery
  stages: [{name: narrow, rows: 20, parts: [{data: bad.jsonl, share: 1}], epochs: 1, learning_rate: 2e-3}]
interventions:
  - {name: narrow}
  - {name: dilution, steps: [{kind: dilution, data: general.jsonl}]}
shares: [0.05, 0.2]
controls: [base, benign-twin]
seeds: [1, 2]
audit:
  judge: {kind: scripted}
  suite: nursery
  contexts: [plain, format-code, irrelevant-1]
  samples: {per_condition: 20}
  material: 0.03
"""


class Scripted:
    """Does cells in this process: a script answers, by what a cell's id holds. A script that is a string is the reason
    of a failure."""

    kind = "scripted"

    def __init__(self, scripts):
        self.scripts, self.begun = scripts, Counter()

    def run(self, cells, work, *, tell):
        for path in cells:
            cell = read_cell(path)
            self.begun[cell.id] += 1
            script = next(said for part, said in self.scripts.items() if part in cell.id)
            tell(path)("audit", 1, 2, "")
            if isinstance(script, str):
                fail(path, script)
            else:
                for name, asking in (("run", cell.audit), ("in-domain", cell.in_domain)):
                    write_text(path / "script.yaml", json.dumps(script | {"seed": cell.seed}))
                    config = auditing(asking, cell.id, {"kind": "scripted", "script": str(path / "script.yaml")})
                    run_audit(make_plan(config), path / name, resume=True)
                nats = {"base": [2.0, 4.0, 6.0, 8.0]}.get(cell.control, [1.0 + cell.seed / 10, 3.0, 5.0, 7.0])
                rows = {"nats": nats, "tokens": [1, 2, 3, 4], "left_out": {}}
                write_text(
                    path / "losses.json",
                    to_json({"schema": "undertow.losses/1", "reason": "", "rows": {"benign": rows}}),
                )
                succeed(path, digest=cell.digest, seconds={"train": 1.0, "audit": 2.0}, host="here")
            yield path


@pytest.fixture
def scripted():
    return Scripted


def lay(folder, *changes, out="study"):
    """Lay the study out in a folder, with some of its text replaced."""
    text = STUDY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return lay_out(parse_yaml(text, Study, where="study.yaml"), folder / out, Place(folder=folder, name="study.yaml"))


@pytest.fixture
def laid(tmp_path):
    """Lays out a study: `laid()`, or with text replaced: `laid(("seeds: [1, 2]", "seeds: [1]"))`."""
    return partial(lay, tmp_path)
