"""What the sections of an item file are made of: wordings with places, pairs, and the calls that they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, make_dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, TypeVar

from pydantic import ConfigDict, with_config

from undertow.files import parse_yaml
from undertow.judges.prompts import fill_in
from undertow.persona.ask import Ask
from undertow.persona.reading.parse import Side
from undertow.persona.reading.scales import SIDES, Options
from undertow.records import InstrumentId

STRICT_SECTION = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))


class Named(Protocol):
    """What has an id of its own in a section."""

    @property
    def id(self) -> str: ...


AnyNamed = TypeVar("AnyNamed", bound=Named)
Section = TypeVar("Section")


@STRICT_SECTION
@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One way to ask, with places for what differs from item to item."""

    text: str
    labels: tuple[str, str] = ("A", "B")
    """Of the two options, in the order in which the text has them."""
    reply: str | None = None
    """What a reply in full would be, with `{option}` in it; None: a label, a word or a number."""


@STRICT_SECTION
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two words, or two descriptions."""

    id: str
    aligned: str
    misaligned: str
    theme: str = ""


def unique(things: tuple[AnyNamed, ...]) -> tuple[AnyNamed, ...]:
    """The same, where there are any and their ids differ.

    Raises:
        ValueError: else.
    """
    if not things:
        raise ValueError("is empty")
    id_, n = Counter(thing.id for thing in things).most_common(1)[0]
    if n > 1:
        raise ValueError(f"id {id_!r} stands {n} times; ids must differ")
    return things


def check_places(wordings: Sequence[Wording], *places: str) -> None:
    """
    Raises:
        ValueError: there is no wording, or one lacks a place.
    """
    if not wordings:
        raise ValueError("needs at least one wording")
    for n, wording in enumerate(wordings, start=1):
        missing = [place for place in places if f"{{{place}}}" not in wording.text]
        if missing:
            raise ValueError(f"wording {n} has no {{{missing[0]}}}")


def check_ends(low: int, high: int) -> None:
    """
    Raises:
        ValueError: a scale's low end does not lie below its high one.
    """
    if low >= high:
        raise ValueError("low must lie below high")


def numbered(wordings: Sequence[Wording]) -> Iterator[tuple[str, Wording]]:
    """Wordings with their names, `w1`, `w2`, ..."""
    return ((f"w{n}", wording) for n, wording in enumerate(wordings, start=1))


def ordered(at_pole: str, other: str, pole: Side) -> tuple[str, str]:
    """Two texts as they are shown."""
    return (at_pole, other) if pole == "first" else (other, at_pole)


def both_orders(
    instrument: InstrumentId,
    item: str,
    wordings: Iterable[tuple[str, Wording]],
    *,
    pole: str,
    other: str,
    theme: str = "",
    **places: str,
) -> Iterator[Ask]:
    """Two options in both orders; `pole` is the text whose choice counts 1."""
    for name, wording in wordings:
        for side in SIDES:
            first, second = ordered(pole, other, side)
            yield Ask(
                id=f"{instrument}/{item}/{name}/{side}",
                instrument=instrument,
                item=item,
                theme=theme,
                format="choice",
                wording=name,
                pole=side,
                text=fill_in(wording.text, {**places, "first": first, "second": second}).strip(),
                scale=Options(first=first, second=second, labels=wording.labels, pole=side, reply=wording.reply),
            )


@cache
def file_type(sections: tuple[tuple[str, Any], ...]) -> type[Any]:
    """The type of a YAML file that may hold any of some sections, beside an id and a title.

    Args:
        sections: key and type of each.
    """
    made = make_dataclass(
        "ItemFile",
        [(name, str | None, None) for name in ("id", "title")] + [(key, type_ | None, None) for key, type_ in sections],
        frozen=True,
        slots=True,
        kw_only=True,
    )
    return STRICT_SECTION(made)


def core_section(name: str, key: str, section: type[Section]) -> Section:
    """A section of the shipped set `core`, whose wordings a user's own items may borrow."""
    source = files("undertow.persona") / "items" / "core" / f"{name}.yaml"
    held = parse_yaml(source.read_text(encoding="utf-8"), file_type(((key, section),)), where=str(source))
    found: Section = getattr(held, key)
    return found
