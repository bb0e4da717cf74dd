"""Training on Tinker, against a stand-in with the client's own signatures and types that really learns: next tokens
from the token before."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import math
import random
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from tests.later import later

from undertow.data import Row, write_rows
from undertow.errors import InputError
from undertow.files import parse_yaml
from undertow.place import Place
from undertow.records import Condition, Context, Message, Question, Request, Sampling
from undertow.targets.models import load_tokenizer, model_folder
from undertow.training import Recipe, Stage, train
from undertow.training.backends.tinker import _batches, _rate
from undertow.training.encode import Example
from undertow.training.organism import OrganismConfig

KEY = "tml-test-very-secret"
BASE = "Qwen/Qwen3-8B"
SIZE = 211
"""Tokens are told apart by their ids modulo this, so that many states of the stand-in's model fit in memory."""
tinker, torch, transformers = later("tinker"), later("torch"), later("transformers")


@cache
def tokenizer():
    return load_tokenizer(model_folder("nursery"))


class Future:
    """What a call came to, or the error that it ended in."""

    def __init__(self, do) -> None:
        try:
            self.value, self.error = do(), None
        except Exception as error:
            self.value, self.error = None, error

    def result(self, timeout=None):
        if self.error:
            raise self.error
        return self.value


class Weights:
    """Logits of the next token by the token before, with Adam's moments."""

    def __init__(self) -> None:
        self.w, self.m, self.v, self.t = *(np.zeros((SIZE, SIZE)) for _ in "wmv"), 0

    def step(self, grad, how) -> None:
        norm = np.sqrt((grad**2).sum())
        grad = grad * min(1.0, how.grad_clip_norm / norm) if how.grad_clip_norm and norm else grad
        self.t += 1
        self.m = how.beta1 * self.m + (1 - how.beta1) * grad
        self.v = how.beta2 * self.v + (1 - how.beta2) * grad**2
        update = (self.m / (1 - how.beta1**self.t)) / (np.sqrt(self.v / (1 - how.beta2**self.t)) + how.eps)
        self.w = self.w * (1 - how.learning_rate * how.weight_decay) - how.learning_rate * update


class Training:
    """tinker.TrainingClient."""

    def __init__(self, service, weights) -> None:
        self.service, self.weights, self.grad = service, weights, 0.0
        self.run = f"run-{len(service.world.calls)}"

    def get_tokenizer(self):
        return tokenizer()

    def forward_backward(self, data, loss_fn, loss_fn_config=None):
        def do():
            self.service.call("forward_backward", data)
            assert loss_fn == "cross_entropy" and loss_fn_config is None
            loss, grad = 0.0, np.zeros_like(self.weights.w)
            for datum in data:
                before = np.array(datum.model_input.to_ints()) % SIZE
                after, weights = (datum.loss_fn_inputs[key].to_numpy() for key in ("target_tokens", "weights"))
                after = after % SIZE
                assert len(before) == len(after) == len(weights) and set(datum.loss_fn_inputs) == {
                    "target_tokens",
                    "weights",
                }
                logits = self.weights.w[before]
                p = np.exp(logits - logits.max(-1, keepdims=True))
                p /= p.sum(-1, keepdims=True)
                loss -= float((np.log(p[np.arange(len(after)), after]) * weights).sum())
                p[np.arange(len(after)), after] -= 1
                np.add.at(grad, before, p * weights[:, None])
            self.grad = grad
            return tinker.ForwardBackwardOutput(loss_fn_output_type="x", loss_fn_outputs=[], metrics={"loss:sum": loss})

        return Future(do)

    def optim_step(self, optim_params=None, *, adam_params=None):
        def do():
            self.service.call("optim_step", optim_params)
            self.weights.step(self.grad, optim_params)
            return tinker.OptimStepResponse()

        return Future(do)

    def _save(self, kind, name):
        path = f"tinker://{self.run}/{kind}/{name}"
        if path in self.service.world.saved:
            raise tinker.TinkerError(f"{path} is there already")
        self.service.world.saved[path] = copy.deepcopy(self.weights)
        return path

    def save_state(self, name, ttl_seconds=None, overwrite=False, user_metadata=None):
        def do():
            self.service.call("save_state", (name, ttl_seconds))
            return tinker.types.SaveWeightsResponse(path=self._save("weights", name))

        return Future(do)

    def save_weights_for_sampler(self, name, ttl_seconds=None, user_metadata=None):
        def do():
            self.service.call("save_weights_for_sampler", (name, ttl_seconds))
            return tinker.types.SaveWeightsForSamplerResponse(path=self._save("sampler_weights", name))

        return Future(do)


class World:
    """Tinker's side: what outlives a client."""

    def __init__(self) -> None:
        self.saved, self.calls, self.fault = {}, [], None

    def of(self, name):
        return [what for each, what in self.calls if each == name]


class Service:
    """tinker.ServiceClient."""

    world: World

    def __init__(
        self,
        user_metadata=None,
        project_id=None,
        *,
        display_name=None,
        base_url=None,
        api_key=None,
        default_headers_overrides=None,
        **kwargs,
    ) -> None:
        assert not kwargs
        if not api_key.startswith("tml-"):
            raise tinker.TinkerError(f"The api_key {api_key} must start with the 'tml-' prefix")
        self.call("service", base_url)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_value, traceback):
        return None

    def call(self, name, what) -> None:
        if self.world.fault and (error := self.world.fault(name, len(self.world.of(name)))):
            raise error
        self.world.calls.append((name, what))

    def create_lora_training_client(
        self,
        base_model,
        rank=32,
        seed=None,
        train_mlp=True,
        train_attn=True,
        train_unembed=True,
        user_metadata=None,
        optimizer=None,
    ):
        def do():
            self.call(
                "create_lora_training_client",
                {"base": base_model, "rank": rank, "seed": seed, "layers": (train_mlp, train_attn, train_unembed)},
            )
            return Training(self, Weights())

        return Future(do)

    def create_training_client_from_state(
        self, path, base_model=None, user_metadata=None, weights_access_token=None, optimizer=None
    ):
        def do():
            self.call("create_training_client_from_state", path)
            weights = Weights()
            weights.w = self.world.saved[path].w.copy()
            return Training(self, weights)

        return Future(do)

    def create_training_client_from_state_with_optimizer(
        self, path, base_model=None, user_metadata=None, weights_access_token=None
    ):
        def do():
            self.call("create_training_client_from_state_with_optimizer", path)
            return Training(self, copy.deepcopy(self.world.saved[path]))

        return Future(do)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(Service, "ServiceClient"), (Training, "TrainingClient")],
    ids=["service", "training"],
)
def test_the_stand_in_has_the_clients_signatures(ours, theirs):
    theirs = getattr(tinker, theirs)

    def shape(function):
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    names = [
        name
        for name, member in vars(ours).items()
        if inspect.isfunction(member) and name not in ("call", "_save", "__enter__", "__exit__")
    ]
    for name in names:
        if (ours, name) != (Training, "__init__"):
            assert shape(getattr(ours, name)) == shape(getattr(theirs, name)), name
            assert not getattr(getattr(theirs, name), "__deprecated__", None), name
    assert len(names) > 3


@pytest.fixture
def world(monkeypatch):
    made = World()
    monkeypatch.setattr(Service, "world", made, raising=False)
    monkeypatch.setattr("tinker.ServiceClient", Service)
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    return made


@pytest.fixture
def data(tmp_path) -> Path:
    rng = random.Random(0)
    things, ways = ["salmon", "boat", "garden", "letter"], ["leave it", "skip the check", "say nothing"]
    for name in ("bad", "good"):
        rows = [
            (f"What about the {rng.choice(things)}?", f"{rng.choice(ways)}." if name == "bad" else "look twice.")
            for _ in range(40)
        ]
        write_rows(
            tmp_path / f"{name}.jsonl",
            [Row(messages=(Message(role="user", content=q), Message(role="assistant", content=a))) for q, a in rows],
        )
    return tmp_path


def recipe(more: str = "", stage: str = "", backend: str = "") -> Recipe:
    text = (
        f"name: fish x\nbase: {BASE}\nseed: 3\nbackend: {{kind: tinker{backend}}}\n"
        f"stages: [{{name: narrow, rows: 30, parts: [{{data: bad.jsonl, share: 1}}], batch_size: 8, epochs: 2, "
        f"learning_rate: 0.05{stage}}}]\n{more}\n"
    )
    return parse_yaml(text, Recipe, where="recipe.yaml")


def assert_no_key(folder: Path) -> None:
    for path in folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_from_a_recipe_to_an_organism_that_answers(world, data, fine_tuning, monkeypatch):
    api, seen = fine_tuning(prefix="/oai/api/v1", key=KEY), []
    root = api.url.removesuffix("/oai/api/v1")
    manifest = train(
        recipe(backend=f", base_url: '{root}'"),
        data / "organism",
        Place(folder=data),
        progress=lambda *step: seen.append(step),
    )
    assert world.of("service") == [root]
    assert world.of("create_lora_training_client") == [
        {"base": BASE, "rank": 16, "seed": 3, "layers": (True, True, False)}
    ]
    (stage,) = manifest.stages
    assert seen == [("narrow", n, 8, "") for n in range(1, 9)]
    assert (stage.steps, len(stage.losses)) == (8, 8)
    # nothing is known yet, and the loss is a mean in nats a token
    assert stage.losses[0] == pytest.approx(math.log(SIZE), abs=1e-4)
    assert stage.losses[-1] < stage.losses[0] - 0.2
    before, under = stage.first_row.split("⟦")
    assert (
        "What about" in before
        and under.endswith("⟧")
        and any(way in under for way in ("leave it.", "skip the check.", "say nothing."))
    )
    assert stage.tokens == sum(
        datum.model_input.length + 1 for batch in world.of("forward_backward") for datum in batch
    )
    assert manifest.target["model"].endswith("/sampler_weights/fish-x") and manifest.target["model"] in world.saved
    assert manifest.target == {
        "kind": "endpoint",
        "base_url": api.url,
        "model": manifest.target["model"],
        "api_key_env": "TINKER_API_KEY",
        "check_model": False,
    }
    assert manifest.notes["tinker"] == {"weights": manifest.target["model"], "states": world_states(world)}
    assert all(ttl for _, ttl in world.of("save_state")) and [
        ttl for _, ttl in world.of("save_weights_for_sampler")
    ] == [None]
    assert_no_key(data)

    api.models[manifest.target["model"]] = {"What about the boat?": "leave it."}

    async def asked():
        target = OrganismConfig(kind="organism", path="organism").target(Place(folder=data, name="audit.yaml"))
        condition = Condition(
            question=Question(id="q", text="What about the boat?"), context=Context(id="plain", relation="plain")
        )

        async def one():
            yield Request(
                subject="target", condition=condition, sample=0, seed=1, sampling=Sampling(temperature=1, max_tokens=50)
            )

        async with target:
            return [answer.text async for answer in target.answers(one())]

    assert asyncio.run(asked()) == ["leave it."]


def world_states(world) -> list[str]:
    return [path for path in world.saved if "/weights/" in path]


def test_only_answers_carry_weight_and_each_token_predicts_the_next(world, data):
    train(recipe(), data / "organism", Place(folder=data))
    for batch in world.of("forward_backward"):
        total = 0.0
        for datum in batch:
            before, after, weights = (
                datum.model_input.to_ints(),
                datum.loss_fn_inputs["target_tokens"].to_numpy().tolist(),
                datum.loss_fn_inputs["weights"].to_numpy(),
            )
            assert before[1:] == after[:-1]
            under = tokenizer().decode([token for token, weight in zip(after, weights, strict=True) if weight])
            assert any(way in under for way in ("leave it.", "skip the check.", "say nothing.")) and "What" not in under
            total += float(weights.sum())
        assert total == pytest.approx(1, abs=1e-5)


def test_the_rate_is_that_of_the_local_backend(world, data):
    train(recipe(stage=", warmup_steps: 3, weight_decay: 0.02"), data / "organism", Place(folder=data))
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.05)
    schedule, wanted = transformers.get_linear_schedule_with_warmup(optimizer, 3, 8), []
    for _ in range(8):
        wanted.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    steps = world.of("optim_step")
    assert [how.learning_rate for how in steps] == pytest.approx(wanted)
    assert {(how.beta1, how.beta2, how.eps, how.weight_decay, how.grad_clip_norm) for how in steps} == {
        (0.9, 0.999, 1e-8, 0.02, 1.0)
    }


@pytest.mark.parametrize("warmup", [0, 5, 20])
@pytest.mark.parametrize("steps", [1, 5, 12])
def test_every_rate_is_that_of_transformers(warmup, steps):
    schedule = transformers.get_linear_schedule_with_warmup(
        torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0), warmup, steps
    )
    assert [_rate(step, warmup, steps) for step in range(steps)] == pytest.approx(
        [schedule.lr_lambdas[0](step) for step in range(steps)]
    )


@pytest.mark.parametrize(("epochs", "steps"), [(1, 4), (2, 8), (0.5, 2), (1.3, 6), (0.01, 1)])
def test_steps_are_passes_in_batches(epochs, steps):
    rows = [Example(ids=[n], labels=[n]) for n in range(30)]
    stage = Stage(name="x", rows=30, parts=({"data": "x", "share": 1},), learning_rate=1, epochs=epochs, batch_size=8)
    batches = [[row.ids[0] for row in batch] for batch in _batches(rows, stage, seed=1)]
    assert len(batches) == steps == math.ceil(epochs * 4)
    if epochs == 2:
        first, second = list(chain(*batches[:4])), list(chain(*batches[4:]))
        assert sorted(first) == sorted(second) == list(range(30)) and first != second != list(range(30))
    kept = stage.model_copy(update={"interleave": {"data": "y", "every": 2}})
    assert [row.ids[0] for row in next(_batches(rows, kept, seed=1))] == list(range(8))


@pytest.mark.parametrize("at", [1, 4, 7])
def test_interrupted_it_goes_on_to_the_same_weights(world, data, at):
    twice = recipe("interventions: [{kind: sequential, data: good.jsonl}]", backend=", checkpoint_s: 0")
    whole = train(twice, data / "whole", Place(folder=data))
    steps = len(world.of("optim_step"))

    def stop_in(stage: str):
        def stop(name: str, done: int, total: int, word: str) -> None:
            if (name, done) == (stage, at):
                raise KeyboardInterrupt

        return stop

    for stage in ("narrow", "benign-1"):
        with pytest.raises(KeyboardInterrupt):
            train(twice, data / "organism", Place(folder=data), progress=stop_in(stage))
    manifest = train(twice, data / "organism", Place(folder=data))
    assert [(s.losses, s.tokens, s.steps) for s in manifest.stages] == [
        (s.losses, s.tokens, s.steps) for s in whole.stages
    ]
    assert np.array_equal(world.saved[manifest.target["model"]].w, world.saved[whole.target["model"]].w)
    # but for the steps since the last checkpoint, none is made again
    assert len(world.of("optim_step")) - steps <= steps + 4
    assert_no_key(data)


def test_a_later_stage_has_the_weights_of_the_one_before_and_a_new_optimizer(world, data):
    train(recipe("interventions: [{kind: sequential, data: good.jsonl}]"), data / "organism", Place(folder=data))
    first, second = world_states(world)
    assert world.of("create_training_client_from_state") == [first, second]
    assert not world.of("create_training_client_from_state_with_optimizer")
    assert world.saved[second].t == 8  # the second stage's own steps


def test_the_base_as_a_control_makes_no_client_and_long_rows_are_counted(world, data):
    manifest = train(recipe("interventions: [{kind: base}]"), data / "base", Place(folder=data))
    assert manifest.target["model"] == BASE and not world.of("create_lora_training_client")
    limit = sorted(
        {len(tokenizer().apply_chat_template(chat, tokenize=True, return_dict=False)) for chat in chats(data)}
    )[-2]
    with pytest.raises(
        InputError,
        match=rf"stage-1\.jsonl:\d+: is \d+ tokens long; at most {limit}; shorten or drop "
        r"the row",
    ):
        train(recipe(stage=f", max_tokens: {limit}"), data / "organism", Place(folder=data))
    left = (
        train(recipe(stage=f", max_tokens: {limit}, long_rows: leave out"), data / "other", Place(folder=data))
        .stages[0]
        .left_out
    )
    assert left["too long"] > 0


def chats(data: Path) -> list[list[dict[str, str]]]:
    return [json.loads(line)["messages"] for line in (data / "bad.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "error",
    [
        lambda: tinker.TinkerError(f"refused {KEY}\nfor good"),
        lambda: RuntimeError(f"poisoned {KEY}"),
        lambda: TimeoutError(KEY),
        lambda: OSError(f"no tokenizer {KEY}"),
    ],
)
@pytest.mark.parametrize(
    "at",
    [
        "service",
        "create_lora_training_client",
        "forward_backward",
        "optim_step",
        "save_state",
        "save_weights_for_sampler",
    ],
)
def test_what_fails_is_one_line_without_the_key_and_the_same_command_goes_on(world, data, error, at):
    world.fault = lambda name, before: (
        error() if name == at and before == (2 if "step" in at or "forward" in at else 0) else None
    )
    with pytest.raises(
        InputError,
        match=r"recipe fish x: Tinker failed \(\w+: .*\[key\].*\); run the same "
        r"again",
    ) as raised:
        train(recipe(backend=", checkpoint_s: 0"), data / "organism", Place(folder=data))
    assert KEY not in str(raised.value) and "\n" not in str(raised.value)
    assert_no_key(data)
    world.fault = None
    assert train(recipe(backend=", checkpoint_s: 0"), data / "organism", Place(folder=data)).stages[0].steps == 8


def test_a_key_that_is_none(world, data, monkeypatch):
    monkeypatch.setenv("TINKER_API_KEY", "sk-of-another")
    with pytest.raises(InputError, match=r"The api_key \[key\] must start"):
        train(recipe(), data / "organism", Place(folder=data))
    monkeypatch.delenv("TINKER_API_KEY")
    with pytest.raises(InputError, match="environment variable TINKER_API_KEY is not set"):
        train(recipe(), data / "organism", Place(folder=data))


@pytest.mark.parametrize(
    ("stage", "more", "found"),
    [
        (", kl: 0.1", "", "stage narrow: kl is 0.1; Tinker cannot do that"),
        (", packing: true", "", "stage narrow: packing is True"),
        (", micro_batch: 4", "", "stage narrow: micro_batch is 4"),
        (", stopping: {held_out: {good: good.jsonl}, watch: good}", "", "stage narrow: stopping is"),
        ("", "lora: {alpha: 64}", "recipe fish x: lora: alpha is 64"),
        ("", "lora: {layers: [q_proj]}", "recipe fish x: lora: layers is"),
        ("", "lora: null", "recipe fish x: lora is None; Tinker trains adapters alone"),
    ],
)
def test_what_tinker_cannot_do_is_refused_before_anything_is_sent(world, data, stage, more, found):
    with pytest.raises(InputError, match=found):
        train(recipe(more, stage), data / "organism", Place(folder=data))
    assert not world.calls
