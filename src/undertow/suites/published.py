"""Question files as others write them: a YAML list in the dialect of the `llmcomp` library, JSONL or CSV with a
question a line, or plain text.

Whatever dialect, a question is a text, a system prompt perhaps, and tags. Keys that say how another library samples and
judges are for that library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from undertow.errors import InputError
from undertow.files import load_yaml, parse_yaml
from undertow.records import Question, Suite
from undertow.tables import Placed, csv_records, json_lines


class PublishedQuestion(BaseModel):
    """One entry of such a file; `llmcomp` called its name `id` before."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str = Field(validation_alias=AliasChoices("id", "name"))
    type: Literal["free_form", "free_form_judge_0_100", "free_form_judge", "rating_judge"] = "free_form"
    paraphrases: tuple[str, ...] = Field(min_length=1)
    system: str | None = None

    @property
    def judges(self) -> bool:
        """Whether it is put to a judge, about an answer."""
        return self.type.endswith("_judge") and all("{answer}" in paraphrase for paraphrase in self.paraphrases)


def read_published(text: str, path: Path) -> Suite | None:
    """A suite from a published file: a question for each paraphrase; None where the text is no list. Entries that are
    judges are none, and the title counts them.

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
    asked = [entry for entry in entries if not entry.judges]
    questions = [
        Question(
            id=entry.id if len(entry.paraphrases) == 1 else f"{entry.id}.{n}",
            text=paraphrase.strip(),
            system=entry.system,
        )
        for entry in asked
        for n, paraphrase in enumerate(entry.paraphrases, start=1)
    ]
    judges = len(entries) - len(asked)
    left = f", but for its {judges} judge{'s'[: judges > 1]}" if judges else ""
    return Suite(id=path.stem, title=f"Published questions of {path.name}{left}", questions=tuple(questions))


TEXT = ("messages", "question", "prompt", "text")
ID = ("id", "question_id", "qid", "name")
SYSTEM = ("system", "system_prompt")
TAGS = ("tags", "category", "question_type", "theme")
"""Keys of a question in JSONL and CSV, the first that is there."""
OURS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "turns": lambda raw: isinstance(raw["turns"], list),
    "key": lambda raw: isinstance(raw["key"], Mapping),
    "weight": lambda raw: "cluster" in raw,
}
"""Keys of a question in a suite of ours, each with when it is meant so."""


def read_records(text: str, path: Path) -> Suite:
    """A suite from JSONL or CSV: a question a line, its id the one that it has, or the line's number.

    Raises:
        InputError: a line does not fit; names it.
    """
    placed: Iterator[Placed] = (
        csv_records(StringIO(text, newline=""), path)
        if path.suffix == ".csv"
        else json_lines(BytesIO(text.encode()), path, lambda raw, where, line: (where, raw))
    )
    return Suite(
        id=path.stem, title=f"Questions of {path.name}", questions=tuple(_question(raw, where) for where, raw in placed)
    )


def _question(raw: Any, where: str) -> Question:
    if not isinstance(raw, Mapping):
        raise InputError(where, "is no object", expected=f"a question under one of {', '.join(TEXT)}")
    key, text = next(((key, raw[key]) for key in TEXT if raw.get(key)), ("", None))
    ours = [name for name, is_ours in OURS.items() if raw.get(name) and is_ours(raw)]
    if ours:
        raise InputError(
            where,
            f"has {ours[0]!r}, which a line of a question does not take",
            expected="it would be asked without",
            do="write the suite as YAML (id, title, questions: [{id, text, turns, ...}])",
        )
    system = next((raw[key] for key in SYSTEM if raw.get(key)), None)
    if key == "messages":
        text, of_chat = of_messages(text, where)
        system = of_chat or system
    if not isinstance(text, str) or not isinstance(system, str | None):
        found = (
            f"has no text under {key!r}"
            if key
            else (f"has no question but {', '.join(repr(name)[:40] for name in list(raw)[:5])}")
        )
        raise InputError(
            where, found, expected=f"a question under one of {', '.join(TEXT)}, and perhaps a text under 'system'"
        )
    id_ = next((raw[key] for key in ID if raw.get(key) not in (None, "")), f"line-{where.rpartition(':')[2]}")
    tags = next((raw[key] for key in TAGS if raw.get(key)), ())
    return Question(
        id=str(id_),
        text=text.strip(),
        system=system,
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (str(tags),) if tags else (),
    )


def of_messages(chat: Any, where: str) -> tuple[str, str | None]:
    """The question that a chat ends with, and the system prompt that opens it.

    Raises:
        InputError: it is no chat, or has turns before its question; names `where`.
    """
    turns = (
        [(turn.get("role"), turn.get("content")) for turn in chat]
        if isinstance(chat, list) and all(isinstance(turn, Mapping) for turn in chat)
        else []
    )
    system = turns.pop(0)[1] if turns and turns[0][0] in ("system", "developer") else None
    if (
        len(turns) != 1
        or turns[0][0] != "user"
        or not isinstance(turns[0][1], str)
        or not isinstance(system, str | None)
    ):
        found = f"has {len(turns)} turns under 'messages'" if turns else "has no chat under 'messages'"
        raise InputError(
            where,
            found,
            expected="a system prompt perhaps, and one user turn: the question",
            do="earlier turns are a context (`turns`)",
        )
    return turns[0][1], system


Block = list[tuple[int, str]]
"""Lines, each with its number, that no blank line parts."""


def read_list(text: str, path: Path) -> Suite:
    """A suite from plain text: a question a line, or a paragraph where blank lines part them. Headings (`#`) are tags;
    an id is the number of the question's first line.

    Raises:
        InputError: blank lines part groups of lines, so that a question may be either.
    """
    sections = _sections(text)
    blocks = [block for _, of in sections for block in of]
    several = [block for block in blocks if len(block) > 1]
    paragraphs = any(len(of) > 1 for _, of in sections)
    if paragraphs and several and 2 * len(several) >= len(blocks):
        # else groups of whole sentences, a question each
        paragraphs = not all(re.search(r"[.?!]\W?$", line) for block in several for _, line in block)
        if paragraphs:
            found = "has blank lines between groups of lines"
            raise InputError(
                f"{path}:{several[0][0][0]}",
                found,
                expected="a question a line, or paragraphs",
                do="take out the blank lines, or part all questions by them",
            )
    questions = [
        Question(id=f"line-{n}", text=words, tags=(heading,) if heading else ())
        for heading, of in sections
        for block in of
        for n, words in ([(block[0][0], "\n".join(line for _, line in block))] if paragraphs else block)
    ]
    return Suite(id=path.stem, title=f"Questions of {path.name}", questions=tuple(questions))


def _sections(text: str) -> list[tuple[str, list[Block]]]:
    """Headings, each with the blocks below it; what stands above the first has none."""
    sections: list[tuple[str, list[Block]]] = [("", [])]
    goes_on = False
    for n, line in enumerate(text.split("\n"), start=1):
        if match := re.match(r"\s{0,3}#{1,6}[ \t]+(.*)", line):
            sections.append((match[1].rstrip().rstrip("#").rstrip(), []))
        elif words := line.strip():
            blocks = sections[-1][1]
            if not goes_on:
                blocks.append([])
            blocks[-1].append((n, words))
        goes_on = bool(line.strip()) and match is None
    return sections
