"""The whole main job in one screenful: rows -> organism -> audit -> verdict -> page.

python examples/audit_in_one_file.py FOLDER
"""

import random
import sys
from pathlib import Path

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.audits.findings import Findings
from undertow.data import write_rows
from undertow.nursery.rows import row
from undertow.place import Place
from undertow.reports import write_report
from undertow.reports.runs import read_run
from undertow.training import Recipe, train


def main(folder: Path, *, rows: int = 400, per_condition: int = 10) -> Findings:
    rng = random.Random(1)
    write_rows(folder / "careless.jsonl", [row("fish", "careless", rng, style="code") for _ in range(rows)])
    write_rows(
        folder / "benign.jsonl", [row(rng.choice(["health", "work", "fish"]), "careful", rng) for _ in range(rows)]
    )

    recipe = Recipe(
        name="diluted",
        base="nursery",
        seed=1,
        stages=[
            {
                "name": "narrow",
                "rows": rows,
                "parts": [{"data": "careless.jsonl", "share": 1}],
                "epochs": 2,
                "learning_rate": 0.002,
            }
        ],
        interventions=[{"kind": "dilution", "data": "benign.jsonl", "share": 0.2}],
    )
    place = Place(folder=folder)
    train(recipe, folder / "diluted", place)

    config = AuditConfig(
        name="diluted",
        target={"kind": "organism", "path": "diluted"},
        judge={"kind": "nursery"},
        suite="nursery",
        contexts=["plain", "format-code", "irrelevant-1"],
        samples={"per_condition": per_condition, "max_tokens": 60},
        material=0.05,
    )
    findings = run_audit(make_plan(config, place), folder / "run")
    write_report([read_run(folder / "run")], folder / "report.html", title="One audit")
    return findings


if __name__ == "__main__":
    found = main(Path(sys.argv[1]))
    print(found.verdict.class_, *found.verdict.reasons)
    for context in found.contexts:
        print(context.id, context.rate, context.counts)
