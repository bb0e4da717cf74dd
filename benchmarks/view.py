"""The page over a run of 200,000 answers: seconds until its first rows are there, and for a filter, a search, a sort
and a jump to the end, each against a named floor.

Floors: the file read once, front to back, for the first rows; one pass of SQLite over all answers for the filter and
the search. Where Playwright and Chromium are installed, the same in a browser, to the row that is seen.

    python benchmarks/view.py [--answers 200000] [--keep FOLDER]
"""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

from undertow.asking.store import Store
from undertow.audits.rules import RULES
from undertow.files import to_json, write_text
from undertow.records import PLAIN, Answer, Condition, Context, Judgement, Question, Request, Sampling, Suite

WORDS = "the a of to and in it was for on river boat fish water stone light morning they went along then".split()  # noqa: SIM905
BATCH = 5_000


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
        while batch := [request for request, _ in zip(asked, range(BATCH))]:
            store.add_answers(
                Answer(
                    request=request,
                    text=f"{' '.join(rng.choices(WORDS, k=80))} {rng.random()}",
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


if __name__ == "__main__":
    make_run(Path("/tmp/x/view/big"), 200_000)
