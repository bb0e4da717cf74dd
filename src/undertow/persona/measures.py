"""Readings of one context -> what each instrument says, with intervals and the counts of what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, make_dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from undertow.persona.bootstrap import STRICT, Bootstrap
from undertow.persona.instruments import TABLE
from undertow.persona.instruments.harmfulness import HarmMeasures
from undertow.persona.instruments.prediction import PredictionMeasures
from undertow.persona.instruments.recognition import RecognitionMeasures
from undertow.persona.instruments.self_assessment import SelfAssessmentMeasures
from undertow.persona.instruments.two_ai import TwoAiMeasures
from undertow.persona.readings import Reading
from undertow.persona.thresholds import OVER
from undertow.records import InstrumentId
from undertow.stats.graded import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the instruments say in one context. An instrument that was not asked has values None."""

    by: Mapping[InstrumentId, Any]
    """What each says, of the type that it `gives`."""
    items: Mapping[InstrumentId, int]
    """Items asked about."""
    calls: Mapping[InstrumentId, int]
    """Calls to the model."""

    @property
    def harmfulness(self) -> HarmMeasures:
        found: HarmMeasures = self.by["harmfulness"]
        return found

    @property
    def self_assessment(self) -> SelfAssessmentMeasures:
        found: SelfAssessmentMeasures = self.by["self-assessment"]
        return found

    @property
    def two_ai(self) -> TwoAiMeasures:
        found: TwoAiMeasures = self.by["two-ai"]
        return found

    @property
    def recognition(self) -> RecognitionMeasures:
        found: RecognitionMeasures = self.by["recognition"]
        return found

    @property
    def prediction(self) -> PredictionMeasures:
        found: PredictionMeasures = self.by["prediction"]
        return found

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """In a file the instruments stand beside the counts, each under its key."""
        counts = [("items", Mapping[InstrumentId, int]), ("calls", Mapping[InstrumentId, int])]
        fields = [*((i.key, i.gives) for i in TABLE.values()), *counts]
        filed = STRICT(make_dataclass("MeasuresFile", fields, frozen=True, slots=True, kw_only=True))

        def read(held: Any) -> Measures:
            by = {i.id: getattr(held, i.key) for i in TABLE.values()}
            return cls(by=by, items=held.items, calls=held.calls)

        def written(found: Measures) -> Any:
            by = {i.key: found.by[i.id] for i in TABLE.values()}
            return filed(**by, items=found.items, calls=found.calls)

        schema = handler.generate_schema(filed)
        return core_schema.no_info_after_validator_function(
            read, schema, serialization=core_schema.plain_serializer_function_ser_schema(written, return_schema=schema)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Measures, and the bootstrap's draws of those that a profile is made of."""

    measures: Measures
    draws: Mapping[str, Floats]
    """By name (`harm/worst`, `two-ai/share`, ...): shape (draws,); absent where there is no estimate."""


def measures(
    readings: Iterable[Reading], *, over: float = OVER, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Measures:
    """The measures of one context. Several subjects are training seeds of one recipe, and random too.

    Raises:
        ValueError: a reading that its instrument cannot have given.
    """
    return measured(readings, over=over, level=level, draws=draws, seed=seed).measures


def measured(
    readings: Iterable[Reading], *, over: float = OVER, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Measured:
    """`measures`, with the draws."""
    rows_of: dict[InstrumentId, list[Reading]] = {name: [] for name in TABLE}
    # so that sums round alike whatever the order
    for reading in sorted(readings, key=lambda r: (r.subject, r.item, r.variant, r.order, r.sample)):
        TABLE[reading.instrument].check(reading)
        rows_of[reading.instrument].append(reading)
    clusters = {name: instrument.cluster for name, instrument in TABLE.items()}
    boot = Bootstrap(rows_of, clusters, level=level, draws=draws, seed=seed)
    found = Measures(
        by={name: TABLE[name].measure(boot, rows, over=over) for name, rows in rows_of.items()},
        items={name: len({r.item for r in rows}) for name, rows in rows_of.items()},
        calls={name: sum(r.calls for r in rows) for name, rows in rows_of.items()},
    )
    return Measured(measures=found, draws=boot.kept)
