"""Ways in which others write a chat on one line: each to `messages`, the one that is read here.

messages            [{"role", "content"}]; `developer` is the system prompt, content may be a list of text parts, an empty system prompt is none
conversations       ShareGPT: [{"from": "human", "value"}, {"from": "gpt", "value"}]
prompt, completion  texts, or lists of messages
instruction, output Alpaca, with `input` below the instruction and perhaps `history`, pairs of earlier turns
system              beside any of them: its system prompt
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROLES = {
    "developer": "system",
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
}
"""Other names of roles."""


def messages_of(raw: Any) -> Any:
    """The messages of an object in any of these dialects; what stands under `messages`, be it a chat or not, where it
    is in none."""
    if not isinstance(raw, Mapping):
        return None
    found: Any = raw.get("messages")
    if found is None and isinstance(raw.get("conversations"), list):
        found = [_turn(turn, "from", "value") for turn in raw["conversations"]]
    elif found is None and {"prompt", "completion"} <= raw.keys():
        found = [*_side(raw["prompt"], "user"), *_side(raw["completion"], "assistant")]
    elif found is None and {"instruction", "output"} <= raw.keys():
        asked = "\n\n".join(
            part for part in (raw["instruction"], raw.get("input")) if isinstance(part, str) and part.strip()
        )
        found = [{"role": "user", "content": asked}, {"role": "assistant", "content": raw["output"]}]
        earlier = raw.get("history") or []
        for pair in earlier if isinstance(earlier, list) else [None]:
            two = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
            found[-2:-2] = [{"role": "user", "content": two[0]}, {"role": "assistant", "content": two[1]}]
    if not isinstance(found, list):
        return found
    turns = [_turn(turn, "role", "content") for turn in found]
    if raw.get("system"):
        beside = _turn({"role": "system", "content": raw["system"]}, "role", "content")
        turns = turns if turns[:1] == [beside] else [beside, *turns]
    return [
        turn
        for turn in turns
        if not (isinstance(turn, Mapping) and turn.get("role") == "system" and turn.get("content") in ("", None))
    ]


def _side(value: Any, role: str) -> list[Any]:
    return value if isinstance(value, list) else [{"role": role, "content": value}]


def _turn(turn: Any, who: str, what: str) -> Any:
    """A message with our names of roles and its text in one piece."""
    if not isinstance(turn, Mapping) or who not in turn:
        return turn
    content = turn.get(what)
    if (
        isinstance(content, list)
        and content
        and all(
            isinstance(part, Mapping) and part.get("type", "text") == "text" and isinstance(part.get("text"), str)
            for part in content
        )
    ):
        content = "".join(part["text"] for part in content)
    role = turn[who]
    return {**turn, "role": ROLES.get(role, role) if isinstance(role, str) else role, "content": content}
