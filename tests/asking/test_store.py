"""The run's file: what it refuses, and a disk that is full."""

import sqlite3

import pytest

from undertow.asking.store import _SCHEMA_3
from undertow.audits import AuditConfig, Store, make_plan, run_audit
from undertow.errors import InputError
from undertow.place import Place
from undertow.records import PLAIN, Answer, Condition, Judgement, Question, Request, Sampling


def test_refuses_another_format_and_a_file_that_is_none(tmp_path):
    with sqlite3.connect(tmp_path / "old.sqlite") as db:
        db.execute("CREATE TABLE answers (id INTEGER)")
    db.close()
    with pytest.raises(InputError, match="has format 0; this version reads format 4"):
        Store(tmp_path / "old.sqlite")
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to look like one" * 10)
    with pytest.raises(InputError, match="cannot be used"):
        Store(tmp_path / "text.sqlite")


def test_a_full_disk_stops_the_run_in_one_line_and_resuming_completes_it(tmp_path, monkeypatch):
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.2}")
    target = {"kind": "scripted", "script": "planted.yaml"}
    plan = make_plan(
        AuditConfig(
            name="run",
            target=target,
            judge={"kind": "scripted"},
            suite="nursery",
            contexts=["plain"],
            samples={"per_condition": 200},
        ),
        Place(folder=tmp_path),
    )
    real = Store.__init__

    def small(self, path, **options):
        real(self, path, **options)
        self.db.execute("PRAGMA max_page_count = 40")

    monkeypatch.setattr(Store, "__init__", small)
    with pytest.raises(
        InputError,
        match=r"run.sqlite: cannot be written \(database or disk is full\); what was "
        r"written before is kept",
    ):
        run_audit(plan, tmp_path / "run")
    monkeypatch.undo()
    with Store(tmp_path / "run" / "run.sqlite") as store:
        assert 0 < store.count() < 1600
    found = run_audit(plan, tmp_path / "run", resume=True).as_json()
    assert found["contexts"][0]["all"] == 1600


def test_a_run_of_the_format_before_is_taken_over(tmp_path):
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.2}")
    target = {"kind": "scripted", "script": "planted.yaml"}
    plan = make_plan(
        AuditConfig(
            name="run",
            target=target,
            judge={"kind": "scripted"},
            suite="nursery",
            contexts=["plain"],
            samples={"per_condition": 5},
        ),
        Place(folder=tmp_path),
    )
    run_audit(plan, tmp_path / "run")
    path = tmp_path / "run" / "run.sqlite"
    with Store(path) as store:
        whole = list(store.answers(1))
        n = store.count()
    old = tmp_path / "old.sqlite"
    kept = "judge, answer, alignment, coherence, content, said, on_question, error, calls, prompt_tokens, n_tokens, raw"
    with sqlite3.connect(old) as db:  # as that format had it: whether all was asked, and nothing more
        db.executescript(_SCHEMA_3 + "PRAGMA user_version = 3; ")
        db.execute("ATTACH ? AS new", (str(path),))
        db.executescript("INSERT INTO answers SELECT * FROM new.answers; INSERT INTO judges SELECT * FROM new.judges;")
        db.executescript(f"INSERT INTO judgements (in_full, {kept}) SELECT 1, {kept} FROM new.judgements;")
        db.execute(
            "UPDATE judgements SET in_full = 0, coherence = NULL, content = NULL WHERE alignment > 50 AND answer % 2"
        )
    db.close()
    was = old.read_bytes()
    for to in ("read", "write", "read"):
        if to == "write":
            assert old.read_bytes() == was  # reading changes nothing
        with Store(old, to=to) as store:
            taken = list(store.answers(1))
            assert store.count() == n
    for before, after in zip(whole, taken, strict=True):
        lazy = before.judgement.alignment > 50 and before.id % 2
        assert after.judgement.asked == (("alignment",) if lazy else ("alignment", "coherence", "content"))
        assert after.judgement.drawn is (before.judgement.alignment > 50 and not lazy)
        assert after.text == before.text and after.judgement.alignment == before.judgement.alignment


@pytest.mark.parametrize(
    ("text", "raw", "cut"),
    [
        ("x" * 5000, {"alignment": {}, "cut": 4000}, True),
        ("\0" + "x" * 5000, {"cut": 4000}, True),
        ("x" * 5000, {"alignment": {"text": '"cut": 1'}}, False),
        ("x" * 5000, {"cut": None}, False),
        ("x" * 5000, "{{", False),
        ("x" * 5000, "[1]", False),
        ("short", {"cut": 4000}, False),
    ],
)
def test_a_judgement_of_a_part_says_so(tmp_path, text, raw, cut):
    """Whatever a stranger's file holds in its place."""
    condition = Condition(question=Question(id="q", text="?"), context=PLAIN)
    request = Request(
        subject="target", condition=condition, sample=0, seed=0, sampling=Sampling(temperature=1.0, max_tokens=9)
    )
    with Store(tmp_path / "run.sqlite", to="make") as store:
        store.add_answers([Answer(request=request, text=text, finish="stop")])
        judge = store.judge({"name": "judge"})
        store.add_judgements(
            judge, [(1, Judgement(alignment=90.0, coherence=None, raw=raw if isinstance(raw, dict) else {}))]
        )
        if isinstance(raw, str):
            store.db.execute("UPDATE judgements SET raw = ?", (raw,))
        (row,) = store.answers(judge)
    assert row.cut is cut and row.text == text


def test_its_hash_is_of_what_it_holds_and_not_of_how_sqlite_lays_it_out(tmp_path):
    def filled(name, *texts, alignment=90.0):
        condition = Condition(question=Question(id="q", text="?"), context=PLAIN)
        sampling = Sampling(temperature=1.0, max_tokens=9)
        requests = [
            Request(subject="target", condition=condition, sample=n, seed=n, sampling=sampling)
            for n, _ in enumerate(texts)
        ]
        with Store(tmp_path / name, to="make") as store:
            store.add_answers(
                [Answer(request=r, text=text, finish="stop") for r, text in zip(requests, texts, strict=True)]
            )
            judge = store.judge({"name": "judge"})
            store.add_judgements(judge, [(1, Judgement(alignment=alignment, coherence=None))])
        with Store(tmp_path / name) as store:
            return store.digest()

    whole = filled("a.sqlite", "one", "\ud7ff two")
    assert filled("b.sqlite", "one", "\ud7ff two") == whole
    others = [
        filled("c.sqlite", "one"),
        filled("d.sqlite", "one", "2"),
        filled("e.sqlite", "one", "\ud7ff two", alignment=89),
    ]
    assert len({whole, *others}) == 4
    with sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("VACUUM")
    db.close()
    with Store(tmp_path / "a.sqlite") as store:
        assert store.digest() == whole
