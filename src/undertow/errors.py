"""Exceptions.

UndertowError
└── InputError        what a user gave cannot be used: one line, exit code 2
    ├── MissingExtra  a part of Undertow that is not installed
    ├── RunExists     an output folder that already holds something
    ├── Paused        a run that gets nothing usable from its target or its judge
    └── BudgetEnded   a budget that does not hold what comes next
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

TRACEBACK = "UNDERTOW_TRACEBACK"
"""Environment variable that has tracebacks shown, of plug-ins above all."""


class UndertowError(Exception):
    """Root of every error that Undertow raises on purpose."""


class InputError(UndertowError):
    """A user's error, told in one line: where it is, what was found, what was expected and what to do."""

    def __init__(self, where: object, found: str, *, expected: str = "", do: str = "") -> None:
        self.where, self.found, self.expected, self.do = str(where), found, expected, do
        super().__init__(shown("; ".join(part for part in (f"{where}: {found}", expected, do) if part)))

    def __reduce__(self) -> tuple[object, ...]:
        """So that it comes whole out of another process, whatever its class takes."""
        return _again, (type(self), self.args[0], self.where, self.found, self.expected, self.do)


def shown(text: str) -> str:
    """Text from anywhere, in one line that a terminal shows and does not obey: what cannot be printed is a box."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))


def number(n: int, thing: str) -> str:
    """`1 question`, `1,200 questions`."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _again(kind: type[InputError], said: str, where: str, found: str, expected: str, do: str) -> InputError:
    error = kind.__new__(kind)
    Exception.__init__(error, said)
    error.where, error.found, error.expected, error.do = where, found, expected, do
    return error


class MissingExtra(InputError):
    """A part of Undertow that needs packages which are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, "is not installed", do=f"run: pip install 'undertow[{extra}]'")


class RunExists(InputError):
    """An output folder that is already there, so that nothing in it is overwritten."""


class Paused(InputError):
    """A run that stopped because nothing usable came; all that came is kept, and it goes on with `--resume`."""


class BudgetEnded(InputError):
    """A budget that does not hold what comes next; all that came is kept, and a larger one goes on."""


def unknown_name(where: object, kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name that is not among the known ones, with the nearest of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
    return InputError(where, f"unknown {kind} {name!r}", expected=hint)
