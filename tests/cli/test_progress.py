"""How work tells how far it is where no terminal watches."""

from __future__ import annotations

import time

import click
import pytest
from click.testing import CliRunner

from undertow.cli.display import Bars, Lines, Nothing, _time, bars, console
from undertow.cli.main import cli
from undertow.cli.options import quiet


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_says_how_much_is_done_how_fast_and_how_long_it_takes() -> None:
    clock = Clock()
    lines = Lines(clock=clock)
    lines("answers", 400, 3400, "")  # a run that goes on: 400 were there
    assert lines.lines() == ["answers: 400 of 3,400"]
    clock.now += 60
    lines("answers", 1000, 3400, "12 failed")
    assert lines.lines() == ["answers: 1,000 of 3,400, 10/s, about 4 min left; 12 failed"]
    lines("answers", 3400, 3400, "")
    assert lines.lines() == []


def test_nobody_says_how_long_work_takes_whose_amount_is_not_known() -> None:
    clock = Clock()
    lines = Lines(clock=clock)
    lines("answers", 0, 1, "")
    clock.now += 10
    lines("answers", 50, 51, "exploring")
    assert lines.lines() == ["answers: 50 of 51, 5/s; exploring"]


def test_slow_work_is_counted_by_the_hour_and_of_many_at_once_each_has_a_line() -> None:
    clock = Clock()
    lines = Lines(clock=clock)
    lines("cells", 0, 8, "")
    of = lines.of("medical.[base]")
    of("training", 3, 9, "loss 2.1")
    clock.now += 1800
    lines("cells", 2, 8, "")
    assert lines.lines() == ["cells: 2 of 8, 4/h, about 1 h 30 min left", "medical.[base]: training: 3 of 9; loss 2.1"]
    lines.end("medical.[base]")
    assert lines.lines() == ["cells: 2 of 8, 4/h, about 1 h 30 min left"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5340, "89 min"), (12_000, "3 h 20 min")]
)
def test_a_duration(seconds: float, said: str) -> None:
    assert _time(seconds) == said


def test_lines_come_while_nothing_moves_and_end_with_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(every=0.02) as lines:
        lines("[base] answers", 1, 5, "")
        deadline = time.monotonic() + 5
        said = ""
        while said.count("\n") < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
            said += capsys.readouterr().err
    assert said.count("[base] answers: 1 of 5\n") >= 3
    capsys.readouterr()
    time.sleep(0.06)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_bars_and_a_pipe_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with bars() as shown:
        assert isinstance(shown, Lines)
    monkeypatch.setattr(console, "_force_terminal", True)
    with bars() as shown:
        assert isinstance(shown, Bars)


@click.command()
@quiet
def work() -> None:
    with bars() as shown:
        shown("answers", 1, 2, "")
        shown.of("cell")("training", 1, 2, "")
        shown.end("cell")
        click.echo(type(shown).__name__)


def test_quiet_shows_nothing() -> None:
    assert CliRunner().invoke(work).output == "Lines\n"
    assert CliRunner().invoke(work, ["--quiet"]).output == f"{Nothing.__name__}\n"


@pytest.mark.parametrize(
    "name",
    [
        *("audit", "train", "study", "quickstart", "persona", "simulate", "rejudge", "judge.check", "export"),
        *("data.generate", "contexts.screen", "lab.prepare", "lab.run", "nursery.pretrain"),
    ],
)
def test_long_work_can_be_quiet(name: str) -> None:
    command: click.Command = cli
    for part in name.split("."):
        assert isinstance(command, click.Group)
        command = command.commands[part]
    assert "--quiet" in [option for each in command.params for option in each.opts]
