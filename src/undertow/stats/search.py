"""A sequential search over arms: which outcomes to request next, and when what is known decides.

Owns the allocation rule and the verdict over arms, from evidence that holds at every look (sequential.py). Never
requests anything, never sees a clock or a random number: the same outcomes in the same order of request give the same
answer.

One arm is the control; every arm has the same strata and a rate, the equal-weight mean of its strata's. With m the
material rate:

    verdict            claims, all of them needed                        chance that it is wrong
    `control_over`     control over m                                    part of the family below
    `others_over`      control under m, and some other arm over m        see below
    `all_under`        every arm under m                                 at most alpha_under, and no correction: it is false only if
                                                                         some arm is not under m, and that arm's claim
                                                                         alone is then wrong
    `undecided`        nothing of that before the caps, or hardly a chance of it by then

Claims "arm over m" are one family: Holm over all arms, so that *any* false one has probability at most alpha_over.
`others_over` needs two true claims, so it is wrong with probability at most alpha_under where the control is not under
m (that claim is wrong) and at most alpha_over where no other arm is over m. An arm over m while the control is under m
is over the control: no further test is needed. Whatever the truth, P(some arm falsely over) <= alpha_over and P(wrongly
`all_under`) <= alpha_under. Not controlled: the number of arms listed as `under` that are not, where the verdict is not
`all_under`.

The rule of allocation: request the next block of the undecided arm whose present evidence of being over is largest
(fewest blocks, then order, break ties). An arm without events loses evidence with every block, so this is one pass over
all arms, interrupted to follow every arm that shows an event for as long as it looks better than the arms hardly tried;
then further passes. Once another arm is over, only the control is left to decide. For one deviant arm among many it is
the deterministic policy that is asymptotically optimal:
Cohen and Zhao 2015, IEEE Trans. Inf. Theory 61:1432.

Few looks. A look waits for all that was requested, so a request of one block at a time would spend its day waiting.
Arms nearly as likely as the best are requested together (at first that is all of them), and an arm is requested a
quarter deeper than it is already known, but never past the block at which, without another event, it would be found
under m: nothing that a clean arm needs is requested in vain.
"""  # noqa: E501

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy.special import betaincinv

from .multiplicity import holm
from .prospects import prospect
from .sequential import anytime_p, log_e_over, log_e_under

UNKNOWN = 2
"""An outcome that will never be known: an event or none. It counts as none in evidence of being over a rate, and as an
event in evidence of being under it."""
PATIENCE = 20
"""Requests to a stratum before it may be called starved."""
USABLE_SHARE = 0.1
"""A stratum is starved where less than this share of its requests was usable."""
NEARLY = 0.5
"""Difference in the natural log of evidence up to which an arm is nearly as likely to be over as the best."""
SOME = 150
"""Outcomes of every open arm before the chance of a verdict is looked at."""
SURE = 0.999
"""Confidence that under half of an arm's outcomes are usable, from which it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """What is decided and when to give up; fixed before the first outcome."""

    material: float
    """The rate m, in (0, 1)."""
    control: int = 0
    """Index of the control arm."""
    alpha_over: float = 0.05
    """Largest probability that any arm at all is falsely called over m."""
    alpha_under: float = 0.05
    """Largest probability that the verdict is `all_under` falsely; and of falsely calling the control under m."""
    max_requests: int = 250
    """Requests to a stratum after which its arm is given up. By 250, twenty arms of 8 strata at a tenth of m were all
    found under it in 25 searches of 25, at a fifth of m in 15; by 100, in 2 and in none."""
    width: int | None = None
    """Arms to request together, at most; None: all that are nearly as likely as the best."""
    ahead: float = 0.25
    """How much deeper to request an arm at one look, as a share of its blocks; 0: one block at a time."""
    hopeless: float = 0.02
    """Chance of a verdict by the caps under which the search is given up; 0: never. Not where every arm is to be
    decided."""
    find_all: bool = False
    """Whether to go on until every arm is decided or given up; the claims hold all the same."""
    weights: tuple[float, ...] | None = None
    """One positive weight an arm for the family of "over": suspects found sooner. Default: equal."""

    def __post_init__(self) -> None:
        for name, value in (
            ("material", self.material),
            ("alpha_over", self.alpha_over),
            ("alpha_under", self.alpha_under),
        ):
            if not 0.0 < value < 1.0:
                raise ValueError(f"{name} is {value}; expected a number between 0 and 1")
        if self.max_requests < 1 or (self.width is not None and self.width < 1) or self.control < 0 or self.ahead < 0.0:
            raise ValueError("expected max_requests >= 1, width >= 1, control >= 0 and ahead >= 0")


class Track:
    """The outcomes of one arm in order of request, and its evidence against one rate so far. Grows by `add` alone."""

    def __init__(self, strata: int, material: float) -> None:
        if strata < 1:
            raise ValueError(f"strata is {strata}; expected at least one")
        self.strata = strata
        self.material = self.material_under = _checked_rate(material)
        """The rates that its evidence of being over, and of being under, is against: the plan's, unless `against` set
        others."""
        self.requested_q = [0] * strata
        self.usable_q: list[list[int]] = [[] for _ in range(strata)]
        self.first_q: list[list[bool]] = [[] for _ in range(strata)]
        """Whether each request to a stratum was usable, in order."""
        self.blocks = 0
        """Complete blocks."""
        self.events_b: list[int] = []
        """Events in each complete block."""
        self.most_events_b: list[int] = []
        """The same had every unknown outcome been an event."""
        self.events = self.most_events = 0
        """Events in complete blocks; had every unknown outcome been an event."""
        self.log_over = self.log_under = 0.0
        """Evidence now, natural log."""
        self.max_over = self.max_under = 0.0
        """Largest evidence at any block so far: what the claims rest on."""

    def add(self, stratum: int, outcome: int | None) -> None:
        """Takes the outcome of the next request to a stratum: 1 an event, 0 none, `UNKNOWN` one of the two, None
        unusable.

        Call in order of request within a stratum (between strata the order is free), and only once it is final.
        """
        if outcome not in (0, 1, UNKNOWN, None):
            raise ValueError(f"outcome is {outcome!r}; expected 0, 1, UNKNOWN or None")
        was_live = self._is_live(stratum)
        self.requested_q[stratum] += 1
        self.first_q[stratum].append(outcome is not None)
        if outcome is not None:
            self.usable_q[stratum].append(outcome)
        if self._is_live(stratum) == was_live and (
            outcome is None or not was_live or len(self.usable_q[stratum]) != self.blocks + 1
        ):
            return  # no block waited for this
        if any(len(row) <= self.blocks and self._is_live(q) for q, row in enumerate(self.usable_q)):
            return
        live = self.live
        while live and min(len(self.usable_q[q]) for q in live) > self.blocks:
            # a starved stratum's outcome is not known: no event in evidence of being over, an event in evidence of
            # being under
            block = [row[self.blocks] if len(row) > self.blocks else UNKNOWN for row in self.usable_q]
            self.events_b.append(block.count(1))
            self.most_events_b.append(block.count(1) + block.count(UNKNOWN))
            self._take(self.events_b[-1], self.most_events_b[-1])

    @property
    def live(self) -> list[int]:
        """Strata that give usable outcomes: blocks wait for these alone."""
        return [q for q in range(self.strata) if self._is_live(q)]

    def _is_live(self, stratum: int) -> bool:
        asked = self.requested_q[stratum]
        return asked < PATIENCE or len(self.usable_q[stratum]) >= USABLE_SHARE * asked

    def against(self, material: float, under: float | None = None) -> None:
        """Hold the same outcomes against other rates, at every block anew.

        For outcomes of which a share is no usable outcome after all, and no event: where in stratum q the share r_q of
        them is usable, the rate among the usable is the mean of p_q / r_q, p_q being the outcomes'. It is over m where
        the mean of p_q is, and under m where the mean of p_q is under m min(r_q). What is claimed holds for r fixed
        beforehand; for shares estimated along the way, as nearly as they are known. Raises ValueError for a rate
        outside (0, 1).

        Args:
            under: for the evidence of being under; None: the same.
        """
        under = material if under is None else under
        if (material, under) == (self.material, self.material_under):
            return
        self.material, self.material_under = _checked_rate(material), _checked_rate(under)
        self.blocks, self.events, self.most_events, self.max_over, self.max_under = 0, 0, 0, 0.0, 0.0
        for known, most in zip(self.events_b, self.most_events_b, strict=True):
            self._take(known, most)

    def _take(self, known: int, most: int) -> None:
        """One more block, with so many events."""
        self.blocks, self.events, self.most_events = self.blocks + 1, self.events + known, self.most_events + most
        self.log_over, self.log_under = _evidence(self.events, self.n, self.material)
        if self.most_events > self.events or self.material_under != self.material:
            self.log_under = _evidence(self.most_events, self.n, self.material_under)[1]
        self.max_over, self.max_under = max(self.max_over, self.log_over), max(self.max_under, self.log_under)

    @property
    def n(self) -> int:
        """Outcomes in complete blocks."""
        return self.strata * self.blocks

    @property
    def starved(self) -> bool:
        """Whether some stratum gives hardly any usable outcome and the others show nothing, or surely under half of all
        outcomes are usable, first requests of all strata alike.

        With such a stratum an arm can be found over its rate, and never under it.
        """
        if len(self.live) < self.strata and self.log_over <= 0.0:
            return True
        first = min(self.requested_q)
        asked, usable = first * self.strata, sum(sum(row[:first]) for row in self.first_q)
        return asked >= PATIENCE and usable < asked / 2 and float(betaincinv(usable + 1.0, asked - usable, SURE)) < 0.5

    def spent(self, most: int) -> bool:
        """Whether the next block needs a stratum that was requested `most` times already."""
        return any(len(self.usable_q[q]) <= self.blocks and self.requested_q[q] >= most for q in self.live)

    def wanted(self, blocks: int, most: int) -> list[int]:
        """Strata to request one outcome of each: a stratum as often as `blocks` more complete blocks need, at most
        `most` times in all."""
        lacking = {q: min(self.blocks + blocks - len(self.usable_q[q]), most - self.requested_q[q]) for q in self.live}
        return [q for turn in range(blocks) for q, n in lacking.items() if turn < n]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to request next, or the verdict, with the claims that hold at this look."""

    verdict: str | None
    """`control_over`, `others_over`, `all_under` or `undecided`; None while requests remain to be made."""
    batch: tuple[tuple[int, int], ...]
    """(arm, stratum) pairs to request, one outcome each, all to be added before the next look; empty with a verdict."""
    over: tuple[int, ...]
    """Arms claimed over the material rate, family-wise."""
    under: tuple[int, ...]
    """Arms under it, each at alpha_under on its own."""
    starved: tuple[int, ...]
    """Undecided arms given up because too few of their outcomes are usable."""
    spent: tuple[int, ...]
    """Undecided arms given up at max_requests."""
    hopeless: bool
    """Whether it was given up because a verdict by the caps had hardly a chance."""
    p_over: tuple[float, ...]
    """Anytime p-value of "not over" of each arm, Holm-adjusted over arms."""
    p_under: tuple[float, ...]
    """Anytime p-value of "not under" of each arm, not adjusted."""


def decide(tracks: Sequence[Track], plan: SearchPlan) -> Decision:
    """Verdict or next batch, from all outcomes so far; see the module for the rule and what its claims are worth.

    `tracks`: one an arm. Call when every requested outcome has been added. Terminates: every batch asks a stratum once
    more at least, and an arm ends at max_requests.
    """
    if not plan.control < len(tracks):
        raise ValueError(f"control is {plan.control}; there are {len(tracks)} arms")
    p_under = tuple(anytime_p(t.max_under) for t in tracks)
    p_over = tuple(holm([anytime_p(t.max_over) for t in tracks], plan.weights).tolist())
    over = {c for c, p in enumerate(p_over) if p <= plan.alpha_over}
    under = {c for c, p in enumerate(p_under) if p <= plan.alpha_under} - over
    open_arms = [c for c in range(len(tracks)) if c not in over and c not in under]
    starved = {c for c in open_arms if tracks[c].starved}
    spent = {c for c in open_arms if tracks[c].spent(plan.max_requests)} - starved
    live = [c for c in open_arms if c not in starved and c not in spent]

    verdict: str | None = None
    if plan.control in over:
        verdict = "control_over"
    elif plan.control in under and over:
        verdict = "others_over"
    elif len(under) == len(tracks):
        verdict = "all_under"
    elif not live or plan.control in starved | spent:
        verdict = "undecided"  # without the control, no other verdict can be reached
    elif over and not plan.find_all:
        live = [plan.control]
    if plan.find_all and live:
        verdict = None
    hopeless = (
        verdict is None
        and not plan.find_all
        and plan.hopeless > 0.0
        and _chance(tracks, plan, live, under=not (over or starved or spent)) < plan.hopeless
    )
    if hopeless:
        verdict = "undecided"
    live.sort(key=lambda c: (-tracks[c].log_over, tracks[c].blocks, c != plan.control, c))
    together = [c for c in live if tracks[c].log_over >= tracks[live[0]].log_over - NEARLY]
    batch = (
        ()
        if verdict
        else tuple(
            (c, q) for c in together[: plan.width] for q in tracks[c].wanted(_depth(tracks[c], plan), plan.max_requests)
        )
    )
    return Decision(
        verdict=verdict,
        batch=batch,
        over=tuple(sorted(over)),
        under=tuple(sorted(under)),
        starved=tuple(sorted(starved)),
        spent=tuple(sorted(spent)),
        hopeless=hopeless,
        p_over=p_over,
        p_under=p_under,
    )


def _chance(tracks: Sequence[Track], plan: SearchPlan, live: Sequence[int], *, under: bool) -> float:
    """Chance that what is open is decided by the caps: some arm over or, with `under`, all of them under. Of the
    control alone, which is left once another is over, either."""
    if min((tracks[c].n for c in live), default=0) < SOME:
        return 1.0
    events, n = [t.events for t in tracks], [t.n for t in tracks]
    more = [t.strata * max(0, round(plan.max_requests * t.n / max(1, sum(t.requested_q))) - t.blocks) for t in tracks]
    found = prospect(
        events,
        n,
        more,
        plan.material,
        alpha_over=plan.alpha_over / len(tracks),
        alpha_under=plan.alpha_under,
        of=[c in live for c in range(len(tracks))],
    )
    return found.over + (found.under if under or list(live) == [plan.control] else 0.0)


def _depth(track: Track, plan: SearchPlan) -> int:
    """Blocks to request of an arm at one look."""
    most = max(1, int(plan.ahead * track.blocks))
    enough = -math.log(plan.alpha_under)
    later = (
        k
        for k in range(1, most)
        if _evidence(track.most_events, track.strata * (track.blocks + k), track.material_under)[1] >= enough
    )
    return next(later, most)


def _checked_rate(material: float) -> float:
    if not 0.0 < material < 1.0:
        raise ValueError(f"material is {material}; expected a number between 0 and 1")
    return material


@lru_cache(maxsize=65536)
def _evidence(events: int, n: int, m: float) -> tuple[float, float]:
    return float(log_e_over(events, n, m)), float(log_e_under(events, n, m))
