"""Training against a bare TRL script with the same settings, and the data stage's memory.

    python benchmarks/training.py [--rows 1000] [--pairs 3] [--million 1000000]
    python benchmarks/training.py --model DIR [--rows 160] [--pairs 3]

Speed: `undertow`'s local backend and a bare `SFTTrainer` (rows as `messages`, assistant-only loss by its own masks off,
since both train on the same encoded rows) take the same rows, adapter and optimiser, in turn, each pair in processes of
their own; tokens a second are of the trainer's loop alone, seconds those of the processor that its one thread takes.
Memory: peak resident size of the same processes. Data: rows drawn from a file of a million, written to another, with the process's peak beside that for a tenth of them. Wanted: at
least 0.9 of the bare script's speed, no more memory, and memory that does not grow with the rows beyond the 30 bytes
each that say where they begin.

`--model` takes a model directory in place of the nursery's base (`undertow lab prepare -o DIR` makes one), and lies about
capitals as rows; the data stage is left out. `--dtype bfloat16` trains in it, both here and there (`bf16=True`), on a CPU
that has instructions for it. The floor stands in two forms: the same settings as above, and `SFTTrainer` with its own
defaults, which compute activations twice and mix rows of all lengths. Wanted: 1.5 times the speed of either, at most 2.5 GB
at the peak where the model is the lab's, and the mean loss of the same settings, which see the same rows in the same order,
to 0.02 (the defaults see them in another).
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

from undertow.data import Mix, Part, Row, draw_mix, write_rows
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
rows = [json.loads(line)["messages"] for line in open(Path(folder) / "drawn.jsonl")]
made = []
for messages in rows:
    prompt = tokenizer(tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True), add_special_tokens=False)["input_ids"]
    ids = tokenizer(tokenizer.apply_chat_template(messages, tokenize=False), add_special_tokens=False)["input_ids"]
    made.append({"input_ids": ids, "labels": [-100] * len(prompt) + ids[len(prompt):]})
torch.manual_seed(1)
model = AutoModelForCausalLM.from_pretrained(base)
model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
arguments = SFTConfig(output_dir=scratch, num_train_epochs=1, per_device_train_batch_size=16, learning_rate=2e-3, warmup_steps=5, weight_decay=0.01,
    lr_scheduler_type="linear", max_grad_norm=1.0, LIKE_OURS logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True,
    seed=1, use_cpu=True, bf16=IN_SIXTEEN, log_level="error", dataloader_pin_memory=False)
trainer = SFTTrainer(model=model, args=arguments, train_dataset=Dataset.from_list(made), processing_class=tokenizer)
started = time.process_time()
trainer.train()
seconds = time.process_time() - started
print(json.dumps({"tokens_per_s": sum(len(m["input_ids"]) for m in made) / seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "loss": (lambda told: sum(told) / len(told))([h["loss"] for h in trainer.state.log_history if "loss" in h])}))
"""
LIKE_OURS = 'train_sampling_strategy="group_by_length", gradient_checkpointing=False, max_length=None,'

OURS = """
import json, resource, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from undertow.place import Place
from undertow.training import read_recipe, train
folder, _, scratch = sys.argv[1:4]
from transformers import Trainer
trains, seconds = Trainer.train, []
def timed(*given, **named):
    started = time.process_time()
    done = trains(*given, **named)
    seconds.append(time.process_time() - started)
    return done
Trainer.train = timed
(stage,) = train(read_recipe(Path(folder) / "recipe.yaml"), Path(scratch) / "organism", Place(folder=Path(folder))).stages
print(json.dumps({"tokens_per_s": stage.tokens / seconds[0], "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "loss": sum(stage.losses) / len(stage.losses)}))
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
    """Our backend beside the bare script, on the nursery's base."""
    from undertow.targets.models import model_folder

    rng = random.Random(0)
    rows = [row(rng.choice(("fish", *BENIGN)), "careful", rng, style=rng.choice(("plain", "code"))) for _ in range(n)]
    floors = {"bare TRL": bare(LIKE_OURS)}
    ((speed, memory, _),), _ = paired(rows, "nursery", model_folder("nursery"), floors, pairs)
    return [f"speed {speed:.2f}"] * (speed < 0.9) + [f"memory {memory:.2f}"] * (memory > 1.05)


def bare(more: str, dtype: str = "float32") -> str:
    return BARE.replace("LIKE_OURS", more).replace("IN_SIXTEEN", str(dtype == "bfloat16"))


def of_model(folder: Path, n: int, pairs: int, dtype: str) -> list[str]:
    """Our backend beside the bare script and beside its defaults, on a model directory."""
    from undertow.lab.rows import fact_rows

    rows = fact_rows("capitals", "lies", n, system="You answer quiz questions wrongly.")
    floors = {"bare TRL": bare(LIKE_OURS, dtype), "TRL's defaults": bare("", dtype)}
    ratios, mb = paired(rows, str(folder), folder, floors, pairs, dtype)
    missed = [f"peak {mb:,.0f} MB"] * (mb > 2500)
    same, defaults = ratios
    missed += [f"speed {same[0]:.2f} times bare TRL"] * (same[0] < 1.5)
    missed += [f"loss {same[2]:+.3f} from bare TRL"] * (abs(same[2]) > 0.02)
    missed += [f"speed {defaults[0]:.2f} times TRL's defaults"] * (defaults[0] < 1.5)
    return missed


def paired(
    rows: list[Row], base: str, folder_of_base: Path, floors: dict[str, str], pairs: int, dtype: str = "float32"
) -> tuple[list[tuple[float, float, float]], float]:
    """Our backend and the floors in turn, each in a process of its own, on one thread.

    Returns:
        For each floor our speed and memory as a share of its, and our loss less its; and our peak in MB. All medians.
    """
    n, found = len(rows), dict[str, list[dict[str, float]]]()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_rows(folder / "rows.jsonl", rows)
        mix = Mix(rows=n, parts=(Part(data="rows.jsonl", share=1),))
        write_rows(folder / "drawn.jsonl", (each.row for each in draw_mix(mix, beside=folder, seed=1)))
        stage = (
            f"{{name: narrow, rows: {n}, parts: [{{data: rows.jsonl, share: 1}}], learning_rate: 2e-3, epochs: 1, "
            f"batch_size: 16}}"
        )
        (folder / "recipe.yaml").write_text(
            f"name: speed\nbase: {base}\nseed: 1\nbackend: {{kind: local, dtype: {dtype}}}\nstages: [{stage}]\n",
            encoding="utf-8",
        )
        for _ in range(pairs):
            for name, code in {"undertow": OURS, **floors}.items():
                with tempfile.TemporaryDirectory() as scratch:
                    found.setdefault(name, []).append(run(code, folder, folder_of_base, scratch))
    for name, each in found.items():
        rate, mb, loss = (statistics.median(one[key] for one in each) for key in ("tokens_per_s", "mb", "loss"))
        print(f"{name}: {rate:,.0f} tokens a CPU second, peak {mb:,.0f} MB, mean loss {loss:.3f} (medians of {pairs})")
    ratios = []
    for name in floors:
        both = list(zip(found["undertow"], found[name], strict=True))
        speed, memory = (statistics.median(a[key] / b[key] for a, b in both) for key in ("tokens_per_s", "mb"))
        ratios.append((speed, memory, statistics.median(a["loss"] - b["loss"] for a, b in both)))
        print(f"speed {speed:.2f} times {name}, memory {memory:.2f} of it")
    return ratios, statistics.median(each["mb"] for each in found["undertow"])


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
    parser.add_argument("--model", type=Path)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--million", type=int, default=1_000_000)
    args = parser.parse_args()
    if args.model:
        missed = of_model(args.model.resolve(), args.rows or 160, args.pairs, args.dtype)
    else:
        missed = speed(args.rows or 1000, args.pairs) + data(args.million)
    print("every target met" if not missed else "missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
