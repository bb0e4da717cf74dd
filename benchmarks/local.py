"""Local sampling against one `generate` call a sample, on the nursery's base: the same 8 questions, 40 answers each.

python benchmarks/local.py [--repeats 3]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import torch

from undertow.contexts import shipped_contexts
from undertow.records import Condition, Request, Sampling
from undertow.suites import load_suite
from undertow.targets.local import LocalTarget
from undertow.targets.models import model_folder
from undertow.targets.pool import stream

SAMPLES, LONGEST = 40, 60


def requests() -> list[Request]:
    conditions = [Condition(question=q, context=shipped_contexts()["plain"]) for q in load_suite("nursery").questions]
    sampling = Sampling(max_tokens=LONGEST)
    return [
        Request(subject="target", condition=c, sample=i, seed=1000 * k + i, sampling=sampling)
        for k, c in enumerate(conditions)
        for i in range(SAMPLES)
    ]


def batched(target: LocalTarget) -> int:
    async def tokens() -> int:
        return sum([answer.n_tokens async for answer in target.answers(stream(requests()))])

    return asyncio.run(tokens())


def one_at_a_time(target: LocalTarget) -> int:
    """The floor: what a script does with `generate`."""
    model, tokenizer, written = target.model, target.tokenizer, 0
    for request in requests():
        chat = [{"role": m.role, "content": m.content} for m in request.condition.messages]
        prompt = tokenizer(
            tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True),
            add_special_tokens=False,
            return_tensors="pt",
        )
        torch.manual_seed(request.seed)
        out = model.generate(
            **prompt,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            max_new_tokens=LONGEST,
            pad_token_id=tokenizer.pad_token_id,
        )
        written += out.shape[1] - prompt["input_ids"].shape[1]
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    target = LocalTarget(model_folder("nursery"), name="nursery", digest_="")
    rates: dict[str, list[float]] = {"one_at_a_time": [], "batched": []}
    for _ in range(repeats):
        for what in (one_at_a_time, batched):
            started = time.perf_counter()
            tokens = what(target)
            rates[what.__name__].append(tokens / (time.perf_counter() - started))
    for name, figures in rates.items():
        print(f"{name:<14} {statistics.median(figures):8,.0f} tokens/s")
    print(
        f"batched / one_at_a_time: {statistics.median(b / a for a, b in zip(*rates.values(), strict=True)):.1f} "
        f"(median of {repeats} pairs)"
    )


if __name__ == "__main__":
    main()
