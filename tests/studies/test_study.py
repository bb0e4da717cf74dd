"""study.yaml: what it says, and mistakes in it with their line."""

import json
import re

import pytest

from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.studies import Study, read_study, shipped_studies
from undertow.studies.study import Files, Miniature, World

from .conftest import STUDY

TEXT = STUDY.replace("domains: [", "domains: [legal-advice, {name: mine, bad: b.jsonl}, ")


def test_domains_are_names_miniatures_or_files():
    named, mine, medical = parse_yaml(TEXT, Study, where="study.yaml").domains
    assert named == Miniature(name="legal-advice", miniature="legal-advice")
    assert isinstance(mine, Files)
    assert (medical.miniature, medical.form, medical.rows) == ("bad-medical", "code", 40)


def test_a_domain_may_be_the_world_s_own():
    (fish,) = read_study("quickstart")[0].domains
    assert fish == World(name="fish", world="fish", rows=2000, seed=1)


def test_a_step_without_its_share_takes_that_of_the_grid_and_one_with_it_keeps_it():
    text = STUDY.replace(
        "shares:", "  - {name: fixed, steps: [{kind: dilution, data: general.jsonl, share: 0.5}]}\nshares:"
    )
    narrow, crossed, fixed = parse_yaml(text, Study, where="study.yaml").interventions
    assert [i.takes_share for i in (narrow, crossed, fixed)] == [False, True, False]
    assert [i.untreated for i in (narrow, crossed, fixed)] == [True, False, False]
    assert (crossed.steps[0].at(0.05).share, fixed.steps[0].at(0.05).share) == (0.05, 0.5)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("title:", "titel:", 2, "unknown key 'titel'"),
        ("form: code", "forms: code", 3, "unknown key 'domains.2.forms'"),
        ("bad: b.jsonl", "bads: b.jsonl", 3, "unknown key 'domains.1.bads'"),
        ("epochs: 1", "epochs: 0", 6, "should be over 0"),
        ("{name: narrow}", "{name: narrow, step: []}", 8, "unknown key 'interventions.0.step'"),
        ("kind: dilution", "kind: delution", 9, "'delution'"),
        ("data: general.jsonl", "date: general.jsonl", 9, "unknown key"),
        ("{name: narrow}", "{name: base}", 8, "'base' is what a control is called"),
        ("{name: narrow}", "{name: narrow, stages: {epoch: 2}}", 8, "a stage has no key 'epoch'"),
        (
            "{name: narrow}",
            "{name: narrow, stages: {epochs: 0}}",
            1,
            "intervention 'narrow': stages.epochs: should be over 0",
        ),
        ("{name: narrow}", "{name: narrow, recipe: {base: x}}", 8, "an intervention puts no key 'base' on a recipe"),
        (
            "{name: narrow}",
            "{name: narrow, recipe: {lora: {rank: 0}}}",
            1,
            "intervention 'narrow': recipe.lora.rank: should be over 0",
        ),
        ("[0.05, 0.2]", "[0.05, 1]", 10, "should be under 1"),
        ("[0.05, 0.2]", "[0, 0.2]", 10, "should be over 0"),
        ("[0.05, 0.2]", "[0.2, 0.2]", 1, "share '0.2' stands twice"),
        ("shares: [0.05, 0.2]\n", "", 1, "'dilution' takes a share and gives none"),
        ("data: general.jsonl}", "data: general.jsonl, share: 0.1}", 1, "no intervention takes one"),
        ("[base, benign-twin]", "[base, twin]", 11, "'benign-twin'"),
        ("seeds: [1, 2]", "seeds: [2, 2]", 1, "seed '2' stands twice"),
        ("suite: nursery\n", "suite: nursery\n  name: x\n", 16, "unknown key 'audit.name'"),
        ("[plain, format-code, irrelevant-1]", "{search: 400}", 1, "a study asks every cell in the same contexts"),
        ("seeds:", "executor: {kind: slurm}\nseeds:", 12, "'slurm'"),
        ("seeds:", "files: {../x.jsonl: y.jsonl}\nseeds:", 12, "should be a file's name that ends in .jsonl"),
        (
            "seeds:",
            "published: [{beside: dilution, share: 0.3, model: M, trained: t, rates: {plain: 1%}, source: s}]\nseeds:",
            1,
            "'dilution at 0.3'",
        ),
        (
            "seeds:",
            "published: [{beside: inoculation, model: M, trained: t, rates: {plain: 1%}, source: s}]\nseeds:",
            1,
            "which the study does not hold",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_place(old, new, line, says):
    assert old in TEXT
    with pytest.raises(InputError, match=rf"^study\.yaml:{line}: .*{re.escape(says)}"):
        parse_yaml(TEXT.replace(old, new, 1), Study, where="study.yaml")


def test_the_schema_explains_recipes_audits_and_steps():
    schema = json.dumps(Study.model_json_schema())
    assert '"name", "target"' not in schema
    for words in (
        "Narrow rows diluted in benign ones",
        "Answers to each question in each context",
        "Peak rate",
        "a fraction shares one",
    ):
        assert words in schema


def test_studies_ship_by_name_and_every_one_fits():
    for name in shipped_studies():
        assert read_study(name)[0].name == name
    with pytest.raises(InputError, match="unknown study 'nothing-such'"):
        read_study("nothing-such")
