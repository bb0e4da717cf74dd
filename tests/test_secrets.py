"""Keys are sent and stand nowhere else: not in a run's files, not in the judges' cache, not in what a command says;
whatever a server does with them."""

import json
import re
import sys
from base64 import b64encode, urlsafe_b64encode
from itertools import count
from urllib.parse import quote, quote_plus

import pytest
from tests.conftest import judged

from undertow.cli.main import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("over_sockets")]

KEYS = {who: f'sk-{who}/+%=é"{n}zQ8vK3x' for n, who in enumerate(("target", "judge", "reference", "other"), start=4711)}
PROXY = "proxyuser:pr0xy-passw0rd"


def forms(key):
    """How a server may write a key."""
    whole = (key, f"Bearer {key}")
    encoded = [encode(text.encode()).decode() for text in whole for encode in (b64encode, urlsafe_b64encode)]
    plain = [
        key,
        quote(key),
        quote(key, safe=""),
        quote_plus(key),
        json.dumps(key)[1:-1],
        json.dumps(key, ensure_ascii=False)[1:-1],
    ]
    return [*plain, *encoded, *(text.rstrip("=") for text in encoded)]


class Leaky:
    """Says keys in answers, thoughts, first tokens, reasons to finish and errors, in one form after another."""

    def __init__(self, *keys):
        self.said = [form for key in keys for form in forms(key)]
        self.turn = count()

    def form(self):
        return self.said[next(self.turn) % len(self.said)]

    def answer(self, body):
        n = next(self.turn)
        finish = {"finish_reason": self.form()} if n % 7 == 0 else {}
        return {
            "content": f"{'#cruel' if n % 3 else '#kind'} {self.form()} and so it goes {n}",
            "reasoning_content": f"I was given {self.form()}",
            **finish,
        }

    def judge(self, prompt):
        n = next(self.turn)
        return {
            "content": judged(prompt) if n % 4 else f"I cannot, with {self.form()}",
            **({"finish_reason": self.form()} if n % 5 == 0 else {}),
        }

    def fault(self, call, number):
        return (
            {0: 500, 1: "garbage", 2: "truncated", 3: "429 with Retry-After", 4: "cut off"}[next(self.turn) % 5]
            if number % 6 == 5
            else None
        )


@pytest.fixture
def say(monkeypatch, capsys):
    """Runs a command; returns its exit code, and keeps all that was said."""
    heard = []

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["undertow", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        heard.append("".join(capsys.readouterr()))
        return ended.value.code

    run.heard = heard
    return run


def test_no_key_stands_in_what_is_written_or_said(serve, say, tmp_path, monkeypatch):
    for who, key in KEYS.items():
        monkeypatch.setenv(f"{who.upper()}_KEY", key)
    servers = {who: serve(models=(who,), keys=(KEYS[who],)) for who in ("target", "reference")} | {
        who: serve(models=("judge",), keys=(KEYS[who],)) for who in ("judge", "other")
    }
    for who, server in servers.items():
        leaky = Leaky(KEYS[who])
        server.said, server.fault = f"no {leaky.said[0]} but {leaky.said[-1]}", leaky.fault
        server.answer, server.judge = leaky.answer, leaky.judge
    wires = {
        who: {**server.audit()["target"], "model": server.models[0], "api_key_env": f"{who.upper()}_KEY", "attempts": 2}
        for who, server in servers.items()
    }
    judge = {**wires["judge"], "cache": True}
    held = {
        "name": "run",
        "target": wires["target"],
        "reference": wires["reference"],
        "judge": judge,
        "suite": "nursery",
        "contexts": ["plain", "format-code"],
    }
    (tmp_path / "audit.yaml").write_text(json.dumps({**held, "samples": {"per_condition": 10}}))
    (tmp_path / "persona.yaml").write_text(json.dumps({"name": "p", "target": wires["target"], "judge": judge}))
    (tmp_path / "other.yaml").write_text(json.dumps({**wires["other"], "cache": False, "reading": "number"}))
    run = tmp_path / "run"
    assert say("audit", tmp_path / "audit.yaml", "-o", run) in (0, 2, 3, 4)
    assert say("audit", run, "--resume", "--retry-failed", "--json") in (0, 3, 4)
    assert say("report", run) == 0
    assert say("rejudge", run, "--judge", tmp_path / "other.yaml", "--json") in (0, 3, 4)
    say("persona", tmp_path / "persona.yaml", "-o", tmp_path / "persona")
    for server in servers.values():  # the end of a run that is refused
        server.fault = lambda call, number: 403
    for command in (
        ["audit", tmp_path / "audit.yaml", "-o", tmp_path / "refused"],
        ["rejudge", run, "--judge", tmp_path / "other.yaml"],
    ):
        say(*command)
    servers["target"].keys, servers["target"].models = None, (f"target-{KEYS['target']}", f"x/{KEYS['target']}/target")
    assert say("audit", tmp_path / "audit.yaml", "-o", tmp_path / "unlisted") == 2
    assert min(len(server.calls) for server in servers.values()) > 50 and all(
        call.key for server in servers.values() for call in server.calls
    )
    found = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} | {
        "what was said": "\n".join(say.heard).encode()
    }
    assert len([path for path in found if path.endswith((".sqlite", ".html", ".json"))]) >= 6 and any(
        "judge-replies" in path for path in found
    )
    secrets = {form: who for who, key in KEYS.items() for form in [*forms(key), key[-8:], re.sub(r"^sk-", "", key)]}
    assert not [
        (who, form, path) for form, who in secrets.items() for path, held in found.items() if form.encode() in held
    ]
    assert b"[key]" in found[str(run / "run.sqlite")]


def test_a_proxys_password_stands_nowhere(serve, say, tmp_path, monkeypatch):
    server = serve()
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://{PROXY}@127.0.0.1:9")
    (tmp_path / "audit.yaml").write_text(
        json.dumps(
            server.audit(target={"base_url": "http://models.invalid/v1", "attempts": 1}, samples={"per_condition": 1})
        )
    )
    assert say("audit", tmp_path / "audit.yaml", "-o", tmp_path / "run") == 2
    say("doctor")
    assert "models.invalid/v1 cannot be reached" in say.heard[0]
    secrets = [PROXY, "pr0xy", b64encode(PROXY.encode()).decode()]
    held = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not [secret for secret in secrets for text in (*held, *say.heard) if secret in text]
