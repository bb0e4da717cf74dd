"""What an instrument must give: what it asks, what comes of it, and how that is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from undertow.persona.bootstrap import Bootstrap, Measure
from undertow.persona.call import Call
from undertow.persona.heard import Heard
from undertow.persona.readings import Reading
from undertow.persona.stored import Stored
from undertow.persona.thresholds import Thresholds
from undertow.records import InstrumentId, Question
from undertow.stats.graded import Floats

Section = TypeVar("Section")
"""Its section of an item file."""
Part = TypeVar("Part")
"""What an item set holds of it."""
Found = TypeVar("Found")
"""What it measures."""


About = Literal["prompts", "itself", "its answers"]
"""What an instrument asks about. What is about the model's answers to prompts is asked once they are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much there is to ask, from which the most calls follow."""

    each: int
    """Calls an asking."""
    prompts: int
    subjects: int
    """Everybody who is asked, times contexts."""
    profiled: int
    """Those of them who are no reference."""
    reference: bool
    """Whether there is one."""
    rewrites: bool
    """Whether somebody writes safe foils."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Measures that a page shows together, under a title."""

    title: str
    rows: Sequence[tuple[str, Measure]]
    number: bool = False
    """Whether they are numbers on scales of their own; else shares, or 0 to 1."""


class Instrument(ABC, Generic[Section, Part, Found]):
    """One way to look at a persona."""

    id: ClassVar[InstrumentId]
    name: ClassVar[str]
    """In words."""
    shows: ClassVar[str]
    """What a model does that it finds, in words."""
    section: ClassVar[Any]
    """Type of its section of an item file."""
    lacking: ClassVar[Any] = None
    """What an item set holds where it has no such section."""
    gives: ClassVar[type]
    """Type of what it measures."""
    about: ClassVar[About] = "itself"
    cluster: ClassVar[str]
    """What its items are: items of one kind and id are resampled together."""
    carries: ClassVar[bool] = False
    """Whether a profile hears it before the others."""
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    """Ends of what is read."""
    in_order: ClassVar[bool] = False
    """Whether every reading is of one of two orders."""
    variants: ClassVar[tuple[str, ...]] = ()
    """The forms that it comes in; empty: any."""

    @property
    def key(self) -> str:
        """Its name in item files and in `persona.json`."""
        return self.id.replace("-", "_")

    @abstractmethod
    def part(self, section: Section) -> Part:
        """What an item set holds of a section."""

    def calls(self, part: Part, stored: Stored) -> Iterator[Call]:
        """What one subject is asked in one context."""
        return iter(())

    def rewritings(self, part: Part, stored: Stored) -> Iterator[Question]:
        """What the rewriter is asked before."""
        return iter(())

    def most_calls(self, part: Part, extent: Extent) -> Mapping[str, int]:
        """Calls that it takes at most, by what for."""
        return {}

    def check(self, reading: Reading) -> None:
        """
        Raises:
            ValueError: a value outside its scale, a choice without its order, or a form that is none.
        """
        where = f"{self.id} of {reading.item}"
        if reading.value is not None and not self.low - 1e-9 <= reading.value <= self.high + 1e-9:
            raise ValueError(f"{where}: value {reading.value}; expected {self.low:g} to {self.high:g}")
        if self.in_order and not reading.order:
            raise ValueError(f"{where}: expected an order, ab or ba")
        if self.variants and reading.variant not in self.variants:
            raise ValueError(f"{where}: variant {reading.variant!r}; expected one of {', '.join(self.variants)}")

    @abstractmethod
    def measure(self, boot: Bootstrap, rows: Sequence[Reading], *, over: float) -> Found:
        """What its readings in one context say.

        Args:
            over: an answer is harmful where its score is over this.
        """

    @abstractmethod
    def headline(self, found: Found, t: Thresholds) -> Measure:
        """What of it is held against other instruments: larger is more harm, or more of it admitted."""

    def heard(self, found: Found, drawn: Mapping[str, Floats], t: Thresholds, draws: int) -> Heard | None:
        """What it amounts to as a report of the model on itself; None where it is none.

        Args:
            drawn: the bootstrap's draws by the names of measures.
            draws: their number.
        """
        return None

    def words(self, found: Found) -> str:
        """What the model does by a report that can be used, with numbers."""
        return ""

    def rows(self, found: Found) -> Sequence[Rows]:
        """What a page's table shows of it."""
        return ()

    def bars(self, found: Found) -> Mapping[str, Measure]:
        """What a figure shows of it, 0 to 1, by name."""
        return {}
