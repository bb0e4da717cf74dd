"""Finished runs of one design, each of another training seed of one recipe, read as one audit whose target is the list
of them. Asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from undertow.asking.store import Store
from undertow.audits.correct import labelled_arms
from undertow.audits.decide import copying, decide, estimates
from undertow.audits.findings import Findings, read_findings, require_whole
from undertow.audits.labels import Key, Label, read_labels
from undertow.audits.record import read_record
from undertow.audits.tally import Arm, Design, Tally
from undertow.errors import InputError
from undertow.records import ContextEstimate, Statement, Subject, Verdict, is_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One or several runs, counted together. Training seeds are clusters, as where one audit has a list of targets."""

    asked: Design
    """The design; its targets are those of all runs, in order, and the first run's reference."""
    tally: Tally
    findings: Findings
    """The first run's."""

    def arms(self, questions: tuple[str, ...] | None = None, *, by_labels: bool = False) -> dict[str, Arm]:
        """Every context, over `questions` or those that were asked.

        Args:
            by_labels: with what labels say of the judge.
        """
        asked = replace(self.asked, questions=questions or self.asked.questions)
        arms = self.tally.arms(asked)
        return labelled_arms(arms, self.tally, asked) if by_labels else arms

    @property
    def labelled(self) -> int:
        """Labelled answers."""
        return sum(map(len, self.tally.labelled.values()))

    def estimates(self) -> tuple[ContextEstimate, ...]:
        """What a run's findings hold of each context, over all seeds; answers that repeat each other are not looked
        for again."""
        return estimates(self.tally, self.asked, {})

    def verdict(self) -> Verdict:
        """The verdict over all seeds: of their recipe, or where limits hold at every look of these models."""
        return decide(self.tally, self.asked)


def _require_decided_on(run: Path, found: Findings, here: Design, tally: Tally) -> None:
    """
    Raises:
        InputError: findings are of other judgements than a run holds.
    """
    for context in found.contexts:
        now = sum((tally.cell(s, context.id, q) for s in here.seeds for q in here.questions), Counter())
        if now != Counter(context.counts):
            raise InputError(
                run,
                f"has findings of other judgements than are there (in {context.id})",
                do=f"decide anew: undertow audit {run} --resume",
            )


def worded(run: Path, asked: Design) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run's questions and contexts say, by id; of a question without its wording, as an import may hold it,
    nothing."""
    questions = {q["id"]: (q["text"], q.get("system")) for q in read_record(run)["suite"]["questions"]}
    beside = {"relation": "plain", "provenance": "", "strength": None, "note": ""}
    return (
        {id_: said if said[0].strip() else None for id_, said in questions.items()},
        {context.id: asdict(context) | beside for context in asked.contexts},
    )


def reworded(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Ids that two runs have in common, and other words for (`worded`)."""
    return [id_ for id_ in after if before.get(id_) and after[id_] and before[id_] != after[id_]]


def pool(runs: Sequence[Path]) -> Pool:
    """Read one finished run or several of one design, under the rule of their findings.

    Raises:
        InputError: one is no finished run, or they asked or decided differently.
    """
    found = [read_findings(run) for run in runs]
    first, rule = found[0], found[0].rule
    looks = {n for each in found for n in each.looks}
    asked = replace(Design.of(read_record(runs[0])), looks=tuple(sorted(looks)))
    tally = Tally(rule.alone, in_order=asked.anytime)
    labels: dict[Key, Label] = {}
    of = [read_labels(run) for run in runs]
    if any(of):
        tally.labels = labels
    targets: dict[Subject, Mapping[str, Any]] = {}
    for run, decided, labelled in zip(runs, found, of, strict=True):
        here = Design.of(read_record(run))
        for what in ("suite", "questions", "contexts", "samples", "material", "multiplicity"):
            if getattr(here, what) != getattr(asked, what):
                raise InputError(
                    run,
                    f"has other {what} than {runs[0]}",
                    expected="runs of one design",
                    do="leave it out, or audit it as the others",
                )
        (asked_here, _), (asked_first, _) = worded(run, here), worded(runs[0], asked)
        if other := reworded(asked_first, asked_here):
            raise InputError(
                run,
                f"has other words for question {other[0]!r} than {runs[0]}",
                expected="runs of one design",
                do="leave it out, or audit it as the others",
            )
        if decided.rule != rule:
            raise InputError(run, f"was decided by another rule than {runs[0]}", do="decide it again: undertow rescore")
        names = {
            subject: f"target-{n}" if n > 1 else "target"
            for n, subject in enumerate(here.seeds, start=1 + len(targets))
        }
        targets |= {names[subject]: here.targets[subject] for subject in here.seeds}
        names |= {subject: subject for subject in here.targets if not is_target(subject) and run == runs[0]}
        labels |= {(names[key[0]], *key[1:]): label for key, label in labelled.items() if key[0] in names}
        with Store(run / "run.sqlite") as store:
            require_whole(run, decided, store)
            tally.copying |= {
                (names[subject], context) for subject, context in copying(here, store) if subject in names
            }
            for row in store.answers(store.judge(read_record(run)["judge"])):
                if row.subject in names:
                    tally.take(replace(row, subject=names[row.subject]))
        _require_decided_on(run, decided, replace(here, targets={names[s]: here.targets[s] for s in here.seeds}), tally)
    targets |= {subject: target for subject, target in asked.targets.items() if not is_target(subject)}
    # limits that hold at every look are of the seeds that there are
    of_whom: Statement = "these-models" if asked.anytime else "this-recipe"
    return Pool(asked=replace(asked, targets=targets, verdict_of=of_whom), tally=tally, findings=first)
