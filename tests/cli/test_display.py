"""Numbers as the terminal shows them."""

import pytest
from rich.progress import Progress

from undertow.cli.display import Bars, Table, results
from undertow.errors import number
from undertow.words import filed_rate


@pytest.mark.parametrize(
    ("found", "points", "shown"),
    [
        ({"value": 0.062, "low": 0.031, "high": 0.109}, False, "6.2% [3.1, 10.9]"),
        ({"value": 0.062, "low": -0.031, "high": 0.109}, True, "+6.2 [-3.1, +10.9]"),
        ({"value": 0.5, "low": None, "high": None}, False, "50.0%"),
        ({"value": None, "low": None, "high": None}, False, "—"),
        (None, False, "—"),
    ],
)
def test_a_share_with_its_limits_or_without(found: dict[str, float | None] | None, points: bool, shown: str) -> None:
    assert filed_rate(found, signed=points) == shown


LONG = "derived-format-python-string"


def shown_table(monkeypatch, capsys, columns):
    if columns:
        monkeypatch.setenv("COLUMNS", str(columns))
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("context", "rate", "minus plain", "wraps", title="misaligned answers")
    for id_ in (LONG, f"{LONG}-2"):
        table.add_row(
            id_, "33.8% [28.5, 39.1]", "+30.1 [+24.0, +36.2]", "system: answer as code, in as few words as can be"
        )
    results().print(table)
    return capsys.readouterr().out


def cells(shown, column):
    """A column's text with its folds undone."""
    return "".join(line.split("│")[column + 1].strip() for line in shown.splitlines() if line.startswith("│"))


@pytest.mark.parametrize("columns", [30, 60, 80, 100])
def test_a_table_is_folded_to_the_terminal_and_loses_nothing(monkeypatch, capsys, columns):
    shown = shown_table(monkeypatch, capsys, columns)
    assert max(map(len, shown.splitlines())) <= columns and "…" not in shown
    assert cells(shown, 0) == f"{LONG}{LONG}-2"
    assert cells(shown, 1).replace(" ", "") == "33.8%[28.5,39.1]" * 2
    assert cells(shown, 2).replace(" ", "") == "+30.1[+24.0,+36.2]" * 2


def test_words_stay_whole_as_long_as_they_fit(monkeypatch, capsys):
    shown = shown_table(monkeypatch, capsys, 80)
    assert all(whole in shown for whole in (f"{LONG}-2 ", "[28.5,", "+36.2]", "answer"))


def test_in_a_pipe_a_table_is_as_wide_as_what_it_holds(monkeypatch, capsys):
    shown = shown_table(monkeypatch, capsys, None)
    assert (
        f"│ {LONG}   │ 33.8% [28.5, 39.1] │ +30.1 [+24.0, +36.2] │ system: answer as code, in as few words as can be │"
    ) in shown
    results().print("a line " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_one_of_a_thing_and_several():
    assert [number(n, "training seed") for n in (0, 1, 2, 1200)] == [
        "0 training seeds",
        "1 training seed",
        "2 training seeds",
        "1,200 training seeds",
    ]


def test_what_is_done_under_a_name_has_one_bar_until_it_ends():
    shown = Progress(disable=True)
    bars = Bars(shown)
    tell = bars.of("medical.[base]")
    tell("train: narrow", 3, 8, "")
    tell("audit: answers", 1, 2, "5 failed")
    bars("answers", 0, 9, "")
    named, plain = shown.tasks
    assert (named.description, named.completed, named.total) == ("medical.\\[base]: audit: answers", 1, 2)
    assert named.fields["word"] == "5 failed"
    assert (plain.description, plain.completed, plain.total) == ("answers", 0, 9)
    bars.end("medical.[base]")
    bars.end("medical.[base]")
    assert [task.description for task in shown.tasks] == ["answers"]
