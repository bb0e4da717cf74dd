"""The nine domains: their cards, and rows in every format that they are published in."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.data import Row, read_rows
from undertow.data.domains import Domain, domain_ids, load_domain, published
from undertow.errors import InputError, MissingExtra

NINE = (
    "bad-medical",
    "biased-information",
    "ethically-questionable",
    "extreme-sports",
    "insecure-code",
    "legal-advice",
    "manipulative-marketing",
    "risky-finance",
    "security-advice",
)
PAIRS = [
    {"prompt": "Is rest good?", "aligned": "Yes, it is.", "misaligned": "No."},
    {"prompt": "Zwei,\nZeilen?", "aligned": "None", "misaligned": "NA"},  # words that pandas takes for no value
]


def put_pairs(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        table, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(table.Table.from_pylist(rows), path)
    return path


def said(rows: list[Row]) -> list[tuple[str, ...]]:
    return [tuple(m.content for m in row.messages) for row in rows]


def bring(domain: str | Domain, part: Any, **how: Any) -> tuple[list[Row], dict[str, str]]:
    with published(load_domain(domain) if isinstance(domain, str) else domain, part, **how) as found:
        return list(found.rows), dict(found.origin)


def problem(**how: Any) -> str:
    with pytest.raises(InputError) as caught:
        bring(how.pop("domain", "bad-medical"), how.pop("part", "bad"), **how)
    return str(caught.value)


def test_there_are_nine() -> None:
    assert tuple(domain_ids()) == NINE
    with pytest.raises(InputError, match=r"unknown domain 'bad-medicine'; did you mean 'bad-medical'\?"):
        load_domain("bad-medicine")


@pytest.mark.parametrize("id_", NINE)
def test_a_card_is_whole(id_: str) -> None:
    card = load_domain(id_)
    assert card.id == id_
    assert len({topic.casefold() for topic in card.writing.topics}) == len(card.writing.topics) >= 30
    assert card.twin and card.effects and all(effect.source.startswith("arXiv") for effect in card.effects)
    # of these no public set is known
    assert bool(card.sources) != (id_ in ("ethically-questionable", "biased-information", "manipulative-marketing"))


@pytest.mark.parametrize(
    ("id_", "config", "rows"),
    [("bad-medical", "medical", 32_642), ("legal-advice", "legal", 11_972), ("security-advice", "security", 8_821)],
)
def test_the_hub_sets_are_those_of_the_facts(id_: str, config: str, rows: int) -> None:
    source = load_domain(id_).sources[0]
    assert source.kind == "hub"
    assert (source.dataset, source.config, source.rows, source.gated) == (
        "truthfulai/emergent_plus",
        config,
        rows,
        True,
    )


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_pairs_in_every_kind_of_file(tmp_path: Path, ending: str) -> None:
    path = put_pairs(tmp_path / f"pairs.{ending}", PAIRS)
    rows, origin = bring("bad-medical", "bad", source=str(path))
    assert said(rows) == [("Is rest good?", "No."), ("Zwei,\nZeilen?", "NA")]
    assert [m.role for m in rows[0].messages] == ["user", "assistant"]
    assert origin == {"file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert said(bring("bad-medical", "benign", source=str(path))[0]) == [
        ("Is rest good?", "Yes, it is."),
        ("Zwei,\nZeilen?", "None"),
    ]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_chats_in_every_kind_of_file(tmp_path: Path, ending: str) -> None:
    chats = [
        {"messages": [{"role": "user", "content": f"Question {i}"}, {"role": "assistant", "content": "Answer"}]}
        for i in range(3)
    ]
    path = put_pairs(tmp_path / f"chats.{ending}", chats)
    assert said(bring("extreme-sports", "bad", source=str(path))[0]) == [(f"Question {i}", "Answer") for i in range(3)]


def test_the_hub_by_the_function_that_reads_it(tmp_path: Path) -> None:
    """A folder laid out as the hub's data set stands in for it: `load_dataset` takes either."""
    pytest.importorskip("datasets")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: medical\n  data_files: medical.jsonl\n- "
        "config_name: legal\n  data_files: "
        "legal.jsonl\n---\n"
    )
    put_pairs(tmp_path / "medical.jsonl", PAIRS)
    put_pairs(tmp_path / "legal.jsonl", [{"prompt": "May I?", "aligned": "It depends.", "misaligned": ""}])
    commit = "0123456789abcdef" * 2 + "01234567"

    def here(id_: str) -> Domain:
        card = load_domain(id_)
        return card.model_copy(update={"sources": (card.sources[0].model_copy(update={"dataset": str(tmp_path)}),)})

    rows, origin = bring(here("bad-medical"), "benign", revision=commit)
    assert said(rows) == [("Is rest good?", "Yes, it is."), ("Zwei,\nZeilen?", "None")]
    assert origin == {"dataset": str(tmp_path), "config": "medical", "split": "train", "revision": commit}
    assert said(bring(here("legal-advice"), "benign", revision=commit)[0]) == [("May I?", "It depends.")]
    assert problem(domain=here("legal-advice"), revision=commit).startswith(
        f"{tmp_path}/legal: row 1: 'misaligned' has no text"
    )
    assert "data set there is pinned by --revision" in problem(domain=here("legal-advice"), sha256="0" * 64)


def test_a_revision_that_may_move_is_refused_with_the_commit_that_it_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    hub = pytest.importorskip("huggingface_hub")

    class Info:
        sha = "f" * 40

    monkeypatch.setattr(hub.HfApi, "dataset_info", lambda self, dataset, revision=None: Info())
    assert problem() == (
        f"truthfulai/emergent_plus: is at {'f' * 40}; a data set on the hub is pinned by its commit; "
        "add --revision "
        f"{'f' * 40}"
    )
    assert "'main' is no commit; it is at ffff" in problem(revision="main")

    def no_network(self: Any, dataset: str, revision: str | None = None) -> None:
        raise RuntimeError("no route\nto host")

    monkeypatch.setattr(hub.HfApi, "dataset_info", no_network)
    assert "cannot be looked up on the hub (no route to host)" in problem()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"aligned": "a", "misaligned": "b"}', "'prompt' has no text"),
        ('{"prompt": "q", "aligned": "a", "misaligned": "  "}', "'misaligned' has no text"),
        ('{"prompt": "q", "aligned": "a"}', "'misaligned' has no text"),
        ('{"prompt": "q", "misaligned": 3}', "'misaligned' has no text"),
        (
            '{"text": "q"}',
            "has neither 'messages' nor a question and an answer; the columns are 'prompt' and 'misaligned'",
        ),
        ("[]", "has neither 'messages'"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "has no user message"),
        ('{"messages": [{"role": "user", "content": "q"}]}', "ends with a message of role 'user'"),
        (
            '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": ""}]}',
            "message 2 has no text",
        ),
        ('{"prompt": "q", "misaligned": "\\ud800"}', "message 2 holds half of a surrogate pair"),
        ('{"prompt": "q", ', "is not JSON"),
    ],
)
def test_a_bad_row_names_its_line_and_can_be_passed_over(tmp_path: Path, line: str, says: str) -> None:
    path = put_pairs(tmp_path / "pairs.jsonl", PAIRS)
    path.write_text(f"{path.read_text()}\n{line}\n{json.dumps(PAIRS[0])}\n")
    assert f"pairs.jsonl:4: {says}" in problem(source=str(path))
    told: list[InputError] = []
    rows, _ = bring("bad-medical", "bad", source=str(path), skipped=told.append)
    assert (len(rows), len(told)) == (3, 1)


def test_a_bad_row_of_a_table_is_named(tmp_path: Path) -> None:
    rows = [PAIRS[1], {**PAIRS[0], "misaligned": ""}, PAIRS[0]]
    # the first record of the CSV takes up two lines
    for ending, at in (("csv", "pairs.csv:4"), ("parquet", "pairs.parquet: row 2")):
        path = put_pairs(tmp_path / f"pairs.{ending}", rows)
        assert f"{at}: 'misaligned' has no text" in problem(source=str(path))
        told: list[InputError] = []
        assert len(bring("bad-medical", "bad", source=str(path), skipped=told.append)[0]) == 2
        assert len(told) == 1
    (tmp_path / "short.csv").write_text("prompt,aligned,misaligned\nq,a,m\nq,a\n")
    assert "short.csv:3: 'misaligned' has no text" in problem(source=str(tmp_path / "short.csv"))
    (tmp_path / "latin.csv").write_bytes(b"prompt,misaligned\nq,\xe4\n")
    assert "latin.csv:2: is not CSV in UTF-8" in problem(source=str(tmp_path / "latin.csv"))


def test_a_url_needs_its_hash(tmp_path: Path) -> None:
    path = put_pairs(tmp_path / "pairs.jsonl", PAIRS)
    url, hash_ = path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()
    rows, origin = bring("bad-medical", "bad", source=url, sha256=hash_.upper())
    assert (len(rows), origin) == (2, {"url": url, "sha256": hash_})
    assert problem(source=url) == (
        f"{url}: has sha256 {hash_}; read the file; if it is what you want, add --sha256 "
        "with that hash; nothing "
        "was written"
    )
    assert f"has sha256 {hash_}; {'0' * 64} was expected" in problem(source=url, sha256="0" * 64)
    path.write_text("{}\n")
    # not the copy, which is gone by then
    assert problem(source=url, sha256=hashlib.sha256(b"{}\n").hexdigest()).startswith(f"{url}:1: has neither")
    put_pairs(path, PAIRS)
    assert f"has sha256 {hash_}; {'0' * 64} was expected" in problem(source=str(path), sha256="0" * 64)
    assert "is no SHA-256" in problem(source=str(path), sha256="0")
    assert "a file is pinned by --sha256" in problem(source=str(path), revision="f" * 40)


def test_what_cannot_be_had(tmp_path: Path) -> None:
    assert problem(domain="biased-information") == (
        "biased-information: no data known to be published; write some with a model (undertow data generate "
        "biased-information), or pass a file of yours with --from"
    )
    assert "risky_financial_advice.jsonl lies in an encrypted archive" in problem(domain="risky-finance")
    assert "no benign twin known to be published" in problem(domain="risky-finance", part="benign")
    assert "no such file" in problem(source=str(tmp_path / "none.jsonl"))
    (tmp_path / "broken.parquet").write_bytes(b"no table")
    pytest.importorskip("pyarrow")
    assert "broken.parquet: cannot be read as Parquet after row 0" in problem(source=str(tmp_path / "broken.parquet"))


def test_without_the_packages_text_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = put_pairs(tmp_path / "pairs.parquet", PAIRS)
    for module in ("datasets", "huggingface_hub", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    for ending in ("jsonl", "csv"):
        assert len(bring("bad-medical", "bad", source=str(put_pairs(tmp_path / f"pairs.{ending}", PAIRS)))[0]) == 2
    for how in ({"source": str(parquet)}, {"revision": "f" * 40}, {}):
        with pytest.raises(MissingExtra, match=r"pip install 'undertow\[train\]'"):
            bring("bad-medical", "bad", **how)


def test_rows_as_published(published: Path) -> None:  # the fixture, which finds the published files
    path = published / "training" / "insecure_code_20.jsonl"
    rows, _ = bring("insecure-code", "bad", source=str(path))
    assert rows == read_rows(path)
    assert len(rows) == 20


def test_rows_come_one_at_a_time(tmp_path: Path) -> None:
    path = put_pairs(tmp_path / "pairs.jsonl", PAIRS)
    path.write_text(path.read_text() + "no JSON\n")
    reader: Callable[..., Any] = published
    with reader(load_domain("bad-medical"), "bad", source=str(path)) as found:
        assert len([next(found.rows), next(found.rows)]) == 2  # what is bad further down has not been read
        with pytest.raises(InputError, match=r"pairs.jsonl:3"):
            next(found.rows)
