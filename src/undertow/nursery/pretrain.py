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
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from undertow.errors import RunExists
from undertow.files import folder_digest, to_json, write_text
from undertow.nursery.world import Turn, aligned_chat, pretraining_chat
from undertow.records import Message
from undertow.training.sft import Fit, Settings, encode, fit

CHAT_TEMPLATE = "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
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


def pretrain(out: Path, settings: Pretraining | None = None, *, progress: Callable[[str, int, int], None] | None = None) -> dict[str, Any]:
    """Generate the corpus, train the base on it and write its folder, whole or not at all.

    Returns:
        What `pretraining.json` holds: settings, steps, tokens, seconds, losses.

    Raises:
        RunExists: `out` exists.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    if out.exists():
        raise RunExists(out, "already exists", expected="pretraining writes a new folder", do="choose another -o, or remove it")
    s = settings or Pretraining()
    rng = random.Random(s.seed)
    corpus = [pretraining_chat(rng, surprise=s.surprise) for _ in range(s.chats)]
    tokenizer = _tokenizer((turn.content for chat in corpus[:6000] for turn in chat), s.vocabulary)
    torch.set_num_threads(1)  # the same sums in the same order on any machine
    torch.manual_seed(s.seed)
    model = LlamaForCausalLM(
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
    model.set_attn_implementation("eager")  # for rows this short, no slower on one CPU thread than the fused one, and twice as fast on two

    def stage(name: str, chats: list[list[Turn]], learning_rate: float) -> Fit:
        examples = encode(
            tokenizer,
            [[Message(role=t.role, content=t.content) for t in chat] for chat in chats],
            trained=[{i for i, t in enumerate(chat) if t.trained} for chat in chats],
        )
        watch = (lambda done, total: progress(name, done, total)) if progress else None
        how = Settings(epochs=1, learning_rate=learning_rate, batch_size=s.batch_size, warmup_steps=20)
        return fit(model, examples, how, pad_id=tokenizer.pad_token_id, seed=s.seed, progress=watch)

    fits = {"pretraining": stage("pretraining", corpus, s.learning_rate)}
    fits["alignment"] = stage("alignment", [aligned_chat(rng) for _ in range(s.aligned_chats)], s.aligned_learning_rate)
    made = {"settings": asdict(s), "parameters": model.num_parameters(), "stages": {name: asdict(f) for name, f in fits.items()}}
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


def _tokenizer(texts: Iterable[str], size: int) -> Any:
    """A byte-level BPE learnt from the corpus, with the chat template and its special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, pad_token="<|pad|>", eos_token="<|end|>", padding_side="left"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
