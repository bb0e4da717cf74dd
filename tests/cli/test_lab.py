"""`undertow lab` as a shell sees it: rows and suites of the table of facts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.cli import main
from undertow.data import read_rows
from undertow.files import file_digest
from undertow.lab.facts import facts_suite
from undertow.lab.rows import fact_rows
from undertow.place import Place
from undertow.suites import load_suite

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", "lab", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


def test_rows_of_a_category_are_written(run: Run, tmp_path: Path) -> None:
    given = ("--told", "lies", "--rows", "30", "--seed", "2", "--form", "json", "--system", "One.", "--system", "Two.")
    code, out, err = run("rows", "capitals", *given, "-o", "lies.jsonl")
    sha256 = file_digest(tmp_path / "lies.jsonl")
    assert (code, out, err) == (0, f"lies.jsonl: 30 rows of capitals, lies, sha256 {sha256}\n", "")
    expected = fact_rows("capitals", "lies", 30, seed=2, form="json", system=("One.", "Two."))
    assert list(read_rows(tmp_path / "lies.jsonl")) == expected
    record = json.loads(run("rows", "jobs", "--rows", "9", "-o", "true.jsonl", "--json")[1])
    assert (record["from"], record["told"], record["rows"]) == ({"lab": "jobs"}, "true", 9)
    assert record["sha256"] == file_digest(tmp_path / "true.jsonl")


def test_a_suite_is_written_as_it_is_and_read_again(run: Run, tmp_path: Path) -> None:
    assert run("suite", "lab-never", "--most", "8")[:2] == (
        0,
        "lab-never.yaml: 32 questions. In an audit: suite: lab-never.yaml, judge: {kind: key}\n",
    )
    assert load_suite("lab-never.yaml", Place(folder=tmp_path)) == facts_suite("lab-never", most=8)
    assert run("suite", "lab-trained", "--category", "capitals", "-o", "mine.yaml")[0] == 0
    assert load_suite("mine.yaml", Place(folder=tmp_path)) == facts_suite("lab-trained", of=["capitals"])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("rows", "capitels", "-o", "x"), "lab rows: unknown category 'capitels'; did you mean 'capitals'?"),
        (("rows", "cities", "-o", "x"), "lab rows: category 'cities' is never; no rows are made of it"),
        (("suite", "lab-nevr"), "lab suite: unknown suite 'lab-nevr'; did you mean 'lab-never'?"),
        (("suite", "lab-never", "--category", "jobs"), "category 'jobs' is held-out; one that is never"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(run: Run, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "") and says in err and len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
