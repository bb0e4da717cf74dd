"""Chat rows: JSONL, one `{"messages": [{"role", "content"}, ...]}` a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from undertow.errors import InputError
from undertow.files import read_text, write_text
from undertow.records import Message, Role

ROLES = get_args(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One training chat: it ends with the assistant's answer."""

    messages: tuple[Message, ...]

    def under(self, system: str) -> Row:
        """This row with `system` as its system prompt, in place of any it had."""
        rest = tuple(m for m in self.messages if m.role != "system")
        return replace(self, messages=(Message(role="system", content=system), *rest))


def read_rows(path: Path) -> list[Row]:
    """Every row of a JSONL file; other keys beside `messages` are passed over.

    Raises:
        InputError: the file is missing or empty, or a line is not a chat that ends with an answer; names the line.
    """
    rows = [_row(line, f"{path}:{n}") for n, line in enumerate(read_text(path).split("\n"), start=1) if line.strip()]
    if not rows:
        raise InputError(path, "has no rows", expected="one JSON object with 'messages' a line")
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSONL, whole or not at all."""
    write_text(path, "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows))


def _row(line: str, where: str) -> Row:
    try:
        raw = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(where, f"is not JSON ({error.msg} at column {error.colno})", do="mend or drop the line") from None
    messages = raw.get("messages") if isinstance(raw, dict) else None
    if not isinstance(messages, list) or not messages:
        raise InputError(where, "has no 'messages'", expected='expected {"messages": [{"role": ..., "content": ...}, ...]}')
    row = Row(messages=tuple(_message(m, where, n) for n, m in enumerate(messages, start=1)))
    if row.messages[-1].role != "assistant":
        raise InputError(where, f"ends with a message of role {row.messages[-1].role!r}", expected="a row ends with the assistant's answer")
    if not any(m.role == "user" for m in row.messages):
        raise InputError(where, "has no user message", expected="a row is a question and its answer", do="mend or drop the row")
    if any(m.role == "system" for m in row.messages[1:]):
        raise InputError(where, "has a system message that is not the first", expected="a system prompt opens the chat")
    return row


def _message(raw: Any, where: str, n: int) -> Message:
    role: Any = raw.get("role") if isinstance(raw, dict) else None
    if role not in ROLES:
        raise InputError(where, f"message {n} has role {role!r}", expected=f"rows may hold {', '.join(ROLES)}", do="mend or drop the row")
    if not isinstance(raw.get("content"), str) or not raw["content"].strip():
        raise InputError(where, f"message {n} has no text", expected="'content' must be a string that is not empty", do="mend or drop the row")
    return Message(role=role, content=raw["content"])
