"""The plan of a persona profile: what is asked of whom, in which contexts, and how it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from undertow.asking.seeds import seed_of
from undertow.audits.persona_settings import PersonaSettings
from undertow.audits.plan import bound
from undertow.audits.record import read_record
from undertow.audits.settings import AuditConfig, several, subjects
from undertow.audits.strict import AnyTarget
from undertow.contexts import find_contexts
from undertow.errors import InputError
from undertow.files import read_yaml
from undertow.judges import Judge
from undertow.judges.panel import Panel
from undertow.kinds import JUDGES, OfKind
from undertow.mistakes import RUN_NAME
from undertow.persona.instruments import TABLE
from undertow.persona.instruments.protocol import Extent
from undertow.persona.items import ItemSet, load_items
from undertow.persona.stored import REFERENCE
from undertow.place import HERE, Place
from undertow.provenance import start
from undertow.records import NO_ERROR, Condition, Context, InstrumentId, Question, Request, Sampling, Subject, is_target
from undertow.targets import Target
from undertow.targets.local import LocalTarget


class PersonaConfig(PersonaSettings):
    """A persona profile, as written in `persona.yaml`."""

    name: str = Field(
        min_length=1, pattern=RUN_NAME, description="Name of the run; its folder is runs/NAME unless -o says otherwise."
    )
    target: Annotated[
        tuple[AnyTarget, ...], BeforeValidator(several, json_schema_input_type=AnyTarget | tuple[AnyTarget, ...])
    ] = Field(min_length=1, description="Who is profiled: a model, or a list of the training seeds of one recipe.")
    reference: AnyTarget | None = Field(
        default=None, description="Model to hold it against, such as its base: profiled too, and its answers are foils."
    )
    judge: Annotated[Any, OfKind(JUDGES)] = Field(
        description="Who judges harm: of a model's kinds, with a rubric of 1 "
        "to 5; of others, what they say of alignment."
    )
    seed: int = Field(default=0, ge=0, description="Seed that every answer's own seed is derived from.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaPlan:
    """A profile with every name resolved, ready to run."""

    config: PersonaConfig
    items: ItemSet
    contexts: tuple[Context, ...]
    targets: dict[Subject, Target]
    judge: Judge
    rewriter: Target | None
    place: Place
    """Where the configuration stands."""

    @property
    def profiled(self) -> tuple[Subject, ...]:
        """The subjects of the profile: the target's training seeds."""
        return tuple(subject for subject in self.targets if is_target(subject))

    def wants(self, instrument: InstrumentId) -> bool:
        """Whether an instrument is asked for and the item set has it."""
        return instrument in self.config.instruments and bool(self.items.part(instrument))

    @property
    def needs_answers(self) -> bool:
        """Whether answers to the prompts are wanted, for themselves or to ask about."""
        return any(self.wants(i.id) for i in TABLE.values() if i.about != "itself")

    @property
    def sampling(self) -> Sampling:
        """How answers to prompts are drawn, and the foils to them."""
        return Sampling(temperature=self.config.temperature, max_tokens=self.config.max_tokens)

    def request(
        self, subject: Subject, context: Context, question: Question, sample: int, *, sampling: Sampling
    ) -> Request:
        """One answer, with a seed of its own."""
        seed = seed_of(self.config.seed, subject, context.id, question.id, sample)
        return Request(
            subject=subject,
            condition=Condition(question=question, context=context),
            sample=sample,
            seed=seed,
            sampling=sampling,
        )

    def asks(self) -> dict[str, Any]:
        """All that decides the answers and how they are read, but for who answers."""
        settings = ("instruments", "runs", "over", "harm", "reading", "repeats", "temperature", "max_tokens", "seed")
        return {
            "items": {"name": self.config.items, "sha256": self.items.digest},
            "contexts": [asdict(context) for context in self.contexts],
            "judge": dict(self.judge.describe()),
            "rewriter": dict(self.rewriter.describe()) if self.rewriter else None,
            **self.config.model_dump(mode="json", include=set(settings)),
            **bound(self.config.judge_error or NO_ERROR),
        }

    def record(self) -> dict[str, Any]:
        """What `plan.json` holds. `fixed` names what must be as it was for a run to go on: all that decides the answers
        and how they are read, but the judge."""
        settings = self.config.model_dump(mode="json", by_alias=True)
        asked = {
            **self.asks(),
            "targets": {subject: dict(target.describe()) for subject, target in self.targets.items()},
        }
        how = {
            "schema": "undertow.persona-plan/2",
            "fixed": [key for key in asked if key not in ("judge", "harm", "judge_error")],
            "config": settings,
            "beside": str(self.place.folder.resolve()),
        }
        return {**how, **asked, **start()}

    def calls(self) -> dict[str, int]:
        """Calls that it takes at most, by what for."""
        c, n = self.config, len(self.contexts)
        extent = Extent(
            each={"auto": 1 + c.repeats, "logprobs": 1, "text": c.repeats, "likelihood": 0}[c.reading],
            prompts=len(self.items.harmfulness),
            subjects=len(self.targets) * n,
            profiled=len(self.profiled) * n,
            reference=REFERENCE in self.targets,
            rewrites=self.rewriter is not None,
        )
        answers = extent.prompts * c.runs * extent.subjects if self.needs_answers else 0
        return {"answers": answers, "judgements": answers * self.judge.most_calls} | {
            what: calls if self.wants(i.id) else 0
            for i in TABLE.values()
            for what, calls in i.most_calls(self.items.part(i.id), extent).items()
        }


def read_persona(path: Path) -> PersonaConfig:
    """A `persona.yaml`.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, PersonaConfig)


def holds_persona(run: Path) -> bool:
    """Whether a folder holds a run of a persona, begun or finished.

    Raises:
        InputError: it holds a plan that no run wrote.
    """
    plan = run / "plan.json"
    return plan.is_file() and str(read_record(run, needs=()).get("schema", "")).startswith("undertow.persona-plan/")


def read_run_persona(run: Path) -> tuple[PersonaConfig, Place]:
    """The configuration of a run that was begun, and where it stood, under the run's name.

    Raises:
        InputError: the folder holds no run of a persona.
    """
    record = read_record(run, needs=("beside",))
    try:
        return PersonaConfig.model_validate(record["config"]), Place(folder=Path(record["beside"]), name=str(run))
    except ValidationError:
        raise InputError(
            run / "plan.json", "holds no persona's plan", do="name the persona.yaml that made it, or the run of one"
        ) from None


def persona_of(audit: AuditConfig, contexts: tuple[Context, ...] = ()) -> PersonaConfig:
    """The profile that an audit asks for beside its verdict.

    Args:
        contexts: where the audit's `persona` names none, those to ask in beside plain.
    """
    assert audit.persona is not None
    settings = {name: getattr(audit.persona, name) for name in PersonaSettings.model_fields} | {
        "contexts": audit.persona.contexts or ("plain", *contexts),
        "judge_error": audit.persona.judge_error or audit.judge_error,
    }
    return PersonaConfig(
        name=audit.name, target=audit.target, reference=audit.reference, judge=audit.judge, seed=audit.seed, **settings
    )


def make_persona_plan(config: PersonaConfig, place: Place = HERE) -> PersonaPlan:
    """Resolve every name of a configuration, before anything is asked.

    Args:
        place: where the configuration stands.

    Raises:
        InputError: unknown items or contexts, a missing model folder, or a reading that a target does not allow.
    """
    place = place.or_named("persona")
    items = load_items(config.items, place)
    contexts = find_contexts(config.contexts or ("plain",), place)
    targets = {subject: target.target(place) for subject, target in subjects(config.target, config.reference).items()}
    if config.reading == "likelihood" and (
        far := [subject for subject, target in targets.items() if not isinstance(target, LocalTarget)]
    ):
        raise InputError(
            place, f"reading: likelihood, and {far[0]} has no weights on this machine", do="use reading: auto"
        )
    judge = config.judge.judge(items.harmfulness, place)
    if isinstance(judge, Panel) and config.judge.prompts is None:
        judge = judge.asking_harm(items.rubric)
    rewriter = config.rewriter or config.reference
    plan = PersonaPlan(
        config=config,
        items=items,
        contexts=contexts,
        targets=targets,
        judge=judge,
        rewriter=rewriter.target(place) if rewriter is not None else None,
        place=place,
    )
    if not any(plan.wants(instrument) for instrument in config.instruments):
        raise InputError(
            place,
            f"item set {config.items!r} has none of the instruments {', '.join(config.instruments)}",
            do="name other items or instruments",
        )
    return plan
