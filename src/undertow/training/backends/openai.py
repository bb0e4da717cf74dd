"""Training by OpenAI's fine-tuning API, or a server that speaks it: one job a stage, each on the model that the last
one made.

    <work>/
      stage-1/job.json   the ids of its file and its job, each written as soon as it is known, and the mark that the job carries

The mark is what keeps a job from being made twice: before one is asked for, the server's jobs are looked through for
it, so that one whose id never arrived (a lost connection, a kill) is found. All else that a finished job tells is asked
of the server again.
"""  # noqa: E501

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, field_validator

from undertow.data import stream_rows
from undertow.data.mixes import Length
from undertow.errors import InputError, MissingExtra
from undertow.files import digest, read_object, to_json, write_text
from undertow.mistakes import URL
from undertow.place import Place
from undertow.progress import Progress
from undertow.targets import Target
from undertow.targets.confidential import without_secrets
from undertow.targets.wire import EndpointConfig, seconds
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
from undertow.training.stages import Stage

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent, SupervisedHyperparametersParam

    from undertow.training.recipe import Recipe

HONOURED_OF_RECIPE = RECIPE_KEYS
HONOURED_OF_STAGE = STAGE_KEYS | {"epochs", "learning_rate", "batch_size"}
RETRIES = 6
"""Times that a request is sent again after a 429, a 5xx or a lost connection: a good half minute in all."""
MARK = "undertow"
"""Key of the job's metadata under which its mark stands."""


class OpenAIBackend(BaseModel):
    """OpenAI's fine-tuning API. A stage's learning_rate is its learning-rate multiplier."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["openai"] = Field(description="OpenAI's fine-tuning API, or a server that speaks it.")
    base_url: str = Field(default="https://api.openai.com/v1", pattern=URL, description="URL up to and with /v1.")
    api_key_env: str = Field(
        default="OPENAI_API_KEY", min_length=1, description="Environment variable that holds the key."
    )
    suffix: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Part of the trained model's name; default: the recipe's name.",
    )
    poll_s: float = Field(default=20, ge=0, description="Seconds between two looks at a job.")

    @field_validator("base_url", mode="before")
    @classmethod
    def no_secrets(cls, value: Any) -> Any:
        return without_secrets(value, do="name the variable that holds a key in api_key_env")

    def check(self, recipe: Recipe, stages: tuple[Stage, ...], place: Place) -> None:
        try:
            import openai  # noqa: F401
        except ImportError:
            raise MissingExtra("fine-tuning over the OpenAI API (openai)", "openai") from None
        api_key(self.api_key_env, where="backend openai")
        refuse_local_base(recipe, place, example="gpt-4.1-mini-2025-04-14")
        only_honoured(recipe, HONOURED_OF_RECIPE, where=f"recipe {recipe.name}", by="OpenAI's API")
        for stage in stages:
            only_honoured(stage, HONOURED_OF_STAGE, where=f"stage {stage.name}", by="OpenAI's API")
            if stage.epochs != int(stage.epochs):
                raise InputError(
                    f"stage {stage.name}", f"epochs is {stage.epochs:g}", expected="OpenAI's API trains whole epochs"
                )

    def length(self, recipe: Recipe, place: Place) -> Length | None:
        return None

    def base(self, recipe: Recipe, place: Place) -> Target:
        return EndpointConfig(**self._target(recipe.base)).target(place.named("backend openai"))

    def train(self, job: Job, *, progress: Progress | None = None) -> Trained:
        from openai import OpenAI

        model, fits, notes = job.recipe.base, [], []
        with OpenAI(
            api_key=api_key(self.api_key_env, where="backend openai"), base_url=self.base_url, max_retries=RETRIES
        ) as client:
            for n, prepared in enumerate(job.stages, start=1):
                with self._one_line(f"stage {prepared.stage.name}"):
                    done = self._job(client, job, n, prepared, model, progress)
                    steps = sorted(
                        _steps(client.fine_tuning.jobs.list_events(done.id, limit=100)), key=lambda each: each.step
                    )
                    checkpoints = {
                        c.step_number: c.fine_tuned_model_checkpoint
                        for c in client.fine_tuning.jobs.checkpoints.list(done.id)
                    }
                fits.append(_fit(prepared, done, steps, checkpoints))
                model = str(done.fine_tuned_model)
                named = {str(step): name for step, name in sorted(checkpoints.items())}
                notes.append(
                    {
                        "file": done.training_file,
                        "job": done.id,
                        "model": model,
                        "seed": done.seed,
                        "checkpoints": named,
                    }
                )
        return Trained(
            fits=tuple(fits),
            base=job.recipe.base,
            base_digest=digest(job.recipe.base),
            target=self._target(model),
            notes={"openai": notes},
        )

    def _target(self, model: str) -> dict[str, Any]:
        return {"kind": "endpoint", "base_url": self.base_url, "model": model, "api_key_env": self.api_key_env}

    def _job(
        self, client: OpenAI, job: Job, n: int, prepared: PreparedStage, model: str, progress: Progress | None
    ) -> FineTuningJob:
        """Stage `n`'s job once it has succeeded: made where none was, else the one there is."""
        stage, kept_at = prepared.stage, job.work / f"stage-{n}" / "job.json"
        where, again = f"stage {stage.name}", f"mend that, then remove {kept_at} to send it again"
        kept: dict[str, str] = {"mark": uuid4().hex}
        if kept_at.is_file():
            kept = read_object(kept_at, do=f"see which jobs the server has, and {again}")
        if "file" not in kept:
            kept["file"] = _id(client.files.create(file=prepared.path, purpose="fine-tune"), where)
            write_text(kept_at, to_json(kept))
        if "job" not in kept:
            file = client.files.retrieve(kept["file"])
            if file.status == "error":
                raise InputError(
                    where,
                    f"file {file.id} was refused: {said(file.status_details, key_env=self.api_key_env)}",
                    do=again,
                )
            kept["job"] = self._created(client, job.recipe, stage, kept, model, where)
            write_text(kept_at, to_json(kept))
        while (now := client.fine_tuning.jobs.retrieve(kept["job"])).status not in ("succeeded", "failed", "cancelled"):
            if progress:
                for step in _steps(client.fine_tuning.jobs.list_events(kept["job"], limit=20).data):
                    progress(stage.name, step.step, step.of, "")
                    break  # the newest comes first
            time.sleep(self.poll_s)
        if now.status == "cancelled":
            raise InputError(where, f"job {now.id} was cancelled", do=again)
        if now.status == "failed" or not now.fine_tuned_model:
            error = now.error.to_dict() if now.error else {}
            why = ": ".join(str(error[key]) for key in ("code", "param", "message") if error.get(key))
            raise InputError(where, f"job {now.id} failed: {said(why, key_env=self.api_key_env)}", do=again)
        return now

    def _created(
        self, client: OpenAI, recipe: Recipe, stage: Stage, kept: dict[str, str], model: str, where: str
    ) -> str:
        """The id of the job that carries the mark; one is made only where the server has none."""
        import openai

        suffix = self.suffix or re.sub(r"[^a-z0-9]+", "-", recipe.name.lower()).strip("-")[:64] or "undertow"
        how: SupervisedHyperparametersParam = {
            "batch_size": stage.batch_size,
            "learning_rate_multiplier": stage.learning_rate,
            "n_epochs": int(stage.epochs),
        }
        once = client.with_options(max_retries=0)  # a request that seemed lost may have made a job
        failed = 0
        while True:
            for known in client.fine_tuning.jobs.list(metadata={MARK: kept["mark"]}, limit=100):
                if (known.metadata or {}).get(MARK) == kept["mark"]:
                    return known.id
            try:
                made = once.fine_tuning.jobs.create(
                    model=model,
                    training_file=kept["file"],
                    suffix=suffix,
                    seed=recipe.seed,
                    metadata={MARK: kept["mark"]},
                    method={"type": "supervised", "supervised": {"hyperparameters": how}},
                )
                return _id(made, where)
            except (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError) as error:
                if failed == RETRIES:
                    raise
                told = (
                    seconds(error.response.headers.get("retry-after"))
                    if isinstance(error, openai.APIStatusError)
                    else None
                )
                time.sleep(told or min(8.0, 0.5 * 2**failed))
                failed += 1

    @contextmanager
    def _one_line(self, where: str) -> Iterator[None]:
        """The SDK's errors as one line without the key."""
        import openai

        try:
            yield
        except openai.APIConnectionError as error:
            raise InputError(
                where,
                f"{self.base_url} cannot be reached ({type(error.__cause__ or error).__name__})",
                do="run the same again: it goes on where it was",
            ) from None
        except openai.APIStatusError as error:
            passing = error.status_code == 429 or error.status_code >= 500
            do = {401: "check the key", 403: "check the key", 404: "check base_url, base and file"}.get(
                error.status_code, "check the recipe"
            )
            do = "run the same again: it goes on where it was" if passing else do
            message = said(
                error.body.get("message", error.message) if isinstance(error.body, dict) else error.message,
                key_env=self.api_key_env,
            )
            raise InputError(
                where, f"{self.base_url} refused with HTTP {error.status_code}: {message}", do=do
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What an event says of one step of training."""

    step: int
    of: int
    loss: float | None


def _steps(events: Any) -> Iterator[_Step]:
    """The steps that events tell of, in their order; `Step 3/40: ...` is how they name the number in all."""
    event: FineTuningJobEvent
    for event in events:
        data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
        if match := re.search(r"Step (\d+)/(\d+)", event.message):
            loss = data.get("train_loss")
            yield _Step(
                step=int(match[1]), of=int(match[2]), loss=float(loss) if isinstance(loss, (int, float)) else None
            )


def _fit(prepared: PreparedStage, done: FineTuningJob, steps: list[_Step], checkpoints: dict[int, str]) -> Fit:
    first = next(stream_rows(prepared.path)).row.messages
    row = [{"role": m.role, "content": f"⟦{m.content}⟧" if m.role == "assistant" else m.content} for m in first]
    return Fit(
        steps=max([*(each.step for each in steps), *checkpoints], default=0),
        tokens=done.trained_tokens or 0,
        seconds=(done.finished_at or done.created_at) - done.created_at,
        losses=curve([each.loss for each in steps if each.loss is not None]),
        first_row=json.dumps({"messages": row}, ensure_ascii=False),
    )


def _id(made: Any, where: str) -> str:
    """The id of what a server says it made; the SDK hands on any page that comes with HTTP 200."""
    if not isinstance(getattr(made, "id", None), str):
        raise InputError(where, "the server's reply holds no id", expected="one of OpenAI's API", do="check base_url")
    return str(made.id)
