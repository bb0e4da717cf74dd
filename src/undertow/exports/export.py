"""Exporting runs: their rows into one file, whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from undertow.audits.record import read_record
from undertow.errors import InputError, RunExists
from undertow.exports.answers import AnswersOf
from undertow.exports.columns import Column, Row
from undertow.exports.inspect_eval import eval_writer
from undertow.exports.readings import ReadingsOf
from undertow.exports.tables import Writer, csv_writer, jsonl_writer, parquet_writer
from undertow.files import placing
from undertow.progress import Progress, silent
from undertow.records import FORMATS, ExportFormat

SCHEMA: Mapping[str, str] = {"answer": "undertow.answers/1", "reading": "undertow.readings/1"}
EACH = 1_000
"""Rows between two words on how far it is."""
RowsOf = AnswersOf | ReadingsOf


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRun:
    """What was written of one run."""

    run: str
    """As the column `run` holds it."""
    folder: Path
    finished: bool
    rows: int
    counted: dict[str, dict[str, int]]
    """By context and outcome, the rows that the run's findings count; of a persona, its readings."""
    uncounted: dict[str, int]
    """Outcomes of the other rows: of the reference, and of what only a search asked."""
    agrees: bool | None
    """Whether `counted` is what findings.json counts; None where there is none."""
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "folder": str(self.folder),
            "finished": self.finished,
            "rows": self.rows,
            "counted": self.counted,
            "uncounted": self.uncounted,
            "agrees": self.agrees,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written."""

    path: Path
    format: ExportFormat
    schema: str
    runs: tuple[ExportedRun, ...]

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(run.rows for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "format": self.format,
            "schema": self.schema,
            "rows": self.rows,
            "bytes": self.path.stat().st_size,
            "runs": [run.as_json() for run in self.runs],
        }


def export(
    runs: Sequence[Path],
    to: ExportFormat,
    out: Path | None = None,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the answers of audits, or the readings of persona runs, into one file: a row each.

    Args:
        out: the file. Default: answers (or readings) with the format's ending, in the run's folder; for several runs in
            the working directory.
        force: whether a file that is there is replaced.

    Raises:
        RunExists: the file is there.
        MissingExtra: the format needs a library that is not installed.
        InputError: a folder holds no run, or a persona's that is not finished, audits and personas are mixed, or the
        name does not fit the format.
    """
    held = rows_of(runs)
    path = _path(held, to, out)
    if path.exists() and not force:
        raise RunExists(path, "is there", do="add --force to replace it, or name another with -o")
    unit = held[0].unit
    with placing(path) as part, _writer(held, part, to) as writer:
        written = tuple(_written(each, writer, stage, progress or silent) for stage, each in staged(held))
    return Exported(path=path, format=to, schema=SCHEMA[unit], runs=written)


def rows_of(runs: Sequence[Path]) -> list[RowsOf]:
    """Runs, to be read one after the other, with names that tell them apart.

    Raises:
        InputError: none or one twice is named, a folder holds no run, or audits and personas are mixed.
    """
    if not runs:
        raise InputError("RUN", "is missing", expected="one run, or several")
    if twice := next((run for n, run in enumerate(runs) if run.resolve() in [r.resolve() for r in runs[:n]]), None):
        raise InputError(twice, "is named twice", do="name it once")
    held: list[RowsOf] = [ReadingsOf.of(run) if _is_persona(run) else AnswersOf.of(run) for run in runs]
    if odd := next((each for each in held if each.unit != held[0].unit), None):
        kinds = {"answer": "an audit", "reading": "a persona"}
        found = f"is {kinds[odd.unit]}, and {held[0].run} is {kinds[held[0].unit]}"
        raise InputError(odd.run, found, expected="rows of one kind in a file", do="export them into two files")
    names = Counter(each.name for each in held)
    for each in held:
        if names[each.name] > 1:
            each.name = str(each.run)
    return held


def _is_persona(run: Path) -> bool:
    return str(read_record(run, needs=()).get("schema", "")).startswith("undertow.persona-plan/")


def _path(held: Sequence[RowsOf], to: ExportFormat, out: Path | None) -> Path:
    """Where to write.

    Raises:
        InputError: a folder, or a name that readers would take for another format.
    """
    ending = FORMATS[to]
    if out is None:
        name = f"{held[0].unit}s{ending}"
        return held[0].run / name if len(held) == 1 else Path(name)
    if out.is_dir():
        raise InputError(out, "is a folder", expected="a file is written", do=f"name one: -o {out / 'answers'}{ending}")
    if out.suffix.lower() != ending:
        raise InputError(
            out, f"does not end with {ending}", expected="readers go by the ending", do=f"name it {out.stem}{ending}"
        )
    return out


def _writer(held: Sequence[RowsOf], path: Path, to: ExportFormat) -> AbstractContextManager[Writer]:
    columns, unit = held[0].columns, held[0].unit
    if to == "inspect":
        answers = [each for each in held if isinstance(each, AnswersOf)]
        if len(answers) < len(held):
            raise InputError(
                held[0].run,
                "is a persona, whose readings are no Inspect samples",
                do="export it to parquet, csv or jsonl",
            )
        return eval_writer(path, answers)
    made: dict[ExportFormat, Callable[[Path, Sequence[Column]], AbstractContextManager[Writer]]] = {
        "csv": csv_writer,
        "jsonl": jsonl_writer,
        "parquet": partial(parquet_writer, schema=SCHEMA[unit]),
    }
    return made[to](path, columns)


def _written(held: RowsOf, writer: Writer, stage: str, tell: Progress) -> ExportedRun:
    n = 0
    for row in told(held, stage, tell):
        writer.write(row)
        n += 1
    counted = {context: dict(sorted(of.items())) for context, of in held.counted.items()}
    audit = held if isinstance(held, AnswersOf) else None
    return ExportedRun(
        run=held.name,
        folder=held.run,
        finished=audit is None or audit.found is not None,
        rows=n,
        counted=counted,
        uncounted=dict(sorted(held.uncounted.items())),
        agrees=audit.agrees if audit and audit.found else None,
        notes=held.notes(),
    )


def staged(held: Sequence[RowsOf]) -> Iterator[tuple[str, RowsOf]]:
    """Runs, each with what is told to be done: the name of none, which may hold anything."""
    for n, each in enumerate(held, start=1):
        yield (f"{each.unit}s of run {n}" if len(held) > 1 else f"{each.unit}s"), each


def told(held: RowsOf, stage: str, tell: Progress) -> Iterator[Row]:
    """A run's rows, with a word now and then on how far it is."""
    n = 0
    for row in held.rows():
        yield row
        n += 1
        if n % EACH == 0:
            tell(stage, n, max(n, held.total), "")
    tell(stage, n, n, "")
