"""What an `audit.yaml` may say: designs that contradict themselves, and who is asked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.each import each

from undertow.audits.settings import AuditConfig, SamplesConfig, subjects


@each(
    "given, record",
    [
        ({}, {"per_condition": 100}),
        ({"per_condition": 7}, {"per_condition": 7}),
        ({"until": "verdict"}, {"until": "verdict", "alpha": 0.05, "max_per_condition": 250}),
        (
            {"until": "every-context", "alpha": 0.01, "max_per_condition": 9},
            {"until": "every-context", "alpha": 0.01, "max_per_condition": 9},
        ),
    ],
)
def test_a_design_records_the_keys_that_matter_for_it(given, record) -> None:
    assert SamplesConfig(**given).record() == {**record, "temperature": 1.0, "max_tokens": 512}
    assert SamplesConfig(**given).most == record.get("per_condition", record.get("max_per_condition"))


@each(
    "given, says",
    [
        ({"alpha": 0.01}, "alpha and max_per_condition go with `until`"),
        ({"max_per_condition": 9}, "alpha and max_per_condition go with `until`"),
        ({"temperature": 0}, "temperature: 0 gives one answer"),
        ({"temperature": 0, "until": "verdict"}, "temperature: 0 gives one answer"),
        ({"until": "verdict", "per_condition": 5}, "with `until` set max_per_condition"),
        ({"until": "verdict", "alpha": 0.5}, "less than 0.5"),
        ({"temperature": float("inf")}, "finite"),
    ],
)
def test_a_design_that_contradicts_itself(given, says) -> None:
    with pytest.raises(ValidationError, match=says):
        SamplesConfig(**given)


def test_one_greedy_answer_is_a_design() -> None:
    assert SamplesConfig(temperature=0, per_condition=1).most == 1


SCRIPTED = {"kind": "scripted", "script": "planted.yaml"}


def audit(**more) -> AuditConfig:
    given = {"name": "x", "target": SCRIPTED, "judge": {"kind": "scripted"}, "suite": "nursery", "contexts": ["plain"]}
    return AuditConfig(**{**given, **more})


@each(
    "given, says",
    [
        ({"target": []}, "an empty list"),
        ({"samples": {"until": "verdict"}, "verdict_of": "this-recipe"}, "has no interval for their recipe"),
        ({"samples": {"until": "verdict"}, "multiplicity": "false-discovery"}, "corrects by Holm"),
        ({"material": 0}, "greater than 0"),
        ({"material": 1}, "less than 1"),
        ({"contexts": []}, "at least 1"),
        ({"contxts": ["plain"]}, "contxts"),
    ],
)
def test_an_audit_that_contradicts_itself(given, says) -> None:
    with pytest.raises(ValidationError, match=says):
        audit(**given)


def test_training_seeds_are_numbered_from_the_second_and_the_reference_comes_last() -> None:
    assert list(subjects(("a", "b", "c"), "base")) == ["target", "target-2", "target-3", "reference"]
    assert subjects(("a",), None) == {"target": "a"}
    assert audit().target == audit(target=[SCRIPTED]).target  # one is a list of one
