"""How work tells how far it is: one signature for whoever works and whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int, str], None]
"""Called with what is being done, how much of it is done, how much there is, and a word more."""


def silent(stage: str, done: int, total: int, word: str) -> None:
    """Tells nobody."""


def under(name: str, progress: Progress) -> Progress:
    """The same of work that is a part of something: `audit: answers`."""
    return lambda stage, done, total, word: progress(f"{name}: {stage}", done, total, word)
