"""The ledger of a project's releases: a line each, appended and never changed, and the error that each one spent.

A gate that is asked again and again would in the end fail a good release, and pass a bad one that is audited anew
until it passes. So the k-th release has a share of one error for all:
    alpha_k = alpha * h / ((h + k - 1) (h + k)),   k = 1, 2, ..., at a horizon of h releases.
The sum telescopes to alpha: however many releases come, the chance that any is decided falsely is at most alpha
(Bonferroni). The first h spend half; the h-th has alpha / (4 h - 2), nearly the most that a series of this kind can
give it (of the common 6 / (pi k)^2 the 20th has an eighth of that).

Sources: spending one error over looks, Lan and DeMets 1983, Biometrika 70:659; over an unbounded sequence of
hypotheses, Tian and Ramdas 2021, Statist. Methods Med. Res. 30:976 (alpha-spending).

Every line holds the hash of the one before and its own, so that a changed, moved or removed line shows; lines cut off
at the end show in the repository's history alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from undertow.errors import InputError
from undertow.files import adapter, digest, reading
from undertow.mistakes import with_place
from undertow.provenance import start

SCHEMA: Final = "undertow.ledger/1"
WAIT_S = 60.0
"""Seconds to wait for another gate that is at work on the same ledger."""

Outcome = Literal["pass", "fail", "undecided"]


def share(release: int, horizon: int) -> float:
    """The part of the error that a release may spend, counted from 1; all of them sum to 1.

    Raises ValueError unless both are at least 1.
    """
    if release < 1 or horizon < 1:
        raise ValueError(f"release {release} at a horizon of {horizon}; expected both to be at least 1")
    return horizon / ((horizon + release - 1) * (horizon + release))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line: whose releases these are, and under which policy their errors add up."""

    schema: Literal["undertow.ledger/1"] = SCHEMA
    policy: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One release that was held against another."""

    release: int
    """Counted from 1."""
    at: str
    """When, UTC."""
    version: str
    """Of Undertow."""
    run: str
    """Name of the run."""
    run_id: str
    """Hash of its answers, judgements and rule."""
    baseline: str
    baseline_id: str
    alpha: float
    """The error that it spent."""
    outcome: Outcome
    previous: str
    """Hash of the line before."""
    hash: str


class Ledger:
    """A ledger that nobody else writes to meanwhile."""

    def __init__(self, path: Path, policy: Mapping[str, Any]) -> None:
        self.path, self.policy = path, dict(policy)
        self._last, self.entries = _read(path, self.policy)

    def find(self, run_id: str, baseline_id: str) -> Entry | None:
        """The release that these two runs were, where they were held against each other before."""
        return next((e for e in self.entries if (e.run_id, e.baseline_id) == (run_id, baseline_id)), None)

    @property
    def next(self) -> int:
        """The number of the next release."""
        return len(self.entries) + 1

    def add(self, *, run: tuple[str, str], baseline: tuple[str, str], alpha: float, outcome: Outcome) -> Entry:
        """Append a release, on the disk when this returns; run and baseline by name and id."""
        lines = []
        if not self._last:
            head: dict[str, Any] = {"schema": SCHEMA, "policy": self.policy}
            lines.append(head | {"hash": digest(head)})
            self._last = lines[0]["hash"]
        now = start()
        held = {
            "release": self.next,
            "at": now["at"],
            "version": now["versions"].get("undertow", ""),
            **dict(zip(("run", "run_id", "baseline", "baseline_id"), (*run, *baseline), strict=True)),
            "alpha": alpha,
            "outcome": outcome,
            "previous": self._last,
        }
        lines.append(held | {"hash": digest(held)})
        try:
            with self.path.open("ab") as out:
                out.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise InputError(self.path, f"cannot be written ({error.strerror})", do="check the folder") from None
        entry = adapter(Entry).validate_python(lines[-1])
        self._last, self.entries = entry.hash, (*self.entries, entry)
        return entry


@contextmanager
def opened(path: Path, policy: Mapping[str, Any]) -> Iterator[Ledger]:
    """A project's ledger, empty where there is no file yet; others wait until it is left.

    Raises:
        InputError: it belongs to another policy, a line of it was changed or is unfinished, or it is in use.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=WAIT_S)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise InputError(path, "is in use by another gate", do="wait for it") from None
    except OSError as error:
        raise InputError(path, f"cannot be used ({error.strerror})", do="check the folder") from None
    try:
        yield Ledger(path, policy)
    finally:
        lock.release()


def _read(path: Path, policy: Mapping[str, Any]) -> tuple[str, tuple[Entry, ...]]:
    """The last line's hash, and the releases.

    Raises:
        InputError: as `opened`.
    """
    if not path.exists():
        return "", ()
    with reading(path):
        lines = path.read_bytes().split(b"\n")
    if lines == [b""]:
        return "", ()
    if lines[-1]:
        raise InputError(
            f"{path}:{len(lines)}",
            "was cut off while it was written",
            expected="a line for each release",
            do="delete that line, of which nobody was told, and gate again",
        )
    head = _line(Head, lines[0], f"{path}:1")
    if head.policy != policy:
        differs = {key: (head.policy.get(key), value) for key, value in policy.items() if head.policy.get(key) != value}
        words = ", ".join(f"{key}: {was} there, {is_} here" for key, (was, is_) in differs.items()) or "keys"
        raise InputError(
            path,
            f"is the ledger of another {'project' if 'project' in differs else 'policy'} ({words})",
            expected="errors add up under one policy",
            do="give the policy that it was begun with, or begin another ledger, whose error is a new one",
        )
    last, entries = head.hash, []
    for number, line in enumerate(lines[1:-1], 2):
        entry = _line(Entry, line, where := f"{path}:{number}")
        if entry.previous != last or entry.release != number - 1:
            raise _changed(where, "does not follow from the line before")
        last = entry.hash
        entries.append(entry)
    return last, tuple(entries)


L = TypeVar("L", Head, Entry)


def _line(type_: type[L], line: bytes, where: str) -> L:
    try:
        found = adapter(type_).validate_json(line, strict=True, extra="forbid")
    except ValidationError as error:
        raise _changed(where, f"is no line of a ledger ({with_place(error.errors()[0])})") from None
    held = asdict(found)
    if held.pop("hash") != digest(held):
        raise _changed(where, "was changed after it was written")
    return found


def _changed(where: str, found: str) -> InputError:
    return InputError(
        where, found, expected="the line as a gate wrote it", do="put back the file that the repository holds"
    )
