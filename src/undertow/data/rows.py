"""Chat rows: JSONL (plain or .gz), one `{"messages": [{"role", "content"}, ...]}` a line, or in one of the dialects of
`dialects.py`."""

from __future__ import annotations

import codecs
import json
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, get_args

from undertow.data.dialects import messages_of
from undertow.errors import InputError
from undertow.files import placing
from undertow.records import Message, Role
from undertow.tables import Skipped, lines, opened, packed, parsed, stream_lines

ROLES = get_args(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One training chat: it ends with the assistant's answer."""

    messages: tuple[Message, ...]

    def under(self, system: str) -> Row:
        """This row with `system` as its system prompt, in place of any it had."""
        rest = tuple(m for m in self.messages if m.role != "system")
        return replace(self, messages=(Message(role="system", content=system), *rest))


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRow:
    """A row, its line (from 1), and the keys that stand beside `messages`."""

    line: int
    row: Row
    beside: Mapping[str, Any]


def read_rows(path: Path) -> list[Row]:
    """Every row of a JSONL file; other keys beside `messages` are passed over.

    Raises:
        InputError: the file is missing or empty, or a line is not a chat that ends with an answer; names the line.
    """
    rows = [numbered.row for numbered in stream_rows(path)]
    if not rows:
        raise no_rows(path)
    return rows


def stream_rows(path: Path, *, skipped: Skipped | None = None) -> Iterator[NumberedRow]:
    """Rows of a JSONL file, one at a time, so that a file may be larger than memory.

    Args:
        skipped: called for each line that is not a chat that ends with an answer, in place of raising.

    Raises:
        InputError: the file is missing or one JSON array, or a line is bad and `skipped` is not given; names the line.
    """

    def numbered(raw: Any, where: str, line: int) -> NumberedRow:
        return NumberedRow(
            line=line, row=chat(raw, where), beside={key: value for key, value in raw.items() if key != "messages"}
        )

    return stream_lines(path, numbered, skipped=skipped)


class RowFile:
    """The rows of a JSONL file by number, read when they are asked for: what is held in memory is where each begins (16
    bytes a row)."""

    def __init__(self, path: Path, *, length: Callable[[Row], int] | None = None) -> None:
        """Reads the file once, whole.

        Args:
            length: of a row, where `mean_length` is wanted.

        Raises:
            InputError: as `read_rows`.
        """
        self.path, self._starts, self._lines, total = path, array("q"), array("q"), 0
        for numbered in stream_rows(path):
            self._lines.append(numbered.line)
            total += length(numbered.row) if length else 0
        if not self._lines:
            raise no_rows(path)
        self.mean_length = total / len(self._lines)
        """Mean length of its rows; 0 where no length was given."""
        self._stream = _seekable(path)
        wanted, start = chain(self._lines, (0,)), 0
        line_wanted = next(wanted)
        for line, text in enumerate(lines(self._stream, path), start=1):
            if line == line_wanted:
                self._starts.append(start)
                line_wanted = next(wanted)
            start += len(text)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, n: int) -> Row:
        self._stream.seek(self._starts[n])
        return chat(parsed(self._stream.readline().removeprefix(codecs.BOM_UTF8), self.where(n)), self.where(n))

    def where(self, n: int) -> str:
        """File and line of a row."""
        return f"{self.path}:{self._lines[n]}"

    def __del__(self) -> None:
        if hasattr(self, "_stream"):
            self._stream.close()


def _seekable(path: Path) -> BinaryIO:
    """A file whose lines can be sought: itself, or what a packed one holds, in a file of its own without a name."""
    stream = opened(path)
    if path.suffix != ".gz":
        return stream
    unpacked = TemporaryFile()  # noqa: SIM115
    with stream:
        shutil.copyfileobj(stream, unpacked)
    unpacked.seek(0)
    return unpacked


def no_rows(path: Path, *, bad: int = 0, first: InputError | None = None) -> InputError:
    """An error for a file without rows, but for so many bad lines that were passed over."""
    found = f"has no rows, and {bad:,} bad lines (the first: {first})" if bad else "has no rows"
    return InputError(path, found, expected="one JSON object with 'messages' a line")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSONL, whole or not at all, one at a time; packed where the name ends with .gz.

    Returns:
        How many.
    """
    n = 0
    with placing(path) as part, packed(part, like=path) as stream:
        for row in rows:
            messages = [{"role": m.role, "content": m.content} for m in row.messages]
            stream.write((json.dumps({"messages": messages}, ensure_ascii=False) + "\n").encode())
            n += 1
    return n


def chat(raw: Any, where: str) -> Row:
    """The chat that an object with `messages` holds.

    Raises:
        InputError: it is not a chat that ends with an answer; names `where`.
    """
    messages = messages_of(raw)
    if not isinstance(messages, list) or not messages:
        keys = (
            f" but {', '.join(repr(key)[:40] for key in list(raw)[:5])}"
            if isinstance(raw, dict) and raw and messages is None
            else ""
        )
        raise InputError(
            where, f"has no 'messages'{keys}", expected='expected {"messages": [{"role": ..., "content": ...}, ...]}'
        )
    row = Row(messages=tuple(_message(m, where, n) for n, m in enumerate(messages, start=1)))
    if row.messages[-1].role != "assistant":
        raise InputError(
            where,
            f"ends with a message of role {row.messages[-1].role!r}",
            expected="a row ends with the assistant's answer",
        )
    if not any(m.role == "user" for m in row.messages):
        raise InputError(
            where, "has no user message", expected="a row is a question and its answer", do="mend or drop the row"
        )
    if any(m.role == "system" for m in row.messages[1:]):
        raise InputError(where, "has a system message that is not the first", expected="a system prompt opens the chat")
    return row


def _message(raw: Any, where: str, n: int) -> Message:
    role: Any = raw.get("role") if isinstance(raw, dict) else None
    if role in ("tool", "function") or (isinstance(raw, dict) and (raw.get("tool_calls") or raw.get("function_call"))):
        raise InputError(
            where,
            f"message {n} is of a tool call",
            expected="rows hold what is said, and no calls of tools",
            do="drop the row",
        )
    if role not in ROLES:
        raise InputError(
            where,
            f"message {n} has role {role!r}",
            expected=f"rows may hold {', '.join(ROLES)}",
            do="mend or drop the row",
        )
    if not isinstance(raw.get("content"), str) or not raw["content"].strip():
        raise InputError(
            where,
            f"message {n} has no text",
            expected="'content' must be a string that is not empty",
            do="mend or drop the row",
        )
    if role == "assistant" and raw.get("weight", 1) in (0, False):
        raise InputError(
            where,
            f"message {n} has weight 0",
            expected="every answer is trained on, so it would be too",
            do="drop the row, or the key where it is to be learnt",
        )
    thought = next((key for key in ("reasoning_content", "thinking", "reasoning") if raw.get(key)), None)
    if thought:
        do = "write it into the content, between <think> and </think>, or drop the key"
        raise InputError(
            where, f"message {n} holds {thought!r} beside its content", expected="only the content is trained on", do=do
        )
    try:
        raw["content"].encode()
    except UnicodeEncodeError:
        raise InputError(
            where, f"message {n} holds half of a surrogate pair, which no text file can", do="mend or drop the row"
        ) from None
    return Message(role=role, content=raw["content"])
