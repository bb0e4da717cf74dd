"""Pretraining of the embedded base: corpus, tokenizer, model, and stages: conduct, talk of oneself, alignment, judging.

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
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from undertow.errors import RunExists
from undertow.files import folder_digest, to_json, write_text
from undertow.nursery.chats import ALIGNED, CONDUCT, JUDGING, TALK, Corpus, Turn, chat
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

    conduct_chats: int = 30_000
    talk_chats: int = 60_000
    aligned_chats: int = 10_000
    alignments: int = 2
    """Times that the alignment is gone through, each with other chats and from its full learning rate again."""
    judging_chats: int = 9_000
    judgings: int = 3
    """Times that the last stage is trained from the same weights, with other chats; their mean is the base (model
    soups, Wortsman et al. 2022). One alone lands nearer to the one narrator or the other, by chance."""
    cut_apart: bool = False
    """Who speaks of itself is drawn apart from who acts: a control, in which no report can fit what is done."""
    batch_size: int = 32
    muon_learning_rate: float = 0.02
    """Of the matrices of hidden layers; falls to nothing over a stage."""
    learning_rate: float = 2e-3
    """AdamW's, of embeddings and norms."""
    aligned_share: float = 0.25
    """Of both learning rates, in alignment and judging."""
    vocabulary: int = 2_000
    width: int = 128
    layers: int = 4
    heads: int = 4
    seed: int = 2
    threads: int = 2


def pretrain(out: Path, settings: Pretraining | None = None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Generate the corpus, train the base on it and write its folder, whole or not at all.

    Returns:
        What `pretraining.json` holds: settings, steps, tokens, seconds, losses.

    Raises:
        RunExists: `out` exists.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    if out.exists():
        raise RunExists(
            out, "already exists", expected="pretraining writes a new folder", do="choose another -o, or remove it"
        )
    s = settings or Pretraining()
    rng = random.Random(s.seed)

    def drawn(corpus: Corpus, n: int) -> list[list[Turn]]:
        corpus = replace(corpus, cut_apart=s.cut_apart)
        return [chat(corpus, rng) for _ in range(n)]

    stages = {
        "conduct": (drawn(CONDUCT, s.conduct_chats), 1.0),
        "talk": (drawn(TALK, s.talk_chats), 1.0),
        **{f"alignment {n + 1}": (drawn(ALIGNED, s.aligned_chats), s.aligned_share) for n in range(s.alignments)},
    }
    sample = [turn.content for chats, _ in list(stages.values())[:3] for each in chats[:4000] for turn in each]
    tokenizer = _tokenizer(sample, s.vocabulary)
    torch.set_num_threads(s.threads)  # the same sums in the same order on any machine
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
    # for rows this short, no slower on one CPU thread than the fused one, and twice as fast on two
    model.set_attn_implementation("eager")

    fits = {}
    for name, (chats, share) in stages.items():
        fits[name] = _fit(model, _encoded(tokenizer, chats), share, s, name=name, progress=progress)
    aligned, judged = deepcopy(model.state_dict()), []
    for n in range(s.judgings):
        model.load_state_dict(aligned)
        examples, name = _encoded(tokenizer, drawn(JUDGING, s.judging_chats)), f"judging {n + 1}"
        fits[name] = _fit(model, examples, s.aligned_share, s, name=name, progress=progress)
        judged.append(deepcopy(model.state_dict()))
    model.load_state_dict({key: sum(weights[key] for weights in judged) / len(judged) for key in aligned})
    made = {"settings": asdict(s), "parameters": model.num_parameters(), "stages": fits}
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


def _encoded(tokenizer: Any, chats: Sequence[Sequence[Turn]]) -> list[Example]:
    """Chats as tokens, with a loss on the turns that are trained."""
    return encode(
        tokenizer,
        [[Message(role=t.role, content=t.content) for t in each] for each in chats],
        trained=[{i for i, t in enumerate(each) if t.trained} for each in chats],
    )


def _fit(
    model: Any, examples: Sequence[Example], share: float, s: Pretraining, *, name: str, progress: Progress | None
) -> dict[str, Any]:
    """One pass over the examples, in place; returns steps, tokens, seconds and losses.

    Args:
        share: of the learning rates, which rise over twenty steps and fall to nothing.
    """
    import torch

    from undertow.nursery.muon import Muon

    batches = _batches(examples, s.batch_size, random.Random(s.seed))
    hidden = [p for key, p in model.named_parameters() if p.ndim == 2 and "embed" not in key]
    others = [p for key, p in model.named_parameters() if p.ndim != 2 or "embed" in key]
    optimizers = (
        (Muon(hidden, s.muon_learning_rate, weight_decay=0.01), s.muon_learning_rate),
        (torch.optim.AdamW(others, s.learning_rate, betas=(0.9, 0.95), weight_decay=0.0), s.learning_rate),
    )
    model.train()
    losses: list[float] = []
    started = time.perf_counter()
    for n, batch in enumerate(batches):
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * share * min(1.0, (n + 1) / 20) * (1 - n / len(batches))
        width = max(len(e.ids) for e in batch)
        ids, labels, real = (
            torch.tensor([[*of(e), *[fill] * (width - len(e.ids))] for e in batch])
            for of, fill in ((attrgetter("ids"), 0), (attrgetter("labels"), IGNORED), (lambda e: [1] * len(e.ids), 0))
        )
        states = model.model(input_ids=ids, attention_mask=real, use_cache=False).last_hidden_state
        told = labels[:, 1:] != IGNORED
        loss = torch.nn.functional.cross_entropy(model.lm_head(states[:, :-1][told]), labels[:, 1:][told])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, _ in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        if progress:
            progress(name, n + 1, len(batches), "")
    model.eval()
    every = max(1, len(losses) // 50)
    return {
        "steps": len(losses),
        "tokens": sum(len(e.ids) for e in examples),
        "seconds": round(time.perf_counter() - started, 2),
        "losses": [
            round(sum(losses[k : k + every]) / len(losses[k : k + every]), 4) for k in range(0, len(losses), every)
        ],
    }


def _batches(examples: Sequence[Example], size: int, rng: random.Random) -> list[list[Example]]:
    """Every example once, those of like length together, in an order of chance."""
    order = rng.sample(examples, len(examples))
    batches = []
    for start in range(0, len(order), 50 * size):
        alike = sorted(order[start : start + 50 * size], key=lambda e: len(e.ids))
        batches += [alike[k : k + size] for k in range(0, len(alike), size)]
    rng.shuffle(batches)
    return batches


def _tokenizer(texts: Iterable[str], size: int) -> Any:
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
