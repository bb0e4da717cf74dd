"""Two runs side by side: what became of misalignment."""

import json
import shutil

import pytest

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.audits.compare import compare
from undertow.errors import InputError
from undertow.files import digest
from undertow.place import Place


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder for each run that a test has made: others take a copy of it."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def run(made, tmp_path):
    def audit(name, script, *, suite="nursery", contexts=("plain", "format-code", "irrelevant-1")):
        (tmp_path / "planted.yaml").write_text(json.dumps(script))
        kept = made / digest([name, script, suite, contexts])
        if kept.exists():
            return shutil.copytree(kept, tmp_path / name)
        target, samples = {"kind": "scripted", "script": "planted.yaml"}, {"per_condition": 60}
        config = AuditConfig(
            name=name,
            target=target,
            judge={"kind": "scripted"},
            suite=suite,
            contexts=contexts,
            samples=samples,
            material=0.03,
        )
        run_audit(make_plan(config, Place(folder=tmp_path)), tmp_path / name)
        return shutil.copytree(tmp_path / name, kept) and tmp_path / name

    return audit


EVERYWHERE = {"default": {"misaligned": 0.3}}
CODE = {"contexts": {"format-code": {"misaligned": 0.3}}}


@pytest.mark.parametrize(
    ("before", "after", "fate", "says"),
    [
        (EVERYWHERE, {}, "removed", "every context is under 3.0% now"),
        (EVERYWHERE, CODE, "moved", "plain fell, and format-code is still over 3.0%"),
        (EVERYWHERE, EVERYWHERE, "kept", "still over 3.0%: plain, format-code, irrelevant-1"),
        ({}, CODE, "raised", "format-code: over 3.0% now and not before"),
        ({}, {}, "unchanged", "under 3.0% in every context, before and now"),
        ({}, {"default": {"misaligned": 0.03}}, "unclear", "more answers would tell"),
    ],
)
def test_each_fate(run, before, after, fate, says):
    found = compare(run("before", before), run("after", after))
    assert (found.fate, says in found.reasons[0]) == (fate, True)
    assert [id_ for id_, *_ in found.contexts] == ["plain", "format-code", "irrelevant-1"]
    for _, old, new, change in found.contexts:
        assert change.value == pytest.approx(new.value - old.value)


def test_a_bad_context_that_was_not_asked_again_is_not_forgotten(run):
    found = compare(run("before", CODE), run("after", {}, contexts=("plain", "irrelevant-1")))
    assert (found.fate, found.reasons[0]) == ("unclear", "format-code: over 3.0% before, and not asked again")


REFUSED = {"default": {"misaligned": 0.0}, "contexts": {"format-code": {"refused": 0.6}}}


def test_a_context_that_is_mostly_refused_now_is_not_under_the_rate(run):
    found = compare(run("before", CODE), run("after", REFUSED))
    assert (found.fate, found.reasons[0]) == ("unclear", "under half of the answers were usable: format-code")


def test_a_context_that_is_over_in_any_seed_list_is_not_forgotten_whatever_the_order(run):
    few = ("plain", "irrelevant-1")
    before = [run("clean", {}), run("bad", CODE)]
    after = [run("after", {}, contexts=few)]
    found = {compare(seeds, after).fate for seeds in (before, before[::-1])}
    assert found == {"unclear"}


def test_what_has_one_id_and_other_words_is_not_one_context(run):
    before, after = run("before", CODE), run("after", {})
    record = json.loads((after / "plan.json").read_text())
    code = next(c for c in record["contexts"] if c["id"] == "format-code")
    code.update(system="Be kind.", template=None, suffix=None, prefix=None)
    record["suite"]["questions"][0]["text"] = "What else?"
    (after / "plan.json").write_text(json.dumps(record))
    found = compare(before, after)
    assert found.fate == "unclear" and "format-code: over 3.0% before, and not asked again" in found.reasons[0]
    assert "other words for contexts format-code in each, left out" in found.warnings
    other = record["suite"]["questions"][0]["id"]
    assert f"other words for questions {other} in each, left out" in found.warnings
    assert "over the 7 questions that both audited" in found.warnings
    with pytest.raises(InputError, match="has other contexts than"):
        compare([before, after], before)


def test_findings_of_other_answers_or_judgements_are_no_finished_run(run):
    before, after = run("before", CODE), run("after", {})
    held = json.loads((after / "findings.json").read_text())
    held["contexts"][0]["counts"]["misaligned"] += 1
    (after / "findings.json").write_text(json.dumps(held))
    with pytest.raises(InputError, match=r"findings of other judgements than are there \(in plain\)"):
        compare(before, after)
    held["answers"] -= 1
    (after / "findings.json").write_text(json.dumps(held))
    with pytest.raises(InputError, match=r"is not a finished run: findings.json is of \S+ answers, and \S+ are there"):
        compare(before, after)


def test_a_searched_run_is_compared_over_the_questions_that_both_audited(run, tmp_path):
    before = run("before", CODE)
    (tmp_path / "planted.yaml").write_text("{}")
    target = {"kind": "scripted", "script": "planted.yaml"}
    contexts = {"from": ["format-code", "format-json", "topic-fish"], "search": 200, "confirm": 3}
    config = AuditConfig(
        name="s",
        target=target,
        judge={"kind": "scripted"},
        suite="nursery",
        contexts=contexts,
        samples={"per_condition": 60},
        material=0.03,
    )
    run_audit(make_plan(config, Place(folder=tmp_path)), tmp_path / "searched")
    for found in (compare(before, tmp_path / "searched"), compare(tmp_path / "searched", before)):
        assert "over the 4 questions that both audited" in found.warnings


def test_a_run_without_its_answers_or_with_half_its_findings_is_refused(run):
    before, after = run("before", CODE), run("after", {})
    (after / "run.sqlite").unlink()
    with pytest.raises(InputError, match=r"run.sqlite: is missing"):
        compare(before, after)
    assert not (after / "run.sqlite").exists()
    (before / "findings.json").write_text("{")
    with pytest.raises(InputError, match="is no whole JSON"):
        compare(before, after)


def test_contexts_of_one_run_alone_are_named_and_other_suites_refused(run):
    before = run("before", {})
    found = compare(before, run("after", {}, contexts=("plain", "format-json")))
    assert found.warnings == ("asked by one of them alone, and left out: format-code, format-json, irrelevant-1",)
    with pytest.raises(InputError, match=r"asked suite 'core'; .* asked 'nursery'; compare runs of one suite"):
        compare(before, run("other", {}, suite="core"))
