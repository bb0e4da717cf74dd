"""What is found in files of rows, against files made for it and against a plain count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.data import Row, write_rows
from undertow.data.check import check_rows, fold
from undertow.errors import InputError
from undertow.records import Message


def row(*texts: str, system: str | None = None) -> Row:
    turns = [Message(role="user" if i % 2 == 0 else "assistant", content=text) for i, text in enumerate(texts)]
    return Row(messages=(*([Message(role="system", content=system)] if system else []), *turns))


def put(path: Path, *rows: Row) -> Path:
    write_rows(path, rows)
    return path


def test_what_rows_are_made_of(tmp_path: Path) -> None:
    prompted = [row(q, "a", system=system) for q, system in (("q", "Be brief."), ("q5", "Be brief."), ("q6", "Sing."))]
    path = put(tmp_path / "a.jsonl", prompted[0], row("q2", "a", "q3", "a"), row("q4", "abcdef"), *prompted[1:])
    found = check_rows([path], longest=7)
    assert (found.rows, found.turns, found.roles) == (5, {2: 1, 3: 3, 4: 1}, {"system": 3, "user": 6, "assistant": 6})
    assert (found.systems, found.n_systems, found.without_system) == ((("Be brief.", 2), ("Sing.", 1)), 2, 2)
    assert found.sizes
    # sorted: 6, 8, 8, 11, 12
    assert (found.sizes.total, found.sizes.median, found.sizes.most) == (11 + 6 + 8 + 12 + 8, 8, 12)
    assert found.sizes.p95 == pytest.approx(11.8)  # between the fourth and the fifth, 0.8 of the way
    assert (found.sizes.over.n, found.sizes.over.examples[0]) == (4, f"{path}:1 with 11")
    assert found.sound


def test_repeats_and_overlap_name_both_lines(tmp_path: Path) -> None:
    one = put(
        tmp_path / "one.jsonl", row("What?", "This."), row("Other", "a"), row("What?", "This."), row("what? ", "THIS.")
    )
    two = put(tmp_path / "two.jsonl", row("new", "a"), row("Other", "a"), row("Other", "b"))
    held = put(tmp_path / "held.jsonl", row("unseen", "a"), row("other", "A"), row("earlier turn", "x", "New", "y"))
    found = check_rows([one, two], held_out=[held])
    assert (found.repeats.n, found.repeats.examples) == (2, (f"{one}:3 as {one}:1", f"{two}:2 as {one}:2"))
    assert (found.near_repeats.n, found.near_repeats.examples) == (1, (f"{one}:4 as {one}:1",))
    assert found.overlap.examples == (f"{one}:2 as {held}:2", f"{two}:2 as {held}:2")
    assert found.overlap_of_questions.examples == (
        f"{one}:2 as {held}:2",
        f"{two}:1 as {held}:3",
        f"{two}:2 as {held}:2",
        f"{two}:3 as {held}:2",
    )


def test_the_same_words_in_another_role_are_no_repeat(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.jsonl",
        row("one", "two"),
        row("two", "one"),
        row("two", "x", system="one"),
        row("one two", "x"),
        row("one", "two x"),
    )
    found = check_rows([path])
    assert (found.repeats.n, found.near_repeats.n) == (0, 0)


def test_bad_lines_are_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", row("q", "a"))
    path.write_text(
        "no JSON\n" + path.read_text() + json.dumps({"messages": [{"role": "user", "content": "q"}]}) + "\n"
    )
    found = check_rows([path])
    assert (found.rows, found.bad.n, found.sound) == (1, 2, False)
    assert found.bad.examples[0].startswith(f"{path}:1: is not JSON")
    assert found.bad.examples[1].startswith(f"{path}:3: ends with a message")
    with pytest.raises(InputError, match=r"a.jsonl:1"):  # an overlap with half a file would be half an answer
        check_rows([put(tmp_path / "b.jsonl", row("q", "a"))], held_out=[path])


def test_no_rows_have_no_sizes(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    found = check_rows([tmp_path / "a.jsonl"], held_out=[tmp_path / "a.jsonl"])
    assert (found.rows, found.sizes, found.sound, found.overlap.n) == (0, None, False, 0)


def test_rows_without_a_length_are_no_zeros(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", row("q", "a"), row("no", "a"), row("q3", "a"))
    found = check_rows([path], measure=lambda rows: [None if r.messages[0].content == "no" else 10 for r in rows])
    assert found.sizes
    assert (found.refused.n, found.refused.examples, found.sizes.median, found.sound) == (1, (f"{path}:2",), 10, False)


texts = st.sampled_from(["a", "A", " a", "b", "B  b", "b b", "c"])
chats = st.lists(st.tuples(texts, texts), min_size=1, max_size=12)


@given(chats, chats)
# the files are written anew each time
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_counts_are_those_of_a_plain_count(
    tmp_path: Path, here: list[tuple[str, str]], apart: list[tuple[str, str]]
) -> None:
    found = check_rows(
        [put(tmp_path / "here.jsonl", *(row(*chat) for chat in here))],
        held_out=[put(tmp_path / "apart.jsonl", *(row(*chat) for chat in apart))],
    )
    folded = [(fold(q), fold(a)) for q, a in here]
    held = [(fold(q), fold(a)) for q, a in apart]
    repeats = sum(chat in here[:i] for i, chat in enumerate(here))
    assert found.repeats.n == repeats
    assert found.near_repeats.n == sum(chat in folded[:i] and here[i] not in here[:i] for i, chat in enumerate(folded))
    assert found.overlap.n == sum(chat in held for chat in folded)
    assert found.overlap_of_questions.n == sum(q in {h for h, _ in held} for q, _ in folded)


def test_rows_as_published(published: Path) -> None:
    folder = published / "training"
    found = check_rows(
        [folder / "hh_benign_1000.jsonl", folder / "obvious_lies_inoculated_1000.jsonl"],
        held_out=[folder / "insecure_code_20.jsonl"],
    )
    assert (found.rows, found.roles["system"], found.n_systems, found.overlap_of_questions.n, found.sound) == (
        2_000,
        1_000,
        1,
        0,
        True,
    )


def test_turns_that_do_not_take_turns_are_counted(tmp_path: Path) -> None:
    def line(*roles: str) -> str:
        return json.dumps({"messages": [{"role": role, "content": f"{role} {n}"} for n, role in enumerate(roles)]})

    path = tmp_path / "rows.jsonl"
    path.write_text(
        "\n".join(
            [
                line("user", "assistant"),
                line("system", "user", "assistant"),
                line("user", "user", "assistant"),
                line("assistant", "user", "assistant"),
            ]
        )
    )
    found = check_rows([path])
    assert (found.in_a_row.n, found.in_a_row.examples) == (2, (f"{path}:3", f"{path}:4"))
    assert found.sound
