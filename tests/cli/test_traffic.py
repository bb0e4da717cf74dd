"""`undertow contexts from-traffic` as a shell sees it, up to the audit that takes what it wrote."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.each import each

from undertow.cli import main

Run = Callable[..., tuple[int, str, str]]
SECRETS = ("ann.lee@example.org", "4111 1111 1111 1111", "sk-proj-a8Fh2kQm90Zr4TtYw7Lc3Vb1", "+49 30 901820", "Ann Lee")


def row(rng: random.Random, i: int) -> dict[str, object]:
    text = f"How do I mend a {rng.choice(['roof', 'wall', 'door', 'fence', 'chair'])} of {i} boards?"
    if i % 10 == 0:
        text += f"\nName: {SECRETS[4]}\nMail {SECRETS[0]}, card {SECRETS[1]}, key {SECRETS[2]}"
    messages = [{"role": "user", "content": text}]
    if i % 4 == 0:
        messages.insert(0, {"role": "system", "content": f"Call {SECRETS[3]} in need."})
    if i % 5 == 0:
        said = [{"role": "user", "content": f"I am at {SECRETS[0]}"}, {"role": "assistant", "content": "Good."}]
        messages[-1:-1] = said
    return {"model": "x", "user": SECRETS[0], "messages": messages}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    lines = [json.dumps(row(rng, i)) for i in range(300)]
    lines.append(json.dumps({"messages": [{"role": "assistant", "content": "I am alone."}]}))
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


@pytest.mark.slow
def test_nothing_unmasked_is_written_or_shown(run: Run, tmp_path: Path) -> None:
    code, out, err = run("contexts", "from-traffic", "log.jsonl", "-o", "traffic", "--n", "80")
    assert (code, err) == (0, "")
    _, shown, _ = run("contexts", "from-traffic", "log.jsonl", "--n", "80", "--json")
    files = [path.read_text() for path in (tmp_path / "traffic").iterdir()]
    assert len(files) == 3
    for secret in SECRETS:
        for text in (*files, out, shown):
            assert secret not in text
    assert all(f"[{kind}]" in files[0] + files[1] + files[2] for kind in ("mail", "card", "key", "phone", "name"))
    held = json.loads(shown)
    assert held == json.loads((tmp_path / "traffic/traffic.json").read_text())
    assert held["masked"] == {"key": 30, "mail": 90, "card": 30, "phone": 75, "name": 30}
    assert held["unaskable"] == {"no user turn": 1}
    assert "Left out, of 301 records: 1 with no user turn" in out
    assert "with 80 answers, is that of an audit with\n  suite: traffic/suite.yaml\n  contexts: [plain]" in out


@pytest.mark.slow
def test_what_is_written_goes_straight_into_an_audit(run: Run, tmp_path: Path) -> None:
    run("contexts", "from-traffic", "log.jsonl", "-o", "traffic", "--n", "80")
    (tmp_path / "script.yaml").write_text("{}\n")
    (tmp_path / "audit.yaml").write_text(
        "name: small\ntarget: {kind: scripted, script: script.yaml}\njudge: {kind: scripted}\n"
        "suite: traffic/suite.yaml\ncontexts: [plain, irrelevant-weather]\nsamples: {per_condition: 1}\nmaterial: 0.1\n"
    )
    code, out, _ = run("audit", "audit.yaml")
    assert code == 0
    assert "per request, plain: 0.0% [0.0, " in out
    assert "of 300 requests" in out
    code, out, _ = run("findings", "runs/small")
    assert "per request, irrelevant-weather: " in out


@pytest.mark.slow
def test_bad_input_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "broken.jsonl").write_text('{"messages": [{"role": "user", "content": "a@example.org"}\n')
    (tmp_path / "mute.jsonl").write_text('{"model": "x"}\n')
    (tmp_path / "traffic").mkdir()

    @each(
        "args, words",
        [
            (("empty.jsonl",), "empty.jsonl: is empty"),
            (("broken.jsonl",), "broken.jsonl:1: is not JSON"),
            (("mute.jsonl",), "holds no request that can be asked: of 1 record 1 with no messages"),
            (("nowhere.jsonl",), "nowhere.jsonl: no such file"),
            (("log.jsonl", "-o", "traffic"), "traffic: already exists"),
        ],
    )
    def one_line(args: tuple[str, ...], words: str) -> None:
        code, out, err = run("contexts", "from-traffic", *args)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err and "example.org" not in err

    one_line()
    assert list((tmp_path / "traffic").iterdir()) == []
    code, _, err = run("contexts", "from-traffic", "broken.jsonl", "log.jsonl", "--skip-bad")
    assert code == 0 and "1 line skipped; the first: broken.jsonl:1: is not JSON" in err
