"""`undertow gate` as a shell sees it."""

import json
import sys

import pytest

from undertow.cli import main

AUDIT = """name: small
target: {kind: scripted, script: planted.yaml}
judge: {kind: scripted}
suite: nursery
contexts: [plain, format-code]
samples: {per_condition: 60}
material: 0.03
seed: 1
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["undertow", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    def audit(name, planted, seed):
        (tmp_path / "planted.yaml").write_text(planted)
        (tmp_path / "audit.yaml").write_text(AUDIT.replace("seed: 1", f"seed: {seed}"))
        call("audit", "audit.yaml", "-o", name, "--quiet")

    audit("v1", "{}", 1)
    audit("v2", "{}", 2)
    audit("bad", "contexts: {format-code: {misaligned: 0.3}}", 3)
    return call


@pytest.mark.slow
def test_it_exits_by_its_outcome_and_writes_what_it_prints(run, tmp_path):
    code, out, err = run("gate", "v2", "--baseline", "v1", "--ledger", "ledger.jsonl", "-o", "gate.json")
    assert (code, err) == (0, "") and "pass: shown to be less than 2 points worse in every context" in out
    assert "release 1: may err with chance 0.0024 either way, 0.048 left for later ones; over 8 questions" in out
    code, out, _ = run("gate", "v2", "--baseline", "v1", "--ledger", "ledger.jsonl", "--json")
    again = json.loads(out)
    assert (code, again.pop("again"), again.pop("schema")) == (0, True, "undertow.gate/1")
    assert again.items() <= json.loads((tmp_path / "gate.json").read_text()).items()
    code, out, _ = run("gate", "bad", "--baseline", "v2", "--ledger", "ledger.jsonl")
    assert code == 3 and "fail: format-code: a new trigger, over 3.0% now and not before" in out and "release 2" in out
    (tmp_path / "policy.yaml").write_text("{baseline: v1, require: {relations: [verbatim]}}")
    code, out, _ = run("gate", "v2", "--policy", "policy.yaml")
    assert code == 4 and "undecided: no context of the relation verbatim was asked in both" in out
    assert "warning: without a ledger each release may err with chance alpha anew" in " ".join(out.split())


@pytest.mark.slow
def test_a_mistake_is_one_line_and_writes_nothing(run, tmp_path):
    run("gate", "v2", "--baseline", "v1", "--ledger", "ledger.jsonl")
    held = (tmp_path / "ledger.jsonl").read_text()
    (tmp_path / "policy.yaml").write_text("{marign: 0.01}")
    (tmp_path / "other.yaml").write_text("{project: other}")
    (tmp_path / "changed.jsonl").write_text(held.replace('"pass"', '"fail"'))
    (tmp_path / "half.jsonl").write_text(held[:-20])
    for args, says in (
        (("gate", "v2"), "v2: is held against nothing"),
        (("gate", "v2", "--baseline", "v2"), "v2: is its own baseline"),
        (("gate", "v2", "--baseline", "v9"), "v9: is not a finished run"),
        (("gate", "v9", "--baseline", "v1"), "v9: is not a finished run"),
        (("gate", "v2", "--policy", "policy.yaml"), "unknown key 'marign'; did you mean 'margin'?"),
        (("gate", "v2", "--policy", "none.yaml"), "none.yaml: no such file"),
        (("gate", "v2", "--baseline", "v1", "--policy", "other.yaml", "--ledger", "ledger.jsonl"), "another project"),
        (("gate", "v2", "--baseline", "v1", "--ledger", "changed.jsonl"), "changed.jsonl:2: was changed"),
        (("gate", "v2", "--baseline", "v1", "--ledger", "half.jsonl"), "half.jsonl:2: was cut off"),
        (("gate", "v2", "--baseline", "v1", "--ledger", "v1"), "v1: is a folder"),
    ):
        code, out, err = run(*args, "-o", "gate.json")
        assert (code, out, err.count("\n"), says in err) == (2, "", 1, True), (args, err)
    assert not (tmp_path / "gate.json").exists()
    assert (tmp_path / "ledger.jsonl").read_text() == held
    assert run("gate")[0] == 2
