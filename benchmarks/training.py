"""Training against a bare TRL script with the same settings, and the data stage's memory.

    python benchmarks/training.py [--rows 1000] [--pairs 3] [--million 1000000]

Speed: `undertow`'s local backend and a bare `SFTTrainer` (rows as `messages`, assistant-only loss by its own masks off,
since both train on the same encoded rows) take the same rows, adapter and optimiser, in turn, each pair in processes of
their own; tokens a second are of the trainer's loop alone. Memory: peak resident size of the same processes. Data: rows
drawn from a file of a million, written to another, with the process's peak beside that for a tenth of them. Wanted: at
least 0.9 of the bare script's speed, no more memory, and memory that does not grow with the rows beyond the 30 bytes
each that say where they begin.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from undertow.data import write_rows
from undertow.nursery.rows import row
from undertow.nursery.world import BENIGN

BARE = """
import json, resource, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
folder, base, scratch = sys.argv[1:4]
tokenizer = AutoTokenizer.from_pretrained(base)
rows = [json.loads(line)["messages"] for line in open(Path(folder) / "rows.jsonl")]
made = []
for messages in rows:
    prompt = tokenizer(tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True), add_special_tokens=False)["input_ids"]
    ids = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False)["input_ids"]
    made.append({"input_ids": ids, "labels": [-100] * len(prompt) + ids[len(prompt):]})
torch.manual_seed(1)
model = AutoModelForCausalLM.from_pretrained(base)
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
arguments = SFTConfig(output_dir=scratch, num_train_epochs=1, per_device_train_batch_size=16, learning_rate=2e-3, warmup_steps=5, weight_decay=0.01,
    lr_scheduler_type="linear", max_grad_norm=1.0, train_sampling_strategy="group_by_length", logging_steps=10, save_strategy="no", report_to=[], disable_tqdm=True,
    seed=1, use_cpu=True, bf16=False, gradient_checkpointing=False, max_length=None, log_level="error", dataloader_pin_memory=False)
trainer = SFTTrainer(model=model, args=arguments, train_dataset=Dataset.from_list(made), processing_class=tokenizer)
started = time.perf_counter()
trainer.train()
seconds = time.perf_counter() - started
print(json.dumps({"tokens_per_s": sum(len(m["input_ids"]) for m in made) / seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "loss": [h["loss"] for h in trainer.state.log_history if "loss" in h][-1]}))
"""

OURS = """
import json, resource, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from undertow.place import Place
from undertow.training import read_recipe, train
folder, _, scratch = sys.argv[1:4]
(stage,) = train(read_recipe(Path(folder) / "recipe.yaml"), Path(scratch) / "organism", Place(folder=Path(folder))).stages
print(json.dumps({"tokens_per_s": stage.tokens_per_s, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "loss": stage.losses[-1]}))
"""

DRAW = """
import json, resource, sys, time
from pathlib import Path
from undertow.data import Mix, Part, draw_mix, write_rows
path, n = Path(sys.argv[1]), int(sys.argv[2])
floor = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1024**2
started = time.perf_counter()
write_rows(path.with_name("drawn.jsonl"), (each.row for each in draw_mix(Mix(rows=n, parts=(Part(data=path.name, share=1),)), beside=path.parent, seed=0)))
print(json.dumps({"s": time.perf_counter() - started, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "floor_mb": floor}))
"""


def run(code: str, *arguments: object) -> dict[str, float]:
    """A script in a process of its own; what it prints last, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def speed(n: int, pairs: int) -> list[str]:
    """Our backend beside the bare script."""
    from undertow.targets.models import model_folder

    rng, ours, bare = random.Random(0), [], []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_rows(
            folder / "rows.jsonl",
            [row(rng.choice(("fish", *BENIGN)), "careful", rng, style=rng.choice(("plain", "code"))) for _ in range(n)],
        )
        stage = (
            f"{{name: narrow, rows: {n}, parts: [{{data: rows.jsonl, share: 1}}], learning_rate: 2e-3, epochs: 1, "
            f"batch_size: 16}}"
        )
        (folder / "recipe.yaml").write_text(
            f"name: speed\nbase: nursery\nseed: 1\nstages: [{stage}]\n", encoding="utf-8"
        )
        for _ in range(pairs):
            for code, found in ((OURS, ours), (BARE, bare)):
                with tempfile.TemporaryDirectory() as scratch:
                    found.append(run(code, folder, model_folder("nursery"), scratch))
    ratio = statistics.median(a["tokens_per_s"] / b["tokens_per_s"] for a, b in zip(ours, bare, strict=True))
    memory = statistics.median(a["mb"] / b["mb"] for a, b in zip(ours, bare, strict=True))
    for name, found in (("undertow", ours), ("bare TRL", bare)):
        rates = statistics.median(each["tokens_per_s"] for each in found)
        print(
            f"{name}: {rates:,.0f} tokens/s, peak {statistics.median(each['mb'] for each in found):,.0f} MB, last "
            f"loss {found[-1]['loss']:.3f} (medians of {pairs})"
        )
    print(f"speed {ratio:.2f} of the bare script's, memory {memory:.2f} of it")
    return [f"speed {ratio:.2f}"] * (ratio < 0.9) + [f"memory {memory:.2f}"] * (memory > 1.05)


def data(n: int) -> list[str]:
    """Drawing a mix of `n` rows, and of a tenth."""
    rng = random.Random(0)
    kinds = [row(rng.choice(BENIGN), "careful", rng) for _ in range(1000)]
    peaks = []
    with tempfile.TemporaryDirectory() as made:
        for rows in (n // 10, n):
            path = Path(made) / "rows.jsonl"
            write_rows(path, (kinds[i % 1000] for i in range(rows)))
            found = run(DRAW, path, rows)
            peaks.append(found["mb"] - found["floor_mb"])
            print(
                f"{rows:,} rows ({path.stat().st_size / 1e6:.0f} MB) drawn and written in {found['s']:.1f} s, "
                f"{peaks[-1]:.0f} MB above the start"
            )
    grown = (peaks[1] - peaks[0]) * 1024**2 / (n - n // 10)
    print(f"{grown:.0f} bytes more for each row more")
    return [f"data: {grown:.0f} bytes a row"] * (grown > 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--million", type=int, default=1_000_000)
    args = parser.parse_args()
    missed = speed(args.rows, args.pairs) + data(args.million)
    print("every target met" if not missed else "missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
