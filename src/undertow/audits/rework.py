"""Later work on a run, with no new answers: another judge, or another rule. What was found before stays beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from undertow.asking.folder import alone
from undertow.asking.store import Store
from undertow.audits.findings import Findings, find, read_findings, write_findings
from undertow.audits.plan import errors_under
from undertow.audits.record import read_record
from undertow.audits.rules import VerdictRule, find_rule, require_given, rule_of
from undertow.audits.run import judge_what_is_there
from undertow.audits.tally import Design, outcome_of
from undertow.errors import InputError
from undertow.files import adapter, digest, read_yaml
from undertow.judges.embedded import measured_errors
from undertow.kinds import JUDGES, OfKind
from undertow.place import Place
from undertow.progress import Progress
from undertow.records import JudgeError, Suite
from undertow.targets.chat import other_names

AnyJudge: Any = Annotated[Any, OfKind(JUDGES)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What another judge or rule changed in a run."""

    before: Findings
    """The run's own findings; of a run that is not finished, what they would be."""
    after: Findings
    """The new ones."""
    outcomes: dict[str, int]
    """Answers whose outcome changed, by `old -> new`."""
    path: Path
    """Where the new findings are."""


def rescore(run: Path, rule: str) -> Moved:
    """Decide a finished run again under another rule, by name or YAML file.

    Raises:
        InputError: no such rule, no finished run, or one whose judge was asked for less than the rule needs.
    """
    new = find_rule(rule, Place(name="--rule"))
    before, record = read_findings(run), read_record(run)
    require_given(new, before.judge, where=run)
    record = record | _bound(record, measured_errors(record["judge"]), new)
    with Store(run / "run.sqlite") as store:
        own = store.judge(record["judge"])
        _require_asked(run, store, new, own)
        return _moved(run, record, before, store, new, judge=own, path=run / f"findings.{new.name}.json")


def rejudge(run: Path, judge_yaml: Path, *, judge_all: bool = False, progress: Progress | None = None) -> Moved:
    """Judge a run's answers again, be it finished or not. Judging that is interrupted goes on where it stopped.

    Args:
        judge_yaml: a file with the keys that stand under `judge:` in an audit.yaml.

    Raises:
        InputError: no run, another process is at work on it, or the judge cannot be used.
    """
    record = read_record(run)
    config = read_yaml(judge_yaml, AnyJudge)
    if judge_all and hasattr(config, "judge_all"):
        config = config.model_copy(update={"judge_all": True})
    suite = adapter(Suite).validate_python(record["suite"])
    if unworded := [question.id for question in suite.questions if not question.text.strip()]:
        found = f"does not hold the wording of {len(unworded)} of its questions ({unworded[0]}, ...)"
        raise InputError(
            run,
            found,
            expected="judges are asked about a question and its answer",
            do="import the answers again, with --suite",
        )
    judge = config.judge(suite.questions, Place.of(judge_yaml))
    rule = rule_of(record)
    judge.needs = rule.needs
    require_given(rule, judge.describe(), where=judge_yaml)
    with alone(run), Store(run / "run.sqlite", to="write") as store:
        before = _before(run, record, store, rule)
        id_ = judge_what_is_there(store, suite.questions, judge, progress)
        path = run / f"findings.judge-{digest(judge.describe())[:8]}.json"
        own = {who: names for who, names in record.get("answered_by", {}).items() if who != "judge"}
        other = other_names(
            "judge", str(judge.describe()["name"]), getattr(getattr(judge, "caller", None), "answered_by", {})
        )
        return _moved(
            run,
            record
            | {"judge_notes": [*judge.notes, *[other] * bool(other)], "answered_by": own, "canaries": judge.canaries}
            | _bound(record, judge.errors, rule),
            before,
            store,
            rule,
            judge=id_,
            path=path,
        )


def _bound(record: Mapping[str, Any], measured: JudgeError, rule: VerdictRule) -> dict[str, Any]:
    """The bound on a judge's errors under a rule, as a record holds it: what the audit says, or what was measured of
    this judge; never what was measured of another."""
    return {"judge_error": record["config"].get("judge_error") or asdict(errors_under(measured, rule))}


def _before(run: Path, record: dict[str, Any], store: Store, rule: VerdictRule) -> Findings:
    """The run's own findings; of a run that is not finished, what its answers come to so far."""
    if (run / "findings.json").is_file():
        return read_findings(run)
    if isinstance(record["config"].get("contexts"), dict) and "found" not in record:
        raise InputError(
            run,
            "is still finding its contexts",
            expected="there is nothing to decide on",
            do=f"go on with it: undertow audit {run} --resume",
        )
    return find(Design.of(record), store, rule, judge=store.judge(record["judge"]), stopped="interruption")


def _require_asked(run: Path, store: Store, rule: VerdictRule, judge: int) -> None:
    """Refuse a rule that turns on what the judge was not asked.

    Raises:
        InputError: answers are short of an aspect that decides whether they are misaligned.
    """
    lacking: Counter[str] = Counter()
    for answer in store.answers(judge):
        lacking.update(rule.lacks(answer.judgement))
    if lacking:
        aspects = " and ".join(f"{aspect} of {n:,}" for aspect, n in lacking.items())
        found = f"rule {rule.name!r} needs the {aspects} answers, which the judge was not asked for"
        raise InputError(
            run, found, do=f"have them judged in full: undertow audit {run} --resume --judge-all; then rescore"
        )


def _moved(
    run: Path,
    record: dict[str, Any],
    before: Findings,
    store: Store,
    rule: VerdictRule,
    *,
    judge: int,
    path: Path,
) -> Moved:
    old_rule, own = before.rule.alone, store.judge(record["judge"])
    changed: Counter[str] = Counter()
    for old, new in zip(store.answers(own), store.answers(judge), strict=True):
        pair = outcome_of(old, old_rule), outcome_of(new, rule)
        if pair[0] != pair[1]:
            changed[f"{pair[0]} -> {pair[1]}"] += 1
    story = before.search or before.screen
    after = find(Design.of(record), store, rule, judge=judge, stopped=before.stopped, story=story)
    write_findings(after, path)
    return Moved(before=before, after=after, outcomes=dict(changed), path=path)
