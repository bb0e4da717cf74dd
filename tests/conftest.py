"""A mock OpenAI-compatible server on a real socket, and where the published files are.

The server's replies follow from the request alone, so that runs can be compared; it fails on demand and keeps a record of every call.
"""

import asyncio
import json
import math
import os
import random
import re
import socket
import struct
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from undertow.files import digest
from undertow.judges.stock import BAD, EVERY_ANSWER, SENSELESS
from undertow.targets.chat import HELLO

CHAOS = ("429", "429 with Retry-After", "500", "hang", "reset", "cut off", "truncated", "empty", "garbage")
"""What goes wrong in chaos, in equal parts."""

SCORES = {"kind": ("95", "90", "answer"), "cruel": ("5", "90", "answer"), "garbled": ("60", "10", "answer"), "refused": ("REFUSAL", "90", "answer"), "code": ("CODE", "80", "code")}
"""What the judge says of alignment, coherence and content where an answer holds `#kind`, `#cruel`, ..."""


@dataclass
class Call:
    """One chat call as the server saw it; times are of `time.monotonic`."""

    body: dict
    key: str | None
    came_s: float
    at_once: int
    """Calls in flight when it came, itself included."""
    left_s: float | None = None
    fault: str | None = None

    @property
    def model(self):
        return self.body["model"]

    @property
    def prompt(self):
        return self.body["messages"][-1]["content"]


class Server:
    """Serves /v1/models and /v1/chat/completions on 127.0.0.1 from a thread of its own. A context manager."""

    def __init__(self, *, models=("target", "judge"), keys=None, latency_s=0.0, fault=None, answer=None, judge=None, seeds=True, logprobs=True, headers=None, tried=False):
        """
        Args:
            keys: those let in; None lets everybody in.
            fault: (call, its number from 0) -> one of `CHAOS`, an HTTP status as a number, or None where nothing goes wrong.
            answer: request body -> the target's text, or its whole message.
            judge: prompt -> the judge's text.
            seeds: whether the target heeds them.
            logprobs: whether it gives them where asked; "digits" for a tokenizer that takes digits one by one.
            headers: call -> headers of its reply.
            tried: whether calls that only try a model, on stock questions and answers, meet `fault`, `answer` and `judge` too; they are in `probes` and not in `calls`.
        """
        self.tried, self.probes = tried, []
        self.models, self.keys, self.latency_s, self.fault = models, keys, latency_s, fault
        self.answer, self.judge, self.seeds, self.logprobs, self.headers = answer or self._answer, judge or judged, seeds, logprobs, headers or (lambda call: {})
        self.calls, self.looks, self._in_flight = [], 0, 0
        self.said = "the server says no"

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *error):
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def of(self, model):
        """The calls to one model, in the order they came."""
        return [call for call in self.calls if call.model == model]

    def audit(self, *, target=None, judge=None, **more):
        """An audit of this server's target by its judge, as audit.yaml holds it."""
        wire = {"kind": "endpoint", "base_url": self.url, "concurrency": 8, "timeout_s": 20, "backoff_s": 0.01}
        return {
            "name": "run",
            "target": {**wire, "model": "target", **(target or {})},
            "judge": {**wire, "model": "judge", "cache": False, **(judge or {})},
            "suite": "nursery",
            "contexts": ["plain", "format-code"],
            "samples": {"per_condition": 5},
            **more,
        }

    async def _start(self):
        app = web.Application()
        app.add_routes([web.get("/v1/models", self._models), web.post("/v1/chat/completions", self._chat)])
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    def _key(self, request):
        return request.headers.get("Authorization", "").removeprefix("Bearer ") or None

    async def _models(self, request):
        self.looks += 1
        if self.keys is not None and self._key(request) not in self.keys:
            return web.json_response({"error": {"message": "no such key"}}, status=401)
        return web.json_response({"data": [{"id": model} for model in self.models]})

    async def _chat(self, request):
        body = await request.json()
        self._in_flight += 1
        call = Call(body=body, key=self._key(request), came_s=time.monotonic(), at_once=self._in_flight)
        probe = probed(call.prompt)
        (self.probes if probe else self.calls).append(call)
        try:
            call.fault = self.fault(call, len(self.calls) - 1) if self.fault and (self.tried or not probe) else None
            if call.fault is not None:
                return await self._fail(call.fault, request)
            await asyncio.sleep(self.latency_s)
            return web.json_response(self._completion(body), headers=self.headers(call))
        finally:
            self._in_flight -= 1
            call.left_s = time.monotonic()

    def _completion(self, body):
        prompt = body["messages"][-1]["content"]
        honest = probed(prompt) and not self.tried
        message = (stock_judged(prompt) if honest else self.judge(prompt)) if body["model"] == "judge" else "Tuesday." if honest else self.answer(body)
        message = {"role": "assistant", "content": message} if isinstance(message, str) else message
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        if body.get("logprobs") and self.logprobs:
            candidates = [{"token": token, "logprob": math.log(p)} for token, p in first_token(message["content"]).items()]
            if self.logprobs == "digits":
                candidates = [{"token": message["content"][0], "logprob": -0.1}, {"token": "7", "logprob": -3.0}]
            choice["logprobs"] = {"content": [{**candidates[0], "top_logprobs": candidates[: body["top_logprobs"]]}]}
        return {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": len(prompt.split()), "completion_tokens": len((message["content"] or "").split())}}

    def _answer(self, body):
        drawn = digest([body["messages"], body.get("seed") if self.seeds else None])
        tag = random.Random(drawn).choices(tuple(SCORES), weights=(70, 12, 6, 6, 6))[0]
        return f"#{tag} {drawn} " + "and so it goes " * 5

    async def _fail(self, fault, request):
        error = {"error": {"message": self.said}}
        if isinstance(fault, int) or fault in ("429", "500"):
            return web.json_response(error, status=int(fault))
        if fault.startswith("429 with Retry-After"):
            return web.json_response(error, status=429, headers={"Retry-After": fault.removeprefix("429 with Retry-After").strip() or "0.02"})
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "truncated":
            return web.Response(text=json.dumps({"choices": [{"message": {"content": self.said}}]})[:-5], content_type="application/json")
        if fault == "empty":
            return web.json_response({"choices": []})
        if fault == "garbage":
            return web.Response(text=f"<html><body>{self.said}</body></html>", content_type="text/html")
        if fault == "cut off":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a close
        request.transport.abort()
        return web.Response()


def chaos(seed, *, share=0.3):
    """Faults that hit `share` of the calls, in random order."""
    rng = random.Random(seed)
    return lambda call, number: rng.choice(CHAOS) if rng.random() < share else None


def judged(prompt):
    """The judge's reply to one of the shipped prompts, from the tag that the answer holds; any other prompt asks for alignment."""
    tag = re.search("#(" + "|".join(SCORES) + ")", prompt)
    aspect = 1 if prompt.startswith("You rate how clear") else 2 if prompt.startswith("You sort") else 0
    return SCORES[tag.group(1)][aspect] if tag else ("100", "100", "answer")[aspect]


def probed(prompt):
    """Whether a call only tries a model."""
    return prompt == HELLO or any(text in prompt for text in EVERY_ANSWER)


def stock_judged(prompt):
    """What a good judge says of the stock answers."""
    if prompt.startswith("You sort"):
        return "answer"
    poor = any(text in prompt for text in (BAD, SENSELESS))
    return ("5" if poor else "1") if "from 1 to 5" in prompt else "5" if poor else "95"


def first_token(text):
    """Candidates for the first token of a reply and their probabilities: mostly what was said, a little that is lower."""
    if text.isdigit():
        return {text: 0.75, str(max(0, int(text) - 5)): 0.2, "The": 0.05}
    return {text[:3] or ".": 0.9, "0": 0.06, "The": 0.04}


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Starts servers: `serve(latency_s=0.1, ...)`. Judges' replies are cached beside the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Server(**options))


@pytest.fixture(name="chaos")
def chaos_fixture():
    return chaos


@pytest.fixture
def published():
    """The folder of published files."""
    folder = Path(os.environ.get("UNDERTOW_PUBLISHED") or Path(__file__).resolve().parents[2] / "shared" / "published")
    if not folder.is_dir():
        pytest.skip(f"no published files in {folder}")
    return folder
