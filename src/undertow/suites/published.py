"""Question files as published: a YAML list in the dialect of the `llmcomp` library, or plain text with one question a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from undertow.files import load_yaml, parse_yaml
from undertow.records import Question, Suite


class PublishedQuestion(BaseModel):
    """One entry of such a file. Keys that say how its own library samples and judges are taken note of by nobody here."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str
    type: Literal["free_form", "free_form_judge_0_100", "free_form_judge"] = "free_form"
    paraphrases: tuple[str, ...] = Field(min_length=1)
    system: str | None = None


def read_published(text: str, path: Path) -> Suite | None:
    """A suite from a published file: a question for each paraphrase; None where the text is no list.

    Raises:
        InputError: an entry does not fit; names the line.
    """
    try:
        raw: Any = load_yaml(text)
    except yaml.YAMLError:
        return None  # our own reader tells the line
    if not isinstance(raw, list):
        return None
    entries = parse_yaml(text, tuple[PublishedQuestion, ...], where=str(path))
    questions = [
        Question(id=entry.id if len(entry.paraphrases) == 1 else f"{entry.id}.{n}", text=paraphrase.strip(), system=entry.system)
        for entry in entries
        for n, paraphrase in enumerate(entry.paraphrases, start=1)
    ]
    return Suite(id=path.stem, title=f"Published questions of {path.name}", questions=tuple(questions))


def read_list(text: str, path: Path) -> Suite:
    """A suite from plain text: a question a line, its id the line's number; empty lines are passed over."""
    questions = tuple(Question(id=f"line-{n}", text=line.strip()) for n, line in enumerate(text.split("\n"), start=1) if line.strip())
    return Suite(id=path.stem, title=f"Questions of {path.name}", questions=questions)
