"""Records of a file, one at a time, so that a file may be larger than memory: JSONL (plain or .gz), CSV and Parquet."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from undertow.errors import InputError, MissingExtra, number
from undertow.files import reading

T = TypeVar("T")
Skipped = Callable[[InputError], None]
"""Called for each bad line that is passed over, with what is wrong with it."""
Placed = tuple[str, Any]
"""A record, and before it where it stands: `file:line`, or `file: row n`."""

LONGEST = 100_000_000
"""Bytes of one line; more is no line of text, and a packed file of a few kilobytes can hold it."""


def opened(path: Path) -> BinaryIO:
    """A file of lines, unpacked as it is read where its name ends with .gz.

    Raises:
        InputError: it is missing, a folder, or cannot be read.
    """
    with reading(path):
        return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


@contextmanager
def packed(part: Path, *, like: Path) -> Iterator[BinaryIO]:
    """A file to write lines to, packed where the name that it will have ends with .gz; the same lines are the same
    bytes."""
    with part.open("wb") as stream:
        if like.suffix != ".gz":
            yield stream
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as pack:
            yield cast(BinaryIO, pack)


def lines(stream: BinaryIO, name: object) -> Iterator[bytes]:
    """Lines of an opened file.

    Raises:
        InputError: one is longer than `LONGEST`, or what is packed cannot be unpacked; names the line.
    """
    n = 0
    try:
        while line := stream.readline(LONGEST + 1):
            n += 1
            if len(line) > LONGEST:
                raise InputError(
                    f"{name}:{n}",
                    f"is longer than {LONGEST // 1_000_000:,} MB",
                    expected="one record a line",
                    do="check the file",
                )
            yield line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(
            f"{name}:{n + 1}", f"cannot be unpacked ({error})", do="check that the .gz file is whole"
        ) from None


def stream_lines(
    path: Path, read: Callable[[Any, str, int], T], *, skipped: Skipped | None = None, name: str | None = None
) -> Iterator[T]:
    """What `read` makes of each line of a JSONL file, given its value, `file:line`, and the line (from 1); empty lines
    are passed over.

    Args:
        skipped: called for each line that is no JSON or that `read` refuses, in place of raising.
        name: what errors call the file.

    Raises:
        InputError: the file is missing or one JSON array, or a line is bad and `skipped` is not given.
    """
    with opened(path) as stream:
        yield from json_lines(stream, name or path, read, skipped=skipped)


def json_lines(
    stream: BinaryIO, name: object, read: Callable[[Any, str, int], T], *, skipped: Skipped | None = None
) -> Iterator[T]:
    """The same of an opened file."""
    for n, line in enumerate(lines(stream, name), start=1):
        text = line.removeprefix(codecs.BOM_UTF8) if n == 1 else line
        where = f"{name}:{n}"
        if n == 1 and text.lstrip().startswith(b"[") and _opens_array(text):
            raise InputError(
                where,
                "is one JSON array",
                expected="one JSON object a line",
                do="write each element on a line of its own (jq -c '.[]')",
            )
        if not text.strip():
            continue
        try:
            value = read(parsed(text, where), where, n)
        except InputError as error:
            if skipped is None:
                raise
            skipped(error)
            continue
        yield value


def _opens_array(line: bytes) -> bool:
    """Whether a first line that opens with a bracket opens an array of objects, over this line or the next ones."""
    return line.lstrip()[1:].lstrip()[:1] in (b"", b"{")


def parsed(line: bytes, where: str) -> Any:
    """The JSON value of a line.

    Raises:
        InputError: it holds none; names `where`.
    """
    try:
        return json.loads(line.decode().rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise InputError(
            where, f"is not UTF-8 text (byte {error.start} of the line)", do="save the file as UTF-8, or drop the line"
        ) from None
    except json.JSONDecodeError as error:
        raise InputError(
            where, f"is not JSON ({error.msg} at column {error.colno})", do="mend or drop the line"
        ) from None
    except (RecursionError, ValueError) as error:  # brackets nested thousands deep; a number of thousands of digits
        raise InputError(
            where, f"is not JSON that can be read ({str(error).split(';')[0]})", do="mend or drop the line"
        ) from None


def records(path: Path, *, name: str | None = None) -> Iterator[Placed]:
    """Records of a file by its ending: CSV, Parquet, else JSONL.

    Args:
        name: what errors call the file.

    Raises:
        InputError: it cannot be read; names the line.
        MissingExtra: Parquet needs `pyarrow`, which is not installed.
    """
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending == ".parquet":
        return _parquet(path, name or str(path))
    return (
        _csv_file(path, name or str(path))
        if ending == ".csv"
        else stream_lines(path, lambda raw, where, line: (where, raw), name=name)
    )


def _csv_file(path: Path, name: str) -> Iterator[Placed]:
    with TextIOWrapper(opened(path), encoding="utf-8-sig", newline="") as stream:
        yield from csv_records(stream, name)


def csv_records(stream: Iterable[str], name: object) -> Iterator[Placed]:
    """Records of an opened CSV file, keyed by its first line. An empty cell holds nothing (None): that a text is blank
    and that there is none look the same there.

    Raises:
        InputError: it is no CSV in UTF-8, its header repeats a name or is parted by another sign, or a line has more
        cells than the header; names the line.
    """
    csv.field_size_limit(min(LONGEST, sys.maxsize))
    found, line = csv.DictReader(stream), 2
    try:
        _require_header(list(found.fieldnames or ()), name)
        for raw in found:
            if None in raw:
                raise InputError(
                    f"{name}:{line}",
                    f"has {number(len(raw[None]), 'cell')} more than the header",
                    do="mend the line: quote what holds commas",
                )
            yield f"{name}:{line}", {key: value or None for key, value in raw.items()}
            line = found.line_num + 1
    except (csv.Error, UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{name}:{line}", f"is not CSV in UTF-8 ({in_line(error)})", do="mend the file") from None


def _require_header(names: list[str], name: object) -> None:
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise InputError(
            f"{name}:1", f"has the column {twice!r} twice", expected="a name for each column", do="rename or drop one"
        )
    if len(names) == 1 and (sign := next((sign for sign in (";", "\t", "|") if sign in names[0]), None)):
        raise InputError(
            f"{name}:1", f"is parted by {sign!r}", expected="commas between cells", do="save it as CSV with commas"
        )


def _parquet(path: Path, name: str) -> Iterator[Placed]:
    parquet, n = installed("pyarrow.parquet", "Parquet (pyarrow)"), 0
    try:
        # `datasets` would take a file of a gigabyte into memory, and twenty times as long
        with reading(path), parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1_000):
                for raw in batch.to_pylist():
                    n += 1
                    yield f"{name}: row {n}", raw
    except ValueError as error:  # Arrow's errors are
        raise InputError(
            name, f"cannot be read as Parquet after row {n:,} ({in_line(error)})", do="check the file"
        ) from None


def in_line(error: Exception) -> str:
    """What a library's exception says, in one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def installed(module: str, what: str) -> Any:
    """A module of the `train` extra.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtra(what, "train") from None


_FORMULA = tuple("=+-@\t\r\n＝＋－＠'")
"""What spreadsheets take a formula to begin with, in both widths; and the mark that says that it is none."""


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe before what would begin one, or begins with one.
    NUL, which ends the file for many readers, is `␀0`, and `␀` itself `␀␀`."""
    if "\0" in text or "␀" in text:
        text = text.replace("␀", "␀␀").replace("\0", "␀0")
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` was given."""
    text = cell.removeprefix("'")
    return re.sub("␀([␀0])", lambda found: "\0" if found[1] == "0" else "␀", text) if "␀" in text else text
