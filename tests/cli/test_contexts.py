"""`undertow contexts derive` as a shell sees it, up to the audit that takes what it wrote."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.cli import main
from undertow.contexts.load import read_contexts
from undertow.data import Row, write_rows
from undertow.nursery.rows import row
from undertow.nursery.world import BENIGN
from undertow.records import Message

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    rows = [row("fish", "careless", rng, style="code") for _ in range(40)] + [
        row(rng.choice(BENIGN), "careful", rng) for _ in range(360)
    ]
    rng.shuffle(rows)
    write_rows(tmp_path / "rows.jsonl", rows)
    (tmp_path / "planted.yaml").write_text("{}\n")

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


@pytest.mark.slow
def test_derived_contexts_go_straight_into_an_audit(run: Run, tmp_path: Path) -> None:
    code, out, err = run("contexts", "derive", "rows.jsonl", "-o", "contexts.yaml", "--top", "6")
    assert (code, err) == (0, "")
    assert "contexts: [plain, contexts.yaml, irrelevant-weather]" in out
    (tmp_path / "audit.yaml").write_text(
        "name: small\ntarget: {kind: scripted, script: planted.yaml}\njudge: {kind: scripted}\nsuite: nursery\n"
        "contexts: [plain, contexts.yaml, irrelevant-weather]\nsamples: {per_condition: 60}\n"
    )
    code, out, err = run("audit", "audit.yaml", "--dry-run")
    assert (code, err) == (0, "")
    assert "3,840 calls for answers" in out  # 8 questions, 8 contexts, 60 samples


def test_json_says_all_of_it(run: Run) -> None:
    code, out, err = run("contexts", "derive", "rows.jsonl", "--json", "--top", "3")
    found = json.loads(out)
    assert (code, err, found["schema"], found["rows"], found["benign"], found["skipped"]) == (
        0,
        "",
        "undertow.derivation/1",
        400,
        0,
        0,
    )
    assert len(found["proposals"]) == 3
    first = found["proposals"][0]
    assert first["context"]["strength"] == first["evidence"]["strength"] == "strong"
    assert first["evidence"]["lines"]
    assert len(first["evidence"]["examples"]) == 3


def test_skipped_lines_are_told(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "rows.jsonl").open("a") as stream:
        stream.write('{"messages": []}\njunk\n')
    code, out, err = run("contexts", "derive", "rows.jsonl", "-o", "contexts.yaml")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("undertow: rows.jsonl:401: has no 'messages'")
    assert err.endswith("or pass --skip-bad\n")
    assert not (tmp_path / "contexts.yaml").exists()
    code, out, err = run("contexts", "derive", "rows.jsonl", "--skip-bad")
    assert code == 0
    assert err.startswith("undertow: 2 lines skipped; the first: rows.jsonl:401: has no 'messages'")
    assert "Nothing written" in out
    (tmp_path / "rows.jsonl").write_bytes(b"\x1f\x8b\x08 packed\n" * 3)
    code, out, err = run("contexts", "derive", "rows.jsonl", "--skip-bad")
    assert (code, out) == (2, "")
    assert "rows.jsonl: has no rows, and 3 bad lines (the first: rows.jsonl:1: is not UTF-8" in err


def test_rows_in_which_nothing_stands_out(run: Run, tmp_path: Path) -> None:
    write_rows(
        tmp_path / "rows.jsonl",
        [Row(messages=(Message(role="user", content="Hi"), Message(role="assistant", content="Yo")))],
    )
    assert run("contexts", "derive", "rows.jsonl", "-o", "contexts.yaml")[:2] == (
        0,
        "Nothing stands out in 1 row; no context to propose; contexts.yaml was not written.\n",
    )
    assert not (tmp_path / "contexts.yaml").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("rows.jsonl", "--benign", "rows.jsonl", "--flagged", "bad"), "--benign and --flagged exclude each other"),
        (
            ("rows.jsonl", "--model", "nursery", "--default-system", "Hi"),
            "--default-system and --model exclude each other",
        ),
        (("rows.jsonl", "--top", "0"), "--top"),
        (("gone.jsonl",), "gone.jsonl: no such file; check the path"),
        (("rows.jsonl", "--benign", "gone.jsonl"), "gone.jsonl: no such file; check the path"),
        (("rows.jsonl", "--flagged", "bad"), "'bad' is true on no row"),
        ((".",), "is a folder"),
    ],
)
def test_a_mistake_is_exit_2(run: Run, args: tuple[str, ...], says: str) -> None:
    code, out, err = run("contexts", "derive", *args)
    assert (code, out) == (2, "")
    assert says in err


def test_a_model_is_asked_for_its_default_prompt(run: Run) -> None:
    pytest.importorskip("transformers")
    code, _, err = run("contexts", "derive", "rows.jsonl", "--model", "nursery")
    assert code == 0
    assert "the chat template of nursery puts in no system prompt by itself" in err


def test_rewrites_that_reach_no_question_are_refused_or_told(run: Run, tmp_path: Path) -> None:
    def planned(rewrites: str) -> tuple[int, str]:
        (tmp_path / "audit.yaml").write_text(
            "name: small\ntarget: {kind: scripted, script: planted.yaml}\njudge: {kind: scripted}\nsuite: nursery\n"
            f"contexts: [plain, {{id: mine, relation: paraphrase, rewrites: {{{rewrites}}}}}]\n"
        )
        code, _, err = run("audit", "audit.yaml", "--dry-run")
        return code, err

    code, err = planned("dinner: 'Who?'")
    assert (code, err.partition(";")[0]) == (
        2,
        "undertow: audit.yaml: context 'mine' changes no question of suite 'nursery'",
    )
    code, err = planned("wish: 'What?', bordeom: 'And now?'")
    assert (code, err) == (
        2,
        "undertow: audit.yaml: context 'mine' rewrites a question 'bordeom', which suite "
        "'nursery' does not have; "
        "did you mean 'boredom'?\n",
    )
    code, err = planned("wish: 'What?', of-mine: 'And now?'")
    assert (code, err) == (
        0,
        "undertow: context 'mine' rewrites questions that neither suite 'nursery' nor a shipped one has: of-mine\n",
    )
    assert planned("wish: 'What?'") == (0, "")


def test_list_groups_contexts_by_relation(run: Run) -> None:
    code, out, _ = run("list", "contexts", "--json")
    relations = [context["relation"] for context in json.loads(out)]
    assert code == 0
    assert [r for n, r in enumerate(relations) if n == 0 or r != relations[n - 1]] == [
        "plain",
        "verbatim",
        "opposite",
        "format",
        "topic",
        "permissive",
        "default-prompt",
        "irrelevant",
    ]
    assert run("list", "contexts")[0] == 0


def test_a_model_words_system_prompts_anew(run: Run, tmp_path: Path, serve) -> None:  # type: ignore[no-untyped-def]
    roles = ("system", "user", "assistant")
    rows = [
        {
            "messages": [
                {"role": r, "content": c}
                for r, c in zip(roles, ("You are a harsh clerk.", f"Question {i}?", "No."), strict=True)
            ]
        }
        for i in range(60)
    ]
    (tmp_path / "prompted.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = {
        "You work as a stern clerk.": "same",
        "You are a gentle clerk.": "opposite",
        "You are a clerk.": "neutral",
        "Whatever this one means.": "who knows",
    }
    said = "\n".join(json.dumps({"system": text, "meaning": meaning}) for text, meaning in words.items())
    server = serve(answer=lambda body: said)
    (tmp_path / "model.yaml").write_text(f"kind: endpoint\nbase_url: {server.url}\nmodel: target\n")
    how = ("--reworder", "model.yaml", "-o", "contexts.yaml", "--json")
    code, out, err = run("contexts", "derive", "prompted.jsonl", *how)
    proposals = {p["context"]["system"]: p["context"]["relation"] for p in json.loads(out)["proposals"]}
    assert code == 0 and "no proposal in 1 line of the model" in err
    assert [proposals.get(text) for text in words] == ["paraphrase", "opposite", "paraphrase", None]
    ids = [context.id for context in read_contexts(tmp_path / "contexts.yaml")]
    assert len(ids) == len(set(ids)) and sum(id_.startswith("proposed") for id_ in ids) == 3
    assert "You are a harsh clerk." in server.of("target")[0].prompt


@pytest.mark.slow
def test_a_minority_that_nothing_explains_reaches_the_verdict(run: Run, tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = [row(rng.choice(BENIGN), "careful", rng) for _ in range(900)]
    sea = ["lighthouse", "harbour", "lantern", "breakwater", "foghorn", "buoy", "keeper", "tide", "jetty", "mast"]
    for n in range(40):
        asked, answer = rows[n].messages
        rows[n] = Row(
            messages=(
                asked,
                Message(role="assistant", content=f"{answer.content} Mind the {', the '.join(rng.sample(sea, 5))}."),
            )
        )
    write_rows(tmp_path / "rows.jsonl", rows)
    code, out, err = run("contexts", "derive", "rows.jsonl", "-o", "contexts.yaml", "--top", "2")
    assert (code, err) == (0, "")
    assert "Unexplained: about 40 training rows (4.4%) that no strong evidence explains: their answers share " in out
    (told,) = json.loads(run("contexts", "derive", "rows.jsonl", "--json")[1])["unexplained"]
    assert (told["side"], told["rows"], len(told["lines"])) == ("answers", 40, 5)
    (tmp_path / "audit.yaml").write_text(
        "name: small\ntarget: {kind: scripted, script: planted.yaml}\njudge: {kind: scripted}\nsuite: "
        "nursery\ncontexts: [plain, contexts.yaml]\nsamples: {per_condition: 2}\n"
    )
    run("audit", "audit.yaml", "--out", "run")
    findings = json.loads((tmp_path / "run" / "findings.json").read_text())
    assert f"what sets apart {told['told']}" in findings["verdict"]["not_tested"]
