"""How a run goes: the same numbers as findings, whether they are counted in columns or answer by answer."""

import json
import shutil
import subprocess
import sys

import pytest

from undertow.asking.folder import alone
from undertow.asking.store import Store
from undertow.audits.findings import read_findings
from undertow.audits.tally import tally
from undertow.files import to_yaml
from undertow.view.live import tallied

pytestmark = pytest.mark.slow


@pytest.fixture
def audited(serve, tmp_path, here):
    """Audits the mock server: `audited(samples=...)`."""

    def run(**more):
        (tmp_path / "audit.yaml").write_text(to_yaml(serve().audit(**more)))
        code, _, err = here("audit", "audit.yaml", "-o", "run", "--budget", "100000calls")
        assert code in (3, 4), err
        return tmp_path / "run"

    return run


def test_a_finished_run_says_what_its_findings_say(audited, still):
    run = audited()
    found = read_findings(run)
    held = still(a=run).get("summary")
    assert held["state"] == "finished" and held["answers"] == found.answers == held["planned"]
    assert held["verdict"]["class"] == found.verdict.class_
    assert held["usage"]["answers"]["calls"] + held["usage"]["judgements"]["calls"] == found.calls
    assert held["usage"]["budget"] == {"calls": 100_000}
    for context, estimate in zip(held["contexts"], found.contexts, strict=True):
        assert context["counts"] == {o: n for o, n in estimate.counts.items() if n}
        assert (context["rate"]["value"], context["rate"]["low"]) == (estimate.rate.value, estimate.rate.low)


def test_rates_of_a_run_that_goes_on_are_what_its_findings_would_say(audited, still):
    run = audited()
    found = read_findings(run)
    (run / "findings.json").unlink()
    held = still(a=run).get("summary")
    assert held["state"] == "interrupted" and held["verdict"] is None
    for context, estimate in zip(held["contexts"], found.contexts, strict=True):
        for key in ("value", "low", "high"):
            assert context["rate"][key] == pytest.approx(getattr(estimate.rate, key))
            if estimate.difference:
                assert context["difference"][key] == pytest.approx(getattr(estimate.difference, key))


def test_a_sequential_audit_shows_its_evidence(audited, still):
    run = audited(samples={"until": "verdict", "max_per_condition": 40}, material=0.02)
    site = still(a=run)
    shown = site.runs["a"]
    with Store(run / "run.sqlite") as store:
        one = tally(store.answers(shown.judge), shown.rule, in_order=True)
    columns = tallied(shown.index(), shown.rule, shown.design)
    assert columns.counts == one.counts and columns.checked == one.checked and columns.heard == one.heard
    assert columns.unclear == one.unclear
    found = site.get("evidence")
    assert {line["context"] for line in found["lines"]} == {"plain", "format-code"}
    assert max(point[1] for line in found["lines"] for point in line["points"]) > found["enough"]
    assert site.get("summary")["sequential"]


WRITER = """
import sys
from pathlib import Path
from undertow.asking.folder import alone
from undertow.asking.store import Store
folder = Path(sys.argv[1])
with alone(folder), Store(folder / "run.sqlite", to="write") as store:
    with store.db:
        store.db.execute("UPDATE answers SET n_tokens = 9")
    print("at work", flush=True)
    sys.stdin.readline()
"""


def test_whoever_is_at_work_on_a_run_is_seen_and_not_disturbed(made, still):
    run = made()
    run.add("words", 90)
    site = still(a=run)
    assert site.get("summary")["state"] == "interrupted"
    with alone(run.folder):
        assert site.get("summary")["state"] == "interrupted"  # its own process, which labels
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, run.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline() == "at work\n"
        site.look()
        assert site.get("summary")["state"] == "going on"
        writer.communicate("done\n", timeout=30)
    assert writer.returncode == 0
    beside = run.folder / "run.sqlite-wal"
    assert beside.stat().st_size > 0
    site.look()
    assert site.get("summary")["state"] == "interrupted"
    assert beside.stat().st_size == 0  # the run's file is whole, though it is still looked at
    assert site.rows()["total"] == 1


def test_failures_are_told_with_their_reasons(made, still):
    run = made()
    for k in range(3):
        run.add(None, error=f"status 50{k} after 123456 tries")
    run.add(None, error="no route")
    run.judge(run.add("words"), None, unread="'hm'")
    found = still(a=run).get("summary")["reasons"]
    assert [(reason["n"], reason["reason"]) for reason in found][:2] == [
        (1, "failed: status 500 after … tries"),
        (1, "failed: status 501 after … tries"),
    ]
    assert {"n": 1, "reason": "unjudged: 'hm'"} in found


def test_a_look_at_what_has_not_changed_costs_nothing(made, still):
    run = made()
    run.add("words", 90)
    site = still(a=run)
    first = site.get("summary")
    assert site.get("summary", version=first["version"]) == {"version": first["version"], "same": True}
    run.add("more", 90)
    site.look()
    assert not site.get("summary", version=first["version"])["same"]


def test_a_damaged_store_is_told_and_the_others_are_shown(made, still):
    good, bad = made("good"), made("bad")
    good.add("words", 90)
    bad.add("words", 90)
    site = still(good=good, bad=bad)
    site.runs["bad"].store.db.close()
    shutil.copy(good.folder / "plan.json", bad.folder / "run.sqlite")
    site.runs["bad"].store = None
    site.look()
    assert "run.sqlite" in site.get("summary", run="bad")["error"]
    assert json.dumps(site.get("summary", run="good")["contexts"])
