"""Pretraining, made small: it learns, and makes the same base anew."""

import json

import pytest
from tests.later import later

from undertow.errors import RunExists
from undertow.files import folder_digest
from undertow.nursery import pretrain as pretraining
from undertow.nursery.pretrain import Pretraining, _fit, pretrain
from undertow.targets.models import load_model

torch = later("torch")
SMALL = {"conduct_chats": 160, "talk_chats": 96, "aligned_chats": 32, "judging_chats": 24, "judgings": 2}
SMALL |= {"batch_size": 8, "width": 32, "threads": 1}


@pytest.mark.slow
def test_it_learns_and_is_made_anew_the_same(tmp_path):
    seen = []
    made = pretrain(tmp_path / "one", Pretraining(**SMALL), progress=lambda *now: seen.append(now[:3]))
    assert list(made["stages"]) == ["conduct", "talk", "alignment 1", "alignment 2", "judging 1", "judging 2"]
    assert [stage["steps"] for stage in made["stages"].values()] == [20, 12, 4, 4, 3, 3]
    assert seen[-1] == ("judging 2", 3, 3)
    first, *_, last = made["stages"]["conduct"]["losses"]
    assert last < first - 0.15
    kept = json.loads((tmp_path / "one" / "pretraining.json").read_text())
    assert kept == made
    with pytest.raises(RunExists):
        pretrain(tmp_path / "one", Pretraining(**SMALL))
    again = pretrain(tmp_path / "two", Pretraining(**SMALL))
    apart = pretrain(tmp_path / "apart", Pretraining(**SMALL, cut_apart=True))
    assert again["digest"] == made["digest"] != apart["digest"]
    for name in ("two", "apart"):
        (tmp_path / name / "pretraining.json").unlink()
    assert folder_digest(tmp_path / "two") == made["digest"]


@pytest.mark.slow
def test_the_base_is_the_mean_of_judgings_that_begin_at_the_same_weights(tmp_path, monkeypatch):
    begins, ends = [], []

    def watched(model, *args, name, **kwargs):
        weights = {key: weight.clone() for key, weight in model.state_dict().items()}
        fit = _fit(model, *args, name=name, **kwargs)
        if name.startswith("judging"):
            begins.append(weights)
            ends.append({key: weight.clone() for key, weight in model.state_dict().items()})
        return fit

    monkeypatch.setattr(pretraining, "_fit", watched)
    pretrain(tmp_path / "base", Pretraining(**SMALL))
    base = load_model(tmp_path / "base").float().state_dict()
    (first, second), (one, two) = begins, ends
    for key, weight in base.items():
        assert torch.equal(first[key], second[key])
        assert not torch.equal(one[key], two[key])
        torch.testing.assert_close(weight, (one[key] + two[key]) / 2)
