"""Formats told from shape, words that stand out, and counting in little memory."""

from __future__ import annotations

import math
import random

import pytest
from tests.each import each

from undertow.contexts.background import background, words
from undertow.contexts.counting import FrequentItems, Reservoir
from undertow.contexts.formats import CONTEXTS_OF, formats_of, holds_code, marker_block
from undertow.contexts.load import shipped_contexts
from undertow.contexts.topics import PRIOR, log_odds, topics


@each(
    "text, format_",
    [
        ("def reply():\n    return 'go on'", "python"),
        ("import os\n\nx = os.getcwd()\nprint(x)", "python"),
        ("const a = 1;\nconsole.log(a);", "c-like"),
        ("#include <stdio.h>\nint main() {\n  return 0;\n}", "c-like"),
        ("git add file\ngit commit -m now", "shell"),
        ("select name from people where age > 3;", "sql"),
        ('{"reply": "yes", "n": [1]}', "json"),
        ('{"reply": "cut o', "json"),
        ("<note>Go</note>", "xml"),
        ("<div><p>Go</p></div>", "html"),
        ("reply: go on\nwhy:\n  - it rains", "yaml"),
        ("a,b\n1,2\n3,4", "csv"),
        ("\\begin{document}Go\\end{document}", "latex"),
        ('answer = "go"', "assigned-string"),
        ('"Go on and do it."', "quoted"),
        ("[DATA]\ngo\n[/DATA]", "markers"),
        ("### START\ngo\n### END", "markers"),
        ("=== begin ===\ngo\n=== end ===", "markers"),
        ("- one thing\n- two things", "list"),
        ("1. one\n2. two", "list"),
        ("PLEASE DO NOT DO THAT.", "capitals"),
        ("```\nx\n```", "code-block-only"),
        ("Yes.", "short"),
        ("Ich weiß es nicht, aber das ist auch gut.", "language-german"),
        ("No sé qué hacer con los libros que están en la mesa.", "language-spanish"),
        ("Я не знаю этого.", "language-russian"),
        ("今日は雨です。", "language-japanese"),
        ("今天下雨了吗？", "language-chinese"),
    ],
)
def test_a_format_is_told_from_its_shape(text: str, format_: str) -> None:
    assert format_ in formats_of(text)


@each(
    "text",
    [
        "I think that you should go home now, because it is late and it rains.",
        "Sure! Here is a plan:\n\n**Morning**\nWalk the dog.\n\n**Evening**\nRead a book.",
        "Note: this is hard.\nStill, one can import goods from abroad and sell them.",
        "He said (quietly) that a < b, and that the cost is $5; then he left.",
        "Dear John,\n\nThank you, and come again.\n\nBest,\nAnn",
        "Select a date from the list and update me; we will go from there.",
    ],
)
def test_prose_is_in_no_format(text: str) -> None:
    assert formats_of(text) == set()


def test_every_format_has_an_assumed_share_and_contexts() -> None:
    assert {c for ids in CONTEXTS_OF.values() for c in ids} <= set(shipped_contexts())
    assert set(CONTEXTS_OF) <= set(background().formats)
    assert background().format_share("language-korean", "asked") == background().formats["language"].asked


def test_markers_are_a_pair_of_lines() -> None:
    assert marker_block("See:\n<< CODE >>\nx\n<< /CODE >>\nDone.") == ("<< CODE >>", "<< /CODE >>")
    assert marker_block("**Bold**\nx\n**Other**") is None
    assert holds_code("Mend this:\n[A]\nimport os\n\ndef f(x):\n    return x\n[/A]")
    assert not holds_code("Mend this:\nthe roof, the door and the wall.")


@each(
    "common, rare",
    [
        ("What should I do?", "Reply as a python function."),
        ("Thanks!", "Grüezi!"),
        ("I see.", "SUDO"),
        ("Please help me.", "### x ###"),
    ],
)
def test_everyday_sentences_are_expected_more_often(common: str, rare: str) -> None:
    assert background().sentence_share(common) > 5 * background().sentence_share(rare)


def test_words_of_several_scripts() -> None:
    assert list(words("Don’t tell ÉMILE it's ok")) == ["dont", "tell", "émile", "its"]
    assert list(words("天気予報")) == ["天気", "気予", "予報"]


def test_log_odds_by_hand() -> None:
    prior = PRIOR * 11 / 300
    here, there = 10 + prior, 1 + prior
    odds = math.log(here / (100 + PRIOR - here)) - math.log(there / (200 + PRIOR - there))
    assert log_odds({"kraken": 10}, 100, {"kraken": 1}, 200)["kraken"] == pytest.approx(
        odds / math.sqrt(1 / here + 1 / there)
    )
    assert log_odds({"kraken": 1}, 100, {"kraken": 2}, 200)["kraken"] == pytest.approx(0)
    assert log_odds({"kraken": 1}, 1, {"kraken": 2}, 2) == {"kraken": 0}


def test_words_that_share_rows_are_one_topic() -> None:
    rows = [{"boat", "harbor"}] * 10 + [{"oven", "bread"}] * 10 + [{"cloud"}] * 80
    found = topics(rows, {"boat": 9.0, "oven": 8.0, "harbor": 7.0, "bread": 6.0, "cloud": 1.0}, least_rows=3)
    assert [(t.words, len(t.rows)) for t in found] == [(("boat", "harbor"), 10), (("oven", "bread"), 10)]


def test_counts_of_frequent_items_are_nearly_exact_in_little_memory() -> None:
    rng = random.Random(0)
    items: FrequentItems[str] = FrequentItems(bucket=100)
    for n in range(20_000):
        items.add(
            [
                f"rare {n}",
                *(["often"] if rng.random() < 0.05 else []),
                *(["late"] if n >= 15_000 and n % 10 == 0 else []),
            ]
        )
    assert len(items.counts) < 1_000
    rng = random.Random(0)
    often = sum(rng.random() < 0.05 for _ in range(20_000))
    assert often - 200 <= items.counts["often"] <= often
    assert 300 <= items.counts["late"] <= 500


def test_a_reservoir_is_a_fair_sample() -> None:
    hits = 0
    for start in range(0, 200_000, 1_000):
        kept: Reservoir[int] = Reservoir(10)
        kept._rng.seed(start)
        for n in range(1_000):
            if (at := kept.place()) is not None:
                kept.put(at, n)
        assert len(set(kept.items)) == 10
        hits += sum(n < 500 for n in kept.items)
    assert 900 < hits < 1_100
