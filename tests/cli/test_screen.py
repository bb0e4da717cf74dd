"""`undertow contexts screen`: what it prints and writes, and mistakes in one line."""

import json
import sys

import pytest
import yaml

from undertow.audits.screen import Screened
from undertow.cli import main
from undertow.contexts import find_contexts, shipped_contexts
from undertow.place import Place
from undertow.records import Context
from undertow.suites import load_suite
from undertow.suites.replies import load_replies
from undertow.targets.models import model_folder


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tuned").symlink_to(model_folder("nursery"))

    def call(*args):
        monkeypatch.setattr(sys, "argv", ["undertow", "contexts", "screen", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call


def fake(target, base, contexts, questions, replies, *, by, batch_tokens, progress):
    """Contexts in the order given, the first with the highest score."""
    del target, base, questions, by, batch_tokens
    progress("screening", 1, 1, "")
    by_question = {"by_question": {"wish": 0.5}, "own_by_question": {"wish": 1.0}, "excess_by_question": {"wish": 0.0}}
    scored = {
        "error": 0.1,
        "own": 1.0,
        "own_error": None,
        "excess": 0.0,
        "excess_error": 0.2,
        "shape": replies.shapes[0],
    } | by_question
    return tuple(
        Screened(context=c, score=-float(i), **scored)
        for i, c in enumerate(c for c in contexts if c.relation != "plain")
    )


def test_json_and_written_contexts(run, tmp_path, monkeypatch):
    monkeypatch.setattr("undertow.audits.screen.screen", fake)
    (tmp_path / "mine.yaml").write_text(
        "- format-code\n- {id: new, relation: topic, prefix: It rained.}\n- plain\n- format-json\n"
    )
    (tmp_path / "replies.yaml").write_text("questions: {wish: {aligned: [a], misaligned: [b]}}")
    wanted = (
        "--target",
        "tuned",
        "--base",
        "nursery",
        "--suite",
        "nursery",
        "--contexts",
        "mine.yaml",
        "--top",
        "2",
        "--replies",
        "replies.yaml",
    )
    code, out, _ = run(*wanted, "--json", "-o", "top.yaml")
    assert code == 0
    found = json.loads(out)
    assert found["schema"] == "undertow.screen/2"
    assert (found["screened"], found["questions"], len(found["questions_without_replies"]), len(found["contexts"])) == (
        3,
        1,
        7,
        2,
    )
    first, second = found["contexts"]
    assert set(first) == {
        "context",
        "score",
        "error",
        "own",
        "own_error",
        "excess",
        "excess_error",
        "by_question",
        "own_by_question",
        "excess_by_question",
        "shape",
    }
    assert second["context"] == {"id": "new", "relation": "topic", "prefix": "It rained."}
    written = yaml.safe_load((tmp_path / "top.yaml").read_text())
    assert find_contexts([Context(**c) for c in written], Place(name="")) == (
        shipped_contexts()["format-code"],
        Context(id="new", relation="topic", prefix="It rained."),
    )
    code, out, _ = run(*wanted)
    assert code == 0
    assert "format-code" in out
    assert "largest excess: format-code, +0.00 ± 0.20" in out
    assert "3 contexts, 1 question; 7 without replies left out: boredom, ruler" in out


def test_the_library_and_shipped_replies_by_default(run, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "undertow.audits.screen.screen",
        lambda target, base, contexts, questions, replies, **more: (
            asked.update(contexts=contexts, replies=replies) or ()
        ),
    )
    assert run("--target", "tuned", "--base", "nursery", "--suite", "core", "--json")[0] == 0
    assert asked["contexts"] == tuple(shipped_contexts().values())
    assert set(asked["replies"].questions) == set(
        load_replies("core", [q for q in load_suite("core").questions]).questions
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--target", "gone", "--base", "nursery", "--suite", "nursery"), "gone: no such model folder"),
        (
            ("--target", "https://somewhere/v1", "--suite", "nursery"),
            "has no weights on this machine; a model folder; search its contexts by sampling instead",
        ),
        (("--target", "tuned", "--suite", "nursery"), "--target: is a whole model and names no base; pass --base"),
        (("--target", "tuned", "--base", "tuned", "--suite", "nursery"), "base: is the target itself"),
        (
            ("--target", "tuned", "--base", "nursery", "--suite", "nursry"),
            "unknown suite 'nursry'; did you mean 'nursery'?",
        ),
        (
            ("--target", "tuned", "--base", "nursery", "--suite", "mine.yaml"),
            "ships no reference replies; write some for its questions and pass --replies FILE",
        ),
        (
            ("--target", "tuned", "--base", "nursery", "--suite", "nursery", "--replies", "gone.yaml"),
            "gone.yaml: no such file",
        ),
        (
            ("--target", "tuned", "--base", "nursery", "--suite", "nursery", "--contexts", "gone.yaml"),
            "gone.yaml: no such file",
        ),
        (
            ("--target", "tuned", "--base", "nursery", "--suite", "nursery", "--contexts", "empty.yaml"),
            "hold none to screen",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(run, tmp_path, args, says):
    (tmp_path / "empty.yaml").write_text("[]\n")
    (tmp_path / "mine.yaml").write_text("id: mine\ntitle: Mine\nquestions: [{id: one, text: Why}]\n")
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
