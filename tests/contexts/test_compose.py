"""One context inside another; contexts with rewrites, earlier turns and no default system prompt; files of contexts."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.each import each

from undertow.contexts import compose, find_contexts, read_contexts, shipped_contexts, write_contexts
from undertow.errors import InputError
from undertow.place import Place
from undertow.records import RELATIONS, Context, Message, Question

QUESTION = Question(id="q", text="What now?")
OTHER = Question(id="other", text="And then?", system="Be brief.")
TURNS = (Message(role="user", content="Hi"), Message(role="assistant", content="Hello"))


def said(context: Context, question: Question = QUESTION) -> list[str]:
    return [m.content for m in context.messages(question)]


def test_a_format_around_a_topic_by_their_ids() -> None:
    (found,) = find_contexts(["format-json+topic-maritime"], Place(name="audit.yaml"))
    topic = shipped_contexts()["topic-maritime"]
    assert found.id == "format-json+topic-maritime"
    assert found.relation == "format"
    assert said(found) == [f"{said(topic)[0]} Reply as a json object."]


def test_three_contexts_nest_from_the_left() -> None:
    mine = [Context(id=c, relation="format", prefix=f"{c}(", suffix=f"){c}") for c in "abc"]
    assert said(find_contexts([*mine, "a+b+c"], Place(name="audit.yaml"))[-1]) == ["a( b( c( What now? )c )b )a"]
    templates = [Context(id=c, relation="format", template=f"{c}({{question}})") for c in "abc"]
    assert said(find_contexts([*templates, "a+b+c"], Place(name="audit.yaml"))[-1]) == ["a(b(c(What now?)))"]


@each("outer", [c for c in shipped_contexts().values() if c.relation != "plain"][::7])
@each("inner", [c for c in shipped_contexts().values() if c.relation != "plain"][::9])
def test_a_composition_says_what_both_say(outer: Context, inner: Context) -> None:
    both = compose(outer, inner)
    text = "\n".join(said(both))
    for part in (outer, inner):
        for words in (
            part.system,
            part.prefix,
            part.suffix,
            *(part.template or "").split("{question}"),
            *(turn.content for turn in part.turns),
        ):
            assert (words or "") in text
    assert text.count(QUESTION.text) == 1


def test_what_a_composition_carries() -> None:
    outer = Context(
        id="o",
        relation="irrelevant",
        system="One.",
        default_system=False,
        provenance="p",
        note="n",
        rewrites={"q": "Now what?"},
    )
    inner = Context(
        id="i", relation="topic", system="Two.", turns=TURNS, strength="weak", rewrites={"other": "Then what?"}
    )
    both = compose(outer, inner)
    assert (both.relation, both.system, both.default_system, both.turns, both.strength, both.provenance, both.note) == (
        "topic",
        "One.\n\nTwo.",
        False,
        TURNS,
        "weak",
        "p",
        "n",
    )
    assert said(both) == ["One.\n\nTwo.", "Hi", "Hello", "Now what?"]
    assert compose(shipped_contexts()["plain"], inner).relation == "topic"
    with pytest.raises(InputError, match=r"context 'o\+o': both parts rewrite question 'q'"):
        compose(outer, outer)


def test_an_unknown_part_is_named() -> None:
    with pytest.raises(InputError, match="unknown context 'topic-maritim'; did you mean 'topic-maritime'"):
        find_contexts(["format-json+topic-maritim"], Place(name="audit.yaml"))


def test_a_rewrite_stands_for_its_question_alone() -> None:
    context = Context(id="c", relation="paraphrase", rewrites={"q": "What shall I do?"}, suffix="Hm.")
    assert said(context) == ["What shall I do? Hm."]
    assert said(context, OTHER) == ["Be brief.", "And then? Hm."]
    assert len({context, Context(id="c", relation="paraphrase", rewrites={"q": "x"}, suffix="Hm.")}) == 2


def test_no_default_system_prompt_is_an_empty_message_unless_another_is_given() -> None:
    context = shipped_contexts()["system-none"]
    assert context.messages(QUESTION) == (Message(role="system", content=""), Message(role="user", content="What now?"))
    assert said(context, OTHER) == ["Be brief.", "And then?"]


def test_earlier_turns_come_before_the_question() -> None:
    roles = [m.role for m in Context(id="c", relation="topic", system="S.", turns=TURNS).messages(QUESTION)]
    assert roles == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (
            TURNS[:1],
            "x: context 'c': its turns end with one of the user; the question comes next, so the assistant's "
            "answer "
            "stands last",
        ),
        (
            (Message(role="system", content="S."), *TURNS),
            "x: context 'c': has a system prompt among its turns; write it under 'system'",
        ),
    ],
)
def test_turns_that_no_chat_has(turns: tuple[Message, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        find_contexts([Context(id="c", relation="topic", turns=turns)], Place(name="x"))
    assert str(caught.value) == message


FILE = """\
- {id: a, relation: topic, prefix: Ahoy.}
- id: b
  relation: paraphrase
  default_system: false
  turns: [{role: user, content: Hi}, {role: assistant, content: Hello}]
  rewrites: {q: "What next?"}
  provenance: rows 1 to 9
  strength: strong
"""


def test_a_file_of_contexts_is_taken_whole_and_composes(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(FILE, encoding="utf-8")
    found = find_contexts(["plain", "mine.yaml", "format-json+a"], Place(folder=tmp_path, name="audit.yaml"))
    assert [c.id for c in found] == ["plain", "a", "b", "format-json+a"]
    assert said(found[2]) == ["", "Hi", "Hello", "What next?"]
    assert said(found[3]) == ["Ahoy. What now? Reply as a json object."]
    write_contexts(tmp_path / "again.yaml", found, title="t")
    assert read_contexts(tmp_path / "again.yaml") == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]\n", "mine.yaml: has no contexts; a list of them, each with id and relation"),
        (FILE + FILE[: FILE.index("\n") + 1], "mine.yaml: context 'a' stands twice; ids must differ"),
        (
            FILE.replace("strength: strong", "strength: sure"),
            "mine.yaml:8: 1.strength: should be 'strong' or 'weak' (found 'sure')",
        ),
        (
            "- {id: a, relation: topic}\n",
            "mine.yaml: context 'a': has relation 'topic' and no wrapping; plain has none, all others have one",
        ),
    ],
)
def test_a_bad_file_of_contexts(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        find_contexts(["plain", "mine.yaml"], Place(folder=tmp_path, name="audit.yaml"))
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message


def test_a_missing_file_of_contexts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yml: no such file; check the path"):
        find_contexts(["none.yml"], Place(folder=tmp_path, name="audit.yaml"))


def length(context: Context) -> int:
    return sum(len(m.content) for m in context.messages(QUESTION)) - len(QUESTION.text)


def test_the_library_covers_each_relation_and_has_a_control_of_each_kind_and_length() -> None:
    library = shipped_contexts()
    # a paraphrase is of somebody's training prompt, so none ships
    assert {c.relation for c in library.values()} | {"paraphrase"} == set(RELATIONS)
    for kind in ("system", "prefix", "suffix", "template"):
        short, medium, long = (library[f"irrelevant-{kind}-{size}"] for size in ("short", "medium", "long"))
        assert all(getattr(c, kind) and c.relation == "irrelevant" for c in (short, medium, long))
        assert length(short) < 45 < length(medium) < 150 < length(long) < 400
