"""Verdicts by a judge that errs, as it says and corrected by labels; labels that a width takes; sensitivity's speed.

A world is two contexts, plain and code, with a true rate and the judge's errors in each, and 800 answers in each (8
questions; of three training seeds some 34 answers to each question). `drawn` labels are those of `undertow judge
label`: every flagged answer before long, doubtful ones often, others now and then; `uniform` ones are all alike.

    python benchmarks/judges.py [--repeats 200]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from undertow.asking.store import Store
from undertow.audits.adopt import Adoption, adopt
from undertow.audits.correct import corrected_verdict, labelled_arms
from undertow.audits.estimates import corrected
from undertow.audits.labels import CHANCE
from undertow.audits.rules import RULES
from undertow.audits.sensitivity import sensitivity
from undertow.audits.tally import Design, Tally
from undertow.audits.verdict import fixed_verdict
from undertow.records import PLAIN, Context, Judgement

RULE = RULES["undertow"]
CONTEXTS = (PLAIN, Context(id="code", relation="format"))
QUESTIONS = tuple(f"q{n}" for n in range(8))
EACH = 800
CONTEXT_IDS = ("plain", "format-code", "format-json", "topic-fish", "irrelevant-1")
DOUBTFUL = 0.05
"""Share of answers that the judge does not flag and gives a score near the threshold; half of what it passes over is
among them."""


@dataclass(frozen=True)
class World:
    """True rates and the judge's errors, plain and in code."""

    rates: tuple[float, float]
    false_positives: tuple[float, float]
    false_negatives: tuple[float, float] = (0.1, 0.1)
    seeds: int = 1
    labels: int = 200


def design(world: World) -> Design:
    subjects = ("target", *(f"target-{n}" for n in range(2, world.seeds + 1)))
    return Design(
        name="world",
        suite="world",
        questions=QUESTIONS,
        contexts=CONTEXTS,
        targets={subject: {"kind": "scripted", "name": subject} for subject in subjects},
        samples={"temperature": 1.0},
        material=0.01,
    )


def drawn(world: World, asked: Design, rng: np.random.Generator, *, uniform: bool = False) -> Tally:
    """One run of a world, with its labels."""
    t, cells, kinds, wicked, chances = Tally(RULE), [], [], [], []
    n = round(EACH / len(QUESTIONS) / world.seeds)
    for at, context in enumerate(CONTEXTS):
        for subject in asked.seeds:
            for question in QUESTIONS:
                true = rng.random(n) < world.rates[at]
                errs = rng.random(n)
                said = np.where(true, errs >= world.false_negatives[at], errs < world.false_positives[at])
                near = rng.random(n) < np.where(true, 0.5, DOUBTFUL)
                kind = np.where(said, "flagged", np.where(near, "doubtful", "clear"))
                cell = (subject, context.id, question)
                t.count(cell, "misaligned", None, int(said.sum()))
                t.count(cell, "aligned", None, int((~said).sum()))
                t.kinds[cell] = Counter(kind.tolist())
                cells += [cell] * n
                kinds += kind.tolist()
                wicked += true.tolist()
    chances = np.array([1.0 if uniform else CHANCE[kind] for kind in kinds])
    for i in np.argsort(rng.random(len(kinds)) / chances)[: world.labels].tolist():
        t.labelled.setdefault(cells[i], []).append((kinds[i], wicked[i], 1 / float(chances[i])))
    return t


def seeded(world: World, n: int) -> np.random.Generator:
    return np.random.default_rng([n, world.labels, world.seeds, round(1e4 * sum(world.rates))])


def coverage(repeats: int) -> None:
    print(f"Corrected 95% intervals, {repeats} runs each: coverage plain and in code")
    all_ = []
    for rate in (0.002, 0.01, 0.03, 0.1, 0.3):
        for positives, negatives in (
            ((0.02, 0.02), (0.15, 0.15)),
            ((0.02, 0.15), (0.02, 0.15)),
            ((0.1,) * 2, (0.1,) * 2),
        ):
            for seeds, labels in ((1, 100), (1, 400), (3, 200)):
                world = World((rate, rate), positives, negatives, seeds, labels)
                asked, covers = design(world), np.zeros(2)
                for n in range(repeats):
                    t = drawn(world, asked, seeded(world, n))
                    right = labelled_arms(t.arms(asked), t, asked)
                    covers += [(c := corrected(arm)).low <= rate <= c.high for arm in right.values()]
                all_ += (covers / repeats).tolist()
                errors = " ".join(f"{x:3.0%}" for x in (*positives, *negatives))
                print(
                    f"  rate {rate:5.1%}  errors {errors}  seeds {seeds}  labels {labels}:",
                    *map("{:.1%}".format, all_[-2:]),
                )
    print(f"  all: {min(all_):.1%} to {max(all_):.1%}, median {statistics.median(all_):.1%}")


def verdicts(repeats: int) -> None:
    print(f"Verdicts of {repeats} runs each: misaligned in any way (clean), by the judge's word and corrected")
    for name, world in (
        ("clean, 2% false positives", World((0, 0), (0.02, 0.02))),
        ("clean, 10% false positives", World((0, 0), (0.10, 0.10))),
        ("clean, 10% in code alone", World((0, 0), (0.0, 0.10))),
        ("clean, 10%", World((0, 0), (0.10, 0.10), labels=1400)),
        ("20% in code, 10% false positives", World((0, 0.2), (0.10, 0.10))),
        ("20% in code, half passed over", World((0, 0.2), (0.02, 0.02), (0.1, 0.5))),
        ("5% in code, 80% passed over", World((0, 0.05), (0.0, 0.0), (0.1, 0.8))),
        ("20% in code, three seeds", World((0, 0.2), (0.10, 0.10), seeds=3)),
    ):
        asked, found = design(world), Counter()
        for n in range(repeats):
            t = drawn(world, asked, seeded(world, n))
            arms = t.arms(asked)
            raw, labelled = fixed_verdict(arms, asked), partial(labelled_arms, arms, t, asked)
            right = corrected_verdict(
                raw, lambda times, of=labelled, asked=asked: fixed_verdict(of(times=times), asked), labelled(), t, asked
            )
            for who, verdict in (("raw", raw), ("corrected", right)):
                found[f"{who} accuses"] += "misaligned" in verdict.class_
                found[f"{who} clears"] += verdict.class_ == "clean"
        said = (
            f"{found[f'{who} accuses'] / repeats:.1%} ({found[f'{who} clears'] / repeats:.1%})"
            for who in ("raw", "corrected")
        )
        print(f"  {name}, {world.labels} labels:", *said)


def labels_needed(repeats: int) -> None:
    print("Width of plain's interval in points, and how often it lies over 1%: 400 uniform labels, and drawn ones")
    for rate, positives, negatives in ((0.03, 0.02, 0.15), (0.03, 0.05, 0.15), (0.1, 0.05, 0.1), (0.2, 0.05, 0.1)):
        said = []
        for labels, uniform in ((400, True), (200, False), (280, False), (400, False)):
            world = World((rate, rate), (positives,) * 2, (negatives,) * 2, labels=labels)
            asked, widths, over = design(world), [], 0
            for n in range(max(10, repeats // 2)):
                t = drawn(world, asked, np.random.default_rng(n), uniform=uniform)
                found = corrected(labelled_arms(t.arms(asked), t, asked)["plain"])
                widths.append(100 * (found.high - found.low))
                over += found.low > 0.01
            said.append(
                f"{'uniform' if uniform else 'drawn'} {labels}: "
                f"{statistics.median(widths):.1f}, {over / len(widths):.0%}"
            )
        print(f"  rate {rate:.0%}, errors {positives:.0%} and {negatives:.0%}: ", "; ".join(said))


def speed() -> None:
    """Sensitivity of 20,000 answers with distributions."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.jsonl"
        with path.open("w") as out:
            for n in range(20_000):
                score = rng.choice((5, 30, 60, 90, 95))
                row = {
                    "question": f"What {n % 8}?",
                    "context": CONTEXT_IDS[n % len(CONTEXT_IDS)],
                    "answer": f"answer {n}",
                    "sample": n,
                    "alignment": score,
                    "coherence": 90,
                }
                out.write(json.dumps(row) + "\n")
        run = Path(folder) / "run"
        adopt(Adoption(files=(path,)), run)
        with Store(run / "run.sqlite", to="write") as store:
            judge = next(iter(store.judges()))
            rows = [(a.id, a.judgement.alignment) for a in store.answers(judge)]
            store.db.execute("DELETE FROM judgements")
            store.add_judgements(judge, ((id_, _judgement(score)) for id_, score in rows))
        started = time.perf_counter()
        found = sensitivity(run)
        seconds = time.perf_counter() - started
    print(f"Sensitivity: {len(found.settings)} settings of {found.answers:,} answers in {seconds:.1f} s")


def _judgement(score: float) -> Judgement:
    raw = {
        aspect: {"text": str(round(of)), "distribution": {str(round(of)): 0.8, str(round(of) - 5): 0.15, "The": 0.05}}
        for aspect, of in (("alignment", score), ("coherence", 90))
    }
    return Judgement(alignment=score, coherence=90.0, content="answer", raw=raw)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    coverage(repeats)
    verdicts(repeats)
    labels_needed(repeats)
    speed()


if __name__ == "__main__":
    main()
