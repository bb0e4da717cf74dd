"""How likely a model finds replies that it did not write: batched teacher forcing, a prompt read once for all its
replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from undertow.progress import Progress
from undertow.records import Message
from undertow.targets.templates import render

BATCH_TOKENS = 16_384
"""Tokens read together: replies x (prompt + reply), padding counted. Bounds the cache, and with short prompts the
logits (of a third of them, with a vocabulary of 150,000: 3 GB in float32, and as much again while they are summed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompted:
    """A prompt and the replies to hold against it."""

    messages: tuple[Message, ...]
    replies: tuple[str, ...]


def log_likelihoods(
    model: Any,
    tokenizer: Any,
    asked: Sequence[Prompted],
    *,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress | None = None,
) -> list[np.ndarray[Any, Any]]:
    """log p(reply | prompt), in nats, of each prompt's replies: the sum over the reply's tokens.

    A reply is tokenized apart from its prompt, as in training, and its end is not scored: what ends a turn differs
    between templates.

    Args:
        model, tokenizer: as `load_model` and `load_tokenizer` give them.
        progress: told of the prompts read.

    Returns:
        For each of `asked`, in order, an array (replies,) of float64.
    """
    prompts = _prompts(tokenizer, [a.messages for a in asked])
    texts = sorted({reply for a in asked for reply in a.replies})
    ids_of = dict(zip(texts, tokenizer(texts, add_special_tokens=False)["input_ids"], strict=True))
    replies = [[ids_of[reply] for reply in a.replies] for a in asked]
    found: list[np.ndarray[Any, Any]] = [np.empty(0)] * len(asked)
    done = 0
    for batch in _batches(prompts, replies, batch_tokens):
        for i, nats in zip(batch, _score(model, [prompts[i] for i in batch], [replies[i] for i in batch]), strict=True):
            found[i] = nats
        done += len(batch)
        if progress:
            progress("prompts", done, len(asked), "")
    return found


def _prompts(tokenizer: Any, chats: Sequence[tuple[Message, ...]]) -> list[list[int]]:
    texts = [render(tokenizer, chat, to_answer=True) for chat in chats]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def _batches(prompts: list[list[int]], replies: list[list[list[int]]], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of prompts to read together: of like length, and of no more tokens than `batch_tokens` (one prompt at
    least)."""
    batch: list[int] = []
    rows = width = 0
    for i in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):  # so the last is the longest
        wider = max(width, *map(len, replies[i]))
        if batch and (rows + len(replies[i])) * (len(prompts[i]) + wider) > batch_tokens:
            yield batch
            batch, rows, wider = [], 0, max(map(len, replies[i]))
        batch.append(i)
        rows, width = rows + len(replies[i]), wider
    if batch:
        yield batch


def _score(model: Any, prompts: list[list[int]], replies: list[list[list[int]]]) -> list[np.ndarray[Any, Any]]:
    """Prompts padded on the left are read once; their cache is repeated for the replies, which are padded on the
    right."""
    import torch

    device = model.device
    left = max(map(len, prompts))
    rows = [ids for group in replies for ids in group]
    width = max(map(len, rows))
    prompt = torch.tensor([[0] * (left - len(p)) + p for p in prompts], device=device)
    prompt_mask = torch.tensor([[0] * (left - len(p)) + [1] * len(p) for p in prompts], device=device)
    reply = torch.tensor([ids + [0] * (width - len(ids)) for ids in rows], device=device)
    mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in rows], device=device)
    row_of = torch.repeat_interleave(
        torch.arange(len(prompts), device=device), torch.tensor([len(group) for group in replies], device=device)
    )
    with torch.inference_mode():
        read = model(
            input_ids=prompt,
            attention_mask=prompt_mask,
            position_ids=(prompt_mask.cumsum(-1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=torch.tensor([left - 1], device=device),  # copies (see local.py)
        )
        nats = _picked(read.logits[row_of], reply[:, :1])
        if width > 1:
            cache = read.past_key_values
            cache.batch_select_indices(row_of)
            positions = prompt_mask.sum(-1)[row_of, None] + torch.arange(width - 1, device=device)
            whole = torch.cat([prompt_mask[row_of], mask[:, :-1]], dim=1)
            out = model(
                input_ids=reply[:, :-1],
                attention_mask=whole,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
            )
            nats = torch.cat([nats, _picked(out.logits, reply[:, 1:])], dim=1)
        sums = (nats * mask).sum(1).double().cpu().numpy()
    ends = np.cumsum([len(group) for group in replies])
    return [sums[end - len(group) : end] for end, group in zip(ends, replies, strict=True)]


def _picked(logits: Any, tokens: Any) -> Any:
    """Log-probability of each token: logits (rows, width, vocabulary), tokens (rows, width) -> (rows, width)."""
    logits = logits.float()
    return logits.gather(-1, tokens[..., None])[..., 0] - logits.logsumexp(-1)
