"""Rows as tables: CSV, JSONL and Parquet. A writer is handed rows one at a time and keeps few of them.

What models wrote stays text: a CSV is opened in spreadsheets, which take a cell that begins with `=` for a formula.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from undertow.errors import MissingExtra
from undertow.exports.columns import Column, Kind, Row
from undertow.tables import guarded

BATCH_ROWS = 10_000
BATCH_CHARACTERS = 16_000_000
"""Rows, and characters of their texts, that a Parquet file holds together: so many are in memory."""


class Writer(Protocol):
    """Writes rows."""

    def write(self, row: Row) -> None: ...


@contextmanager
def csv_writer(path: Path, columns: Sequence[Column]) -> Iterator[Writer]:
    """CSV in UTF-8, as RFC 4180 has it: commas, quotes where they are needed, and CR LF behind each row."""
    texts = tuple(column.kind in ("text", "category", "json") for column in columns)
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(column.name for column in columns)

        class ToCsv:
            def write(self, row: Row) -> None:
                out.writerow(
                    guarded(value) if text and value else value for text, value in zip(texts, row.values(), strict=True)
                )

        yield ToCsv()


@contextmanager
def jsonl_writer(path: Path, columns: Sequence[Column]) -> Iterator[Writer]:
    """One object a line; values that are JSON are nested in it."""
    nested = [column.name for column in columns if column.kind == "json"]
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    with path.open("w", encoding="utf-8", newline="\n") as stream:

        class ToJsonl:
            def write(self, row: Row) -> None:
                plain = encode({name: value for name, value in row.items() if name not in nested})
                more = "".join(f', "{name}": {"null" if row[name] is None else row[name]}' for name in nested)
                stream.write(f"{_one_line(plain[:-1])}{more}}}\n")

        yield ToJsonl()


def _one_line(text: str) -> str:
    """JSON without the signs that some readers end a line at: they can stand in its strings alone."""
    return text.translate(_LINE_ENDS) if not text.isascii() else text


_LINE_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}


@contextmanager
def parquet_writer(path: Path, columns: Sequence[Column], *, schema: str) -> Iterator[Writer]:
    """Parquet, packed with Zstandard.

    Args:
        schema: name of what the columns are, for the file's metadata.

    Raises:
        MissingExtra: `pyarrow` is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingExtra("Parquet (pyarrow)", "export") from None
    kinds: dict[Kind, Any] = {"integer": pa.int64(), "number": pa.float64(), "flag": pa.bool_()}
    fields = [
        pa.field(c.name, kinds.get(c.kind, pa.string()), metadata={"holds": c.holds, "kind": c.kind}) for c in columns
    ]
    held = pa.schema(fields, metadata={"undertow": schema})
    long = [column.name for column in columns if column.kind in ("text", "json")]
    with parquet.ParquetWriter(path, held, compression="zstd") as out:

        class ToParquet:
            def __init__(self) -> None:
                self.batch: list[Row] = []
                self.characters = 0

            def write(self, row: Row) -> None:
                self.batch.append(row)
                self.characters += sum(len(row[name] or "") for name in long)
                if len(self.batch) >= BATCH_ROWS or self.characters >= BATCH_CHARACTERS:
                    self.flush()

            def flush(self) -> None:
                arrays = [pa.array([row[f.name] for row in self.batch], type=f.type) for f in held]
                out.write_batch(pa.record_batch(arrays, schema=held))
                self.batch, self.characters = [], 0

        writer = ToParquet()
        yield writer
        if writer.batch:
            writer.flush()
