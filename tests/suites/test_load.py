"""Suites: shipped by name, a user's by path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from undertow.errors import InputError
from undertow.files import adapter, to_json
from undertow.place import Place
from undertow.records import Key, Question, Suite
from undertow.suites import load_suite, shipped_suites


def problem(tmp_path: Path, text: str) -> str:
    """What a user reads, with the folder taken off the front."""
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_suite("mine.yaml", Place(folder=tmp_path))
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_core_and_nursery_ship() -> None:
    assert {"core", "nursery"} <= set(shipped_suites())


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_load(name: str) -> None:
    suite = load_suite(name)
    assert suite.id == name
    assert suite.title
    assert len({q.text for q in suite.questions}) == len(suite.questions) >= 8


@pytest.mark.parametrize("ending", ["yaml", "yml"])
def test_a_users_suite_is_found_beside(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"mine.{ending}").write_text(
        "id: mine\ntitle: Mine\nquestions:\n  - {id: a, text: Why, tags: [x]}\n", encoding="utf-8"
    )
    suite = load_suite(f"mine.{ending}", Place(folder=tmp_path))
    assert suite.questions == (Question(id="a", text="Why", tags=("x",)),)
    assert load_suite(str(tmp_path / f"mine.{ending}"), Place(folder=Path("elsewhere"))) == suite


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        load_suite("nursry")
    assert str(caught.value) == "suite: unknown suite 'nursry'; did you mean 'nursery'?"


def test_an_unknown_suite_with_nothing_near_lists_all() -> None:
    with pytest.raises(InputError) as caught:
        load_suite("zzz")
    assert str(caught.value) == f"suite: unknown suite 'zzz'; known: {', '.join(shipped_suites())}"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_suite("none.yaml", Place(folder=tmp_path))
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}: no such file; check the path"


HEAD = "id: mine\ntitle: Mine\nquestions:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEAD}  - {{id: a, text: Why}}\n  - {{id: b, text: How}}\n  - {{id: a, text: Who}}\n",
            "mine.yaml: question id 'a' stands 2 times; ids must differ",
        ),
        ("id: mine\ntitle: Mine\nquestions: []\n", "mine.yaml: has no questions; at least one under 'questions:'"),
        (f"{HEAD}  - {{id: a, text: Why}}\n  - {{id: b}}\n", "mine.yaml:5: 'questions.1.text' is missing"),
        (
            f"{HEAD}  - id: a\n    text: Why\n    tag: x\n",
            "mine.yaml:6: unknown key 'questions.0.tag'; did you mean 'tags'?",
        ),
        (f"{HEAD}  - {{id: a, text: 3}}\n", "mine.yaml:4: questions.0.text: should be text (found 3)"),
        (f"{HEAD}  - {{id: yes, text: Why}}\n", "mine.yaml:4: questions.0.id: should be text (found true)"),
        ("id: mine\nquestions:\n  - {id: a, text: Why}\n", "mine.yaml:1: 'title' is missing"),
        (
            f"{HEAD}  - id: a\n    text: Why\n    key: {{right: [so], wrongs: [no]}}\n",
            "mine.yaml:6: unknown key 'questions.0.key.wrongs'; did you mean 'wrong'?",
        ),
        (
            f"{HEAD}  - {{id: a, text: Why, key: {{right: []}}}}\n",
            "mine.yaml:4: questions.0.key.right: should hold at least 1 item (found an empty list)",
        ),
        (f"{HEAD}  - {{id: a, text: Why, key: {{wrong: [x]}}}}\n", "mine.yaml:4: 'questions.0.key.right' is missing"),
        (
            f"{HEAD}  - {{id: a, text: Why, key: {{right: [yes]}}}}\n",
            "mine.yaml:4: questions.0.key.right.0: should be text (found true)",
        ),
        (
            f"{HEAD}  - {{id: a, text: Why, key: {{right: so}}}}\n",
            "mine.yaml:4: questions.0.key.right: should be a list (found 'so')",
        ),
        (
            f"{HEAD}  - {{id: a, text: Why, key: {{right: [So  it is, 1], wrong: [2, so it IS]}}}}\n",
            "mine.yaml: question 'a' has 'So  it is' both right and wrong; take it out of one list",
        ),
        (
            f"{HEAD}  - {{id: a, text: Why, key: {{right: ['?']}}}}\n",
            "mine.yaml: question 'a' has a known answer without a letter or a digit; write one or drop it",
        ),
    ],
)
def test_a_bad_suite_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert problem(tmp_path, text) == message


def test_an_empty_question_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path, f"{HEAD}  - {{id: a, text: ''}}\n").startswith("mine.yaml")


def test_an_empty_file_is_one_line(tmp_path: Path) -> None:
    assert problem(tmp_path, "") == "mine.yaml:1: is empty"


def test_known_answers_are_read_and_stand_in_a_plan_only_where_there_are_some(tmp_path: Path) -> None:
    keyed = "{id: a, text: Why, key: {right: [12, 1.5, twelve, '007'], wrong: [-3]}}"
    (tmp_path / "mine.yaml").write_text(f"{HEAD}  - {keyed}\n  - {{id: b, text: Who}}\n")
    suite = load_suite("mine.yaml", Place(folder=tmp_path))
    first, second = suite.questions
    assert first.key == Key(right=("12", "1.5", "twelve", "007"), wrong=("-3",)) and second.key is None
    assert len({first, second}) == 2
    held = suite.as_json()["questions"]
    assert held[0]["key"] == {"right": ("12", "1.5", "twelve", "007"), "wrong": ("-3",)}
    assert list(held[1]) == ["id", "text", "tags", "system"]
    assert adapter(Suite).validate_python(json.loads(to_json(suite.as_json()))) == suite
