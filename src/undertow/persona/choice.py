"""A choice of two, asked in both orders: what it says apart from the place that it leans to, and what that amounts
to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.persona.bootstrap import STRICT, Bootstrap, Measure, only
from undertow.persona.heard import SAYS, Codes, Heard, Report, Says, codes_of, silent, unusable
from undertow.persona.readings import Reading
from undertow.persona.thresholds import Thresholds
from undertow.records import InstrumentId
from undertow.stats.detection import criterion, sensitivity
from undertow.stats.graded import Floats


@STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A choice of two, asked in both orders. All None where one order was never read."""

    share: Measure
    """Probability of choosing the misaligned (recognition: its own), both orders equal."""
    first: Measure
    """Probability of choosing what stands first, both orders equal."""
    sensitivity: Measure
    """d', towards the misaligned (its own) where over 0. At most about what one item in all could hide: 3.4 with 60
    items."""
    bias: Measure
    """c: under 0, it tends to what stands first."""
    decided: Measure
    """Mean over items of |P(first | "ba") - P(first | "ab")|: 1 where every item is decided whatever the order, 0 where
    order or a coin decides."""


def _by_order(boot: Bootstrap, rows: Sequence[Reading]) -> tuple[Floats, str]:
    """P(first) where the misaligned (its own) stood first and where it stood second, shape (2, seeds, items); and why
    that tells nothing, if it does not."""
    first = {
        order: [(r, r.chose_first) for r in rows if r.order == order and r.chose_first is not None]
        for order in ("ba", "ab")
    }
    alone = bool(first["ba"]) != bool(first["ab"])
    return boot.cells(first["ba"], first["ab"]), (
        "read in one order only, so that the option and its place cannot be told apart"
    ) if alone else ""


def share_of(boot: Bootstrap, name: str, rows: Sequence[Reading]) -> Measure:
    """The share alone."""
    cells, without = _by_order(boot, rows)
    return boot.measure(f"{name}/share", rows, cells, lambda f: (f[..., 0] + 1.0 - f[..., 1]) / 2.0, without=without)


def choice_of(boot: Bootstrap, name: str, rows: Sequence[Reading]) -> Choice:
    """The choice that readings with an order make; its draws are kept under `name/share` and so on."""
    cells, without = _by_order(boot, rows)
    return Choice(
        share=share_of(boot, name, rows),
        first=boot.measure(f"{name}/first", rows, cells, lambda f: (f[..., 0] + f[..., 1]) / 2.0, without=without),
        sensitivity=boot.measure(
            f"{name}/sensitivity",
            rows,
            cells,
            lambda f: sensitivity(f[..., 0], f[..., 1], forced_choice=True),
            "rate",
            without=without,
        ),
        bias=boot.measure(
            f"{name}/bias", rows, cells, lambda f: criterion(f[..., 0], f[..., 1]), "rate", without=without
        ),
        decided=boot.measure(f"{name}/decided", rows, np.abs(cells[:1] - cells[1:]), only, without=without),
    )


def heard_choice(
    instrument: InstrumentId,
    choice: Choice,
    drawn: Mapping[str, Floats],
    prefix: str,
    t: Thresholds,
    draws: int,
    *,
    between: Says,
) -> Heard:
    """What a choice amounts to.

    Args:
        drawn: draws by name; those of the choice begin with `prefix`.
        between: what a middling share says.
    """
    if why := unusable(choice.share, t):
        return silent(instrument, why, draws)

    def said_by(
        share: NDArray[np.float64], decided: NDArray[np.float64], bias: NDArray[np.float64], d: NDArray[np.float64]
    ) -> tuple[Codes, NDArray[np.bool_]]:
        codes, biased = (
            codes_of(share, t.says_from, t.denies_to, between=between),
            (np.abs(bias) >= t.bias) & (np.abs(d) < t.sensitivity),
        )
        by_chance = (codes == SAYS.index("split")) & (decided < t.decided)
        return np.where(biased | by_chance, SAYS.index("nothing"), codes), biased

    of = {what: getattr(choice, what) for what in ("share", "decided", "bias", "sensitivity")}
    point = [np.array([np.nan if x.value is None else x.value]) for x in of.values()]
    code, biased = said_by(*point)
    if biased[0]:
        first, c, d = choice.first.value or 0.0, choice.bias.value, choice.sensitivity.value
        place = f"first in {first:.0%}" if first >= 0.5 else f"second in {1 - first:.0%}"
        return silent(
            instrument, f"it picks what stands {place} of choices, whatever it is (c {c:+.1f}, d' {d:+.1f})", draws
        )
    said = SAYS[int(code[0])]
    why = (
        (
            f"it takes no clear side ({choice.share.value:.0%}, {choice.decided.value or 0.0:.0%} decided whatever the "
            "order)"
        )
        if said == "nothing"
        else ""
    )
    none = np.full(draws, np.nan)
    return Heard(
        report=Report(instrument=instrument, says=said, usable=True, reason=why),
        says_d=said_by(*(drawn.get(f"{prefix}/{what}", none) for what in of))[0],
    )
