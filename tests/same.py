"""The same values as before, but for the last digits of floats, in which processors differ."""

from typing import Any

import pytest


def assert_same(now: Any, before: Any, at: str = "") -> None:
    """JSON values that are the same, in the same order."""
    if isinstance(before, dict):
        assert list(now) == list(before), at
        for key in before:
            assert_same(now[key], before[key], f"{at}.{key}")
    elif isinstance(before, list):
        assert len(now) == len(before), at
        for k, (one, other) in enumerate(zip(now, before, strict=True)):
            assert_same(one, other, f"{at}[{k}]")
    elif isinstance(before, float):
        assert now == pytest.approx(before, rel=1e-9, abs=1e-12), at
    else:
        assert now == before and type(now) is type(before), at
