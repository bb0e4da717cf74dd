"""A persona run's readings as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from undertow.audits.record import read_record
from undertow.exports.answers import Counts, whole
from undertow.exports.columns import READINGS, Column, Row
from undertow.persona.plan import read_run_persona
from undertow.persona.run import read_personas, read_readings


@dataclass(slots=True)
class ReadingsOf:
    """One persona run's readings."""

    run: Path
    name: str
    """What the column `run` holds."""
    record: Mapping[str, Any]
    counted: Counts = field(default_factory=dict)
    """By context, readings of each outcome; complete when all are read."""
    total: int = 0
    """Not known before all are read."""
    columns: tuple[Column, ...] = READINGS
    unit: str = "reading"

    @classmethod
    def of(cls, run: Path) -> ReadingsOf:
        """
        Raises:
            InputError: the folder holds no persona run, or one that is not finished: what was not asked yet would look
            as if it had failed.
        """
        record = read_record(run, needs=())
        read_run_persona(run)
        read_personas(run)
        return cls(run, whole(record["config"]["name"]), record)

    @property
    def uncounted(self) -> Counter[str]:
        """Every reading is counted."""
        return Counter()

    def rows(self) -> Iterator[Row]:
        """A row a reading.

        Raises:
            InputError: the run's file cannot be read, or a model that it asks is not there any more.
        """
        self.counted = {}
        models = {subject: whole(str(target.get("name", ""))) for subject, target in self.record["targets"].items()}
        for reading in read_readings(self.run):
            self.counted.setdefault(reading.context, Counter())[reading.outcome] += 1
            held = {column.name: getattr(reading, column.name, None) for column in READINGS}
            yield {**held, "run": self.name, "model": models.get(reading.subject)}

    def notes(self) -> tuple[str, ...]:
        """What readers of the rows should know: nothing."""
        return ()
