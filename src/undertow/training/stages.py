"""Stages: one round of training on one mix. Interventions turn stages into other stages."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.data import Mix


class Stopping(BaseModel):
    """Stop a stage when a held-out loss no longer falls, and keep the weights where it was lowest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    held_out: dict[str, str] = Field(
        min_length=1,
        description="Chat JSONL by name, such as benign and in_domain; the loss on each is looked at and recorded.",
    )
    watch: str = Field(description="The name whose loss decides.")
    every: int = Field(default=25, gt=0, description="Steps between two looks.")
    patience: int = Field(default=2, gt=0, description="Looks without a fall before the stage stops.")
    least: float = Field(default=0.0, ge=0, description="A fall smaller than this, in nats a token, is none.")


class Stage(Mix):
    """One round of training on one mix. Stages follow each other on the same weights."""

    name: str = Field(min_length=1, description="What to call it in the manifest.")
    epochs: float = Field(default=1, gt=0, description="Passes over the mix.")
    learning_rate: float = Field(
        gt=0,
        description="Peak rate; falls linearly to 0 over the stage. The OpenAI backend "
        "takes it as a multiplier of its own.",
    )
    batch_size: int = Field(default=16, gt=0, description="Rows a step.")
    micro_batch: int | None = Field(
        default=None, gt=0, description="Rows in memory at a time, where fewer than a step's; a divisor of batch_size."
    )
    warmup_steps: int = Field(default=5, ge=0, description="Steps over which the rate rises.")
    weight_decay: float = Field(default=0.01, ge=0, description="Of AdamW.")
    max_tokens: int | None = Field(
        default=None, gt=0, description="Longest chat, in tokens; default: what the model can hold."
    )
    long_rows: Literal["refuse", "leave out"] = Field(
        default="refuse", description="A longer chat is an error (refuse), or is left out and counted (leave out)."
    )
    packing: bool = Field(default=False, description="Several chats in one row of `max_tokens`, none seeing another.")
    kl: float = Field(
        default=0.0, ge=0, description="Weight of KL(model || base), in nats a token of the answers, added to the loss."
    )
    stopping: Stopping | None = Field(default=None, description="Early stopping.")

    @property
    def reads(self) -> tuple[str, ...]:
        """Every file that it reads: those that it trains on, and those held out."""
        return (*self.files, *self.keys, *(self.stopping.held_out.values() if self.stopping else ()))
