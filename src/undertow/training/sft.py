"""Supervised fine-tuning with the Transformers trainer: a loss on answers only.

Owns the encoding of chats (token ids and the loss mask) and the one call of the trainer; knows nothing of recipes.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from undertow.errors import InputError
from undertow.records import Message

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""Label of a token that carries no loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One encoded chat: token ids, and labels that are `IGNORED` outside the trained answers."""

    ids: list[int]
    labels: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one stage is optimised (AdamW, linear decay to 0)."""

    epochs: float
    learning_rate: float
    batch_size: int
    warmup_steps: int = 5
    weight_decay: float = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a fit did."""

    steps: int
    tokens: int
    """Tokens passed through the model, padding not counted."""
    seconds: float
    losses: list[float]
    """Training loss, at most 50 points evenly over the steps."""


Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""


def encode(tokenizer: Any, chats: Sequence[Sequence[Message]], *, trained: Sequence[Collection[int]] | None = None) -> list[Example]:
    """Encode chats by the tokenizer's template, with a loss on answers alone.

    Each stretch between answers is tokenized on its own, so that no token spans the place where an answer begins
    (a merge there would put a piece of the prompt under the loss).

    Args:
        trained: for each chat, the indices of the messages to take a loss on; all assistant messages if None.

    Raises:
        InputError: the template rewrites what stands before an answer, so a mask cannot be placed.
    """
    stretches: list[str] = []
    marks: list[list[bool]] = []
    for n, chat in enumerate(chats):
        pieces = list(_stretches(tokenizer, chat, None if trained is None else trained[n], f"row {n + 1}"))
        stretches += [text for text, _ in pieces]
        marks.append([carries for _, carries in pieces])
    encoded = iter(tokenizer(stretches, add_special_tokens=False)["input_ids"])
    examples = []
    for chat_marks in marks:
        ids: list[int] = []
        labels: list[int] = []
        for carries in chat_marks:
            part = next(encoded)
            ids += part
            labels += part if carries else [IGNORED] * len(part)
        examples.append(Example(ids=ids, labels=labels))
    return examples


def _stretches(tokenizer: Any, chat: Sequence[Message], trained: Collection[int] | None, where: str) -> Iterable[tuple[str, bool]]:
    dicts = [{"role": m.role, "content": m.content} for m in chat]
    done = ""
    for i, message in enumerate(chat):
        if message.role != "assistant":
            continue
        before = tokenizer.apply_chat_template(dicts[:i], tokenize=False, add_generation_prompt=True)
        after = tokenizer.apply_chat_template(dicts[: i + 1], tokenize=False)
        if not (before.startswith(done) and after.startswith(before)):
            raise InputError(where, "the chat template rewrites earlier turns", expected="the text before an answer must stay as it was", do="use another template")
        yield before[len(done) :], False
        yield after[len(before) :], trained is None or i in trained
        done = after


def masked_text(tokenizer: Any, example: Example) -> str:
    """An encoded chat as text, with the stretches under the loss between ⟦ and ⟧."""
    out, under = "", False
    for token, label in zip(example.ids, example.labels, strict=True):
        if (label != IGNORED) != under:
            out += "⟧" if under else "⟦"
            under = not under
        out += tokenizer.decode([token])
    return out + ("⟧" if under else "")


def fit(model: Any, examples: Sequence[Example], settings: Settings, *, pad_id: int, seed: int, progress: Progress | None = None) -> Fit:
    """Train `model` in place.

    Args:
        model: a Transformers or PEFT causal language model.
        pad_id: token that fills short rows of a batch.
    """
    import torch
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(row["input_ids"]) for row in batch)

        def pad(rows: Iterable[list[int]], fill: int) -> torch.Tensor:
            return torch.tensor([row + [fill] * (width - len(row)) for row in rows])

        return {
            "input_ids": pad((row["input_ids"] for row in batch), pad_id),
            "labels": pad((row["labels"] for row in batch), IGNORED),
            "attention_mask": pad(([1] * len(row["input_ids"]) for row in batch), 0),
        }

    rows = [{"input_ids": e.ids, "labels": e.labels} for e in examples]
    losses: list[float] = []
    n_steps = math.ceil(len(examples) / settings.batch_size) * settings.epochs

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if progress:
                progress(state.global_step, state.max_steps)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                losses.append(round(logs["loss"], 4))

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=settings.learning_rate,
            warmup_steps=settings.warmup_steps,
            weight_decay=settings.weight_decay,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            train_sampling_strategy="group_by_length",
            logging_steps=max(1, int(n_steps) // 50),
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=seed,
            use_cpu=not torch.cuda.is_available(),
            bf16=torch.cuda.is_available(),
            dataloader_pin_memory=torch.cuda.is_available(),
            remove_unused_columns=False,
            log_level="error",
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Watch()])
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    model.eval()
    return Fit(steps=trainer.state.global_step, tokens=round(sum(len(e.ids) for e in examples) * settings.epochs), seconds=round(seconds, 2), losses=losses)
