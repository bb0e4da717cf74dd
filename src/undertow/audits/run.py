"""Running an audit: ask what is missing, judge what is not judged, decide. Judging overlaps sampling.

runs/<name>/
  plan.json        resolved configuration, conditions, every start with versions and revision, and with the hash of what
                   it asks; the hashes of the models' files
  run.sqlite       answers and judgements, one row each
  proposals/       what a proposer thought of, where a search has one
  findings.json    estimates, verdict, rule, counts
  report.html      figures/*
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from undertow.asking.ask import Asking, Judging, probe_all
from undertow.asking.budget import Budget, require_prices
from undertow.asking.folder import alone, asks_more, going_on, open_folder, same_judge
from undertow.asking.store import Store
from undertow.audits.bound import bound_models
from undertow.audits.drift import moved
from undertow.audits.findings import Findings, find, read_findings, write_findings
from undertow.audits.plan import Plan
from undertow.audits.propose import FOLDER, Proposer
from undertow.audits.record import read_record
from undertow.audits.screen import screen
from undertow.audits.sequential import Search, sequential_requests
from undertow.audits.stories import ScreenStory, SearchStory
from undertow.audits.tally import Design, Tally
from undertow.audits.triggers import TriggerSearch, Wish
from undertow.errors import InputError
from undertow.files import adapter, to_json, write_text
from undertow.judges.protocol import Judge
from undertow.progress import Progress, silent
from undertow.records import Question, Request
from undertow.suites import load_replies
from undertow.targets.pool import all_open
from undertow.targets.protocol import Target

MOST = ("per_condition", "max_per_condition")
"""What a plan calls the most answers to a question in a context."""
FOUND = ("found", "screen", "judge_notes", "answered_by", "looks", "canaries")
"""What a run's record holds of what came of it."""
RESULT = "findings.json"


def run_audit(
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Run a plan in its folder and return the findings, which are also in `findings.json`.

    Interrupted at any moment, a run keeps every row written and goes on with `resume`; with another judge, too, who
    then judges every answer anew. A plan that asks for all that the run's did and more (contexts, training seeds,
    samples, until a verdict) extends it: after a verdict limits are those that hold at every look.

    Args:
        retry_failed: on resuming, ask again for the answers that never came.
        budget: what the run may take in all; it stops by itself before it takes more, and decides on what it has.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: the folder holds a run of another plan, or the target or the judge cannot be used.
        Paused: too many answers or judgements in a row gave nothing usable.
    """
    record, tell = plan.record(), progress or silent
    if models := bound_models(plan.targets, tell):
        record |= {"models": models, "fixed": [*record["fixed"], "models"]}
    read = partial(read_record, needs=())
    before = going_on(out, record, result=RESULT, resume=resume, read=read, extends=extends)
    if budget and budget.usd is not None:
        require_prices(*(each.describe() for each in _everyone(plan)))
    with alone(out):
        return asyncio.run(_audit(plan, out, record, before, retry_failed=retry_failed, budget=budget, tell=tell))


async def _audit(
    plan: Plan,
    out: Path,
    record: dict[str, Any],
    before: dict[str, Any] | None,
    *,
    retry_failed: bool,
    budget: Budget | None,
    tell: Progress,
) -> Findings:
    if plan.found and plan.found.screen:
        record |= _screened(plan, out, tell)
        plan = replace(plan, contexts=Design.of(record).contexts)
    own_judge = before is not None and same_judge(before, record)
    as_it_was = own_judge and not retry_failed and not asks_more(before or {}, record)
    async with all_open(*_everyone(plan)):
        if not (as_it_was and _is_decided(out)):  # else hardly anything is left to ask
            await probe_all(plan.targets.values(), plan.judge, plan.sampling)
            copied = (before or {}).get("copying", [])  # answers that came before may be copies, whatever comes now
            record |= {"copying": [who for who, target in plan.targets.items() if target.copies or who in copied]}
        keeps = FOUND if "copying" in record else (*FOUND, "copying")
        decided = before is not None and (out / RESULT).is_file()
        if before is not None:  # one of an earlier version fixed no hash before its first answer
            before = {"hashes": None, **before}
            if not own_judge:  # what was found of the judge before is not of this one
                said = {who: names for who, names in before.get("answered_by", {}).items() if who != "judge"}
                before |= {"canaries": {}, "judge_notes": [], "answered_by": said}
        kept = open_folder(out, record, before, result=RESULT, keeps=keeps)
        record |= {"copying": kept.get("copying", [])}
        drifted = []
        if words := moved(kept.get("canaries", {}), plan.judge.canaries):
            drifted.append(f"the judge is not what it was when this run began: of stock answers it said {words}")
        with Store(out / "run.sqlite", to="make") as store:
            looks = kept.get("looks", [store.count()] if decided else [])
            if retry_failed:
                store.forget_failed()
            asked = Design.of(record)
            flow = _Flow(plan, asked, store, budget, tell, warned=as_it_was)
            await flow.run()
            story: SearchStory | ScreenStory | None = None
            if "screen" in record:
                story = adapter(ScreenStory).validate_python(record["screen"])
            if flow.triggers:
                asked, story = flow.triggers.confirmed, flow.triggers.story()
                kept["found"] = _found(asked)
            kept |= {
                "judge_notes": [*drifted, *plan.judge.notes] or kept.get("judge_notes", []),
                "canaries": kept.get("canaries") or dict(plan.judge.canaries),
                "looks": sorted({*looks, store.count()}),
                "answered_by": answered_by(plan, kept.get("answered_by", {})),
            }
            now = Design.of(kept)
            asked = replace(asked, notes=now.notes, looks=now.looks, canaries=now.canaries)
            write_text(out / "plan.json", to_json(kept))
            stopped: Literal["budget"] | None = "budget" if flow.asking.stopped else None
            found = find(asked, store, plan.rule, judge=flow.judging.id, stopped=stopped, story=story)
    write_findings(found, out / RESULT)
    return found


def _everyone(plan: Plan) -> list[Target | Judge]:
    """Whoever is asked."""
    return [*plan.targets.values(), plan.judge, *([plan.proposer] if plan.proposer else [])]


def _is_decided(out: Path) -> bool:
    """Whether a run has findings that no budget cut short."""
    try:
        return read_findings(out).stopped is None
    except InputError:
        return False


def _found(asked: Design) -> dict[str, Any]:
    """What an audit that finds its contexts came to ask, for its record."""
    return {"questions": list(asked.questions), "contexts": [asdict(context) for context in asked.contexts]}


def answered_by(plan: Plan, before: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """The models that servers' replies say they are of, by who was asked, with those of earlier starts."""
    asked: dict[str, Any] = {**plan.targets, "judge": plan.judge}
    found = {
        who: Counter(before.get(who, {})) + Counter(getattr(getattr(each, "caller", None), "answered_by", {}))
        for who, each in asked.items()
    }
    return {who: dict(names) for who, names in found.items() if names}


def judge_what_is_there(
    store: Store, questions: Iterable[Question], judge: Judge, progress: Progress | None = None
) -> int:
    """Judge every answer of a run that this judge has not judged, and return the judge's id in the run."""
    tell = progress or silent

    async def work() -> int:
        async with judge:
            await judge.probe()
            judging = Judging(store, judge, questions, do="mend it; the same command goes on")
            n = store.count()
            await judging.alone(lambda: tell("judgements", judging.n, n, f"{judging.usage.calls:,} calls"))
            return judging.id

    return asyncio.run(work())


class _Flow:
    """What an audit asks, and in which order."""

    def __init__(
        self, plan: Plan, asked: Design, store: Store, budget: Budget | None, tell: Progress, *, warned: bool
    ) -> None:
        """
        Args:
            warned: the run goes on as it was, so a pause that it came to before has been read.
        """
        self.plan, self.asked, self.store, self.tell = plan, asked, store, tell
        self.judging = Judging(store, plan.judge, plan.suite.questions, warned=warned)
        self.asking = Asking(store, plan.targets, judging=self.judging, budget=budget, warned=warned)
        self.asking.tick = self._report
        self.triggers: TriggerSearch | None = None
        self.proposer = Proposer(plan.proposer, store.path.parent / FOLDER, self.asking) if plan.proposer else None
        self.where: Callable[[], str] = lambda: ""
        """How far an audit has come that does not know how much it will ask."""
        self.n_heard = 0
        """Id of the last answer that was told to a tally."""

    async def run(self) -> None:
        await self.asking.run(self._sample)

    async def _sample(self) -> None:
        if self.plan.found and self.plan.found.search:
            tally = self._tally()
            self.triggers = triggers = TriggerSearch(self.plan, self.asked, tally)
            self.judging.checks = lambda context: any(c.id == context for c in triggers.confirmed.contexts)
            self.where = self.triggers.where
            await self._drive(self.triggers.requests(), tally)
        elif self.asked.sequential:
            tally = self._tally()
            search = Search(self.asked, tally)
            self.where = search.where
            await self._drive(sequential_requests(self.plan, search), tally)
        else:
            for subject in self.plan.targets:
                await self.asking.ask(subject, (r for r in self.plan.requests() if r.subject == subject))

    def _tally(self) -> Tally:
        return Tally(self.plan.rule, in_order=True, copying=frozenset((subject, "*") for subject in self.asked.copying))

    async def _drive(self, batches: Iterable[list[Request] | Wish], tally: Tally) -> None:
        """Ask batch after batch; what a batch is may hang on the answers to those before, which `tally` has heard by
        then."""
        await self._hear(tally)
        for batch in batches:
            if isinstance(batch, Wish):
                await self._fulfil(batch)
                if self.asking.over:
                    return
                continue
            for subject in self.plan.targets:
                await self.asking.ask(subject, [r for r in batch if r.subject == subject])
            if not self.asking.pause:
                await self._hear(tally)
            if self.asking.over:
                return

    async def _fulfil(self, wish: Wish) -> None:
        assert self.triggers and self.proposer
        proposed = await self.proposer.propose(wish.prompt, turn=wish.turn, seed=self.asked.seed + wish.turn)
        if proposed:
            self.triggers.proposed[wish.turn] = proposed

    async def _hear(self, tally: Tally) -> None:
        """Wait until every answer is judged, and tell the tally those that it has not heard."""
        await self.asking.all_judged()
        for row in self.store.answers(self.judging.id, after=self.n_heard):
            tally.take(row)
            self.n_heard = row.id

    def _report(self) -> None:
        asking, judging = self.asking, self.judging
        cost = [c for c in asking.spending.dollars(asking.taken, judging.usage) if c is not None]
        said = [self.where()] * bool(self.where()) + [f"{asking.n_failed:,} failed"] * bool(asking.n_failed)
        said += [f"${sum(cost):,.2f}"] * bool(cost)
        open_ended = asking.stopped or self.asked.sequential or self.triggers
        total = asking.n_asked if open_ended else self.plan.n_answers
        self.tell("answers", asking.n, total, ", ".join(said))
        self.tell("judgements", judging.n, total, f"{asking.usage.calls + judging.usage.calls:,} calls in all")


def _screened(plan: Plan, out: Path, tell: Progress) -> dict[str, Any]:
    """What screening adds to a plan's record: `found`, the contexts to ask, and `screen`, the scores; from the folder
    where they stand there already."""
    assert plan.found is not None
    if (out / "plan.json").is_file():
        before = read_record(out, needs=("found", "screen"))
        return {key: before[key] for key in ("found", "screen")}
    replies = load_replies(
        plan.config.suite,
        plan.suite.questions,
        file=plan.place.path(plan.found.replies) if plan.found.replies else None,
    )
    candidates = plan.candidates[: plan.found.screen]
    ranked = screen(
        plan.targets["target"],
        plan.targets["reference"],
        candidates,
        plan.suite.questions,
        replies,
        progress=tell,
    )
    asked = [
        next(c for c in plan.contexts if c.relation == "plain"),
        *(s.context for s in ranked[: plan.found.n_confirm]),
        *plan.controls,
    ]
    scores = [{key: value for key, value in asdict(s).items() if "by_question" not in key} for s in ranked]
    story = {
        "screened": scores,
        "unscreened": len(plan.candidates) - len(candidates),
        "other_seeds": len(plan.targets.keys() - {"target", "reference"}),
        "without_replies": sum(question.id not in replies.questions for question in plan.suite.questions),
    }
    return {
        "found": {"questions": [q.id for q in plan.suite.questions], "contexts": [asdict(c) for c in asked]},
        "screen": story,
    }


def extends(key: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a plan asks for all that it did, and more: added contexts or training seeds, more samples, or sampling
    until a verdict."""
    if "samples" not in now:
        return False
    if key in ("targets", "models"):
        return all(now[key].get(subject) == target for subject, target in before[key].items())
    found = now["config"]["contexts"] if isinstance(now["config"]["contexts"], dict) else {}
    if key == "contexts":
        return not found and all(context in now[key] for context in before[key])
    if key != "samples" or found.get("search"):
        return False
    was, is_ = before[key], now[key]
    if was.get("until") and not is_.get("until"):
        return False  # it stopped by what it saw, so no number of its answers was fixed beforehand
    alike = all(is_.get(how, was[how]) == was[how] for how in ("temperature", "max_tokens", "alpha") if how in was)
    return alike and all(is_.get(most, was[most]) >= was[most] for most in MOST if most in was)
