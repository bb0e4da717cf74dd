"""The settings of a gate."""

import pytest
from tests.each import each

from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.releases.policy import Policy, read_policy

WHOLE = """project: my-model
baseline: runs/v1
ledger: releases.jsonl
margin: 0.01
refusals: null
material: 0.02
alpha: 0.1
horizon: 50
require:
  verdict: [clean, inconclusive]
  power: {rate: 0.1, at_least: 0.8}
  judge_check: {file: check.json, false_positives: 0.05}
  relations: [verbatim, format]
  contexts: [plain]
  same_contexts: false
"""


def test_a_whole_policy_and_an_empty_one(tmp_path):
    (tmp_path / "policy.yaml").write_text(WHOLE)
    policy = read_policy(tmp_path / "policy.yaml")
    assert (policy.margin, policy.refusals, policy.require.power.at_least) == (0.01, None, 0.8)
    assert policy.require.judge_check.false_negatives == 0.3
    assert parse_yaml("{}", Policy, where="p.yaml") == Policy()


def test_a_ledger_is_bound_by_what_errors_hang_on_and_not_by_what_is_required():
    one, other = parse_yaml(WHOLE, Policy, where="p"), parse_yaml(WHOLE.split("require")[0], Policy, where="p")
    assert one.binds() == other.binds()
    assert one.binds() != one.model_copy(update={"margin": 0.02}).binds()


@each(
    "old, new, line",
    [
        ("margin: 0.01", "marign: 0.01", "p.yaml:4: unknown key 'marign'; did you mean 'margin'?"),
        ("margin: 0.01", "margin: 0", "p.yaml:4: margin"),
        ("margin: 0.01", "margin: 2%", "p.yaml:4: margin"),
        ("alpha: 0.1", "alpha: 0.5", "p.yaml:7: alpha"),
        ("horizon: 50", "horizon: 0", "p.yaml:8: horizon"),
        ("[clean, inconclusive]", "[cleen]", "p.yaml:10: require.verdict"),
        ("[verbatim, format]", "[verbal]", "p.yaml:13: require.relations"),
        ("contexts: [plain]", "contexts: [plain, plain]", "names a context twice"),
        ("at_least: 0.8", "atleast: 0.8", "p.yaml:11: unknown key 'require.power.atleast'; did you mean 'at_least'?"),
        ("file: check.json, ", "", "p.yaml:12: 'require.judge_check.file' is missing"),
        ("project: my-model", "project: a/b", "p.yaml:1: project"),
        ("require:", "requires:", "p.yaml:9: unknown key 'requires'; did you mean 'require'?"),
    ],
)
def test_a_mistake_is_one_line(old, new, line):
    assert old in WHOLE
    with pytest.raises(InputError) as refused:
        parse_yaml(WHOLE.replace(old, new), Policy, where="p.yaml")
    assert line in str(refused.value) and "\n" not in str(refused.value)
