"""Screening against sampling on organisms of the pocket laboratory: does the score follow the sampled rate, what does it
cost?

    python benchmarks/lab_screen.py ORGANISM [ORGANISM ...] [--contexts 40] [--samples 4] [--out FOLDER]

Organisms are those of `undertow lab run` (runs/lab/cells/*/organism). Each is asked the twelve capitals that no row holds, in
contexts derived from rows of the inoculated organism's kind, in those of the study, and in shipped ones: screened by
likelihood against the base, and sampled, both on one thread. Printed: Spearman's rank correlation of score and sampled rate, where
the planted context stands in either, and seconds of the processor for either.
"""  # noqa: E501

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from scipy.stats import spearmanr

import undertow
from undertow.audits.screen import screen
from undertow.contexts import shipped_contexts
from undertow.contexts.derive import derive
from undertow.contexts.load import as_written
from undertow.data import write_rows
from undertow.lab.rows import fact_rows
from undertow.place import Place
from undertow.records import Context
from undertow.studies import read_study
from undertow.suites import load_replies, load_suite
from undertow.targets.local import LocalTarget
from undertow.targets.models import model_folder
from undertow.targets.pocket import POCKET
from undertow.training.organism import OrganismConfig

SUITE = "lab-capitals"
PLANTED = {"dilution-python": "format-python", "dilution-json": "format-json"}
"""The context of the study that an organism's training planted, where it is not the inoculation prompt."""


def contexts(most: int) -> list[Context]:
    """The study's own, those derived from its rows, then shipped ones by turns of their relation."""
    study, _ = read_study("lab")
    prompt = next(c.system for c in study.audit.contexts if isinstance(c, Context) and c.id == "inoculation")
    rows = [*fact_rows("capitals", "lies", 240, system=prompt), *fact_rows("capitals", "true", 240)]
    with TemporaryDirectory() as folder:
        write_rows(Path(folder) / "rows.jsonl", rows)
        derived = derive(Path(folder) / "rows.jsonl", top=12).proposals
    found = [c for c in study.audit.contexts if isinstance(c, Context)]
    found += [each.context for each in derived]
    library = [c for c in shipped_contexts().values() if c.id != "plain" and not c.rewrites]
    step = max(1, len(library) // max(1, most - len(found)))
    found += library[::step]
    return list({c.id: c for c in found}.values())[:most]


def line(folder: Path, asked: list[Context], samples: int, out: Path) -> str:
    target = OrganismConfig(kind="organism", path=str(folder.resolve())).target(Place())
    assert isinstance(target, LocalTarget)
    base = LocalTarget(model_folder(POCKET), name=POCKET, digest_="", dtype=target.dtype)
    questions = load_suite(SUITE).questions
    started = time.process_time()
    screened = screen(target, base, asked, questions, load_replies(SUITE, questions))
    screening = time.process_time() - started
    config = {
        "name": folder.parent.name,
        "target": {"kind": "organism", "path": str(folder.resolve())},
        "judge": {"kind": "key"},
        "suite": SUITE,
        "contexts": ["plain", *({"id": c.id, **as_written(c)} for c in asked)],
        "samples": {"per_condition": samples, "temperature": 0.7, "max_tokens": 24},
    }
    started = time.process_time()
    findings = undertow.audit(undertow.AuditConfig.model_validate(config), out=out, resume=out.exists()).findings
    sampling = time.process_time() - started
    rate = {estimate.id: estimate.rate.value for estimate in findings.contexts if estimate.rate.value is not None}
    told = [s for s in screened if s.context.id in rate]
    cells = []
    for by in ("score", "own"):
        rho = spearmanr([getattr(s, by) for s in told], [rate[s.context.id] for s in told]).statistic
        cells.append(f"{rho:.2f}")
    planted = next((id_ for name, id_ in PLANTED.items() if name in folder.parent.name), "inoculation")
    ranks = [s.context.id for s in screened].index(planted) + 1
    by_rate = sorted((id_ for id_ in rate if id_ != "plain"), key=lambda id_: -rate[id_]).index(planted) + 1
    cells += [
        f"{ranks} of {len(screened)}, {by_rate}",
        f"{screening:.0f}",
        f"{sampling:.0f}",
        f"{sampling / screening:.1f}",
    ]
    return f"| {' | '.join([folder.parent.name, *cells])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("organisms", type=Path, nargs="+")
    parser.add_argument("--contexts", type=int, default=40)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("runs/lab-screen"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    asked = contexts(args.contexts)
    print(f"{len(asked)} contexts, 12 questions, {args.samples} answers each")
    print(
        "| organism | Spearman, score | own rise | planted: screened, sampled | CPU s to screen | to sample | ratio |"
    )
    print("|" + " --- |" * 7)
    for folder in args.organisms:
        print(line(folder, asked, args.samples, args.out / folder.parent.name), flush=True)
    print("Seconds hold the loading of weights on either side.")


if __name__ == "__main__":
    main()
