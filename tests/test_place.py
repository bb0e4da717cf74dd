from __future__ import annotations

from pathlib import Path

import pytest

from undertow.errors import InputError
from undertow.place import HERE, Place


def test_a_file_s_paths_are_relative_to_its_folder_and_errors_name_it() -> None:
    place = Place.of(Path("lab/audit.yaml"))
    assert (place.path("rule.yaml"), str(place)) == (Path("lab/rule.yaml"), "lab/audit.yaml")
    assert place.path(Path("/elsewhere/rule.yaml")) == Path("/elsewhere/rule.yaml")
    assert str(InputError(place.key("target"), "is odd")) == "lab/audit.yaml: target: is odd"
    assert place.key("target").folder == place.folder


def test_a_place_without_a_name_takes_that_of_what_stands_in_it() -> None:
    assert HERE.or_named("audit") == Place(name="audit")
    assert Place.of(Path("lab/audit.yaml")).or_named("audit").name == "lab/audit.yaml"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("no such file", "audit.yaml: rule: rule.yaml: no such file; expected; do"),
        ("is not valid YAML", "rule.yaml: is not valid YAML; expected; do"),
    ],
)
def test_only_that_a_file_is_missing_is_told_with_the_key_that_names_it(found: str, said: str) -> None:
    with pytest.raises(InputError) as told, Place(name="audit.yaml").reading("rule"):
        raise InputError("rule.yaml", found, expected="expected", do="do")
    assert str(told.value) == said
