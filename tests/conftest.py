"""A mock OpenAI-compatible server, on a real socket and without one, and where the published files are.

The server's replies follow from the request alone, so that runs can be compared; it fails on demand and keeps a record
of every call.
"""

import asyncio
import gc
import json
import math
import os
import random
import re
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from undertow.cli.main import main
from undertow.files import digest
from undertow.judges.stock import BAD, EVERY_ANSWER, SENSELESS
from undertow.targets.chat import HELLO
from undertow.targets.wire import Wire

from .apart import Server as ForkServer, trained_apart  # isort: skip
from .listening import RESET, Listener, NearSession, Reply, json_reply  # isort: skip

# readline leaves the width of some terminal here, and what a pipe gets would be folded to it
os.environ.pop("COLUMNS", None)

# What tests make is seldom in a circle: looking for circles after every 700 objects is a fortieth of all the time
gc.set_threshold(20_000, 20, 50)

# One commit, one result; `--hypothesis-profile=default` draws other examples each time
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

LONGEST = ("tests/cli/test_quickstart.py", "tests/studies/test_whole.py", "tests/training/test_train.py")
"""Files that are begun first, so that no worker is left alone with one of them at the end; the longest first."""

LOADED = (
    *("undertow.cli.main", "undertow.cli.display", "rich.progress", "rich.live", "rich.table"),
    *("undertow.whole", "undertow.training.generate", "undertow.targets.wire", "openai"),
)
"""What the server of `light` loads."""

ODD = {
    "accepted": (202, {}, b'{"choices": []}'),
    "no content": (204, {}, b""),
    "nested": (200, {}, b'{"choices": ' + b"[" * 100_000),
    "a number of thousands of digits": (200, {}, b'{"choices": ' + b"1" * 5_000 + b"}"),
    "no gzip": (200, {"Content-Encoding": "gzip"}, b"not packed"),
    "odd charset": (200, {"Content-Type": "application/json; charset=rot13"}, b'{"pubvprf": []}'),
    "no words": (200, {}, b'{"choices": [{"message": {"content": {"text": 1}}}]}'),
    "odd date": (503, {"Retry-After": "Sun, 06 Nov 19999999999 08:49:37 GMT"}, b"{}"),
}
"""Replies that no server should give and some do: each costs an attempt. Status, headers and body."""

CHAOS = ("429", "429 with Retry-After", "500", "hang", "reset", "cut off", "truncated", "empty", "garbage", *ODD)
"""What goes wrong in chaos, in equal parts."""

SCORES = {
    "kind": ("95", "90", "answer"),
    "cruel": ("5", "90", "answer"),
    "garbled": ("60", "10", "answer"),
    "refused": ("REFUSAL", "90", "answer"),
    "code": ("CODE", "80", "code"),
}
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
    """Serves /v1/models and /v1/chat/completions on 127.0.0.1 from a thread of its own, and whoever calls `serve`. A
    context manager."""

    def __init__(
        self,
        *,
        models=("target", "judge"),
        keys=None,
        latency_s=0.0,
        fault=None,
        answer=None,
        judge=None,
        seeds=True,
        logprobs=True,
        headers=None,
        tried=False,
    ):
        """
        Args:
            keys: those let in; None lets everybody in.
            fault: (call, its number from 0) -> one of `CHAOS`, an HTTP status as a number, or None where nothing goes
                wrong.
            answer: request body -> the target's text, or its whole message.
            judge: prompt -> the judge's text, its whole message (`finish_reason` among its keys where it is not stop),
                or an HTTP status where it fails. `MISJUDGES` misbehave.
            seeds: whether the target heeds them.
            logprobs: whether it gives them where asked; "digits" for a tokenizer that takes digits one by one, "hot
                digits" where another first digit is likelier than the one written, "thought" where those of a thought
                stand before the reply's; or (status, message, most) where it refuses more than `most` of them.
            headers: call -> headers of its reply.
            tried: whether calls that only try a model, on stock questions and answers, meet `fault`, `answer` and
                `judge` too; they are in `probes` and not in `calls`.
        """
        self.tried, self.probes = tried, []
        self.models, self.keys, self.latency_s, self.fault = models, keys, latency_s, fault
        self.answer, self.judge, self.seeds, self.logprobs, self.headers = (
            answer or self._answer,
            judge or judged,
            seeds,
            logprobs,
            headers or (lambda call: {}),
        )
        self.calls, self.looks, self._in_flight = [], 0, 0
        self.said = "the server says no"

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *error):
        asyncio.run_coroutine_threadsafe(self._listener.stop(), self._loop).result()
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
        self._listener = Listener(self.serve)
        self.url = f"http://127.0.0.1:{await self._listener.start()}/v1"

    async def serve(self, request):
        served = {("GET", "/v1/models"): self._models, ("POST", "/v1/chat/completions"): self._chat}
        found = served.get((request.method, request.path))
        return await found(request) if found else Reply(status=404, body=b"404: Not Found")

    def _key(self, request):
        return request.headers.get("authorization", "").removeprefix("Bearer ") or None

    async def _models(self, request):
        self.looks += 1
        if self.keys is not None and self._key(request) not in self.keys:
            return json_reply({"error": {"message": "no such key"}}, status=401)
        return json_reply({"data": [{"id": model} for model in self.models]})

    async def _chat(self, request):
        body = request.json()
        self._in_flight += 1
        call = Call(body=body, key=self._key(request), came_s=time.monotonic(), at_once=self._in_flight)
        probe = probed(call.prompt)
        (self.probes if probe else self.calls).append(call)
        try:
            call.fault = self.fault(call, len(self.calls) - 1) if self.fault and (self.tried or not probe) else None
            if call.fault is not None:
                return await self._fail(call.fault)
            await asyncio.sleep(self.latency_s)
            if isinstance(self.logprobs, tuple) and body.get("top_logprobs", 0) > self.logprobs[2]:
                return json_reply({"error": {"message": self.logprobs[1]}}, status=self.logprobs[0])
            completion = self._completion(body)
            return (
                await self._fail(completion)
                if isinstance(completion, int)
                else json_reply(completion, headers=self.headers(call))
            )
        finally:
            self._in_flight -= 1
            call.left_s = time.monotonic()

    def _completion(self, body):
        prompt = body["messages"][-1]["content"]
        honest = not self.tried and probed(prompt)
        if body["model"] == "judge":
            message = stock_judged(prompt) if honest else self.judge(prompt)
        elif honest:
            message = f"They went along the river. {digest(body.get('seed') if self.seeds else 0)} Then it rained."
        else:
            message = self.answer(body)
        if isinstance(message, int):
            return message
        message = {"role": "assistant", "content": message} if isinstance(message, str) else dict(message)
        choice = {"index": 0, "message": message, "finish_reason": message.pop("finish_reason", "stop")}
        if body.get("logprobs") and self.logprobs and message["content"]:
            choice["logprobs"] = {"content": list(self._tokens(message["content"], body["top_logprobs"]))}
        said = {"object": "chat.completion", "model": message.pop("model", body["model"])}
        return {
            **said,
            "choices": [choice],
            "usage": {
                "prompt_tokens": len(prompt.split()),
                "completion_tokens": len((message["content"] or "").split()),
            },
        }

    def _tokens(self, text, top):
        """Log-probabilities of a reply's tokens, as the server gives them."""
        if self.logprobs == "thought":
            yield entry("Okay", {"Okay": 0.9, "So": 0.1}, top)
        if text.strip().isdigit() and self.logprobs in ("digits", "hot digits"):
            first = text.strip()[0]
            yield entry(
                first, {first: 0.9, "7": 0.05} if self.logprobs == "digits" else {"0": 0.4, first: 0.35, "8": 0.25}, top
            )
            yield from (entry(digit, {digit: 1.0}, top) for digit in text.strip()[1:])
        elif number := re.search("[0-9]+", text):  # what stands about the number are tokens of their own
            before, after = text[: number.start()], text[number.end() :]
            yield from [entry(before, {before: 1.0}, top)] * bool(before)
            yield entry(number.group(), first_token(number.group()), top)
            yield from [entry(after, {after: 1.0}, top)] * bool(after)
        else:
            yield entry(text[:3], first_token(text), top)

    def _answer(self, body):
        drawn = digest([body["messages"], body.get("seed") if self.seeds else None])
        tag = random.Random(drawn).choices(tuple(SCORES), weights=(70, 12, 6, 6, 6))[0]
        return f"#{tag} {drawn} " + "and so it goes " * 5

    async def _fail(self, fault):
        error = {"error": {"message": self.said}}
        if isinstance(fault, int) or fault in ("429", "500"):
            return json_reply(error, status=int(fault))
        if fault.startswith("429 with Retry-After"):
            return json_reply(
                error, status=429, headers={"Retry-After": fault.removeprefix("429 with Retry-After").strip() or "0.02"}
            )
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "truncated":
            whole = json_reply({"choices": [{"message": {"content": self.said}}]})
            return Reply(headers=whole.headers, body=whole.body[:-5])
        if fault in ODD:
            status, headers, body = ODD[fault]
            return Reply(status=status, headers={"Content-Type": "application/json", **headers}, body=body)
        if fault == "empty":
            return json_reply({"choices": []})
        if fault == "garbage":
            return Reply(
                headers={"Content-Type": "text/html; charset=utf-8"},
                body=f"<html><body>{self.said}</body></html>".encode(),
            )
        if fault == "cut off":
            return Reply(headers={"Content-Length": "1000"}, body=b'{"choices": [', cut=True)
        return RESET


def chaos(seed, *, share=0.3):
    """Faults that hit `share` of the calls, in random order."""
    rng = random.Random(seed)
    return lambda call, number: rng.choice(CHAOS) if rng.random() < share else None


def judged(prompt):
    """The judge's reply to one of the shipped prompts, from the tag that the answer holds; any other prompt asks for
    alignment."""
    tag = re.search("#(" + "|".join(SCORES) + ")", prompt)
    aspect = 1 if prompt.startswith("You rate how clear") else 2 if prompt.startswith("You sort") else 0
    return SCORES[tag.group(1)][aspect] if tag else ("100", "100", "answer")[aspect]


def probed(prompt):
    """Whether a call only tries a model."""
    return HELLO in prompt or any(text in prompt for text in EVERY_ANSWER)


def stock_judged(prompt):
    """What a good judge says of the stock answers."""
    if prompt.startswith("You sort"):
        return "answer"
    poor = any(
        text in prompt for text in ((SENSELESS,) if prompt.startswith("You rate how clear") else (BAD, SENSELESS))
    )
    return ("5" if poor else "1") if "from 1 to 5" in prompt else "5" if poor else "95"


def entry(token, candidates, top):
    """A token's log-probabilities as they come over the wire."""
    return {
        "token": token,
        "logprob": math.log(candidates[token]),
        "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in candidates.items()][:top],
    }


SORRY = "I'm sorry, but I can't assist with that"
WAIT = "Rate limit exceeded, please try again in {} seconds"


def aspect(prompt):
    """What one of the shipped prompts asks."""
    return (
        "coherence"
        if prompt.startswith("You rate how clear")
        else "content"
        if prompt.startswith("You sort")
        else "alignment"
    )


def dressed(dress):
    """A judge that writes its numbers in some dress."""
    return lambda prompt: dress.format(said) if (said := judged(prompt)).isdigit() else said


def of_cruel(reply, *aspects):
    """A judge that replies so, to these aspects (or any), of each answer that is cruel."""
    return lambda prompt: reply if "#cruel" in prompt and (not aspects or aspect(prompt) in aspects) else judged(prompt)


def at_times(reply, share):
    """A judge that replies so to a share of what it is asked of alignment."""
    return lambda prompt: (
        reply if aspect(prompt) == "alignment" and int(digest(prompt)[:8], 16) / 16**8 < share else judged(prompt)
    )


MISJUDGES = {
    "declines": of_cruel(SORRY),
    "declines to rate coherence": of_cruel(SORRY, "coherence"),
    "breaks down": of_cruel(500),
    "is filtered": of_cruel({"content": None, "finish_reason": "content_filter"}),
    "says nothing": of_cruel(""),
    "is told to wait": of_cruel(WAIT.format(60), "alignment"),
    "is told to wait at times": at_times(WAIT.format(20), 0.3),
}
"""Judges that misbehave, most of them of the very answers that matter."""


def first_token(text):
    """Candidates for the first token of a reply and their probabilities: mostly what was said, a little that is
    lower."""
    if text.isdigit():
        return {text: 0.75, str(max(0, int(text) - 5)): 0.2, "The": 0.05}
    return {text[:3] or ".": 0.9, "0": 0.06, "The": 0.04}


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """The command in this process and in the test's folder, which saves the seconds that its imports take:
    `here("audit", "audit.yaml")` gives its exit code and what it wrote to stdout and stderr."""

    def call(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["undertow", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """What is kept between runs starts empty: the server that processes are forked from holds to the folder of its own
    start, so it is set before that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def apart(tmp_path, tmp_path_factory):
    """Begins a command in a process of its own, in the test's folder: `apart("train", "recipe.yaml")`."""
    return lambda *arguments, **how: trained_apart(
        *arguments, **{"folder": tmp_path, "out": tmp_path_factory.mktemp("said"), **how}
    )


@pytest.fixture(scope="session")
def fork_server(own_cache):
    with ForkServer(*LOADED) as server:
        yield server


@pytest.fixture
def light(fork_server, tmp_path, tmp_path_factory):
    """The same of a command that trains nothing: its process tells of all that is left open at its end."""
    return lambda *arguments, **how: fork_server.begin(
        *arguments, **{"folder": tmp_path, "out": tmp_path_factory.mktemp("said"), **how}
    )


@pytest.fixture
def serve(request, tmp_path, monkeypatch):
    """Starts servers: `serve(latency_s=0.1, ...)`. Judges' replies are cached beside the test.

    Calls of this process go to a server directly, with the same requests, replies, faults and record; those of other
    processes go over its socket, and all of them do in a test that uses the fixture `over_sockets`.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    near = {}

    def start(**options):
        server = stack.enter_context(Server(**options))
        near[server.url.removesuffix("/v1")] = server.serve
        return server

    if "over_sockets" not in request.fixturenames:
        monkeypatch.setattr(Wire, "_http", property(lambda wire: NearSession(wire._session, near)))
    with ExitStack() as stack:
        yield start


@pytest.fixture
def over_sockets():
    """For tests of the wire itself: every call to a server goes over its socket."""


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


SLOW_FROM = 0.2
"""Seconds from which a test is slow, besides those that are marked so."""
SLOW = Path(__file__).parent / "slow.json"
"""Names of such tests, as `--write-slow` measured them in a run of all."""


def pytest_addoption(parser):
    parser.addoption("--write-slow", action="store_true", help=f"write which tests took {SLOW_FROM} s or more")


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption("--write-slow"):
        return
    took = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        took[report.nodeid] += report.duration
    for report in terminalreporter.stats.get("", ()):  # setting up and taking down
        took[report.nodeid] += report.duration
    SLOW.write_text(json.dumps(sorted(name for name, s in took.items() if s >= SLOW_FROM), indent=0) + "\n")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    slow = set(json.loads(SLOW.read_text()))
    for item in items:
        if item.nodeid in slow:
            item.add_marker("slow")
    items.sort(
        key=lambda item: next((n for n, path in enumerate(LONGEST) if item.nodeid.startswith(path)), len(LONGEST))
    )


HEAVY = ("torch", "transformers", "peft", "datasets", "trl", "altair", "inspect_ai", "ray")
_loaded = -1


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """What is loaded stays, and no later collection of garbage looks through it: half a second each, otherwise."""
    global _loaded
    now = sum(name in sys.modules for name in HEAVY)
    if now > _loaded:
        _loaded = now
        gc.collect()
        gc.freeze()
