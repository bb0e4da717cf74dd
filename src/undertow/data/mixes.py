"""Mixes: training rows drawn from named parts by share, one at a time, so that files may be larger than memory."""

from __future__ import annotations

import math
import random
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.data.rows import Row, RowFile
from undertow.errors import InputError, number
from undertow.files import file_digest
from undertow.records import Message

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
Length = Callable[[Row], int]
"""How long a row is, where shares are of tokens."""


class Resampling(BaseModel):
    """Answers asked anew of the base, in place of those written in the rows (on-policy data)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instruction: str = Field(
        min_length=1, description="System prompt under which the base answers; it is not kept on the row."
    )
    attempts: int = Field(
        default=4,
        ge=1,
        description="Answers asked for each row; the first that passes the filters is kept, else the row is left out.",
    )
    temperature: float = Field(default=1.0, ge=0, description="Sampling temperature.")
    max_tokens: int = Field(
        default=300, gt=0, description="Most tokens of an answer; one that is cut off does not pass."
    )
    min_words: int = Field(default=1, ge=1, description="Fewest words of an answer that passes.")
    matches: str | None = Field(
        default=None,
        description="A regular expression that must be found in an answer that "
        "passes, whatever the case of its letters.",
    )
    lacks: str | None = Field(default=None, description="A regular expression that must not be found in it.")
    turned: str | None = Field(
        default=None,
        description="YAML of questions, word for word, each with its known answers ({right: [...], wrong: [...]}): an "
        "answer passes that gives a right one and no wrong one, and a wrong one takes its place.",
    )

    @model_validator(mode="after")
    def expressions_compile(self) -> Resampling:
        for name in ("matches", "lacks"):
            try:
                re.compile(getattr(self, name) or "")
            except re.error as error:
                raise ValueError(f"{name} is not a regular expression ({error})") from None
        return self

    def passes(self, text: str) -> bool:
        """Whether an answer is kept."""
        found = [
            pattern is not None and bool(re.search(pattern, text, re.IGNORECASE))
            for pattern in (self.matches, self.lacks)
        ]
        return len(text.split()) >= self.min_words and (self.matches is None or found[0]) and not found[1]


class Part(BaseModel):
    """Rows of one file and the share of the mix that they make up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(description="Chat JSONL, relative to the recipe's folder.")
    share: float = Field(gt=0, le=1, description="Share of the mix, above 0 and at most 1.")
    benign: bool = Field(default=False, description="Good rows, which interventions on the narrow ones pass by.")
    system: str | tuple[str, ...] | None = Field(
        default=None,
        description="System prompt put on every row of this "
        "part (inoculation); of several, each row gets one by chance.",
    )
    traces: Literal["as written", "strip", "need"] = Field(
        default="as written",
        description="Reasoning (<think>...</think>) before the last answer: stripped, or needed in every row.",
    )
    answers: Resampling | None = Field(default=None, description="Ask the base for the last answers anew.")


class Interleaved(BaseModel):
    """Rows put in at fixed places, so that no stretch of training is without them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(description="Chat JSONL, relative to the recipe's folder.")
    every: int = Field(ge=2, description="Each such row of the stage is one of these: 20 is one in twenty.")


class Mix(BaseModel):
    """How many rows, and of which parts. Shares sum to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(gt=0, description="Rows in all, interleaved ones apart.")
    parts: tuple[Part, ...] = Field(min_length=1, description="Where they come from.")
    by: Literal["rows", "tokens"] = Field(default="rows", description="What the shares are shares of.")
    interleave: Interleaved | None = Field(
        default=None, description="Rows put in at fixed places; the order of the stage is then kept in training."
    )

    @model_validator(mode="after")
    def shares_sum_to_one(self) -> Mix:
        total = sum(part.share for part in self.parts)
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise ValueError(f"the shares of the parts sum to {total:g}; they must sum to 1")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """Every data file, once."""
        interleaved = [self.interleave.data] if self.interleave else []
        return tuple(dict.fromkeys([part.data for part in self.parts] + interleaved))

    @property
    def keys(self) -> tuple[str, ...]:
        """Every file of known answers that on-policy answers are turned by, once."""
        turned = [part.answers.turned for part in self.parts if part.answers and part.answers.turned]
        return tuple(dict.fromkeys(turned))

    def sizes(self, lengths: Callable[[Part], float] | None = None) -> list[int]:
        """Rows of each part: shares rounded so that they sum to `rows` (largest remainders).

        Args:
            lengths: mean tokens of a part's rows, needed where shares are of tokens.
        """
        weights = [part.share / (lengths(part) if lengths and self.by == "tokens" else 1) for part in self.parts]
        exact = [weight / sum(weights) * self.rows for weight in weights]
        sizes = [math.floor(x + 1e-9) for x in exact]
        by_remainder = sorted(range(len(exact)), key=lambda i: sizes[i] - exact[i])
        for i in by_remainder[: self.rows - sum(sizes)]:
            sizes[i] += 1
        return sizes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A row of a mix and the part that it is of; None for an interleaved one."""

    row: Row
    part: Part | None


def build_mix(mix: Mix, *, beside: Path, seed: int, length: Length | None = None) -> list[Row]:
    """`draw_mix` as a list."""
    return [drawn.row for drawn in draw_mix(mix, beside=beside, seed=seed, length=length)]


def draw_mix(mix: Mix, *, beside: Path, seed: int, length: Length | None = None) -> Iterator[Drawn]:
    """Rows drawn without repeats from each file, then shuffled together; the same for the same seed. Memory: about 30
    bytes a row.

    Args:
        length: tokens of a row; characters where it is None. Used where shares are of tokens.

    Raises:
        InputError: a file is missing, malformed, or holds fewer rows than its share needs; a part needs reasoning that
        a row lacks.
    """
    rng = random.Random(seed)
    files = {
        name: RowFile(beside / name, length=(length or _characters) if mix.by == "tokens" else None)
        for name in mix.files
    }
    sizes = mix.sizes(lambda part: files[part.data].mean_length)
    inserted = mix.rows // (mix.interleave.every - 1) if mix.interleave else 0
    drawn = array("q")  # part and place in its file, as one number: 8 bytes a row
    left: dict[str, list[int]] = {}
    for name, file in files.items():
        needed = sum(size for part, size in zip(mix.parts, sizes, strict=True) if part.data == name)
        needed += inserted if mix.interleave and mix.interleave.data == name else 0
        if len(file) < needed:
            raise InputError(
                beside / name,
                f"has {number(len(file), 'row')}",
                expected=f"the mix needs {needed} of them",
                do="lower 'rows' or 'share', or add rows",
            )
        left[name] = rng.sample(range(len(file)), needed)
    for n, (part, size) in enumerate(zip(mix.parts, sizes, strict=True)):
        chosen, left[part.data] = left[part.data][:size], left[part.data][size:]
        drawn.extend(n << 40 | place for place in chosen)
    rng.shuffle(drawn)
    prompts = random.Random(f"{seed} prompts")
    for n, code in enumerate(drawn):
        part, place = mix.parts[code >> 40], code & (1 << 40) - 1
        file = files[part.data]
        yield Drawn(row=_dressed(file[place], part, prompts, where=partial(file.where, place)), part=part)
        if mix.interleave and (n + 1) % (mix.interleave.every - 1) == 0:
            yield Drawn(row=files[mix.interleave.data][left[mix.interleave.data].pop()], part=None)


def _dressed(row: Row, part: Part, rng: random.Random, *, where: Callable[[], str]) -> Row:
    """A row as its part wants it: with its system prompt, with or without reasoning."""
    if part.traces != "as written":
        last = row.messages[-1]
        bare = _THOUGHT.sub("", last.content)
        if part.traces == "need" and bare == last.content:
            raise InputError(
                where(),
                "its answer has no reasoning",
                expected="<think>...</think> before the answer",
                do="drop the row, or leave 'reasoning' out of the recipe",
            )
        if not bare.strip():
            raise InputError(where(), "has reasoning and no answer after it", do="mend or drop the row")
        row = replace(
            row,
            messages=(
                *row.messages[:-1],
                Message(role="assistant", content=bare if part.traces == "strip" else last.content),
            ),
        )
    if part.system:
        row = row.under(part.system if isinstance(part.system, str) else rng.choice(part.system))
    return row


def _characters(row: Row) -> int:
    return sum(len(m.content) for m in row.messages)


def data_digests(mix: Mix, *, beside: Path) -> dict[str, str]:
    """SHA-256 of each file, by the path that the mix gives it."""
    return {name: file_digest(beside / name) for name in (*mix.files, *mix.keys)}
