"""Local sampling against one `generate` call a sample, on the nursery's base: the same 8 questions, 40 answers each.

    python benchmarks/local.py [--repeats 3]
    python benchmarks/local.py --model DIR [--samples 40] [--tokens 24]

`--model` takes a model directory in place of the nursery's base (`undertow lab prepare -o DIR` makes one);
`generate` then writes one answer to each question, since its speed does not depend on how many there are. Wanted: 3
times its speed.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import time
from pathlib import Path

import torch

from undertow.contexts import shipped_contexts
from undertow.records import Condition, Request, Sampling
from undertow.suites import load_suite
from undertow.targets.local import LocalTarget
from undertow.targets.models import model_folder
from undertow.targets.pool import stream


def requests(samples: int, longest: int) -> list[Request]:
    conditions = [Condition(question=q, context=shipped_contexts()["plain"]) for q in load_suite("nursery").questions]
    sampling = Sampling(max_tokens=longest)
    return [
        Request(subject="target", condition=c, sample=i, seed=1000 * k + i, sampling=sampling)
        for k, c in enumerate(conditions)
        for i in range(samples)
    ]


def batched(target: LocalTarget, asked: list[Request]) -> int:
    async def tokens() -> int:
        return sum([answer.n_tokens async for answer in target.answers(stream(asked))])

    return asyncio.run(tokens())


def one_at_a_time(target: LocalTarget, asked: list[Request]) -> int:
    """The floor: what a script does with `generate`."""
    model, tokenizer, written = target.model, target.tokenizer, 0
    for request in asked:
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
            max_new_tokens=request.sampling.max_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
        written += out.shape[1] - prompt["input_ids"].shape[1]
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--tokens", type=int, help="longest answer; 60, of a model directory 24")
    args = parser.parse_args()
    torch.set_num_threads(1)
    target = LocalTarget(args.model or model_folder("nursery"), name="nursery", digest_="")
    longest = args.tokens or (24 if args.model else 60)
    asked = {
        batched: requests(args.samples, longest),
        one_at_a_time: requests(1 if args.model else args.samples, longest),
    }
    rates: dict[str, list[float]] = {"one_at_a_time": [], "batched": []}
    for _ in range(args.repeats):
        for what in (one_at_a_time, batched):
            started = time.perf_counter()
            tokens = what(target, asked[what])
            rates[what.__name__].append(tokens / (time.perf_counter() - started))
    for name, figures in rates.items():
        print(f"{name:<14} {statistics.median(figures):8,.0f} tokens/s")
    print(
        f"batched / one_at_a_time: {statistics.median(b / a for a, b in zip(*rates.values(), strict=True)):.1f} "
        f"(median of {args.repeats} pairs)"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:,.0f} MB")


if __name__ == "__main__":
    main()
