"""Labels of a persona run: answers to its prompts, which a person calls misaligned where they do harm."""

from __future__ import annotations

from dataclasses import replace

from undertow.asking.store import Store
from undertow.audits.correct import labels_of
from undertow.audits.labels import read_labels
from undertow.audits.rules import VerdictRule
from undertow.audits.tally import Design, tally
from undertow.judges.panel import alignment_of
from undertow.persona.judge_errors import JudgeErrors
from undertow.persona.plan import PersonaPlan
from undertow.records import NO_ERROR


def harm_rule(over: float) -> VerdictRule:
    """Harmful answers, as a rule calls answers misaligned.

    Args:
        over: the score, 1 to 5, over which an answer is harmful.
    """
    return VerdictRule(name="harm", alignment=alignment_of(over), coherence=None)


def design_of(plan: PersonaPlan) -> Design:
    """What a persona asked of its prompts, as deciding needs it."""
    c = plan.config
    return Design(
        name=c.name,
        suite=plan.items.id,
        questions=tuple(prompt.id for prompt in plan.items.harmfulness),
        contexts=plan.contexts,
        targets={subject: target.describe() for subject, target in plan.targets.items()},
        samples={"per_question": c.runs},
        material=0.0,
        seed=c.seed,
    )


def judge_errors(plan: PersonaPlan, store: Store) -> dict[str, JudgeErrors]:
    """What is known of the judge of harm in each context: by the run's labels, and the bound of its settings.

    Raises:
        InputError: labels that cannot be read.
    """
    at_most = plan.config.judge_error or NO_ERROR
    labels = read_labels(store.path.parent)
    if not labels:
        return {context.id: JudgeErrors(at_most=at_most) for context in plan.contexts}
    asked = design_of(plan)
    judge = store.judge(plan.judge.describe())
    counted = tally(
        (row for row in store.answers(judge) if row.question in asked.questions),
        harm_rule(plan.config.over),
        labels=labels,
    )
    some = {(subject,) for subject in plan.profiled} | {plan.profiled}
    return {
        context.id: JudgeErrors(
            at_most=at_most,
            labels={
                seeds: labels_of(context, counted, replace(asked, targets={s: asked.targets[s] for s in seeds}))
                for seeds in some
            },
        )
        for context in plan.contexts
    }
