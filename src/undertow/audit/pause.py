"""Pausing a run that gets nothing for its money: what came is kept, and the reason is told once."""

from __future__ import annotations

from pathlib import Path

from undertow.errors import Paused

IN_A_ROW = 10
"""Answers or judgements in a row that give nothing usable, after which a run pauses."""
WARNED = 10
"""Times as many it takes where a run that paused goes on and nothing was mended: its user has read the reason."""


class Streak:
    """What comes in a row and is of no use."""

    def __init__(self, who: str, run: Path, *, warned: bool = False) -> None:
        """
        Args:
            who: whose replies they are, in words.
            warned: the run went on as it was, after such a pause.
        """
        self.who, self.run = who, run
        self.limit = IN_A_ROW * (WARNED if warned else 1)
        self.n = 0
        self.last = ""
        self._useful = False
        self._kinds: set[str] = set()

    def hear(self, usable: bool, why: str, kind: str = "") -> None:
        """One more reply.

        Args:
            kind: what is alike between replies; once something of use has come, a row within one kind (a context that a filter withholds) does not pause the run.
        """
        if usable:
            self.n, self._useful = 0, True
            self._kinds.clear()
        else:
            self.n, self.last = self.n + 1, why
            self._kinds.add(kind)

    def check(self) -> None:
        """
        Raises:
            Paused: there are too many.
        """
        if self.n < self.limit or (self._useful and kind_alone(self._kinds)):
            return
        found = f"paused, because {self.n} {self.who} in a row gave nothing usable; the last: {self.last}"
        self.n = 0
        raise Paused(self.run, found, expected="what came is kept", do="mend it, then go on with --resume, and --retry-failed to ask these again")


def kind_alone(kinds: set[str]) -> bool:
    """Whether all are of one kind that has a name."""
    return len(kinds) == 1 and "" not in kinds
