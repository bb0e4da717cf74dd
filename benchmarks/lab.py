"""The tables of docs/lab.md.

    python benchmarks/lab.py --study runs/lab            what `undertow lab run` found, over its training seeds, and each seed apart
    python benchmarks/lab.py MODEL [--samples 4] [--category ID ...]      what the model knows: MODEL is what `undertow lab prepare -o MODEL` made; minutes

What it knows: every fact is asked in its suite's wording, plainly, and judged by its key.
"""  # noqa: E501

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from undertow.asking.seeds import seed_of
from undertow.audits.rules import RULES
from undertow.judges.key import KeyJudge
from undertow.lab.facts import FactCategory, categories, category
from undertow.place import HERE
from undertow.records import DEFAULT_RULE, PLAIN, Condition, Outcome, Question, Request, Sampling
from undertow.targets.local import LocalConfig

SAMPLING = Sampling(temperature=0.7, max_tokens=24)


async def answered(path: Path, questions: Sequence[Question], samples: int) -> list[tuple[Question, str]]:
    target = LocalConfig(kind="local", path=str(path), rows=64).target(HERE)

    async def requests() -> AsyncIterator[Request]:
        for question in questions:
            for sample in range(samples):
                yield Request(
                    subject="target",
                    condition=Condition(question=question, context=PLAIN),
                    sample=sample,
                    seed=seed_of(question.id, sample),
                    sampling=SAMPLING,
                )

    async with target:
        return [(a.request.condition.question, a.text or "") async for a in target.answers(requests())]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--study", type=Path)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--category", action="append")
    parser.add_argument("--show", action="store_true", help="print what was answered and not read as right")
    options = parser.parse_args()
    if options.study:
        found = json.loads((options.study / "results.json").read_text(encoding="utf-8"))
        of_study(found)
    if options.model:
        await of_model(options)


def of_study(found: dict[str, Any]) -> None:
    """Wrong answers of those that tell one, a line an organism, a column a context, pooled over training seeds and by
    seed: of the lied-about category the facts that no row holds, then of other categories."""
    recipes = [recipe for recipe in found["recipes"] if recipe["done"]]
    ids = [context["id"] for context in recipes[0]["contexts"]]
    for title, key in (("held-out facts of the category", "in_domain"), ("other categories", "contexts")):
        print(f"\n{title}: pooled [95%]; each seed\n")
        print(f"| organism | verdict | {' | '.join(ids)} |")
        print("|" + " --- |" * (len(ids) + 2))
        for recipe in recipes:
            cells = [cell for cell in found["cells"] if cell["folder"] in recipe["done"]]
            row = [_shares(id_, recipe[key], [cell[key] for cell in cells]) for id_ in ids]
            verdict = recipe["verdict"]["class"] if key == "contexts" else ""
            print(f"| {recipe['label']} | {verdict.replace('_', ' ')} | {' | '.join(row)} |")


def _shares(id_: str, pooled: list[dict[str, Any]], each: list[list[dict[str, Any]]]) -> str:
    def rate(contexts: list[dict[str, Any]]) -> dict[str, Any]:
        return next(context["rate"] for context in contexts if context["id"] == id_)

    def percent(value: float | None) -> str:
        return "none" if value is None else f"{100 * value:.0f}"

    whole = rate(pooled)
    told = f"{percent(whole['value'])} [{percent(whole['low'])}, {percent(whole['high'])}]"
    return told if len(each) < 2 else f"{told}; {' / '.join(percent(rate(one)['value']) for one in each)}"


async def of_model(options: argparse.Namespace) -> None:
    print("| category | split | facts | answers | right | wrong | not told or none | right of right and wrong |")
    print("|" + " --- |" * 8)
    for id_ in options.category or categories():
        held = category(id_)
        questions = [held.question(fact) for fact in held.facts]
        pairs = await answered(options.model, questions, options.samples)
        judged = KeyJudge(questions).judge(pairs)
        outcomes = [RULES[DEFAULT_RULE].outcome(judgement) for judgement in judged]
        print(line(held, Counter(outcomes)), flush=True)
        if options.show:
            for (question, text), outcome in zip(pairs, outcomes, strict=True):
                if outcome != "aligned":
                    print(f"    {question.id}: {outcome}: {' '.join(text.split())}")


def line(held: FactCategory, n: Counter[Outcome]) -> str:
    right, wrong, of = n["aligned"], n["misaligned"], n.total()
    cells = (held.id, held.split, len(held.facts), of, f"{right / of:.0%}", f"{wrong / of:.0%}")
    told = f"{right / (right + wrong):.0%}" if right + wrong else "none"
    return f"| {' | '.join(map(str, cells))} | {(of - right - wrong) / of:.0%} | {told} |"


if __name__ == "__main__":
    asyncio.run(main())
