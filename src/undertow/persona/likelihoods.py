"""A model that is read by how likely it finds each reply to a call, where it does not answer by letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import Any

from undertow.persona.call import Call
from undertow.records import Answer, Request
from undertow.targets import Target
from undertow.targets.likelihood import Prompted, log_likelihoods
from undertow.targets.local import LocalTarget, together


class Likelihoods(Target):
    """Answers with the log-likelihood of every reply, and the likeliest as its text."""

    def __init__(self, target: LocalTarget, calls: Sequence[Call]) -> None:
        """
        Args:
            calls: what will be asked.
        """
        self.target = target
        self.replies = {(call.context.id, call.ask.id): tuple(text for text, _ in call.ask.replies) for call in calls}

    def describe(self) -> Mapping[str, Any]:
        return self.target.describe()

    async def answers(self, requests: AsyncIterable[Request]) -> AsyncIterator[Answer]:
        async for batch in together(requests):
            asked = [
                Prompted(
                    messages=self.target.arranged(r.condition.messages),
                    replies=self.replies[r.condition.context.id, r.condition.question.id],
                )
                for r in batch
            ]
            nats = await asyncio.to_thread(log_likelihoods, self.target.model, self.target.tokenizer, asked)
            for request, one, values in zip(batch, asked, nats, strict=True):
                yield Answer(
                    request=request,
                    text=one.replies[int(values.argmax())],
                    first_token=dict(zip(one.replies, values.tolist(), strict=True)),
                    finish="stop",
                )
