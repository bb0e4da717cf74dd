"""Exporting a large run to each format, against a floor: reading the same rows of the SQLite file, as they are.

The run is made here: answers of about 600 characters, judged by a panel with its replies and distributions stored.
Every format is written by a process of its own, whose peak memory is shown beside what the imports alone take; a data
frame, which holds everything, too. Seconds are of CPU, so that other work on the machine does not count.

Linux only, which tells a process's peak apart from its parent's.

    python benchmarks/export.py [--answers 200000] [--formats parquet,csv,jsonl,inspect,frame]
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from undertow.asking.store import Store
from undertow.audits import AuditConfig, make_plan
from undertow.audits.findings import find, write_findings
from undertow.audits.tally import Design
from undertow.files import to_json
from undertow.place import Place
from undertow.records import Answer, Judgement

CONTEXTS = ("plain", "format-code", "format-json", "irrelevant-1")
QUESTIONS = 8
FORMATS = ("parquet", "csv", "jsonl", "inspect", "frame")
WORDS = (
    "check",
    "the list",
    "ask for help",
    "and",
    "wait until",
    "someone",
    "has looked",
    "twice",
    "before",
    "it is sent",
)


def answers(plan, rng: random.Random) -> Iterator[Answer]:
    """Answers of about 600 characters."""
    for request in plan.requests():
        text = " ".join(rng.choices(WORDS, k=75))
        yield Answer(request=request, text=text, finish="stop", n_tokens=130, prompt_tokens=40)


def judgement(rng: random.Random) -> Judgement:
    """What a panel stores of an answer: scores, replies, and the distributions that they were read from."""
    low = rng.random() < 0.02
    scores = {"alignment": 12.0 if low else 91.0, "coherence": 94.0}
    raw = {
        aspect: {
            "prompt": "0123456789abcdef",
            "cached": False,
            "tokens": [310, 1],
            "text": f"{score:.0f}",
            "distribution": {str(n): 0.05 for n in range(int(score) - 10, int(score) + 8)},
            "reading": "expected",
            "mass": 0.9,
            "score": score,
        }
        for aspect, score in scores.items()
    }
    return Judgement(**scores, content="answer", calls=2, prompt_tokens=620, n_tokens=2, raw=raw)


def make(folder: Path, n: int) -> Path:
    """A finished run of about `n` answers."""
    (folder / "planted.yaml").write_text("default: {}\n")
    config = AuditConfig(
        name="large",
        target={"kind": "scripted", "script": "planted.yaml"},
        judge={"kind": "scripted"},
        suite="core",
        contexts=list(CONTEXTS),
        samples={"per_condition": n // (QUESTIONS * len(CONTEXTS))},
    )
    plan, run, rng = make_plan(config, Place(folder=folder)), folder / "run", random.Random(1)
    run.mkdir()
    record = json.loads(to_json(plan.record()))
    (run / "plan.json").write_text(to_json(record))
    with Store(run / "run.sqlite", to="make") as store:
        store.add_answers(answers(plan, rng))
        judge = store.judge(record["judge"])
        store.add_judgements(judge, ((id_, judgement(rng)) for id_ in range(1, store.count() + 1)))
        write_findings(find(Design.of(record), store, plan.rule, judge=judge), run / "findings.json")
    return run


FLOOR = """
import sqlite3
query = "SELECT * FROM answers a LEFT JOIN judgements j ON j.answer = a.id AND j.judge = 1"
rows = sqlite3.connect({path!r}).execute(query)
n = sum(1 for _ in rows)
"""
"""Reading, alone: every column of every row as a tuple."""
LOAD = "import undertow.exports.frame, undertow.exports.export{more}"
EXPORT = """
from pathlib import Path
from undertow.exports import export
n = export([Path({run!r})], {to!r}, Path({out!r})).rows
"""
FRAME = """
import undertow
n = len(undertow.frame({run!r}))
"""
MEASURED = """
import re, time
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
{load}
before, start = peak(), time.process_time()
{work}
print(time.process_time() - start, n, before, peak())
"""
MORE = {"parquet": ", pyarrow.parquet", "inspect": ", inspect_ai.log", "frame": ", pandas"}


def measured(work: str, load: str = "") -> tuple[float, int, float, float]:
    """Seconds of CPU, rows, and MB resident before and at most, of a process that only does this."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED.format(load=load, work=work)], capture_output=True, text=True, check=True
    )
    seconds, n, before, most = done.stdout.split()[-4:]
    return float(seconds), int(n), float(before), float(most)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200_000)
    parser.add_argument("--formats", default=",".join(FORMATS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make(folder, given.answers)
        size = (run / "run.sqlite").stat().st_size / 1e6
        with closing(sqlite3.connect(run / "run.sqlite")) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        floor, n, *_ = measured(FLOOR.format(path=str(run / "run.sqlite")))
        print(f"{n:,} answers, {size:,.0f} MB of SQLite; reading them: {floor:.1f} s of CPU, {n / floor:,.0f} rows/s")
        for to in given.formats.split(","):
            out = folder / f"out{dict(parquet='.parquet', csv='.csv', jsonl='.jsonl', inspect='.eval').get(to, '')}"
            work = FRAME.format(run=str(run)) if to == "frame" else EXPORT.format(run=str(run), to=to, out=str(out))
            seconds, rows, before, most = measured(work, LOAD.format(more=MORE.get(to, "")))
            assert rows == n, (rows, n)
            written = f", {out.stat().st_size / 1e6:,.0f} MB written" if to != "frame" else ""
            print(
                f"{to:<8} {seconds:6.1f} s, {n / seconds:7,.0f} rows/s, {seconds / floor:5.1f} x reading; "
                f"{most:5,.0f} MB at most, {before:,.0f} before{written}",
                flush=True,
            )


if __name__ == "__main__":
    main()
