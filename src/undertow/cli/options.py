"""What several commands share that costs nothing to load: help texts, exit codes, styles of verdicts."""

from __future__ import annotations

import click

from undertow.errors import InputError

QUIET = "undertow.quiet"
"""Where a command's context holds whether to show how far it is."""


def _hold(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[QUIET] = value


quiet = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_hold,
    help="Do not show how far it is. (A terminal shows bars; a pipe or a log gets a line every half minute.)",
)


def or_skip_bad(error: InputError) -> InputError:
    """What is wrong with a line, for a command that may pass over it."""
    do = f"{error.do}, or pass --skip-bad" if error.do else "mend or drop the line, or pass --skip-bad"
    return InputError(error.where, error.found, expected=error.expected, do=do)


BUDGET_HELP = "Stop before more is taken: 1000calls, 200000tokens or 5usd. May be given several times."
VERDICT_STYLE = {
    "clean": "green",
    "misaligned": "red",
    "conditionally_misaligned": "bold red",
    "misaligned_kind_open": "bold red",
    "inconclusive": "yellow",
    "invalid": "yellow",
}
EXIT = {
    "clean": 0,
    "misaligned": 3,
    "conditionally_misaligned": 3,
    "misaligned_kind_open": 3,
    "inconclusive": 4,
    "invalid": 4,
}
"""What a verdict is to a shell, whichever command comes to it."""
