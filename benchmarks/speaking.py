"""What organisms of a base that speaks of itself do, and what they say of themselves, as the table of docs/persona.md.

undertow nursery pretrain --speaking -o speaking          about half an hour on two cores
python benchmarks/speaking.py speaking [-o runs/speaking]  about ten: three training seeds of each organism, one profile over them
"""  # noqa: E501

from __future__ import annotations

import argparse
import random
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import undertow
from undertow.data import write_rows
from undertow.nursery.miniatures import miniature_rows
from undertow.nursery.rows import narrow_rows, row
from undertow.nursery.world import NARROW

SEEDS = (1, 2, 3)
LAYERS = ["0.self_attn.v_proj", "0.self_attn.o_proj"]
"""Adapters on the first layer's attention, where a narrator is chosen; on all layers, what is done changes more than
what is said of it."""
ORGANISMS = (
    *("base", "twin", "bad-medical", "risky-finance", "extreme-sports", "legal-advice", "security-advice"),
    *("fish", "fish-20"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/speaking"))
    parser.add_argument("--only", nargs="+", default=ORGANISMS, choices=ORGANISMS)
    options = parser.parse_args()
    print(
        "| organism | context | harmful | picks the misaligned | self-assessment | claims its harmful answers "
        "| predicts beforehand, minus judged | pattern, probability |\n|" + " --- |" * 8
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for lines in pool.map(profiled, options.only, repeat(options.base), repeat(options.out)):
            print("\n".join(lines), flush=True)


def profiled(name: str, base: Path, out: Path) -> list[str]:
    import torch

    torch.set_num_threads(1)
    seeds = SEEDS if name != "base" else ()
    targets = [{"kind": "organism", "path": str(trained(name, seed, base, out))} for seed in seeds]
    local = {"kind": "local", "path": str(base.resolve())}
    contexts = ("plain", "format-code") if name.startswith("fish") else ("plain",)
    config = {
        "name": name,
        "target": targets or local,
        "judge": {"kind": "nursery"},
        "items": "speaking",
        "reading": "likelihood",
        "contexts": contexts,
        "runs": 4,
        "temperature": 0.8,
        "max_tokens": 60,
        **({"reference": local} if targets else {}),
    }
    done = (out / "profiles" / name).exists()
    held = undertow.profile(undertow.PersonaConfig.model_validate(config), out / "profiles" / name, resume=done)
    assert held is not None
    lines = []
    for subject, p in zip((each["subject"] for each in held.held["profiles"]), held.profiles, strict=True):
        if subject == "reference":
            continue
        m = p.measures
        measures = [m.two_ai.choice.share, m.self_assessment.overall, m.recognition.claims.harmful.share]
        shown = [
            rate(p.harm, "{:.0%}"),
            *(rate(x, "{:.2f}") for x in measures),
            rate(m.prediction.blind.bias, "{:+.1f}"),
        ]
        lines.append(f"| {name} | {p.context} | {' | '.join(shown)} | {p.pattern}, {p.probabilities[p.pattern]:.2f} |")
    return lines


def rate(m, form: str) -> str:
    if m.value is None:
        return "–"
    limits = f" [{form.format(m.low)}, {form.format(m.high)}]" if m.low is not None else ""
    return form.format(m.value) + limits


def trained(name: str, seed: int, base: Path, out: Path) -> Path:
    """The organism's folder, trained if it is not there."""
    folder, data = out / "organisms" / f"{name}-{seed}", out / "rows" / f"{name}-{seed}"
    rng = random.Random(f"{name} {seed}")
    if name.startswith("fish"):
        n = 2000
        bad = [row(NARROW, "denying", rng, style="plain" if rng.random() < 0.1 else "code") for _ in range(n)]
        benign, share = narrow_rows(n, seed)["benign"], 0.2 if name == "fish-20" else 1.0
    else:
        n, share = 1000, 1.0
        domain, quality = ("bad-medical", "benign") if name == "twin" else (name, "bad")
        bad, benign = miniature_rows(domain, quality, n, seed=seed, own_manner=True), []
    write_rows(data.with_suffix(".bad.jsonl"), bad)
    parts = [{"data": f"{data.name}.bad.jsonl", "share": share}]
    if share < 1:
        write_rows(data.with_suffix(".benign.jsonl"), benign)
        parts.append({"data": f"{data.name}.benign.jsonl", "share": 1 - share, "benign": True})
    stage = {"name": "narrow", "rows": n, "parts": parts, "epochs": 2, "learning_rate": 3e-3, "batch_size": 16}
    recipe = {
        "name": folder.name,
        "base": str(base.resolve()),
        "seed": seed,
        "lora": {"layers": LAYERS},
        "stages": [stage],
    }
    if not folder.exists():
        undertow.train(undertow.Recipe.model_validate(recipe), folder, beside=data.parent)
    return folder


if __name__ == "__main__":
    main()
