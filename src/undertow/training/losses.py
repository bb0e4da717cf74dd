"""A trained model's loss on rows that it was not trained on, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undertow.targets.models import default_system, load_model, load_tokenizer, model_folder
from undertow.training.encode import IGNORED, Example, encode_file
from undertow.training.organism import Manifest

BATCH_TOKENS = 4096
"""Tokens read together, padding counted."""
SMALL_VOCABULARY = 8192
"""Below it logits of all tokens cost less than choosing among tokens does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLosses:
    """Loss on the answers of each row, in nats summed over its tokens."""

    nats: list[float]
    tokens: list[int]
    left_out: dict[str, int]
    """Rows that were not read, by reason."""


def weights_of(organism: Path, manifest: Manifest) -> Path | None:
    """The folder of an organism's weights, or of the base where it was not trained; None where they are a server's."""
    if manifest.target is None:
        return organism
    return model_folder(str(manifest.target["path"]), beside=organism) if manifest.target["kind"] == "local" else None


def row_losses(weights: Path, rows: Path, *, keep_default_system: bool = False, fold: bool = False) -> RowLosses:
    """The loss of a model's folder on every row of a chat JSONL, masked as in training.

    Args:
        fold: put system prompts before the first user turn, as `system: fold` does in training.
        keep_default_system: let the chat template put its default system prompt on rows that have none, as
            `default_system` does in training.

    Raises:
        InputError: no model, or rows that are no chats.
    """
    tokenizer, model = load_tokenizer(weights), load_model(weights)
    limit = getattr(model.config, "max_position_embeddings", None) or 10**9
    bare = default_system(tokenizer) is not None and not keep_default_system
    left_out: Counter[str] = Counter()
    examples = list(encode_file(tokenizer, rows, limit=limit, leave_out=True, bare=bare, fold=fold, left_out=left_out))
    nats = [0.0] * len(examples)
    for batch in _batches(examples):
        for i, loss in zip(batch, _summed(model, [examples[i] for i in batch]), strict=True):
            nats[i] = loss
    return RowLosses(
        nats=nats, tokens=[sum(label != IGNORED for label in e.labels) for e in examples], left_out=dict(left_out)
    )


def _batches(examples: Sequence[Example]) -> list[list[int]]:
    """Indices of rows of like length, at most `BATCH_TOKENS` together (one row at least)."""
    batches: list[list[int]] = [[]]
    for i in sorted(range(len(examples)), key=lambda i: len(examples[i].ids)):  # so the last is the longest
        if batches[-1] and (len(batches[-1]) + 1) * len(examples[i].ids) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(i)
    return batches if batches[0] else []


def _summed(model: Any, examples: Sequence[Example]) -> list[float]:
    import torch

    width = max(len(e.ids) for e in examples)
    ids, labels, mask = (
        torch.tensor([row + [fill] * (width - len(row)) for row in rows], device=model.device)
        for rows, fill in (
            ([e.ids for e in examples], 0),
            ([e.labels for e in examples], IGNORED),
            ([[1] * len(e.ids) for e in examples], 0),
        )
    )
    labels = labels[:, 1:]
    kept = labels != IGNORED
    with torch.inference_mode():
        logits = answer_logits(model, {"input_ids": ids, "attention_mask": mask, "use_cache": False}, kept)
        each = logits.new_zeros(kept.shape)
        each[kept] = torch.nn.functional.cross_entropy(logits, labels[kept], reduction="none")
        found: list[float] = each.sum(1).double().tolist()
    return found


def has_small_vocabulary(model: Any) -> bool:
    return bool(model.config.vocab_size < SMALL_VOCABULARY)


def answer_logits(model: Any, asked: Mapping[str, Any], kept: Any) -> Any:
    """Logits that tell the kept tokens, one row each. Where the vocabulary is large, the output layer looks at no other
    tokens, since logits of all of them may take more room than the model.

    Args:
        model: a causal language model, under an adapter or not.
        asked: what it is given.
        kept: (rows, tokens but the first) of booleans.
    """
    if has_small_vocabulary(model):
        return model(**asked).logits[:, :-1][kept].float()

    def choose(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return given[0][:, :-1][kept][None], *given[1:]

    hook = model.get_output_embeddings().register_forward_pre_hook(choose)
    try:
        return model(**asked).logits[0].float()
    finally:
        hook.remove()
