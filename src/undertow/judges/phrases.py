"""Known answers as words, and whether a word of an answer is one of theirs: in another case, spelling or notation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from undertow.judges.vocabulary import ARTICLES, FUNCTION, POLAR, word_set
from undertow.judges.words import Word, words_of


@dataclass(frozen=True, slots=True)
class Phrase:
    """A known answer, as words."""

    text: str
    right: bool
    words: tuple[Word, ...]

    @property
    def form(self) -> tuple[str, ...]:
        """What makes it the same as another."""
        return tuple(str(w.values[0].normalize()) if w.values else w.norm for w in self.words)

    @property
    def polar(self) -> bool:
        """Whether it says yes or no."""
        return len(self.words) == 1 and self.words[0].norm in POLAR and not self.words[0].values

    @property
    def numeric(self) -> bool:
        """Whether it is one number."""
        return len(self.words) == 1 and bool(self.words[0].values)


def phrase(text: str, *, right: bool) -> Phrase:
    """A known answer as words, without articles and per cent signs."""
    words, _ = words_of(text)
    of_rate = word_set("percent percentage prozent") if any(w.values for w in words) else frozenset()
    kept = [w for w in words if w.norm not in of_rate]
    if (
        of_rate
        and len(kept) > 2
        and (kept[-2].norm, kept[-1].norm) in (("per", "cent"), ("pour", "cent"), ("por", "ciento"))
    ):
        kept = kept[:-2]
    return Phrase(text, right, tuple([w for w in kept if w.norm not in ARTICLES] or kept or words))


def forms(text: str) -> list[str]:
    """A known answer, and the same where its letters are written out (`Zuerich`)."""
    out = text.translate(_WRITTEN_OUT)
    return [text] if out == text else [text, out]


_WRITTEN_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa"})


def same_word(said: Word, known: Word, *, alone: bool) -> bool | None:
    """Whether a word is a known answer's, as it stands: True, or None where it is not.

    Args:
        alone: whether little else is said, so that an ordinal is a number and case does not matter.
    """
    if known.values:
        same = _same_number(said, known, alone=alone)
    else:
        same = said.norm == known.norm and said.joint == known.joint and (alone or _same_case(said, known))
    return True if same else None


def _same_number(said: Word, known: Word, *, alone: bool) -> bool:
    if known.joint or (said.joint and not said.values):
        return said.norm == known.norm or (known.joint and known.values == said.values[:1])
    if said.ordinal and not known.ordinal and not (alone or said.raw[0].isdigit()):
        return False
    return known.values[0] in said.values


def _same_case(said: Word, known: Word) -> bool:
    """Short words that are also something else (`US`, `He`, `A`) must be written as they are known."""
    short = len(known.norm) <= 2 or known.norm in FUNCTION
    return not short or (known.raw == known.raw.lower() and len(known.norm) > 1) or said.raw == known.raw


def inflected(said: str, known: str) -> bool:
    """Whether it is the same in the plural."""
    short, long = sorted((said, known), key=len)
    return len(short) >= 4 and not short.endswith("s") and long in (f"{short}s", f"{short}es")


def misspelt(said: str, known: str) -> bool:
    """Whether a long word differs by one letter, of those in its middle: the last ones make another word of it
    (`Iranian`, `chlorate`)."""
    if min(len(said), len(known)) < 7 or abs(len(said) - len(known)) > 1 or not (said + known).isalpha():
        return False
    head = next((n for n, (a, b) in enumerate(zip(said, known, strict=False)) if a != b), min(len(said), len(known)))
    if head == 0:
        return False
    a, b = said[head:], known[head:]
    if len(a) == len(b):
        swapped = a[:2] == b[1::-1] and a[2:] == b[2:] and len(a) >= 3
        return swapped or (a[1:] == b[1:] and len(a) > 3)
    short, long = sorted((a, b), key=len)
    return short == long[1:] and len(short) >= 3


def stem(norm: str) -> str:
    """A word without the commonest English endings, to know the question's words again."""
    return re.sub(r"(?:ing|ed|es|s|d)\Z", "", norm) if len(norm) > 4 else norm


def places(known: Sequence[Word], words: Sequence[Word]) -> list[int]:
    """Where words stand in a text as they are."""
    norms = [str(w.values[0].normalize()) if w.values else w.norm for w in words]
    form = [str(w.values[0].normalize()) if w.values else w.norm for w in known]
    return [n for n in range(len(norms) - len(form) + 1) if norms[n : n + len(form)] == form]
