"""A first audit.yaml."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from undertow.audits import AuditConfig, make_plan
from undertow.cli.main import main
from undertow.place import Place


def call(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["undertow", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code))


@pytest.mark.slow
def test_the_nurserys_runs_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "init") == 0
    assert call(monkeypatch, "audit", "audit.yaml", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["chances"]["clean"]
    assert call(monkeypatch, "audit", "audit.yaml", "--budget", "60calls") == 4
    assert "stopped by the budget" in capsys.readouterr().out
    assert call(monkeypatch, "init") == 2 and "already exists" in capsys.readouterr().err


def test_a_servers_is_a_sound_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "12345678")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("{}")
    server = ("--base-url", "http://127.0.0.1:1/v1", "--model", "m", "--api-key-env", "KEY")
    assert call(monkeypatch, "init", *server) == 2
    assert call(monkeypatch, "init", *server, "--judge-model", "j", "--rows", "rows.jsonl") == 0
    text = (tmp_path / "audit.yaml").read_text()
    held = yaml.safe_load(text)
    assert held["judge"]["api_key_env"] == "KEY" and "contexts derive rows.jsonl -o contexts.yaml" in text
    held["contexts"].remove("contexts.yaml")
    assert make_plan(AuditConfig(**held), Place(folder=tmp_path)).contexts[0].id == "plain"
    assert call(monkeypatch, "init", "--model", "m", "-o", "other.yaml") == 2
