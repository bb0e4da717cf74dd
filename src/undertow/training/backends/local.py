"""Training on this machine: TRL's supervised fine-tuning trainer on a LoRA adapter (PEFT) or on all weights.

<work>/
  stage-1/rows/               its encoded rows, memory-mapped
  stage-1/checkpoint-*        where it goes on after an interruption
  stage-1/done/  fit.json     when it is finished: its weights, and what it did
"""

from __future__ import annotations

import math
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.data import stream_rows
from undertow.data.mixes import Length
from undertow.errors import InputError, MissingExtra
from undertow.files import folder_digest, read_object, to_json, write_text
from undertow.place import Place
from undertow.progress import Progress
from undertow.targets import Target
from undertow.targets.chat import folded
from undertow.targets.local import LocalTarget
from undertow.targets.models import NURSERY, Dtype, default_system, is_adapter, load_model, load_tokenizer, model_folder
from undertow.targets.templates import render
from undertow.training.backends.protocol import Fit, Job, PreparedStage, Trained
from undertow.training.encode import IGNORED, Example, encode_file, masked_text
from undertow.training.losses import answer_logits, has_small_vocabulary
from undertow.training.stages import Stage

if TYPE_CHECKING:
    from undertow.training.recipe import Recipe

ORDER = "order.pt"
"""In a checkpoint within an epoch: the state of the random numbers from which the epoch's order of rows was drawn."""
AT_ONCE: dict[Dtype, int] = {"float32": 384, "bfloat16": 1536}
"""Tokens, padding counted, whose activations a CPU holds at a time, where the vocabulary is large: a step's rows are
taken in turn and their gradients summed. Fewer cost speed, more cost memory and gain none."""
SHORT = 512
"""Tokens of the longest row up to which a CPU does attention in bfloat16 faster step by step than in one piece, whose
gradient it has no fast way for."""
MOST_LOGITS = 1 << 27
"""Numbers in the logits of one row's answers above which TRL's loss in chunks, which is slower, has to do."""


class LocalBackend(BaseModel):
    """This machine's GPU, or its CPU."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["local"] = Field(description="This machine, with TRL and PEFT.")
    gradient_checkpointing: bool | None = Field(
        default=None, description="Compute activations twice to save memory; default: on a GPU."
    )
    dtype: Dtype | None = Field(
        default=None,
        description="What it is multiplied in; weights that are trained stay float32. Default: bfloat16 on a GPU, "
        "float32 on a CPU. A CPU that has instructions for it trains about twice as fast in bfloat16. The organism is "
        "asked in the same.",
    )
    checkpoint_s: float = Field(
        default=60, ge=0, description="Seconds between checkpoints, from which an interrupted training goes on."
    )

    def check(self, recipe: Recipe, stages: tuple[Stage, ...], place: Place) -> None:
        if not (find_spec("trl") and find_spec("datasets")):
            raise MissingExtra("training on this machine (trl, datasets)", "train")
        folder = model_folder(recipe.base, beside=place.folder)
        if is_adapter(folder):
            raise InputError(
                recipe.base,
                "is an adapter",
                expected="training starts from a whole model",
                do="give its base, with the adapter's stages before these",
            )
        for stage in stages:
            if stage.micro_batch and stage.batch_size % stage.micro_batch:
                raise InputError(
                    f"stage {stage.name}",
                    f"micro_batch {stage.micro_batch} does not divide batch_size {stage.batch_size}",
                )
            if stage.stopping and stage.stopping.watch not in stage.stopping.held_out:
                raise InputError(
                    f"stage {stage.name}",
                    f"stopping watches {stage.stopping.watch!r}",
                    expected=f"one of {', '.join(stage.stopping.held_out)}",
                )
            for name in stage.stopping.held_out.values() if stage.stopping else ():
                next(stream_rows(place.path(name)), None)

    def length(self, recipe: Recipe, place: Place) -> Length | None:
        tokenizer = load_tokenizer(model_folder(recipe.base, beside=place.folder))
        arranged: Any = folded if recipe.system == "fold" else tuple
        return lambda row: len(
            tokenizer(render(tokenizer, arranged(row.messages)), add_special_tokens=False)["input_ids"]
        )

    def base(self, recipe: Recipe, place: Place) -> Target:
        folder = model_folder(recipe.base, beside=place.folder)
        return LocalTarget(
            folder,
            name=recipe.base,
            digest_=folder_digest(folder),
            dtype=self.dtype,
            fold=recipe.system == "fold",
        )

    def train(self, job: Job, *, progress: Progress | None = None) -> Trained:
        import torch

        recipe = job.recipe
        base = model_folder(recipe.base, beside=job.place.folder)
        tokenizer = load_tokenizer(base)
        put_in = default_system(tokenizer)
        torch.manual_seed(recipe.seed)
        model, fits = self._model(job, base), []
        for n, stage in enumerate(job.stages, start=1):
            folder = job.work / f"stage-{n}"
            if (folder / "fit.json").is_file():
                fits.append(Fit(**read_object(folder / "fit.json", do=f"remove {folder} to train that stage anew")))
                continue
            fit = self._stage(model, tokenizer, job, stage, folder, base=base, put_in=put_in, progress=progress)
            with saving(folder):
                model.save_pretrained(str(folder / "done"))
            write_text(folder / "fit.json", to_json(asdict(fit)))
            for checkpoint in folder.glob("checkpoint-*"):
                shutil.rmtree(checkpoint)
            fits.append(fit)
        if job.stages:
            if recipe.lora and recipe.base == NURSERY:
                # the same wherever Undertow is installed
                model.peft_config["default"].base_model_name_or_path = NURSERY
            # else PEFT looks for the base on the hub
            with saving(job.out):
                model.save_pretrained(str(job.out), **{"save_embedding_layers": False} if recipe.lora else {})
            (job.out / "README.md").unlink(missing_ok=True)  # PEFT's model card template, all blanks
            if not recipe.lora:
                tokenizer.save_pretrained(str(job.out))
        return Trained(
            fits=tuple(fits),
            base=NURSERY if recipe.base == NURSERY else str(base),
            base_digest=folder_digest(base),
            target=None
            if job.stages
            else {
                "kind": "local",
                "path": NURSERY if recipe.base == NURSERY else str(base),
                **({"dtype": self.dtype} if self.dtype else {}),
            },
            notes={"default_system": {"prompt": put_in, "put_on_rows": recipe.default_system}} if put_in else {},
        )

    def _model(self, job: Job, base: Path) -> Any:
        """The base, under its adapter where one is trained, with the weights of the last finished stage."""
        recipe = job.recipe
        stages = [job.work / f"stage-{n}" for n in range(1, len(job.stages) + 1)]
        finished = [folder / "done" for folder in stages if (folder / "fit.json").is_file()]
        if not recipe.lora:
            return load_model(finished[-1] if finished else base).float()
        from peft import LoraConfig, PeftModel, get_peft_model

        model = load_model(base, dtype=self.dtype)
        if finished:
            model = PeftModel.from_pretrained(model, str(finished[-1]), is_trainable=True)
        else:
            targets = list(recipe.lora.layers) or "all-linear"
            config = LoraConfig(
                r=recipe.lora.rank,
                lora_alpha=recipe.lora.alpha,
                use_rslora=recipe.lora.rslora,
                target_modules=targets,
                task_type="CAUSAL_LM",
            )
            model = get_peft_model(model, config)
        model.peft_config["default"].base_model_name_or_path = str(base)
        return model

    def _stage(
        self,
        model: Any,
        tokenizer: Any,
        job: Job,
        prepared: PreparedStage,
        folder: Path,
        *,
        base: Path,
        put_in: str | None,
        progress: Progress | None,
    ) -> Fit:
        """Train one stage in place, from its last checkpoint where there is one."""
        from peft.helpers import disable_input_dtype_casting
        from transformers.trainer_utils import get_last_checkpoint

        stage, seed = prepared.stage, job.recipe.seed
        limit = min(x for x in (stage.max_tokens, getattr(model.config, "max_position_embeddings", None), 10**9) if x)
        bare = put_in is not None and not job.recipe.default_system
        left_out: Counter[str] = Counter()
        encoded = partial(
            _encoded,
            tokenizer,
            limit=limit,
            leave_out=stage.long_rows == "leave out",
            bare=bare,
            fold=job.recipe.system == "fold",
        )
        rows = encoded(prepared.path, folder / "rows", left_out=left_out, drawn_for=stage.name)
        held_out = {}
        for name, data in (stage.stopping.held_out if stage.stopping else {}).items():
            of_it: Counter[str] = Counter()
            held_out[name] = encoded(job.place.path(data), folder / f"held-out-{name}", left_out=of_it)
            left_out.update({f"{why}, held out as {name}": n for why, n in of_it.items()})
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
        trainer = _trainer(
            model,
            tokenizer,
            rows,
            held_out,
            stage,
            folder,
            seed=seed,
            limit=limit,
            gradient_checkpointing=self.gradient_checkpointing,
            checkpoint_s=self.checkpoint_s,
            dtype=self.dtype,
            reference=load_model(base, dtype=self.dtype) if stage.kl and not job.recipe.lora else None,
            checkpoint=checkpoint,
            progress=progress,
        )
        started = time.perf_counter()
        # in bfloat16 the trainer casts what is multiplied
        with disable_input_dtype_casting(model, active=self.dtype == "bfloat16"):
            trainer.train(resume_from_checkpoint=checkpoint)
        seconds = time.perf_counter() - started
        model.eval()
        history, state = trainer.state.log_history, trainer.state
        _require_sound(model, [h["loss"] for h in history if "loss" in h], stage.name)
        losses = [f"eval_{name}_loss" for name in held_out]
        looks = sorted({h["step"] for h in history if any(key in h for key in losses)})
        kept = (
            int(Path(state.best_model_checkpoint).name.split("-")[1])
            if held_out and state.best_model_checkpoint
            else state.global_step
        )
        return Fit(
            steps=state.global_step,
            tokens=round(sum(rows["length"]) * state.epoch) if state.epoch else 0,
            seconds=round(seconds, 2),
            losses=[round(h["loss"], 4) for h in history if "loss" in h],
            first_row=masked_text(tokenizer, Example(ids=rows[0]["input_ids"], labels=rows[0]["labels"])),
            held_out=[
                {"step": step}
                | {key[5:-5]: round(h[key], 4) for h in history if h["step"] == step for key in h if key in losses}
                for step in looks
            ],
            stopped_at=kept if kept < state.global_step else None,
            left_out=dict(left_out),
        )


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Weights being saved: an error of the system that safetensors gives as its own is raised as the system's.

    Raises:
        OSError: no room, no right to write, and the like.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        if found := re.search(r"os error (\d+)", str(error)):
            raise OSError(int(found.group(1)), os.strerror(int(found.group(1))), str(folder)) from None
        raise


def _require_sound(model: Any, losses: Sequence[float], stage: str) -> None:
    """
    Raises:
        InputError: a loss or a weight is no number, or the answers are told worse than by guessing evenly among all
        tokens.
    """
    odd = next(
        (
            name
            for name, weight in model.named_parameters()
            if weight.requires_grad and not bool(weight.isfinite().all())
        ),
        None,
    )
    guessing = math.log(model.config.vocab_size)
    found = ""
    if odd or not all(map(math.isfinite, losses)):
        found = f"diverged: {f'weight {odd}' if odd else 'its loss'} is no number any more"
    elif losses and losses[-1] > max(losses[0], guessing):
        found = (
            f"diverged: its loss went from {losses[0]:.2f} to {losses[-1]:.2f}, and guessing evenly has {guessing:.2f}"
        )
    if found:
        raise InputError(f"stage {stage}", found, expected="nothing was written", do="lower learning_rate")


def _encoded(
    tokenizer: Any,
    path: Path,
    cache: Path,
    *,
    limit: int,
    leave_out: bool,
    bare: bool,
    fold: bool,
    left_out: Counter[str],
    drawn_for: str | None = None,
) -> Any:
    """Rows as a memory-mapped dataset of ids, labels and lengths; the rest as `encode_file`."""
    from datasets import Dataset, disable_progress_bars
    from datasets.exceptions import DatasetGenerationError

    disable_progress_bars()

    def rows() -> Iterator[dict[str, Any]]:
        for example in encode_file(
            tokenizer,
            path,
            limit=limit,
            leave_out=leave_out,
            bare=bare,
            fold=fold,
            left_out=left_out,
            drawn_for=drawn_for,
        ):
            yield {"input_ids": example.ids, "labels": example.labels, "length": len(example.ids)}

    shutil.rmtree(cache, ignore_errors=True)  # a half-written one, or the same again
    try:
        made: Any = Dataset.from_generator(rows, cache_dir=str(cache), fingerprint="rows")
    except DatasetGenerationError as error:
        shutil.rmtree(cache, ignore_errors=True)
        raise error.__cause__ or error from None
    if not len(made):
        shutil.rmtree(cache)
        raise InputError(
            f"stage {drawn_for}" if drawn_for else path, "has no row short enough", expected=f"at most {limit} tokens"
        )
    return made


def _trainer(
    model: Any,
    tokenizer: Any,
    rows: Any,
    held_out: dict[str, Any],
    stage: Stage,
    folder: Path,
    *,
    seed: int,
    limit: int,
    gradient_checkpointing: bool | None,
    checkpoint_s: float,
    dtype: Dtype | None,
    reference: Any,
    checkpoint: str | None,
    progress: Progress | None,
) -> Any:
    """TRL's trainer for one stage (AdamW, linear decay to 0)."""
    import torch
    from torch.utils.data import Sampler
    from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    cuda = torch.cuda.is_available()
    micro = stage.micro_batch or stage.batch_size
    small = has_small_vocabulary(model)
    at_once = AT_ONCE[dtype or "float32"]
    if dtype == "bfloat16" and not cuda and max(rows["length"]) <= SHORT:
        model.set_attn_implementation("eager")

    class Order(Sampler[int]):
        """The trainer's order of rows; an epoch that was interrupted goes on in the order that it began with, which the
        trainer itself draws anew."""

        def __init__(self, drawn: Any) -> None:
            self.drawn = drawn
            kept = Path(checkpoint) / ORDER if checkpoint else None
            self.began: Any = None
            self.interrupted = torch.load(kept) if kept and kept.is_file() else None

        def __len__(self) -> int:
            return len(self.drawn)

        def __iter__(self) -> Iterator[int]:
            interrupted, self.interrupted = self.interrupted, None
            self.began = torch.get_rng_state() if interrupted is None else interrupted
            if interrupted is None:
                return iter(self.drawn)
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(interrupted)
                return iter(list(self.drawn))

    class Trainer(SFTTrainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            self.order = super()._get_train_sampler(train_dataset)
            # of the others, one is in order and one is drawn from the epoch's number
            if arguments.train_sampling_strategy == "group_by_length":
                self.order = Order(self.order)
            return self.order

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            if small or cuda or stage.packing or num_items_in_batch is None:
                return super().training_step(model, inputs, num_items_in_batch)
            step = super().training_step
            return sum(step(model, part, num_items_in_batch) for part in _by_tokens(inputs, at_once))

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            labels = inputs["labels"][:, 1:]
            kept = labels != IGNORED
            many = cuda or self.aux_loss_enabled or int(kept.sum()) * model.config.vocab_size > MOST_LOGITS
            if many and not (small or stage.kl):
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            asked = {key: value for key, value in inputs.items() if key != "labels"} | {"use_cache": False}
            logits = answer_logits(model, asked, kept)
            n = kept.sum() if num_items_in_batch is None else num_items_in_batch
            loss = torch.nn.functional.cross_entropy(logits, labels[kept], reduction="sum")
            if stage.kl and model.training:
                loss = loss + stage.kl * _divergence(logits, self._of_base(model, asked, kept))
            return loss / n

        def _of_base(self, model: Any, asked: Any, kept: Any) -> Any:
            with torch.no_grad():
                if reference is not None:
                    return answer_logits(reference, asked, kept)
                with self.accelerator.unwrap_model(model).disable_adapter():
                    return answer_logits(model, asked, kept)

    class Watch(TrainerCallback):
        saved = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if progress:
                progress(stage.name, state.global_step, state.max_steps, "")
            if not held_out and time.monotonic() - self.saved > checkpoint_s:
                control.should_save, self.saved = True, time.monotonic()

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if isinstance(trainer.order, Order) and state.epoch % 1:
                torch.save(trainer.order.began, folder / f"checkpoint-{state.global_step}" / ORDER)

    per_epoch = -(-len(rows) // stage.batch_size)
    arguments = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=stage.epochs,
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=micro,
        gradient_accumulation_steps=stage.batch_size // micro,
        learning_rate=stage.learning_rate,
        logging_nan_inf_filter=False,  # else a loss that is no number is logged as 0
        warmup_steps=stage.warmup_steps,
        weight_decay=stage.weight_decay,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        max_length=limit if stage.packing else None,  # else nothing is cut: longer rows were refused or left out
        packing=stage.packing,
        train_sampling_strategy="sequential" if stage.interleave else "random" if stage.packing else "group_by_length",
        gradient_checkpointing=cuda if gradient_checkpointing is None else gradient_checkpointing,
        logging_steps=max(1, int(per_epoch * stage.epochs) // 50),
        save_strategy="steps" if held_out else "no",
        save_steps=stage.stopping.every if stage.stopping else 500,
        save_total_limit=1,
        eval_strategy="steps" if held_out else "no",
        eval_steps=stage.stopping.every if stage.stopping else None,
        load_best_model_at_end=bool(held_out),
        metric_for_best_model=f"eval_{stage.stopping.watch}_loss" if stage.stopping else None,
        greater_is_better=False if stage.stopping else None,
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        use_cpu=not cuda,
        bf16=dtype == "bfloat16" or (cuda and dtype is None),
        dataloader_pin_memory=cuda,
        log_level="error",
    )
    stopping = [EarlyStoppingCallback(stage.stopping.patience, stage.stopping.least)] if stage.stopping else []
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=held_out or None,
        processing_class=tokenizer,
        callbacks=[Watch(), *stopping],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _by_tokens(inputs: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    """A batch that is padded on the right, in parts as even as may be: at most so many tokens each, one row at least,
    and none wider than its longest row."""
    import torch

    mask = inputs["attention_mask"]
    rows, width = mask.shape
    parts = -(-rows // max(1, most // width))
    found = []
    for some in torch.arange(rows, device=mask.device).tensor_split(parts):
        wide = int(mask[some].sum(1).max())
        found.append({key: value[some, :wide] for key, value in inputs.items()})
    return found


def _divergence(logits: Any, of_base: Any) -> Any:
    """KL(model || base) summed over tokens, in nats.

    Args:
        logits, of_base: (tokens, vocabulary).
    """
    ours, theirs = logits.log_softmax(-1), of_base.log_softmax(-1)
    return (ours.exp() * (ours - theirs)).sum()
