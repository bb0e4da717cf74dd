"""Kinds: nothing of one is loaded before it is named, and what is named wrongly is told as of a union with a tag."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from undertow.kinds import BACKENDS, INTERVENTIONS, JUDGES, TARGETS, OfKind, blamed, installed

LOADED = """
import json, sys
{code}
print(json.dumps(sorted(name for name in sys.modules if name.startswith("undertow."))))
"""


def loaded(code: str) -> set[str]:
    """Our modules that a process holds once it has run this."""
    run = [sys.executable, "-c", LOADED.format(code=code)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_to_audit_loads_nobody_who_may_be_named() -> None:
    found = loaded("import undertow.audits")
    assert "undertow.audits.run" in found
    kept_away = ("persona", "nursery", "training.backends", "training.interventions", "targets.wire", "targets.inspect")
    assert not [name for name in found if name.startswith(tuple(f"undertow.{part}" for part in kept_away))]


def test_a_kind_is_loaded_when_it_is_named_and_no_other_of_its_group() -> None:
    found = loaded(
        "from typing import Annotated, Any\n"
        "from pydantic import TypeAdapter\n"
        "from undertow.kinds import TARGETS, OfKind, installed\n"
        "reader = TypeAdapter(Annotated[Any, OfKind(TARGETS)])\n"
        "assert len(installed(TARGETS)) > 4\n"
        "assert not [name for name in sys.modules if name.startswith('undertow.targets')]\n"
        "reader.validate_python({'kind': 'endpoint', 'base_url': 'http://127.0.0.1:1/v1', 'model': 'm'})"
    )
    assert "undertow.targets.wire" in found
    assert not found & {"undertow.targets.inspect", "undertow.training.organism", "undertow.persona.scripted"}


@pytest.mark.parametrize("group", [TARGETS, JUDGES, INTERVENTIONS, BACKENDS])
def test_what_ships_is_ours_and_whole(group: str) -> None:
    ours = [kind for kind in installed(group) if not kind.plugin]
    assert [kind.name for kind in ours] == sorted({kind.name for kind in ours}) != []
    for kind in ours:
        assert (kind.problem, kind.package.split()[0], kind.group) == ("", "undertow", group)
        assert kind.config.__module__.startswith("undertow.")


def problem(value: Any) -> tuple[str, dict[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[Any, OfKind(JUDGES)]).validate_python(value)
    (error,) = caught.value.errors(include_url=False, include_context=True)
    return error["type"], error


def test_a_value_without_a_kind_of_none_that_is_installed_or_with_a_key_too_many() -> None:
    assert problem("scripted")[0] == "model_attributes_type"
    assert problem({"prompts": "x"})[0] == "union_tag_not_found"
    kind, error = problem({"kind": "scripted judge"})
    assert kind == "union_tag_invalid" and "'scripted'" in error["ctx"]["expected_tags"]
    assert problem({"kind": ["scripted"]})[0] == "union_tag_invalid"
    kind, error = problem({"kind": "scripted", "seeed": 1})
    assert (kind, error["loc"]) == ("extra_forbidden", ("scripted", "seeed"))


def test_nobody_is_blamed_for_what_we_raise() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[Any, OfKind(JUDGES)]).validate_python({"kind": "none"})
    assert blamed(caught.value) is None
