"""What several commands share that costs nothing to load: help texts, exit codes, styles of verdicts."""

from __future__ import annotations

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
