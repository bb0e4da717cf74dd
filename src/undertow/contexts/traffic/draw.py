"""Drawing questions from clusters of requests: so many of each, each request as likely as any other of its cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from undertow.contexts.traffic.cluster import Cluster, clustered
from undertow.contexts.traffic.read import Request
from undertow.records import Question, Suite

EACH = 12
"""Questions for each cluster, on average."""
CLUSTERS = 40
"""Clusters at most."""
EVEN = 4
"""One question in so many is there for the clusters that would have had hardly any by their share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Questions that stand for some traffic."""

    suite: Suite
    clusters: tuple[Cluster, ...]
    drawn: tuple[int, ...]
    """Questions drawn from each."""
    seed: int


def sample(requests: Mapping[Request, int], n: int, *, seed: int, id_: str = "traffic") -> Sample:
    """`n` questions, or all requests where they are no more.

    Requests of a cluster are drawn without replacement, each as often as it came: one that came often may be drawn
    several times, and is as many questions, each with an answer of its own. Every question of a cluster stands for the
    same number of requests, so that weights add up to all of them.
    """
    total = sum(requests.values())
    clusters = clustered(requests, most=max(1, min(CLUSTERS, n // EACH)), seed=seed)
    sizes = [cluster.requests for cluster in clusters]
    drawn = allocated(sizes, n)
    rng = np.random.default_rng([seed, 1])
    picked: list[tuple[Cluster, Request, float]] = []
    for cluster, k in zip(clusters, drawn, strict=True):
        counts = np.array([requests[member] for member in cluster.members], dtype=np.int64)
        times = rng.multivariate_hypergeometric(counts, k, method="marginals")
        weight = cluster.requests / k
        picked += [(cluster, cluster.members[i], weight) for i in np.repeat(np.arange(len(counts)), times).tolist()]
    # in no order, so that what a run asked before it was stopped is a sample as well
    order = rng.permutation(len(picked)).tolist()
    digits = len(str(len(picked)))
    questions = tuple(
        Question(
            id=f"{n:0{digits}}-{cluster.id}",
            text=request.text,
            system=request.system,
            turns=request.turns,
            weight=weight,
            cluster=cluster.id,
        )
        for n, (cluster, request, weight) in enumerate((picked[i] for i in order), start=1)
    )
    title = f"{len(questions):,} of {total:,} requests, drawn by cluster"
    return Sample(suite=Suite(id=id_, title=title, questions=questions), clusters=clusters, drawn=drawn, seed=seed)


def allocated(sizes: Sequence[int], n: int) -> tuple[int, ...]:
    """How many of `n` to draw from clusters of these sizes: by their share, and from each a few at least, or all that
    there are.

    Raises ValueError where there are more clusters than that.
    """
    if n < len(sizes):
        raise ValueError(f"{len(sizes)} clusters and {n} to draw; expected one for each at least")
    size_k = np.array(sizes, dtype=np.int64)
    if n >= size_k.sum():
        return tuple(sizes)
    least_k = np.minimum(size_k, max(min(2, n // len(sizes)), n // (EVEN * len(sizes)))).astype(np.float64)
    low, high = 0.0, 1.0
    for _ in range(60):  # the share of each cluster at which all come to n
        share = (low + high) / 2
        low, high = (share, high) if np.maximum(least_k, share * size_k).sum() < n else (low, share)
    exact_k = np.maximum(least_k, high * size_k)
    drawn_k = np.minimum(np.floor(exact_k + 1e-9).astype(np.int64), size_k)
    for k in np.argsort(drawn_k - exact_k, kind="stable").tolist() * 2:
        if drawn_k.sum() == n:
            break
        drawn_k[k] += drawn_k[k] < size_k[k]
    return tuple(drawn_k.tolist())
