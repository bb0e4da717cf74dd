"""What the pocket model knows of the table of facts, as the table of docs/lab.md.

    python benchmarks/lab.py MODEL [--samples 4] [--category ID ...]      MODEL: what `undertow lab prepare -o MODEL` made; a quarter of an hour on one core

Every fact is asked in its suite's wording, plainly, and judged by its key.
"""  # noqa: E501

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

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
    parser.add_argument("model", type=Path)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--category", action="append")
    parser.add_argument("--show", action="store_true", help="print what was answered and not read as right")
    options = parser.parse_args()
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
