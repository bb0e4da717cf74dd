"""`later`: libraries that take seconds to load, which those tests pay for that use them."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest


class Later:
    """A module that is loaded when something of it is first read; what is replaced in it is replaced by its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


def later(name: str) -> Any:
    """As `pytest.importorskip` at the head of a file, but that nothing is loaded to know which tests there are."""
    if find_spec(name) is None:
        pytest.skip(f"no {name}", allow_module_level=True)
    return Later(name)
