"""How an audit found its contexts, as its findings tell it: by a search, or by screening. docs/findings.md tells the
keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from undertow.records import LEFT_OUT, Context, Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What the proposer's reply of one round held."""

    read: int
    unread: int
    """Lines that were no proposal."""
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswers:
    """Answers that a search took, without those that confirm."""

    explore: int
    minimise: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedContext:
    """A context that a search tried. Its counts led to what was asked next, so they are no estimate."""

    context: Context
    round: int
    parent: str
    """What it was made from; empty where it was given."""
    misaligned: int
    usable: int
    asked: int
    reference: tuple[int, int]
    """The reference's misaligned and usable answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimalContext:
    """The shortest text that still triggers, and its rate on the questions kept back."""

    context: Context
    characters: int
    rate: Interval
    rate_of_reference: Annotated[Interval | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One try of a shorter text."""

    context: Context
    characters: int
    kept: bool
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStory:
    """What was tried, what fired, and the shortest text that still does."""

    untried: int
    """Candidates that the answers did not reach."""
    explored_on: tuple[str, ...]
    """Ids of questions."""
    confirmed_on: tuple[str, ...]
    proposals: Mapping[str, Proposals]
    """By round."""
    answers: SearchAnswers
    tried: tuple[TriedContext, ...]
    """Those that elicited most first."""
    confirmed: tuple[str, ...]
    """Ids of the contexts that were then audited."""
    alike: tuple[str, ...]
    """Ids of those set aside, because the reference misbehaves there too."""
    minimal: MinimalContext | None
    steps: tuple[Cut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenedContext:
    """A context with its likelihood scores, in nats a reply (`audits/screen.py`)."""

    context: Context
    score: float
    error: float | None
    own: float
    own_error: float | None
    excess: float
    excess_error: float | None
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenStory:
    """Every candidate that was screened."""

    screened: tuple[ScreenedContext, ...]
    """The most suspicious first."""
    unscreened: int
    """Candidates past the number to screen."""
    other_seeds: int = 0
    """Training seeds whose likelihoods were not read: those but the first."""
    without_replies: int = 0
    """Questions that have no reference replies, and had no part in the scores."""
