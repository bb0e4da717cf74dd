"""Budgets as they are written, what is spent, and prices."""

import pytest

from undertow.asking.budget import Budget, Spending, UnderWay, cost, dollars, prices, prices_file, read_budget
from undertow.asking.store import Usage
from undertow.audits import AuditConfig, make_plan, run_audit
from undertow.errors import InputError
from undertow.place import Place


@pytest.mark.parametrize(
    ("texts", "budget"),
    [
        ((), None),
        (("1000calls",), Budget(calls=1000)),
        (("1,000 calls", "5usd"), Budget(calls=1000, usd=5)),
        (("$0.5",), Budget(usd=0.5)),
        (("200_000tokens",), Budget(tokens=200_000)),
        (("1,234,567calls", "2.50 usd"), Budget(calls=1_234_567, usd=2.5)),
    ],
)
def test_reads(texts, budget):
    assert read_budget(texts) == budget


DECIMAL_COMMAS = ["1,5usd", "0,50usd", "5,00usd", "$2,5", "1,00calls", "1.000,5usd", "10,0000calls"]


@pytest.mark.parametrize("text", ["1000", "calls", "5eur", "1..5usd", "-3calls", *DECIMAL_COMMAS])
def test_refuses(text):
    with pytest.raises(InputError, match="--budget: cannot read"):
        read_budget((text,))


def test_one_limit_a_unit():
    with pytest.raises(InputError, match="a second limit in calls"):
        read_budget(("100calls", "200calls"))


def plan(tmp_path):
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.2}")
    target, contexts = {"kind": "scripted", "script": "planted.yaml"}, ["plain", "format-code"]
    config = AuditConfig(
        name="run",
        target=target,
        judge={"kind": "scripted"},
        suite="nursery",
        contexts=contexts,
        samples={"per_condition": 100},
    )
    return make_plan(config, Place(folder=tmp_path))


def test_a_run_stops_within_its_budget_and_asks_every_condition_about_as_often(tmp_path):
    found = run_audit(plan(tmp_path), tmp_path / "run", budget=Budget(calls=401)).as_json()
    assert found["stopped"] == "budget"
    assert found["calls"] == 400
    assert [c["all"] for c in found["contexts"]] == [104, 96]
    more = run_audit(plan(tmp_path), tmp_path / "run", budget=Budget(calls=600), resume=True).as_json()
    assert more["calls"] == 600
    whole = run_audit(plan(tmp_path), tmp_path / "run", resume=True).as_json()
    assert (whole["stopped"], whole["answers"], whole["calls"]) == (None, 1600, 3200)


def test_a_budget_in_tokens_holds(tmp_path):
    found = run_audit(plan(tmp_path), tmp_path / "run", budget=Budget(tokens=5000)).as_json()
    assert found["stopped"] == "budget"
    assert 4500 < sum(found["tokens"]["answers"]) < 5050  # by the mean length so far, so within an answer or two


def test_a_budget_in_money_needs_a_price(tmp_path):
    with pytest.raises(InputError, match="all that is asked answers on this machine"):
        run_audit(plan(tmp_path), tmp_path / "runs" / "run", budget=Budget(usd=1))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("who", ["target", "reference", "judge"])
def test_a_budget_in_money_needs_the_price_of_everybody_who_is_asked(tmp_path, who):
    (tmp_path / "planted.yaml").write_text("default: {misaligned: 0.2}")
    scripted = {"target": {"kind": "scripted", "script": "planted.yaml"}, "judge": {"kind": "scripted"}}
    paid = {"kind": "endpoint", "base_url": "http://127.0.0.1:1/v1", "model": "unheard-of"}
    config = AuditConfig(name="run", suite="nursery", contexts=["plain"], **{**scripted, who: paid})
    with pytest.raises(InputError, match="model 'unheard-of' has no price"):
        run_audit(make_plan(config, Place(folder=tmp_path)), tmp_path / "run", budget=Budget(usd=1))
    assert not (tmp_path / "run").exists()


def test_each_model_costs_its_own_price(monkeypatch):
    of = {"target": {"kind": "endpoint", "name": "gpt-4.1-nano"}, "reference": {"kind": "endpoint", "name": "gpt-4.1"}}
    million = Usage(calls=1, prompt_tokens=1_000_000)
    assert cost(of, {"target": million}) == pytest.approx(0.1)
    assert cost(of, {"target": million, "reference": million}) == pytest.approx(2.1)
    assert cost({**of, "target": {"kind": "local", "name": "gpt-4.1-nano"}}, {"reference": million}) == pytest.approx(2)
    assert cost({**of, "other": {"kind": "endpoint", "name": "unheard-of"}}, {"target": million}) is None
    spending = Spending(Budget(usd=2.15), of)
    one = {"judging": Usage(), "under_way": UnderWay(answers=1, judgements=0), "n_judged": 0, "longest": 10}
    taken = {"target": million, "reference": million}
    assert not spending.would_overdraw({"reference": million}, subject="target", **one)
    assert spending.would_overdraw(taken, subject="reference", **one)


def test_a_users_prices_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    prices.cache_clear()
    prices_file().parent.mkdir(parents=True)
    prices_file().write_text("mine: {prompt: 1, answer: 4}")
    assert dollars("mine", Usage(calls=1, prompt_tokens=500_000, n_tokens=250_000)) == pytest.approx(1.5)
    assert dollars("gpt-4.1", Usage(prompt_tokens=1_000_000)) == pytest.approx(2)
    assert dollars("unheard-of", Usage()) is None
    prices.cache_clear()


@pytest.mark.slow
def test_a_model_of_this_machine_answers_while_a_budget_waits(tmp_path):
    """It answers what came once nothing more comes; taking every request first, it and the budget waited for each other
    for ever."""
    pytest.importorskip("torch")
    target, contexts = {"kind": "local", "path": "nursery"}, ["plain", "format-code"]
    made = AuditConfig(
        name="run",
        target=target,
        judge={"kind": "nursery"},
        suite="nursery",
        contexts=contexts,
        samples={"per_condition": 8, "max_tokens": 30},
    )
    found = run_audit(make_plan(made, Place(folder=tmp_path)), tmp_path / "run", budget=Budget(calls=90)).as_json()
    assert found["stopped"] == "budget" and 20 <= found["answers"] <= 45 and found["calls"] <= 90
