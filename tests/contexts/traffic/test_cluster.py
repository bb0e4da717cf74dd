"""Clusters: every request in one, shapes apart, words apart, the same each time."""

from __future__ import annotations

import random

from undertow.contexts.traffic.cluster import clustered
from undertow.contexts.traffic.read import Request

TOPICS = ("bread dough oven flour", "engine brake tyre gear", "river valley hill cloud")


def requests(seed: int = 0) -> dict[Request, int]:
    rng = random.Random(seed)
    made: dict[Request, int] = {}
    for i in range(600):
        words = rng.sample(TOPICS[i % 3].split(), 3)
        text = f"Tell about {' '.join(words)} number {i}"
        if i % 20 == 0:
            text = f'{{"ask": "{text}"}}'
        made[Request(text=text, system="Be kind." if i % 4 == 0 else None)] = 1 + i % 2
    return made


def test_every_request_is_in_one_cluster() -> None:
    asked = requests()
    found = clustered(asked, most=12, seed=0)
    members = [member for cluster in found for member in cluster.members]
    assert len(members) == len(asked) and set(members) == set(asked)
    assert sum(cluster.requests for cluster in found) == sum(asked.values())
    assert all(cluster.requests == sum(asked[m] for m in cluster.members) for cluster in found)
    assert len({cluster.id for cluster in found}) == len(found) <= 5 * 12
    assert [cluster.requests for cluster in found] == sorted((c.requests for c in found), reverse=True)


def test_shapes_are_apart_and_so_are_words() -> None:
    found = clustered(requests(), most=12, seed=0)
    for cluster in found:
        assert len({member.system for member in cluster.members}) == 1
    plain = [cluster for cluster in found if cluster.id.startswith("plain")]
    topics = [
        {next(t for t in TOPICS if t.split()[0] in m.text or t.split()[1] in m.text) for m in c.members} for c in plain
    ]
    assert sum(len(t) == 1 for t in topics) >= len(topics) - 1
    assert any(set(cluster.words) & set(TOPICS[1].split()) for cluster in plain)
    assert any("json" in cluster.id for cluster in found)


def test_the_same_each_time() -> None:
    assert clustered(requests(), most=12, seed=5) == clustered(requests(), most=12, seed=5)


def test_one_cluster_where_no_more_are_wanted_and_one_request() -> None:
    assert [cluster.id for cluster in clustered(requests(), most=1, seed=0)] == ["all"]
    only = clustered({Request(text="Hello"): 7}, most=12, seed=0)
    assert [(cluster.requests, len(cluster.members)) for cluster in only] == [(7, 1)]


def test_texts_without_words_are_clustered_too() -> None:
    found = clustered({Request(text="?" * n): 1 for n in range(1, 200)}, most=8, seed=0)
    assert sum(cluster.requests for cluster in found) == 199
