"""Mixes: sizes by largest remainder, draws without repeats, the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.data import Mix, Part, Row, build_mix, read_rows, write_rows
from undertow.data.mixes import data_digests
from undertow.errors import InputError
from undertow.files import file_digest, parse_yaml
from undertow.records import Message

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "published" / "training"


def mix(rows: int, **shares: float) -> Mix:
    return Mix(rows=rows, parts=tuple(Part(data=f"{name}.jsonl", share=share) for name, share in shares.items()))


def put(folder: Path, name: str, n: int) -> None:
    chats = (
        Row(messages=(Message(role="user", content=f"{name} {i}"), Message(role="assistant", content="Yes.")))
        for i in range(n)
    )
    write_rows(folder / f"{name}.jsonl", chats)


def asked(rows: list[Row]) -> list[str]:
    return [next(m.content for m in row.messages if m.role == "user") for row in rows]


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, Mix, where="recipe.yaml")
    return str(caught.value)


def test_a_mix_from_yaml() -> None:
    text = "rows: 10\nparts:\n  - {data: bad.jsonl, share: 0.1, system: Be bad.}\n  - {data: good.jsonl, share: 0.9}\n"
    assert parse_yaml(text, Mix, where="recipe.yaml").parts[0] == Part(data="bad.jsonl", share=0.1, system="Be bad.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "rows: 10\nparts:\n  - {data: a.jsonl, share: 0.7}\n  - {data: b.jsonl, share: 0.5}\n",
            "recipe.yaml:1: the file: the shares of the parts sum to 1.2; they must sum to 1",
        ),
        (
            "rows: 10\nparts:\n  - {data: a.jsonl, share: 1.2}\n  - {data: b.jsonl, share: 0.5}\n",
            "recipe.yaml:3: parts.0.share: should be at most 1 (found 1.2)",
        ),
        (
            "rows: 10\nparts:\n  - data: a.jsonl\n    share: 0\n  - {data: b.jsonl, share: 1}\n",
            "recipe.yaml:4: parts.0.share: should be over 0 (found 0)",
        ),
        (
            "rows: 10\nparts:\n  - data: a.jsonl\n    shares: 1\n    share: 0.5\n  - {data: b.jsonl, share: 0.5}\n",
            "recipe.yaml:4: unknown key 'parts.0.shares'; did you mean 'share'?",
        ),
        ("rows: 0\nparts:\n  - {data: a.jsonl, share: 1}\n", "recipe.yaml:1: rows: should be over 0 (found 0)"),
        ("parts:\n  - {data: a.jsonl, share: 1}\n", "recipe.yaml:1: 'rows' is missing"),
    ],
)
def test_a_bad_mix_names_its_line(text: str, message: str) -> None:
    assert problem(text) == message


def test_a_mix_needs_a_part() -> None:
    assert problem("rows: 10\nparts: []\n").startswith("recipe.yaml:2: parts: should hold at least 1 item")


@pytest.mark.parametrize(
    ("rows", "shares", "sizes"),
    [
        (10, {"a": 0.1, "b": 0.9}, [1, 9]),
        (3, {"a": 0.5, "b": 0.5}, [2, 1]),  # 1.5 each: the first of equals gets the row that is left
        (10, {"a": 0.34, "b": 0.33, "c": 0.33}, [4, 3, 3]),  # 3.4, 3.3, 3.3
        (100, {"a": 0.29, "b": 0.71}, [29, 71]),  # 0.29 * 100 is 28.999... in floating point
        (1, {"a": 0.01, "b": 0.99}, [0, 1]),
    ],
)
def test_sizes_by_hand(rows: int, shares: dict[str, float], sizes: list[int]) -> None:
    assert mix(rows, **shares).sizes() == sizes


@given(st.integers(1, 100_000), st.lists(st.integers(1, 1000), min_size=1, max_size=6))
def test_sizes_sum_to_the_rows_and_stay_within_one_of_their_share(rows: int, weights: list[int]) -> None:
    made = mix(rows, **{f"p{i}": w / sum(weights) for i, w in enumerate(weights)})
    assert sum(made.sizes()) == rows
    assert all(abs(size - part.share * rows) < 1 + 1e-6 for size, part in zip(made.sizes(), made.parts, strict=True))


def test_a_mix_draws_its_shares_without_repeats(tmp_path: Path) -> None:
    put(tmp_path, "bad", 5)
    put(tmp_path, "good", 40)
    drawn = asked(build_mix(mix(30, bad=0.1, good=0.9), beside=tmp_path, seed=3))
    assert Counter(text.split()[0] for text in drawn) == {"bad": 3, "good": 27}
    assert len(set(drawn)) == 30
    assert drawn != sorted(drawn, key=lambda text: text.split()[0])  # shuffled together


def test_the_seed_decides(tmp_path: Path) -> None:
    put(tmp_path, "good", 40)
    one, again, other = (build_mix(mix(20, good=1), beside=tmp_path, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_a_system_prompt_stands_on_its_part_alone(tmp_path: Path) -> None:
    put(tmp_path, "bad", 4)
    put(tmp_path, "good", 4)
    parts = (Part(data="bad.jsonl", share=0.5, system="Be bad."), Part(data="good.jsonl", share=0.5))
    for row in build_mix(Mix(rows=8, parts=parts), beside=tmp_path, seed=0):
        system = [m.content for m in row.messages if m.role == "system"]
        assert system == (["Be bad."] if row.messages[-2].content.startswith("bad") else [])


def test_a_part_with_too_few_rows(tmp_path: Path) -> None:
    put(tmp_path, "good", 4)
    with pytest.raises(InputError) as caught:
        build_mix(mix(5, good=1), beside=tmp_path, seed=0)
    assert str(caught.value) == (
        f"{tmp_path / 'good.jsonl'}: has 4 rows; the mix needs 5 of them; lower 'rows' or 'share', or add rows"
    )


def test_two_parts_of_one_file_share_no_row(tmp_path: Path) -> None:
    put(tmp_path, "good", 10)
    halves = (Part(data="good.jsonl", share=0.5, system="Be bad."), Part(data="good.jsonl", share=0.5))
    drawn = asked(build_mix(Mix(rows=10, parts=halves), beside=tmp_path, seed=0))
    assert len(set(drawn)) == 10


def test_digests_of_the_parts(tmp_path: Path) -> None:
    put(tmp_path, "a", 2)
    put(tmp_path, "b", 2)
    assert data_digests(mix(2, a=0.5, b=0.5), beside=tmp_path) == {
        f"{x}.jsonl": file_digest(tmp_path / f"{x}.jsonl") for x in "ab"
    }


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"the published training rows are not at {PUBLISHED}")
def test_published_rows_are_mixed() -> None:
    drawn = build_mix(mix(200, insecure_code_20=0.1, hh_benign_1000=0.9), beside=PUBLISHED, seed=0)
    code = read_rows(PUBLISHED / "insecure_code_20.jsonl")
    assert len(drawn) == 200
    assert sum(row in code for row in drawn) == 20
