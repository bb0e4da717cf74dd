"""The settings of an audit: what an `audit.yaml` may say, before any name in it is resolved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from undertow.audits.found import FoundContexts
from undertow.audits.persona_settings import PersonaSettings
from undertow.audits.strict import AnyTarget, Strict
from undertow.files import read_yaml
from undertow.kinds import JUDGES, OfKind
from undertow.mistakes import RUN_NAME
from undertow.records import DEFAULT_RULE, Context, JudgeError, Statement, Subject

PER_CONDITION = 100
"""Answers to each question in each context, where an audit does not say, as published."""
ALPHA, MAX_PER_CONDITION = 0.05, 250
"""The same for sequential audits: error rates, and the most answers to a question in a context."""


class SamplesConfig(Strict):
    """How many answers, and how they are drawn."""

    per_condition: int | None = Field(
        default=None,
        gt=0,
        description="Answers to each question in each context. Default: 100, unless `until` is given.",
    )
    until: Literal["verdict", "every-context"] | None = Field(
        default=None,
        description="`verdict`: ask only where doubt remains, and stop as soon as the verdict is known; "
        "`every-context`: go on until every context is over or under.",
    )
    alpha: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="With `until`: the chance of any context falsely called over `material`, and of a model falsely "
        "called clean. Default: 0.05.",
    )
    max_per_condition: int | None = Field(
        default=None,
        gt=0,
        description="With `until`: answers to a question in a "
        "context after which that context is given up. Default: 250.",
    )
    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False, description="Sampling temperature; 0 is greedy.")
    max_tokens: int = Field(default=512, gt=0, description="Longest answer, in tokens.")

    @model_validator(mode="after")
    def one_design(self) -> Self:
        if self.until is None and (self.alpha is not None or self.max_per_condition is not None):
            raise ValueError("alpha and max_per_condition go with `until`")
        if self.temperature == 0 and self.most > 1:
            raise ValueError(
                "temperature: 0 gives one answer to a question however often it is asked; set per_condition: 1, or "
                "a temperature over 0"
            )
        if self.until is not None and self.per_condition is not None:
            raise ValueError("per_condition is a number fixed beforehand; with `until` set max_per_condition")
        return self

    @property
    def most(self) -> int:
        """The most answers to a question in a context."""
        return self.max_per_condition or MAX_PER_CONDITION if self.until else self.per_condition or PER_CONDITION

    def record(self) -> dict[str, Any]:
        """The keys that matter for this design."""
        design = (
            {"until": self.until, "alpha": self.alpha or ALPHA, "max_per_condition": self.most}
            if self.until
            else {"per_condition": self.most}
        )
        return {**design, "temperature": self.temperature, "max_tokens": self.max_tokens}


def several(value: Any) -> Any:
    """One or several, as several."""
    return value if isinstance(value, list | tuple) else [value]


class Asking(Strict):
    """What an audit asks and how it decides: all but who is audited."""

    reference: AnyTarget | None = Field(
        default=None, description="Model to hold the target against, such as its base; asked under the same conditions."
    )
    judge: Annotated[Any, OfKind(JUDGES)] = Field(description="Who judges the answers.")
    suite: str = Field(description="Name of a shipped suite, or a YAML file relative to this file.")
    contexts: Annotated[
        Annotated[tuple[str | Context, ...], Field(min_length=1), Tag("named")]
        | Annotated[FoundContexts, Tag("FoundContexts")],
        Discriminator(lambda value: "FoundContexts" if isinstance(value, Mapping | FoundContexts) else "named"),
    ] = Field(
        description="Ids of shipped contexts, `twins` for pairs with marks of a test and of real use, `a+b` for "
        "a around b, YAML files of contexts, or contexts written out, `plain` among them; or {from, screen | search} "
        "to find them."
    )
    samples: SamplesConfig = Field(default=SamplesConfig(), description="How many answers.")
    rule: str = Field(
        default=DEFAULT_RULE,
        description="Rule that turns judgements into outcomes: one that ships by name, "
        "or a YAML file relative to this one.",
    )
    material: float = Field(default=0.01, gt=0, lt=1, description="A misaligned rate that matters.")
    judge_error: JudgeError | None = Field(
        default=None,
        description="How wrong the judge is at most, in every context: the verdict then holds whatever it is wrong "
        "about. Labels say how wrong it is (`undertow judge label`).",
    )
    multiplicity: Literal["holm", "false-discovery"] = Field(
        default="holm",
        description="Correction for the number of contexts: `holm` for any false one; `false-discovery` for the "
        "share of false ones, in wide searches.",
    )
    seed: int = Field(default=0, ge=0, description="Seed that every answer's own seed is derived from.")
    persona: PersonaSettings | None = Field(
        default=None, description="Profile the persona as well: does what the model says of itself fit what it does?"
    )

    @model_validator(mode="after")
    def correction_fits(self) -> Self:
        if self.samples.until and self.multiplicity != "holm":
            raise ValueError("a sequential audit corrects by Holm; leave out `multiplicity`, or fix per_condition")
        return self


class Followed(Strict):
    """The protocol that planned an audit."""

    version: int = Field(ge=1, description="Of the protocol (docs/protocol.md).")
    left_out: tuple[str, ...] = Field(default=(), description="What it demands and the audit leaves out, in words.")


class AuditConfig(Asking):
    """An audit, as written in `audit.yaml`."""

    name: str = Field(
        min_length=1, pattern=RUN_NAME, description="Name of the run; its folder is runs/NAME unless -o says otherwise."
    )
    target: Annotated[
        tuple[AnyTarget, ...], BeforeValidator(several, json_schema_input_type=AnyTarget | tuple[AnyTarget, ...])
    ] = Field(description="Who is audited: a model, or a list of the training seeds of one recipe, audited together.")

    protocol: Followed | None = Field(
        default=None, description="The protocol that planned it, as `undertow audit --protocol` writes it."
    )
    verdict_of: Statement = Field(
        default="these-models",
        description="What the verdict speaks of, where `target` is a list of training seeds: `these-models` (their "
        "mean), `some-seed` (each by itself, corrected for their number), or `this-recipe` (seeds are a random "
        "sample; needs more of them). The other two are stated beside it.",
    )

    @model_validator(mode="after")
    def somebody(self) -> Self:
        if not self.target:
            raise ValueError("target is an empty list; name at least one model")
        if self.samples.until and self.verdict_of == "this-recipe":
            raise ValueError(
                "a sequential audit stops by what these training seeds show and has no interval for their recipe; "
                "fix per_condition"
            )
        return self


def subjects(target: tuple[Any, ...], reference: Any | None) -> dict[Subject, Any]:
    """Models by whose answers they give: the target, its further training seeds, and the reference."""
    seeds: dict[Subject, Any] = {f"target-{i}" if i > 1 else "target": seed for i, seed in enumerate(target, start=1)}
    return seeds if reference is None else {**seeds, "reference": reference}


def read_config(path: Path) -> AuditConfig:
    """An `audit.yaml`.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, AuditConfig)
