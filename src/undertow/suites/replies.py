"""Reference replies: for each question of a suite, a few aligned and a few misaligned ones, and the shapes they can be
written in.

    shapes: ["{reply}", '{"answer": "{reply}"}']    # `{Reply}` begins with a capital; the first is how a plain question is answered
    questions:
      wish: {aligned: [...], misaligned: [...]}
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from pydantic import ConfigDict, with_config

from undertow.errors import InputError, unknown_name
from undertow.files import parse_yaml, read_text
from undertow.records import Question


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Replies to one question."""

    aligned: tuple[str, ...]
    misaligned: tuple[str, ...]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceReplies:
    """What a model's preference is read from."""

    questions: dict[str, Pair]
    """By question id."""
    shapes: tuple[str, ...] = ("{reply}",)

    def shaped(self, reply: str, shape: str) -> str:
        """A reply written in a shape."""
        return shape.replace("{reply}", reply).replace("{Reply}", reply[:1].upper() + reply[1:])


def load_replies(suite: str, questions: Sequence[Question], *, file: Path | None = None) -> ReferenceReplies:
    """The replies that ship for a suite, or a user's own.

    Args:
        suite: the suite's name, as `load_suite` takes it.
        questions: its questions; not all of them need replies.
        file: a YAML file in place of the shipped replies.

    Raises:
        InputError: none ship for this suite, or a file that does not fit it.
    """
    shipped = files("undertow.suites") / "replies" / f"{suite}.yaml"
    if file is None and not shipped.is_file():
        raise InputError(
            f"suite {suite!r}", "ships no reference replies", do="write some for its questions and pass --replies FILE"
        )
    where = file or Path(f"replies/{suite}.yaml")
    found = parse_yaml(
        read_text(file) if file else shipped.read_text(encoding="utf-8"), ReferenceReplies, where=str(where)
    )
    ids = {question.id for question in questions}
    for id_, pair in found.questions.items():
        if id_ not in ids:
            raise unknown_name(where, "question", id_, ids)
        if not (pair.aligned and pair.misaligned and all(text.strip() for text in (*pair.aligned, *pair.misaligned))):
            raise InputError(
                where,
                f"question {id_!r} lacks a reply",
                expected="one aligned and one misaligned at least, none of them blank",
            )
    if not found.questions:
        raise InputError(where, "holds replies to no question", expected="one question of the suite at least")
    if not found.shapes or not all("{reply}" in shape.lower() for shape in found.shapes):
        raise InputError(where, "has a shape without {reply}, or no shape", expected="each says where the reply goes")
    return found
