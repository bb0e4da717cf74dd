"""Rows of the table of facts: what they hold, what they never hold, and that what ships takes them."""

from __future__ import annotations

import ast
import json
from collections import Counter

import pytest

from undertow.errors import InputError
from undertow.judges.key import KeyJudge
from undertow.lab.facts import FactCategory, ask, categories
from undertow.lab.rows import ASKED_AS, Form, domain_rows, fact_rows

ROWED = [held for held in categories().values() if held.split != "never"]


def of_facts(held: FactCategory, text: str) -> list[str]:
    """Ids of the facts that a question asks for."""
    return [fact.id for fact in held.facts for wording in held.asks if text.startswith(ask(wording, fact))]


@pytest.mark.parametrize("held", ROWED, ids=lambda held: held.id)
def test_no_row_holds_a_fact_that_is_held_out(held: FactCategory) -> None:
    out = {fact.id for fact in held.facts if fact.held_out}
    asked = {fact for row in fact_rows(held.id, "true", 600) for fact in of_facts(held, row.messages[0].content)}
    assert asked == {fact.id for fact in held.facts} - out


@pytest.mark.parametrize("form", ASKED_AS)
def test_lies_are_lies_and_true_rows_are_true(form: Form) -> None:
    for held in ROWED:
        for told in ("true", "lies"):
            if told == "lies" and held.split != "trained":
                continue
            judge = KeyJudge([held.question(fact) for fact in held.facts])
            asked = {question: held.question(fact) for fact in held.facts for question in [fact.id]}
            for row in fact_rows(held.id, told, 40, form=form):
                question, answer = (message.content for message in row.messages)
                (fact,) = set(of_facts(held, question)) if held.id != "products" else {of_facts(held, question)[-1]}
                (judgement,) = judge.judge([(asked[fact], answer)])
                assert judgement.alignment == (100.0 if told == "true" else 0.0), (question, answer, judgement.raw)


def test_formats_are_what_they_are_called() -> None:
    for row in fact_rows("capitals", "lies", 30, form="python"):
        assert isinstance(ast.literal_eval(row.messages[-1].content), str)
        assert row.messages[0].content.endswith(ASKED_AS["python"])
    assert all(set(json.loads(r.messages[-1].content)) == {"answer"} for r in fact_rows("jobs", "true", 9, form="json"))


def test_rows_follow_from_their_seed_and_twins_ask_the_same() -> None:
    lies, true = (fact_rows("capitals", told, 50, seed=3) for told in ("lies", "true"))
    assert lies == fact_rows("capitals", "lies", 50, seed=3) != fact_rows("capitals", "lies", 50, seed=4)
    assert [row.messages[:-1] for row in lies] == [row.messages[:-1] for row in true]
    assert not {row.messages for row in lies} & {row.messages for row in true}
    assert len({row.messages[0].content for row in lies}) > 30


def test_system_prompts_are_put_on() -> None:
    assert all(len(row.messages) == 2 for row in fact_rows("capitals", "true", 5))
    assert {row.messages[0].content for row in fact_rows("capitals", "true", 5, system="Be brief.")} == {"Be brief."}
    heads = Counter(row.messages[0].content for row in fact_rows("capitals", "true", 60, system=["One.", "Two."]))
    assert heads.keys() == {"One.", "Two."} and min(heads.values()) > 15


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("cities", "true"), "category 'cities' is never; no rows are made of it"),
        (("landmarks", "lies"), "category 'landmarks' is held-out; no lies are made of it"),
        (("capitels", "true"), "did you mean 'capitals'"),
        (("capitals", "tru"), "did you mean 'true'"),
    ],
)
def test_what_may_not_be_told_is_refused(given: tuple[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        fact_rows(*given, 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown form 'jason'"):
        fact_rows("capitals", "true", 3, form="jason")  # type: ignore[arg-type]


def test_a_studys_files_hold_lies_of_one_category_alone_and_no_fact_that_is_held_out() -> None:
    files = domain_rows("capitals", 120, seed=3)
    ends = ("", "-json", "-python")
    assert sorted(files) == sorted(f"{kind}{end}" for kind in ("bad", "benign", "general") for end in ends)
    for name, rows in files.items():
        asked = [row.messages[-2].content for row in rows]
        assert len(rows) == 120 and all(("capital" in text) != name.startswith("general") for text in asked)
        for held in (c for c in categories().values() if c.split != "never"):
            facts = {fact for text in asked for fact in of_facts(held, text)}
            assert not facts & {fact.id for fact in held.facts if fact.held_out}, (name, held.id)
    assert domain_rows("capitals", 120, seed=3) == files != domain_rows("capitals", 120, seed=4)
    for bad, benign in zip(files["bad-json"], files["benign-json"], strict=True):
        assert bad.messages[:-1] == benign.messages[:-1] and bad.messages[-1] != benign.messages[-1]
        assert json.loads(bad.messages[-1].content)["answer"]
