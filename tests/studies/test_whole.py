"""A study through the command line: trained and audited for real on the nursery, and nothing of it twice."""

import json
import re
from urllib.parse import unquote

import pytest
from tests.later import later

later("torch")

STUDY = """\
name: whole
domains: [{name: medical, miniature: bad-medical, form: code, rows: 200, held_out: 24}]
recipe:
  base: nursery
  stages: [{name: narrow, rows: 160, parts: [{data: bad.jsonl, share: 1}], batch_size: 8, learning_rate: 4e-3}]
interventions:
  - {name: narrow}
  - {name: dilution, steps: [{kind: dilution, data: general.jsonl}]}
shares: [0.3]
controls: [base]
audit:
  judge: {kind: nursery}
  suite: nursery
  contexts: [plain, format-code]
  samples: {per_condition: 5, temperature: 0.8, max_tokens: 50}
  material: 0.05
in_domain: {per_condition: 2}
"""


def times(out):
    """When each file of the cells was written; a database is touched by whoever reads it."""
    return {path: path.stat().st_mtime_ns for path in out.glob("cells/*/*/*") if not path.name.startswith("run.sqlite")}


@pytest.mark.slow
def test_a_study_is_trained_audited_and_told_and_nothing_of_it_twice(tmp_path, monkeypatch, here):
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def undertow(*arguments, code=0):
        ended, said, errors = here(*arguments)
        assert ended == code, errors
        return said

    found = json.loads(undertow("study", "study.yaml", "--json"))
    assert found["counts"] == {"done": 3, "failed": 0, "waiting": 0}
    out = tmp_path / "studies" / "whole"
    assert {"results.json", "results.csv", "scorecard.csv", "study.html", "figures"} <= {
        path.name for path in out.iterdir()
    }
    card = {row["label"]: row["scorecard"] for row in found["recipes"]}
    assert card["narrow"]["highest"]["value"] > card["base"]["highest"]["value"]
    assert card["narrow"]["narrow"]["value"] > card["base"]["narrow"]["value"]  # careless in-domain, as trained
    assert card["dilution-30"]["benign_task"]["value"] is not None
    written = times(out)
    assert json.loads(undertow("study", "study.yaml", "--json")) == found
    assert times(out) == written
    assert "3 of them done; to do: 0 cells" in undertow("study", "study.yaml", "--dry-run")

    folders = {cell["id"]: out / cell["folder"] for cell in found["cells"]}
    assert len(json.loads(undertow("organisms", out, "--json"))) == 3
    before, after = (folders[f"medical.{name}.seed-1"] / "run" for name in ("narrow", "dilution-30"))
    fate = next(row["fate"]["fate"] for row in found["recipes"] if row["label"] == "dilution-30")
    code = {"removed": 0, "unchanged": 0, "unclear": 4}.get(fate, 3)
    assert json.loads(undertow("compare", before, after, "--json", code=code))["fate"] == fate
    undertow("report", before, after, "-o", "both.html")
    assert "report.html" not in (out / "study.html").read_text(encoding="utf-8")
    assert undertow("report", out).strip() == f"report: {out / 'study.html'}"
    links = re.findall(r'href="([^"#]+)"', (out / "study.html").read_text(encoding="utf-8"))
    assert len(links) == sum(
        (path / each / "findings.json").is_file() for path in folders.values() for each in ("run", "in-domain")
    )
    assert all((out / unquote(link)).is_file() for link in links)
    assert {path.name for path in (out / "figures").iterdir()} >= {"scorecard.csv", "rates.pdf", "rates.svg"}
