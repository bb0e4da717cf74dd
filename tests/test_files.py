"""Strict YAML names the line of each mistake; writes are whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from undertow import files
from undertow.errors import InputError
from undertow.files import (
    digest,
    download,
    file_digest,
    file_digests,
    folder_digest,
    parse_yaml,
    public,
    read_text,
    read_yaml,
    to_json,
    write_text,
)


class Wheel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int


class Cart(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    colour: Literal["red", "blue"] = "red"
    wheels: tuple[Wheel, ...] = ()
    load: str | Wheel | None = None


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, Cart, where="cart.yaml")
    return str(caught.value)


def test_yaml_that_fits() -> None:
    cart = parse_yaml("name: hay\nwheels:\n  - size: 3\n  - {size: 4}\n", Cart, where="cart.yaml")
    assert cart == Cart(name="hay", wheels=(Wheel(size=3), Wheel(size=4)))


def test_yaml_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cart.yaml"
    path.write_text("name: Grüße\n", encoding="utf-8")
    assert read_yaml(path, Cart).name == "Grüße"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: hay\ncolor: red\n", "cart.yaml:2: unknown key 'color'; did you mean 'colour'?"),
        ("# a cart\n\ncolour: red\n", "cart.yaml:3: 'name' is missing"),
        ("name: hay\ncolour: green\n", "cart.yaml:2: colour: should be 'red' or 'blue' (found 'green')"),
        (
            "name: hay\nwheels:\n  - size: 3\n  - size: many\n",
            "cart.yaml:4: wheels.1.size: should be a whole number (found 'many')",
        ),
        (
            "name: hay\nwheels:\n  - size: 3\n  -\n    size: 1\n    spokes: 9\n",
            "cart.yaml:6: unknown key 'wheels.1.spokes'; known: size",
        ),
        ("name: hay\nwheels:\n  - size: 3\n  - {}\n", "cart.yaml:4: 'wheels.1.size' is missing"),
        (
            "name: hay\ncolor: red\nweight: 3\n",
            "cart.yaml:2: unknown key 'color'; and 1 more in this file; did you mean 'colour'?",
        ),
        ("name: hay\n  colour: red\n", "cart.yaml:2: is not valid YAML (mapping values are not allowed here)"),
        # that 'name' is missing follows from it
        ("nam: hay\n", "cart.yaml:1: unknown key 'nam'; did you mean 'name'?"),
        ("name: [hay\n", "cart.yaml:2: is not valid YAML (expected ',' or ']', but got '<stream end>')"),
    ],
)
def test_yaml_that_does_not_fit_names_the_line(text: str, message: str) -> None:
    assert problem(text) == message


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "null\n"])
def test_yaml_that_holds_nothing_is_empty(text: str) -> None:
    assert problem(text) == "cart.yaml:1: is empty"


def test_a_mapping_in_place_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("names: [a]\n")
    with pytest.raises(InputError, match=r"names.yaml:1: the file: should be a list "):
        read_yaml(tmp_path / "names.yaml", tuple[str, ...])


@pytest.mark.parametrize("text", ["just words\n", "- a list\n"])
def test_yaml_of_another_shape_is_one_line(text: str) -> None:
    message = problem(text)
    assert message.startswith("cart.yaml:1: the file: should be keys with values (found ")
    assert "\n" not in message


def test_a_mistake_inside_a_union_is_found_on_its_line() -> None:
    assert problem("name: hay\nload:\n  size: big\n").startswith(("cart.yaml:2: load", "cart.yaml:3: load"))


@pytest.mark.parametrize("text", ["name: a\x00b\n", "name: \x07\n"])
def test_control_characters_in_yaml_are_a_users_error(text: str) -> None:
    assert problem(text).startswith("cart.yaml")


def test_a_repeated_key_is_refused() -> None:
    assert problem("name: hay\nname: straw\n").startswith("cart.yaml:2:")


def test_a_key_that_is_not_a_string_is_a_users_error() -> None:
    assert problem("name: hay\n3: red\n").startswith("cart.yaml:2:")


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(InputError) as caught:
        read_text(path)
    assert str(caught.value) == f"{path}: no such file; check the path"


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        read_text(tmp_path / "file" / "cart.yaml")


def test_a_folder_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_text(tmp_path)
    assert str(caught.value) == f"{tmp_path}: is a folder; a file is expected here"


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Grüße".encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_text(path)
    assert str(caught.value) == f"{path}: is not UTF-8 text (byte 8); save it as UTF-8"


def test_a_write_makes_folders_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    write_text(path, "one")
    write_text(path, "zwölf\n")
    assert path.read_text(encoding="utf-8") == "zwölf\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \ud800")
    assert path.read_text(encoding="utf-8") == "old"


def test_json_keeps_order_and_letters() -> None:
    assert to_json({"b": "é", "a": 1}) == '{\n  "b": "é",\n  "a": 1\n}\n'


def test_a_digest_is_of_the_canonical_json() -> None:
    assert digest({"b": 1, "a": 2}) == hashlib.sha256(b'{"a": 2, "b": 1}').hexdigest()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(), max_size=5))
def test_a_digest_ignores_the_order_of_keys(value: dict[str, int]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)
    assert digest({**value, "\0one more": 0}) != digest(value)


def test_a_folders_digest_sees_names_and_content(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "1")
    write_text(tmp_path / "b", "2")
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"1").hexdigest()
    whole = folder_digest(tmp_path)
    assert folder_digest(tmp_path, ["b", "a"]) == whole
    assert folder_digest(tmp_path, ["a"]) != whole
    write_text(tmp_path / "b", "3")
    changed = folder_digest(tmp_path)
    assert changed != whole
    (tmp_path / "b").rename(tmp_path / "c")
    assert folder_digest(tmp_path) != changed


def test_large_files_are_hashed_in_parts_and_tell_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 130_000
    write_text(tmp_path / "small", "1")
    (tmp_path / "large").write_bytes(content)
    paths = {name: tmp_path / name for name in ("small", "large")}
    told: list[tuple[object, ...]] = []
    found = file_digests(paths, stage="weights", progress=lambda *how_far: told.append(how_far))
    assert found == {"small": hashlib.sha256(b"1").hexdigest(), "large": hashlib.sha256(content).hexdigest()}
    assert told == []  # it takes no time
    monkeypatch.setattr(files, "SHOWN_FROM", 10)
    assert file_digests(paths, stage="weights", progress=lambda *how_far: told.append(how_far)) == found
    assert told == [("weights", 0, 33, "MB"), ("weights", 16, 33, "MB"), ("weights", 33, 33, "MB")]
    with pytest.raises(InputError, match="no such file"):
        file_digests({"gone": tmp_path / "gone"})


BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {k: v}\n" + "".join(
    f"{name}: &{name} {{x: [{', '.join([f'*{before}'] * 12)}], <<: *{before}}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "over 2,000,000 parts once its aliases are written out"),
        (MERGES, "over 2,000,000 parts"),
        ("a: &a [*a]", "it holds itself"),
        ("? [1, 2]\n: 3", "a key is no text"),
        ("? {a: 1}\n: 3", "a key is no text"),
        ("[" * 20_000 + "]" * 20_000, "nested too deeply"),
    ],
)
def test_a_hostile_yaml_is_one_line(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        parse_yaml(text, dict, where="x.yaml")
    assert "\n" not in str(refused.value)


def test_aliases_and_merges_are_read() -> None:
    assert parse_yaml("a: &a {k: 1}\nb: {<<: *a, l: 2}\nc: [*a, *a]", dict, where="x") == {
        "a": {"k": 1},
        "b": {"k": 1, "l": 2},
        "c": [{"k": 1}] * 2,
    }
    with pytest.raises(InputError, match=r"is empty"):
        parse_yaml("", dict, where="x")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[" * 100_000, "x.yaml:1: is not valid YAML (it is nested too deeply)"),
        ("- " * 100_000, "x.yaml:1: is not valid YAML (it is nested too deeply)"),
        ("when: 2024-13-45", "x.yaml: is not valid YAML (month must be in 1..12)"),
        ("n: " + "7" * 5_000, "x.yaml: is not valid YAML (Exceeds the limit"),
        # only one of the two readers takes it
        ("a: [1,\n\t2]", "x.yaml:1: the file: should be a list (found keys with values)"),
    ],
)
def test_yaml_that_would_end_the_process_or_leave_a_traceback(text, found):
    with pytest.raises(InputError) as refused:
        parse_yaml(text, list[str], where="x.yaml")
    assert str(refused.value).startswith(found)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://h/a/rows.jsonl", "https://h/a/rows.jsonl"),
        ("https://h/rows.jsonl?token=hf_SECRET&x=1", "https://h/rows.jsonl?..."),
        ("https://me:pw@h:8/rows.jsonl#key=1", "https://h:8/rows.jsonl"),
        ("file:///tmp/rows.jsonl", "file:///tmp/rows.jsonl"),
        ("rows.jsonl", "rows.jsonl"),
        ("http://[h?token=x", "http://[h"),
    ],
)
def test_what_is_told_of_a_url_holds_no_secret(url, told):
    assert public(url) == told


def test_a_download_that_fails_does_not_say_the_token(tmp_path):
    with (tmp_path / "x").open("wb") as into, pytest.raises(InputError) as told:
        download("http://127.0.0.1:1/x?token=hf_SECRET", into, sha256=None, most=10)
    assert "hf_SECRET" not in str(told.value) and "http://127.0.0.1:1/x?..." in str(told.value)
