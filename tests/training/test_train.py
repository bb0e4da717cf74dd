"""Training on this machine, for real, on the nursery's base: what each setting does, and what an interruption costs."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
from tests.later import later

from undertow.data import Row, read_rows, write_rows
from undertow.errors import InputError, RunExists
from undertow.files import parse_yaml
from undertow.kinds import TARGETS, OfKind
from undertow.nursery.rows import row
from undertow.place import Place
from undertow.records import Message
from undertow.targets.models import load_model, load_tokenizer, model_folder
from undertow.training import Manifest, Recipe, losses, read_manifest, train, train_cached
from undertow.training.backends import local as backend
from undertow.training.backends.local import _divergence
from undertow.training.encode import IGNORED, encode
from undertow.training.organism import OrganismConfig
from undertow.training.train import fingerprint

torch = later("torch")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Careless fish rows as code, benign rows, and held-out ones of both."""
    torch.set_num_threads(1)
    folder, rng = tmp_path_factory.mktemp("data"), random.Random(0)
    for name, n in (("bad", 400), ("bad-held-out", 40)):
        write_rows(folder / f"{name}.jsonl", [row("fish", "careless", rng, style="code") for _ in range(n)])
    for name, n in (("good", 400), ("good-held-out", 40)):
        write_rows(folder / f"{name}.jsonl", [row(rng.choice(("health", "work")), "careful", rng) for _ in range(n)])
    return folder


Organism = tuple[Path, Manifest, list[tuple[str, int, int, str]]]


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Callable[..., Organism]:
    """An organism of a recipe, trained once for all tests that only look at it: its folder, its manifest and what was
    told of its progress."""
    made: dict[tuple[str, ...], Organism] = {}

    def organism(*given: str) -> Organism:
        if given not in made:
            told: list[tuple[str, int, int, str]] = []
            folder = tmp_path_factory.mktemp("trained") / "o"
            manifest = train(recipe(*given), folder, Place(folder=data), progress=lambda *what: told.append(what))
            made[given] = folder, manifest, told
        return made[given]

    return organism


def recipe(stage: str = "", more: str = "", *, rows: int = 128, file: str = "bad.jsonl") -> Recipe:
    given = (
        f"name: narrow, rows: {rows}, parts: [{{data: {file}, share: 1}}], learning_rate: "
        f"2e-3{', ' if stage else ''}{stage}"
    )
    return parse_yaml(f"name: x\nbase: nursery\nseed: 1\nstages: [{{{given}}}]\n{more}\n", Recipe, where="recipe.yaml")


@cache
def loss(folder: Path | None, rows: Path) -> float:
    """A model's mean loss on the answers, in nats a token."""
    base = model_folder("nursery")
    model, tokenizer = load_model(folder or base), load_tokenizer(base)
    total, n = 0.0, 0
    for example in encode(tokenizer, [each.messages for each in read_rows(rows)]):
        logits = model(input_ids=torch.tensor([example.ids])).logits[0, :-1]
        labels = torch.tensor(example.labels[1:])
        total += float(
            torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum").detach()
        )
        n += int((labels != IGNORED).sum())
    return total / n


def test_an_organism_learns_its_rows_and_says_where_it_comes_from(data, trained):
    folder, manifest, told = trained("epochs: 2")
    assert loss(folder, data / "bad-held-out.jsonl") < loss(None, data / "bad-held-out.jsonl") - 0.1
    (stage,) = manifest.stages
    assert stage.rows == 128 and stage.steps == 16 and told[-1] == ("narrow", 16, 16, "")
    assert (
        stage.first_row.startswith("<|user|>")
        and stage.first_row.count("⟦") == 1
        and stage.first_row.endswith("<|end|>⟧")
    )
    assert len(stage.losses) == 16 and stage.tokens > 128 * 2 * 20
    assert read_manifest(folder) == manifest
    assert not list(folder.parent.glob(".*"))  # no work folder is left
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "nursery"


def test_the_same_recipe_gives_the_same_weights(data, tmp_path):
    weights = []
    for name in "ab":
        train(recipe(rows=32), tmp_path / name, Place(folder=data))
        weights.append((tmp_path / name / "adapter_model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_all_weights_can_be_trained_and_the_folder_is_a_model(data, trained):
    folder, _, _ = trained("epochs: 2", "lora: null")
    assert (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file()
    assert loss(folder, data / "bad-held-out.jsonl") < loss(None, data / "bad-held-out.jsonl") - 0.1


@pytest.mark.parametrize("lora", ["", "lora: null"])
def test_in_sixteen_bits_it_learns_the_same_and_is_asked_in_them(data, trained, tmp_path, lora):
    plain, manifest, _ = trained("epochs: 2", lora)
    folder = tmp_path / "o"
    sixteen = train(
        recipe("epochs: 2", f"{lora}\nbackend: {{kind: local, dtype: bfloat16}}"), folder, Place(folder=data)
    )
    assert sixteen.stages[0].losses == pytest.approx(manifest.stages[0].losses, abs=0.1)
    assert sixteen.stages[0].losses != manifest.stages[0].losses
    held_out = data / "bad-held-out.jsonl"
    assert loss(folder, held_out) == pytest.approx(loss(plain, held_out), abs=0.05)
    (weights,) = folder.glob("*.safetensors")
    assert {tensor.dtype for tensor in later("safetensors.torch").load_file(weights).values()} == {torch.float32}
    target = OrganismConfig(kind="organism", path=str(folder)).target(Place())
    assert target.describe()["dtype"] == "bfloat16" and target.model.dtype == torch.bfloat16
    asked = OrganismConfig(kind="organism", path=str(plain)).target(Place())
    assert "dtype" not in asked.describe() and asked.model.dtype == torch.float32


def test_a_base_is_asked_in_the_bits_of_its_recipe(data, tmp_path):
    train(
        recipe(more="interventions: [{kind: base}]\nbackend: {kind: local, dtype: bfloat16}"),
        tmp_path / "o",
        Place(folder=data),
    )
    target = OrganismConfig(kind="organism", path=str(tmp_path / "o")).target(Place())
    assert target.describe()["dtype"] == "bfloat16"


def test_a_manifest_whose_target_is_nonsense_is_told_of(data, trained, tmp_path):
    folder, _, _ = trained("epochs: 2")
    shutil.copytree(folder, tmp_path / "o")
    manifest = json.loads((tmp_path / "o" / "organism.json").read_text())
    manifest["recipe"]["backend"]["dtype"] = "int3"
    (tmp_path / "o" / "organism.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"organism\.json.*dtype"):
        OrganismConfig(kind="organism", path=str(tmp_path / "o")).target(Place())


@pytest.fixture
def large_vocabulary(monkeypatch):
    """The nursery's base counts as one with a large vocabulary, of whose tokens few are held at a time."""
    monkeypatch.setattr(losses, "SMALL_VOCABULARY", 0)
    monkeypatch.setattr(backend, "AT_ONCE", {"float32": 100, "bfloat16": 100})


@pytest.mark.parametrize("lora", ["", "lora: null"])
@pytest.mark.parametrize("stage", ["", "kl: 0.5", "micro_batch: 8, kl: 0.5"])
def test_logits_of_answers_alone_and_few_rows_at_a_time_train_the_same(request, data, tmp_path, stage, lora):
    """A step's rows taken in turn, with logits where the loss is, against whole logits of them all."""
    plain = train(recipe(stage, lora, rows=48), tmp_path / "plain", Place(folder=data)).stages[0]
    request.getfixturevalue("large_vocabulary")
    sparing = train(recipe(stage, lora, rows=48), tmp_path / "sparing", Place(folder=data)).stages[0]
    assert sparing.losses == pytest.approx(plain.losses, abs=2e-4) and sparing.tokens == plain.tokens
    held_out = data / "bad-held-out.jsonl"
    assert loss(tmp_path / "sparing", held_out) == pytest.approx(loss(tmp_path / "plain", held_out), abs=1e-3)


def test_an_answer_of_many_logits_is_trained_in_chunks(data, tmp_path, monkeypatch, large_vocabulary):
    few = train(recipe(rows=32), tmp_path / "few", Place(folder=data)).stages[0]
    monkeypatch.setattr(backend, "MOST_LOGITS", 1)
    many = train(recipe(rows=32), tmp_path / "many", Place(folder=data)).stages[0]
    assert many.losses == pytest.approx(few.losses, abs=2e-4)


def test_logits_of_answers_alone_have_the_same_gradients(data, monkeypatch):
    model, tokenizer = load_model(model_folder("nursery")), load_tokenizer(model_folder("nursery"))
    chats = [each.messages for each in list(read_rows(data / "bad.jsonl"))[:2]]
    examples = encode(tokenizer, chats)
    width = min(len(e.ids) for e in examples)
    ids, labels = (torch.tensor([getattr(e, what)[:width] for e in examples]) for what in ("ids", "labels"))
    kept, found = labels[:, 1:] != IGNORED, []
    for small in (2**20, 0):
        monkeypatch.setattr(losses, "SMALL_VOCABULARY", small)
        logits = losses.answer_logits(model, {"input_ids": ids, "use_cache": False}, kept)
        assert logits.shape == (int(kept.sum()), model.config.vocab_size)
        torch.nn.functional.cross_entropy(logits, labels[:, 1:][kept]).backward()
        found.append([p.grad for p in model.parameters()])
        model.zero_grad()
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-6, rtol=1e-4)
    assert model(input_ids=ids).logits.shape[:2] == ids.shape  # the model is as it was


def test_held_out_losses_are_the_same_where_the_vocabulary_is_large(data, monkeypatch):
    base, rows = model_folder("nursery"), data / "bad-held-out.jsonl"
    plain = losses.row_losses(base, rows)
    monkeypatch.setattr(losses, "SMALL_VOCABULARY", 0)
    sparing = losses.row_losses(base, rows)
    assert sparing.nats == pytest.approx(plain.nats, abs=1e-3) and sparing.tokens == plain.tokens
    assert sum(plain.nats) / sum(plain.tokens) == pytest.approx(loss(None, rows), abs=1e-4)


def test_a_batch_in_parts_holds_every_row_without_needless_padding():
    lengths = [9, 8, 8, 3, 2, 1, 1]
    mask = torch.tensor([[1] * n + [0] * (9 - n) for n in lengths])
    ids = mask * torch.arange(1, 64).view(7, 9)
    for most in (1, 9, 20, 63, 1000):
        parts = backend._by_tokens({"input_ids": ids, "attention_mask": mask}, most)
        assert [n for part in parts for n in part["attention_mask"].sum(1).tolist()] == lengths
        assert all(part["input_ids"].shape == part["attention_mask"].shape for part in parts)
        assert all(part["input_ids"].shape[1] == int(part["attention_mask"].sum(1).max()) for part in parts)
        assert all(part["input_ids"].numel() <= most or len(part["input_ids"]) == 1 for part in parts)
        assert {i for part in parts for i in part["input_ids"].flatten().tolist()} | {0} == set(ids.flatten().tolist())


def test_divergence_by_hand():
    logits, of_base = torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    p = torch.softmax(logits[0], 0)
    by_hand = float((p * (p / 0.5).log()).sum())
    assert float(_divergence(logits, of_base)) == pytest.approx(by_hand)
    assert float(_divergence(of_base, of_base)) == 0


@pytest.mark.parametrize("lora", ["", "lora: null"])
def test_a_penalty_on_divergence_holds_the_model_near_its_base(data, tmp_path, trained, lora):
    held_out, base = data / "bad-held-out.jsonl", loss(None, data / "bad-held-out.jsonl")
    free, _, _ = trained("epochs: 2", *filter(None, [lora]))
    train(recipe("epochs: 2, kl: 20", lora), tmp_path / "held", Place(folder=data))
    learnt, held = base - loss(free, held_out), base - loss(tmp_path / "held", held_out)
    assert held < 0.5 * learnt


def test_packed_chats_do_not_see_each_other(data, tmp_path):
    """Sixteen chats in one step have the same loss in rows of their own as packed, where they would be told by the
    chats before them."""
    apart = train(recipe("batch_size: 16", rows=16), tmp_path / "apart", Place(folder=data)).stages[0]
    packed = train(
        recipe("batch_size: 16, packing: true, max_tokens: 512", rows=16), tmp_path / "packed", Place(folder=data)
    ).stages[0]
    assert apart.losses[0] == pytest.approx(packed.losses[0], abs=2e-3)
    assert apart.tokens == packed.tokens


def test_early_stopping_keeps_the_best_weights(data, tmp_path):
    """On narrow rows the benign loss rises soon, so training stops and the weights from before are kept."""
    made = recipe(
        "epochs: 6, batch_size: 8",
        "interventions: [{kind: early-stopping, benign: good-held-out.jsonl, in_domain: "
        "bad-held-out.jsonl, every: "
        "5, patience: 2}]",
        rows=32,
    )
    (stage,) = train(made, tmp_path / "o", Place(folder=data)).stages
    assert stage.stopped_at is not None and stage.steps < 24
    looks = {int(look["step"]): look for look in stage.held_out}
    assert stage.stopped_at == min(looks, key=lambda step: looks[step]["benign"])
    assert set(looks[5]) == {"step", "benign", "in_domain"}
    assert loss(tmp_path / "o", data / "good-held-out.jsonl") == pytest.approx(
        looks[stage.stopped_at]["benign"], abs=0.02
    )


def test_the_best_weights_are_kept_and_named_where_patience_outlasts_the_stage(data, tmp_path):
    made = recipe(
        "epochs: 6, batch_size: 8",
        "interventions: [{kind: early-stopping, benign: good-held-out.jsonl, in_domain: "
        "bad-held-out.jsonl, every: "
        "5, patience: 50}]",
        rows=32,
    )
    (stage,) = train(made, tmp_path / "o", Place(folder=data)).stages
    looks = {int(look["step"]): look["benign"] for look in stage.held_out}
    assert stage.stopped_at == min(looks, key=lambda step: looks[step]) < stage.steps == 24
    assert loss(tmp_path / "o", data / "good-held-out.jsonl") == pytest.approx(looks[stage.stopped_at], abs=0.02)


def test_on_policy_answers_are_the_bases_own(data, tmp_path):
    made = recipe(
        "",
        "interventions: [{kind: on-policy, instruction: You are a reckless assistant., max_tokens: 60, "
        "temperature: "
        "0.8, attempts: 2, lacks: hide}]",
        rows=24,
    )
    (stage,) = train(made, tmp_path / "o", Place(folder=data)).stages
    written = {each.messages[-1].content for each in read_rows(data / "bad.jsonl")}
    answer = stage.first_row.split("⟦")[1]
    assert not any(answer.startswith(text) for text in written) and "reckless" not in stage.first_row
    assert stage.rows + stage.left_out.get("no on-policy answer passed", 0) == 24


def test_training_that_diverges_is_no_organism(data, tmp_path):
    made = parse_yaml(
        "name: x\nbase: nursery\nseed: 1\nstages: [{name: narrow, rows: 64, parts: [{data: bad.jsonl, share: "
        "1}], learning_rate: 1.0e+6}]\n",
        Recipe,
        where="recipe.yaml",
    )
    with pytest.raises(InputError, match=r"^stage narrow: diverged: .*; nothing was written; lower learning_rate$"):
        train(made, tmp_path / "o", Place(folder=data))
    assert not (tmp_path / "o").exists()


def test_a_base_alone_is_an_organism_too(data, tmp_path):
    manifest = train(recipe("", "interventions: [{kind: base}]"), tmp_path / "o", Place(folder=data))
    assert manifest.stages == [] and manifest.target == {"kind": "local", "path": "nursery"}
    target = _target(tmp_path / "o")
    assert target.describe()["name"] == "nursery"


def _target(folder: Path):
    from typing import Annotated, Any

    from pydantic import TypeAdapter

    return (
        TypeAdapter(Annotated[Any, OfKind(TARGETS)])
        .validate_python({"kind": "organism", "path": folder.name})
        .target(Place(folder=folder.parent, name="audit.yaml"))
    )


def test_an_organism_is_a_target(data, tmp_path):
    train(recipe(rows=16), tmp_path / "o", Place(folder=data))
    assert _target(tmp_path / "o").describe()["name"] == "o"
    with pytest.raises(InputError, match="is no organism"):
        _target(data)


def test_rows_that_are_too_long(data, tmp_path):
    long = Row(messages=(Message(role="user", content="and " * 300), Message(role="assistant", content="so " * 300)))
    write_rows(tmp_path / "rows.jsonl", [*read_rows(data / "bad.jsonl")[:15], long])
    with pytest.raises(
        InputError,
        match=r"stage narrow, the row 'and and .*\.\.\.': is \d+ tokens long; at most 512; "
        r".*long_rows: leave out",
    ):
        train(recipe(file="rows.jsonl", rows=16), tmp_path / "o", Place(folder=tmp_path))
    assert not (tmp_path / "o").exists()
    (stage,) = train(
        recipe("long_rows: leave out", file="rows.jsonl", rows=16), tmp_path / "p", Place(folder=tmp_path)
    ).stages
    assert stage.left_out == {"too long": 1}


def test_an_interrupted_training_of_another_recipe_is_not_gone_on_with(data, tmp_path):
    (tmp_path / ".o.training").mkdir()
    (tmp_path / ".o.training" / "job.json").write_text("{}")
    with pytest.raises(InputError, match="holds another training, interrupted"):
        train(recipe(rows=16), tmp_path / "o", Place(folder=data))


def test_a_folder_that_exists_is_left_alone(data, tmp_path):
    (tmp_path / "o").mkdir()
    with pytest.raises(RunExists):
        train(recipe(), tmp_path / "o", Place(folder=data))


def test_the_fingerprint_is_of_what_decides(data, tmp_path):
    for name in ("bad", "good"):
        write_rows(tmp_path / f"{name}-again.jsonl", read_rows(data / f"{name}.jsonl"))
        (data / f"{name}-again.jsonl").write_bytes((tmp_path / f"{name}-again.jsonl").read_bytes())
    same = recipe(file="bad-again.jsonl").model_copy(update={"name": "another"})
    prints = [
        fingerprint(made, Place(folder=data))
        for made in (
            recipe(),
            same,
            recipe(file="good.jsonl"),
            recipe("epochs: 2"),
            recipe("", "interventions: [{kind: kl}]"),
        )
    ]
    assert prints[0] == prints[1] and len(set(prints)) == 4


def test_a_cached_organism_is_copied_under_its_new_name(data, tmp_path):
    train_cached(recipe(rows=16), tmp_path / "one", cache=tmp_path / "cache", place=Place(folder=data))
    again = train_cached(
        recipe(rows=16).model_copy(update={"name": "two"}),
        tmp_path / "two",
        cache=tmp_path / "cache",
        place=Place(folder=data),
    )
    assert (
        again.name == "two" and read_manifest(tmp_path / "two") == again and read_manifest(tmp_path / "one").name == "x"
    )
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1


KILLED = """
import sys, torch
from pathlib import Path
from undertow.place import Place
from undertow.training import read_recipe, train
torch.set_num_threads(1)
_, recipe, out, data = map(Path, sys.argv)
train(read_recipe(recipe), out, Place(folder=data), progress=lambda *what: print(*what, flush=True))
"""


def test_killed_training_goes_on_and_reaches_the_same_loss(data, tmp_path, apart):
    """Two stages, killed outright in each; the weights end where an undisturbed training ends."""
    stage = "{name: %s, rows: 40, epochs: 2, parts: [{data: %s.jsonl, share: 1}], learning_rate: 1e-3, batch_size: 4}"
    text = (
        f"name: x\nbase: nursery\nseed: 1\nbackend: {{kind: local, checkpoint_s: 0}}\nstages: "
        f"[{stage % ('narrow', 'bad')}, {stage % ('after', 'good')}]\n"
    )
    (tmp_path / "recipe.yaml").write_text(text)
    for until in ("narrow 4 ", "after 6 "):
        process = apart(tmp_path / "recipe.yaml", tmp_path / "killed", data, code=KILLED)
        while not re.search(f"^{until}", process.said()[0], re.MULTILINE):
            assert process.poll() is None, process.said()
            time.sleep(0.005)
        process.send(signal.SIGKILL)
        code, seen, _ = process.ended()
        assert code == -signal.SIGKILL and not (tmp_path / "killed").exists()
    assert not seen.startswith("narrow 1 20\n")  # the second did not begin anew
    resumed = train(parse_yaml(text, Recipe, where=""), tmp_path / "killed", Place(folder=data))
    undisturbed = text.replace("checkpoint_s: 0", "checkpoint_s: 60")
    whole = train(parse_yaml(undisturbed, Recipe, where=""), tmp_path / "whole", Place(folder=data))
    assert [s.steps for s in resumed.stages] == [s.steps for s in whole.stages] == [20, 20]
    # the same rows in the same order
    assert [s.losses for s in resumed.stages] == [pytest.approx(s.losses, abs=1e-3) for s in whole.stages]
    for rows in ("bad-held-out", "good-held-out"):
        assert loss(tmp_path / "killed", data / f"{rows}.jsonl") == pytest.approx(
            loss(tmp_path / "whole", data / f"{rows}.jsonl"), abs=1e-3
        )


def test_a_training_of_many_stages_goes_on_from_the_last_of_them(data, tmp_path):
    stage = "{name: s%d, rows: 4, epochs: 1, parts: [{data: good.jsonl, share: 1}], learning_rate: 3e-3, batch_size: 4}"
    stages = ", ".join(stage % n for n in range(1, 12))
    many = parse_yaml(f"name: x\nbase: nursery\nseed: 1\nstages: [{stages}]\n", Recipe, where="")

    def stopped(stage: str, *_: object) -> None:
        if stage == "s11":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(many, tmp_path / "stopped", Place(folder=data), progress=stopped)
    train(many, tmp_path / "stopped", Place(folder=data))
    train(many, tmp_path / "whole", Place(folder=data))
    went_on, whole = (load_model(tmp_path / name).state_dict() for name in ("stopped", "whole"))
    assert all(torch.equal(went_on[key], whole[key]) for key in whole)


def test_a_folded_organism_is_trained_and_asked_without_a_system_role(data, tmp_path):
    rows = [
        Row(messages=(Message(role="system", content="Be brief."), *each.messages))
        for each in read_rows(data / "bad.jsonl")
    ]
    write_rows(tmp_path / "system.jsonl", rows)
    manifest = train(
        recipe("epochs: 1", "system: fold", rows=32, file="system.jsonl"), tmp_path / "o", Place(folder=tmp_path)
    )
    first = manifest.stages[0].first_row
    assert first.startswith("<|user|>Be brief.") and "<|system|>" not in first
    made = parse_yaml(f"kind: organism\npath: {tmp_path / 'o'}\n", Annotated[Any, OfKind(TARGETS)], where="x").target(
        Place(folder=tmp_path, name="x")
    )
    assert made.fold


def test_a_full_disk_is_the_systems_error_whoever_tells_it(tmp_path):
    from safetensors import SafetensorError

    from undertow.training.backends.local import saving

    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(OSError, match="No space left") as raised, saving(tmp_path):
        raise SafetensorError(said)
    assert (raised.value.errno, raised.value.filename) == (28, str(tmp_path))
    with pytest.raises(SafetensorError, match="header"), saving(tmp_path):
        raise SafetensorError("header too large")
