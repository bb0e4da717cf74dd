"""Training on Tinker: our rows and our loop, its GPUs. A LoRA adapter, as the local backend trains it, that stays on
the server.

<work>/
  stage-1/state.json   where the server keeps the stage's newest weights and optimizer, and what has been done so far
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from undertow.data.mixes import Length
from undertow.errors import InputError, MissingExtra
from undertow.files import digest, read_object, to_json, write_text
from undertow.mistakes import URL
from undertow.place import Place
from undertow.progress import Progress
from undertow.targets import Target
from undertow.targets.confidential import without_secrets
from undertow.targets.models import default_system
from undertow.targets.wire import EndpointConfig
from undertow.training.backends.protocol import Fit, Job, PreparedStage, Trained
from undertow.training.backends.remote import (
    RECIPE_KEYS,
    STAGE_KEYS,
    api_key,
    curve,
    only_honoured,
    refuse_local_base,
    said,
)
from undertow.training.encode import IGNORED, Example, encode_file, masked_text
from undertow.training.stages import Stage

if TYPE_CHECKING:
    from undertow.training.recipe import Recipe

HONOURED_OF_RECIPE = RECIPE_KEYS | {"lora", "default_system", "system"}
HONOURED_OF_LORA = frozenset({"rank"})
HONOURED_OF_STAGE = STAGE_KEYS | {
    *("interleave", "epochs", "learning_rate", "batch_size", "warmup_steps", "weight_decay"),
    *("max_tokens", "long_rows"),
}
STATE_TTL_S = 14 * 24 * 3600
"""How long the server keeps weights that are there to go on from. Those that answer are kept until somebody deletes
them."""


class TinkerBackend(BaseModel):
    """Thinking Machines' Tinker."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["tinker"] = Field(description="Thinking Machines' Tinker.")
    base_url: str = Field(
        default="https://tinker.thinkingmachines.dev/services/tinker-prod",
        pattern=URL,
        description="URL of the service.",
    )
    api_key_env: str = Field(
        default="TINKER_API_KEY", min_length=1, description="Environment variable that holds the key."
    )
    checkpoint_s: float = Field(
        default=300, ge=0, description="Seconds between checkpoints, from which an interrupted training goes on."
    )

    @field_validator("base_url", mode="before")
    @classmethod
    def no_secrets(cls, value: Any) -> Any:
        return without_secrets(value, do="name the variable that holds a key in api_key_env")

    def check(self, recipe: Recipe, stages: tuple[Stage, ...], place: Place) -> None:
        try:
            import tinker  # noqa: F401
            import transformers  # noqa: F401
        except ImportError:
            raise MissingExtra("training on Tinker (tinker, transformers)", "tinker") from None
        api_key(self.api_key_env, where="backend tinker")
        refuse_local_base(recipe, place, example="Qwen/Qwen3-8B")
        if recipe.lora is None:
            raise InputError(
                f"recipe {recipe.name}",
                "lora is None",
                expected="Tinker trains adapters alone",
                do="give lora a rank, or train with backend: {kind: local}",
            )
        only_honoured(recipe, HONOURED_OF_RECIPE, where=f"recipe {recipe.name}", by="Tinker")
        only_honoured(recipe.lora, HONOURED_OF_LORA, where=f"recipe {recipe.name}: lora", by="Tinker")
        for stage in stages:
            only_honoured(stage, HONOURED_OF_STAGE, where=f"stage {stage.name}", by="Tinker")

    def length(self, recipe: Recipe, place: Place) -> Length | None:
        return None

    def base(self, recipe: Recipe, place: Place) -> Target:
        return EndpointConfig(**self._target(recipe.base), system=recipe.system).target(place.named("backend tinker"))

    def train(self, job: Job, *, progress: Progress | None = None) -> Trained:
        import tinker

        model, path, fits, states, put_in = job.recipe.base, None, [], [], None
        with (
            self._one_line(job.recipe.name),
            tinker.ServiceClient(
                base_url=self.base_url, api_key=api_key(self.api_key_env, where="backend tinker")
            ) as service,
        ):
            for n, prepared in enumerate(job.stages, start=1):
                stage = _Underway(
                    job=job,
                    prepared=prepared,
                    kept_at=job.work / f"stage-{n}" / "state.json",
                    checkpoint_s=self.checkpoint_s,
                    progress=progress,
                )
                state = stage.run(service, after=path)
                path, put_in = state.path, state.default_system
                fits.append(Fit(**state.fit))
                states.append(path)
            if path:
                client = service.create_training_client_from_state(path).result()
                model = client.save_weights_for_sampler(_plain(job.recipe.name)).result().path
        system = {"default_system": {"prompt": put_in, "put_on_rows": job.recipe.default_system}} if put_in else {}
        return Trained(
            fits=tuple(fits),
            base=job.recipe.base,
            base_digest=digest(job.recipe.base),
            target=self._target(model),
            notes={"tinker": {"weights": model, "states": states}} | system,
        )

    def _target(self, model: str) -> dict[str, Any]:
        """Tinker's endpoint lists bases at most, so the model is not looked for there."""
        return {
            "kind": "endpoint",
            "base_url": f"{self.base_url.rstrip('/')}/oai/api/v1",
            "model": model,
            "api_key_env": self.api_key_env,
            "check_model": False,
        }

    @contextmanager
    def _one_line(self, name: str) -> Iterator[None]:
        """The client's errors as one line without the key. It has sent again what may pass by itself."""
        import tinker

        try:
            yield
        except (
            tinker.TinkerError,
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # its futures raise all of these, and a tokenizer that cannot be fetched is an OSError
            found = f"Tinker failed ({type(error).__name__}: {said(error, key_env=self.api_key_env)})"
            raise InputError(
                f"recipe {name}", found, do="run the same again: it goes on from the last checkpoint"
            ) from None


@dataclass(slots=True, kw_only=True)
class _State:
    """What is known of a stage so far, as it is kept."""

    path: str = ""
    """Of the weights and optimizer that `step` left on the server; empty: none."""
    step: int = 0
    losses: list[float] = field(default_factory=list)
    tokens: int = 0
    seconds: float = 0.0
    default_system: str | None = None
    fit: dict[str, Any] = field(default_factory=dict)
    """Of a finished stage."""


@dataclass(slots=True, kw_only=True)
class _Underway:
    """One stage in training."""

    job: Job
    prepared: PreparedStage
    kept_at: Path
    checkpoint_s: float
    progress: Progress | None

    def run(self, service: Any, *, after: str | None) -> _State:
        """Train the stage from where it was left, on the weights at `after`; the base's where that is None."""
        import tinker

        state = (
            _State(**read_object(self.kept_at, do="remove it to train the stage anew"))
            if self.kept_at.is_file()
            else _State()
        )
        if state.fit:
            return state
        client, recipe, stage = self._client(service, state, after), self.job.recipe, self.prepared.stage
        tokenizer = client.get_tokenizer()
        state.default_system = default_system(tokenizer)
        left_out: Counter[str] = Counter()
        bare = state.default_system is not None and not recipe.default_system
        limit, leave_out, fold = stage.max_tokens or 10**9, stage.long_rows == "leave out", recipe.system == "fold"
        rows = list(
            encode_file(
                tokenizer, self.prepared.path, limit=limit, leave_out=leave_out, bare=bare, fold=fold, left_out=left_out
            )
        )
        if not rows:
            raise InputError(
                self.prepared.path, "has no row short enough", expected=f"at most {stage.max_tokens} tokens"
            )
        batches = list(_batches(rows, stage, seed=recipe.seed))
        started = saved = time.monotonic()
        under_way: list[tuple[Any, Any]] = []

        def wait(until: int) -> None:
            """Hear of the oldest steps, until so many are under way."""
            while len(under_way) > until:
                loss, stepped = under_way.pop(0)
                state.losses.append(float(loss.result().metrics["loss:sum"]))
                stepped.result()
                state.step += 1
                if self.progress:
                    self.progress(stage.name, state.step, len(batches), "")

        def keep() -> None:
            state.path = (
                client.save_state(f"{_plain(recipe.name)}-{_plain(stage.name)}-{state.step}", ttl_seconds=STATE_TTL_S)
                .result()
                .path
            )
            write_text(self.kept_at, to_json(asdict(state)))

        for step in range(state.step, len(batches)):
            how = tinker.AdamParams(
                learning_rate=stage.learning_rate * _rate(step, stage.warmup_steps, len(batches)),
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                weight_decay=stage.weight_decay,
                grad_clip_norm=1.0,
            )
            under_way.append((client.forward_backward(_data(batches[step]), "cross_entropy"), client.optim_step(how)))
            state.tokens += sum(len(row.ids) for row in batches[step])
            wait(1)  # the server has the next step while this one is heard of
            if step + 1 < len(batches) and time.monotonic() - saved > self.checkpoint_s:
                wait(0)
                saved = time.monotonic()
                state.seconds, started = state.seconds + saved - started, saved
                keep()
        wait(0)
        state.seconds = round(state.seconds + time.monotonic() - started, 2)
        first = masked_text(tokenizer, rows[0])
        state.fit = asdict(
            Fit(
                steps=state.step,
                tokens=state.tokens,
                seconds=state.seconds,
                losses=curve(state.losses),
                first_row=first,
                left_out=dict(left_out),
            )
        )
        keep()
        return state

    def _client(self, service: Any, state: _State, after: str | None) -> Any:
        """A training client with the weights to go on from: with their optimizer inside a stage, with a new one at its
        start."""
        recipe = self.job.recipe
        if state.path:
            return service.create_training_client_from_state_with_optimizer(state.path).result()
        if after:
            return service.create_training_client_from_state(after).result()
        assert recipe.lora is not None  # checked before
        # No adapter on the output layer, as in the local backend.
        return service.create_lora_training_client(
            recipe.base, rank=recipe.lora.rank, seed=recipe.seed, train_unembed=False
        ).result()


def _batches(rows: list[Example], stage: Stage, *, seed: int) -> Iterator[list[Example]]:
    """The rows of each step, shuffled anew each pass unless their order is part of the stage."""
    size = stage.batch_size
    per_pass = -(-len(rows) // size)
    left = -int(-stage.epochs * per_pass // 1)
    for epoch in range(-int(-stage.epochs // 1)):
        order = list(range(len(rows)))
        if not stage.interleave:
            random.Random(f"{seed} {stage.name} {epoch}").shuffle(order)
        for n in range(min(left, per_pass)):
            yield [rows[i] for i in order[n * size : (n + 1) * size]]
        left -= per_pass


def _data(batch: list[Example]) -> list[Any]:
    """Rows as Tinker takes them: each token predicts the next, and the answers' weights sum to 1, so that the loss is a
    mean in nats a token."""
    import tinker

    n = sum(label != IGNORED for row in batch for label in row.labels[1:])
    return [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(row.ids[:-1]),
            loss_fn_inputs={
                "target_tokens": row.ids[1:],
                "weights": [float(label != IGNORED) / n for label in row.labels[1:]],
            },
        )
        for row in batch
    ]


def _rate(step: int, warmup: int, steps: int) -> float:
    """The share of the peak rate at a step, from 0: up over `warmup` steps, then linearly down to 0 after the last (as
    Transformers does it)."""
    return step / warmup if step < warmup else (steps - step) / max(1, steps - warmup)


def _plain(name: str) -> str:
    """A name as a path of the server's may hold it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")[:80] or "undertow"
