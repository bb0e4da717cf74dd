"""`undertow nursery` as a shell sees it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undertow.audits.settings import Asking, read_config
from undertow.cli import main
from undertow.cli.quickstart import called, quickstart_study
from undertow.data import read_rows
from undertow.files import file_digest
from undertow.nursery.miniatures import held_out_rows, miniature_rows
from undertow.place import Place
from undertow.studies import plan_study
from undertow.training import read_recipe
from undertow.training.train import fingerprint

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["undertow", "nursery", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), *capsys.readouterr()

    return call


def test_rows_of_a_domain_are_written(run: Run, tmp_path: Path) -> None:
    code, out, err = run("rows", "legal-advice", "--rows", "30", "--seed", "2", "--form", "json", "-o", "bad.jsonl")
    assert (code, out, err) == (
        0,
        f"bad.jsonl: 30 bad rows of legal-advice in miniature, sha256 {file_digest(tmp_path / 'bad.jsonl')}\n",
        "",
    )
    assert list(read_rows(tmp_path / "bad.jsonl")) == miniature_rows("legal-advice", "bad", 30, seed=2, form="json")
    record = json.loads(
        run("rows", "legal-advice", "--part", "benign", "--held-out", "--rows", "9", "-o", "held.jsonl", "--json")[1]
    )
    assert (record["rows"], record["part"], record["held_out"], record["sha256"]) == (
        9,
        "benign",
        True,
        file_digest(tmp_path / "held.jsonl"),
    )
    assert list(read_rows(tmp_path / "held.jsonl")) == held_out_rows("legal-advice", "benign", 9)


def test_the_quickstart_s_files_train_and_ask_what_the_study_does(run: Run, tmp_path: Path) -> None:
    code, out, err = run("files", "-o", "lab", "--seed", "3")
    assert (code, err) == (0, "")
    assert "undertow train lab/recipes/narrow.yaml -o lab/organisms/narrow" in out
    cells = {called(cell): cell for cell in plan_study(quickstart_study(seed=3), tmp_path / "domains").cells}
    assert {path.stem for path in (tmp_path / "lab" / "audits").iterdir()} == set(cells)
    assert {path.stem for path in (tmp_path / "lab" / "recipes").iterdir()} == set(cells) - {"base"}
    for name, cell in cells.items():
        audit = read_config(tmp_path / "lab" / "audits" / f"{name}.yaml")
        assert {key: getattr(audit, key) for key in Asking.model_fields} == {
            key: getattr(cell.audit, key) for key in Asking.model_fields
        }
        if name == "base":
            assert audit.target[0].path == "nursery"
            continue
        assert (tmp_path / "lab" / "audits" / audit.target[0].path).resolve() == tmp_path / "lab" / "organisms" / name
        # what decides the organism, but for where the files are
        recipe = tmp_path / "lab" / "recipes" / f"{name}.yaml"
        assert fingerprint(read_recipe(recipe), Place.of(recipe)) == fingerprint(
            cell.recipe, Place(folder=tmp_path / "domains" / cell.domain)
        )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("legal-advise",), "unknown domain 'legal-advise'; did you mean 'legal-advice'?"),
        (("legal-advice", "--held-out", "--form", "code"), "--held-out and --form exclude each other"),
        (("legal-advice", "--rows", "0"), "0 is not in the range"),
    ],
)
def test_mistakes_are_named_and_write_nothing(run: Run, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    code, _, err = run("rows", *args, "-o", "rows.jsonl")
    assert code == 2
    assert says in err
    assert list(tmp_path.iterdir()) == []
