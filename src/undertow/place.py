"""Where a configuration stands: what the paths in it are relative to, and what errors about it name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from undertow.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a configuration stands. As a string it is its name."""

    folder: Path = Path()
    """What relative paths in it are relative to."""
    name: str = ""
    """What errors name: a file, an option, a key of a file."""

    @classmethod
    def of(cls, file: Path) -> Self:
        """That of what a file holds: its paths are relative to the file's folder."""
        return cls(folder=file.parent, name=str(file))

    def __str__(self) -> str:
        return self.name

    def path(self, name: str | Path) -> Path:
        """The file or folder of a name that stands in it."""
        return self.folder / name

    def named(self, name: str) -> Self:
        """The same folder under another name."""
        return replace(self, name=name)

    def or_named(self, name: str) -> Self:
        """With this name where it has none."""
        return self if self.name else self.named(name)

    def key(self, key: str) -> Self:
        """That of what stands under a key."""
        return self.named(f"{self.name}: {key}")

    @contextmanager
    def reading(self, key: str) -> Iterator[None]:
        """Reading a file that a key names: that it is missing is told with the key.

        Raises:
            InputError: whatever is wrong with it.
        """
        try:
            yield
        except InputError as error:
            if error.found not in ("no such file", "is a folder", "no such model folder"):
                raise
            raise InputError(
                self.key(key), f"{error.where}: {error.found}", expected=error.expected, do=error.do
            ) from None


HERE = Place()
"""The working directory, under no name."""


def labelled(run: Path | str) -> tuple[str, Path]:
    """A label and a run, where it is given as LABEL=RUN; without one, no label."""
    label, _, path = str(run).partition("=")
    return (label, Path(path)) if path and label and not Path(run).exists() else ("", Path(run))
