"""Mistakes in files: one line each, in our words, with what to do."""

import re
from typing import get_args

import pytest
from pydantic import BaseModel, Field
from pydantic_core.core_schema import ErrorType
from tests.each import each
from typing_extensions import TypeAliasType

from undertow.audits import AuditConfig
from undertow.audits.strict import AnyTarget
from undertow.errors import InputError
from undertow.files import adapter, parse_yaml
from undertow.keys import Keys
from undertow.mistakes import OTHER, WORDS, in_words
from undertow.records import Suite
from undertow.studies import Study
from undertow.training import Recipe

JsonLike = TypeAliasType("JsonLike", "str | list[JsonLike] | dict[str, JsonLike]")
GOOD = {
    AuditConfig: """name: x
target: {kind: endpoint, base_url: 'http://h/v1', model: m}
judge: {kind: scripted}
suite: core
contexts: [plain]
""",
    Recipe: """name: x
base: nursery
stages:
- {name: s, rows: 10, learning_rate: 0.001, parts: [{data: a.jsonl, share: 1}]}
""",
    Study: """name: s
domains: [bad-medical]
recipe:
  base: nursery
  stages: [{name: n, rows: 10, parts: [{data: bad.jsonl, share: 1}], learning_rate: 2e-3}]
interventions: [{name: narrow}]
audit: {judge: {kind: nursery}, suite: nursery, contexts: [plain]}
""",
    Suite: """id: s
title: t
questions:
- {id: q, text: Why?}
""",
}
PYDANTICS = re.compile(
    r"pydantic|discriminator|instance of|pattern|\btags? |valid dictionary|tuple|validat|argument|"
    r"Input should|parse",
    re.IGNORECASE,
)
"""Words that are pydantic's and no user's."""


def mistake(type_, text):
    with pytest.raises(InputError) as refused:
        parse_yaml(text, type_, where="f.yaml")
    return str(refused.value)


@each(
    "type_, old, new, line",
    [
        (
            AuditConfig,
            "kind: endpoint",
            "kind: opnai",
            "2: target: unknown kind 'opnai'; known: endpoint, inspect, local, organism, scripted, scripted-persona",
        ),
        (
            AuditConfig,
            "kind: endpoint",
            "kind: endpiont",
            "2: target: unknown kind 'endpiont'; did you mean 'endpoint'?",
        ),
        (
            AuditConfig,
            "kind: endpoint, ",
            "",
            "2: 'target.kind' is missing; one of endpoint, inspect, local, organism, scripted, scripted-persona",
        ),
        (
            AuditConfig,
            "{kind: scripted}",
            "scripted",
            "3: judge: should be keys with values, 'kind' among them (found 'scripted')",
        ),
        (
            AuditConfig,
            "{kind: scripted}",
            "[]",
            "3: judge: should be keys with values, 'kind' among them (found an empty list)",
        ),
        (AuditConfig, "[plain]", "plain", "5: contexts: should be a list (found 'plain')"),
        (
            AuditConfig,
            "[plain]",
            "[{id: x, prefx: y, relation: topic}]",
            "5: unknown key 'contexts.0.prefx'; did you mean 'prefix'?",
        ),
        (
            AuditConfig,
            "[plain]",
            "[{id: x, relation: topics}]",
            "5: contexts.0.relation: should be 'plain', 'verbatim', 'paraphrase', 'opposite', 'format', "
            "'topic', 'permissive', "
            "'default-prompt' or 'irrelevant' (found 'topics'); did you mean 'topic'?",
        ),
        (AuditConfig, "[plain]", "[{id: x}]", "5: 'contexts.0.relation' is missing"),
        (AuditConfig, "[plain]", "[5]", "5: contexts.0: should be text or keys with values (found 5)"),
        (AuditConfig, "[plain]", "[]", "5: contexts: should hold at least 1 item (found an empty list)"),
        (
            AuditConfig,
            "[plain]",
            "{screen: 5, search: 300}",
            "5: contexts: give one of `screen` (a number of contexts) and `search` (a number of answers)",
        ),
        (AuditConfig, "[plain]", "{screen: many}", "5: contexts.screen: should be a whole number (found 'many')"),
        (AuditConfig, "[plain]", "{from: library, screen: 4}", "5: contexts.from: should be a list (found 'library')"),
        (
            AuditConfig,
            "suite: core",
            "suite: core\ntemperature: 0.5",
            "5: unknown key 'temperature'; 'temperature' goes under 'judge' or under 'samples' or under "
            "'persona'; known: reference, "
            "judge, suite, contexts, samples, rule, material, judge_error, multiplicity, seed, persona, name, target, "
            "protocol, verdict_of",
        ),
        (AuditConfig, "suite: core", "suite: [core]", "4: suite: should be text (found a list)"),
        (AuditConfig, "suite: core", "suite: 5", "4: suite: should be text (found 5)"),
        (AuditConfig, "suite: core", "suite: core\nmaterial: 5%", "5: material: should be a number (found '5%')"),
        (AuditConfig, "suite: core", "suite: core\nmaterial: 0", "5: material: should be over 0 (found 0)"),
        (AuditConfig, "suite: core", "suite: core\nsamples: 5", "5: samples: should be keys with values (found 5)"),
        (
            AuditConfig,
            "suite: core",
            "suite: core\nsamples: {until: verdit}",
            "5: samples.until: should be 'verdict' or 'every-context' (found 'verdit'); did you mean 'verdict'?",
        ),
        (
            AuditConfig,
            "suite: core",
            "suite: core\nsamples: {seed: 4}",
            "5: unknown key 'samples.seed'; 'seed' goes at the top of the file; known: per_condition, until, "
            "alpha, max_per_condition, temperature, max_tokens",
        ),
        (
            AuditConfig,
            "suite: core",
            "suite: core\nsamples: {concurrency: 4}",
            "5: unknown key 'samples.concurrency'; 'concurrency' goes under 'reference' or under 'judge' or "
            "under 'target'; known: "
            "per_condition, until, alpha, max_per_condition, temperature, max_tokens",
        ),
        (
            AuditConfig,
            "suite: core",
            "suite: core\nsamples: {per_condition: 1.5}",
            "5: samples.per_condition: should be a whole number (found 1.5)",
        ),
        (
            AuditConfig,
            "suite: core",
            "suite: core\nsamples: {per_condition: null, temperature: .inf}",
            "5: samples.temperature: should be a finite number (found inf)",
        ),
        (AuditConfig, "model: m", "model: m, concurrency: 0", "2: target.concurrency: should be over 0 (found 0)"),
        (AuditConfig, "model: m", "model: m, modle: 0", "2: unknown key 'target.modle'; did you mean 'model'?"),
        (AuditConfig, "model: m", "model: m, extra: 5", "2: target.extra: should be keys with values (found 5)"),
        (
            AuditConfig,
            "model: m",
            "model: m, check_model: maybe",
            "2: target.check_model: should be true or false (found 'maybe')",
        ),
        (AuditConfig, "model: m", "model: m, thinking: [a]", "2: target.thinking: should hold 2 items at least"),
        (
            AuditConfig,
            "model: m",
            "model: m, temperature: 1",
            "2: unknown key 'target.temperature'; 'temperature' goes under 'judge' or under 'samples' or under "
            "'persona'; known: "
            "base_url, model, api_key_env, concurrency, token_limit, extra, check_model, timeout_s, attempts, "
            "backoff_s, thinking, kind, system",
        ),
        (
            AuditConfig,
            "name: x",
            "name: a b",
            "1: name: should be letters, digits, dots, dashes and underscores, as a folder's name (found 'a b')",
        ),
        (AuditConfig, "name: x", "name: ''", "1: name: should have at least 1 character (found '')"),
        (AuditConfig, "name: x", "nmae: x", "1: unknown key 'nmae'; did you mean 'name'?"),
        (AuditConfig, "name: x", "3: x\nname: x", "1: 3: should be text, as every key (found 3)"),
        (AuditConfig, "name: x", "", "2: 'name' is missing"),
        (
            AuditConfig,
            "suite: core",
            "suite: core\npersona: yes",
            "5: persona: should be keys with values (found true)",
        ),
        (
            AuditConfig,
            "suite: core",
            "suite: core\nreference: 5",
            "5: reference: should be keys with values, 'kind' among them (found 5)",
        ),
        (AuditConfig, "suite: core", "suite: core\nseed: -1", "5: seed: should be at least 0 (found -1)"),
        (
            AuditConfig,
            "{kind: scripted}",
            "{kind: endpoint, model: x, base_url: 5}",
            "3: judge.base_url: should be text or a list (found 5)",
        ),
        (
            AuditConfig,
            "{kind: endpoint, base_url: 'http://h/v1', model: m}",
            "[]",
            "1: the file: target is an empty list; name at least one model",
        ),
        (
            AuditConfig,
            "{kind: endpoint, base_url: 'http://h/v1', model: m}",
            "path",
            "2: target: should be keys with values, 'kind' among them (found 'path')",
        ),
        (
            AuditConfig,
            "{kind: endpoint, base_url: 'http://h/v1', model: m}",
            "[{kind: local}]",
            "2: 'target.0.path' is missing",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: [{kind: inoculation, system: x}]",
            "2: unknown key 'interventions.0.system'; 'system' goes at the top of the file; known: kind, "
            "variant, prompts",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: [{kind: dilutoin}]",
            "2: interventions.0: unknown kind 'dilutoin'; did you mean 'dilution'?",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: {kind: kl}",
            "2: interventions: should be a list (found keys with values)",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: [kl]",
            "2: interventions.0: should be keys with values, 'kind' among them (found 'kl')",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: [{kind: dilution, data: a}]",
            "2: 'interventions.0.share' is missing",
        ),
        (
            Recipe,
            "name: x",
            "name: x\nbackend: {kind: opnai}",
            "2: backend: unknown kind 'opnai'; did you mean 'openai'?",
        ),
        (
            Recipe,
            "name: x",
            "name: x\nbackend: {kind: openai, base_url: here}",
            "2: backend.base_url: should be a URL that begins with http:// or https:// (found 'here')",
        ),
        (Recipe, "name: x", "name: x\nlora: {rank: none}", "2: lora.rank: should be a whole number (found 'none')"),
        (Recipe, "name: x", "name: x\nlora: no", "2: lora: should be keys with values (found false)"),
        (Recipe, "share: 1", "share: 2", "4: stages.0.parts.0.share: should be at most 1 (found 2)"),
        (
            Recipe,
            "rows: 10",
            "rows: 10, long_rows: cut",
            "4: stages.0.long_rows: should be 'refuse' or 'leave out' (found 'cut')",
        ),
        (
            Recipe,
            "rows: 10",
            "rows: 10, lora: {}",
            "4: unknown key 'stages.0.lora'; 'lora' goes at the top of the file; known: rows, parts, by, "
            "interleave, name, epochs, "
            "learning_rate, batch_size, micro_batch, warmup_steps, weight_decay, max_tokens, long_rows, "
            "packing, kl, stopping",
        ),
        (
            Recipe,
            "rows: 10",
            "rows: 10, system: x",
            "4: unknown key 'stages.0.system'; 'system' goes under 'stages.parts'; known: rows, parts, by, "
            "interleave, name, epochs, "
            "learning_rate, batch_size, micro_batch, warmup_steps, weight_decay, max_tokens, long_rows, "
            "packing, kl, stopping",
        ),
        (
            Recipe,
            "name: x",
            "name: x\nepochs: 2",
            "2: unknown key 'epochs'; 'epochs' goes under 'stages' or under 'interventions'; known: base, "
            "backend, lora, default_system, system, stages, name, seed, interventions",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: [{data: x, share: 0.3}]",
            "2: 'interventions.0.kind' is missing; one of base, benign-twin, compute-matched, dilution, "
            "early-stopping, inoculation, "
            "interleaving, kl, on-policy, reasoning, sequential",
        ),
        (
            Recipe,
            "name: x",
            "name: x\ninterventions: [{kind: inoculation, variant: fixed}]",
            "2: interventions.0: variant 'fixed' takes one prompt, and 0 stand here",
        ),
        (
            Recipe,
            "share: 1}",
            "share: 1, system: {a: b}}",
            "4: stages.0.parts.0.system: should be text or a list (found keys with values)",
        ),
        (Recipe, "share: 1}", "share: 0.5}", "4: stages.0: the shares of the parts sum to 0.5; they must sum to 1"),
        (
            Suite,
            "text: Why?",
            "question: Why?",
            "4: unknown key 'questions.0.question'; known: id, text, tags, system, key, turns, weight, cluster",
        ),
        (Suite, "text: Why?", "txt: Why?", "4: unknown key 'questions.0.txt'; did you mean 'text'?"),
        (Suite, "id: q, ", "", "4: 'questions.0.id' is missing"),
        (Suite, "- {id: q, text: Why?}", "- Why?", "4: questions.0: should be keys with values (found 'Why?')"),
        (Suite, "id: s\n", "", "1: 'id' is missing"),
        (Suite, "title: t", "title: t\nprompts: []", "3: unknown key 'prompts'; known: id, title, questions"),
        (Suite, "text: Why?", "text: Why?, tags: a", "4: questions.0.tags: should be a list (found 'a')"),
        (Study, "[bad-medical]", "[{name: x, bed: y}]", "2: unknown key 'domains.0.bed'; did you mean 'bad'?"),
        (
            Study,
            "[bad-medical]",
            "[{name: x, miniature: y, bad: z}]",
            "2: unknown key 'domains.0.bad'; known: name, miniature, form, rows, held_out, contexts",
        ),
        (Study, "[bad-medical]", "[5]", "2: domains.0: should be keys with values (found 5)"),
        (Study, "name: s", "name: s\nseeds: 3", "2: seeds: should be a list (found 3)"),
        (Study, "name: s", "name: s\nshares: [2]", "2: shares.0: should be under 1 (found 2)"),
        (
            Study,
            "name: s",
            "name: s\ncontrols: [bas]",
            "2: controls.0: should be 'base', 'benign-twin' or 'compute-matched' (found 'bas'); did you mean 'base'?",
        ),
        (
            Study,
            "name: s",
            "name: s\nfiles: {a: b}",
            "2: files.a: should be a file's name that ends in .jsonl (found 'a')",
        ),
        (Study, "name: s", "name: s\nexecutor: {kind: slurm}", "2: executor: unknown kind 'slurm'; known: local, ray"),
        (Study, "name: s", "name: s\nexecutor: {procs: 3}", "2: 'executor.kind' is missing; one of local, ray"),
        (
            Study,
            "name: s",
            "name: a/b",
            "1: name: should be letters, digits, dashes and underscores, beginning with a "
            "letter or a digit (found "
            "'a/b')",
        ),
        (
            Study,
            "{name: narrow}",
            "{name: narrow, steps: [{kind: dilution}]}",
            "6: 'interventions.0.steps.0.data' is missing; and 1 more in this file",
        ),
        (
            Study,
            "{name: narrow}",
            "{name: narrow, kind: dilution}",
            "6: unknown key 'interventions.0.kind'; 'kind' goes under 'interventions.steps'; known: name, "
            "title, steps, stages, recipe",
        ),
        (
            Study,
            "{name: narrow}",
            "{name: narrow, steps: [{kind: dilutio, data: x}]}",
            "6: interventions.0.steps.0: unknown kind 'dilutio'; did you mean 'dilution'?",
        ),
        (
            Study,
            "{name: narrow}",
            "{name: narrow, stages: {epochs: many}}",
            "1: the file: intervention 'narrow': stages.epochs: should be a number",
        ),
        (
            Study,
            "{name: narrow}",
            "{name: narrow, stages: {epoch: 1}}",
            "6: interventions.0: a stage has no key 'epoch'",
        ),
        (
            Study,
            "suite: nursery,",
            "suite: nursery, target: {kind: local},",
            "7: unknown key 'audit.target'; known: reference, judge, suite, contexts, samples, rule, material, "
            "judge_error, multiplicity, seed, persona",
        ),
        (
            Study,
            "suite: nursery,",
            "suite: nursery, name: x,",
            "7: unknown key 'audit.name'; 'name' goes at the top of the file; known: reference, judge, suite, "
            "contexts, samples, rule, material, judge_error, multiplicity, seed, persona",
        ),
        (
            Study,
            "  base: nursery",
            "  base: nursery\n  interventions: []",
            "5: unknown key 'recipe.interventions'; 'interventions' goes at the top of the file; known: base, "
            "backend, lora, default_system, system, stages",
        ),
    ],
)
def test_a_mistake_is_told_in_our_words_with_what_to_do(type_, old, new, line):
    text = GOOD[type_]
    assert old in text and parse_yaml(text, type_, where="f.yaml")
    said = mistake(type_, text.replace(old, new))
    assert said == f"f.yaml:{line}"
    assert not PYDANTICS.search(said) and "\n" not in said


@each(
    "text, line",
    [
        ("kind: locl", "1: the file: unknown kind 'locl'; did you mean 'local'?"),
        ("{}", "1: 'kind' is missing; one of endpoint, inspect, local, organism, scripted, scripted-persona"),
        ("kind: local", "1: 'path' is missing"),
        (
            "kind: local\npath: x\nmodel: y",
            "3: unknown key 'model'; 'model' is a key of kind endpoint or inspect; "
            "known: kind, path, adapter, "
            "rows, dtype, thinking, system",
        ),
        ("just words", "1: the file: should be keys with values, 'kind' among them (found 'just words')"),
        ("- a list", "1: the file: should be keys with values, 'kind' among them (found a list)"),
    ],
)
def test_a_file_of_one_kind(text, line):
    assert mistake(AnyTarget, text) == f"f.yaml:{line}"


def test_no_finding_is_told_in_pydantics_words():
    for type_ in get_args(ErrorType):
        context = {
            "discriminator": "'kind'",
            "tag": "x",
            "pattern": "x",
            "expected": "'a'",
            "error": "mine",
            "min_length": 1,
            "max_length": 2,
            "multiple_of": 2,
        }
        said = in_words(
            {
                "type": type_,
                "loc": (),
                "msg": "Input should be a valid tuple",
                "input": 1,
                "ctx": context | dict.fromkeys(("gt", "ge", "lt", "le"), 1),
            }
        )
        assert not PYDANTICS.search(said), (type_, said)
    assert in_words({"type": "callable_type", "loc": (), "msg": "Input should be callable", "input": 1}) == OTHER
    assert in_words({"type": "secret", "loc": (), "msg": "is a key", "input": 1}) == "is a key"  # a validator's own
    assert set(WORDS) <= set(get_args(ErrorType))


def test_a_text_that_only_one_of_yamls_readers_takes_has_its_lines_told():
    assert (
        mistake(Suite, "id: s\ntitle: t\nquestions:\n- {id: q, txt: Why?}")
        == "f.yaml:4: unknown key 'questions.0.txt'; did you mean 'text'?"
    )


def test_keys_are_those_of_the_place():
    keys = Keys(adapter(AuditConfig).json_schema())
    assert keys.known(("samples",)) == [
        "per_condition",
        "until",
        "alpha",
        "max_per_condition",
        "temperature",
        "max_tokens",
    ]
    assert keys.known(("target", 0, "scripted")) == ["kind", "script"]
    judges = ["embedded", "endpoint", "inspect", "key", "local", "nursery", "scripted", "scripted-persona"]
    assert keys.kinds(("judge",)) == judges
    assert (("samples",), "") in keys.taking("max_per_condition") and (("target",), "endpoint") in keys.taking(
        "base_url"
    )
    assert "prefix" in keys.known(("contexts", "named", 0, "Context"))


def test_a_type_that_stands_in_itself_has_keys_too():
    class Box(BaseModel):
        extra: JsonLike = Field(default={}, description="Anything.")
        boxes: list["Box"] = Field(default=[], description="Further ones.")

    class Cart(BaseModel):
        box: Box = Field(description="What it holds.")

    tables = Keys(Cart.model_json_schema()).tables()
    assert [[(key.name, key.takes) for key in table.keys] for table in tables] == [
        [("box", "keys")],
        [("extra", "text or list of anything or mapping of names to anything"), ("boxes", "list of keys")],
    ]
    assert Keys(Cart.model_json_schema()).taking("boxes") == [(("box",), "")]
