"""Clusters of requests: those of one shape together, and large shapes parted by their words (k-means over hashed
words).

Clusters make a sample stand for the traffic with fewer questions. A poor clustering makes the interval wider and the
rate no less right: requests are drawn at random within each.

Array suffixes: `_r`, one entry a distinct request; `_k`, one a cluster.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from undertow.contexts.traffic.read import Request
from undertow.contexts.traffic.shapes import Shape, frame_of, frequent, frequent_edges, shape_of

WIDTH = 256
"""Places that words are hashed to."""
READ = 1_500
"""Characters of a text whose words are read."""
FITTED = 20_000
"""Distinct texts that centres are fitted to; the others go to the nearest."""
ROUNDS = 25
BLOCK = 8_192
RARE = 0.005
"""Share of the requests under which shapes are put together;"""
FEW = 4
"""or one in so many of the share of each cluster, were all as large."""
EDGE = 0.001
"""Share of the requests from which on an opening or ending counts as frequent."""
LEAST = 5
"""Requests that a cluster, or an edge, has at least."""

_WORD = re.compile(r"\[\w+\]|[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Requests that are alike."""

    id: str
    members: tuple[Request, ...]
    requests: int
    """Each member as often as it came."""
    words: tuple[str, ...]
    """Words that set them apart from the others."""


def clustered(requests: Mapping[Request, int], *, most: int, seed: int) -> tuple[Cluster, ...]:
    """Every request in one of some `most` clusters, and at most five times as many, the largest first; the same for the
    same requests and seed."""
    total = sum(requests.values())
    least = max(LEAST, RARE * total, total / (FEW * most))
    groups = _by_shape(requests, least) if most > 1 else {"all": {request: request.text for request in requests}}
    rng = np.random.default_rng(seed)
    found: list[tuple[str, list[Request]]] = []
    for name, group in groups.items():
        share = sum(requests[r] for r in group) / total
        found += [(name, members) for members in _parted(group, requests, round(most * share), rng)]
    return _named(found, requests)


def _by_shape(requests: Mapping[Request, int], least: float) -> dict[str, dict[Request, str]]:
    """By the name of a shape, its requests, each with the text whose words tell it from others of that shape."""
    edges = frequent_edges(requests, max(LEAST, EDGE * sum(requests.values())))
    frame_of_each = {request: frame_of(request.text, edges) for request in requests}
    systems = frequent({request: request.system for request in requests}, requests, least)
    frames = frequent(frame_of_each, requests, least)
    named_systems = {system: f"system-{n}" for n, system in enumerate(systems, start=1) if system}
    named_frames = {frame: f"frame-{n}" for n, frame in enumerate(frames, start=1)}
    groups: dict[str, dict[Request, str]] = {}
    for request, frame in frame_of_each.items():
        shape = shape_of(request, frame, named_systems, named_frames)
        # of a rare frame its own words say more than what is asked
        of_frame = shape.frame == "frame-rare"
        text = " ".join(part for _, part in frame) if of_frame else request.text
        groups.setdefault(_name(shape), {})[request] = text
    return _gathered(groups, requests, least)


def _name(shape: Shape) -> str:
    parts = (shape.system, shape.turns, *shape.formats, shape.frame)
    return "+".join(filter(None, parts)) or "plain"


def _gathered(
    groups: Mapping[str, dict[Request, str]], requests: Mapping[Request, int], least: float
) -> dict[str, dict[Request, str]]:
    """Groups of at least so many requests; what is in smaller ones together, as `rare`."""
    kept: dict[str, dict[Request, str]] = {}
    for name, group in groups.items():
        enough = sum(requests[r] for r in group) >= least
        kept.setdefault(name if enough else "rare", {}).update(group)
    return kept


def _parted(
    group: Mapping[Request, str], requests: Mapping[Request, int], n: int, rng: np.random.Generator
) -> list[list[Request]]:
    """A group in `n` parts at most, by likeness of words."""
    members = list(group)
    if n < 2 or len(members) < 2:
        return [members]
    label_r = _k_means(
        _hashed(list(group.values())), np.array([requests[r] for r in members], dtype=np.float64), n, rng
    )
    parts: dict[int, list[Request]] = {}
    for member, label in zip(members, label_r.tolist(), strict=True):
        parts.setdefault(label, []).append(member)
    return list(parts.values())


def _hashed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Words and pairs of neighbours of each text, hashed, the rare ones weighed more; rows of length 1."""
    found_rw = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in zip(found_rw, texts, strict=True):
        words = [word.lower() for word in _WORD.findall(text[:READ])]
        for part in (*words, *(f"{a} {b}" for a, b in pairwise(words))):
            row[crc32(part.encode()) % WIDTH] += 1.0
    np.sqrt(found_rw, out=found_rw)
    found_rw *= np.log((1.0 + len(texts)) / (1.0 + np.count_nonzero(found_rw, axis=0))).astype(np.float32) + 0.1
    found_rw /= np.maximum(np.linalg.norm(found_rw, axis=1, keepdims=True), 1e-9)
    return found_rw


def _k_means(
    x_rw: NDArray[np.float32], weight_r: NDArray[np.float64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Which of `n` centres each row is nearest to; those of under `LEAST` requests are given up.

    Sources: Lloyd 1982, IEEE Trans. Inf. Theory 28:129; first centres, Arthur and Vassilvitskii 2007, SODA 18:1027.
    """
    some = rng.permutation(len(x_rw))[:FITTED]
    x, weight = x_rw[some], weight_r[some]
    centre_kw = x[rng.choice(len(x), p=weight / weight.sum())][None]
    while len(centre_kw) < n:
        far = weight * np.maximum(0.0, 1.0 - (x @ centre_kw.T).max(axis=1).astype(np.float64)) * 2.0
        if far.sum() <= 1e-6:
            break
        centre_kw = np.vstack([centre_kw, x[rng.choice(len(x), p=far / far.sum())]])
    label = np.full(len(x), -1)
    for _ in range(ROUNDS):
        new = _nearest(x, centre_kw)
        if (new == label).all():
            break
        label = new
        held_k = np.bincount(label, weights=weight, minlength=len(centre_kw))
        kept = [k for k in range(len(centre_kw)) if held_k[k] >= min(LEAST, weight.sum())] or [int(held_k.argmax())]
        sums = [(x[label == k] * weight[label == k, None]).sum(axis=0) for k in kept]
        centre_kw = np.stack([total / max(float(np.linalg.norm(total)), 1e-9) for total in sums]).astype(np.float32)
    return _nearest(x_rw, centre_kw)


def _nearest(x_rw: NDArray[np.float32], centre_kw: NDArray[np.float32]) -> NDArray[np.int64]:
    blocks = [(x_rw[at : at + BLOCK] @ centre_kw.T).argmax(axis=1) for at in range(0, len(x_rw), BLOCK)]
    return np.concatenate(blocks).astype(np.int64)


def _named(found: Sequence[tuple[str, list[Request]]], requests: Mapping[Request, int]) -> tuple[Cluster, ...]:
    """Clusters with an id each: the shape, and a number where several have it."""
    sizes = [sum(requests[r] for r in members) for _, members in found]
    holds = [_holders(members, requests) for _, members in found]
    everywhere: Counter[str] = sum(holds, Counter())
    total, several, n_of = sum(sizes), Counter(name for name, _ in found), Counter[str]()
    made = []
    for at in sorted(range(len(found)), key=lambda at: -sizes[at]):
        name, members = found[at]
        n_of[name] += 1
        made.append(
            Cluster(
                id=f"{name}-{n_of[name]}" if several[name] > 1 else name,
                members=tuple(members),
                requests=sizes[at],
                words=_telling(holds[at], sizes[at], everywhere, total),
            )
        )
    return tuple(made)


def _holders(members: Sequence[Request], requests: Mapping[Request, int]) -> Counter[str]:
    """By word, how many requests hold it in their last turn."""
    found: Counter[str] = Counter()
    for request in members:
        for word in {word.lower() for word in _WORD.findall(request.text[:READ]) if len(word) > 2}:
            found[word] += requests[request]
    return found


def _telling(here: Counter[str], n: int, everywhere: Counter[str], total: int, most: int = 4) -> tuple[str, ...]:
    """Words of many of the requests here, and of few elsewhere."""
    often = {
        word: k / n - (everywhere[word] - k) / max(1, total - n) for word, k in here.items() if k >= max(LEAST, 0.1 * n)
    }
    return tuple(word for word in sorted(often, key=lambda word: (-often[word], word))[:most] if often[word] > 0)
