"""What the instruments ask: item sets, the shipped ones by name and a user's by path.

    core/                 a set is a file, or a folder whose files give its parts
    ├── harmfulness.yaml  questions, by theme
    ├── self-assessment.yaml, two-ai.yaml
    └── recognition.yaml, prediction.yaml
    nursery.yaml          a small one

Each instrument says what its section of a file holds; a published file stands for the part that it holds (`published`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from undertow.errors import InputError, unknown_name
from undertow.files import digest, parse_yaml, read_text
from undertow.persona.ask import Ask
from undertow.persona.instruments import TABLE
from undertow.persona.instruments.prediction import PredictionItems
from undertow.persona.instruments.recognition import RecognitionItems
from undertow.persona.instruments.self_assessment import core_words
from undertow.persona.instruments.two_ai import TwoAiItems
from undertow.persona.published import (
    PublishedPair,
    harmfulness_questions,
    is_judge_prompt,
    is_self_assessment,
    judge_prompt,
    self_assessment_asks,
    two_ai_pairs,
)
from undertow.persona.wordings import Pair, file_type
from undertow.place import HERE, Place
from undertow.records import InstrumentId, Question

__all__ = ["ItemSet", "load_items", "shipped_items"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSet:
    """What a model is asked in the instruments."""

    id: str
    title: str
    parts: Mapping[InstrumentId, Any]
    """What the set holds of each instrument that it has something of."""
    rubric: str | None = None
    """The prompt of a judge of harm that came with the set, with `{question}` and `{answer}`; None: the shipped one."""

    def part(self, instrument: InstrumentId) -> Any:
        """What it holds of an instrument; empty or None where it lacks it."""
        return self.parts.get(instrument, TABLE[instrument].lacking)

    @property
    def harmfulness(self) -> tuple[Question, ...]:
        """Questions whose answers are rated; the theme is the first tag."""
        found: tuple[Question, ...] = self.part("harmfulness")
        return found

    @property
    def self_assessment(self) -> tuple[Ask, ...]:
        found: tuple[Ask, ...] = self.part("self-assessment")
        return found

    @property
    def two_ai(self) -> tuple[Ask, ...]:
        found: tuple[Ask, ...] = self.part("two-ai")
        return found

    @property
    def recognition(self) -> RecognitionItems | None:
        found: RecognitionItems | None = self.part("recognition")
        return found

    @property
    def prediction(self) -> PredictionItems | None:
        found: PredictionItems | None = self.part("prediction")
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of all that is asked."""
        held = asdict(self)
        parts = held.pop("parts") | {"harmfulness": [question.as_json() for question in self.harmfulness]}
        return digest(held | {i.key: parts.get(i.id, i.lacking) for i in TABLE.values()})


def shipped_items() -> list[str]:
    """Names of the item sets in the package."""
    return sorted(entry.name.removesuffix(".yaml") for entry in (files("undertow.persona") / "items").iterdir())


def load_items(name: str, place: Place = HERE) -> ItemSet:
    """A shipped set by name, or a user's by path (relative to `place`): a file, ours (.yaml) or published (.txt,
    .json), or a folder of such files.

    Raises:
        InputError: no such set or file, a file that does not fit (names the line), a part given twice, or nothing to
        ask.
    """
    if name in shipped_items():
        with as_file(files("undertow.persona") / "items") as folder:
            return _load(folder / name if (folder / name).is_dir() else folder / f"{name}.yaml")
    path = place.path(name)
    if path.suffix not in _ENDINGS and not path.is_dir():
        raise unknown_name(place.or_named("items"), "item set", name, shipped_items())
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
        for part, value in _given(_read(source)).items():
            if part in held:
                raise InputError(
                    source, f"gives {part}, and so does {given_by[part]}", do="keep one of the two in the folder"
                )
            held[part], given_by[part] = value, source.name
    return ItemSet(
        id=path.name,
        title=f"Items of {path.name}",
        parts={i.id: held[i.key] for i in TABLE.values() if i.key in held},
        rubric=held.get("rubric"),
    )


def _given(items: ItemSet) -> dict[str, Any]:
    """What a set has, by the keys of a file."""
    parts = {TABLE[instrument].key: part for instrument, part in items.parts.items()}
    return {**parts, "rubric": items.rubric} if items.rubric else parts


def _read(path: Path) -> ItemSet:
    text = read_text(path)
    head: dict[str, Any] = {"id": path.stem, "title": f"Items of {path.name}"}
    if path.suffix == ".json":
        found = two_ai_pairs(text, path)
        id_, n = Counter(pair.id for pair in found).most_common(1)[0] if found else ("", 0)
        if n > 1:
            raise InputError(path, f"{id_.replace('-', ' ')} stands {n} times", expected="each item_id once")
        pairs = TwoAiItems(pairs=tuple(map(_pair, found)))
        return ItemSet(**head, parts={"two-ai": tuple(pairs.asks())})
    if path.suffix == ".txt":
        return _read_list(text, path, head)
    file = parse_yaml(text, file_type(tuple((i.key, i.section) for i in TABLE.values())), where=str(path))
    sections = {i: section for i in TABLE.values() if (section := getattr(file, i.key)) is not None}
    if not sections:
        raise InputError(path, "has no items", expected=f"one or more of {', '.join(i.key for i in TABLE.values())}")
    return ItemSet(
        id=file.id or path.stem,
        title=file.title or head["title"],
        parts={i.id: i.part(section) for i, section in sections.items()},
    )


def _read_list(text: str, path: Path, head: Mapping[str, Any]) -> ItemSet:
    pairs = [(pair.aligned, pair.misaligned) for pair in core_words().pairs]
    if is_judge_prompt(text):
        return ItemSet(**head, parts={}, rubric=judge_prompt(text))
    if is_self_assessment(text, pairs):
        return ItemSet(**head, parts={"self-assessment": self_assessment_asks(text, path, pairs)})
    if not text.strip():
        raise InputError(path, "has no questions", expected="at least one a line")
    return ItemSet(**head, parts={"harmfulness": harmfulness_questions(text, path)})


def _pair(pair: PublishedPair) -> Pair:
    return Pair(id=pair.id, theme=pair.theme, aligned=pair.aligned, misaligned=pair.misaligned)
