"""What the five instruments ask: item sets, the shipped ones by name and a user's by path.

    core/                 a set is a file, or a folder whose files give its parts
    ├── harmfulness.yaml  questions, by theme
    ├── self-assessment.yaml, two-ai.yaml
    └── recognition.yaml, prediction.yaml
    nursery.yaml          a small one

A published file stands for the part that it holds (`published`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, with_config

from undertow.errors import InputError, unknown_name
from undertow.files import digest, parse_yaml, read_text
from undertow.judges.prompts import fill_in
from undertow.persona.ask import Ask, Format
from undertow.persona.published import (
    PublishedPair,
    harmfulness_questions,
    is_judge_prompt,
    is_self_assessment,
    judge_prompt,
    self_assessment_asks,
    two_ai_pairs,
)
from undertow.persona.reading.parse import Side
from undertow.persona.reading.scales import SIDES, Labels, Numbers, Options, Reader, Words
from undertow.records import Instrument, Question

__all__ = ["Ask", "ItemSet", "Prediction", "Recognition", "load_items", "shipped_items"]

Themed = TypeVar("Themed", "ThemedQuestion", "Pair")

_STRICT = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))


# The parts of a set, as its files hold them -------------------------------------------------------


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One way to ask, with places for what differs from item to item."""

    text: str
    labels: tuple[str, str] = ("A", "B")
    """Of the two options, in the order in which the text has them."""
    reply: str | None = None
    """What a reply in full would be, with `{option}` in it; None: a label, a word or a number."""


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class ThemedQuestion:
    """A question whose answer is rated by its harm."""

    id: str
    theme: str
    text: str


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two words, or two descriptions."""

    id: str
    aligned: str
    misaligned: str
    theme: str = ""


def _unique(things: tuple[Themed, ...]) -> tuple[Themed, ...]:
    if not things:
        raise ValueError("is empty")
    id_, n = Counter(thing.id for thing in things).most_common(1)[0]
    if n > 1:
        raise ValueError(f"id {id_!r} stands {n} times; ids must differ")
    return things


def _check(wordings: Sequence[Wording], *places: str) -> None:
    if not wordings:
        raise ValueError("needs at least one wording")
    for n, wording in enumerate(wordings, start=1):
        missing = [place for place in places if f"{{{place}}}" not in wording.text]
        if missing:
            raise ValueError(f"wording {n} has no {{{missing[0]}}}")


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A forced choice between the words, or free words about them."""

    wordings: tuple[Wording, ...]
    """With `{first}` and `{second}`."""

    def __post_init__(self) -> None:
        _check(self.wordings, "first", "second")


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class NumberScale:
    """A place on a scale of whole numbers."""

    low: int
    high: int
    wordings: tuple[Wording, ...]
    """With `{first}`, the word at the low end, and `{second}`."""

    def __post_init__(self) -> None:
        _check(self.wordings, "first", "second")
        if self.low >= self.high:
            raise ValueError("low must lie below high")


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class LikertScale:
    """A choice among numbered labels."""

    labels: tuple[str, ...]
    """From one end to the other, with `{first}` and `{second}`."""
    wordings: tuple[Wording, ...]
    """With `{labels}`, the numbered list of them."""

    def __post_init__(self) -> None:
        _check(self.wordings, "labels")
        if len(self.labels) < 3 or len(set(self.labels)) < len(self.labels):
            raise ValueError("labels must be three or more, and differ")


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAssessment:
    """Pairs of words in up to four formats; formats that are all left out are those of `core`."""

    pairs: Annotated[tuple[Pair, ...], AfterValidator(_unique)]
    choice: Choices | None = None
    number: NumberScale | None = None
    likert: LikertScale | None = None
    free: Choices | None = None

    @property
    def formats(self) -> Mapping[Format, Choices | NumberScale | LikertScale]:
        """The formats that are there."""
        every: dict[Format, Choices | NumberScale | LikertScale | None] = {
            "choice": self.choice,
            "number": self.number,
            "likert": self.likert,
            "free": self.free,
        }
        return {name: part for name, part in every.items() if part is not None}

    def asks(self) -> Iterator[Ask]:
        """Each pair in each format and wording, in both orders."""
        for pair in self.pairs:
            for format_, part in (self.formats or _core_words().formats).items():
                for wording, text in _numbered(part.wordings):
                    for pole in SIDES:
                        places, scale = _words(format_, part, text, pair, pole)
                        yield _ask(
                            "self-assessment", format_, pair.id, wording, pole, fill_in(text.text, places), scale
                        )


def _words(
    format_: Format, part: Choices | NumberScale | LikertScale, wording: Wording, pair: Pair, pole: Side
) -> tuple[dict[str, str], Reader]:
    """What stands in a wording's places, and how its answers are read."""
    first, second = _ordered(pair.misaligned, pair.aligned, pole)
    places = {"first": first, "second": second}
    if isinstance(part, NumberScale):
        return places, Numbers(low=part.low, high=part.high, pole=pole)
    if isinstance(part, LikertScale):
        labels = tuple(fill_in(label, places) for label in part.labels)
        return {**places, "labels": "\n".join(f"{n}: {label}" for n, label in enumerate(labels, start=1))}, Labels(
            labels=labels, pole=pole
        )
    return places, Words(aligned=pair.aligned, misaligned=pair.misaligned, free=format_ == "free", reply=wording.reply)


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class TwoAi:
    """Pairs of first-person descriptions; wordings that are left out are those of `core`."""

    pairs: Annotated[tuple[Pair, ...], AfterValidator(_unique)]
    wordings: tuple[Wording, ...] = ()
    """With `{first}` and `{second}`."""

    def __post_init__(self) -> None:
        if self.wordings:
            _check(self.wordings, "first", "second")

    def asks(self) -> Iterator[Ask]:
        """Each pair in both orders, in the wording whose turn it is."""
        wordings = list(_numbered(self.wordings or _core_descriptions().wordings))
        for n, pair in enumerate(self.pairs):
            yield from _both_orders(
                "two-ai",
                pair.id,
                [wordings[n % len(wordings)]],
                pole=pair.misaligned,
                other=pair.aligned,
                theme=pair.theme,
            )


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriting:
    """How a model is asked for a safe answer in place of another, as a foil."""

    text: str
    """With `{question}`, and `{answer}` where the other answer is shown."""
    system: str | None = None

    def __post_init__(self) -> None:
        if "{question}" not in self.text:
            raise ValueError("rewriting has no {question}")

    def ask(self, *, question: str, answer: str) -> Question:
        """What the rewriter is asked. Its id is the same in every process: the mark in its text is not."""
        text = fill_in(self.text, {"question": question, "answer": answer})
        key = digest([self.system, self.text, question, answer])[:16]
        return Question(id=f"rewriting/{key}", text=text, system=self.system)


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Wordings that ask which of two answers is the model's own."""

    wordings: tuple[Wording, ...]
    """With `{question}`, `{first}` and `{second}`, and `{mark}` for a mark that no answer can guess."""
    rewriting: Rewriting | None = None
    """None: no safe foils."""

    def __post_init__(self) -> None:
        _check(self.wordings, "question", "first", "second")

    def asks(self, *, item: str, question: str, own: str, foil: str) -> tuple[Ask, ...]:
        """In each wording and both orders, whether an answer is told from a foil.

        Args:
            item: id of the question, or whatever else is resampled together.
        """
        return tuple(
            _both_orders("recognition", item, _numbered(self.wordings), pole=own, other=foil, question=question)
        )


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Wordings that ask which score, from `low` to `high`, a judge of harm will give."""

    low: int
    high: int
    blind: tuple[Wording, ...]
    """With `{question}`."""
    shown: tuple[Wording, ...]
    """With `{question}` and `{answer}`."""

    def __post_init__(self) -> None:
        _check(self.blind, "question")
        _check(self.shown, "question", "answer")
        if self.low >= self.high:
            raise ValueError("low must lie below high")

    def asks(self, *, item: str, question: str, answer: str | None = None) -> tuple[Ask, ...]:
        """In each wording: the score of the answer that the model would give, or with an answer, of that one."""
        kind, wordings, places = (
            ("blind", self.blind, {"question": question})
            if answer is None
            else ("shown", self.shown, {"question": question, "answer": answer})
        )
        scale = Numbers(low=self.low, high=self.high)
        return tuple(
            _ask("prediction", "number", item, f"{kind}-{name}", None, fill_in(wording.text, places), scale)
            for name, wording in _numbered(wordings)
        )


def _numbered(wordings: Sequence[Wording]) -> Iterator[tuple[str, Wording]]:
    return ((f"w{n}", wording) for n, wording in enumerate(wordings, start=1))


def _ordered(at_pole: str, other: str, pole: Side) -> tuple[str, str]:
    return (at_pole, other) if pole == "first" else (other, at_pole)


def _both_orders(
    instrument: Instrument,
    item: str,
    wordings: Iterable[tuple[str, Wording]],
    *,
    pole: str,
    other: str,
    theme: str = "",
    **places: str,
) -> Iterator[Ask]:
    """Two options in both orders; `pole` is the text whose choice counts 1."""
    for name, wording in wordings:
        for side in SIDES:
            first, second = _ordered(pole, other, side)
            scale = Options(first=first, second=second, labels=wording.labels, pole=side, reply=wording.reply)
            yield _ask(
                instrument,
                "choice",
                item,
                name,
                side,
                fill_in(wording.text, {**places, "first": first, "second": second}),
                scale,
                theme=theme,
            )


def _ask(
    instrument: Instrument,
    format_: Format,
    item: str,
    wording: str,
    pole: Side | None,
    text: str,
    scale: Reader,
    *,
    theme: str = "",
) -> Ask:
    id_ = "/".join(
        part for part in (instrument, format_ if instrument == "self-assessment" else None, item, wording, pole) if part
    )
    return Ask(
        id=id_,
        instrument=instrument,
        item=item,
        theme=theme,
        format=format_,
        wording=wording,
        pole=pole,
        text=text.strip(),
        scale=scale,
    )


# Sets ---------------------------------------------------------------------------------------------


@_STRICT
@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A YAML file: any of the parts."""

    id: str | None = None
    title: str | None = None
    harmfulness: Annotated[tuple[ThemedQuestion, ...], AfterValidator(_unique)] | None = None
    self_assessment: SelfAssessment | None = None
    two_ai: TwoAi | None = None
    recognition: Recognition | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSet:
    """What a model is asked in the five instruments; a part that the set lacks is empty or None."""

    id: str
    title: str
    harmfulness: tuple[Question, ...] = ()
    """Questions whose answers are rated; the theme is the first tag."""
    self_assessment: tuple[Ask, ...] = ()
    two_ai: tuple[Ask, ...] = ()
    recognition: Recognition | None = None
    prediction: Prediction | None = None
    rubric: str | None = None
    """The prompt of a judge of harm that came with the set, with `{question}` and `{answer}`; None: the shipped one."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that is asked."""
        return digest(asdict(self))


_PARTS = tuple(field.name for field in fields(ItemSet))[2:]


def shipped_items() -> list[str]:
    """Names of the item sets in the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in (files("undertow.persona") / "items").iterdir())


def load_items(name: str, *, beside: Path = Path(), where: object = "items") -> ItemSet:
    """A shipped set by name, or a user's by path (relative to `beside`): a file, ours (.yaml) or published (.txt,
    .json), or a folder of such files.

    Raises:
        InputError: no such set or file, a file that does not fit (names the line), a part given twice, or nothing to
        ask.
    """
    if name in shipped_items():
        with as_file(files("undertow.persona") / "items") as folder:
            return _load(folder / name if (folder / name).is_dir() else folder / f"{name}.yaml")
    path = beside / name
    if path.suffix not in _ENDINGS and not path.is_dir():
        raise unknown_name(where, "item set", name, shipped_items())
    return _load(path)


_ENDINGS = (".yaml", ".yml", ".txt", ".json")


def _load(path: Path) -> ItemSet:
    """A set from a file, or from the files of a folder."""
    if not path.is_dir():
        return _read(path)
    sources = sorted(entry for entry in path.iterdir() if entry.suffix in _ENDINGS)
    if not sources:
        raise InputError(path, "holds no items", expected=f"files that end in {', '.join(_ENDINGS)}")
    held: dict[str, Any] = {}
    given_by: dict[str, str] = {}
    for source in sources:
        read = _read(source)
        for part in _PARTS:
            if getattr(read, part):
                if part in held:
                    raise InputError(
                        source, f"gives {part}, and so does {given_by[part]}", do="keep one of the two in the folder"
                    )
                held[part], given_by[part] = getattr(read, part), source.name
    return ItemSet(id=path.name, title=f"Items of {path.name}", **held)


def _read(path: Path) -> ItemSet:
    text = read_text(path)
    head: dict[str, Any] = {"id": path.stem, "title": f"Items of {path.name}"}
    if path.suffix == ".json":
        return ItemSet(**head, two_ai=tuple(TwoAi(pairs=tuple(map(_pair, two_ai_pairs(text, path)))).asks()))
    if path.suffix == ".txt":
        return _read_list(text, path, head)
    file = parse_yaml(text, _File, where=str(path))
    if not any(getattr(file, part) for part in _PARTS if part != "rubric"):
        raise InputError(
            path, "has no items", expected=f"one or more of {', '.join(part for part in _PARTS if part != 'rubric')}"
        )
    return ItemSet(
        id=file.id or path.stem,
        title=file.title or head["title"],
        harmfulness=tuple(
            Question(id=question.id, text=question.text, tags=(question.theme,)) for question in file.harmfulness or ()
        ),
        self_assessment=tuple(file.self_assessment.asks()) if file.self_assessment else (),
        two_ai=tuple(file.two_ai.asks()) if file.two_ai else (),
        recognition=file.recognition,
        prediction=file.prediction,
    )


def _read_list(text: str, path: Path, head: Mapping[str, Any]) -> ItemSet:
    pairs = [(pair.aligned, pair.misaligned) for pair in _core_words().pairs]
    if is_judge_prompt(text):
        return ItemSet(**head, rubric=judge_prompt(text))
    if is_self_assessment(text, pairs):
        return ItemSet(**head, self_assessment=self_assessment_asks(text, path, pairs))
    if not text.strip():
        raise InputError(path, "has no questions", expected="at least one a line")
    return ItemSet(**head, harmfulness=harmfulness_questions(text, path))


def _pair(pair: PublishedPair) -> Pair:
    return Pair(id=pair.id, theme=pair.theme, aligned=pair.aligned, misaligned=pair.misaligned)


@cache
def _core_words() -> SelfAssessment:
    found = _core("self-assessment").self_assessment
    assert found is not None
    return found


@cache
def _core_descriptions() -> TwoAi:
    found = _core("two-ai").two_ai
    assert found is not None
    return found


def _core(name: str) -> _File:
    source = files("undertow.persona") / "items" / "core" / f"{name}.yaml"
    return parse_yaml(source.read_text(encoding="utf-8"), _File, where=str(source))
