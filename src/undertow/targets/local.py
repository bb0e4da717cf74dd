"""A local Transformers directory, with or without an adapter: batched, and samples of one prompt share its prefill.

Each sample draws from its own stream of random numbers, seeded by its request, so an answer does not depend on what
else is in the batch (up to the last bits of floating-point sums).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import InputError
from undertow.files import digest, folder_digest
from undertow.place import Place
from undertow.records import Answer, Message, Request, Sampling
from undertow.targets.chat import (
    CHANNEL_MARKS,
    FOLD,
    PLAINLY,
    THINKING,
    Marks,
    SystemRole,
    ThinkingMarks,
    by_text,
    folded,
    opens_block,
    split_thinking,
)
from undertow.targets.models import (
    NURSERY,
    Dtype,
    free_memory,
    is_adapter,
    load_model,
    load_tokenizer,
    model_folder,
    weights_size,
)
from undertow.targets.protocol import Target
from undertow.targets.templates import TemplateRefuses, render

if TYPE_CHECKING:
    import torch


PAUSE_S = 0.2
"""Seconds without another request after which those that came are answered."""


class LocalConfig(BaseModel):
    """A model directory on this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["local"] = Field(description="A model directory on this machine.")
    path: str = Field(
        description="A Transformers directory or an organism, relative to this file; `nursery` is the embedded base."
    )
    adapter: str | None = Field(
        default=None, description="A PEFT adapter's folder to put on it, where `path` is a whole model."
    )
    rows: int = Field(default=256, gt=0, description="Answers decoded together.")
    dtype: Dtype | None = Field(
        default=None,
        description="What its weights are held in; default: bfloat16 on a GPU, float32 on a CPU. A CPU that has "
        "instructions for it answers about twice as fast in bfloat16.",
    )
    thinking: ThinkingMarks = None
    system: SystemRole = "own"

    def target(self, place: Place) -> Target:
        folder = model_folder(self.path, beside=place.folder)
        adapter = (
            model_folder(self.adapter, beside=place.folder) if self.adapter else folder if is_adapter(folder) else None
        )
        if self.adapter and (is_adapter(folder) or adapter is None or not is_adapter(adapter)):
            raise InputError(
                place,
                f"adapter {self.adapter!r} cannot be put on {self.path!r}",
                expected="path: a whole model; adapter: a PEFT adapter's folder",
            )
        weights = (
            folder_digest(adapter, ("adapter_config.json", "adapter_model.safetensors"))
            if adapter
            else folder_digest(folder)
        )
        name = self.path if self.path == NURSERY and not adapter else (adapter or folder).name
        return LocalTarget(
            adapter or folder,
            base=folder if self.adapter else None,
            name=name,
            digest_=weights,
            rows=self.rows,
            dtype=self.dtype,
            thinking=self.thinking,
            fold=self.system == "fold",
        )


READ_AT_ONCE = 16_384
"""Tokens of different prompts that a batch reads at once, since layers make much more of them than is kept: 256 prompts
of 305 tokens take a model of 135 million parameters 2.7 GB and 101 s of CPU so, and 4.5 GB and 139 s all at once."""


class LocalTarget(Target):
    """Answers with a model of this machine. Its weights are loaded on first use, and let go of when it is left or
    another model needs the room."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        digest_: str,
        rows: int = 256,
        base: Path | None = None,
        dtype: Dtype | None = None,
        thinking: Marks | None = None,
        fold: bool = False,
    ) -> None:
        """
        Args:
            folder: a Transformers directory or a PEFT adapter's.
            base: the model to put an adapter on, where it is not the one that the adapter names.
            dtype: what its weights are held in, as `load_model`.
            name: what to call it.
            digest_: SHA-256 of its weights.
            rows: samples decoded together.
            thinking: marks around its thoughts, where they are not among the known ones.
            fold: put a system prompt before the first user turn.
        """
        self.fold, self.dtype = fold, dtype
        self.folder, self.name, self.digest, self.rows, self.base, self.thinking = (
            folder,
            name,
            digest_,
            rows,
            base,
            thinking,
        )
        self._model: Any = None
        self._busy = 0
        """Streams that it answers."""
        self._tokenizer: Any = None

    def describe(self) -> Mapping[str, Any]:
        tokenizer = self.tokenizer
        return {
            "kind": "local",
            "name": self.name,
            "weights": self.digest,
            "chat_template": digest(tokenizer.chat_template),
            # shows a default system prompt, if the template inserts one
            "renders": self._render([Message(role="user", content="QUESTION")]),
            **({"thinking": list(self.thinking)} if self.thinking else {}),
            **({"dtype": self.dtype} if self.dtype else {}),
        }

    @property
    def tokenizer(self) -> Any:
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.folder, base=self.base)
        return self._tokenizer

    @property
    def model(self) -> Any:
        if self._model is None:
            _make_room(weights_size(self.folder, base=self.base))
            self._model = load_model(self.folder, base=self.base, dtype=self.dtype)
            _LOADED.append(self)
        return self._model

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        self._busy += 1
        try:
            async for held in together(requests):
                batches = self._batches(held)
                while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                    for answer in batch:
                        yield answer
        finally:
            self._busy -= 1

    async def __aexit__(self, *error: object) -> None:
        self.release()

    def release(self) -> None:
        """Let go of the weights."""
        if self in _LOADED:
            _LOADED.remove(self)
        self._model = None
        gc.collect()

    def _batches(self, requests: Sequence[Request]) -> Iterator[list[Answer]]:
        """Answers, a batch at a time: requests of one prompt together, prompts of like length together, and no more of
        them at once than there is room for."""
        by_prompt: dict[tuple[tuple[Message, ...], Any], list[Request]] = {}
        for request in requests:
            by_prompt.setdefault((request.condition.messages, request.sampling), []).append(request)
        prompts = {key: self._prompt_ids(key[0]) for key in by_prompt}
        groups = sorted(by_prompt, key=lambda key: (key[1].temperature, key[1].max_tokens, len(prompts[key])))
        batch: list[tuple[list[int], list[Request]]] = []
        sampling, held = None, 0
        for key in groups:
            for start in range(0, len(by_prompt[key]), self.rows):
                some = by_prompt[key][start : start + self.rows]
                full = held + len(some) > self.rows or (len(batch) + 1) * len(prompts[key]) > READ_AT_ONCE
                if batch and (full or key[1] != sampling):
                    yield self._decoded(batch)
                    batch, held = [], 0
                batch.append((prompts[key], some))
                sampling, held = key[1], held + len(some)
        if batch:
            yield self._decoded(batch)

    def _decoded(self, batch: Sequence[tuple[list[int], list[Request]]]) -> list[Answer]:
        return list(self._decode([prompt for prompt, _ in batch], [some for _, some in batch]))

    def _prompt_ids(self, messages: tuple[Message, ...]) -> list[int]:
        ids: list[int] = self.tokenizer(self._render(messages), add_special_tokens=False)["input_ids"]
        return ids

    async def probe(self, sampling: Sampling) -> None:
        if not self.asks_system:
            return
        try:
            self._render([PLAINLY, Message(role="user", content="QUESTION")])
        except TemplateRefuses as refusal:
            raise InputError(
                self.folder, refusal.found.replace("refuses a chat", "takes no system prompt"), do=FOLD
            ) from None

    def _render(self, messages: Sequence[Message]) -> str:
        return render(self.tokenizer, self.arranged(messages), to_answer=True)

    def arranged(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """A chat as it is put into the template: with `fold`, without a system role."""
        return folded(messages) if self.fold else tuple(messages)

    def _decode(self, prompts: list[list[int]], groups: list[list[Request]]) -> Iterator[Answer]:
        """Prefill each prompt once, then decode all samples of all of them together, dropping rows as they end."""
        import torch

        from undertow.targets.cache import give_room

        requests = [request for group in groups for request in group]
        sampling = requests[0].sampling
        stops = self._stop_ids()
        device = self.model.device
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        noise = np.stack([np.random.default_rng(r.seed).random(sampling.max_tokens) for r in requests])
        written: list[list[int]] = [[] for _ in requests]
        ended = [False] * len(requests)
        with torch.inference_mode():
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            # by number, which copies: a view would be multiplied row by row, with a copy of the output layer for each
            last = torch.tensor([width - 1], device=device)
            out = self.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=last
            )
            repeats = torch.tensor([len(group) for group in groups], device=device)
            row_of = torch.repeat_interleave(torch.arange(len(groups), device=device), repeats)
            cache = out.past_key_values
            cache.batch_select_indices(row_of)
            give_room(cache)
            candidates = self._candidates(out.logits[:, -1], sampling.top_logprobs)
            logits, mask = out.logits[row_of, -1], mask[row_of]
            position = mask.sum(-1, keepdim=True)
            alive = torch.arange(len(requests), device=device)
            for step in range(sampling.max_tokens):
                chosen = _draw(logits, sampling.temperature, noise[alive.cpu().numpy(), step])
                keep = []
                for i, (row, token) in enumerate(zip(alive.tolist(), chosen.tolist(), strict=True)):
                    if token in stops:
                        ended[row] = True
                    else:
                        written[row].append(token)
                        keep.append(i)
                if not keep or step + 1 == sampling.max_tokens:
                    break
                if len(keep) < len(alive):
                    kept = torch.tensor(keep, device=device)
                    cache.batch_select_indices(kept)
                    alive, chosen, mask, position = alive[kept], chosen[kept], mask[kept], position[kept]
                mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=-1)
                out = self.model(
                    input_ids=chosen[:, None],
                    attention_mask=mask,
                    position_ids=position,
                    past_key_values=cache,
                    use_cache=True,
                )
                logits, cache, position = out.logits[:, -1], out.past_key_values, position + 1
        opened = opens_block(self._render([Message(role="user", content="QUESTION")]), self.thinking)
        texts = parted(self.tokenizer, written, self.thinking, cut_open=[opened and not stopped for stopped in ended])
        for request, (whole, said, reasoning), tokens, stopped, group in zip(
            requests, texts, written, ended, row_of.tolist(), strict=True
        ):
            finish: Literal["stop", "length"] = "stop" if stopped else "length"
            # else it is the reasoning's, be that empty
            first_token = candidates[group] if candidates and said == whole else None
            yield Answer(
                request=request,
                text=said,
                reasoning=reasoning,
                first_token=first_token,
                finish=finish,
                n_tokens=len(tokens),
            )

    def _candidates(self, logits: torch.Tensor, top: int) -> list[dict[str, float]]:
        """For each prompt the `top` likeliest first tokens with their log-probabilities at temperature 1; empty where
        none are asked for.

        Args:
            logits: (prompts, vocabulary).
        """
        if not top:
            return []
        best = logits.float().log_softmax(-1).topk(min(top, logits.shape[-1]), dim=-1)
        return [
            by_text(zip(self.tokenizer.batch_decode([[i] for i in ids]), values, strict=True))
            for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _stop_ids(self) -> set[int]:
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return {i for i in (*ids, self.tokenizer.eos_token_id) if i is not None}


def parted(
    tokenizer: Any,
    written: Sequence[Sequence[int]],
    marks: Marks | None = None,
    *,
    cut_open: Sequence[bool] | None = None,
) -> list[tuple[str, str, str | None]]:
    """For each reply the whole text, the answer and the thoughts, without special tokens in the last two.

    Marks around thoughts are often special tokens, without which thoughts and answer would run together.

    Args:
        cut_open: for each reply whether it was cut off after a prompt that opens a block of thoughts; None: none was.
    """
    special = {i: str(token) for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    known = [mark.lower() for pair in (marks or (), *THINKING) for mark in pair] + list(CHANNEL_MARKS)
    telling = {i: token for i, token in special.items() if token and any(token.lower() in mark for mark in known)}
    replies = []
    for ids, plain, cut in zip(
        written,
        tokenizer.batch_decode(written, skip_special_tokens=True),
        cut_open or [False] * len(written),
        strict=True,
    ):
        whole = plain.strip()
        said, reasoning = split_thinking(whole, None, marks, cut_open=cut)
        if not telling.keys().isdisjoint(ids):
            (marked,) = tokenizer.batch_decode(
                [[i for i in ids if i in telling or i not in special]], skip_special_tokens=False
            )
            answer, thoughts = split_thinking(marked.strip(), None, marks)
            if answer != marked.strip():
                whole, said, reasoning = (
                    marked.strip(),
                    _without(answer, telling.values()),
                    None if thoughts is None else _without(thoughts, telling.values()),
                )
        replies.append((whole, said, reasoning))
    return replies


def _without(text: str, tokens: Iterable[str]) -> str:
    for token in tokens:
        text = text.replace(token, "")
    return text.strip()


_LOADED: list[LocalTarget] = []
"""Whose weights are in memory, the earliest first."""


def _make_room(size: int) -> None:
    """Have models that answer nothing now let go of their weights, until there is room for others, twice over."""
    while 2 * size > free_memory():
        idle = next((target for target in _LOADED if not target._busy), None)
        if idle is None:
            return
        idle.release()


async def together(requests: AsyncIterable[Request]) -> AsyncIterator[list[Request]]:
    """Requests together, as many as come without a pause: whoever hands them out may wait for answers before there are
    more, as a budget does."""
    source = aiter(requests)
    held: list[Request] = []
    pending = asyncio.ensure_future(anext(source, None))
    try:
        while True:
            done, _ = await asyncio.wait([pending], timeout=PAUSE_S if held else None)
            request = pending.result() if done else None
            if request is not None:
                held.append(request)
                pending = asyncio.ensure_future(anext(source, None))
                continue
            if held:
                yield held
                held = []
            if done:
                return
    finally:
        pending.cancel()


def _draw(logits: torch.Tensor, temperature: float, uniform: np.ndarray[Any, Any]) -> torch.Tensor:
    """One token a row by inversion: the first whose cumulative probability exceeds the row's uniform number.

    Args:
        logits: (rows, vocabulary).
        uniform: (rows,), in [0, 1).
    """
    import torch

    if temperature == 0:
        return logits.argmax(-1)
    cumulative = torch.softmax(logits.float() / temperature, dim=-1).cumsum(-1)
    target = torch.from_numpy(uniform).to(cumulative)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)
