"""Later work on a finished run, with no new answers: another judge, or another rule. What was found before stays beside it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from undertow.audit.findings import findings, read_findings
from undertow.audit.plan import read_record
from undertow.audit.rules import VerdictRule, find_rule, require_filters, rule_of
from undertow.audit.run import Progress, judge_what_is_there
from undertow.audit.store import Store
from undertow.audit.tally import Asked, outcome_of
from undertow.files import adapter, digest, read_yaml, to_json, write_text
from undertow.kinds import JUDGES, OfKind
from undertow.records import Suite

AnyJudge: Any = Annotated[Any, OfKind(JUDGES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What another judge or rule changed in a run."""

    before: dict[str, Any]
    """The run's own findings."""
    after: dict[str, Any]
    """The new ones."""
    outcomes: dict[str, int]
    """Answers whose outcome changed, by `old -> new`."""
    path: Path
    """Where the new findings are."""


def rescore(run: Path, rule: str) -> Moved:
    """Decide a run again under another rule, by name or YAML file.

    Raises:
        InputError: no such rule, or no finished run.
    """
    new = find_rule(rule, where="--rule")
    record, before = _read(run)
    require_filters(new, before["judge"]["tells"], where=run)
    with Store(run / "run.sqlite") as store:
        return _moved(run, record, before, store, new, judge=1, path=run / f"findings.{new.name}.json")


def rejudge(run: Path, judge_yaml: Path, *, judge_all: bool = False, progress: Progress | None = None) -> Moved:
    """Judge a run's answers again. Judging that is interrupted goes on where it stopped.

    Args:
        judge_yaml: a file with the keys that stand under `judge:` in an audit.yaml.

    Raises:
        InputError: no finished run, or the judge cannot be used.
    """
    record, before = _read(run)
    config = read_yaml(judge_yaml, AnyJudge)
    if judge_all and hasattr(config, "judge_all"):
        config = config.model_copy(update={"judge_all": True})
    suite = adapter(Suite).validate_python(record["suite"])
    judge = config.judge(suite.questions, beside=judge_yaml.parent, where=judge_yaml)
    rule = rule_of(before)
    require_filters(rule, judge.describe()["tells"], where=judge_yaml)
    with Store(run / "run.sqlite") as store:
        id_ = judge_what_is_there(store, suite.questions, judge, progress)
        return _moved(run, record, before, store, rule, judge=id_, path=run / f"findings.judge-{digest(judge.describe())[:8]}.json")


def _read(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    before = read_findings(run)
    return read_record(run), before


def _moved(run: Path, record: dict[str, Any], before: dict[str, Any], store: Store, rule: VerdictRule, *, judge: int, path: Path) -> Moved:
    old_rule = rule_of(before)
    changed: Counter[str] = Counter()
    for old, new in zip(store.answers(), store.answers(judge), strict=True):
        pair = outcome_of(old, old_rule), outcome_of(new, rule)
        if pair[0] != pair[1]:
            changed[f"{pair[0]} -> {pair[1]}"] += 1
    text = to_json(findings(Asked.of(record), store, rule, judge=judge))
    write_text(path, text)
    return Moved(before=before, after=json.loads(text), outcomes=dict(changed), path=path)
