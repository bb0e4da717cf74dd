"""How a cell ended, as its folder says: `result.json`, or `failure.json` with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from undertow.files import read_object, to_json, write_text

State = Literal["done", "failed", "waiting"]


def state(cell: Path) -> State:
    """How far a cell is: done, failed when it was last tried, or waiting."""
    if (cell / "result.json").is_file():
        return "done"
    return "failed" if (cell / "failure.json").is_file() else "waiting"


def succeed(cell: Path, *, digest: str, seconds: dict[str, float], host: str) -> None:
    """Write that all of a cell is there."""
    write_text(
        cell / "result.json",
        to_json({"schema": "undertow.result/1", "digest": digest, "seconds": seconds, "host": host}),
    )
    (cell / "failure.json").unlink(missing_ok=True)


def fail(cell: Path, reason: str, *, trace: str | None = None) -> None:
    """Write why a cell's last try failed."""
    write_text(cell / "failure.json", to_json({"schema": "undertow.failure/1", "reason": reason, "traceback": trace}))


def outcome(cell: Path) -> dict[str, Any]:
    """What `result.json` or `failure.json` holds; nothing of a cell that is waiting."""
    path = cell / ("result.json" if state(cell) == "done" else "failure.json")
    return read_object(path, do="remove it, and run the study again") if path.is_file() else {}
