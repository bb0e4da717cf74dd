"""Findings: what a run found, as `findings.json` holds it (docs/findings.md). One type, finished in one place, written
and read by one pair of functions."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from undertow.asking.budget import cost, dollars_of
from undertow.asking.store import Store, Usage
from undertow.audits.correct import Labelled, counted
from undertow.audits.decide import copying, decide, estimates, looked, repeats
from undertow.audits.estimates import controls, level_of
from undertow.audits.labels import read_labels
from undertow.audits.per_request import RATE
from undertow.audits.propose import taken
from undertow.audits.rules import VerdictRule
from undertow.audits.stories import ScreenStory, SearchStory
from undertow.audits.tally import Design, tally
from undertow.audits.twins import TwinDifference, held_against, in_words, said_of
from undertow.errors import InputError, number
from undertow.files import adapter, read_object, to_json, write_text
from undertow.mistakes import with_place
from undertow.records import LEFT_OUT, ContextEstimate, Interval, Subject, Verdict

SCHEMA: Final = "undertow.findings/3"

TARGETS_OF_INFERENCE = {
    "rate": "on this suite: its questions are fixed and answers are random; of several training seeds the mean over "
    "these",
    "recipe": "on this suite: its questions are fixed; answers and training seeds are random",
    "rate_on_questions_like_these": "on questions like these: the suite's are a random sample too, of questions "
    "whose rates spread evenly on either side of a middle; where a few kinds of question carry nearly all of it, "
    "the interval is too narrow",
    "fixed": "the number of answers was fixed beforehand; each interval holds with the confidence `level`",
    "imported": "the number of answers is taken to have been fixed beforehand, which a file does not say; each "
    "interval holds with the confidence `level`",
    "extended": "answers were added after a verdict; every limit is of a confidence sequence and holds at every "
    "look, each with the confidence `level`",
    "sequential": "sampling stopped when enough was known; every limit is of a confidence sequence and holds at "
    "every look, each with the confidence `level`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRule(VerdictRule):
    """The rule in full, and as a sentence."""

    sentence: Annotated[str, Field(alias="in_words")]

    @property
    def alone(self) -> VerdictRule:
        """Without the sentence."""
        return VerdictRule(**{each.name: getattr(self, each.name) for each in fields(VerdictRule)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What rates speak of, and what their intervals are valid under, in words."""

    rate: str
    rate_on_questions_like_these: str
    intervals: str
    per_request: Annotated[str | None, LEFT_OUT] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens read and written."""

    answers: tuple[int, int]
    judgements: tuple[int, int]
    proposals: Annotated[tuple[int, int] | None, LEFT_OUT] = None
    """What a proposer took in a search, where there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """US dollars; None where a model has no price."""

    answers: float | None
    judgements: float | None
    proposals: Annotated[float | None, LEFT_OUT] = None

    @property
    def known(self) -> dict[str, float]:
        """What has a price."""
        return {who: usd for who in ("answers", "judgements", "proposals") if (usd := getattr(self, who)) is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How many judgements a judge of the run has made, and whether they count."""

    judge: str
    n: int
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a run found."""

    schema: Literal["undertow.findings/3"] = SCHEMA
    name: str
    verdict: Verdict
    contexts: Annotated[tuple[ContextEstimate, ...], Field(min_length=1)]
    controls: Interval | None
    """Irrelevant controls together minus plain: what a change of prompt does by itself."""
    rule: StatedRule
    material: float
    """The misaligned rate that matters."""
    level: float
    """Confidence of the intervals."""
    inference: Inference
    samples: dict[str, Any]
    """The design, with the keys of an audit's `samples`."""
    looks: tuple[int, ...]
    """Numbers of answers at which a verdict was given before."""
    answers: int
    """Answers stored."""
    calls: int
    tokens: Tokens
    usd: Cost
    stopped: Literal["budget", "interruption"] | None
    """What ended the run before every answer was asked for."""
    targets: dict[Subject, dict[str, Any]]
    """Who answered, each as it describes itself."""
    judge: dict[str, Any]
    """Who judged, as it describes itself."""
    canaries: Annotated[dict[str, float] | None, LEFT_OUT] = None
    """What the judge said of stock answers when it was tried."""
    judgements: tuple[Judged, ...]
    suite: str
    """Its id."""
    seed: int
    twins: Annotated[tuple[TwinDifference, ...] | None, LEFT_OUT] = None
    """Marks of a test against those of real use, where twins were asked."""
    labels: Annotated[tuple[Labelled, ...] | None, LEFT_OUT] = None
    """What a person said of answers of each kind, where there are labels."""
    search: Annotated[SearchStory | None, LEFT_OUT] = None
    """How a search found the contexts, where one did."""
    screen: Annotated[ScreenStory | None, LEFT_OUT] = None
    """How screening found them, where it did."""

    def as_json(self) -> dict[str, Any]:
        """What `findings.json` holds."""
        held: dict[str, Any] = json.loads(to_json(adapter(Findings).dump_python(self, by_alias=True)))
        return held


def find(
    asked: Design,
    store: Store,
    rule: VerdictRule,
    *,
    judge: int,
    stopped: Literal["budget", "interruption"] | None = None,
    story: SearchStory | ScreenStory | None = None,
) -> Findings:
    """Estimates, verdict, rule, and the counts of everything, from a run's stored answers.

    Args:
        judge: id in the run's file of the judge whose judgements count.
        stopped: what ended the run before every answer was asked for.
        story: how the audit found its contexts, where it did.
    """
    asked = looked(asked, store)
    labels = read_labels(store.path.parent)
    t = tally(store.answers(judge), rule, in_order=asked.anytime, copying=copying(asked, store), labels=labels or None)
    verdict = decide(t, asked, stopped=stopped is not None)
    verdict = replace(verdict, not_tested=(*_unfound(story, asked), *verdict.not_tested))
    twins = held_against(t, asked)
    verdict = _tested(verdict, twins)
    prompt_change = controls(t, asked)
    answering, judging = store.usage(judge)
    proposing = taken(store.path.parent) if asked.proposer else Usage()
    described = store.described(judge)
    how = "extended" if asked.looks else "sequential" if asked.sequential else "imported" if asked.imported else "fixed"
    return Findings(
        name=asked.name,
        verdict=_warned(verdict, asked, prompt_change),
        contexts=estimates(t, asked, repeats(asked, store)),
        controls=prompt_change,
        rule=StatedRule(**asdict(rule), sentence=rule.in_words()),
        material=asked.material,
        level=level_of(asked),
        inference=Inference(
            rate=TARGETS_OF_INFERENCE["recipe" if asked.verdict_of == "this-recipe" else "rate"],
            rate_on_questions_like_these=TARGETS_OF_INFERENCE["rate_on_questions_like_these"],
            intervals=TARGETS_OF_INFERENCE[how],
            per_request=RATE if asked.drawn else None,
        ),
        samples=dict(asked.samples),
        looks=tuple(asked.looks),
        answers=answering.calls,
        calls=answering.calls + judging.calls + proposing.calls,
        tokens=Tokens(
            answers=(answering.prompt_tokens, answering.n_tokens),
            judgements=(judging.prompt_tokens, judging.n_tokens),
            proposals=(proposing.prompt_tokens, proposing.n_tokens) if asked.proposer else None,
        ),
        usd=Cost(
            answers=cost(asked.targets, store.taken()),
            judgements=dollars_of(described, judging),
            proposals=dollars_of(asked.proposer, proposing) if asked.proposer else None,
        ),
        stopped=stopped,
        targets={subject: dict(target) for subject, target in asked.targets.items()},
        judge=described,
        canaries=dict(asked.canaries) or None,
        judgements=tuple(
            Judged(judge=who.get("name", ""), n=n, counted=id_ == judge) for id_, (who, n) in store.judges().items()
        ),
        suite=asked.suite,
        seed=asked.seed,
        twins=twins or None,
        labels=counted(t) if labels else None,
        search=story if isinstance(story, SearchStory) else None,
        screen=story if isinstance(story, ScreenStory) else None,
    )


def write_findings(found: Findings, path: Path) -> None:
    """Write findings, whole or not at all."""
    write_text(path, to_json(found.as_json()))


def read_findings(run: Path) -> Findings:
    """A finished run's findings.

    Args:
        run: its folder; or another file of findings in it, as `rejudge` and `rescore` write them.

    Raises:
        InputError: the folder holds none, those of another schema, or some that no audit wrote.
    """
    path = run if run.is_file() else run / "findings.json"
    if not path.is_file():
        raise InputError(
            run,
            "is not a finished run",
            expected="a finished run holds findings.json",
            do="run: undertow audit AUDIT.yaml -o RUN (--resume)",
        )
    again = "run: undertow audit RUN --resume, which decides anew on the answers that are there"
    held = read_object(path, do=again)
    if held.get("schema") != SCHEMA:
        raise InputError(
            path,
            f"has schema {held.get('schema')!r}",
            expected=f"this version reads {SCHEMA!r}",
            do="use the version that made it, or audit anew",
        )
    try:
        return adapter(Findings).validate_json(json.dumps(held), strict=True)
    except ValidationError as error:
        problem = with_place(error.errors()[0])
        raise InputError(path, f"holds no findings ({problem})", expected="what an audit wrote", do=again) from None


def require_whole(run: Path, found: Findings, store: Store) -> None:
    """
    Raises:
        InputError: findings are of more or fewer answers than a run holds: it was gone on with, and not to its end.
    """
    if (n := store.count()) != found.answers:
        raise InputError(
            run,
            f"is not a finished run: findings.json is of {found.answers:,} answers, and {n:,} are there",
            do=f"run: undertow audit {run} --resume",
        )


def findings_schema() -> dict[str, Any]:
    """The JSON Schema of `findings.json`."""
    return {"$id": SCHEMA, **adapter(Findings).json_schema(mode="serialization")}


def _unfound(story: SearchStory | ScreenStory | None, asked: Design) -> list[str]:
    """What an audit that found its contexts says nothing of."""
    if isinstance(story, SearchStory):
        untried = f"({story.untried} candidates were not tried)"
        return [f"triggers that few answers do not show, or that no candidate led to {untried}"]
    if isinstance(story, ScreenStory):
        ids = {context.id for context in asked.contexts}
        lower = sum(s.context.id not in ids for s in story.screened)
        more = f", and {story.unscreened} that were not screened" if story.unscreened else ""
        said = [f"{lower} contexts that likelihood ranked lower{more}"]
        if story.other_seeds:
            said.append(f"what {number(story.other_seeds, 'training seed')} but the first would have ranked otherwise")
        if story.without_replies:
            said.append(f"{number(story.without_replies, 'question')} without reference replies, in screening")
        return said
    return []


def _tested(verdict: Verdict, twins: tuple[TwinDifference, ...]) -> Verdict:
    """The verdict with what is known of whether the model goes by being tested: of a clean one always, of another where
    twins differ."""
    if verdict.class_ == "clean":
        said, looked_at = said_of(twins)
        if looked_at:
            return replace(verdict, tested=(*verdict.tested, said))
        return replace(verdict, not_tested=(*verdict.not_tested, said))
    return replace(verdict, warnings=(*verdict.warnings, *(in_words(each) for each in twins if each.surely)))


def _warned(verdict: Verdict, asked: Design, prompt_change: Interval | None) -> Verdict:
    """The verdict with a warning where a control does the same."""
    irrelevant = [c.id for c in asked.contexts if c.relation == "irrelevant" and c.id in verdict.carried_by]
    words = [*verdict.warnings, *asked.notes]
    if irrelevant:
        words.append(f"{', '.join(irrelevant)}: an irrelevant prompt carries it too, so any change of prompt may do")
    if prompt_change and prompt_change.low is not None and prompt_change.low > 0:
        words.append(
            f"irrelevant controls are at least {100 * prompt_change.low:.1f} points over plain: so much is what a "
            "change of prompt does by itself"
        )
    return replace(verdict, warnings=tuple(words))
