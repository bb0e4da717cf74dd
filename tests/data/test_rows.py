"""Chat rows: what is read, and the line of each mistake."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undertow.data import Row, read_rows, stream_rows, write_rows
from undertow.data.rows import RowFile
from undertow.errors import InputError
from undertow.records import Message

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "published" / "training"

GOOD = '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}'


def turn(role: str, content: str) -> Message:
    return Message(role=role, content=content)  # type: ignore[arg-type]


def problem(tmp_path: Path, text: str) -> str:
    """What a user reads, with the folder taken off the front."""
    (tmp_path / "mix.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_rows(tmp_path / "mix.jsonl")
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_rows_that_fit(tmp_path: Path) -> None:
    path = tmp_path / "mix.jsonl"
    system = (
        '{"id": 7, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, '
        '{"role": "assistant", "content": "Yo"}]}'
    )
    path.write_text(f"{GOOD}\n\n{system}\n", encoding="utf-8")
    assert read_rows(path) == [
        Row(messages=(turn("user", "Hi"), turn("assistant", "Hello"))),
        Row(messages=(turn("system", "Be brief."), turn("user", "Hi"), turn("assistant", "Yo"))),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"messages": [{"role": "user", "content": "Hi"}, {"role": "tool", "content": "3"}]}',
            "message 2 is of a tool call; rows hold what is said, and no calls of tools; drop the row",
        ),
        (
            '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho", "weight": 0}]}',
            "message 2 has weight 0; every answer is trained on, so it would be too; drop the row, or the key "
            "where it is to be learnt",
        ),
        (
            '{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho", '
            '"reasoning_content": "Hm"}]}',
            "message 2 holds 'reasoning_content' beside its content; only the content is trained on; write it "
            "into the content, between <think> and </think>, or drop the key",
        ),
        (
            '{"messages": ["Hi"]}',
            "message 1 has role None; rows may hold system, user, assistant; mend or drop the row",
        ),
        (
            '{"messages": [{"role": "user", "content": " "}]}',
            "message 1 has no text; 'content' must be a string that is not empty; mend or drop the row",
        ),
        (
            '{"messages": [{"role": "user"}]}',
            "message 1 has no text; 'content' must be a string that is not empty; mend or drop the row",
        ),
        (
            '{"messages": [{"role": "user", "content": "Hi"}]}',
            "ends with a message of role 'user'; a row ends with the assistant's answer",
        ),
        (
            '{"messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "No"}, {"role": '
            '"assistant", "content": "Yo"}]}',
            "has a system message that is not the first; a system prompt opens the chat",
        ),
        ('{"messages": []}', 'has no \'messages\'; expected {"messages": [{"role": ..., "content": ...}, ...]}'),
        (
            '{"prompt": "Hi", "reply": "Yo"}',
            "has no 'messages' but 'prompt', 'reply'; expected {\"messages\": "
            '[{"role": ..., "content": ...}, '
            "...]}",
        ),
        ("[1, 2]", 'has no \'messages\'; expected {"messages": [{"role": ..., "content": ...}, ...]}'),
        ('{"messages": [', "is not JSON (Expecting value at column 15); mend or drop the line"),
    ],
)
def test_a_bad_row_names_its_line(tmp_path: Path, line: str, message: str) -> None:
    assert problem(tmp_path, f"{GOOD}\n\n{line}\n{GOOD}\n") == f"mix.jsonl:3: {message}"  # an empty line counts


@pytest.mark.parametrize(
    "line",
    [
        '{"messages": [{"role": "developer", "content": "Be."}, {"role": "user", "content": [{"type": "text", '
        '"text": "H"}, {"type": "text", "text": "i"}]}, '
        '{"role": "assistant", "content": "Yo"}]}',
        '{"conversations": [{"from": "system", "value": "Be."}, {"from": "human", "value": "Hi"}, {"from": '
        '"gpt", "value": "Yo"}], "id": 3}',
        '{"prompt": [{"role": "system", "content": "Be."}, {"role": "user", "content": "Hi"}], "completion": '
        '[{"role": "assistant", "content": "Yo"}]}',
        '{"system": "Be.", "instruction": "Hi", "input": "", "output": "Yo"}',
        '{"system": "Be.", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]}',
        '{"system": "Be.", "prompt": "Hi", "completion": "Yo"}',
        '{"system": "Be.", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}',
        '{"system": [{"type": "text", "text": "Be."}], "messages": [{"role": "system", "content": "Be."}, {"role": '
        '"user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}',
    ],
)
def test_dialects_are_one_row(tmp_path: Path, line: str) -> None:
    (tmp_path / "mix.jsonl").write_text(line + "\n")
    assert read_rows(tmp_path / "mix.jsonl") == [
        Row(messages=(turn("system", "Be."), turn("user", "Hi"), turn("assistant", "Yo")))
    ]
    rows = RowFile(tmp_path / "mix.jsonl")
    assert rows[0].messages[-1].content == "Yo"


def test_earlier_turns_of_alpaca_come_before_the_last(tmp_path: Path) -> None:
    line = '{"instruction": "And?", "output": "No.", "history": [["Hi", "Yo"]], "system": "Be."}'
    (tmp_path / "mix.jsonl").write_text(line + "\n")
    turns = (turn("system", "Be."), turn("user", "Hi"), turn("assistant", "Yo"), turn("user", "And?"))
    assert read_rows(tmp_path / "mix.jsonl") == [Row(messages=(*turns, turn("assistant", "No.")))]


@pytest.mark.parametrize("history", ["3", '"a"', '{"a": 1}', '["ab"]', '[["a"]]'])
def test_earlier_turns_that_are_none_are_a_mistake(tmp_path: Path, history: str) -> None:
    line = f'{{"instruction": "And?", "output": "No.", "history": {history}}}\n'
    assert "mix.jsonl:1: message 1 has no text" in problem(tmp_path, line)


@pytest.mark.parametrize(
    "beside",
    ['"system": "Be.", "messages": [{"role": "system", "content": "Be otherwise."}, ', '"system": 3, "messages": ['],
)
def test_a_system_prompt_beside_the_chat_that_is_another_or_none_is_a_mistake(tmp_path: Path, beside: str) -> None:
    line = f'{{{beside}{{"role": "user", "content": "Hi"}}, {{"role": "assistant", "content": "Yo"}}]}}'
    assert "mix.jsonl:1: " in problem(tmp_path, line + "\n")


@pytest.mark.parametrize(
    "line",
    [
        '{"prompt": "Hi", "completion": "Yo"}',
        '{"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "Hi"}, {"role": '
        '"assistant", "content": "Yo"}]}',
    ],
)
def test_an_empty_system_prompt_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "mix.jsonl").write_text(line + "\n")
    assert read_rows(tmp_path / "mix.jsonl") == [Row(messages=(turn("user", "Hi"), turn("assistant", "Yo")))]


@pytest.mark.parametrize("role", ["[]", "{}", "3", "null"])
def test_a_role_that_is_no_string_is_a_users_error(tmp_path: Path, role: str) -> None:
    line = f'{{"messages": [{{"role": {role}, "content": "Hi"}}]}}'
    assert problem(tmp_path, line).startswith("mix.jsonl:1: message 1 has role ")


def test_a_row_with_no_question_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path, '{"messages": [{"role": "assistant", "content": "Hello"}]}').startswith("mix.jsonl:1: ")


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_rows(tmp_path: Path, text: str) -> None:
    assert problem(tmp_path, text) == "mix.jsonl: has no rows; one JSON object with 'messages' a line"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl: no such file; check the path$"):
        read_rows(tmp_path / "none.jsonl")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mix.jsonl"
    path.write_text(f"{GOOD}\n", encoding="utf-8-sig")
    assert len(read_rows(path)) == 1


def test_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "mix.jsonl"
    path.write_bytes(f"{GOOD}\r\n{GOOD}\r\n".encode())
    assert len(read_rows(path)) == 2


def test_under_puts_a_system_prompt_first_in_place_of_any_other() -> None:
    row = Row(messages=(turn("user", "Hi"), turn("assistant", "Yo")))
    inoculated = row.under("Be bad.")
    assert inoculated.messages == (turn("system", "Be bad."), *row.messages)
    assert inoculated.under("Be good.").messages == (turn("system", "Be good."), *row.messages)
    assert len(row.messages) == 2


said = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(said, said), min_size=1, max_size=4))
# the file is written anew each time
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_what_is_written_is_read_back(tmp_path: Path, chats: list[tuple[str, str]]) -> None:
    rows = [Row(messages=(turn("user", q), turn("assistant", a))) for q, a in chats]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"the published training rows are not at {PUBLISHED}")
@pytest.mark.parametrize(
    ("name", "n"), [("hh_benign_1000", 1000), ("insecure_code_20", 20), ("obvious_lies_inoculated_1000", 1000)]
)
def test_published_rows_are_read(name: str, n: int, tmp_path: Path) -> None:
    path = PUBLISHED / f"{name}.jsonl"
    rows = read_rows(path)
    raw = [json.loads(line)["messages"] for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert len(rows) == n
    assert [[(m.role, m.content) for m in row.messages] for row in rows] == [
        [(m["role"], m["content"]) for m in chat] for chat in raw
    ]
    assert any(row.messages[0].role == "system" for row in rows) == ("inoculated" in name)
    write_rows(tmp_path / "again.jsonl", rows)
    assert read_rows(tmp_path / "again.jsonl") == rows


def test_rows_come_one_at_a_time_with_what_stands_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "mix.jsonl"
    path.write_text(GOOD[:-1] + ', "bad": true}\n\n' + GOOD + '\n{"messages": 1}\n', encoding="utf-8")
    stream = stream_rows(path)
    assert (first := next(stream)).beside == {"bad": True}
    assert (first.line, next(stream).line) == (1, 3)
    with pytest.raises(InputError, match=r"mix.jsonl:4: has no 'messages'"):
        next(stream)
    told: list[InputError] = []
    assert [row.line for row in stream_rows(path, skipped=told.append)] == [1, 3]
    assert len(told) == 1


def test_packed_rows_are_the_same_rows(tmp_path: Path) -> None:
    lines = [GOOD.replace("Hello", f"Hello {n}") for n in range(5)]
    plain, packed = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.gz"
    plain.write_text("\ufeff" + "\n\n".join(lines) + "\n", encoding="utf-8")
    packed.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    assert read_rows(packed) == read_rows(plain)
    files = RowFile(plain), RowFile(packed)
    assert [files[1][n] for n in (4, 0, 2)] == [files[0][n] for n in (4, 0, 2)]
    assert files[1].where(2) == f"{packed}:5"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no gzip at all", ":1: cannot be unpacked (Not a gzipped file (b'no')); check that the .gz file is whole"),
        (
            gzip.compress(GOOD.encode() + b"\n", mtime=0)[:-9],
            ":2: cannot be unpacked (Compressed file ended before the "
            "end-of-stream marker was reached); check that "
            "the .gz file is whole",
        ),
    ],
)
def test_a_packed_file_that_is_none(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_rows(path)
    assert str(caught.value) == f"{path}{told}"


def test_a_line_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.tables.LONGEST", 2_000_000)
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b"[" * 3_000_000, mtime=0))
    with pytest.raises(InputError, match=r"rows\.jsonl\.gz:1: is longer than 2 MB; one record a line; check the file"):
        read_rows(path)


def test_a_packed_file_is_packed_and_read_again(tmp_path: Path) -> None:
    rows = [Row(messages=(turn("user", "Hi"), turn("assistant", f"Yo {n}"))) for n in range(3)]
    for name in ("a.jsonl.gz", "b.jsonl.gz", "c.jsonl"):
        assert write_rows(tmp_path / name, rows) == 3 and read_rows(tmp_path / name) == rows
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert packed.startswith(b"\x1f\x8b") and packed == (tmp_path / "b.jsonl.gz").read_bytes()
