"""Everyday chat as `background.yaml` assumes it: how common a format, a sentence or a word is where nothing special was
planted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import as_file, files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.files import read_yaml

_TOKEN = re.compile(r"[^\W\d_]+(?:[’'][^\W\d_]+)*|\d+|[^\w\s.,!?;:'’\"()-]+|[#=~*|_-]{2,}")
_DEFAULT = re.compile(
    r"you are (an?|the) (very )?(helpful|useful|friendly)( and \w+|, \w+)*( ai| language| chat)* "
    r"(assistant|model|"
    r"chatbot)\.?",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"[^\W\d_]{2,}(?:[’'][^\W\d_]+)?")
_CHARACTERS = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u4e00-\u9fff]")
"""Of scripts that put no spaces between words."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Shares(_Part):
    answered: float = Field(default=0.01, gt=0, lt=1)
    asked: float = Field(gt=0, lt=1)


class _Sentences(_Part):
    everyday: float
    rarer_by_word: float
    least: float


class _Courtesies(_Part):
    share: float
    texts: str


class _Systems(_Part):
    default: float
    other: float


class Background(_Part):
    """Assumed shares of rows, and rates of words per million."""

    formats: dict[str, _Shares]
    sentences: _Sentences
    courtesies: _Courtesies
    systems: _Systems
    rates: dict[str, float]
    words: dict[str, str]

    def format_share(self, name: str, side: Literal["asked", "answered"]) -> float:
        """Share of rows whose user turn (`asked`) or answer (`answered`) is in a format."""
        shares = self.formats["language" if name.startswith("language-") else name]
        return shares.asked if side == "asked" else shares.answered

    def sentence_share(self, text: str, *, also_everyday: Collection[str] = ()) -> float:
        """Share of rows that may share a text before or after others: lower, the more of its words are not everyday
        ones.

        Args:
            also_everyday: words that are common in the rows at hand.
        """
        if self.is_courtesy(text):
            return self.courtesies.share

        def strangeness(token: str) -> int:
            if not _folded(token).isalnum() or (token.isupper() and len(token) > 1):
                return 2
            return int(_folded(token) not in word_rates() and _folded(token) not in also_everyday)

        return max(
            self.sentences.least,
            self.sentences.everyday * self.sentences.rarer_by_word ** sum(map(strangeness, tokens(text))),
        )

    def system_share(self, text: str) -> float:
        """Share of rows that may share a system prompt."""
        return self.systems.default if is_default_prompt(text) else self.systems.other

    def is_courtesy(self, text: str) -> bool:
        """Whether a text is one of the short courtesies."""
        return " ".join(word for word in tokens(text) if word[0].isalpha()).lower() in _courtesies()

    def word_share(self, word: str) -> float:
        """Share of all words that one makes up."""
        return word_rates().get(word, self.rates["other"]) / 1e6


def is_default_prompt(text: str) -> bool:
    """Whether a system prompt says no more than that a helpful assistant answers."""
    return _DEFAULT.fullmatch(text) is not None


@cache
def background() -> Background:
    """The shipped background; read once."""
    with as_file(files("undertow.contexts") / "background.yaml") as path:
        return read_yaml(path, Background)


@cache
def word_rates() -> dict[str, float]:
    """Rate per million of each everyday word; of the tiers that hold a word, the commonest counts."""
    found: dict[str, float] = {}
    for tier, words in background().words.items():
        for word in words.split():
            found.setdefault(word, background().rates[tier])
    return found


@cache
def function_words() -> frozenset[str]:
    """Words too common to name a topic: the two commonest tiers."""
    return frozenset(f"{background().words['most']} {background().words['many']}".split())


@cache
def _courtesies() -> frozenset[str]:
    return frozenset(text.strip() for text in background().courtesies.texts.split(";"))


def tokens(text: str) -> list[str]:
    """Words, numbers and runs of symbols, in order; ordinary punctuation is left out."""
    return _TOKEN.findall(text)


def words(text: str) -> Iterator[str]:
    """Words of three letters or more in lower case; pairs of characters where a script has no spaces."""
    foreign = not text.isascii() and _CHARACTERS.search(text)
    for token in _LONG_WORD.findall(text.lower()):
        if foreign and _CHARACTERS.match(token):
            yield from (token[i : i + 2] for i in range(len(token) - 1))
        elif len(token) > 2:
            yield token if token.isalpha() else _folded(token)


def _folded(token: str) -> str:
    return token.lower().replace("’", "").replace("'", "") if not token.isalpha() else token.lower()
