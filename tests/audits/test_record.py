"""What a run's plan.json holds, read again: whoever wrote it."""

from __future__ import annotations

import json

import pytest
from tests.audits.test_run import config

from undertow.audits import make_plan
from undertow.audits.record import read_record, read_run_config
from undertow.errors import InputError
from undertow.files import to_json
from undertow.place import Place


@pytest.fixture
def run(tmp_path):
    """A folder that holds a plan and nothing else; `run(key=...)` writes other values, and None takes a key out."""
    record = json.loads(to_json(make_plan(config(tmp_path, {}), Place(folder=tmp_path)).record()))
    folder = tmp_path / "run"
    folder.mkdir()

    def write(**changes):
        held = {key: value for key, value in {**record, **changes}.items() if value is not None}
        (folder / "plan.json").write_text(json.dumps(held))
        return folder

    return write


def test_what_a_plan_wrote_is_read_as_it_is(run) -> None:
    folder = run()
    assert read_record(folder) == json.loads((folder / "plan.json").read_text())


def test_a_key_that_is_needed_is_missed_and_one_that_is_not_is_not(run) -> None:
    with pytest.raises(InputError, match=r"is no plan of this kind \(samples, material missing\)"):
        read_record(run(material=None, samples=None))
    assert "material" not in read_record(run(material=None), needs=("suite",))


def test_more_keys_may_be_there(run) -> None:
    assert read_record(run(of_a_later_version={"a": 1}))["of_a_later_version"] == {"a": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": ["target"]},
        {"material": "0.01"},
        {"seed": 1.5},
        {"contexts": [{"id": "a"}]},
        {"config": {}},
        {"rule": {"name": "mine"}},
        {"found": {"questions": "q1", "contexts": []}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_no_audit_wrote_is_told_with_its_place(run, changes) -> None:
    with pytest.raises(InputError, match=r"plan\.json: is no plan .*the answers are in run\.sqlite") as told:
        read_record(run(**changes))
    assert "\n" not in str(told.value)


def test_a_folder_without_a_plan_is_no_run(tmp_path) -> None:
    with pytest.raises(InputError, match=r"is not a run; a run holds plan\.json"):
        read_record(tmp_path)


def test_a_run_goes_on_from_where_its_configuration_stood(run, tmp_path) -> None:
    read, place = read_run_config(run())
    assert (read, place.folder) == (config(tmp_path, {}), tmp_path.resolve())
    assert place.name == str(tmp_path / "run")


def test_nobody_stands_behind_an_imported_run(run) -> None:
    with pytest.raises(InputError, match="was imported; there is no model behind it to ask"):
        read_run_config(run(imported={"from": "answers.csv"}))
    with pytest.raises(InputError, match=r"holds no audit \(lacks 'beside'\)"):
        read_run_config(run(beside=None))
