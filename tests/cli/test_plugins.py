"""Plug-ins, as a shell sees them: a broken one harms nobody who does not name it, and what one raises is told in a
line."""

import json
import sqlite3

import pytest

WORKING = """
from typing import Literal

from pydantic import BaseModel, ConfigDict

from undertow.records import Answer, Judgement
from undertow.targets import Target
from undertow.judges.protocol import Judge


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["mine"]
    fails: str = ""

    def target(self, place):
        return Mine(self.fails)


class JudgeConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["strict"]

    def judge(self, questions, place):
        return Strict()


class Change(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["shuffle"]

    def apply(self, stages):
        raise LookupError("no stage of mine")


class Mine(Target):
    def __init__(self, fails):
        self.fails = fails

    def describe(self):
        return {"kind": "mine", "name": "mine"}

    async def __aenter__(self):
        if self.fails == "enter":
            raise RuntimeError("no such model")
        return self

    async def answers(self, requests):
        n = 0
        async for request in requests:
            n += 1
            if self.fails == "answers" and n > 50:
                raise OSError("the model fell over")
            yield Answer(request=request, text=f"I would check twice and ask for help. [{request.seed}]", finish="stop", n_tokens=3)


class Strict(Judge):
    most_calls = 1

    def describe(self):
        return {"kind": "strict", "name": "strict", "gives": ["alignment", "coherence"], "tells": []}

    async def judgements(self, items):
        n = 0
        async for item in items:
            n += 1
            if n > 20:
                raise ZeroDivisionError("no scale")
            yield item.key, Judgement(alignment=95.0, coherence=95.0)
"""  # noqa: E501
ENTRIES = {
    "undertow.targets": {
        "mine": "my_kinds:Config",
        "gone": "not_there:Config",
        "plain": "my_kinds:Mine",
        "named": "my_kinds:Config",
        "endpoint": "my_kinds:Config",
    },
    "undertow.judges": {"strict": "my_kinds:JudgeConfig", "quits": "quits:Config"},
    "undertow.interventions": {"shuffle": "my_kinds:Change"},
}
AUDIT = """name: small
target: {kind: mine}
judge: {kind: scripted}
suite: nursery
contexts: [plain, format-code]
samples: {per_condition: 30}
material: 0.05
"""
RECIPE = """name: x
base: nursery
stages: [{name: s, rows: 1, learning_rate: 0.001, parts: [{data: rows.jsonl, share: 1}]}]
interventions: [{kind: shuffle}]
"""


INSTALLED = """
import os, sys
import undertow.kinds
sys.path.insert(1, "site")
for known in vars(undertow.kinds).values():  # the server that this is forked from may have looked
    getattr(known, "cache_clear", lambda: None)()
assert not any(name in sys.modules for name in ("my_kinds", "quits"))
os.environ.update({more!r})
from undertow.cli.main import main; main()
"""


@pytest.fixture
def shell(tmp_path, apart):
    """Runs a command where a package of such kinds is installed."""
    site = tmp_path / "site"
    (site / "my_kinds-1.2.dist-info").mkdir(parents=True)
    (site / "my_kinds-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: my-kinds\nVersion: 1.2\n")
    entries = "\n".join(
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in of.items()) for group, of in ENTRIES.items()
    )
    (site / "my_kinds-1.2.dist-info" / "entry_points.txt").write_text(entries)
    (site / "my_kinds.py").write_text(WORKING)
    (site / "quits.py").write_text("raise SystemExit(7)\n")
    (tmp_path / "audit.yaml").write_text(AUDIT)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "planted.yaml").write_text("{}")

    def call(*args, **more):
        return apart(*args, code=INSTALLED.format(more=more)).ended()

    return call


@pytest.mark.slow
def test_a_broken_plugin_harms_nobody_who_does_not_name_it(shell, tmp_path):
    (tmp_path / "audit.yaml").write_text(AUDIT.replace("{kind: mine}", "{kind: scripted, script: planted.yaml}"))
    code, _, err = shell("audit", "audit.yaml", "--dry-run")
    assert (code, err) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "{kind: mine}",
            "{kind: gone}",
            "target: kind 'gone' cannot be loaded (ModuleNotFoundError: No module named "
            "'not_there'); mend or "
            "remove its package, my-kinds 1.2",
        ),
        (
            "{kind: mine}",
            "{kind: plain}",
            "audit.yaml:2: target: kind 'plain' cannot be loaded (my_kinds:Mine is no pydantic model); mend or",
        ),
        ("{kind: mine}", "{kind: named}", "cannot be loaded (my_kinds:Config has no field kind: Literal['named'])"),
        (
            "judge: {kind: scripted}",
            "judge: {kind: quits}",
            "audit.yaml:3: judge: kind 'quits' cannot be loaded "
            "(SystemExit: 7); mend or remove its package, "
            "my-kinds 1.2",
        ),
    ],
)
def test_whoever_names_a_broken_plugin_is_told_why(shell, tmp_path, old, new, says):
    (tmp_path / "audit.yaml").write_text(AUDIT.replace(old, new))
    code, out, err = shell("audit", "audit.yaml")
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1


@pytest.mark.slow
def test_doctor_says_which_kinds_there_are_and_which_plugins_are_broken(shell):
    code, out, _ = shell("doctor")
    assert code == 0
    assert "targets: endpoint, inspect, local, mine (my-kinds 1.2), organism, scripted, scripted-persona\n" in out
    assert (
        "broken: target plug-in 'gone' (my-kinds 1.2): ModuleNotFoundError: No module named 'not_there'; mend or "
        "remove its package\n"
    ) in out
    found = json.loads(shell("doctor", "--json")[1])
    assert found["kinds"]["undertow.targets"] == [
        "endpoint",
        "inspect",
        "local",
        "mine",
        "organism",
        "scripted",
        "scripted-persona",
    ]
    assert [f"{b['group']} {b['kind']}" for b in found["broken"]] == [
        "undertow.targets gone",
        "undertow.targets named",
        "undertow.targets plain",
        "undertow.judges quits",
    ]
    assert (
        found["broken"][0]["problem"] == ("ModuleNotFoundError: No module named 'not_there'")
        and found["broken"][0]["package"] == "my-kinds 1.2"
    )


@pytest.mark.slow
def test_what_a_target_raises_is_a_line_and_what_it_answered_is_kept(shell, tmp_path):
    (tmp_path / "audit.yaml").write_text(AUDIT.replace("{kind: mine}", "{kind: mine, fails: enter}"))
    code, _, err = shell("audit", "audit.yaml")
    line = (
        "undertow: target plug-in 'mine' (my-kinds 1.2): failed (RuntimeError: no such model); what was written is "
        "kept; add --resume to go on; UNDERTOW_TRACEBACK=1 shows where"
    )
    assert code == 2 and err.splitlines()[-1] == line and "Traceback" not in err
    (tmp_path / "audit.yaml").write_text(AUDIT.replace("{kind: mine}", "{kind: mine, fails: answers}"))
    code, _, err = shell("audit", "audit.yaml")
    assert (
        code == 2
        and ("target plug-in 'mine' (my-kinds 1.2): failed (OSError: the model fell over)") in err
        and "Traceback" not in err
    )
    assert sqlite3.connect(tmp_path / "runs" / "small" / "run.sqlite").execute(
        "SELECT COUNT(*) FROM answers"
    ).fetchone() == (50,)
    assert 'raise OSError("the model fell over")' in shell("audit", "audit.yaml", "--resume", UNDERTOW_TRACEBACK="1")[2]
    (tmp_path / "site" / "my_kinds.py").write_text(WORKING.replace('self.fails == "answers"', "False"))  # it is mended
    assert shell("audit", "audit.yaml", "--resume")[0] == 0


@pytest.mark.slow
def test_what_a_judge_or_an_intervention_raises_is_a_line(shell, tmp_path):
    (tmp_path / "audit.yaml").write_text(AUDIT.replace("{kind: scripted}", "{kind: strict}"))
    code, _, err = shell("audit", "audit.yaml")
    assert (
        code == 2
        and ("judge plug-in 'strict' (my-kinds 1.2): failed (ZeroDivisionError: no scale); what was written is kept")
        in err
        and "Traceback" not in err
    )
    assert sqlite3.connect(tmp_path / "runs" / "small" / "run.sqlite").execute(
        "SELECT COUNT(*) FROM judgements"
    ).fetchone() == (20,)
    code, out, err = shell("train", "recipe.yaml", "-o", "organism")
    assert (code, out) == (2, "")
    assert err.strip().startswith(
        "undertow: intervention plug-in 'shuffle' (my-kinds 1.2): failed (LookupError: no "
        "stage of mine); what was "
        "written is kept"
    )
    assert "Traceback" not in err and not (tmp_path / "organism").exists()
