"""Numbers as the terminal shows them."""

import pytest

from undertow.cli.display import percent


@pytest.mark.parametrize(
    ("found", "points", "shown"),
    [
        ({"value": 0.062, "low": 0.031, "high": 0.109}, False, "6.2% [3.1, 10.9]"),
        ({"value": 0.062, "low": -0.031, "high": 0.109}, True, "+6.2 [-3.1, +10.9]"),
        ({"value": 0.5, "low": None, "high": None}, False, "50.0%"),
        ({"value": None, "low": None, "high": None}, False, "—"),
        (None, False, "—"),
    ],
)
def test_a_share_with_its_limits_or_without(found: dict[str, float | None] | None, points: bool, shown: str) -> None:
    assert percent(found, points=points) == shown
