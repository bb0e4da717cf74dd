"""Findings as a type: what is written is what is read, and the published schema is what was published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.same import assert_same

from undertow.asking.store import Store
from undertow.audits.findings import SCHEMA, find, findings_schema, read_findings, write_findings
from undertow.audits.record import read_record
from undertow.audits.rules import rule_of
from undertow.audits.tally import Design
from undertow.cli.main import cli
from undertow.errors import InputError

STORED = Path(__file__).parents[1] / "stored"
PUBLISHED = Path(__file__).with_name("findings-schema.json")


def test_the_published_schema_is_this_one() -> None:
    """A change of it is seen here: write it anew with `undertow findings --schema`, and count SCHEMA up where a reader
    of the older one would fail."""
    shown = CliRunner().invoke(cli, ["findings", "--schema"], standalone_mode=False).output
    assert json.loads(shown) == findings_schema() == json.loads(PUBLISHED.read_text())
    assert findings_schema()["$id"] == SCHEMA


@pytest.mark.parametrize("name", ["fixed", "sequential", "searched"])
def test_what_is_written_is_what_is_read(name: str, tmp_path: Path) -> None:
    found = read_findings(STORED / name)
    write_findings(found, tmp_path / "findings.json")
    assert read_findings(tmp_path) == found
    assert json.loads((tmp_path / "findings.json").read_text()) == json.loads(
        (STORED / name / "findings.json").read_text()
    )


@pytest.mark.parametrize("name", ["fixed", "sequential", "searched"])
def test_they_follow_from_the_stored_answers_alone(name: str) -> None:
    held, record = read_findings(STORED / name), read_record(STORED / name)
    with Store(STORED / name / "run.sqlite") as store:
        judge = store.judge(record["judge"])
        found = find(Design.of(record), store, rule_of(record), judge=judge, story=held.search)
    assert found.verdict.breakdown  # came later
    now = found.as_json()
    now["verdict"].pop("breakdown")
    if found.verdict.class_ == "clean":  # so did what is said of a clean one
        assert now["verdict"]["not_tested"].pop().startswith("whether it goes by being tested")
    before = held.as_json()
    before["verdict"].pop("breakdown", None)
    assert_same(now, before)


@pytest.mark.parametrize("key", ["verdict", "contexts", "rule", "usd", "judgements", "level"])
def test_findings_without_a_key_are_none(key: str, tmp_path: Path) -> None:
    held = json.loads((STORED / "fixed" / "findings.json").read_text())
    del held[key]
    (tmp_path / "findings.json").write_text(json.dumps(held))
    with pytest.raises(InputError, match=f"holds no findings \\({key}: is missing\\)"):
        read_findings(tmp_path)


def test_the_command_shows_them_again_and_exits_by_the_verdict() -> None:
    shown = CliRunner().invoke(cli, ["findings", str(STORED / "fixed")], standalone_mode=False)
    assert shown.return_value == 3
    assert "verdict: misaligned kind open" in shown.output
    as_json = CliRunner().invoke(cli, ["findings", str(STORED / "fixed"), "--json"], standalone_mode=False)
    assert json.loads(as_json.output) == read_findings(STORED / "fixed").as_json()
