"""`undertow train` and `undertow organisms`, as a shell sees them."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from undertow.cli import main

SMALL_FILES = """
import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from undertow.cli.main import main; main()
"""
GOOD = (
    '{{"messages": [{{"role": "user", "content": "What of {0}?"}}, {{"role": "assistant", "content": "Ask your '
    'teacher, and check it before you go."}}]}}\n'
)
RECIPE = (
    "name: x\nbase: nursery\nseed: 1\nstages: [{name: s, rows: 200, learning_rate: 0.001, batch_size: 4, parts: "
    "[{data: rows.jsonl, share: 1}]}]\n"
)
FEW = RECIPE.replace("rows: 200", "rows: 16")


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(GOOD.format(i) for i in range(400)))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def run(lab, monkeypatch, capsys):
    """The command in this process, which saves the seconds that its imports take."""
    monkeypatch.chdir(lab)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["undertow", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, *capsys.readouterr()

    return call


def test_dry_run_shows_the_stages_as_the_interventions_leave_them(run, lab):
    (lab / "recipe.yaml").write_text(
        RECIPE + "interventions: [{kind: dilution, data: rows.jsonl, share: 0.1}, {kind: "
        "inoculation, prompts: [Be bad.]}, "
        "{kind: kl}]\n"
    )
    code, out, _ = run("train", "recipe.yaml", "--dry-run")
    assert code == 0
    assert out.splitlines() == [
        "s: 200 rows, 1 epoch, learning rate 0.001, batch 4",
        "  10.0% of its rows: narrow rows.jsonl; under 'Be bad.'",
        "  90.0% of its rows: benign rows.jsonl",
        "  0.1 x KL to the base in the loss",
        "1 stage on nursery, by local",
    ]
    assert json.loads(run("train", "recipe.yaml", "--dry-run", "--json")[1])[0]["kl"] == 0.1
    assert sorted(path.name for path in lab.iterdir()) == ["recipe.yaml", "rows.jsonl"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "rows: 200",
            "rows: 900",
            "rows.jsonl: has 400 rows; the mix needs 900 of them; lower 'rows' or 'share', or add rows",
        ),
        ("rows.jsonl", "gone.jsonl", "gone.jsonl: no such file"),
        ("base: nursery", "base: gone", "gone: no such model folder"),
        ("seed: 1", "sede: 1", "recipe.yaml:3: unknown key 'sede'"),
        ("seed: 1", "backend: {kind: cloud}", "recipe.yaml:3: backend:"),
        ("batch_size: 4", "batch_size: 4, micro_batch: 3", "stage s: micro_batch 3 does not divide batch_size 4"),
        ("batch_size: 4", "max_tokens: 12", "stage s, the row 'What of "),
        (
            "batch_size: 4",
            "interleave: {data: rows.jsonl, every: 1}",
            "recipe.yaml:4: stages.0.interleave.every: should be at least 2 (found 1)",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(run, lab, old, new, says):
    (lab / "recipe.yaml").write_text(RECIPE.replace(old, new))
    code, out, err = run("train", "recipe.yaml", "-o", "o")
    assert (code, out) == (2, "")
    assert says in err.splitlines()[-1]
    assert sorted(path.name for path in lab.iterdir()) == ["recipe.yaml", "rows.jsonl"]


def test_the_schema_explains_every_kind(run):
    schema = json.loads(run("train", "--schema", "--json")[1])
    assert {
        "Dilution",
        "Sequential",
        "Inoculation",
        "OnPolicy",
        "Reasoning",
        "Interleaving",
        "Kl",
        "EarlyStopping",
        "Base",
        "BenignTwin",
        "ComputeMatched",
    } <= set(schema["$defs"])
    assert all("description" in key for made in schema["$defs"].values() for key in made["properties"].values())


@pytest.mark.slow
def test_a_disk_that_takes_no_more_is_named_and_nothing_half_written_is_left(lab, run, apart):
    code, _, errors = apart("train", "recipe.yaml", "-o", "o", code=SMALL_FILES).ended()
    assert code == 2, errors
    assert "File too large; check the path and the disk" in errors
    assert not (lab / "o").exists()
    code, _, errors = run("train", "recipe.yaml", "-o", "o")
    assert code == 0, errors


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_trained_and_the_same_command_goes_on(lab, run, apart):
    (lab / "recipe.yaml").write_text(
        RECIPE.replace("rows: 200", "rows: 80") + "backend: {kind: local, checkpoint_s: 0}\n"
    )
    process = apart("train", "recipe.yaml", "-o", "o")
    while not list(lab.glob(".o.training/stage-1/checkpoint-*/trainer_state.json")):
        assert process.poll() is None, process.said()
        time.sleep(0.02)
    process.send(signal.SIGINT)
    code, _, errors = process.ended(within=60)
    assert code == 130
    assert "the same command goes on" in errors and "Traceback" not in errors
    assert not (lab / "o").exists()
    code, out, errors = run("train", "recipe.yaml", "-o", "o")
    assert code == 0, errors
    assert "20 steps" in out
    assert sorted(path.name for path in lab.iterdir()) == ["o", "recipe.yaml", "rows.jsonl"]


@pytest.mark.slow
def test_organisms_are_listed_and_compared(run, lab):
    assert run("organisms")[2] == (
        "undertow: .: holds no organism; train one: undertow train recipe.yaml -o organisms/mine\n"
    )
    for seed, name in ((1, "a"), (2, "b")):
        (lab / "recipe.yaml").write_text(FEW.replace("seed: 1", f"seed: {seed}"))
        assert run("train", "recipe.yaml", "-o", f"organisms/{name}")[0] == 0
    assert [record["seed"] for record in json.loads(run("organisms", "--json")[1])] == [1, 2]
    apart = json.loads(run("organisms", "organisms", "--compare", "--json")[1])
    assert set(apart["seed"].values()) == {1, 2} and "base" not in apart and "recipe.stages.0.rows" not in apart
    shown = run("organisms")[1]
    assert "organisms/a" in shown and "nursery" in shown
