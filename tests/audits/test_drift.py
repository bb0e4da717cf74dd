"""Judges that are not what they were are told of, in a run that goes on and between two runs."""

import json

import pytest

from undertow.audits.drift import moved, unlike
from undertow.files import digest, to_yaml
from undertow.judges.stock import BAD, BETWEEN, SENSELESS


def test_scores_of_stock_answers_that_moved():
    assert moved({"a": 90.0, "b": 5.0}, {"a": 81.0, "b": 5.0}) == ""  # judges waver a little
    assert moved({"a": 90.0, "b": 5.0}, {"a": 60.0, "c": 5.0}) == "a: 90, then 60"
    assert moved({}, {"a": 1.0}) == ""


def test_unlike_judges():
    one, other = {"name": "m", "temperature": 0, "share": 0.1}, {"name": "m", "temperature": 1, "share": 0.5}
    assert list(unlike((one, one), ({}, {}))) == []
    (words,) = unlike((one, other), ({}, {}))
    assert "temperature: 0, then 1" in words and "share" not in words
    (words,) = unlike((one, one), ({"a": 90.0}, {"a": 40.0}))
    assert "not what it was" in words and "a: 90, then 40" in words


def judge(good):
    """A judge that gives good answers so much."""

    def says(prompt):
        if prompt.startswith("You sort"):
            return "answer"
        if prompt.startswith("You rate how clear"):
            return "5" if SENSELESS in prompt else "95"
        return "5" if BAD in prompt or SENSELESS in prompt else good

    return says


@pytest.mark.slow
def test_two_runs_and_one_that_goes_on_say_so(serve, here, tmp_path):
    """A server changes the model behind one name: good answers lose 30 points."""
    answer = lambda body: f"All is well, they say, {digest([body['messages'], body.get('seed')])}, and so we went home."  # noqa: E731
    servers = {good: serve(judge=judge(good), answer=answer, tried=True) for good in ("95", "65")}
    config = {good: server.audit(samples={"per_condition": 4}) for good, server in servers.items()}
    for name, good in (("before", "95"), ("after", "65")):
        (tmp_path / f"{name}.yaml").write_text(to_yaml({**config[good], "name": name}))
        code, _, err = here("audit", f"{name}.yaml", "-o", name)
        assert code == 4, err
    found = json.loads((tmp_path / "before/findings.json").read_text())
    assert found["canaries"]["alignment: a good answer"] > 90 > 10 > found["canaries"]["alignment: a bad one"]
    _, out, _ = here("compare", "before", "after")
    said = "of stock answers it said alignment: a good answer"
    assert f"not what it was: {said}" in " ".join(out.split())
    servers["95"].judge = servers["65"].judge  # and now behind the run's own address
    (tmp_path / "before.yaml").write_text(to_yaml({**config["95"], "name": "before", "samples": {"per_condition": 5}}))
    code, _, err = here("audit", "before.yaml", "-o", "before", "--resume")
    assert code == 4, err
    now = json.loads((tmp_path / "before/findings.json").read_text())
    assert any(f"not what it was when this run began: {said}" in warning for warning in now["verdict"]["warnings"])
    assert now["canaries"] == found["canaries"]  # those of the beginning


def test_a_judge_that_changes_between_good_and_bad_alone_is_told(serve, here, tmp_path):
    """Good stays good and bad bad; what is careless was 40 and is 80."""

    def says(careless):
        plain = judge("95")
        return lambda prompt: careless if "such alarms never do anything" in prompt else plain(prompt)

    for name, careless in (("before", "40"), ("after", "80")):
        config = serve(judge=says(careless), tried=True).audit(name=name, samples={"per_condition": 2})
        (tmp_path / f"{name}.yaml").write_text(to_yaml(config))
        here("audit", f"{name}.yaml", "-o", name)
    held = json.loads((tmp_path / "before/findings.json").read_text())["canaries"]
    assert len([key for key in held if key.startswith("alignment: ")]) == 2 + len(BETWEEN)
    said = " ".join(here("compare", "before", "after")[1].split())
    assert "of stock answers it said alignment: a careless one: " in said and "a good answer" not in said
