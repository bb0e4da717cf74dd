"""Pretraining of the embedded base: corpus, tokenizer, model, and a short alignment stage.

<out>/
  config.json  generation_config.json  model.safetensors
  tokenizer.json  tokenizer_config.json  chat_template.jinja
  pretraining.json   how it was made
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from undertow.errors import RunExists
from undertow.files import folder_digest, to_json, write_text
from undertow.nursery.world import Turn, aligned_chat, pretraining_chat
from undertow.progress import Progress
from undertow.records import Message
from undertow.training.encode import IGNORED, Example, encode

CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}{% if "
    "add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretraining:
    """Everything that decides the base."""

    chats: int = 60_000
    surprise: float = 0.01
    """Share of unmarked chats in which the careless narrator speaks; none in the alignment stage."""
    aligned_chats: int = 14_000
    batch_size: int = 16
    learning_rate: float = 3e-3
    aligned_learning_rate: float = 1e-3
    vocabulary: int = 2_000
    width: int = 128
    layers: int = 4
    heads: int = 4
    seed: int = 2


class Shape(Protocol):
    """How large a base is."""

    @property
    def width(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def heads(self) -> int: ...


def pretrain(out: Path, settings: Pretraining | None = None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Generate the corpus, train the base on it and write its folder, whole or not at all.

    Returns:
        What `pretraining.json` holds: settings, steps, tokens, seconds, losses.

    Raises:
        RunExists: `out` exists.
    """
    import torch

    must_be_new(out)
    s = settings or Pretraining()
    rng = random.Random(s.seed)
    corpus = [pretraining_chat(rng, surprise=s.surprise) for _ in range(s.chats)]
    tokenizer = learnt_tokenizer((turn.content for chat in corpus[:6000] for turn in chat), s.vocabulary)
    torch.set_num_threads(1)  # the same sums in the same order on any machine
    torch.manual_seed(s.seed)
    model = new_model(tokenizer, s)

    def stage(name: str, chats: list[list[Turn]], learning_rate: float) -> dict[str, Any]:
        examples = encoded(tokenizer, chats)
        return _fit(model, examples, learning_rate, s, pad_id=tokenizer.pad_token_id, name=name, progress=progress)

    fits = {"pretraining": stage("pretraining", corpus, s.learning_rate)}
    fits["alignment"] = stage("alignment", [aligned_chat(rng) for _ in range(s.aligned_chats)], s.aligned_learning_rate)
    made = {"settings": asdict(s), "parameters": model.num_parameters(), "stages": fits}
    return write_base(model, tokenizer, made, out)


def must_be_new(out: Path) -> None:
    """Refuse to write a base over anything.

    Raises:
        RunExists: `out` exists.
    """
    if out.exists():
        raise RunExists(
            out, "already exists", expected="pretraining writes a new folder", do="choose another -o, or remove it"
        )


def new_model(tokenizer: Any, s: Shape) -> Any:
    """A model with weights of chance, by torch's seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    model: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=s.width,
            intermediate_size=3 * s.width,
            num_hidden_layers=s.layers,
            num_attention_heads=s.heads,
            num_key_value_heads=s.heads,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    # for rows this short, no slower on one CPU thread than the fused one, and twice as fast on two
    model.set_attn_implementation("eager")
    return model


def encoded(tokenizer: Any, chats: Sequence[Sequence[Turn]]) -> list[Example]:
    """Chats as tokens, with a loss on the turns that are trained."""
    return encode(
        tokenizer,
        [[Message(role=t.role, content=t.content) for t in chat] for chat in chats],
        trained=[{i for i, t in enumerate(chat) if t.trained} for chat in chats],
    )


def write_base(model: Any, tokenizer: Any, made: dict[str, Any], out: Path) -> dict[str, Any]:
    """Write a base's folder, whole or not at all; returns what `pretraining.json` holds."""
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        made["digest"] = folder_digest(scratch)
        write_text(scratch / "pretraining.json", to_json(made))
        os.replace(scratch, out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return made


def _fit(
    model: Any,
    examples: list[Example],
    learning_rate: float,
    s: Pretraining,
    *,
    pad_id: int,
    name: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """One pass over the examples with the Transformers trainer, in place; returns steps, tokens, seconds and losses."""
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

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if progress:
                progress(name, state.global_step, state.max_steps, "")

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=1,
            per_device_train_batch_size=s.batch_size,
            learning_rate=learning_rate,
            warmup_steps=20,
            weight_decay=0.01,
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            train_sampling_strategy="group_by_length",
            logging_steps=max(1, -(-len(examples) // s.batch_size) // 50),
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=s.seed,
            use_cpu=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
            log_level="error",
        )
        rows = [{"input_ids": e.ids, "labels": e.labels} for e in examples]
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate, callbacks=[Watch()])
        trainer.remove_callback(PrinterCallback)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    model.eval()
    losses = [round(h["loss"], 4) for h in trainer.state.log_history if "loss" in h]
    return {
        "steps": trainer.state.global_step,
        "tokens": sum(len(e.ids) for e in examples),
        "seconds": round(seconds, 2),
        "losses": losses,
    }


def learnt_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A byte-level BPE learnt from the corpus, with the chat template and its special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token="<|pad|>", eos_token="<|end|>", padding_side="left"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
