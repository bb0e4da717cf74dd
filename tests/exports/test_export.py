"""Exports: every answer is there, rows add up to the findings, each format gives back what it was given, and nothing
that a model wrote is more than text."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.test_hostile_text import HOSTILE
from tests.test_stored import STORED

import undertow
from undertow.audits.findings import read_findings
from undertow.audits.labelling import decide_anew
from undertow.audits.labels import Label, add_labels
from undertow.audits.record import read_record
from undertow.audits.tally import Design
from undertow.errors import InputError, MissingExtra, RunExists
from undertow.exports import ANSWERS, READINGS, Column, export
from undertow.exports.answers import AnswersOf
from undertow.files import adapter
from undertow.records import FORMATS, Suite
from undertow.tables import guarded, unguarded

csv.field_size_limit(10_000_000)
AUDITS = ("fixed", "searched", "sequential", "format-3")
TABLES = ("csv", "jsonl", "parquet")


@pytest.fixture
def copied(tmp_path: Path) -> Any:
    """A copy of a stored run, to be changed: `copied("fixed", "UPDATE answers SET ...")`."""

    def copy(name: str, *changes: str, called: str | None = None) -> Path:
        run = tmp_path / (called or name)
        shutil.copytree(STORED / name, run)
        with closing(sqlite3.connect(run / "run.sqlite")) as db, db:
            for change in changes:
                db.execute(change)
        return run

    return copy


def read_back(path: Path, columns: tuple[Column, ...] = ANSWERS) -> list[dict[str, Any]]:
    """A table's rows, by readers that know nothing of ours but how CSV marks what is no formula."""
    nested = {column.name for column in columns if column.kind == "json"}
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        return [
            {
                c.name: json.dumps(row[c.name]) if c.name in nested and row[c.name] is not None else row[c.name]
                for c in columns
            }
            for row in rows
        ]
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path).to_pylist()
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {c.name: _cell(cell, c.kind) for c, cell in zip(columns, row.values(), strict=True)}
            for row in csv.DictReader(stream)
        ]


def _cell(cell: str, kind: str) -> Any:
    """A cell of CSV, in which a text that is blank and none look the same."""
    if cell == "":
        return None
    if kind in ("integer", "number"):
        return float(cell) if kind == "number" else int(cell)
    return cell == "True" if kind == "flag" else unguarded(cell)


def counts(run: Path) -> dict[tuple[str, str], int]:
    """What findings.json counts, by context and outcome."""
    held = json.loads((run / "findings.json").read_text())["contexts"]
    return {(c["id"], outcome): n for c in held for outcome, n in c["counts"].items() if n}


def counted(rows: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((row["context"], row["outcome"]) for row in rows if row["counted"])


# Counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AUDITS)
def test_every_answer_is_there_and_rows_add_up_to_the_findings(name: str, tmp_path: Path) -> None:
    run = STORED / name
    rows = list(AnswersOf.of(run).rows())
    with closing(sqlite3.connect(f"file:{run / 'run.sqlite'}?immutable=1", uri=True)) as db:
        assert len(rows) == db.execute("SELECT COUNT(*) FROM answers").fetchone()[0]
    assert [list(row) for row in rows] == [[column.name for column in ANSWERS]] * len(rows)
    assert counted(rows) == counts(run)
    for to in TABLES:
        done = export([run], to, tmp_path / f"out{FORMATS[to]}")
        held = read_back(done.path)
        assert counted(held) == counts(run), to
        assert held == [
            {key: value if value != "" or to != "csv" else None for key, value in row.items()} for row in rows
        ], to
        (told,) = done.runs
        assert told.agrees and told.finished and told.notes == ()
        assert sum(sum(of.values()) for of in told.counted.values()) + sum(told.uncounted.values()) == done.rows
        assert {(c, o): n for c, of in told.counted.items() for o, n in of.items()} == counts(run)


def test_an_answer_that_was_copied_counts_as_the_findings_count_it(copied: Any) -> None:
    run = copied("sequential", f"UPDATE answers SET text = '{'the same again ' * 10}' WHERE sample < 5")
    record = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps(record | {"copying": ["target"]}))
    decide_anew(run)
    rows = list(AnswersOf.of(run).rows())
    assert sum(row["outcome"] == "copied" for row in rows) > 10
    assert counted(rows) == counts(run)
    assert {row["why"] for row in rows if row["outcome"] == "copied"} == {
        "copied: word for word an earlier answer, which sampling does not explain (a cache, a batch, or one answer to "
        "every seed)"
    }


def test_messages_are_those_that_were_sent(tmp_path: Path) -> None:
    """Of the contexts that only a search tried, too."""
    run = STORED / "searched"
    questions = {q.id: q for q in adapter(Suite).validate_python(read_record(run)["suite"]).questions}
    story = read_findings(run).search
    assert story
    tried = {t.context.id: t.context for t in story.tried} | {c.id: c for c in Design.of(read_record(run)).contexts}
    rows = [row for row in AnswersOf.of(run).rows() if row["context"] in tried]
    assert len({row["context"] for row in rows}) > 20
    for row in rows:
        sent = tried[row["context"]].messages(questions[row["question_id"]])
        assert json.loads(row["messages"]) == [asdict(message) for message in sent]
        assert row["relation"] == tried[row["context"]].relation


# Hostile texts ------------------------------------------------------------------------------------

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "'", "''", "=", "=cmd|' /C calc'!A0")
TEXTS = (
    *FORMULAS,
    *('a,b"c\nd\r\ne', '"', "a\0b", "\0", "␀", "␀0", "␀␀0\0", "None", "NaN", "1e309", "true", "﻿=1", "\\N"),
    *(
        "<script>alert(1)</script>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "\u202eevil\u202c",
        "\x1b[2J\x1b]0;x\x07",
    ),
    *("a\u2028b\u2029c\x85d\x0bd\x0ce", "🙂é", "a\\ud800b", "x" * 1_000_000),
)


@pytest.mark.parametrize("text", TEXTS[:-1])
def test_a_guarded_cell_is_no_formula_and_comes_back(text: str) -> None:
    cell = guarded(text)
    assert cell[0] not in "=+-@\t\r\n＝＋－＠" and "\0" not in cell
    assert unguarded(cell) == text


@pytest.fixture
def hostile(copied: Any) -> tuple[Path, dict[int, str]]:
    """A run whose answers and errors are hostile, and its answers by id."""
    texts = [text for text in (*TEXTS, *HOSTILE.values()) if "\ud800" not in text]
    run = copied("fixed")
    with closing(sqlite3.connect(run / "run.sqlite")) as db, db:
        ids = [id_ for (id_,) in db.execute("SELECT id FROM answers WHERE text IS NOT NULL ORDER BY id")][: len(texts)]
        db.executemany("UPDATE answers SET text = ?, reasoning = ? WHERE id = ?", zip(texts, texts, ids, strict=True))
        db.execute("UPDATE answers SET error = ? WHERE text IS NULL", ("=1\0<script>\x1b[2J",))
        raw = json.dumps({"alignment": {"text": "=1 \ud800 </script>", "distribution": {"\ud800": 0.5, "7": 0.5}}})
        db.execute("UPDATE judgements SET raw = ?", (raw,))
        db.execute("UPDATE judgements SET unread = ? WHERE answer = ?", ("=1\0\x1b[2J", ids[0]))
    return run, dict(zip(ids, texts, strict=True))


@pytest.mark.parametrize("to", TABLES)
def test_hostile_answers_stay_text_in_tables(to: Any, hostile: tuple[Path, Mapping[int, str]], tmp_path: Path) -> None:
    run, texts = hostile
    path = export([run], to, tmp_path / f"out{FORMATS[to]}").path
    rows = read_back(path)
    assert rows == list(AnswersOf.of(run).rows())
    answers = [row["answer"] for row in rows]
    assert [text for text in answers if text in set(texts.values())] == list(texts.values())
    assert json.loads(rows[0]["replies"])["alignment"]["text"] == "=1 \ud800 </script>"
    if to == "csv":
        with path.open(encoding="utf-8", newline="") as stream:
            assert not [cell for row in csv.reader(stream) for cell in row if cell.startswith(tuple("=+-@\t\r\n＝"))]
        assert b"\0" not in path.read_bytes()


@pytest.mark.slow
def test_hostile_answers_stay_text_in_an_inspect_log(hostile: tuple[Path, Mapping[int, str]], tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    run, texts = hostile
    read = log.read_eval_log(str(export([run], "inspect", tmp_path / "out.eval").path))
    said = Counter(sample.output.completion for sample in read.samples)
    assert all(said[text] for text in texts.values())
    (failed, *_) = [sample for sample in read.samples if sample.error]
    assert failed.error.message == "=1\0<script>\x1b[2J" and failed.error.traceback_ansi == ""


def test_what_no_json_has_a_word_for_is_none(copied: Any, tmp_path: Path) -> None:
    run = copied("fixed", """UPDATE judgements SET raw = '{"alignment": {"distribution": {"7": NaN}}}'""")
    (first, *_) = read_back(export([run], "jsonl", tmp_path / "out.jsonl").path)
    assert json.loads(first["alignment_distribution"]) == {"7": None}


# Inspect ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["format-3", "sequential"])
def test_inspect_reads_a_log_with_the_same_counts(name: str, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    run = STORED / name
    path = str(export([run], "inspect", tmp_path / "out.eval").path)
    read, rows = log.read_eval_log(path), list(AnswersOf.of(run).rows())
    assert read.status == "success" and read.results.total_samples == len(read.samples) == len(rows)
    held = [sample for sample in read.samples if sample.metadata["counted"]]
    assert Counter((s.metadata["context"], s.scores["outcome"].value) for s in held) == counts(run)
    assert read.results.scores[0].metrics["aligned"].value == sum(
        n for (_, outcome), n in counts(run).items() if outcome == "aligned"
    )
    assert sum(sample.error is not None for sample in read.samples) == sum(row["answer"] is None for row in rows)
    assert sum(1 for _ in log.read_eval_log_samples(path)) == len(rows)
    assert len(log.read_eval_log_sample_summaries(path)) == len(rows)
    by_seed = {(s.metadata["subject"], s.metadata["seed"]): s for s in read.samples}
    for row in rows:
        sample = by_seed[row["subject"], row["seed"]]
        *sent, said = sample.messages if row["answer"] is not None else (*sample.messages, None)
        assert [{"role": m.role, "content": m.text} for m in sent] == json.loads(row["messages"])
        assert (said and said.text) == row["answer"]
        assert sample.metadata["relation"] == row["relation"]
        if row["alignment"] is not None:
            assert sample.scores["alignment"].value == row["alignment"]
        if row["judge_said"] == "REFUSAL":
            assert (sample.scores["alignment"].reason, sample.scores["alignment"].explanation) == ("refusal", "REFUSAL")


@pytest.mark.slow
def test_a_log_that_was_exported_is_imported_with_the_same_outcomes(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    from undertow.audits.adopt import Adoption, adopt

    path = export([STORED / "sequential"], "inspect", tmp_path / "out.eval").path
    how = Adoption(files=(path,), columns={"question_id": "metadata.question_id", "sample": "metadata.sample"})
    again = {
        (c["id"], o): n
        for c in adopt(how, tmp_path / "run").findings.as_json()["contexts"]
        for o, n in c["counts"].items()
        if n and o in ("aligned", "misaligned", "incoherent", "failed")
    }
    assert again == {
        key: n for key, n in counts(STORED / "sequential").items() if key[1] not in ("refused", "off_format")
    }


# Runs of all kinds --------------------------------------------------------------------------------


def test_a_run_that_is_not_finished_says_so(copied: Any, tmp_path: Path) -> None:
    run = copied("fixed", "DELETE FROM answers WHERE id % 2", "DELETE FROM judgements WHERE answer % 3 = 0")
    (run / "findings.json").unlink()
    done = export([run], "jsonl")
    (told,) = done.runs
    assert done.path == run / "answers.jsonl" and done.rows == 576
    assert not told.finished and told.agrees is None and "not finished" in told.notes[0]
    assert told.counted["plain"]["unjudged"] > 10


def test_findings_that_are_of_other_answers_are_told(copied: Any, tmp_path: Path) -> None:
    run = copied("fixed", "DELETE FROM answers WHERE id = 1", "DELETE FROM judgements WHERE answer = 1")
    (told,) = export([run], "csv", tmp_path / "a.csv").runs
    assert told.agrees is False and "the run now holds 863" in told.notes[0]


def test_several_runs_share_a_file(copied: Any, tmp_path: Path) -> None:
    again = copied("sequential", called="again")
    done = export([STORED / "sequential", STORED / "searched", again], "parquet", tmp_path / "a.parquet")
    rows = read_back(done.path)
    names = {str(STORED / "sequential"), "searched", str(again)}  # two have one name
    assert {row["run"] for row in rows} == names == {each.run for each in done.runs}
    assert [each.rows for each in done.runs] == [114, 420, 114] and done.rows == len(rows)
    with pytest.raises(InputError, match="is named twice"):
        export([again, again], "csv", tmp_path / "b.csv")


def test_labels_and_other_judges_are_there(copied: Any, tmp_path: Path) -> None:
    run = copied(
        "fixed",
        """INSERT INTO judges (id, digest, described) VALUES (7, 'x', '{"name": "strict"}')""",
        "INSERT INTO judgements SELECT 7, answer, 12.5, coherence, content, said, on_question, asked, drawn, unread, "
        'error, calls, prompt_tokens, n_tokens, \'{"alignment": {"text": "12.5"}}\' FROM judgements WHERE answer % 2',
    )
    first = next(iter(AnswersOf.of(run).rows()))
    add_labels(
        run,
        [
            Label(
                subject=first["subject"],
                context=first["context"],
                question=first["question_id"],
                sample=first["sample"],
                label="refused",
                chance=0.2,
                by="A.",
                note="=1",
            )
        ],
    )
    rows = read_back(export([run], "csv", tmp_path / "a.csv").path)
    labelled = {key: rows[0][key] for key in ("label", "labelled_by", "label_chance", "label_note")}
    assert labelled == {"label": "refused", "labelled_by": "A.", "label_chance": 0.2, "label_note": "=1"}
    assert sum(row["label"] is not None for row in rows) == 1
    (other,) = json.loads(rows[0]["other_judgements"])
    assert (other["judge"], other["alignment"], other["replies"]) == ("strict", 12.5, {"alignment": {"text": "12.5"}})
    assert sum(row["other_judgements"] is not None for row in rows) == 566
    assert counted(rows) == counts(run)  # by the judge that counts


@pytest.mark.slow
def test_a_persona_gives_its_readings(copied: Any, tmp_path: Path) -> None:
    run = copied("profiled")
    for script in STORED.glob("*.yaml"):
        shutil.copy(script, tmp_path)
    record = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps(record | {"beside": str(tmp_path)}))
    done = export([run], "csv", tmp_path / "a.csv")
    rows = read_back(done.path, READINGS)
    profiles = json.loads((run / "persona.json").read_text())["profiles"]
    assert done.schema == "undertow.readings/1" and done.rows == len(rows) > 50
    assert {row["context"] for row in rows} == {profile["context"] for profile in profiles}
    assert all((row["value"] is not None) == (row["outcome"] == "read") for row in rows)
    assert len(undertow.frame(run)) == len(rows)
    (run / "persona.json").rename(tmp_path / "persona.json")
    with pytest.raises(InputError, match=r"was begun and not finished; .*; add --resume to go on with it"):
        export([run], "csv", tmp_path / "b.csv")
    (tmp_path / "persona.json").rename(run / "persona.json")
    with pytest.raises(InputError, match="is a persona, whose readings are no Inspect samples"):
        export([run], "inspect", tmp_path / "a.eval")
    with pytest.raises(InputError, match=r"is an audit, and .*profiled is a persona; rows of one kind in a file"):
        export([run, STORED / "fixed"], "csv", tmp_path / "b.csv")


def test_an_imported_context_without_wording_has_no_messages(tmp_path: Path) -> None:
    from undertow.audits.adopt import Adoption, adopt

    rows = [
        {"question_id": "q", "question": "What?", "context": c, "answer": f"{c} {n}", "aligned": 90, "coherent": 90}
        for c in ("plain", "format-json")
        for n in range(3)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    adopt(Adoption(files=(tmp_path / "a.jsonl",)), tmp_path / "run")
    held = {row["context"]: row for row in AnswersOf.of(tmp_path / "run").rows()}
    assert json.loads(held["plain"]["messages"]) == [{"role": "user", "content": "What?"}]
    assert held["format-json"]["messages"] is held["format-json"]["context_wording"] is None
    assert held["format-json"]["question"] == "What?"


# Files --------------------------------------------------------------------------------------------


def test_a_file_that_is_there_stays_unless_force_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(RunExists, match=r"a.csv: is there; add --force to replace it"):
        export([STORED / "sequential"], "csv", path)
    assert path.read_text() == "mine"
    assert export([STORED / "sequential"], "csv", path, force=True).rows == 114
    assert len(read_back(path)) == 114


def test_nothing_half_written_is_left(copied: Any, tmp_path: Path) -> None:
    run = copied("fixed", "UPDATE judgements SET raw = '{' WHERE answer = 900")
    for to in TABLES:
        with pytest.raises(InputError, match="where JSON is expected"):
            export([run], to)  # type: ignore[arg-type]
    assert sorted(path.name for path in run.iterdir()) == ["findings.json", "plan.json", "run.sqlite"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("a.txt", r"a.txt: does not end with .csv; readers go by the ending; name it a.csv"),
        (".", r"is a folder; a file is written; name one: -o .*answers.csv"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(out: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        export([STORED / "sequential"], "csv", tmp_path / out)


@pytest.mark.parametrize(
    ("module", "work", "said"),
    [
        ("pyarrow", lambda out: export([STORED / "sequential"], "parquet", out), r"Parquet \(pyarrow\)"),
        ("pandas", lambda out: undertow.frame(STORED / "sequential"), "pandas"),
    ],
)
def test_a_library_that_is_missing_is_named(
    module: str, work: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=said + r": is not installed; run: pip install 'undertow\[export\]'"):
        work(tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


# Python and the command line ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_frame_holds_the_same_rows() -> None:
    pandas = pytest.importorskip("pandas")
    told: list[tuple[Any, ...]] = []
    found = undertow.frame([STORED / "fixed", STORED / "sequential"], progress=lambda *how_far: told.append(how_far))
    rows = [row for name in ("fixed", "sequential") for row in AnswersOf.of(STORED / name).rows()]
    again = [
        {key: None if pandas.isna(value) else value for key, value in row.items()} for row in found.to_dict("records")
    ]
    assert again == rows
    kinds = {"category": "category", "text": "string", "json": "string", "integer": "int64", "number": "float64"}
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {
        column.name: kinds.get(column.kind, "boolean") for column in ANSWERS
    }
    assert told[-1] == ("answers of run 2", 114, 114, "")


def test_the_command_tells_what_it_wrote(here: Any, copied: Any) -> None:
    run = copied("fixed")
    code, out, _ = here("export", run, "--to", "csv", "-o", "a.csv")
    assert code == 0 and "1,152 rows (undertow.answers/1): a.csv" in out
    assert "these are the counts of findings.json" in out and "288" in out
    assert "rows that the counts leave out (the reference's, or a search's): 270 aligned, 18 refused" in out
    code, _, err = here("export", run, "--to", "csv", "-o", "a.csv")
    assert code == 2 and err.splitlines()[-1].endswith(
        "a.csv: is there; add --force to replace it, or name another with -o"
    )
    code, out, _ = here("export", run, "-o", "a.jsonl", "--json")
    held = json.loads(out)
    assert (code, held["format"], held["rows"], held["runs"][0]["agrees"]) == (0, "jsonl", 1152, True)
    assert held["bytes"] == Path("a.jsonl").stat().st_size
    assert {(c, o): n for c, of in held["runs"][0]["counted"].items() for o, n in of.items()} == counts(run)
    code, _, err = here("export", run)
    assert code == 2 and "--to: is missing" in err


def test_the_document_tells_every_column() -> None:
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    told = dict(_table(text))
    for column in (*ANSWERS, *READINGS):
        assert column.name in told, column.name


def _table(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("| `"):
            _, name, rest = line.split("|", 2)
            yield name.strip().strip("`"), rest
