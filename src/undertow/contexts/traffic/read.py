"""Reading a log of requests: JSONL (plain or .gz) or an Inspect log (.eval) -> requests, masked, with their counts.

A line is a request in one of these forms, by itself or under `body` (a batch's line), `request` or `params`:

    messages           a chat-completions request, or a chat row; `system` beside it is the system prompt
    input              a request of the responses API, a text or items; `instructions` is the system prompt
    prompt             a text (a request as vLLM logs it as JSON), or messages
    the dialects of chat rows (`data/dialects.py`)

The last user turn is what is asked anew: whatever the assistant said after it is left out, turns before it are kept.
Nothing unmasked leaves this module, and errors tell where, never what.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from undertow.contexts.traffic.mask import Kind, masked
from undertow.data.dialects import ROLES, messages_of
from undertow.data.inspect_log import inspect_records
from undertow.errors import InputError, MissingExtra, number
from undertow.records import Message
from undertow.tables import Skipped, stream_lines

NO_MESSAGES = "no messages"
NO_USER = "no user turn"
TOOLS = "calls of tools"
MEDIA = "images, sound or files"
RENDERED = "a prompt that a chat template has rendered already"

_CONTROL = re.compile(r"<\|im_start\|>|<\|start_header_id\|>|\[INST\]|<start_of_turn>|<\|user\|>|<｜User｜>")
_TEXT = ("text", "input_text", "output_text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model was asked once or more: its system prompt, earlier turns, and the last user turn."""

    system: str | None = None
    turns: tuple[Message, ...] = ()
    """User and assistant by turns; the last is the assistant's."""
    text: str


@dataclass(slots=True, kw_only=True)
class Log:
    """The requests of one log or several."""

    requests: dict[Request, int] = field(default_factory=dict)
    """How often each came, in the order of the first time; those that are alike once masked are one."""
    records: int = 0
    """Lines that hold something, and samples."""
    unaskable: Counter[str] = field(default_factory=Counter)
    """Records that hold nothing that can be asked, by reason."""
    masked: Counter[Kind] = field(default_factory=Counter)
    """What was masked in the requests, by kind."""
    touched: int = 0
    """Requests that something was masked in."""

    @property
    def n(self) -> int:
        """Requests, each as often as it came."""
        return sum(self.requests.values())


class Unaskable(Exception):
    """A record that holds nothing that can be asked; says why, in our words."""


def read_log(paths: Sequence[Path], *, skipped: Skipped | None = None) -> Log:
    """The requests of logs.

    Args:
        skipped: called for each line that is no JSON, in place of raising.

    Raises:
        InputError: a file is missing or cannot be read, a line is no JSON and `skipped` is not given (names the line),
        or nothing in them can be asked.
        MissingExtra: an Inspect log, and Inspect is not installed.
    """
    log = Log()
    bad: list[InputError] = []

    def passed_over(error: InputError) -> None:
        bad.append(error)
        if skipped is None:
            raise error
        skipped(error)

    for path in paths:
        for raw in _records(path, passed_over):
            log.records += 1
            try:
                request = request_of(raw)
            except Unaskable as why:
                log.unaskable[str(why)] += 1
                continue
            _keep(log, request)
    if not log.requests:
        where = ", ".join(map(str, paths))
        reasons = ", ".join(f"{n:,} with {reason}" for reason, n in log.unaskable.most_common())
        broken = f"; {number(len(bad), 'line')} not JSON" if bad else ""
        none = f"holds no request that can be asked: of {number(log.records, 'record')} {reasons}"
        found = none if reasons else "is empty"
        raise InputError(
            where,
            f"{found}{broken}",
            expected='a request a line, such as {"messages": [{"role": "user", "content": ...}]}',
        )
    return log


def _records(path: Path, skipped: Callable[[InputError], None]) -> Iterator[Any]:
    if path.suffix != ".eval":
        yield from stream_lines(path, lambda raw, where, line: raw, skipped=skipped)
        return
    try:
        for _, raw in inspect_records(path):
            yield raw
    except MissingExtra:
        raise
    except InputError as error:  # what the library says of it may quote it
        found = "cannot be read as an Inspect log" if "Inspect log" in error.found else error.found
        raise InputError(path, found, do="check the file") from None


def _keep(log: Log, request: Request) -> None:
    counts: Counter[Kind] = Counter()
    clean = Request(
        system=None if request.system is None else masked(request.system, counts),
        turns=tuple(Message(role=turn.role, content=masked(turn.content, counts)) for turn in request.turns),
        text=masked(request.text, counts),
    )
    log.requests[clean] = log.requests.get(clean, 0) + 1
    log.masked += counts
    log.touched += bool(counts)


def request_of(raw: Any) -> Request:
    """The request that a record holds, not masked yet.

    Raises:
        Unaskable: it holds none that can be asked.
    """
    system, chat = _chat(raw)
    turns: list[Message] = []
    for role, text in map(_turn, chat):
        if role == "system":
            if turns:
                raise Unaskable("a system prompt after the first turn")
            system = "\n\n".join(filter(None, (system, text)))
        elif turns and turns[-1].role == role:
            turns[-1] = Message(role=turns[-1].role, content=f"{turns[-1].content}\n\n{text}")
        else:
            turns.append(Message(role="user" if role == "user" else "assistant", content=text))
    while turns and turns[-1].role != "user":
        turns.pop()
    if not turns:
        raise Unaskable(NO_USER)
    return Request(system=system or None, turns=tuple(turns[:-1]), text=turns[-1].content)


def _chat(raw: Any) -> tuple[str | None, list[Any]]:
    """A system prompt that stands beside the messages, and the messages."""
    if not isinstance(raw, Mapping):
        raise Unaskable(NO_MESSAGES)
    if raw.keys().isdisjoint(("messages", "input", "prompt", "conversations", "instruction")):
        inside = next((raw[key] for key in ("body", "request", "params") if isinstance(raw.get(key), Mapping)), None)
        return _chat(inside)
    beside = raw.get("instructions") if "input" in raw else raw.get("system")
    system = _text(beside) if isinstance(beside, str | list) and beside else None
    found = messages_of(raw)
    if found is None:
        found = raw.get("input", raw.get("prompt"))
        if isinstance(found, str):
            if _CONTROL.search(found):
                raise Unaskable(RENDERED)
            found = [{"role": "user", "content": found}]
    elif "input" not in raw:
        system = None  # it is among the messages
    if not isinstance(found, list) or not found:
        raise Unaskable(NO_MESSAGES)
    return system, found


def _turn(raw: Any) -> tuple[str, str]:
    """A message's role and text."""
    if not isinstance(raw, Mapping):
        raise Unaskable(NO_MESSAGES)
    role = raw.get("role")
    role = ROLES.get(role, role) if isinstance(role, str) else role
    kind = raw.get("type", "message")
    if role in ("tool", "function") or raw.get("tool_calls") or raw.get("function_call") or kind != "message":
        raise Unaskable(TOOLS)
    if role not in ("system", "user", "assistant"):
        raise Unaskable("a message of an unknown role")
    return role, _text(raw.get("content"))


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
        kinds = [part.get("type", "text") if isinstance(part, Mapping) else None for part in parts]
        if any(kind in ("tool_use", "tool_result") for kind in kinds):
            raise Unaskable(TOOLS)
        if not all(kind in _TEXT for kind in kinds):
            raise Unaskable(MEDIA)
        content = "".join(str(part.get("text") or "") for part in parts)
    if not isinstance(content, str) or not content.strip():
        raise Unaskable("a message without text")
    try:
        content.encode()
    except UnicodeEncodeError:
        raise Unaskable("half of a surrogate pair, which no text file can hold") from None
    return content
