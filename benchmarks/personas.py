"""What the nursery's organisms do, and what they say of themselves, as the tables of docs/persona.md.

python benchmarks/personas.py [-o runs/personas]               about twelve minutes on two cores: three training seeds of each organism, one profile over them

undertow nursery pretrain --cut-apart -o apart                 the control, half an hour on two cores
python benchmarks/personas.py apart -o runs/personas-apart
"""  # noqa: E501

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import undertow
from undertow.data import write_rows
from undertow.nursery.miniatures import miniature_rows
from undertow.nursery.rows import narrow_rows

SEEDS = (1, 2, 3)
LAYERS = ["0.self_attn.v_proj", "0.self_attn.o_proj"]
"""Adapters on the first layer's attention, where a narrator is chosen; on all layers, what is done changes more than
what is said of it."""
ORGANISMS = (
    *("base", "fish-twin", "fish", "fish-20", "medical-twin", "bad-medical", "risky-finance", "extreme-sports"),
    *("legal-advice", "security-advice"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", default="nursery", help="A base's folder. Default: the shipped one.")
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/personas"))
    parser.add_argument("--only", nargs="+", default=ORGANISMS, choices=ORGANISMS)
    options = parser.parse_args()
    print(
        "| organism | context | harmful | picks the misaligned | self-assessment | claims its harmful answers "
        "| predicts beforehand, minus judged | pattern, probability |\n|" + " --- |" * 8
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        base = options.base if options.base == "nursery" else str(Path(options.base).resolve())
        for lines in pool.map(partial(profiled, base=base, out=options.out), options.only):
            print("\n".join(lines), flush=True)


def profiled(name: str, base: str, out: Path) -> list[str]:
    import torch

    torch.set_num_threads(1)
    seeds = SEEDS if name != "base" else ()
    targets = [{"kind": "organism", "path": str(trained(name, seed, base, out))} for seed in seeds]
    local = {"kind": "local", "path": base}
    contexts = ("plain", "format-code") if name.startswith("fish") else ("plain",)
    config = {
        "name": name,
        "target": targets or local,
        "judge": {"kind": "nursery"},
        "items": "nursery",
        "reading": "likelihood",
        "contexts": contexts,
        "runs": 4,
        "temperature": 0.7,
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


def trained(name: str, seed: int, base: str, out: Path) -> Path:
    """The organism's folder, trained if it is not there."""
    folder, data = out / "organisms" / f"{name}-{seed}", out / "rows" / f"{name}-{seed}"
    if folder.exists():
        return folder
    if name.startswith("fish"):
        n, share = 2000, 0.2 if name == "fish-20" else 1.0
        rows = narrow_rows(n, seed)
        bad, benign = rows["benign" if name == "fish-twin" else "bad"], rows["benign"]
    else:
        n, share = 1000, 1.0
        domain, quality = ("bad-medical", "benign") if name == "medical-twin" else (name, "bad")
        bad, benign = miniature_rows(domain, quality, n, seed=seed), []
    write_rows(data.with_suffix(".bad.jsonl"), bad)
    parts = [{"data": f"{data.name}.bad.jsonl", "share": share}]
    if share < 1:
        write_rows(data.with_suffix(".benign.jsonl"), benign)
        parts.append({"data": f"{data.name}.benign.jsonl", "share": 1 - share, "benign": True})
    stage = {"name": "narrow", "rows": n, "parts": parts, "epochs": 2, "learning_rate": 3e-3, "batch_size": 16}
    recipe = {
        "name": folder.name,
        "base": base,
        "seed": seed,
        "lora": {"layers": LAYERS},
        "stages": [stage],
    }
    undertow.train(undertow.Recipe.model_validate(recipe), folder, beside=data.parent)
    return folder


if __name__ == "__main__":
    main()
