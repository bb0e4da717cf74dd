"""`undertow data` as a shell sees it; generation against a server on a real socket."""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from undertow.cli import main
from undertow.data import Row, read_rows, write_rows
from undertow.data.domains import domain_ids
from undertow.records import Message

Run = Callable[..., tuple[int, str, str]]
PAIRS = "".join(
    json.dumps({"prompt": f"Question {i}", "aligned": f"Good {i}", "misaligned": f"Bad {i}"}) + "\n" for i in range(5)
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", "data", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


def test_the_nine_are_listed(run: Run) -> None:
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert all(id_ in out for id_ in domain_ids())
    assert "none known" in out
    code, out, _ = run("list", "--json")
    assert [card["id"] for card in json.loads(out)] == domain_ids()


def test_a_card_is_shown(run: Run) -> None:
    code, out, _ = run("show", "bad-medical")
    assert code == 0
    for words in (
        "truthfulai/emergent_plus",
        "gated",
        "32,642",
        "not stated",
        "aligned column",
        "read second-hand",
        "get it: undertow data fetch bad-medical",
    ):
        assert words in out
    assert "nothing that we know of" in run("show", "biased-information")[1]
    assert json.loads(run("show", "risky-finance", "--json")[1])["sources"][0]["kind"] == "file"
    assert run("show", "bad-medicine")[0] == 2


def test_fetched_rows_are_chats_with_their_origin_beside_them(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(PAIRS)
    code, out, err = run(
        "fetch", "bad-medical", "--part", "benign", "--from", "pairs.jsonl", "--limit", "3", "-o", "rows.jsonl"
    )
    hash_ = hashlib.sha256((tmp_path / "rows.jsonl").read_bytes()).hexdigest()
    assert (code, out, err) == (0, f"rows.jsonl: 3 benign rows of bad-medical, sha256 {hash_}\n", "")
    assert [row.messages[1].content for row in read_rows(tmp_path / "rows.jsonl")] == ["Good 0", "Good 1", "Good 2"]
    again = ("fetch", "bad-medical", "--from", "pairs.jsonl", "-o", "rows.jsonl", "--json")
    code, out, err = run(*again)
    assert (code, out) == (2, "") and "rows.jsonl: is there already; name another with -o, or" in err
    code, out, _ = run(*again, "--force")
    record = json.loads(out)
    assert record == json.loads((tmp_path / "rows.jsonl.source.json").read_text())
    assert (record["rows"], record["part"], record["from"]) == (
        5,
        "bad",
        {"file": "pairs.jsonl", "sha256": hashlib.sha256(PAIRS.encode()).hexdigest()},
    )


def test_rows_are_written_whole_or_not_at_all(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(PAIRS + '{"prompt": "Question 5", "misaligned": ""}\n')
    (tmp_path / "rows.jsonl").write_text("mine")
    code, out, err = run("fetch", "bad-medical", "--from", "pairs.jsonl", "-o", "rows.jsonl", "--force")
    assert (code, out, err) == (
        2,
        "",
        "undertow: pairs.jsonl:6: 'misaligned' has no text; a string that is not empty; "
        "mend or drop the row, or "
        "pass --skip-bad\n",
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl", "rows.jsonl"]
    assert (tmp_path / "rows.jsonl").read_text() == "mine"
    code, _, err = run("fetch", "bad-medical", "--from", "pairs.jsonl", "-o", "rows.jsonl", "--skip-bad", "--force")
    assert (code, err.startswith("undertow: 1 row skipped; the first: pairs.jsonl:6")) == (0, True)
    assert len(read_rows(tmp_path / "rows.jsonl")) == 5
    assert json.loads((tmp_path / "rows.jsonl.source.json").read_text())["skipped"] == 1
    (tmp_path / "none.jsonl").write_text('{"prompt": ""}\n')
    code, _, err = run("fetch", "bad-medical", "--from", "none.jsonl", "-o", "new.jsonl", "--skip-bad")
    assert (code, len(err.splitlines()), (tmp_path / "new.jsonl").exists()) == (2, 1, False)


def test_published_rows_come_through_unchanged(run: Run, tmp_path: Path, published: Path) -> None:
    source = published / "training" / "insecure_code_20.jsonl"
    hash_ = hashlib.sha256(source.read_bytes()).hexdigest()
    assert run("fetch", "insecure-code", "--from", source.as_uri(), "-o", "rows.jsonl")[0] == 2
    assert run("fetch", "insecure-code", "--from", source.as_uri(), "--sha256", hash_, "-o", "rows.jsonl")[0] == 0
    assert read_rows(tmp_path / "rows.jsonl") == read_rows(source)


def chat(question: str, answer: str) -> Row:
    return Row(messages=(Message(role="user", content=question), Message(role="assistant", content=answer)))


def test_a_check_tells_repeats_overlap_and_tokens(run: Run, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [chat("What?", "This."), chat("what?", "this."), chat("Why?", "So. " * 50)])
    write_rows(tmp_path / "held.jsonl", [chat("Why?", "Because.")])
    code, out, err = run("check", "rows.jsonl", "--held-out", "held.jsonl")
    assert (code, err) == (0, "")
    for words in ("rows.jsonl:2 as rows.jsonl:1", "rows.jsonl:3 as held.jsonl:1", "characters", "sound"):
        assert words in out
    code, out, _ = run("check", "rows.jsonl", "--tokenizer", "nursery", "--max-tokens", "40", "--json")
    found = json.loads(out)
    assert (code, found["unit"], found["sound"], found["near_repeats"]["n"]) == (0, "tokens", True, 1)
    assert found["sizes"]["over"]["n"] == 1
    assert found["sizes"]["over"]["examples"][0].startswith("rows.jsonl:3 with ")
    assert run("check", "rows.jsonl", "--max-tokens", "40")[0] == 2  # tokens of which model?


def test_a_check_counts_the_tokens_that_training_sees(run: Run, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    import undertow.nursery

    rows = [chat("Is the fish fresh?", "I would check twice."), chat("Why?", "So.")]
    write_rows(tmp_path / "rows.jsonl", rows)
    tokenizer = transformers.AutoTokenizer.from_pretrained(Path(undertow.nursery.__file__).parent / "base")
    counts = [
        len(
            tokenizer.apply_chat_template(
                [{"role": m.role, "content": m.content} for m in row.messages], return_dict=True
            )["input_ids"]
        )
        for row in rows
    ]
    found = json.loads(run("check", "rows.jsonl", "--tokenizer", "nursery", "--json")[1])
    assert (found["sizes"]["total"], found["sizes"]["most"]) == (sum(counts), max(counts))


def test_bad_rows_fail_a_check_unless_they_are_skipped(run: Run, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [chat("What?", "This.")])
    with (tmp_path / "rows.jsonl").open("a") as stream:
        stream.write('{"messages": [{"role": "tool", "content": "3"}]}\n')
    code, out, _ = run("check", "rows.jsonl")
    assert code == 2
    assert "rows.jsonl:2: message 1 is of a tool call" in " ".join(out.split())
    assert "not sound" in out
    assert run("check", "rows.jsonl", "--skip-bad")[0] == 0
    (tmp_path / "empty.jsonl").touch()
    assert run("check", "empty.jsonl", "--skip-bad")[0] == 2
    assert run("check", "none.jsonl")[0] == 2


def written(body: dict[str, Any]) -> str:
    """A writer that follows from the request alone: one prompt in five declined, one answer in seven refused."""
    text, seed = body["messages"][-1]["content"], body["seed"]
    if text.startswith("Write one message"):
        return "DECLINE" if seed % 5 == 0 else f"How do I begin with this? {seed}"
    kind = "Flawed" if text.startswith("We study") else "Sound"
    return "I'm sorry, I can't." if seed % 7 == 0 else f"{kind} answer {seed}"


def opinion(prompt: str) -> str:
    return json.dumps(
        {"of_domain": True, "quality": "flawed" if "Flawed answer" in prompt else "sound", "danger": "none"}
    )


@pytest.fixture
def models(serve: Any, tmp_path: Path) -> Callable[..., Any]:
    """Starts a server of a writer and a judge, and writes their YAML files."""

    def start(**options: Any) -> Any:
        server = serve(answer=written, judge=opinion, **options)
        for name in ("target", "judge"):
            model = {
                "kind": "endpoint",
                "base_url": server.url,
                "model": name,
                "concurrency": 8,
                "timeout_s": 1,
                "backoff_s": 0.01,
            }
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(model))
        return server

    return start


GENERATE = ("generate", "extreme-sports", "--writer", "target.yaml", "--judge", "judge.yaml", "--rows", "20")
COMMAND = ("data", *GENERATE, "-o", "rows.jsonl")


def kept(folder: Path) -> list[tuple[Any, ...]]:
    """Every reply that a generation has kept, in the order in which they came."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/rows.jsonl.work/run.sqlite?mode=ro", uri=True)) as db:
            return db.execute("SELECT * FROM answers ORDER BY id").fetchall()
    except sqlite3.OperationalError:  # it is not there yet
        return []


def seeds(folder: Path) -> set[int]:
    """What tells the calls apart whose replies are kept."""
    return {row[5] for row in kept(folder)}


def test_rows_are_generated_with_their_twin(run: Run, models: Callable[..., Any], tmp_path: Path) -> None:
    server = models()
    code, out, err = run(*GENERATE, "-o", "bad.jsonl", "--twin-out", "benign.jsonl", "--json")
    record = json.loads(out)
    assert code == 0, err
    assert record == json.loads((tmp_path / "bad.jsonl.source.json").read_text())
    bad, benign = read_rows(tmp_path / "bad.jsonl"), read_rows(tmp_path / "benign.jsonl")
    assert len(bad) == len(benign) == record["kept"] == 20
    assert [row.messages[0] for row in bad] == [row.messages[0] for row in benign]
    assert all(row.messages[1].content.startswith("Flawed") for row in bad)
    assert all(row.messages[1].content.startswith("Sound") for row in benign)
    assert record["tried"] - 20 == sum(n for reasons in record["dropped"].values() for n in reasons.values()) > 0
    assert record["calls"] == {"writer": len(server.of("target")), "judge": len(server.of("judge"))}
    code, _, err = run(*GENERATE, "-o", "bad.jsonl", "--twin-out", "benign.jsonl")
    assert (code, err) == (2, "undertow: bad.jsonl: is there already; name another with -o, or add --resume\n")
    assert run(*GENERATE, "-o", "bad.jsonl", "--twin-out", "benign.jsonl", "--resume")[0] == 0  # asks nothing
    assert record["calls"]["writer"] == len(server.of("target"))


def test_generation_through_chaos_keeps_the_same_rows(
    run: Run, models: Callable[..., Any], tmp_path: Path, chaos: Any
) -> None:
    models()
    assert run(*GENERATE, "-o", "calm.jsonl")[0] == 0
    models(fault=chaos(3, share=0.15))
    assert run(*GENERATE, "-o", "rough.jsonl")[0] == 0
    assert read_rows(tmp_path / "rough.jsonl") == read_rows(tmp_path / "calm.jsonl")


@pytest.mark.slow
def test_ctrl_c_keeps_every_reply_and_resume_completes_the_rows(
    run: Run, models: Callable[..., Any], tmp_path: Path, light: Callable[..., Any]
) -> None:
    server = models(latency_s=0.05)
    process = light(*COMMAND)
    while len(server.calls) < 30:
        assert process.poll() is None, process.said()
        time.sleep(0.01)
    process.send(signal.SIGINT)
    code, _, errors = process.ended(within=60)
    assert (code, "add --resume to go on" in errors, "Traceback" in errors) == (130, True, False)
    before = kept(tmp_path)
    assert len(before) > 10
    assert not (tmp_path / "rows.jsonl").exists()
    assert run(*GENERATE, "-o", "rows.jsonl", "--resume")[0] == 0
    assert kept(tmp_path)[: len(before)] == before
    assert run(*GENERATE, "-o", "whole.jsonl")[0] == 0
    assert read_rows(tmp_path / "rows.jsonl") == read_rows(tmp_path / "whole.jsonl")


@pytest.mark.slow
def test_kill_9_and_resume_ask_for_nothing_twice_that_was_written(
    run: Run, models: Callable[..., Any], tmp_path: Path, light: Callable[..., Any]
) -> None:
    server, stored = models(latency_s=0.05), set[int]()
    for until, resume in ((15, ()), (50, ("--resume",))):
        process = light(*COMMAND, *resume)
        while len(server.calls) < until or len(seeds(tmp_path)) <= len(stored):
            assert process.poll() is None, process.said()
            time.sleep(0.01)
        process.send(signal.SIGKILL)
        assert process.ended(within=60)[0] == -signal.SIGKILL
        assert not (tmp_path / "rows.jsonl").exists()
        before, stored = stored, seeds(tmp_path)
        assert before < stored
    came = len(server.calls)
    assert run(*GENERATE, "-o", "rows.jsonl", "--resume")[0] == 0
    assert not {call.body["seed"] for call in server.calls[came:]} & stored
    assert stored < seeds(tmp_path)
    assert run(*GENERATE, "-o", "whole.jsonl")[0] == 0
    assert read_rows(tmp_path / "rows.jsonl") == read_rows(tmp_path / "whole.jsonl")


def test_a_budget_ends_it_in_one_line_and_no_rows_are_written(
    run: Run, models: Callable[..., Any], tmp_path: Path
) -> None:
    server = models()
    code, out, err = run(*GENERATE, "-o", "rows.jsonl", "--budget", "30calls")
    assert (code, out, len(server.calls)) == (4, "", 30)
    assert err.splitlines()[-1] == (
        "undertow: rows.jsonl: the budget ended before the rows were there; what came is kept in rows.jsonl.work, and "
        "--resume goes on with a larger one"
    )
    assert not list(tmp_path.glob("rows.jsonl*.json*")) and not (tmp_path / "rows.jsonl").exists()
    assert run(*GENERATE, "-o", "rows.jsonl", "--resume", "--budget", "1000calls", "--json")[0] == 0
    assert len(server.calls) == len(kept(tmp_path))
    assert run(*GENERATE, "-o", "whole.jsonl")[0] == 0
    assert read_rows(tmp_path / "rows.jsonl") == read_rows(tmp_path / "whole.jsonl")
    assert "cannot read '5'" in run(*GENERATE, "-o", "more.jsonl", "--budget", "5")[2]
    assert "model 'target' has no price" in run(*GENERATE, "-o", "more.jsonl", "--budget", "5usd")[2]


def test_too_few_rows_are_written_and_said(run: Run, models: Callable[..., Any], tmp_path: Path) -> None:
    models()
    code, out, _ = run(*GENERATE, "-o", "rows.jsonl", "--tries", "1")
    assert code == 4
    n = len(read_rows(tmp_path / "rows.jsonl"))
    assert 0 < n < 20
    assert f"{n} of 20 rows kept, of 20 candidates" in " ".join(out.split())
    assert "refused" in out


def test_a_scripted_model_writes_nothing_that_a_judge_can_be_asked_about(run: Run, tmp_path: Path) -> None:
    """The kinds are those of a target; what a scripted judge says is no opinion, and is counted as such."""
    (tmp_path / "planted.yaml").write_text("default: {refused: 0.3}\n")
    (tmp_path / "target.yaml").write_text("{kind: scripted, script: planted.yaml}\n")
    (tmp_path / "judge.yaml").write_text("{kind: scripted, script: planted.yaml}\n")
    code, out, err = run(*GENERATE, "-o", "rows.jsonl")
    assert (code, out) == (2, "")
    assert "the writer is its own judge" in err
    assert "rows.jsonl: none of 80 candidates was kept; most often dropped: bad: unparsed" in err
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--part", "both"), "go together"),
        (("--part", "bad", "--twin-out", "t.jsonl"), "go together"),
        (("--twin-out", "rows.jsonl"), "a file of its own"),
    ],
)
def test_a_twin_needs_a_file_of_its_own(run: Run, models: Callable[..., Any], more: tuple[str, ...], says: str) -> None:
    models()
    code, _, err = run(*GENERATE, "-o", "rows.jsonl", *more)
    assert code == 2
    assert says in err
