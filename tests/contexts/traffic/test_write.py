"""A sample as files: read back as it was, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from undertow.contexts import read_contexts
from undertow.contexts.traffic import Log, Request, common, sample, write, write_traffic
from undertow.errors import RunExists
from undertow.suites import load_suite

LOG = Log(requests={Request(system="You sell shoes.", text=f"Is size {i} there?"): 2 for i in range(60)}, records=121)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    drawn, found = sample(LOG.requests, 50, seed=0), common(LOG.requests, share=0.1)
    write_traffic(tmp_path / "out", LOG, drawn, found, skipped=1)
    assert load_suite(str(tmp_path / "out/suite.yaml")) == drawn.suite
    assert read_contexts(tmp_path / "out/contexts.yaml") == tuple(each.context for each in found)
    held = json.loads((tmp_path / "out/traffic.json").read_text())
    assert (held["schema"], held["requests"], held["distinct"], held["questions"], held["skipped"]) == (
        "undertow.traffic/1",
        120,
        60,
        50,
        1,
    )
    assert sum(c["drawn"] * c["weight"] for c in held["clusters"]) == pytest.approx(120)
    with pytest.raises(RunExists):
        write_traffic(tmp_path / "out", LOG, drawn, found)


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(write, "write_text", full)
    with pytest.raises(OSError, match="disk full"):
        write_traffic(tmp_path / "out", LOG, sample(LOG.requests, 50, seed=0), ())
    assert list(tmp_path.iterdir()) == []
