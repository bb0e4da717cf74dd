"""Whether two runs were judged alike: by one judge, which says of stock answers what it said before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOVED = 10.0
"""Points on a stock answer from which a judge is not what it was."""
BESIDE = ("asks_below", "share", "judge_all")
"""Keys of a judge's description that say how much it is asked, and not who it is."""


def moved(before: Mapping[str, float], now: Mapping[str, float]) -> str:
    """How a judge's scores of stock answers differ, in words; nothing where they do not, or where one was not tried."""
    points = {of: (before[of], now[of]) for of in before if of in now and abs(before[of] - now[of]) > MOVED}
    return ", ".join(f"{of}: {was:g}, then {is_:g}" for of, (was, is_) in points.items())


def unlike(
    judges: tuple[Mapping[str, Any], Mapping[str, Any]], canaries: tuple[Mapping[str, float], Mapping[str, float]]
) -> Iterator[str]:
    """What sets the judges of two runs apart, in words."""
    was, is_ = judges
    keys = [key for key in {**was, **is_} if key not in BESIDE and was.get(key) != is_.get(key)]
    if differs := [f"{key}: {_short(was, key)}, then {_short(is_, key)}" for key in keys]:
        yield f"judged by unlike judges ({'; '.join(differs)}), so what changed may be the judge"
    elif words := moved(*canaries):
        yield f"their judge has one name, and is not what it was: of stock answers it said {words}"


def _short(judge: Mapping[str, Any], key: str) -> str:
    return str(judge.get(key, "none"))[:40]
