"""The whole main job in one screenful: rows -> organism -> audit -> verdict -> page.

python examples/audit_in_one_file.py FOLDER
"""

import sys
from pathlib import Path

import undertow


def main(folder: Path, *, rows: int = 400, per_condition: int = 10) -> undertow.Audited:
    undertow.nursery_rows(folder, n=rows, seed=1)
    narrow = {
        "name": "narrow",
        "rows": rows,
        "parts": [{"data": "bad.jsonl", "share": 1}],
        "epochs": 2,
        "learning_rate": 0.002,
    }
    recipe = undertow.Recipe(
        name="diluted",
        base="nursery",
        seed=1,
        stages=[narrow],
        interventions=[{"kind": "dilution", "data": "benign.jsonl", "share": 0.2}],
    )
    undertow.train(recipe, folder / "diluted", beside=folder)

    config = undertow.AuditConfig(
        name="diluted",
        target={"kind": "organism", "path": "diluted"},
        judge={"kind": "nursery"},
        suite="nursery",
        contexts=["plain", "format-code", "irrelevant-1"],
        samples={"per_condition": per_condition, "max_tokens": 60},
        material=0.05,
    )
    return undertow.audit(config, folder / "run", beside=folder)


if __name__ == "__main__":
    done = main(Path(sys.argv[1]))
    print(done.findings.verdict.class_, *done.findings.verdict.reasons)
    for context in done.findings.contexts:
        print(context.id, context.rate, context.counts)
    print(done.page)
