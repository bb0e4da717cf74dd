"""Where results come from: what a start says, and how those of a run that goes on are kept."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from undertow.provenance import start, started_again, versions


def test_a_start_says_who_worked_and_how_it_was_called(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["undertow", "audit", "x.yaml"])
    said = start()
    assert set(said) == {"at", "versions", "revision", "command"}
    assert abs(datetime.fromisoformat(said["at"]) - datetime.now(UTC)) < timedelta(seconds=60)
    assert said["command"] == ["undertow", "audit", "x.yaml"]
    assert said["versions"]["python"] == platform.python_version()
    assert said["versions"]["numpy"] == version("numpy")


def test_versions_are_the_callers_own() -> None:
    held = versions()
    held["numpy"] = "0"
    assert versions()["numpy"] == version("numpy")


def test_the_first_start_stays_and_later_ones_are_added_in_order() -> None:
    def now(word: str) -> dict[str, object]:
        return {"versions": {"python": word}, "revision": word, "command": [word], "other": word}

    first = now("a") | {"answers": 5}
    second = started_again(first, now("b"), changed={})
    assert second == {
        "versions": {"python": "a"},
        "revision": "a",
        "command": ["a"],
        "resumed": [{"versions": {"python": "b"}, "revision": "b", "command": ["b"]}],
    }
    third = started_again(second, now("c"), changed={"samples": {"per_condition": 5}})
    assert [again["revision"] for again in third["resumed"]] == ["b", "c"]
    assert third["resumed"][1]["before"] == {"samples": {"per_condition": 5}}
    assert len(second["resumed"]) == 1  # what was there is left as it was


def test_a_record_that_holds_no_start_of_its_own_gets_none() -> None:
    again = started_again({}, {"versions": {}, "revision": None, "command": []}, changed={})
    assert again == {"resumed": [{"versions": {}, "revision": None, "command": []}]}
