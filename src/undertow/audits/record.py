"""What a run's `plan.json` holds, read again: whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from undertow.audits.rules import rule_of
from undertow.audits.settings import AuditConfig, SamplesConfig
from undertow.errors import InputError
from undertow.files import read_object
from undertow.mistakes import with_place
from undertow.place import Place
from undertow.records import NO_ERROR, Context, JudgeError, Statement, Suite


class _Found(BaseModel):
    questions: list[str]
    contexts: tuple[Context, ...]


class _Named(BaseModel):
    name: str


class _Samples(SamplesConfig):
    temperature: float
    max_tokens: int


class _Record(BaseModel):
    """What is read of a plan's record, whoever wrote it; no key but the first three need be there (a null is none), and
    more may be."""

    config: _Named
    judge: dict[str, Any]
    targets: dict[str, dict[str, Any]]
    beside: str = ""
    fixed: list[str] = []
    suite: Suite = None  # type: ignore[assignment]
    contexts: tuple[Context, ...] = ()
    samples: _Samples = None  # type: ignore[assignment]
    rule: dict[str, Any] = {}
    material: float = 0.0
    multiplicity: str = ""
    seed: int = 0
    verdict_of: Statement = "these-models"
    found: _Found = None  # type: ignore[assignment]
    judge_error: JudgeError = NO_ERROR
    looks: list[int] = []
    canaries: dict[str, float] = {}
    notes: list[str] = []
    judge_notes: list[str] = []
    answered_by: dict[str, dict[str, int]] = {}
    copying: list[str] = []
    unexplained: list[str] = []
    resumed: list[dict[str, Any]] = []
    hashes: dict[str, str] | None = None
    models: dict[str, dict[str, Any]] = {}


AUDITED = ("suite", "contexts", "samples", "rule", "material", "multiplicity", "seed")
"""What the record of an audit holds beside what every plan's does."""


def read_record(run: Path, *, needs: Collection[str] = AUDITED) -> dict[str, Any]:
    """What a run's `plan.json` holds.

    Args:
        needs: keys that will be read of it.

    Raises:
        InputError: the folder holds no run, or a record that no run wrote.
    """
    path = run / "plan.json"
    if not path.is_file():
        raise InputError(
            run,
            "is not a run",
            expected="a run holds plan.json",
            do="name an audit.yaml, or a folder that an audit wrote",
        )
    again = "audit anew; the answers are in run.sqlite"
    record = read_object(path, expected="the run's plan", do=again)
    try:
        _Record.model_validate_json(json.dumps(record), strict=True)
        if "rule" in record:
            rule_of(record)
    except ValidationError as error:
        raise InputError(
            path, f"is no plan ({with_place(error.errors()[0])})", expected="the keys that an audit wrote", do=again
        ) from None
    if lacking := [key for key in needs if key not in record]:
        raise InputError(
            path,
            f"is no plan of this kind ({', '.join(lacking)} missing)",
            expected="the keys that an audit wrote",
            do=again,
        )
    return record


def read_run_config(run: Path) -> tuple[AuditConfig, Place]:
    """The configuration of a run that was begun, and where it stood, under the run's name.

    Raises:
        InputError: the folder holds no run.
    """
    record = read_record(run, needs=())
    if "imported" in record:
        raise InputError(
            run,
            "was imported",
            expected="there is no model behind it to ask",
            do="judge, decide or compare it: undertow rejudge, rescore, compare",
        )
    try:
        return AuditConfig.model_validate(record["config"]), Place(folder=Path(record["beside"]), name=str(run))
    except (ValidationError, KeyError, TypeError) as error:
        why = with_place(error.errors()[0]) if isinstance(error, ValidationError) else f"lacks {error}"
        raise InputError(
            run / "plan.json",
            f"holds no audit ({why})",
            do="name the audit.yaml that made it, or audit anew; the answers are in run.sqlite",
        ) from None
