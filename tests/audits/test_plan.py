"""A plan: what it asks, in which order, and what it refuses before anything is asked."""

from __future__ import annotations

import json

import pytest
from tests.audits.test_run import config
from tests.each import each

from undertow.audits import make_plan
from undertow.errors import InputError
from undertow.place import Place
from undertow.records import Context


def planned(tmp_path, *, per_condition=3, **update):
    made = config(tmp_path, {}, per_condition=per_condition)
    return make_plan(type(made).model_validate({**made.model_dump(by_alias=True), **update}), Place(folder=tmp_path))


def test_every_condition_is_asked_once_before_any_is_asked_again(tmp_path) -> None:
    plan = planned(tmp_path)
    requests = list(plan.requests())
    n = len(plan.suite.questions) * 3
    assert len(requests) == plan.n_answers == 3 * n
    for sample in range(3):
        of = requests[sample * n : (sample + 1) * n]
        assert {r.sample for r in of} == {sample}
        assert len({(r.condition.context.id, r.condition.question.id) for r in of}) == n
    assert len({r.key for r in requests}) == len({r.seed for r in requests}) == 3 * n


def test_seeds_follow_from_the_audits_own_and_from_nothing_else(tmp_path) -> None:
    seeds = [[r.seed for r in planned(tmp_path, **more).requests()] for more in ({}, {}, {"seed": 1}, {"name": "y"})]
    assert seeds[0] == seeds[1] == seeds[3] and not set(seeds[0]) & set(seeds[2])


def test_a_reference_is_asked_the_same_with_seeds_of_its_own(tmp_path) -> None:
    plan = planned(tmp_path, reference={"kind": "scripted", "script": "planted.yaml"})
    target, reference = ([r for r in plan.requests() if r.subject == who] for who in ("target", "reference"))
    assert [(r.condition, r.sample) for r in target] == [(r.condition, r.sample) for r in reference]
    assert not {r.seed for r in target} & {r.seed for r in reference}
    assert plan.n_answers == len(target) + len(reference)


def test_a_search_counts_its_own_answers_and_what_it_confirms_on_the_other_half_of_the_questions(tmp_path) -> None:
    plan = planned(tmp_path, contexts={"search": 600, "confirm": 2})
    assert len(plan.suite.questions) == 8
    assert plan.n_answers == 600 + 4 * (2 + 3) * 3
    assert len(plan.controls) == 2 and not set(plan.controls) & set(plan.candidates)


def test_the_record_says_what_must_be_as_it_was_and_is_json(tmp_path) -> None:
    record = planned(tmp_path).record()
    assert "judge" in record and "judge" not in record["fixed"]
    assert set(record["fixed"]) <= set(record)
    assert {"suite", "contexts", "samples", "seed", "rule", "material", "targets"} <= set(record["fixed"])
    assert (record["answers"], record["beside"]) == (72, str(tmp_path.resolve()))
    assert json.loads(json.dumps(record))["config"]["name"] == "run"


@each(
    "contexts, says",
    [
        (["format-code"], "has no plain context; every context is held against plain; add 'plain' to contexts"),
        (["plain", Context(id="bare", relation="plain")], r"has 2 plain contexts \(plain, bare\)"),
        (["plain", "formt-code"], "unknown context 'formt-code'"),
    ],
)
def test_contexts_that_no_verdict_can_rest_on(contexts, says, tmp_path_factory) -> None:
    with pytest.raises(InputError, match=says):
        planned(tmp_path_factory.mktemp("plan"), contexts=contexts)


def test_a_mistake_names_the_key_that_it_is_under(tmp_path) -> None:
    with pytest.raises(InputError, match="rule"):
        planned(tmp_path, rule="no-such-rule")
    with pytest.raises(InputError, match=r"^audit: reference: .*gone\.yaml"):
        planned(tmp_path, reference={"kind": "scripted", "script": "gone.yaml"})
