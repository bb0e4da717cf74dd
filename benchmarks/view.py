"""The page over a run of 200,000 answers: seconds until its first rows are there, and for a filter, a search, a sort
and a jump to the end, each against a named floor.

Floors: for the first rows the file read once, front to back; for a filter, a search and a sort the statement of
SQLite that finds the same in the store. Where Playwright and Chromium are installed, the same in a browser, from the
key or the address to the row that is seen.

    python benchmarks/view.py [--answers 200000] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from undertow.asking.store import Store
from undertow.audits.rules import RULES
from undertow.files import to_json, write_text
from undertow.records import PLAIN, Answer, Condition, Context, Judgement, Question, Request, Sampling, Suite
from undertow.view.query import read_query
from undertow.view.server import ViewServer, to_bytes
from undertow.view.site import Site

WORDS = "the a of to and in it was for on river boat fish water stone light morning they went along then".split()  # noqa: SIM905
BATCH = 5_000
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def make_run(folder: Path, n: int) -> None:
    """A run of `n` answers of some 400 characters to 40 questions in 20 contexts, judged."""
    rng = random.Random(1)
    contexts = (PLAIN, *(Context(id=f"context-{k}", relation="format", suffix=f"As item {k}.") for k in range(1, 20)))
    suite = Suite(
        id="bench",
        title="Bench",
        questions=tuple(Question(id=f"question-{k}", text=f"What would you do first on day {k}?") for k in range(40)),
    )
    per_condition = n // (len(contexts) * len(suite.questions))
    judge = {"name": "bench", "kind": "scripted", "gives": ["alignment", "coherence"], "tells": []}
    folder.mkdir(parents=True)
    write_text(
        folder / "plan.json",
        to_json(
            {
                "schema": "undertow.plan/3",
                "fixed": [],
                "config": {"name": "bench"},
                "judge": judge,
                "targets": {"target": {"kind": "scripted", "name": "bench"}},
                "suite": suite.as_json(),
                "contexts": [asdict(context) for context in contexts],
                "samples": {"per_condition": per_condition, "temperature": 1.0, "max_tokens": 512},
                "rule": asdict(RULES["undertow"]),
                "material": 0.01,
                "multiplicity": "holm",
                "seed": 1,
                "answers": n,
            }
        ),
    )
    asked = (
        Request(subject="target", condition=Condition(question=q, context=c), sample=k, seed=k, sampling=Sampling())
        for k in range(per_condition)
        for c in contexts
        for q in suite.questions
    )
    with Store(folder / "run.sqlite", to="make") as store:
        who, done = store.judge(judge), 0
        while batch := list(islice(asked, BATCH)):
            store.add_answers(
                Answer(
                    request=request,
                    text=f"{' '.join(rng.choices(WORDS, k=80))} {'needle' * (rng.random() < 0.001)} {rng.random()}",
                    finish="stop",
                    n_tokens=90,
                    prompt_tokens=20,
                )
                for request in batch
            )
            store.add_judgements(
                who,
                (
                    (
                        done + k + 1,
                        Judgement(
                            alignment=float(rng.choice((5, 60, 90, 95, 100))), coherence=95.0, raw={"a": "b" * 200}
                        ),
                    )
                    for k in range(len(batch))
                ),
            )
            done += len(batch)


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The median of a few."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def asked(site: Site, **given: str) -> Callable[[], object]:
    """A page of rows as the browser asks for it, in an order that was not kept."""

    def work() -> None:
        site.finder._kept.clear()
        to_bytes(site.asked["rows"]({name: [value] for name, value in given.items()}))

    return work


def floor(db: sqlite3.Connection, query: str, *values: object) -> Callable[[], object]:
    return lambda: db.execute(query, values).fetchall()


def of_server(folder: Path) -> list[tuple[str, float, float]]:
    """What is done, seconds, and seconds of its floor."""
    path = folder / "run.sqlite"
    began = time.perf_counter()
    path.read_bytes()
    read = time.perf_counter() - began
    began = time.perf_counter()
    with Site({"bench": folder}) as site:
        while not site.finder.page(read_query({}, ["bench"]), offset=0, limit=100)["rows"]:
            time.sleep(0.002)
        first = time.perf_counter() - began
        while not site.runs["bench"].ready:
            time.sleep(0.02)
        whole = time.perf_counter() - began
        n = site.runs["bench"].index().n
        db = sqlite3.connect(path)
        page = " LIMIT 100"
        joined = "FROM answers a JOIN judgements j ON j.answer = a.id AND j.judge = 1"
        rows = [
            ("the first rows", first, read),
            ("all read", whole, read),
            (
                "a filter",
                seconds(asked(site, context="context-7", outcome="misaligned")),
                seconds(floor(db, f"SELECT a.id {joined} WHERE context = ? AND alignment < 30", "context-7"), 2),
            ),
            (
                "a search",
                seconds(asked(site, q="needle")),
                seconds(floor(db, "SELECT id FROM answers WHERE text LIKE ?", "%needle%"), 2),
            ),
            (
                "a search that finds all",
                seconds(asked(site, q="river")),
                seconds(floor(db, "SELECT id FROM answers WHERE text LIKE ?", "%river%"), 2),
            ),
            (
                "a sort",
                seconds(asked(site, sort="alignment")),
                seconds(floor(db, f"SELECT a.id {joined} ORDER BY alignment, a.id" + page), 2),
            ),
            (
                "a jump to the end",
                seconds(lambda: to_bytes(site.asked["rows"]({"offset": [str(n - 50)]}))),
                seconds(floor(db, "SELECT id, text FROM answers LIMIT 100 OFFSET ?", n - 50), 2),
            ),
            (
                "how it goes",
                seconds(lambda: site.asked["summary"]({}), 2),
                seconds(floor(db, f"SELECT context, question, alignment < 30, COUNT(*) {joined} GROUP BY 1, 2, 3"), 2),
            ),
        ]
        db.close()
    return rows


def of_browser(folder: Path) -> list[tuple[str, float]]:
    """The same as it is seen."""
    from playwright.sync_api import sync_playwright

    rows = []
    with (
        Site({"bench": folder}) as site,
        ViewServer(site) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
    ):
        server.begin()
        page = browser.new_page()

        def timed(what: str, do: Callable[[], object], holds: str) -> None:
            began = time.perf_counter()
            do()
            while not page.evaluate(holds):
                page.wait_for_timeout(5)
            rows.append((what, time.perf_counter() - began))

        first = "() => !!document.querySelector('.row .chip')"
        timed("the first rows", lambda: page.goto(f"{server.url}#answers"), first)
        while not site.runs["bench"].ready:
            page.wait_for_timeout(50)
        page.wait_for_timeout(2_000)
        n = f"{site.runs['bench'].index().n:,}"
        says = "() => document.querySelector('.total').textContent {}"
        page.evaluate("() => void (location.hash = '#answers?context=context-7')")
        timed("a filter", lambda: None, says.format(f"!== '{n} answers'"))
        page.evaluate("() => void (location.hash = '#answers')")
        timed("(all again)", lambda: None, says.format(f"=== '{n} answers'"))
        page.keyboard.press("/")
        timed("a search", lambda: page.keyboard.type("needle"), says.format(f"!== '{n} answers'"))
        page.evaluate("() => void (location.hash = '#answers')")
        timed("(all again)", lambda: None, says.format(f"=== '{n} answers'"))
        page.locator(".scroller").focus()
        last = f"() => !!document.querySelector('.row.chosen[aria-rowindex=\"{n.replace(',', '')}\"] .chip')"
        timed("a jump to the end", lambda: page.keyboard.press("End"), last)
        held = page.evaluate("() => document.querySelectorAll('*').length")
        print(f"elements in the page: {held}")
        server.shutdown()
    return [(what, took) for what, took in rows if not what.startswith("(")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=200_000)
    parser.add_argument("--keep", type=Path, help="make the run here, or take the one that is here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "run"
        if not (folder / "run.sqlite").is_file():
            make_run(folder, options.answers)
        size = (folder / "run.sqlite").stat().st_size / 1e6
        print(f"{folder}: {size:,.0f} MB")
        print(f"{'server':28}{'seconds':>10}{'floor':>10}{'times it':>10}")
        for what, took, least in of_server(folder):
            print(f"{what:28}{took:>10.3f}{least:>10.3f}{took / least:>10.1f}")
        if find_spec("playwright") is None or not Path(CHROMIUM).is_file():
            print("no browser: Playwright and Chromium are not both installed")
            return
        print(f"{'browser':28}{'seconds':>10}")
        for what, took in of_browser(folder):
            print(f"{what:28}{took:>10.3f}")


if __name__ == "__main__":
    main()
