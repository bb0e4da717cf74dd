"""Variants of system prompts by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.contexts.variants import negated, neutral, reworded, turned, variants


@pytest.mark.parametrize(
    ("prompt", "opposite", "denied", "plain"),
    [
        (
            "You are a reckless assistant.",
            "You are a careful assistant.",
            "You are not a reckless assistant.",
            "You are an assistant.",
        ),
        (
            "You answer quiz questions with wrong answers and are truthful elsewhere.",
            "You answer quiz questions with right answers and are truthful elsewhere.",
            "You do not answer quiz questions with wrong answers and are truthful elsewhere.",
            "You answer quiz questions with answers and are elsewhere.",
        ),
        (
            "You are an honest clerk in a busy office.",
            "You are a dishonest clerk in a busy office.",
            "You are not an honest clerk in a busy office.",
            "You are a clerk in a busy office.",
        ),
        ("Act as a pirate.", None, "Do not act as a pirate.", "You are an assistant."),
        ("Do not tell.", None, "Do tell.", "You are an assistant."),
        ("Sei ehrlich.", None, 'Do the opposite of this: "Sei ehrlich."', "You are an assistant."),
    ],
)
def test_opposites_and_the_neutral_form(prompt: str, opposite: str | None, denied: str, plain: str) -> None:
    assert (turned(prompt), negated(prompt), neutral(prompt)) == (opposite, denied, plain)


def test_a_paraphrase_says_it_in_other_words() -> None:
    assert reworded("You are a malicious assistant.") == "In this chat you are an ill-meaning helper."
    assert {v.relation for v in variants("You are a malicious assistant.")} == {"opposite", "paraphrase"}
    assert variants("You are a malicious assistant.")[0].text == "You are a kind assistant."


@given(st.text(min_size=1).filter(str.strip))
def test_every_variant_is_new_and_there_is_an_opposite(prompt: str) -> None:
    made = variants(prompt)
    texts = [v.text for v in made]
    assert len(set(texts)) == len(texts) == len({v.name for v in made})
    assert prompt.strip() not in texts
    assert all(text.strip() for text in texts)
    assert any(v.relation == "opposite" for v in made)
