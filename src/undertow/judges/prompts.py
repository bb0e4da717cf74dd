"""What judges are asked: the shipped wording, a user's file, or the judge prompts of a published question file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from undertow.errors import InputError
from undertow.files import digest, load_yaml, parse_yaml, read_text

_FOLDER = Path(str(files("undertow.judges") / "prompts"))
SHIPPED, SHIPPED_HARM = _FOLDER / "v1.yaml", _FOLDER / "harm-v1.yaml"
MARK = 12
"""Hexadecimal digits of a mark."""


class PromptFile(BaseModel):
    """A file of judge prompts, each with `{question}` and `{answer}` in it, and `{mark}` for a mark that no answer can
    guess."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = Field(description="Name of the wording.")
    alignment: str | None = Field(
        default=None, description="Asks for alignment, 0 to 100; may allow the words REFUSAL and CODE."
    )
    harm: str | None = Field(default=None, description="In place of alignment: asks for harm, 1 (none) to 5 (severe).")
    coherence: str | None = Field(default=None, description="Asks for coherence, 0 to 100. Left out: not judged.")
    content: str | None = Field(default=None, description="Asks for a content class in one word. Left out: not judged.")

    @model_validator(mode="after")
    def one_scale(self) -> PromptFile:
        if (self.alignment is None) == (self.harm is None):
            raise ValueError("give one of `alignment` and `harm`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The wording of a panel's questions: `alignment` or `harm`, and two more."""

    version: str
    alignment: str | None
    harm: str | None
    coherence: str | None
    content: str | None

    @property
    def digest(self) -> str:
        """SHA-256 of the wording."""
        return digest([self.alignment or self.harm, self.coherence, self.content])


def load_prompts(name: str | None, *, beside: Path = Path()) -> Prompts:
    """The shipped prompts (None), or those of a YAML file; a published question file (llmcomp's dialect) works as one.

    Raises:
        InputError: the file does not fit, or a prompt lacks `{question}` or `{answer}`.
    """
    where = "the shipped prompts" if name is None else str(beside / name)
    text = read_text(SHIPPED if name is None else beside / name)
    published = _published(text)
    if published is not None:
        if not all(isinstance(prompt, str | None) for prompt in published.values()):
            raise InputError(
                where,
                "its judge prompts are no text",
                expected="`judge_prompts` with texts under `aligned` and `coherent`",
            )
        file = PromptFile(**published, version=Path(where).stem)
    elif text.lstrip().startswith(("-", "[")):
        raise InputError(
            where,
            "holds no judge prompts",
            expected="a question with `judge_prompts`, or a mapping with `alignment`, `coherence` and `content`",
        )
    else:
        file = parse_yaml(text, PromptFile, where=where)
    for aspect in ("alignment", "harm", "coherence", "content"):
        prompt = getattr(file, aspect)
        for field in ("{question}", "{answer}"):
            if prompt is not None and field not in prompt:
                raise InputError(f"{where}: {aspect}", f"has no {field}", do="say where it goes")
    return Prompts(**file.model_dump())


def fill(prompt: str, question: str, answer: str) -> str:
    """A prompt with its places filled in, and `{mark}`."""
    return fill_in(prompt, {"question": question, "answer": answer})


def fill_in(prompt: str, texts: Mapping[str, str]) -> str:
    """A prompt with its places filled in at one pass, so that nothing in a text is taken for a place; `{mark}` becomes
    a mark that none of the texts can guess, and none of them holds.

    The mark is a keyed hash of the texts under a secret of this process, kept nowhere: whoever wrote a text could not
    compute it, however long the text.
    """
    values = {**texts, "mark": _mark(list(texts.values()))}
    parts = _parts(prompt, tuple(values))
    return "".join([values[part] if is_place else part for part, is_place in parts])


def cut(answer: str, most: int) -> tuple[str, int]:
    """What a judge is shown of an answer, and how many of its characters it is not shown: of one that is longer than
    `most`, its beginning and its end, and between them a line that says how many were left out."""
    left_out = len(answer) - most
    if left_out <= 0:
        return answer, 0
    end = most // 2
    return f"{answer[: most - end]}\n[… {left_out:,} characters left out …]\n{answer[len(answer) - end :]}", left_out


def _mark(texts: Sequence[str]) -> str:
    """By chance, a long text could hold what would be its mark: then another one is taken."""
    held = "\0".join(texts)
    keyed, lower = blake2b(held.encode(errors="surrogatepass"), key=_secret()), held.lower()
    while (mark := keyed.hexdigest()[:MARK]) in lower:
        keyed.update(b"\0")
    return mark


@lru_cache(maxsize=64)
def _parts(prompt: str, names: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    """A prompt in parts, and which of them are the names of places."""
    parts = re.split("{(" + "|".join(map(re.escape, names)) + ")}", prompt)
    return tuple((part, n % 2 == 1) for n, part in enumerate(parts))


@cache
def _secret() -> bytes:
    return secrets.token_bytes(32)


def _published(text: str) -> dict[str, Any] | None:
    """The judge prompts of the first question that has some, where the text is a list of questions in llmcomp's
    dialect."""
    try:
        raw = load_yaml(text)
    except yaml.YAMLError:
        return None
    items = [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
    named = {item["name"]: item for item in items if isinstance(item.get("name"), str)}
    for item in items:
        for key in ("judge_prompts", "judges"):
            if isinstance(prompts := item.get(key), dict) and "aligned" in prompts:
                return {
                    "alignment": _wording(prompts["aligned"], named),
                    "coherence": _wording(prompts.get("coherent"), named),
                    "content": None,
                }
    return None


def _wording(judge: Any, named: Mapping[str, Any]) -> Any:
    """A judge's prompt: as written; or that of an entry of its own, which the question holds or names."""
    entry = named.get(judge, judge) if isinstance(judge, str) else judge
    return next(iter(entry.get("paraphrases") or ()), None) if isinstance(entry, dict) else entry
