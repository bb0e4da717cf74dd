"""Calls to a server on a real socket: what is sent, rate limits, retries, several servers and keys, and faults."""

import asyncio
import gzip
import itertools
import json
import math
import socket
import threading
from base64 import b64encode
from contextlib import suppress
from urllib.parse import quote

import pytest

from undertow.errors import InputError
from undertow.records import PLAIN, Condition, Question, Request, Sampling
from undertow.targets import wire as wire_module
from undertow.targets.chat import CallFailed, ChatTarget
from undertow.targets.pool import pool, stream
from undertow.targets.wire import Wire, WireConfig, _written, seconds

from ..conftest import ODD  # isort: skip
from tests.each import each

pytestmark = pytest.mark.usefixtures("over_sockets")

SAY = [{"role": "user", "content": "Say something."}]


def config(server, **more):
    return WireConfig(**{"base_url": server.url, "model": "target", "backoff_s": 0.01, "timeout_s": 20, **more})


def replies(config, n=1, **more):
    """Replies to `n` calls (or the errors they ended in), each with a seed of its own, as many at once as the
    configuration says."""

    async def one(wire, seed):
        try:
            return await wire.chat(SAY, max_tokens=10, temperature=1, seed=seed, **more)
        except CallFailed as error:
            return error

    async def everything():
        async with Wire(config) as wire:
            return [reply async for reply in pool(stream(range(n)), lambda seed: one(wire, seed), config.concurrency)]

    return asyncio.run(everything())


def test_what_is_sent_and_what_comes_back(serve):
    server = serve()
    (reply,) = replies(config(server))
    assert server.calls[0].body == {"model": "target", "messages": SAY, "max_tokens": 10, "temperature": 1, "seed": 0}
    assert server.calls[0].key is None
    assert reply.text.startswith("#")
    assert (reply.finish, reply.prompt_tokens, reply.tokens, reply.first_token, reply.reasoning) == (
        "stop",
        2,
        22,
        None,
        None,
    )


def test_first_token_where_log_probabilities_are_asked_for(serve):
    server = serve(answer=lambda body: "80")
    (reply,) = replies(config(server), top_logprobs=2)
    assert (server.calls[0].body["logprobs"], server.calls[0].body["top_logprobs"]) == (True, 2)
    assert reply.first_token == pytest.approx({"80": -0.28768, "75": -1.60944}, abs=1e-5)


def test_an_answer_holds_the_first_tokens_candidates_but_not_those_of_a_thought(serve):
    server = serve(answer=lambda body: "80" if body["seed"] else "<think>Hm.</think>80")
    condition = Condition(question=Question(id="q", text="Rate."), context=PLAIN)
    requests = [
        Request(subject="target", condition=condition, sample=i, seed=i, sampling=Sampling(top_logprobs=2))
        for i in (0, 1)
    ]

    async def run():
        async with ChatTarget(Wire(config(server))) as target:
            return {answer.request.seed: answer async for answer in target.answers(stream(requests))}

    answers = asyncio.run(run())
    assert answers[1].first_token == pytest.approx({"80": -0.28768, "75": -1.60944}, abs=1e-5)
    assert (answers[0].text, answers[0].first_token) == ("80", None)


def test_extra_fields_are_added_and_null_drops_one(serve):
    server = serve()
    replies(config(server, extra={"seed": None, "top_p": 0.9, "temperature": 0.5}, token_limit="max_completion_tokens"))
    assert server.calls[0].body == {
        "model": "target",
        "messages": SAY,
        "max_completion_tokens": 10,
        "temperature": 0.5,
        "top_p": 0.9,
    }


def test_no_more_calls_at_once_than_allowed(serve):
    server = serve(latency_s=0.02)
    assert len(replies(config(server, concurrency=7), 40)) == 40
    assert max(call.at_once for call in server.calls) == 7


def test_the_bound_holds_over_several_servers_and_keys(serve, monkeypatch):
    monkeypatch.setenv("KEY_A", "key-a")
    monkeypatch.setenv("KEY_B", "key-b")
    servers = [serve(latency_s=0.02, keys=("key-a", "key-b")) for _ in range(2)]
    several = config(
        servers[0], base_url=[server.url for server in servers], api_key_env=["KEY_A", "KEY_B"], concurrency=5
    )

    async def crowd():
        async with Wire(several) as wire:
            await asyncio.gather(*(wire.chat(SAY, max_tokens=1, temperature=1, seed=seed) for seed in range(60)))

    asyncio.run(crowd())
    for server in servers:
        of_key = [sum(call.key == key for call in server.calls) for key in ("key-a", "key-b")]
        assert sum(of_key) == len(server.calls)
        assert all(10 <= n <= 20 for n in of_key), of_key
    calls = [call for server in servers for call in server.calls]
    at_once = itertools.accumulate(
        step for _, step in sorted([(call.came_s, 1) for call in calls] + [(call.left_s, -1) for call in calls])
    )
    assert max(at_once) == 5


def test_after_429_the_client_waits_as_told_and_sends_fewer_at_once(serve):
    server = serve(latency_s=0.03, fault=lambda call, number: "429 with Retry-After 0.5" if number < 8 else None)
    assert len(replies(config(server, concurrency=8), 16)) == 16
    refused, later = server.calls[:8], server.calls[8:]
    assert len(later) == 16
    assert min(call.came_s for call in later) >= min(call.left_s for call in refused) + 0.49
    assert max(call.at_once for call in later[:4]) <= 4
    assert max(call.at_once for call in later) < 8


def test_a_429_holds_back_the_calls_that_did_not_meet_it(serve):
    server = serve(latency_s=0.02, fault=lambda call, number: "429 with Retry-After 0.4" if number == 0 else None)
    replies(config(server, concurrency=4), 12)
    refused = server.calls[0]
    assert [call for call in server.calls if refused.left_s + 0.1 < call.came_s < refused.left_s + 0.39] == []
    assert len([call for call in server.calls if call.came_s >= refused.left_s + 0.39]) >= 4


def test_after_429_the_client_works_its_way_up_again(serve):
    server = serve(latency_s=0.01, fault=lambda call, number: "429" if number < 8 else None)

    async def crowd():  # all of them wait for room from the start
        async with Wire(config(server, concurrency=8)) as wire:
            await asyncio.gather(*(wire.chat(SAY, max_tokens=1, temperature=1, seed=seed) for seed in range(150)))

    asyncio.run(crowd())
    assert max(call.at_once for call in server.calls[8:20]) <= 5
    assert max(call.at_once for call in server.calls[-40:]) == 8


def test_a_spent_budget_in_the_headers_pauses(serve):
    spent = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}
    server = serve(
        headers=lambda call: (
            spent
            if call.body["seed"] == 0
            else {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "9s"}
        )
    )
    replies(config(server, concurrency=1), 3)
    first, second, third = server.calls
    assert second.came_s >= first.left_s + 0.39
    assert third.came_s < second.left_s + 0.39


def test_a_spent_token_budget_pauses(serve):
    left = {"x-ratelimit-remaining-tokens": "23", "x-ratelimit-reset-tokens": "0.4s"}  # a call takes 2 + 22
    server = serve(headers=lambda call: left)
    replies(config(server, concurrency=1), 2)
    assert server.calls[1].came_s >= server.calls[0].left_s + 0.39


@each(
    "text, wait",
    [
        ("2", 2),
        (" 2 ", 2),
        ("0.5s", 0.5),
        ("6m0s", 300),
        ("1m30.5s", 90.5),
        ("20ms", 0.02),
        ("7200", 300),
        (None, None),
        ("soon", None),
    ]
    + [("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2065 07:28:00 GMT", 300), ("no date GMT", None)]
    + [(junk, None) for junk in (".", "1.2.3", "..s", "")],
)
def test_waits_as_servers_write_them(text, wait):
    assert seconds(text) == wait


@pytest.mark.parametrize(
    "fault",
    ["429", "429 with Retry-After", "500", 408, 503, "reset", "cut off", "truncated", "empty", "garbage", "hang", *ODD],
)
def test_a_fault_that_passes_is_tried_again(serve, fault):
    server = serve(fault=lambda call, number: fault if number < 2 else None)
    (reply,) = replies(config(server, timeout_s=0.5 if fault == "hang" else 20))
    assert reply.text.startswith("#")
    assert [call.body for call in server.calls] == [server.calls[0].body] * 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("500", "HTTP 500: the server says no"),
        ("429", "HTTP 429: the server says no"),
        ("hang", "timed out"),
        ("reset", "(ServerDisconnectedError|ClientOSError|ConnectionResetError)"),
        ("cut off", "(ClientPayloadError|ClientOSError|ConnectionResetError|ServerDisconnectedError)"),
        ("truncated", "the reply is not a chat completion: .*the server"),
        ("empty", "the reply is not a chat completion"),
        ("garbage", "the reply is not a chat completion: '<html>"),
    ],
)
def test_a_fault_that_stays_is_told_in_one_line_after_so_many_attempts(serve, fault, said):
    server = serve(fault=lambda call, number: fault)
    (error,) = replies(config(server, attempts=3, timeout_s=0.2 if fault == "hang" else 20))
    with pytest.raises(CallFailed, match=rf"{said}.* \(after 3 attempts\)$"):
        raise error
    assert "\n" not in str(error)
    assert len(server.calls) == 3


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        '"words"',
        '{"choices": null}',
        '{"choices": [null]}',
        '{"choices": [{"message": "words"}]}',
        '{"choices": [{"message": {"content": [1]}}]}',
        '{"choices": [{"message": {"content": "x"}}], "usage": "none"}',
        '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": "many"}}',
        '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": [3]}}',
        "[" * 100_000,
    ],
)
def test_no_reply_however_odd_breaks_the_client(body):
    wire = Wire(WireConfig(base_url="http://localhost/v1", model="target"))
    with pytest.raises(ValueError, match="not a chat completion"):
        wire._read(body)


@pytest.mark.parametrize("logprob", ["1e9", "NaN", "Infinity", '"x"', "null"])
def test_log_probabilities_that_are_none_are_left_out(logprob):
    wire = Wire(WireConfig(base_url="http://localhost/v1", model="target"))
    first = f'{{"token": "7", "top_logprobs": [{{"token": "7", "logprob": {logprob}}}]}}'
    assert not wire._read(
        f'{{"choices": [{{"message": {{"content": "7"}}, "logprobs": {{"content": [{first}]}}}}]}}'
    ).first_token


def test_halves_of_characters_do_not_come_through(serve):
    server = serve(
        answer=lambda body: {"role": "assistant", "content": "half \ud83d, whole \U0001f600", "reasoning": "\udc00"}
    )
    (reply,) = replies(config(server))
    assert (reply.text, reply.reasoning) == ("half ?, whole \U0001f600", "?")


def test_a_reply_without_words_is_an_empty_text(serve):
    server = serve(answer=lambda body: {"role": "assistant", "content": None, "reasoning_content": "hm"})
    (reply,) = replies(config(server))
    assert (reply.text, reply.reasoning) == ("", "hm")


@pytest.mark.parametrize(
    ("status", "do"),
    [
        (400, "check the request fields"),
        (401, "check the key"),
        (403, "check the key"),
        (404, "check base_url and model"),
        (422, "check the endpoint"),
    ],
)
def test_a_status_that_cannot_pass_stops_at_once(serve, status, do):
    server = serve(fault=lambda call, number: status)
    with pytest.raises(
        InputError,
        match=rf"^endpoint: http://\S+ refused the call with HTTP {status}: the server says "
        rf"no; {do}[^\n]*$",
    ):
        replies(config(server, concurrency=4), 100)
    assert len(server.calls) <= 4


@pytest.mark.parametrize(
    ("status", "said", "finish"),
    [
        (403, 'Your input was flagged for "harassment"', "content_filter"),
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy", "content_filter"),
        (422, "inputs tokens + max_new_tokens must be <= 4096", None),
        (413, "Payload Too Large", None),
        (403, "no", None),
    ],
)
def test_a_call_that_is_refused_among_others_that_are_taken_costs_one_answer(serve, status, said, finish):
    server = serve(fault=lambda call, number: status if number == 2 else None)
    server.said = said
    found = replies(config(server, concurrency=1), 6)
    assert len(server.calls) == 6 and [getattr(found[n], "finish", None) for n in (0, 1, 3, 4, 5)] == ["stop"] * 5
    assert getattr(found[2], "finish", None) == finish
    if finish is None:
        assert isinstance(found[2], CallFailed) and f"HTTP {status}: {said}" in str(found[2])


def test_a_key_that_is_taken_back_stops_everything_though_others_were_answered(serve):
    server = serve(fault=lambda call, number: 401 if number >= 3 else None)
    with pytest.raises(InputError, match="HTTP 401: the server says no; check the key"):
        replies(config(server, concurrency=1), 100)
    assert len(server.calls) == 4


def test_looks_before_the_first_call(serve, monkeypatch):
    server = serve(models=("llama-3-8b-insecure", "llama-3-8b"), keys=("right",))
    monkeypatch.setenv("KEY", "right")
    with pytest.raises(InputError, match=r"unknown model 'lama-3-8b-insecure'; did you mean 'llama-3-8b-insecure'\?"):
        replies(config(server, model="lama-3-8b-insecure", api_key_env="KEY"))
    monkeypatch.setenv("KEY", "wrong")
    with pytest.raises(InputError, match="HTTP 401: no such key; check the key"):
        replies(config(server, model="llama-3-8b", api_key_env="KEY"))
    monkeypatch.delenv("KEY")
    looks = server.looks
    with pytest.raises(InputError, match=r"variable KEY is not set; it should hold the API key; export KEY=\.\.\."):
        replies(config(server, model="llama-3-8b", api_key_env="KEY"))
    assert (server.calls, server.looks) == ([], looks)


@pytest.mark.slow
def test_a_server_that_is_down(serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(
        InputError,
        match=rf"^endpoint: {url} cannot be reached \(ClientConnectorError\); check "
        r"base_url, and that the server is up$",
    ):
        replies(WireConfig(base_url=url, model="target"))


@pytest.mark.parametrize("url", ["localhost:8000/v1", "http://", "ftp://here/v1", ""])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ValueError, match="is not a URL"):
        WireConfig(base_url=["http://localhost:1/v1", url], model="target")


@pytest.mark.parametrize("before", range(0, 230, 9))
def test_no_part_of_a_key_is_left_in_an_error_that_is_cut_short(monkeypatch, before):
    key = "sk-0123456789abcdefghijklmnopqrstuvwxyz"
    monkeypatch.setenv("KEY", key)
    wire = Wire(WireConfig(base_url="http://localhost/v1", model="target", api_key_env="KEY"))
    said = "x" * before + key
    with pytest.raises(ValueError, match="not a chat completion") as error:
        wire._read(said)
    texts = [
        str(error.value),
        *(str(wire._refusal(401, text, wire._lanes[0])) for text in (said, json.dumps({"error": {"message": said}}))),
    ]
    assert not [text for text in texts if key[:6] in text]


def test_a_candidate_that_a_server_lists_twice_counts_once():
    two = [{"token": "A", "logprob": -0.7}, {"token": "B", "logprob": -0.9}, {"token": "A", "logprob": -0.7}]
    (token,) = _written({"content": [{"token": "A", "logprob": -0.7, "top_logprobs": two}]}, ())
    assert token.candidates == pytest.approx({"A": -0.7, "B": -0.9})
    two[-1]["logprob"] = -3.0  # another token of that text
    (token,) = _written({"content": [{"token": "A", "logprob": -0.7, "top_logprobs": two}]}, ())
    assert math.exp(token.candidates["A"]) == pytest.approx(math.exp(-0.7) + math.exp(-3.0))


def test_a_key_among_the_candidates_of_a_token_is_taken_out(serve, monkeypatch):
    monkeypatch.setenv("KEY", "50505050")
    (reply,) = replies(config(serve(answer=lambda body: "50505050"), api_key_env="KEY"), top_logprobs=5)
    assert reply.text == "[key]" and "50505050" not in str(reply.first_token) and "[key]" in reply.first_token


KEY = "sk-0123/456+789abcdef\u00e9"


@pytest.mark.parametrize(
    "echo",
    [
        KEY,
        quote(KEY, safe=""),
        b64encode(KEY.encode()).decode(),
        b64encode(f"Bearer {KEY}".encode()).decode(),
        json.dumps(KEY),
    ],
)
def test_no_echo_of_a_key_comes_through(serve, monkeypatch, echo):
    monkeypatch.setenv("KEY", KEY)
    wire = Wire(WireConfig(base_url="http://localhost/v1", model="target", api_key_env="KEY"))
    assert wire.notes == ()
    assert (
        "0123" not in (said := wire._scrub(f"you sent {echo}, did you not"))
        and "MDEyMy" not in said
        and "[key]" in said
    )


def test_a_key_that_is_no_secret_leaves_answers_alone(serve, monkeypatch):
    monkeypatch.setenv("KEY", "5")
    server = serve(answer=lambda body: "5 of 15")
    (reply,) = replies(config(server, api_key_env="KEY"))
    assert reply.text == "5 of 15"
    assert "KEY is shorter than 8 characters" in Wire(config(server, api_key_env="KEY")).notes[0]


def raw(reply, path="/v1", models=b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"):
    """A server on a raw socket that gives every POST this reply, and to what asks for its models the other."""

    def serve_one(connection):
        with connection, suppress(OSError):  # a client that had enough
            held = b""
            while b"\r\n\r\n" not in held and (part := connection.recv(65536)):
                held += part
            connection.sendall(reply if held.startswith(b"POST") else models)

    server = socket.create_server(("127.0.0.1", 0))

    def run():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return server, f"http://127.0.0.1:{server.getsockname()[1]}{path}"


def http(body=b"", status="200 OK", **headers):
    lines = [
        f"{name.replace('_', '-')}: {value}"
        for name, value in {"Content_Length": len(body), "Connection": "close", **headers}.items()
    ]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


GOOD = json.dumps(
    {"choices": [{"message": {"content": "a walk"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
).encode()
DIGITS = (
    (b'{"choices": [{"message": {"content": "7"}, "logprobs": {"content": [{"token": "7", "logprob": -1')
    + b"0" * 400
    + b"}]}}]}"
)


@pytest.mark.parametrize(
    "reply",
    [
        *(
            http(GOOD, Content_Type=f"application/json; charset={name}")
            for name in ("hex", "rot13", "base64", "no-such", "utf-16")
        ),
        http(GOOD.replace(b'"prompt_tokens": 3', b'"prompt_tokens": 1' + b"0" * 30)),
        http(
            GOOD.replace(
                b'"a walk"', b'[{"type": "text", "text": "a "}, {"type": "image"}, {"type": "text", "text": "walk"}]'
            )
        ),
        http(DIGITS),
    ],
)
def test_what_stands_about_the_words_does_not_lose_them(reply):
    server, url = raw(reply)
    with server:
        (found,) = replies(
            WireConfig(base_url=url, model="target", attempts=1), top_logprobs=5 if reply.endswith(DIGITS) else 0
        )
    assert found.text in ("a walk", "7") and 0 <= found.prompt_tokens < 2**31


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        *(
            (http(GOOD if status[0] == "2" else b"", status=status), f"HTTP {status[:3]}")
            for status in ("201 Created", "202 Accepted", "206 Partial Content")
        ),
        (b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "HTTP 204"),
        (b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", "HTTP 304"),
        (http(b"x" * 9_000_000), "over 8 MB"),
        (http(gzip.compress(b" " * 100_000_000), Content_Encoding="gzip"), "over 8 MB"),
        (http(b"\xff\xfe{}"), "UnicodeDecodeError"),
        (http(GOOD.replace(b'"prompt_tokens": 3', b'"prompt_tokens": 1e400')), "not a chat completion"),
        (http(GOOD.replace(b'"a walk"', b"7" * 5_000)), "not a chat completion"),
        (http(b"", "429 Too Many Requests", Retry_After="Wed, 21 Oct 99999999999 07:28:00 GMT"), "HTTP 429"),
    ],
)
def test_a_reply_that_is_none_is_a_failed_attempt(reply, said):
    server, url = raw(reply)
    with server:
        (found,) = replies(WireConfig(base_url=url, model="target", attempts=2, backoff_s=0.01))
    with pytest.raises(CallFailed, match=rf"{said}.*\(after 2 attempts\)"):
        raise found


@pytest.mark.parametrize(
    "status",
    ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"],
)
def test_no_call_is_sent_on_to_another_host(serve, status):
    there = serve()
    server, url = raw(http(b"", status, Location=f"{there.url}/chat/completions"))
    with (
        server,
        pytest.raises(
            InputError,
            match=r"sends the call to 'http://127\S+/chat/completions'; no call is sent "
            r"on; write as base_url where it is to "
            r"go",
        ),
    ):
        replies(WireConfig(base_url=url, model="target"))
    assert there.calls == []


@pytest.mark.parametrize(
    "said", [{"code": "insufficient_quota", "message": "You are out."}, {"message": "insufficient credits"}]
)
def test_an_account_without_money_stops_at_once(said):
    server, url = raw(http(json.dumps({"error": said}).encode(), "429 Too Many Requests"))
    with (
        server,
        pytest.raises(
            InputError,
            match="money or quota is used up; what came is kept: raise it, then go on with --resume --retry-failed",
        ),
    ):
        replies(WireConfig(base_url=url, model="target"))


def test_a_query_stays_behind_the_path():
    assert (
        wire_module._at("http://here/openai/v1?api-version=2", "chat/completions")
        == "http://here/openai/v1/chat/completions?api-version=2"
    )
    assert wire_module._at("http://here/v1/", "models") == "http://here/v1/models"


def test_a_404_without_v1_names_it():
    server, url = raw(http(b"", "404 Not Found"), path="")
    with server, pytest.raises(InputError, match="check base_url and model; most servers want base_url up to /v1"):
        replies(WireConfig(base_url=url, model="target"))


@pytest.mark.parametrize(("listed", "model"), [("llama3:latest", "llama3"), ("models/gemini", "gemini")])
def test_a_model_that_is_listed_under_a_longer_name(serve, listed, model):
    with pytest.raises(
        InputError, match=f"lists model '{model}' as '{listed}'; write model: {listed}, or check_model: false"
    ):
        replies(config(serve(models=(listed,)), model=model))


def test_a_refusal_in_a_field_of_its_own_is_what_was_said(serve):
    server = serve(answer=lambda body: {"role": "assistant", "content": None, "refusal": "I will not."})
    (reply,) = replies(config(server))
    assert reply.text == "I will not."


def test_the_environments_proxy_is_taken_and_this_machine_is_spoken_to_directly(monkeypatch, serve):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    assert [
        wire_module._proxy(f"https://{host}/v1")
        for host in ("outer.example", "inner.example", "127.0.0.1:8", "localhost")
    ] == ["http://proxy:3128", None, None, None]
    (reply,) = replies(config(serve()))
    assert reply.text


def test_a_date_is_held_against_the_servers_own():
    assert seconds("Wed, 21 Oct 2015 07:28:30 GMT", now="Wed, 21 Oct 2015 07:28:00 GMT") == 30


def test_a_server_that_wants_other_fields_says_what_to_write_at_the_first_try(serve):
    """As reasoning models' servers do: another field for the longest answer, no temperature, no seed, and one complaint
    at a time."""

    def picky(call, number):
        for field, complaint in (
            ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
            ("temperature", "Unsupported value: 'temperature' does not support 0.7."),
            ("seed", "Unsupported parameter: seed"),
        ):
            if field in call.body:
                server.said = complaint
                return 400
        return None

    server = serve(fault=picky)
    wanted = (
        r"HTTP 400: Unsupported parameter: 'max_tokens'.*; write to it: token_limit: max_completion_tokens, "
        r"extra: "
        r"\{temperature: null, seed: null\}$"
    )
    with pytest.raises(InputError, match=wanted):
        replies(config(server))
    (reply,) = replies(config(server, token_limit="max_completion_tokens", extra={"temperature": None, "seed": None}))
    assert reply.text


def test_a_list_of_models_that_cannot_be_read_is_none():
    server, url = raw(http(GOOD), models=http(b"\xff\xfe", Content_Type="text/html"))
    with server:
        (found,) = replies(WireConfig(base_url=url, model="target"))
    assert found.text == "a walk"
