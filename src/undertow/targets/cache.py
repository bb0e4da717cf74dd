"""Keys and values of tokens read and written, with room for those to come; it is loaded with Transformers."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens that there is room for at a time."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer that writes a token's keys and values into their place, where the plain one copies all that it holds for
    each token more. What it gives is the same."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """
        Args:
            keys, values: (rows, heads, tokens, size), of the tokens read.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self._kept = [keys, values]
        self._show(keys.shape[-2])

    def _show(self, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (kept[..., :length, :] for kept in self._kept)
        self.keys, self.values = keys, values
        return keys, values

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        begin = self.get_seq_length()
        end = begin + key_states.shape[-2]
        if end > self._kept[0].shape[-2]:
            self._kept = [
                torch.cat([kept, kept.new_empty(*kept.shape[:2], end - begin + ROOM, kept.shape[-1])], dim=-2)
                for kept in self._kept
            ]
        for kept, states in zip(self._kept, (key_states, value_states), strict=True):
            kept[..., begin:end, :] = states
        return self._show(end)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        length = self.get_seq_length()
        self._kept = [kept[indices] for kept in self._kept]
        self._show(length)


def give_room(cache: Any) -> None:
    """Have a cache that was read into keep room in its plain layers; layers of other kinds stay as they are."""
    cache.layers = [
        RoomyLayer(layer.keys, layer.values)
        if type(layer) is DynamicLayer and layer.keys is not None and layer.values is not None
        else layer
        for layer in cache.layers
    ]
