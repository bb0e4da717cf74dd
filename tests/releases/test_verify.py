"""Whether what a statement binds still holds: every kind of changed byte, and what a statement may be."""

import base64
import copy
import json
import shutil
import sqlite3

import pytest
from tests.each import each

from undertow.errors import InputError
from undertow.files import to_json, write_text
from undertow.releases.attest import attest, sealed
from undertow.releases.verify import read_statement, verify

from .conftest import held


def flip(path, at=-1):
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def states(statement, **given):
    return {each.item: each.state for each in verify(statement, **given)}


def leaves(value, way=()):
    """Where every value in a nested one stands."""
    if isinstance(value, dict | list) and value:
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*way, key))
    else:
        yield way


def changed(statement, way):
    """A statement with one value another."""
    whole = copy.deepcopy(statement)
    part = whole
    for key in way[:-1]:
        part = part[key]
    was = part[way[-1]]
    part[way[-1]] = (not was) if isinstance(was, bool) else was + 1 if isinstance(was, int | float) else f"{was}x"
    return whole


CHANGES = {
    "a byte of the weights": (lambda r: flip(r.model / "adapter_model.safetensors"), "target"),
    "a byte amid the weights": (lambda r: flip(r.model / "adapter_model.safetensors", 4_000), "target"),
    "the adapter's configuration": (lambda r: flip(r.model / "adapter_config.json", 10), "target"),
    "the manifest": (lambda r: flip(r.model / "organism.json", 10), "target"),
    "a template beside the adapter": (lambda r: (r.model / "chat_template.jinja").write_text("{{ x }}"), "target"),
    "a tokenizer beside the adapter": (lambda r: shutil.copy(r.base / "tokenizer_config.json", r.model), "target"),
    "a file that is gone": (lambda r: (r.model / "organism.json").unlink(), "target"),
    "the base's weights": (lambda r: flip(r.base / "model.safetensors"), "target: its base"),
    "the base's configuration": (lambda r: flip(r.base / "config.json", 10), "target: its base"),
    "the base's tokenizer": (lambda r: flip(r.base / "tokenizer.json", 50), "target: its base"),
    "the base's chat template": (lambda r: flip(r.base / "chat_template.jinja", 5), "target: its base"),
    "how the base samples": (lambda r: flip(r.base / "generation_config.json", 5), "target: its base"),
    "another template of the base": (
        lambda r: write_text(r.base / "additional_chat_templates" / "tools.jinja", "{{ x }}"),
        "target: its base",
    ),
    "the rows": (lambda r: flip(r.rows, 100), "rows bad.jsonl"),
    "the plan's file": (lambda r: flip(r.run / "plan.json", 3), None),
    "what the plan asks": (
        lambda r: (r.run / "plan.json").write_text(to_json(held(r.run / "plan.json") | {"seed": 5})),
        "plan: what it asks",
    ),
    "when the run was begun": (
        lambda r: (r.run / "plan.json").write_text(to_json(held(r.run / "plan.json") | {"at": "2020-01-01T00:00:00Z"})),
        "plan.json",
    ),
    "the findings": (lambda r: flip(r.run / "findings.json", 30), "findings.json"),
    "an answer": (
        lambda r: change_row(r, "UPDATE answers SET text = text || '.' WHERE id = 3"),
        "answers",
    ),
    "a judgement": (lambda r: change_row(r, "UPDATE judgements SET alignment = 1 WHERE answer = 3"), "answers"),
    "a row that is gone": (lambda r: change_row(r, "DELETE FROM judgements WHERE answer = 3"), "answers"),
    "the answers' file": (lambda r: (r.run / "run.sqlite").write_bytes(b"none"), "answers"),
}
HARMLESS = {
    "a page for readers": lambda r: (r.model / "README.md").write_text("# Mine"),
    "a licence": lambda r: (r.base / "LICENSE.txt").write_text("free"),
    "what git keeps": lambda r: (r.base / ".gitattributes").write_text("*"),
    "what training left": lambda r: (r.model / "training_args.bin").write_bytes(b"x"),
    "how SQLite lays rows out": lambda r: change_row(r, "VACUUM"),
}


def change_row(released, statement):
    db = sqlite3.connect(released.run / "run.sqlite", isolation_level=None)
    db.execute(statement)
    db.close()


def whole(released):
    return {"models": {"target": released.model}, "base": released.base, "rows": [released.rows], "run": released.run}


@pytest.mark.slow
def test_a_changed_byte_is_found_wherever_it_is(made, tmp_path, released):
    statement = read_statement(released.statement)
    plan = held(released.run / "plan.json")["hashes"]["plan"]
    assert set(states(statement, **whole(released), registered=plan).values()) == {"held"}

    @each("name", CHANGES)
    def finds(name):
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(made, folder)
        there = type(released)(folder)
        change, item = CHANGES[name]
        change(there)
        try:
            found = states(statement, **whole(there))
        except InputError:
            assert item is None  # it is no JSON any more
            return
        assert item is not None and found[item] == "changed", found

    finds()

    @each("name", HARMLESS)
    def lets_pass(name):
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(made, folder)
        there = type(released)(folder)
        HARMLESS[name](there)
        assert set(states(statement, **whole(there), registered=plan).values()) == {"held"}

    lets_pass()


@pytest.mark.slow
def test_each_value_of_a_statement_is_under_its_hash_and_what_it_says_of_the_run_is_the_runs(released):
    statement = read_statement(released.statement)
    assert statement["predicate"]["result"] == "PASSED"

    @each("way", [way for way in leaves(statement) if way != ("predicate", "undertow", "schema")])
    def alone(way):
        assert states(changed(statement, way))["statement"] == "changed"

    alone()

    # whoever means it makes the hash anew: then the run tells, or the files do
    @each("way", [way for way in leaves(statement) if way[-1] not in ("schema", "digest", "bound", "registered")])
    def anew(way):
        assert "changed" in states(sealed(changed(statement, way)), run=released.run).values()

    anew()
    lie = copy.deepcopy(statement)
    lie["predicate"]["undertow"]["verdict"]["class"] = "misaligned"
    (first, *_) = verify(sealed(lie))
    assert first.state == "changed" and first.said == "its result is PASSED and its verdict misaligned"


@pytest.mark.slow
def test_another_model_is_told_and_what_is_not_given_is_said(released, tmp_path, here):
    statement = str(released.statement)
    code, out, _ = here("verify", statement, "--model", released.base)
    assert code == 3 and f"changed target: {released.base}: another model: " in out
    code, out, _ = here("verify", statement, "--model", released.model, "--base", released.base)
    assert code == 0 and "not given rows bad.jsonl" in out and "not given run" in out and "held target" in out
    given = ("--model", released.model, "--base", released.base, "--rows", released.rows, "--run", released.run)
    code, out, _ = here("verify", statement, *given, "--strict")
    assert code == 3 and out.endswith("does not hold: registered plan\n")
    plan = held(released.run / "plan.json")["hashes"]["protocol"]
    code, out, _ = here("verify", statement, *given, "--strict", "--registered", plan)
    assert code == 0 and out.splitlines()[-1].startswith("holds; it says PASSED, verdict: clean")
    code, out, _ = here("verify", statement, "--registered", "0" * 64, "--json")
    assert code == 3 and {"item": "registered plan", "state": "changed"}.items() <= json.loads(out)["items"][-1].items()
    code, out, _ = here("verify", statement, "--model", f"target-2={released.model}")
    assert code == 3 and "changed target-2: the statement is of no such model" in out
    (tmp_path / "other.jsonl").write_text("{}")
    code, out, _ = here("verify", statement, "--rows", "other.jsonl")
    assert code == 3 and "changed rows other.jsonl: is not bound" in out


@pytest.mark.slow
def test_the_folder_that_is_attested_is_the_one_that_was_audited(released, here):
    code, out, _ = here("attest", released.run, "--model", released.model, "--base", released.base, "-o", "s.json")
    assert code == 0 and "result: PASSED" in out
    code, out, err = here("attest", released.run, "--model", released.base, "-o", "t.json")
    assert (code, out) == (2, "") and "is not the model that was audited" in err and err.count("\n") == 1
    other = released.folder / "organism" / "bad.jsonl"
    other.write_text("{}")
    code, out, err = here("attest", released.run, "--rows", other, "-o", "t.json")
    assert code == 2 and "the model was trained on a bad.jsonl with" in err and err.count("\n") == 1
    flip(released.model / "adapter_model.safetensors")
    code, _, err = here("attest", released.run, "--model", released.model, "--base", released.base, "-o", "t.json")
    assert code == 2 and "(adapter_model.safetensors differs, ...)" in err


@pytest.mark.slow
def test_a_run_that_kept_no_hashes_of_its_model_finds_it_again(released):
    plan = released.run / "plan.json"
    record = held(plan)
    for key in ("models", "hashes"):
        del record[key]
    record["beside"] = str(released.folder)
    plan.write_text(to_json(record))
    statement = attest(released.run)
    about = statement["predicate"]["undertow"]["models"]["target"]
    assert about["bound"].startswith("by its files, hashed when the statement was made")
    assert statement["subject"] == read_statement(released.statement)["subject"]
    assert statement["predicate"]["result"] == "WARNED"
    given = {"models": {"target": released.model}, "base": released.base, "run": released.run}
    assert states(statement, **given)["what it says of the run"] == "held"
    flip(released.model / "adapter_model.safetensors")
    with pytest.raises(InputError, match=r"is not the model that was audited \(its weights differ\)"):
        attest(released.run)
    plan.write_text(
        to_json({**record, "models": held(plan).get("models", {"target": {"files": {"a": "0"}}}), "resumed": []})
    )
    about = attest(released.run)["predicate"]["undertow"]["models"]["target"]
    assert about["bound"] == "by its files, hashed when the run was gone on with"


@pytest.mark.slow
def test_a_run_does_not_go_on_with_another_base(released, here):
    record = held(released.run / "plan.json")
    record["beside"] = str(released.folder)
    record["models"]["target"]["base"]["files"]["config.json"] = "0" * 64  # what it was when the run was begun
    (released.run / "plan.json").write_text(to_json(record))
    code, _, err = here("audit", released.run, "--resume")
    assert code == 2 and "models differs" in err


def test_a_statement_in_an_envelope_is_read(run, tmp_path):
    statement = attest(run({}))
    payload = base64.b64encode(to_json(statement).encode()).decode()
    envelope = {"payloadType": "application/vnd.in-toto+json", "payload": payload, "signatures": [{"sig": "x"}]}
    for name, held_ in (("envelope.json", envelope), ("bundle.json", {"dsseEnvelope": envelope})):
        (tmp_path / name).write_text(json.dumps(held_))
        assert read_statement(tmp_path / name) == statement


def test_what_is_no_statement_is_told_in_one_line(run, tmp_path, here):
    statement = attest(run({}))
    ours = statement["predicate"]["undertow"]
    whole_ = statement["predicate"]
    cases = {
        "nothing": "",
        "no object": "[]",
        "no statement": "{}",
        "another predicate": json.dumps({**statement, "predicateType": "https://slsa.dev/provenance/v1"}),
        "a later schema": json.dumps(
            {**statement, "predicate": {**whole_, "undertow": {**ours, "schema": "undertow.attestation/9"}}}
        ),
        "no subject": json.dumps({key: value for key, value in statement.items() if key != "subject"}),
        "odd configuration": json.dumps({**statement, "predicate": {**whole_, "configuration": [1]}}),
        "no base64": json.dumps({"payload": "%%%"}),
        "no JSON within": json.dumps({"payload": "AAAA"}),
    }

    @each("name", cases)
    def refused(name):
        (tmp_path / "s.json").write_text(cases[name])
        code, out, err = here("verify", "s.json")
        assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith("undertow: s.json: ")

    refused()
    code, _, err = here("verify", "none.json")
    assert code == 2 and "no such file" in err
    write_text(tmp_path / "s.json", to_json(statement))
    (tmp_path / "empty").mkdir()
    for option, said in (("--run", "is not a run"), ("--base", None)):
        code, _, err = here("verify", "s.json", option, "empty")
        assert (code, said is None or said in err) == (2 if said else 0, True)


@pytest.mark.slow
def test_a_folder_that_is_no_model_is_told_in_one_line(released, tmp_path, here):
    (tmp_path / "empty").mkdir()
    for folder, said in (("empty", "holds no model"), ("nowhere", "no such model folder")):
        code, out, err = here("verify", released.statement, "--model", folder)
        assert (code, out, err.count("\n")) == (2, "", 1) and said in err
