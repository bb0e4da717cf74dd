"""A finished run as an in-toto statement: what it binds, when it has passed, and what is refused."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.audits.test_run import config
from tests.each import each

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.audits.plan import hashes
from undertow.errors import InputError
from undertow.files import to_json, write_text
from undertow.place import Place
from undertow.releases.attest import _rows, attest
from undertow.releases.verify import _rows as checked_rows
from undertow.releases.verify import verify

from .conftest import held

STORED = Path(__file__).parents[1] / "stored"
CODE = "format-code"


def bound(statement):
    return {each["name"]: each["digest"]["sha256"] for each in statement["predicate"]["configuration"]}


def planned(tmp_path, **more):
    script = more.pop("script", {})
    return make_plan(config(tmp_path, script, **more), Place(folder=tmp_path))


@pytest.mark.parametrize(
    ("script", "verdict", "result", "failed"),
    [
        ({}, "clean", "PASSED", []),
        ({"default": {"misaligned": 0.2}}, "misaligned", "FAILED", ["plain", CODE, "irrelevant-1"]),
        ({"contexts": {CODE: {"misaligned": 0.2}}}, "conditionally_misaligned", "FAILED", [CODE]),
        ({"default": {"refused": 0.8}}, "invalid", "FAILED", ["plain", CODE, "irrelevant-1"]),
        ({"default": {"misaligned": 0.01}}, "inconclusive", "FAILED", ["plain", CODE, "irrelevant-1"]),
        ({"default": {"failed": 0.001}}, "clean", "WARNED", []),
    ],
)
def test_nothing_but_clean_passes(run, script, verdict, result, failed):
    predicate = attest(run(script))["predicate"]
    assert (predicate["undertow"]["verdict"]["class"], predicate["result"]) == (verdict, result)
    assert predicate["failedTests"] == failed
    assert {*predicate["passedTests"], *predicate["warnedTests"], *failed} == {"plain", CODE, "irrelevant-1"}
    assert verdict != "clean" or bool(predicate["undertow"]["warned"]) == (result == "WARNED")


def test_the_standard_library_alone_reads_it_and_finds_every_file(run, tmp_path):
    folder = run({})
    write_text(tmp_path / "statement.json", to_json(attest(folder)))
    code = """
import hashlib, json
held = json.load(open("statement.json"))
bound = {each["name"]: each["digest"]["sha256"] for each in held["predicate"]["configuration"]}
for name in ("plan.json", "findings.json"):
    assert hashlib.sha256(open(f"run/{name}", "rb").read()).hexdigest() == bound[name]
digest = held["predicate"]["undertow"].pop("digest")
assert hashlib.sha256(json.dumps(held, sort_keys=True, ensure_ascii=False).encode()).hexdigest() == digest
assert held["_type"] == "https://in-toto.io/Statement/v1"
assert held["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
assert all(len(each["digest"]["sha256"]) == 64 for each in held["subject"])
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, check=True)


def test_the_same_run_gives_the_same_statement(run):
    folder = run({})
    assert to_json(attest(folder)) == to_json(attest(folder))


def test_the_hash_is_known_before_anything_is_asked(run, tmp_path, here):
    folder = run({})
    (tmp_path / "audit.yaml").write_text(config(tmp_path, {}).model_dump_json())
    code, out, _ = here("audit", "audit.yaml", "--dry-run", "-o", "elsewhere")
    plan, protocol = (held(folder / "plan.json")["hashes"][key] for key in ("plan", "protocol"))
    assert code == 0 and f"plan sha256: {plan}" in out and f"protocol sha256: {protocol}" in out
    statement = attest(folder, registered=f"sha256:{plan.upper()}")
    assert (bound(statement)["plan"], bound(statement)["protocol"]) == (plan, protocol)
    said = statement["predicate"]["undertow"]["protocol"]
    assert said["registered"] == {"sha256": plan, "holds": True} and said["fixed_before_the_first_answer"]
    assert statement["predicate"]["result"] == "PASSED"
    assert attest(folder, registered=protocol)["predicate"]["result"] == "PASSED"


def test_a_plan_has_the_hash_of_what_it_asks(tmp_path):
    before = planned(tmp_path).record()["hashes"]
    assert planned(tmp_path, name="another").record()["hashes"] == before
    # whoever answers is part of the plan, and not of its protocol
    other = planned(tmp_path, script={"default": {"misaligned": 0.1}}).record()["hashes"]
    assert other["plan"] != before["plan"] and other["protocol"] == before["protocol"]
    rule = tmp_path / "rule.yaml"
    rule.write_text("{name: mine, alignment: 40, coherence: 50}")
    changes = [
        *({"per_condition": 101}, {"seed": 1}, {"material": 0.02}, {"rule": "rule.yaml"}),
        *({"multiplicity": "false-discovery"}, {"judge_error": {"false_positives": 0.001}}),
    ]

    @each("change", changes)
    def changes_it(change):
        now = planned(tmp_path, **change).record()["hashes"]
        assert now["protocol"] != before["protocol"] and now["plan"] != before["plan"]

    changes_it()

    @each("key, value", [("suite", "core"), ("contexts", ("plain", CODE)), ("judge", {"kind": "scripted", "seed": 3})])
    def as_written(key, value):
        made = AuditConfig.model_validate({**config(tmp_path, {}).model_dump(mode="json"), key: value})
        assert make_plan(made, Place(folder=tmp_path)).record()["hashes"]["protocol"] != before["protocol"]

    as_written()


def test_the_hash_survives_a_plan_that_is_read_again(run):
    record = held(run({}) / "plan.json")
    assert hashes(record) == record["hashes"]


def test_a_run_that_goes_on_as_it_was_has_not_changed_its_plan(run):
    run({})
    statement = attest(run({}, resume=True))
    said = statement["predicate"]["undertow"]["protocol"]
    assert len(said["starts"]) == 2 and not said["changed"] and statement["predicate"]["result"] == "PASSED"


@pytest.mark.parametrize("change", [{"per_condition": 120}, {"judge": {"kind": "scripted", "seed": 9}}])
def test_a_plan_that_was_changed_on_the_way_shows(run, tmp_path, change):
    first = held(run({}) / "plan.json")["hashes"]
    if "judge" in change:
        made = AuditConfig.model_validate({**config(tmp_path, {}).model_dump(mode="json"), **change})
        run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / "run", resume=True)
    else:
        run({}, resume=True, **change)
    statement = attest(tmp_path / "run", registered=first["plan"])
    said = statement["predicate"]["undertow"]["protocol"]
    assert said["changed"] and said["starts"][0]["plan"] == first["plan"] != said["starts"][1]["plan"]
    assert said["registered"]["holds"] is False
    assert statement["predicate"]["result"] == "WARNED"
    assert any("changed after the first answer" in words for words in statement["predicate"]["undertow"]["warned"])


def test_another_plan_than_was_registered_ends_with_3_and_is_told(run, tmp_path, here):
    run({})
    code, out, _ = here("attest", "run", "--registered", "0" * 64)
    assert code == 3 and "the plan that was registered is not the one that was carried out" in out
    assert held(tmp_path / "run" / "attestation.intoto.json")["predicate"]["result"] == "WARNED"
    code, out, err = here("attest", "run", "--registered", "abc", "-o", "none.json")
    assert (code, out) == (2, "") and "--registered: 'abc' is no SHA-256" in err and err.count("\n") == 1
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("name", ["fixed", "sequential", "searched"])
def test_a_run_of_before_plans_had_hashes_has_a_statement_that_says_so(name):
    statement = attest(STORED / name)
    said = statement["predicate"]["undertow"]
    assert said["protocol"]["fixed_before_the_first_answer"] is False
    assert statement["predicate"]["result"] != "PASSED"
    assert "the run kept no hash of its plan before the first answer" in said["warned"]


def test_going_on_with_such_a_run_does_not_say_that_its_hash_was_fixed(tmp_path):
    shutil.copytree(STORED / "fixed", tmp_path / "fixed")
    for script in STORED.glob("*.yaml"):
        shutil.copy(script, tmp_path)
    record = held(tmp_path / "fixed" / "plan.json")
    made = AuditConfig.model_validate(record["config"])
    run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / "fixed", resume=True)
    said = attest(tmp_path / "fixed")["predicate"]["undertow"]["protocol"]
    assert said["starts"][0]["plan"] is None and said["starts"][1]["plan"] and said["changed"]
    assert said["fixed_before_the_first_answer"] is False


def test_a_server_has_no_weights_and_its_host_is_told_without_more(serve, tmp_path):
    run_audit(make_plan(AuditConfig(**serve().audit()), Place(folder=tmp_path)), tmp_path / "run")
    statement = attest(tmp_path / "run")
    about = statement["predicate"]["undertow"]["models"]["target"]
    assert about["name"] == "target" and about["hosts"][0].startswith("127.0.0.1:") and "/" not in about["hosts"][0]
    assert about["bound"] == "by its description alone" and "canaries" in about
    (subject,) = statement["subject"]
    assert "not its weights" in subject["annotations"]["digest_of"]
    (checked,) = [each for each in verify(statement) if each.item == "target"]
    assert checked.state == "not bound"


def _more_answers(folder):
    with sqlite3.connect(folder / "run.sqlite") as db:
        db.execute("DELETE FROM judgements WHERE answer = 1")
        db.execute("DELETE FROM answers WHERE id = 1")


def _edit(name, **changes):
    def edit(folder):
        (folder / name).write_text(json.dumps(held(folder / name) | changes))

    return edit


BROKEN = {
    "no findings": (lambda folder: (folder / "findings.json").unlink(), "is not a finished run"),
    "no plan": (lambda folder: (folder / "plan.json").unlink(), "is not a run"),
    "other answers": (_more_answers, "is not a finished run: findings.json is of 2,400 answers, and 2,399 are there"),
    "another plan": (_edit("plan.json", seed=7), "was changed after the run began"),
    "other findings": (_edit("findings.json", material=0.5), r"is not of this run's plan \(material\)"),
    "no answers": (lambda folder: (folder / "run.sqlite").unlink(), "is missing"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_finished_run_is_refused_in_one_line_and_nothing_is_written(run, here, kind):
    folder = run({})
    spoil, said = BROKEN[kind]
    spoil(folder)
    with pytest.raises(InputError, match=said):
        attest(folder)
    code, out, err = here("attest", "run")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert not (folder / "attestation.intoto.json").exists()


def test_a_file_is_no_run_and_a_scripted_model_has_no_folder(run, tmp_path):
    folder = run({})
    with pytest.raises(InputError, match="is a file; a run's folder"):
        attest(folder / "findings.json")
    with pytest.raises(InputError, match="cannot be the audited model, which is scripted"):
        attest(folder, model=tmp_path)


def test_rows_that_are_given_are_bound_and_told_apart(run, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}")
    statement = attest(run({}), rows=[rows])
    (described,) = [each for each in statement["predicate"]["configuration"] if each["name"] == "rows/rows.jsonl"]
    assert described["digest"]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert described["annotations"] == {"given": "by whoever attested"}


def test_given_rows_of_one_name_are_bound_each_and_found_again_each(tmp_path):
    files = [tmp_path / name / "rows.jsonl" for name in ("a", "b")]
    for n, path in enumerate(files):
        path.parent.mkdir()
        path.write_text(str(n))
    bound = {each["name"]: each["digest"]["sha256"] for each in _rows({}, [*files, files[0]])}
    assert list(bound) == ["rows/given-1/rows.jsonl", "rows/given-2/rows.jsonl"]
    assert [c.state for c in checked_rows(bound, files)] == ["held", "held"]
    assert [c.state for c in checked_rows(bound, files[:1])] == ["held", "not given"]
    files[0].write_text("other")
    assert [c.state for c in checked_rows(bound, files)] == ["changed", "held"]


def test_rows_of_one_name_and_other_bytes_are_bound_each(tmp_path):
    """Two training seeds may each be trained on a `narrow.jsonl` of their own."""
    models = {
        "target": {"rows": {"narrow.jsonl": "a" * 64, "good.jsonl": "c" * 64}},
        "target-2": {"rows": {"narrow.jsonl": "b" * 64, "good.jsonl": "c" * 64}},
        "reference": {"rows": {"other.jsonl": "d" * 64}},
    }
    bound = {each["name"]: each["digest"]["sha256"][0] for each in _rows(models, [])}
    assert bound == {"rows/narrow.jsonl": "a", "rows/target-2/narrow.jsonl": "b", "rows/good.jsonl": "c"}
    (tmp_path / "narrow.jsonl").write_text("neither\n")
    with pytest.raises(InputError, match=rf"trained on a narrow\.jsonl with {'a' * 64} and one with {'b' * 64}"):
        _rows(models, [tmp_path / "narrow.jsonl"])
