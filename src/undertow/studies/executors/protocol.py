"""Who works on cells."""

from __future__ import annotations
Ended = Executor = Tell = None
