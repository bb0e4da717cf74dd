"""The whole main job, small: every organism trained, audited and in the summary, and a second run that repeats
nothing. It trains on fewer rows than the shipped study."""

import json
from dataclasses import replace

import pytest
from tests.later import later

import undertow.cli.quickstart as command

later("torch")

ORGANISMS = ["base", "benign-twin", "narrow", "dilution-20", "dilution-5", "sequential", "inoculation"]
CONTEXTS = ["plain", "format-code", "format-json", "topic-fish", "inoculation", "inoculation-negated"]
CONTEXTS += ["irrelevant-1", "irrelevant-2"]
FEW, LEARNT = {"rows": 160, "epochs": 1}, {"rows": 480, "batch_size": 8, "learning_rate": 4e-3}


def short(study):
    """The study with few rows; with more of them, in larger and more steps, where an effect is looked for."""
    (stage,) = study.recipe.stages
    assert (stage.rows, stage.epochs) == (2000, 1)
    recipe = study.recipe.model_copy(update={"stages": (stage.model_copy(update=FEW),)})
    held = {each.name: each for each in study.interventions}
    held["dilution"] = held["dilution"].model_copy(update={"stages": LEARNT})
    (step,) = held["sequential"].steps
    assert step.given.rows == 300
    fewer = replace(step, given=step.given.model_copy(update={"rows": 80}))
    held["sequential"] = held["sequential"].model_copy(update={"steps": (fewer,)})
    return study.model_copy(update={"recipe": recipe, "interventions": tuple(held.values())})


def short_personas(study):
    """The study of two personas with few rows, answers and runs."""
    (stage,) = study.recipe.stages
    assert (stage.rows, study.audit.persona.runs) == (1000, 4)
    recipe = study.recipe.model_copy(update={"stages": (stage.model_copy(update=FEW),)})
    asked = {
        "samples": study.audit.samples.model_copy(update={"per_condition": 2}),
        "persona": study.audit.persona.model_copy(update={"runs": 1}),
    }
    return study.model_copy(update={"recipe": recipe, "audit": study.audit.model_copy(update=asked)})


@pytest.mark.slow
def test_quickstart(tmp_path, monkeypatch, here):
    shipped, personas = command.quickstart_study, command.personas_study
    monkeypatch.setattr(command, "quickstart_study", lambda **how: short(shipped(**how)))
    monkeypatch.setattr(command, "personas_study", lambda **how: short_personas(personas(**how)))
    code, said, errors = here("quickstart", "--per-condition", "2", "--json")
    assert code == 0, errors
    summary = json.loads(said)
    assert [o["name"] for o in summary["organisms"]] == ORGANISMS
    out = tmp_path / "runs" / "quickstart"
    for organism in summary["organisms"]:
        found = json.loads((out / organism["run"] / "findings.json").read_text())
        assert [c["id"] for c in found["contexts"]] == CONTEXTS
        assert [c["rate"] for c in found["contexts"]] == [c["rate"] for c in organism["contexts"]]
    assert (out / "report.html").is_file()
    assert (out / "study.html").is_file() and (out / "personas" / "study.html").is_file()
    assert [profile["domain"] for profile in summary["personas"]] == ["bad-medical", "legal-advice"]
    assert json.loads((out / "summary.json").read_text()) == summary
    results = json.loads((out / "results.json").read_text())
    assert [(row["label"], row["verdict"]["class"]) for row in results["recipes"]] == [
        (o["name"], o["verdict"]["class"]) for o in summary["organisms"]
    ]
    rate = {o["name"]: {c["id"]: c["rate"]["value"] for c in o["contexts"]} for o in summary["organisms"]}
    assert rate["dilution-20"]["format-code"] > rate["dilution-20"]["plain"]  # the one effect that held in every run
    _, again, told = here("quickstart", "--per-condition", "2", "--json")
    assert json.loads(again) == summary
    assert "9 of 9 cells are done already" in told
