"""Memory and analysis time of a large audit: 100,000 scripted answers, judged and decided, then decided again from the
run.

    python benchmarks/memory.py [--answers 100000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.audits.rework import rescore
from undertow.place import Place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    answers = parser.parse_args().answers
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "planted.yaml").write_text("default: {misaligned: 0.02, incoherent: 0.05}\nquestion_spread: 0.5\n")
        contexts = ["plain", "format-code", "format-json", "irrelevant-1"]
        config = AuditConfig(
            name="large",
            target={"kind": "scripted", "script": "planted.yaml"},
            judge={"kind": "scripted"},
            suite="core",
            contexts=contexts,
            samples={"per_condition": answers // (8 * len(contexts))},
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        started = time.perf_counter()
        found = run_audit(make_plan(config, Place(folder=folder)), folder / "run").as_json()
        ran = time.perf_counter() - started
        started = time.perf_counter()
        rescore(folder / "run", "tan2025")
        analysed = time.perf_counter() - started
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{found['answers']:,} answers: {ran:.1f} s; at most {most:,.0f} MB resident ({before:,.0f} MB before); "
        f"decided again from the run, two rules compared: {analysed:.1f} s"
    )


if __name__ == "__main__":
    main()
