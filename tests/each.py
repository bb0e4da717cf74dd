"""`each`: one test over many small cases, where a test of its own for each would cost more than the case."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def each(names: str, cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`, in one test: all cases are tried, and all that fail are named, each with its error.

    For cases that share no state: what fixtures give is made once.

    Args:
        names: arguments that a case gives, parted by commas.
        cases: a value each, or a tuple of as many as there are names.
    """
    given, listed = [name.strip() for name in names.split(",")], list(cases)
    assert listed, "no cases"

    def over(test: Callable[..., None]) -> Callable[..., None]:
        def all_of_them(**fixtures: Any) -> None:
            failed = []
            for case in listed:
                try:
                    test(**dict(zip(given, case if len(given) > 1 else (case,), strict=True)), **fixtures)
                except (Exception, pytest.fail.Exception) as error:
                    failed.append(f"{case!r:.500}: {type(error).__name__}: {error}")
            assert not failed, f"{len(failed)} of {len(listed)} cases:\n" + "\n".join(failed)

        signature = inspect.signature(test)
        kept = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values() if p.name not in given]
        assert len(kept) == len(signature.parameters) - len(given), f"takes not all of {names}"
        all_of_them.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]  # fixtures
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(all_of_them, name, getattr(test, name))
        return all_of_them

    return over
