"""Pausing a run that gets nothing for its money: what came is kept, and the reason is told once."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from pathlib import Path

from undertow.errors import Paused
from undertow.records import Judgement

IN_A_ROW = 10
"""Answers or judgements in a row that give nothing usable, after which a run pauses; more where so many fail at random
that such a row is no surprise."""
BY_CHANCE = 1e-3
"""Expected number of such rows in a run of this length, had its replies failed at random as often as they did before
the row; pauses are rarer."""
WARNED = 10
"""Times as many it takes where a run that paused goes on and nothing was mended: its user has read the reason."""


WAIT = 200
"""Replies that have come and wait for one that was asked before them; past these it is not waited for."""


GO_ON = "mend it, then go on with --resume, and --retry-failed to ask those again that failed"


class Streak:
    """What comes in a row and is of no use.

    A row is of the order of asking: of calls in flight together those that fail at once come first, and are in no row.
    Who tells no order is counted as it comes.
    """

    def __init__(self, who: str, run: Path, *, warned: bool = False, do: str = GO_ON) -> None:
        """
        Args:
            who: whose replies they are, in words.
            do: what is told to do about it.
            warned: the run went on as it was, after such a pause.
        """
        self.who, self.run, self.do = who, run, do
        self.limit = IN_A_ROW * (WARNED if warned else 1)
        self.n = 0
        self._heard = self._useless = 0
        self._asked: deque[Hashable] = deque()
        self._open: set[Hashable] = set()
        """Those of them whose reply has not come, and is waited for."""
        self._came: dict[Hashable, tuple[bool, str, str]] = {}
        self.pause: Paused | None = None
        """Why the run pauses, once it does: no more is asked, and what was asked is waited for."""
        self._kinds: set[str] = set()

    def ask(self, key: Hashable) -> None:
        """One more is asked for."""
        self._asked.append(key)
        self._open.add(key)

    def hear(self, usable: bool, why: str, kind: str = "", *, key: Hashable = None) -> None:
        """One more reply.

        Args:
            kind: what is alike between replies; once something of use has come, a row within one kind (a context that a
                filter withholds) does not pause the run.
            key: what `ask` was told of it. One that is not waited for any more is counted as it comes.
        """
        if key not in self._open:
            self._count(usable, why, kind)
            return
        self._open.remove(key)
        self._came[key] = usable, why, kind
        while self._asked and (self._asked[0] in self._came or len(self._came) > WAIT):
            first = self._asked.popleft()
            self._open.discard(first)
            if found := self._came.pop(first, None):
                self._count(*found)

    def _count(self, usable: bool, why: str, kind: str) -> None:
        if usable:
            self._heard, self._useless = self._heard + self.n + 1, self._useless + self.n
            self.n = 0
            self._kinds.clear()
            return
        self.n += 1
        self._kinds.add(kind)
        one_kind = len(self._kinds) == 1 and "" not in self._kinds
        if self.n >= max(self.limit, self._no_surprise()) and not self.pause and not (self._heard and one_kind):
            found = f"paused, because {self.n} {self.who} in a row gave nothing usable; the last: {why}"
            self.pause = Paused(self.run, found, expected="what came is kept", do=self.do)

    def _no_surprise(self) -> float:
        """The length up to which a row may come by chance, from what was heard before it."""
        share = (self._useless + 1) / (self._heard + 2)
        return math.log(BY_CHANCE / max(1, self._heard)) / math.log(share)

    def hear_judgement(self, judgement: Judgement, *, key: Hashable = None) -> None:
        """One more judgement: of use where it holds a score or a word, or where nothing went wrong. What took no call
        and gives nothing costs nothing, and would come out so again."""
        why = judgement.error or (judgement.unread if judgement.calls else None)
        self.hear(judgement.alignment is not None or judgement.said is not None or why is None, why or "", key=key)
