"""Rows as a pandas data frame, all of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.errors import MissingExtra
from undertow.exports.columns import Column
from undertow.exports.export import rows_of, staged, told
from undertow.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd

DTYPES = {"text": "string", "json": "string", "integer": "int64", "number": "float64", "flag": "boolean"}
"""By kind of column; the others are categories of strings."""


def frame(runs: Sequence[Path], *, progress: Progress | None = None) -> pd.DataFrame:
    """The rows of runs, as exports have them.

    Raises:
        MissingExtra: pandas is not installed.
        InputError: a folder holds no run, or audits and personas are mixed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtra("pandas", "export") from None
    held = rows_of(runs)
    gathered = [_Gathered(column) for column in held[0].columns]
    for stage, each in staged(held):
        for row in told(each, stage, progress or silent):
            for column, value in zip(gathered, row.values(), strict=True):
                column.add(value)
    return pd.DataFrame({column.name: column.series(pd) for column in gathered})


class _Gathered:
    """One column's values; of categories each text once."""

    def __init__(self, column: Column) -> None:
        self.name, self.kind = column.name, column.kind
        self.values: list[Any] = []
        self.codes: dict[str, int] = {}

    def add(self, value: Any) -> None:
        if self.kind == "category":
            value = -1 if value is None else self.codes.setdefault(value, len(self.codes))
        self.values.append(value)

    def series(self, pd: Any) -> Any:
        if self.kind != "category":
            return pd.Series(self.values, dtype=DTYPES[self.kind])
        names = pd.Index(list(self.codes), dtype="string")
        return pd.Series(pd.Categorical.from_codes(self.values, names))
