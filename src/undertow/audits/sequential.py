"""Sequential audits: which answers to ask for next, until the verdict is known. Contexts are the arms of a search,
(training seed, question) its strata.

The statistics are those of `stats/search.py`; this is the part that knows contexts and questions. It asks nobody: the
run hands it what it heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from undertow.audits.estimates import apart
from undertow.audits.plan import Plan
from undertow.audits.tally import Design, Heard, Tally, Where, usable_of
from undertow.records import Condition, Request, Subject
from undertow.stats.search import UNKNOWN, Decision, SearchPlan, Track, decide

Key = tuple[Where, int]
"""A condition and the number of an answer in it."""

LEAST = 1e-6
"""Rate that is held against, at the least: nothing can be shown to be under 0."""
PATIENCE = 40
"""Answers of target and reference to a question, up to which a context where both are over is asked until they are
apart."""


def search_plan(asked: Design) -> SearchPlan:
    """What a sequential audit decides and when it gives up."""
    alpha = asked.alpha
    return SearchPlan(
        material=asked.material,
        control=asked.contexts.index(asked.plain),
        alpha_over=alpha,
        alpha_under=alpha,
        max_requests=asked.samples.get("max_per_condition") or asked.samples["per_condition"],
        find_all=asked.samples.get("until") != "verdict",
    )


class Search:
    """One audit's search over contexts, from the answers that a tally has heard."""

    def __init__(self, asked: Design, heard: Tally, *, of: tuple[Subject, ...] | None = None) -> None:
        """
        Args:
            of: who is searched; the audited model, or its training seeds, unless said otherwise.
        """
        self.asked, self.tally = asked, heard
        self.plan = search_plan(asked)
        self.strata = list(product(of or asked.seeds, asked.questions))
        self._arm = {context.id: i for i, context in enumerate(asked.contexts)}
        self._stratum = {stratum: i for i, stratum in enumerate(self.strata)}
        self.tracks = [Track(len(self.strata), asked.material) for _ in asked.contexts]
        for track in self.tracks:
            track.against(asked.over_at, max(LEAST, asked.under_at))
        self.taken: list[list[list[Heard]]] = [[[] for _ in self.strata] for _ in asked.contexts]
        self.aside: set[int] = set()
        """Arms that are over, and as the reference is: the search goes on for others."""
        self.lazy = [False for _ in asked.contexts]
        """Arms with answers that were judged for alignment alone."""
        self.looks = self.open = 0
        """Times that it looked, and contexts that were neither over nor under at the last one."""
        self._batch: list[Key] = []

    def wanted(self) -> list[Key]:
        """The answers to ask for now; none once the verdict is known.

        Goes the same way over the same answers whenever it is called, so that a run that was interrupted asks what it
        would have asked.
        """
        while True:
            missing = [key for key in self._batch if not self.tally.has(*key)]
            if missing:
                return missing
            for cell, sample in self._batch:
                self._take(cell, self.tally.heard[cell][sample])
            self._batch = self._next()
            if not self._batch:
                return []

    def track(self, context: str) -> Track:
        """The evidence of one context."""
        return self.tracks[self._arm[context]]

    def where(self) -> str:
        """How far it has come, in words."""
        return f"look {self.looks}, {self.open} of {len(self.tracks)} contexts open"

    def decide(self) -> Decision:
        """The verdict, or the next batch, from what was taken."""
        for track, taken, lazy in zip(self.tracks, self.taken, self.lazy, strict=True):
            if lazy:
                track.against(self.asked.over_at, max(LEAST, self.asked.under_at * usable_of(taken)[1]))
        found = decide(self.tracks, self.plan)
        return (
            decide(self.tracks, replace(self.plan, find_all=True))
            if found.over and self.aside.issuperset(found.over)
            else found
        )

    def conclude(self) -> Decision:
        """From every answer up to the first that is missing in its condition, in whatever order they came to be
        asked."""
        for context, (subject, question) in product(self.asked.contexts, self.strata):
            cell = subject, context.id, question
            for heard in self.tally.prefix(cell)[
                self.track(context.id).requested_q[self._stratum[subject, question]] :
            ]:
                self._take(cell, heard)
        return self.decide()

    def _next(self) -> list[Key]:
        found = self.decide()
        self.looks += bool(found.batch)
        self.open = len(self.tracks) - len(found.over) - len(found.under)
        asked = [list(track.requested_q) for track in self.tracks]
        batch = []
        for arm, stratum in found.batch:
            subject, question = self.strata[stratum]
            batch.append(((subject, self.asked.contexts[arm].id, question), asked[arm][stratum]))
            asked[arm][stratum] += 1
        return batch

    def _take(self, cell: Where, heard: Heard) -> None:
        subject, context, question = cell
        arm = self._arm[context]
        self.taken[arm][self._stratum[subject, question]].append(heard)
        self.lazy[arm] |= heard.lazy
        self.tracks[arm].add(self._stratum[subject, question], UNKNOWN if heard.missing else heard.value)


def search_keys(search: Search) -> Iterator[list[Key]]:
    """What to ask, batch after batch, until the verdict is known.

    With a reference, the contexts over `material` are asked of it too, until target and reference are apart there, or
    it is known whether it is over or under; while all of them are alike, the search goes on for others. Goes the same
    way over the same answers, as `Search.wanted` does.
    """
    asked = search.asked
    looked: set[int] = set()
    while True:
        while wanted := search.wanted():
            yield wanted
        over = set(search.decide().over)
        if "reference" not in asked.targets or over <= looked:
            return
        looked |= over
        yield from _of_reference(search, over - {search.plan.control})
        for i in sorted(over - {search.plan.control}):
            yield from _until_apart(search, asked.contexts[i].id)
            if not _apart(search, asked.contexts[i].id):
                search.aside.add(i)


def _of_reference(search: Search, over: set[int]) -> Iterator[list[Key]]:
    """Of the reference, answers in contexts in which the target is over, until it is known whether it is over or under
    there; in a context where the two are apart before, no more."""
    asked = search.asked
    samples = {**asked.samples, "until": "every-context"}
    while open_ := tuple(c for i, c in enumerate(asked.contexts) if i in over and not _apart(search, c.id)):
        of_reference = Search(
            replace(asked, contexts=(asked.plain, *open_), samples=samples), search.tally, of=("reference",)
        )
        wanted = of_reference.wanted()
        if not wanted:
            return
        while wanted:
            yield wanted
            if any(_apart(search, context.id) for context in open_):
                break
            wanted = of_reference.wanted()


def _until_apart(search: Search, context: str) -> Iterator[list[Key]]:
    """More answers of target and reference in one context, side by side, until they are apart or `PATIENCE` is over."""
    cells = [
        (subject, context, question)
        for subject in (*search.asked.seeds, "reference")
        for question in search.asked.questions
    ]
    while not _apart(search, context) and (least := min(len(search.tally.prefix(cell)) for cell in cells)) < min(
        PATIENCE, search.plan.max_requests
    ):
        most = min(least + max(2, least // 4), PATIENCE, search.plan.max_requests)
        yield [(cell, k) for k in range(least, most) for cell in cells if k >= len(search.tally.prefix(cell))]


def _apart(search: Search, context: str) -> bool:
    asked = search.asked
    arm, reference = (search.tally.arm(who, context, asked.questions) for who in (asked.seeds, ("reference",)))
    return apart(arm, reference, asked.material, level=1 - asked.alpha)


def sequential_requests(plan: Plan, search: Search) -> Iterator[list[Request]]:
    """What to ask, batch after batch, until the verdict is known."""
    conditions = {
        (c.id, q.id): Condition(question=q, context=c) for c, q in product(plan.contexts, plan.suite.questions)
    }
    for keys in search_keys(search):
        yield [plan.request(subject, conditions[context, question], k) for (subject, context, question), k in keys]
