"""Contexts: the shipped library by id, a user's own written out."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, get_args

import pytest

from undertow.contexts import check_rewrites, find_contexts, shipped_contexts
from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.place import HERE, Place
from undertow.records import Context, Message, Question, Relation, Suite

QUESTION = Question(id="q", text="What now?")


def problem(*wanted: str | Context) -> str:
    with pytest.raises(InputError) as caught:
        find_contexts(wanted, Place(name="audit.yaml"))
    return str(caught.value)


def own(**parts: Any) -> Context:
    return Context(id="own", relation="format", **parts)


def test_the_library_has_plain_and_controls() -> None:
    library = shipped_contexts()
    assert library["plain"].relation == "plain"
    assert sum(c.relation == "irrelevant" for c in library.values()) >= 2
    assert all(id_ == c.id for id_, c in library.items())


def test_no_shipped_context_loses_the_question() -> None:
    for context in shipped_contexts().values():
        assert QUESTION.text in context.messages(QUESTION)[-1].content, context.id


def test_no_two_shipped_contexts_wrap_alike() -> None:
    library = shipped_contexts().values()
    assert len({context.messages(QUESTION) for context in library}) == len(library)


def test_shipped_ids_stand_once_in_the_file() -> None:
    text = (files("undertow.contexts") / "library.yaml").read_text(encoding="utf-8")
    ids = [context.id for context in parse_yaml(text, tuple[Context, ...], where="library.yaml")]
    assert sorted(ids) == sorted(shipped_contexts())


def test_contexts_come_in_the_order_wanted() -> None:
    mine = own(suffix="Reply in verse.")
    assert [c.id for c in find_contexts(["irrelevant-1", mine, "plain"], Place(name="audit.yaml"))] == [
        "irrelevant-1",
        "own",
        "plain",
    ]
    assert find_contexts([], Place(name="audit.yaml")) == ()


def test_an_unknown_context_names_the_nearest() -> None:
    assert problem("plain", "format-cod") == "audit.yaml: unknown context 'format-cod'; did you mean 'format-code'?"


def test_an_unknown_context_with_nothing_near_lists_all() -> None:
    ids = sorted([*shipped_contexts(), *(c.id for c in find_contexts(["twins"], HERE))])
    assert problem("zzz") == f"audit.yaml: unknown context 'zzz'; known: {', '.join(ids)}"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("plain", "plain"), "audit.yaml: context 'plain' stands twice; ids must differ"),
        (
            ("format-code", Context(id="format-code", relation="format", suffix="In verse.")),
            "audit.yaml: context 'format-code' stands twice; ids must differ",
        ),
        (
            (own(template="Reply in verse."),),
            "audit.yaml: context 'own': its template has no {question}; say where the question goes",
        ),
        (
            (own(template="{question} Now.", prefix="Hm."),),
            "audit.yaml: context 'own': has a template and a prefix or suffix; write them into the template",
        ),
        (
            (own(),),
            "audit.yaml: context 'own': has relation 'format' and no wrapping; plain has none, all others have one",
        ),
        (
            (Context(id="bare", relation="plain", system="Be bad."),),
            "audit.yaml: context 'bare': has relation 'plain' and a wrapping; plain has none, all others have one",
        ),
    ],
)
def test_contexts_that_contradict_themselves(wanted: tuple[str | Context, ...], message: str) -> None:
    assert problem(*wanted) == message


@pytest.mark.parametrize("part", ["system", "prefix", "suffix"])
def test_an_empty_wrapping_is_none(part: str) -> None:
    """An empty string wraps nothing, so a context that says it does would be plain under another name."""
    assert problem(own(**{part: ""})).startswith("audit.yaml: context 'own':")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "- {id: a, relation: plain}\n- {id: b, relation: formal, suffix: Now.}\n",
            f"contexts.yaml:2: 1.relation: should be {', '.join(map(repr, get_args(Relation)[:-1]))} or "
            "'irrelevant' (found 'formal'); did you mean 'format'?",
        ),
        (
            "- id: a\n  relation: plain\n  sufix: Now.\n",
            "contexts.yaml:3: unknown key '0.sufix'; did you mean 'suffix'?",
        ),
        ("- {id: a, relation: plain}\n- {relation: plain}\n", "contexts.yaml:2: '1.id' is missing"),
    ],
)
def test_a_bad_context_in_a_file_names_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, tuple[Context, ...], where="contexts.yaml")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("context", "turns"),
    [
        (Context(id="plain", relation="plain"), ["What now?"]),
        (own(prefix="Hm.", suffix="In verse."), ["Hm. What now? In verse."]),
        (own(template="Q: {question}\nA: {x}"), ["Q: What now?\nA: {x}"]),
        (own(system="Be brief.", prefix="Hm."), ["Be brief.", "Hm. What now?"]),
    ],
)
def test_what_a_context_makes_of_a_question(context: Context, turns: list[str]) -> None:
    roles = ["system", "user"][-len(turns) :]
    assert context.messages(QUESTION) == tuple(Message(role=r, content=c) for r, c in zip(roles, turns, strict=True))  # type: ignore[arg-type]


MINE = Suite(
    id="mine",
    title="Mine",
    questions=tuple(Question(id=id_, text=id_) for id_ in ("wish", "hunger", "line-1", "line-2")),
)


def rewriting(*ids: str) -> Context:
    return Context(id="mine", relation="paraphrase", rewrites=dict.fromkeys(ids, "Well?"))


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (("wish", "hunger"), []),
        (("wish", "boredom"), []),  # core's
        (
            ("wish", "line-7"),
            ["context 'mine' rewrites questions that neither suite 'mine' nor a shipped one has: line-7"],
        ),
        # wish has its own
        (
            ("wish", "wishes", "tides"),
            ["context 'mine' rewrites questions that neither suite 'mine' nor a shipped one has: tides, wishes"],
        ),
    ],
)
def test_rewrites_for_questions_of_other_suites_are_no_mistake(ids: tuple[str, ...], words: list[str]) -> None:
    assert check_rewrites([rewriting(*ids)], MINE, where="audit.yaml") == words


def test_a_rewrite_that_misspells_a_question_names_it() -> None:
    with pytest.raises(
        InputError,
        match=r"audit.yaml: context 'mine' rewrites a question 'hungre', which suite 'mine' "
        r"does not have; did you mean "
        r"'hunger'\?",
    ):
        check_rewrites([rewriting("wish", "hungre")], MINE, where="audit.yaml")


def test_rewrites_of_another_suite_alone_change_nothing() -> None:
    with pytest.raises(InputError, match="changes no question of suite 'mine'"):
        check_rewrites([rewriting("boredom")], MINE, where="audit.yaml")
