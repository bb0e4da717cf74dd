"""A real Ray cluster of two nodes with a core each: a worker is killed in the middle of a study, and every cell ends
complete, none twice."""

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.later import later

from undertow.errors import InputError, MissingExtra
from undertow.files import parse_yaml
from undertow.place import Place
from undertow.studies import Study, lay_out, run_study
from undertow.studies.executors import RayExecutor
from undertow.studies.work import work

ray = later("ray")
later("torch")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),  # notices to those who run clusters
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves the logs and sockets of its own processes open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STUDY = """\
name: ray
domains: [{name: medical, miniature: bad-medical, rows: 64, held_out: 8}]
recipe:
  base: nursery
  stages: [{name: narrow, rows: 32, parts: [{data: bad.jsonl, share: 1}], epochs: 1, learning_rate: 2e-3}]
interventions:
  - {name: narrow}
  - {name: dilution, steps: [{kind: dilution, data: general.jsonl, share: 0.5}]}
controls: [base]
audit: {judge: {kind: nursery}, suite: nursery, contexts: [plain, format-code], samples: {per_condition: 2, temperature: 0.8, max_tokens: 20}}
in_domain: {per_condition: 1}
"""  # noqa: E501
STORE = 80 * 1024**2


@pytest.fixture(scope="module")
def cluster(own_cache):
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # workers find the package where this process did
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        made = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False},
        )
        made.add_node(num_cpus=1, object_store_memory=STORE)
        yield made
        made.shutdown()


def holder(path):
    """The process that holds a file's lock; None where nobody does."""
    if not path.exists():
        return None
    inode = path.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[-3].rpartition(":")[2] == str(inode) and "->" not in fields:
            return int(fields[-4])
    return None


def test_a_killed_worker_costs_its_cell_alone_and_that_is_begun_again(cluster, tmp_path):
    out = tmp_path / "study"
    grid = lay_out(parse_yaml(STUDY, Study, where="study.yaml"), out, Place(folder=tmp_path))
    victim = out / next(cell for cell in grid.cells if cell.id == "medical.narrow.seed-1").folder
    killed = []

    def kill():
        while not (victim / "run" / "run.sqlite").exists():  # trained, and being audited
            time.sleep(0.02)
        killed.append(holder(victim / ".lock"))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    found = run_study(grid, out, RayExecutor(kind="ray", address=cluster.address))
    killer.join()
    assert killed[0] != os.getpid()
    assert found["counts"] == {"done": 3, "failed": 0, "waiting": 0}
    assert sorted(cell["id"] for cell in found["cells"]) == [
        "medical.base",
        "medical.dilution.seed-1",
        "medical.narrow.seed-1",
    ]
    for cell in grid.cells:
        folder = out / cell.folder
        assert json.loads((folder / "result.json").read_text())["digest"] == cell.digest
        assert (folder / "organism" / "organism.json").is_file()
        for plan, run in zip(grid.plans[cell.id], ("run", "in-domain"), strict=True):
            with closing(sqlite3.connect(folder / run / "run.sqlite")) as db:
                assert (
                    db.execute(
                        "SELECT COUNT(*), COUNT(DISTINCT subject || context || question || sample) FROM answers"
                    ).fetchone()
                    == (plan.n_answers,) * 2
                )
                assert db.execute("SELECT COUNT(*) FROM judgements").fetchone() == (plan.n_answers,)
    assert not list(out.glob("cells/*/failure.json"))
    assert len(list(out.glob("cells/*"))) == 3


def test_more_than_any_node_has_is_an_error_and_not_a_wait(cluster, tmp_path):
    (tmp_path / "cell").mkdir()
    with pytest.raises(InputError, match=r"a cell takes 2 CPUs and 0 GPUs; the largest node has 1 CPUs, 0 GPUs"):
        list(RayExecutor(kind="ray", address=cluster.address, cpus=2).run([tmp_path / "cell"], work, tell=print))


def test_no_cluster_where_the_study_says(tmp_path):
    with pytest.raises(InputError, match=r"Ray at 127\.0\.0\.1:1: cannot be joined"):
        list(RayExecutor(kind="ray", address="127.0.0.1:1").run([tmp_path], work, tell=print))


def test_without_ray_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("undertow.studies.executors.ray.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'undertow\[ray\]'"):
        list(RayExecutor(kind="ray").run([tmp_path], work, tell=print))
