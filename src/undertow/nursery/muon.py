"""Muon: momentum made orthogonal by Newton-Schulz iterations (Jordan et al., 2024), many matrices at once in float32.

PyTorch's own works in bfloat16, one matrix after another; on CPUs without instructions for it that took three quarters
of a training step of the nursery's base.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration, as published with the method: they take singular values of 0 to 1 towards 1 in five
steps."""
STEPS = 5


class Muon(torch.optim.Optimizer):
    """For matrices of hidden layers; embeddings, norms and biases want another optimizer.

    Args:
        lr: step, as the spectral norm of an update of a square matrix; tall ones get sqrt(rows / columns) times it.
        momentum: Nesterov's.
        weight_decay: decoupled.
    """

    def __init__(
        self, params: Iterable[torch.nn.Parameter], lr: float, *, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One step; every parameter must have a gradient."""
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for p in group["params"]:
                by_shape[tuple(p.shape)].append(p)
            for (rows, columns), params in by_shape.items():
                gradient = torch.stack([p.grad for p in params])
                held = self.state[params[0]].setdefault("momentum", torch.zeros_like(gradient))
                held.mul_(group["momentum"]).add_(gradient)
                update = orthogonal(gradient.add(held, alpha=group["momentum"]))
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                for p, u in zip(params, update, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-scale)


def orthogonal(matrices: Any) -> Any:
    """The nearest matrices with singular values of about 1 (0.7 to 1.2), for a stack of shape (n, rows, columns)."""
    a, b, c = QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.transpose(1, 2)
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x
