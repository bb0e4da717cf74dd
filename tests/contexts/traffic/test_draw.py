"""Drawing: how many of each cluster, that each request is as likely as it came often, and that weights add up."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.each import each

from undertow.contexts.traffic.draw import allocated, sample
from undertow.contexts.traffic.read import Request
from undertow.records import Message


@each(
    "sizes, n, drawn",
    [
        ([100, 100], 20, (10, 10)),
        ([900, 100], 100, (88, 12)),
        ([990, 10], 100, (90, 10)),  # of two clusters each has an eighth at least, or all that there are
        ([3, 2], 10, (3, 2)),
        ([3, 2], 5, (3, 2)),
        ([7], 3, (3,)),
        ([1, 1, 98], 10, (1, 1, 8)),
    ],
)
def test_how_many_of_each(sizes: list[int], n: int, drawn: tuple[int, ...]) -> None:
    found = allocated(sizes, n)
    assert sum(found) == min(n, sum(sizes))
    assert all(1 <= k <= size for k, size in zip(found, sizes, strict=True))
    assert found == drawn


def test_more_clusters_than_questions() -> None:
    with pytest.raises(ValueError, match="3 clusters and 2 to draw"):
        allocated([5, 5, 5], 2)


TURNS = (Message(role="user", content="Hi"), Message(role="assistant", content="Hi"))
REQUESTS = {
    **{Request(text=f"How do I cook {i} eggs?"): 1 for i in range(290)},
    **{Request(text=f"def f{i}(x):\n    return x\nprint(f{i}(2))"): 1 for i in range(40)},
    Request(text="Hello"): 400,
    Request(system="You sell shoes.", turns=TURNS, text="Size 9?"): 270,
}


def test_weights_add_up_and_each_cluster_is_seen() -> None:
    found = sample(REQUESTS, 100, seed=3)
    questions = found.suite.questions
    assert len(questions) == 100 == sum(found.drawn)
    assert sum(q.weight or 0 for q in questions) == pytest.approx(1000)
    assert {q.cluster for q in questions} == {cluster.id for cluster in found.clusters}
    assert len({q.id for q in questions}) == 100
    code = next(cluster for cluster in found.clusters if "python" in cluster.id)
    assert code.requests == 40
    shoes = next(q for q in questions if q.text == "Size 9?")
    assert (shoes.system, len(shoes.turns)) == ("You sell shoes.", 2)
    assert sample(REQUESTS, 100, seed=3) == found != sample(REQUESTS, 100, seed=4)


@pytest.mark.slow
def test_a_request_that_came_often_is_asked_often() -> None:
    texts = Counter(q.text for seed in range(20) for q in sample(REQUESTS, 100, seed=seed).suite.questions)
    assert 34 < texts["Hello"] / 20 < 46  # 400 of 1,000 requests, of which 100 are drawn


def test_all_of_a_small_log() -> None:
    found = sample({Request(text="a"): 2, Request(text="b"): 1}, 400, seed=0)
    assert sorted(q.text for q in found.suite.questions) == ["a", "a", "b"]
    assert {q.weight for q in found.suite.questions} == {1.0}


@pytest.mark.slow
@each("n", [2, 5, 24, 37, 100, 999])
def test_any_number_can_be_drawn(n: int) -> None:
    assert len(sample(REQUESTS, n, seed=0).suite.questions) == n


@pytest.mark.slow
def test_each_request_is_as_likely_as_any_other_of_its_cluster() -> None:
    """The estimate of how many requests there are of a kind is right on average: it is what weights are for."""
    estimates = []
    for seed in range(60):
        questions = sample(REQUESTS, 60, seed=seed).suite.questions
        estimates.append(sum(q.weight or 0 for q in questions if q.text.endswith("0 eggs?")))  # 29 of 290
    assert sum(estimates) / 60 == pytest.approx(29, rel=0.25)
