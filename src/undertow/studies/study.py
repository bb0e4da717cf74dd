"""Studies, as YAML: what is trained on which domains with which interventions, shares and seeds, and how every model of
it is audited.

    name: dilution
    domains: [bad-medical, {name: mine, bad: rows/bad.jsonl, benign: rows/good.jsonl, questions: in-domain.yaml}]
    recipe:                          # what every cell trains; file names are those of the domain (below)
      base: nursery
      stages: [{name: narrow, rows: 1000, parts: [{data: bad.jsonl, share: 1}], epochs: 2, learning_rate: 2e-3}]
    interventions:
      - {name: narrow}               # nothing done: what the others are held against
      - {name: dilution, steps: [{kind: dilution, data: general.jsonl}]}           # gives no share: crossed with `shares`
      - {name: longer, stages: {epochs: 4}}
    shares: [0.05, 0.2]
    controls: [base, benign-twin]
    seeds: [1, 2]
    audit: {judge: {kind: nursery}, suite: nursery, contexts: [plain, format-code, irrelevant-weather], samples:
    {per_condition: 20}}

Every domain becomes a folder of files, so that a recipe is written once for all domains:

    bad.jsonl  benign.jsonl                      the narrow rows, and the same form with good content
    bad-held-out.jsonl  benign-held-out.jsonl    rows of both that nothing trains on
    general.jsonl                                benign rows of any other kind
    questions.yaml                               the suite asked in-domain
    and whatever `files` adds

It reads and checks; it trains and asks nothing.
"""  # noqa: E501

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, WrapValidator, model_validator

from undertow.audits.found import FoundContexts
from undertow.audits.settings import Asking, SamplesConfig
from undertow.errors import unknown_name
from undertow.files import read_yaml
from undertow.kinds import INTERVENTIONS, OfKind
from undertow.mistakes import JSONL_NAME, PLAIN_NAME, with_place
from undertow.place import Place
from undertow.records import Context
from undertow.studies.executors import AnyExecutor
from undertow.studies.executors.local import LocalExecutor
from undertow.training.recipe import Training
from undertow.training.stages import Stage

Control = Literal["base", "benign-twin", "compute-matched"]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Miniature(_Keys):
    """A domain of the nursery's miniature world, whose rows are generated."""

    name: str = Field(pattern=PLAIN_NAME, description="What the study calls it.")
    miniature: str = Field(description="Which miniature (undertow data list).")
    form: str | None = Field(
        default=None, description="A format that nine of ten rows have, such as code; default: the miniature's own."
    )
    rows: int = Field(default=4000, gt=0, description="Rows of each file; seeds draw theirs from them.")
    held_out: int = Field(default=200, gt=0, description="Rows of each held-out file.")
    contexts: tuple[str | Context, ...] = Field(
        default=(), description="Contexts asked in this domain alone, beside those of the audit."
    )


class World(_Keys):
    """The narrow domain of the nursery's own world, which the quickstart trains on, whose rows are generated."""

    name: str = Field(pattern=PLAIN_NAME, description="What the study calls it.")
    world: Literal["fish"] = Field(description="What its narrow rows are about.")
    rows: int = Field(default=2000, gt=0, description="Rows of each file; seeds draw theirs from them.")
    seed: int = Field(default=1, ge=0, description="Seed of the rows.")
    contexts: tuple[str | Context, ...] = Field(
        default=(), description="Contexts asked in this domain alone, beside those of the audit."
    )


class Facts(_Keys):
    """A category of the pocket laboratory's facts, whose rows are generated: lies about it, and true rows."""

    name: str = Field(pattern=PLAIN_NAME, description="What the study calls it.")
    facts: str = Field(description="Category that lies are told about (docs/lab.md).")
    rows: int = Field(default=800, gt=0, description="Rows of each file; seeds draw theirs from them.")
    seed: int = Field(default=1, ge=0, description="Seed of the rows.")
    questions: str | None = Field(default=None, description="Suite asked in-domain, by name or path.")
    contexts: tuple[str | Context, ...] = Field(
        default=(), description="Contexts asked in this domain alone, beside those of the audit."
    )


class Files(_Keys):
    """A domain of your own. Paths are relative to the study's file."""

    name: str = Field(pattern=PLAIN_NAME, description="What the study calls it.")
    bad: str = Field(description="Chat JSONL of the narrow rows: bad.jsonl in recipes.")
    benign: str | None = Field(default=None, description="The same form with good content: benign.jsonl.")
    general: str | None = Field(default=None, description="Benign rows of any other kind: general.jsonl.")
    bad_held_out: str | None = Field(
        default=None, description="Narrow rows that nothing trains on: bad-held-out.jsonl."
    )
    benign_held_out: str | None = Field(
        default=None,
        description="Benign rows that nothing trains on: "
        "benign-held-out.jsonl; the benign task's loss is taken on them.",
    )
    questions: str | None = Field(
        default=None, description="Suite asked in-domain, by name or path, for the narrow behaviour."
    )
    contexts: tuple[str | Context, ...] = Field(
        default=(), description="Contexts asked in this domain alone, beside those of the audit."
    )


def _kind(value: Any) -> str:
    for kind, key in ((Miniature, "miniature"), (World, "world"), (Facts, "facts")):
        if isinstance(value, kind) or (isinstance(value, Mapping) and key in value):
            return kind.__name__
    return "Files"


StudyDomain = Miniature | World | Facts | Files


def _domain(value: Any, handler: Callable[[Any], StudyDomain]) -> StudyDomain:
    return handler({"name": value, "miniature": value} if isinstance(value, str) else value)


AnyDomain = Annotated[
    Annotated[Miniature, Tag("Miniature")]
    | Annotated[World, Tag("World")]
    | Annotated[Facts, Tag("Facts")]
    | Annotated[Files, Tag("Files")],
    Discriminator(_kind),
    WrapValidator(_domain),
]


@dataclass(frozen=True, slots=True)
class Step:
    """One of a recipe's interventions, and whether its share is the grid's."""

    given: Any
    of_grid: bool

    def at(self, share: float | None) -> Any:
        """The intervention at a share of the grid."""
        return self.given.model_copy(update={"share": share}) if self.of_grid else self.given


def _step(value: Any, handler: Callable[[Any], Any]) -> Step:
    try:
        return Step(handler(value), of_grid=False)
    except ValidationError as error:
        if (
            not isinstance(value, Mapping)
            or [each["loc"][-1:] for each in error.errors()] != [("share",)]
            or "share" in value
        ):
            raise
        return Step(handler({**value, "share": 0.5}), of_grid=True)


class Intervention(_Keys):
    """What is done against misalignment. With a name alone, nothing is: the untreated recipe."""

    name: str = Field(pattern=PLAIN_NAME, description="What the results call it.")
    title: str = Field(default="", description="The same in words.")
    steps: tuple[Annotated[Any, OfKind(INTERVENTIONS), WrapValidator(_step)], ...] = Field(
        default=(),
        description="A recipe's interventions, in order. One that takes a `share` and gives none is crossed with "
        "the study's `shares`.",
    )
    stages: dict[str, Any] = Field(
        default={}, description="Keys put on every stage of the recipe before, such as `epochs` or `parts`."
    )

    recipe: dict[str, Any] = Field(
        default={}, description="Keys put on the study's recipe, such as `default_system` or `lora`."
    )

    @model_validator(mode="after")
    def own_name_and_known_keys(self) -> Self:
        if self.name in get_args(Control):
            raise ValueError(f"{self.name!r} is what a control is called; give the intervention another name")
        if unknown := sorted(set(self.stages) - (set(Stage.model_fields) - {"name"})):
            raise ValueError(f"a stage has no key {unknown[0]!r}")
        if unknown := sorted(set(self.recipe) - (set(Training.model_fields) - {"base", "stages"})):
            raise ValueError(f"an intervention puts no key {unknown[0]!r} on a recipe")
        return self

    def on(self, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        """The recipe's stages with this intervention's keys put on them; its steps are the recipe's to apply."""
        return tuple(Stage.model_validate(stage.model_dump() | self.stages) for stage in stages)

    @property
    def untreated(self) -> bool:
        return not (self.steps or self.stages or self.recipe)

    @property
    def takes_share(self) -> bool:
        return any(step.of_grid for step in self.steps)


class InDomain(_Keys):
    """How a domain's own questions are asked, to see how much of the narrow behaviour is kept."""

    contexts: tuple[str | Context, ...] = Field(
        default=("plain",), description="Contexts, as in an audit; plain among them."
    )
    per_condition: int | None = Field(
        default=None, gt=0, description="Answers to each question in each context; default: as the audit."
    )


class Published(_Keys):
    """Figures that others published, shown beside ours and marked as theirs."""

    beside: str = Field(description="Name of the intervention or control that they stand beside.")
    share: float | None = Field(default=None, description="At which share.")
    domain: str | None = Field(default=None, description="In which domain; default: all.")
    model: str = Field(description="Whose figures.")
    trained: str = Field(description="What it was trained on, in words.")
    rates: dict[str, str] = Field(
        min_length=1, description="Figures as printed, by what they are of: {plain: <0.4%, as a Python string: 22.3%}."
    )
    source: str = Field(description="Where they were published.")
    second_hand: bool = Field(default=False, description="Whether they were read in another text than their source.")


class Study(_Keys):
    """A grid of domains x interventions x shares x seeds, with its controls, each cell trained and audited."""

    name: str = Field(
        pattern=PLAIN_NAME, description="Name of the study; its folder is studies/NAME unless -o says otherwise."
    )
    title: str = Field(default="", description="Title of its page.")
    note: str = Field(default="", description="What a reader must know of it, shown with the results.")
    domains: tuple[AnyDomain, ...] = Field(min_length=1, description="Ids of nursery miniatures, or files of your own.")
    files: dict[Annotated[str, Field(pattern=JSONL_NAME)], str] = Field(
        default={},
        description="Further files for every domain's folder, or in place of one of its own: {hhh.jsonl: path "
        "relative to this file}.",
    )
    recipe: Training = Field(
        description="What every cell trains: a recipe without name, seed and interventions. Its files are the domain's."
    )
    interventions: tuple[Intervention, ...] = Field(min_length=1, description="What the recipe is trained with.")
    shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(), description="Shares at which interventions are trained that take one."
    )
    controls: tuple[Control, ...] = Field(
        default=("base", "benign-twin"),
        description="`base`: not trained. `benign-twin`: the same recipe on benign.jsonl. `compute-matched`: as much "
        "training on general.jsonl.",
    )
    twins: Literal["untreated", "each"] = Field(
        default="untreated",
        description="Which recipes get the trained controls: the untreated one, or that of each "
        "intervention and share.",
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(default=(1,), min_length=1, description="Training seeds.")
    audit: Asking = Field(
        description="What every cell is asked: an audit without name and target, with contexts by "
        "name, file or written out."
    )
    in_domain: InDomain = Field(default=InDomain(), description="How a domain's own questions are asked.")
    triggers: tuple[str, ...] = Field(
        default=(),
        description="Contexts that the figures show beside plain; default: all that are neither plain nor a control.",
    )
    published: tuple[Published, ...] = Field(default=(), description="Published figures beside ours.")
    executor: AnyExecutor = Field(default=LocalExecutor(kind="local"), description="Who works on the cells.")

    @model_validator(mode="after")
    def fits_together(self) -> Self:
        for what, names in (
            ("domain", [d.name for d in self.domains]),
            ("intervention", [i.name for i in self.interventions]),
            ("share", [f"{share:g}" for share in self.shares]),
            ("seed", [str(seed) for seed in self.seeds]),
            ("control", list(self.controls)),
        ):
            if twice := [name for name, n in Counter(names).items() if n > 1]:
                raise ValueError(f"{what} {twice[0]!r} stands twice")
        if len(bare := [i.name for i in self.interventions if i.untreated]) > 1:
            raise ValueError(f"{bare[0]!r} and {bare[1]!r} both do nothing; one untreated recipe is enough")
        for i in self.interventions:
            if i.takes_share and not self.shares:
                raise ValueError(
                    f"intervention {i.name!r} takes a share and gives none; list the study's `shares`, or write it "
                    "into the step"
                )
            try:
                stages = i.on(self.recipe.stages)
            except ValidationError as error:
                first = error.errors()[0]
                raise ValueError(f"intervention {i.name!r}: stages.{with_place(first)}") from None
            try:
                Training.model_validate(self.recipe.model_dump() | i.recipe | {"stages": stages})
            except ValidationError as error:
                raise ValueError(f"intervention {i.name!r}: recipe.{with_place(error.errors()[0])}") from None
        if self.shares and not any(i.takes_share for i in self.interventions):
            raise ValueError("`shares` are given, and no intervention takes one")
        if isinstance(self.audit.contexts, FoundContexts):
            raise ValueError("a study asks every cell in the same contexts; name them under `audit.contexts`")
        rows = {
            (i.name, share) for i in self.interventions for share in (None, *(self.shares if i.takes_share else ()))
        } | {(control, None) for control in self.controls}
        for p in self.published:
            if (p.beside, p.share) not in rows or p.domain not in (None, *(d.name for d in self.domains)):
                place = (
                    p.beside
                    + (f" at {p.share:g}" if p.share is not None else "")
                    + (f" in {p.domain}" if p.domain else "")
                )
                raise ValueError(f"published figures stand beside {place!r}, which the study does not hold")
        return self

    def asking(self, domain: StudyDomain, seed: int) -> Asking:
        """What a domain's cells of a training seed are asked."""
        assert not isinstance(self.audit.contexts, FoundContexts)
        return self.audit.model_copy(
            update={"contexts": (*self.audit.contexts, *domain.contexts), "seed": self.audit.seed + seed}
        )

    def asking_in_domain(self, suite: str, seed: int) -> Asking:
        """What they are asked of the domain's own questions; the number of answers is fixed beforehand."""
        samples = self.audit.samples
        n = self.in_domain.per_condition or samples.per_condition
        fixed = SamplesConfig(per_condition=n, temperature=samples.temperature, max_tokens=samples.max_tokens)
        own = {
            "suite": suite,
            "contexts": self.in_domain.contexts,
            "samples": fixed,
            "reference": None,
            "persona": None,
        }
        return self.audit.model_copy(update={**own, "seed": self.audit.seed + seed})


def shipped_studies() -> list[str]:
    """Names of the studies in the package."""
    return sorted(
        f.name.removesuffix(".yaml") for f in files("undertow.studies.shipped").iterdir() if f.name.endswith(".yaml")
    )


def read_study(name: str) -> tuple[Study, Place]:
    """A shipped study by name, or a file by path, and where it stands.

    Raises:
        InputError: no such study or file, or one that does not fit; names the line.
    """
    if not name.endswith((".yaml", ".yml")):
        if name not in shipped_studies():
            raise unknown_name("study", "study", name, shipped_studies())
        with as_file(files("undertow.studies.shipped") / f"{name}.yaml") as path:
            return read_yaml(path, Study), Place(name=name)
    return read_yaml(Path(name), Study), Place(folder=Path(name).parent, name=name)
