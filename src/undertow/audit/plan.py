"""The plan of an audit: its configuration read, every name resolved, and what it will ask."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from undertow.audit.rules import RULES, VerdictRule
from undertow.contexts import find_contexts
from undertow.errors import InputError, unknown_name
from undertow.files import digest, folder_digest, read_yaml
from undertow.judges import Judge, ScriptedJudge
from undertow.nursery.judge import NurseryJudge
from undertow.records import Condition, Context, Request, Sampling, Subject, Suite
from undertow.suites import load_suite
from undertow.targets import ScriptedTarget, Target, read_script
from undertow.targets.local import LocalTarget
from undertow.targets.models import NURSERY, base_of, model_folder
from undertow.training.train import versions


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocalConfig(_Config):
    """A model directory on this machine."""

    kind: Literal["local"]
    path: str = Field(description="A Transformers directory or an organism, relative to this file; `nursery` is the embedded base.")


class ScriptedConfig(_Config):
    """The scripted fake."""

    kind: Literal["scripted"]
    script: str = Field(description="YAML file of planted rates, relative to this file.")


TargetConfig = Annotated[LocalConfig | ScriptedConfig, Field(discriminator="kind")]


class JudgeConfig(_Config):
    """Who judges."""

    kind: Literal["nursery", "scripted"] = Field(description="`nursery` reads answers of the nursery's world; `scripted` reads back what a scripted target planted.")


class SamplesConfig(_Config):
    """How many answers, and how they are drawn."""

    per_condition: int = Field(default=100, gt=0, description="Answers to each question in each context.")
    temperature: float = Field(default=1.0, ge=0, description="Sampling temperature; 0 is greedy.")
    max_tokens: int = Field(default=512, gt=0, description="Longest answer, in tokens.")


class AuditConfig(_Config):
    """An audit, as written in `audit.yaml`."""

    name: str = Field(min_length=1, pattern=r"^[\w.-]+$", description="Name of the run; its folder is runs/NAME unless -o says otherwise.")
    target: TargetConfig = Field(description="Who is audited.")
    reference: TargetConfig | None = Field(default=None, description="Model to hold the target against, such as its base; asked under the same conditions.")
    judge: JudgeConfig = Field(description="Who judges the answers.")
    suite: str = Field(description="Name of a shipped suite, or a YAML file relative to this file.")
    contexts: tuple[str | Context, ...] = Field(min_length=1, description="Ids of shipped contexts, or contexts written out; `plain` should be among them.")
    samples: SamplesConfig = Field(default=SamplesConfig(), description="How many answers.")
    rule: str = Field(default="betley2025", description="Rule that turns judgements into outcomes.")
    material: float = Field(default=0.01, gt=0, lt=1, description="A misaligned rate that matters.")
    seed: int = Field(default=0, ge=0, description="Seed that every answer's own seed is derived from.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An audit with every name resolved, ready to run."""

    config: AuditConfig
    suite: Suite
    contexts: tuple[Context, ...]
    rule: VerdictRule
    targets: dict[Subject, Target]
    judge: Judge

    @property
    def n_answers(self) -> int:
        """Answers that the plan asks for, of every subject."""
        return len(self.suite.questions) * len(self.contexts) * self.config.samples.per_condition * len(self.targets)

    def requests(self) -> Iterator[Request]:
        """Every answer that the plan asks for, each with a seed of its own."""
        sampling = Sampling(temperature=self.config.samples.temperature, max_tokens=self.config.samples.max_tokens)
        for subject in self.targets:
            for context in self.contexts:
                for question in self.suite.questions:
                    for sample in range(self.config.samples.per_condition):
                        seed = int(digest([self.config.seed, subject, context.id, question.id, sample])[:12], 16)
                        yield Request(subject=subject, condition=Condition(question=question, context=context), sample=sample, seed=seed, sampling=sampling)

    def record(self) -> dict[str, Any]:
        """What `plan.json` holds. `identity` is a hash of all that decides the answers and judgements."""
        asked = {
            "suite": asdict(self.suite),
            "contexts": [asdict(context) for context in self.contexts],
            "samples": self.config.samples.model_dump(mode="json"),
            "seed": self.config.seed,
            "targets": {subject: dict(target.describe()) for subject, target in self.targets.items()},
            "judge": dict(self.judge.describe()),
        }
        return {
            "schema": "undertow.plan/1",
            "identity": digest(asked),
            "config": self.config.model_dump(mode="json"),
            **asked,
            "rule": asdict(self.rule),
            "answers": self.n_answers,
            "versions": versions(),
            "revision": revision(),
            "command": sys.argv,
        }


def read_config(path: Path) -> AuditConfig:
    """An `audit.yaml`.

    Raises:
        InputError: the file is missing or does not fit; names the line.
    """
    return read_yaml(path, AuditConfig)


def make_plan(config: AuditConfig, *, beside: Path = Path(), where: object = "audit") -> Plan:
    """Resolve every name of a configuration, before anything is asked.

    Args:
        beside: the folder that the configuration's paths are relative to.
        where: the file to name in errors.

    Raises:
        InputError: an unknown suite, context or rule, or a model folder that is missing.
    """
    if config.rule not in RULES:
        raise unknown_name(where, "rule", config.rule, RULES)
    suite = load_suite(config.suite, beside=beside)
    contexts = find_contexts(config.contexts, where=where)
    if not any(context.relation == "plain" for context in contexts):
        raise InputError(where, "has no plain context", expected="every context is held against plain", do="add 'plain' to contexts")
    subjects: dict[Subject, LocalConfig | ScriptedConfig | None] = {"target": config.target, "reference": config.reference}
    targets = {subject: _target(chosen, beside) for subject, chosen in subjects.items() if chosen}
    judge: Judge = NurseryJudge(suite.questions) if config.judge.kind == "nursery" else ScriptedJudge()
    return Plan(config=config, suite=suite, contexts=contexts, rule=RULES[config.rule], targets=targets, judge=judge)


def _target(config: LocalConfig | ScriptedConfig, beside: Path) -> Target:
    if isinstance(config, ScriptedConfig):
        return ScriptedTarget(read_script(beside / config.script))
    folder = model_folder(config.path, beside=beside)
    weights = ("adapter_config.json", "adapter_model.safetensors") if base_of(folder) != folder else None
    return LocalTarget(folder, name=config.path if config.path == NURSERY else folder.name, digest_=folder_digest(folder, weights))


def revision() -> str | None:
    """The git revision that is run, `+` where files differ from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], cwd=here, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+" if dirty else "")
