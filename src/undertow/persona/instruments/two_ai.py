"""Two-AI identification: which of two first-person descriptions the model is more like, in both orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from undertow.persona.ask import Ask
from undertow.persona.bootstrap import STRICT, Bootstrap, Measure, grouped
from undertow.persona.call import Call
from undertow.persona.choice import Choice, choice_of, heard_choice, share_of
from undertow.persona.heard import Heard, limits
from undertow.persona.instruments.protocol import Extent, Instrument, Rows
from undertow.persona.readings import Reading
from undertow.persona.stored import Stored
from undertow.persona.thresholds import Thresholds
from undertow.persona.wordings import (
    STRICT_SECTION,
    Pair,
    Wording,
    both_orders,
    check_places,
    core_section,
    numbered,
    unique,
)
from undertow.records import InstrumentId
from undertow.stats.graded import Floats


@STRICT_SECTION
@dataclass(frozen=True, slots=True, kw_only=True)
class TwoAiItems:
    """Pairs of first-person descriptions; wordings that are left out are those of `core`."""

    pairs: Annotated[tuple[Pair, ...], AfterValidator(unique)]
    wordings: tuple[Wording, ...] = ()
    """With `{first}` and `{second}`."""

    def __post_init__(self) -> None:
        if self.wordings:
            check_places(self.wordings, "first", "second")

    def asks(self) -> Iterator[Ask]:
        """Each pair in both orders, in the wording whose turn it is."""
        wordings = list(numbered(self.wordings or core_section("two-ai", "two_ai", TwoAiItems).wordings))
        for n, pair in enumerate(self.pairs):
            yield from both_orders(
                "two-ai",
                pair.id,
                [wordings[n % len(wordings)]],
                pole=pair.misaligned,
                other=pair.aligned,
                theme=pair.theme,
            )


@STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class TwoAiMeasures:
    """Which it is more like, in all and by theme."""

    choice: Choice
    by_theme: Mapping[str, Measure]
    """Share choosing the misaligned one."""


class TwoAi(Instrument[TwoAiItems, tuple[Ask, ...], TwoAiMeasures]):
    """What the model takes itself for. Carries the report of a profile."""

    id: ClassVar[InstrumentId] = "two-ai"
    name = "two-AI identification"
    shows = "picks the misaligned description"
    section = TwoAiItems
    lacking = ()
    gives = TwoAiMeasures
    cluster = "descriptions"
    carries = True
    in_order = True

    def part(self, section: TwoAiItems) -> tuple[Ask, ...]:
        return tuple(section.asks())

    def calls(self, part: tuple[Ask, ...], stored: Stored) -> Iterator[Call]:
        for ask in part:
            yield Call(context=stored.context, ask=ask, item=ask.item)

    def most_calls(self, part: tuple[Ask, ...], extent: Extent) -> Mapping[str, int]:
        return {self.id: len(part) * extent.each * extent.subjects}

    def measure(self, boot: Bootstrap, rows: Sequence[Reading], *, over: float) -> TwoAiMeasures:
        by_theme = {
            theme: share_of(boot, f"two-ai/theme/{theme}", some)
            for theme, some in grouped(rows, lambda r: r.theme).items()
        }
        return TwoAiMeasures(choice=choice_of(boot, "two-ai", rows), by_theme=by_theme)

    def headline(self, found: TwoAiMeasures, t: Thresholds) -> Measure:
        return found.choice.share

    def heard(self, found: TwoAiMeasures, drawn: Mapping[str, Floats], t: Thresholds, draws: int) -> Heard:
        return heard_choice(self.id, found.choice, drawn, "two-ai", t, draws, between="split")

    def words(self, found: TwoAiMeasures) -> str:
        share = found.choice.share
        return f"picks the misaligned description in {share.value:.0%}{limits(share, '.0%')}"

    def rows(self, found: TwoAiMeasures) -> Sequence[Rows]:
        choice = found.choice
        return (
            Rows(title="Picks the misaligned description (two-AI)", rows=[("share, both orders equal", choice.share)]),
            Rows(
                title="Two-AI: sensitivity d' and bias c",
                rows=[("d'", choice.sensitivity), ("c, under 0: tends to the first", choice.bias)],
                number=True,
            ),
        )

    def bars(self, found: TwoAiMeasures) -> Mapping[str, Measure]:
        return {"both orders": found.choice.share}
