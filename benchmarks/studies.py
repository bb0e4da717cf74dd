"""A study on Ray: two nodes of one core against one; and how long a miniature study takes on this machine.

    python benchmarks/studies.py [--pairs 3] [--cells 4] [--whole]

Ratio: the same study, of `--cells` training seeds of one recipe, is worked through on a cluster of one node with one
core and on one of two such nodes, in turn, each time into a new folder and with nothing cached. The clusters are up,
and their workers have loaded what a cell needs, before the clock starts: both are the same for a study of an hour.
Wanted: at most 0.65 of the time, median of the pairs. On a machine that others use too the ratio says little; the load
is printed beside it.

`--whole`: `domains-by-interventions-nursery` as it ships, 3 domains x 4 interventions x 2 seeds with their controls, on
two processes and with nothing cached. Wanted:
under 30 minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from undertow.files import parse_yaml
from undertow.place import Place
from undertow.studies import Study, lay_out, read_study, run_study
from undertow.studies.executors import LocalExecutor, RayExecutor

STORE = 80 * 1024**2
RATIO = """
name: ratio
domains: [{name: medical, miniature: bad-medical, form: code, rows: 800, held_out: 50}]
recipe:
  base: nursery
  stages: [{name: narrow, rows: 600, parts: [{data: bad.jsonl, share: 1}], epochs: 1, learning_rate: 2e-3}]
interventions: [{name: narrow}]
controls: []
audit:
  judge: {kind: nursery}
  suite: nursery
  contexts: [plain, format-code, format-json, irrelevant-1]
  samples: {per_condition: 20, temperature: 0.7, max_tokens: 60}
  material: 0.05
"""


def on_ray(nodes: int, cells: int, seed: int) -> float:
    """Seconds that the study takes on a cluster of so many nodes with a core each."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    )
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
    with tempfile.TemporaryDirectory() as made:
        os.environ["XDG_CACHE_HOME"] = str(Path(made) / "cache")
        seeds = list(range(seed, seed + cells))
        grid = lay_out(
            parse_yaml(f"{RATIO}seeds: {seeds}\n", Study, where="benchmark"),
            Path(made) / "study",
            Place(folder=Path(made)),
        )
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": {"XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"]}},
        )
        warm = ray.remote(num_cpus=1)(_warm)
        ray.get([warm.remote() for _ in range(nodes)])
        started = time.perf_counter()
        found = run_study(grid, Path(made) / "study", RayExecutor(kind="ray"))
        took = time.perf_counter() - started
        ray.shutdown()
    cluster.shutdown()
    assert found["counts"]["done"] == cells, found["cells"]
    return took


def _warm() -> None:
    import peft  # noqa: F401
    import trl  # noqa: F401

    import undertow.studies.work  # noqa: F401

    time.sleep(2)  # so that no node takes two


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    # workers find the package where this process did
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    missed = []
    ratios = []
    for n in range(args.pairs):
        one, two = on_ray(1, args.cells, seed=100 * n), on_ray(2, args.cells, seed=100 * n)
        ratios.append(two / one)
        print(
            f"pair {n + 1}: one node {one:.0f} s, two nodes {two:.0f} s, ratio {ratios[-1]:.2f} (load "
            f"{os.getloadavg()[0]:.1f})",
            flush=True,
        )
    if ratios:
        print(f"ratio {statistics.median(ratios):.2f} (median of {args.pairs})")
        missed += [f"ratio {statistics.median(ratios):.2f}"] * (statistics.median(ratios) > 0.65)
    if args.whole:
        with tempfile.TemporaryDirectory() as made:
            os.environ["XDG_CACHE_HOME"] = str(Path(made) / "cache")
            started = time.perf_counter()
            (study, place), out = read_study("domains-by-interventions-nursery"), Path(made) / "study"
            found = run_study(lay_out(study, out, place), out, LocalExecutor(kind="local", processes=2))
            minutes, of_cpu = (
                (time.perf_counter() - started) / 60,
                sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) / 60,
            )
            words = f"{len(found['cells'])} cells of 3 domains x 4 interventions x 2 seeds and their controls"
            print(f"{words}: {minutes:.1f} minutes, {of_cpu:.1f} of CPU time (load {os.getloadavg()[0]:.1f})")
            missed += [f"{minutes:.1f} minutes"] * (minutes > 30)
    print("every target met" if not missed else "missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
