"""Every key of a file, explained in a terminal, in a pipe and as JSON Schema."""

import json

import pytest
from click.testing import CliRunner

from undertow.audits import AuditConfig
from undertow.cli.main import cli
from undertow.keys import Keys
from undertow.kinds import BACKENDS, INTERVENTIONS, JUDGES, TARGETS, installed
from undertow.persona.plan import PersonaConfig
from undertow.releases.policy import Policy
from undertow.studies import Study
from undertow.training import Recipe

FILES = {"audit": AuditConfig, "train": Recipe, "study": Study, "persona": PersonaConfig, "gate": Policy}
GROUPS = {
    "audit": (TARGETS, JUDGES),
    "train": (INTERVENTIONS, BACKENDS),
    "study": (TARGETS, JUDGES, INTERVENTIONS, BACKENDS),
    "persona": (TARGETS, JUDGES),
    "gate": (),
}


def explained(command, *more, columns=""):
    done = CliRunner().invoke(cli, [command, "--schema", *more], env={"COLUMNS": columns}, standalone_mode=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("command", FILES)
def test_every_key_is_explained_at_80_columns_with_words_whole(command):
    shown = explained(command, columns="80")
    assert max(map(len, shown.splitlines())) <= 80 and "…" not in shown
    words = {word for line in shown.splitlines() for word in line.replace("│", " ").split()}
    named = {line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")}
    for table in Keys(FILES[command].model_json_schema()).tables():
        for key in table.keys:
            assert key.name in named and set(f"{key.takes} {key.explanation}".split()) - {"|"} <= words | {
                w.rstrip(";") for w in words
            }, key


@pytest.mark.parametrize("command", FILES)
def test_in_a_pipe_a_key_is_a_line(command):
    shown = explained(command)
    for table in Keys(FILES[command].model_json_schema()).tables():
        for key in table.keys:
            assert any(
                f" {key.name} " in line and key.takes in line and key.explanation in line for line in shown.splitlines()
            ), key


@pytest.mark.parametrize("command", FILES)
def test_every_kind_is_listed_with_its_keys(command):
    shown = explained(command)
    for kind in (kind for group in GROUPS[command] for kind in installed(group)):
        assert f"of kind {kind.name}: " in shown
    of_schema = {
        name: schema
        for name, schema in FILES[command].model_json_schema()["$defs"].items()
        if "kind" in schema.get("properties", {})
    }
    tables = [table for table in Keys(FILES[command].model_json_schema()).tables() if table.kind]
    assert sorted(sorted(key.name for key in table.keys if not key.depth) for table in tables) == sorted(
        sorted(schema["properties"]) for schema in of_schema.values()
    )


@pytest.mark.parametrize("command", FILES)
def test_with_json_it_is_json_schema(command):
    assert json.loads(explained(command, "--json")) == FILES[command].model_json_schema()


def test_what_a_key_takes_is_in_words():
    # `contexts` of the audit, and not of its persona
    keys = {key.name: key for key in reversed(Keys(AuditConfig.model_json_schema()).tables()[0].keys)}
    assert (keys["material"].takes, keys["material"].default, keys["material"].required) == (
        "number over 0 and under 1",
        "0.01",
        False,
    )
    assert (keys["until"].takes, keys["until"].default, keys["until"].depth) == ("verdict | every-context", "none", 1)
    assert (
        keys["judge"].takes
        == ("kind: embedded | endpoint | inspect | key | local | nursery | scripted | scripted-persona")
        and keys["judge"].required
    )
    assert keys["target"].takes == (
        "kind: endpoint | inspect | local | organism | scripted | scripted-persona or list of such"
    )
    assert keys["contexts"].takes == "list of text or of keys, or keys"
    assert keys["instruments"].default == "harmfulness, self-assessment, two-ai, recognition, prediction"
    assert (keys["persona"].takes, keys["persona"].default) == ("keys", "none")
