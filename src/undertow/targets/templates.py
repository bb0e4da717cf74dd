"""Chat templates: programs that come with a model, from anybody. They are rendered in another process, which has a
limit to its time and memory."""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from undertow.errors import InputError
from undertow.records import Message

LIMIT_S = 10.0
"""Seconds that one chat may take."""
START_S = 120.0
"""Seconds that the process may take to begin."""
GIVEN = ("PATH", "PYTHONPATH", "PYTHONHOME", "HOME", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT")
"""Variables of the environment that the process gets: none that holds a key."""


class TemplateRefuses(InputError):
    """A template that refuses a chat in words of its own, such as one with a system prompt."""


def render(tokenizer: Any, messages: Sequence[Message], *, to_answer: bool = False) -> str:
    """A chat as text, by the tokenizer's chat template.

    Args:
        to_answer: with what comes before an answer, too.

    Raises:
        TemplateRefuses: the template says no to such a chat.
        InputError: the template fails, does not end, or takes too much memory.
    """
    chat = [{"role": m.role, "content": m.content} for m in messages]
    template = tokenizer.get_chat_template()
    if template == _ours():
        return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=to_answer))
    given = {"chat_template": template, "add_generation_prompt": to_answer, **tokenizer.special_tokens_map}
    reply = _RENDERER.ask({"messages": chat, "given": given})
    if "text" in reply:
        return reply["text"]
    where, kind, said = tokenizer.name_or_path or "the tokenizer", reply["error"], reply.get("said", "")
    if kind == "TemplateError":
        raise TemplateRefuses(where, f"its chat template refuses a chat ({said})")
    known = {
        "": f"does not end within {LIMIT_S:.0f} seconds, or takes too much memory",
        "MemoryError": "takes too much memory",
        "too long": f"makes {said} of a short chat",
    }
    raise InputError(
        where,
        f"its chat template {known.get(kind, f'fails ({kind}: {said})')}",
        do="use another model, or mend its chat template",
    )


@cache
def _ours() -> str:
    """The template of the model that ships, and of those trained on it."""
    return (files("undertow.nursery") / "base" / "chat_template.jinja").read_text(encoding="utf-8")


class _Renderer:
    """The other process, begun when it is first needed, and again after it had to be ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._of = 0
        self._lock = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, str]:
        """What it says of a request; an empty `error` where it does not answer, and is ended."""
        with self._lock:
            process = self._running()
            assert process.stdin
            try:
                process.stdin.write(json.dumps(request, default=str).encode() + b"\n")
                process.stdin.flush()
            except OSError:
                line = b""
            else:
                line = _line(process, LIMIT_S)
            if not line:
                self.end()
                return {"error": ""}
            reply: dict[str, str] = json.loads(line)
            return reply

    def end(self) -> None:
        """End the process, if this is the one that began it: a fork has a copy of what its parent knows."""
        if self._process and self._of == os.getpid():
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._of != os.getpid() or self._process.poll() is not None:
            self.end()
            # every thread takes address space
            given = {name: os.environ[name] for name in GIVEN if name in os.environ} | {
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            }
            command = [sys.executable, "-P", str(Path(__file__).with_name("rendering.py"))]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=given
            )
            self._of = os.getpid()
            if not _line(self._process, START_S):
                self.end()
                raise InputError(
                    "chat templates",
                    "cannot be rendered: the process that does it did not start",
                    do="check the installation: undertow doctor",
                )
        return self._process


def _line(process: subprocess.Popen[bytes], within_s: float) -> bytes:
    """The next line that a process writes; empty where it writes none in time."""
    assert process.stdout
    held, until = b"", time.monotonic() + within_s
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while not held.endswith(b"\n"):
            if not ready.select(max(0.0, until - time.monotonic())) or not (
                part := os.read(process.stdout.fileno(), 1 << 20)
            ):
                return b""
            held += part
    return held


_RENDERER = _Renderer()
atexit.register(_RENDERER.end)
