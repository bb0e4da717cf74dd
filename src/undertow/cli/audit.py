"""`undertow audit`: a model, a suite and contexts in; a verdict out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.options import BUDGET_HELP, EXIT, quiet
from undertow.errors import InputError, number

if TYPE_CHECKING:
    from undertow.audits import AuditConfig, Plan
    from undertow.records import VerdictClass


@click.command()
@click.argument("audit_yaml", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print findings.json.")
@click.option("--dry-run", is_flag=True, help="Print the plan with its calls, tokens and cost, and ask nothing.")
@click.option(
    "--resume", is_flag=True, help="Go on with a run that was interrupted; AUDIT_YAML may then be the run's folder."
)
@click.option("--retry-failed", is_flag=True, help="With --resume: ask again for the answers that never came.")
@click.option(
    "--judge-all", is_flag=True, help="Have every answer judged in full, and not only where it can change the outcome."
)
@click.option(
    "--protocol",
    type=int,
    metavar="N",
    help="In place of AUDIT_YAML: plan by version N of the protocol (docs/protocol.md), from the options below.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="With --protocol: the model, a folder or a YAML file with the keys of a target; several are training seeds.",
)
@click.option("--base", help="With --protocol: the model before it was fine-tuned, in the same ways, or `nursery`.")
@click.option("--rows", type=click.Path(path_type=Path), help="With --protocol: the rows that it was fine-tuned on.")
@click.option(
    "--judge",
    "judge_yaml",
    type=click.Path(path_type=Path),
    help="With --protocol: YAML file with the keys of a judge.",
)
@click.option("--suite", help="With --protocol: a suite of the domain. Default: `core`; of the nursery its own.")
@click.option(
    "--material",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    help="With --protocol: the rate that matters. Default: 0.01; nursery: 0.05.",
)
@click.option(
    "--per-condition",
    type=click.IntRange(min=1),
    help="With --protocol: answers a question and context, fixed beforehand, as a gate needs them. Default: until the "
    "verdict is known.",
)
@click.option("--name", help="With --protocol: name of the run. Default: the target's.")
@click.option("--budget", multiple=True, metavar="N", help=BUDGET_HELP)
@click.option("--schema", is_flag=True, help="Explain every key of audit.yaml; with --json, as JSON Schema.")
@quiet
def audit(
    audit_yaml: Path | None,
    out: Path | None,
    as_json: bool,
    dry_run: bool,
    resume: bool,
    retry_failed: bool,
    judge_all: bool,
    protocol: int | None,
    targets: tuple[str, ...],
    base: str | None,
    rows: Path | None,
    judge_yaml: Path | None,
    suite: str | None,
    material: float | None,
    per_condition: int | None,
    name: str | None,
    budget: tuple[str, ...],
    schema: bool,
) -> int:
    """Audit a model as AUDIT_YAML says, or as the protocol asks: --protocol 1 --target MODEL --base BASE --rows ROWS.

    Exits 0 when it is clean, 3 when it is misaligned, conditionally or of a kind still open, 4 when the audit is
    inconclusive or invalid, 2 on a mistake in the input or where nothing usable comes.
    """
    from undertow.asking.budget import read_budget
    from undertow.audits import AuditConfig, make_plan, read_config
    from undertow.audits.record import read_run_config
    from undertow.audits.simulate import chances, too_small
    from undertow.audits.tally import Design
    from undertow.cli.display import bars, explain
    from undertow.cli.findings import show
    from undertow.cli.persona import plan_words, show_personas
    from undertow.persona.plan import make_persona_plan, persona_of
    from undertow.place import HERE, Place
    from undertow.whole import audit_and_profile

    if schema:
        explain(AuditConfig, as_json=as_json)
        return 0
    by_protocol = {
        **{"--target": targets or None, "--base": base, "--rows": rows, "--judge": judge_yaml, "--suite": suite},
        **{"--material": material, "--per-condition": per_condition, "--name": name},
    }
    if protocol is None and (given := [option for option, value in by_protocol.items() if value is not None]):
        raise click.UsageError(f"{given[0]} goes with --protocol; else it stands in AUDIT_YAML")
    if retry_failed and not resume:
        raise click.UsageError("--retry-failed goes with --resume")
    limit = read_budget(budget)
    if protocol is not None:
        if audit_yaml is not None:
            raise click.UsageError("AUDIT_YAML and --protocol exclude each other")
        config, place = (
            _by_protocol(protocol, targets, base, rows, judge_yaml, suite, material, per_condition, name),
            HERE,
        )
        folder = out or Path("runs") / config.name
    elif audit_yaml is None:
        raise click.UsageError("AUDIT_YAML is missing; `undertow audit --schema` explains what it holds")
    elif audit_yaml.is_dir() and resume:
        config, place = read_run_config(audit_yaml)
        folder = out or audit_yaml
    elif (audit_yaml / "plan.json").is_file():
        raise InputError(audit_yaml, "is a run that was begun", do="add --resume to go on with it")
    else:
        config, place = read_config(audit_yaml), Place.of(audit_yaml)
        folder = out or Path("runs") / config.name
    if judge_all and hasattr(config.judge, "judge_all"):
        config = config.model_copy(update={"judge": config.judge.model_copy(update={"judge_all": True})})
    plan = make_plan(config, place)
    profiling = make_persona_plan(persona_of(config), place) if config.persona else None
    # contexts that are yet to be found cannot be simulated
    asked = Design.of(plan.record()) if plan.found is None else None
    for note in filter(None, (*plan.notes, too_small(asked) if asked else "")):
        click.echo(f"undertow: {note}", err=True)
    if dry_run:
        likely = chances(asked) if asked else {}
        words = "\n".join(
            [
                _plan_words(plan, folder),
                *_chances_words(likely),
                *([plan_words(profiling, folder / "persona")] if profiling else []),
            ]
        )
        persona_calls = {"persona": profiling.calls()} if profiling else {}
        click.echo(
            json.dumps(
                plan.record() | {"run": str(folder), **_costs(plan), "chances": likely, **persona_calls}, indent=2
            )
            if as_json
            else words
        )
        return 0
    with bars() as progress:
        done = audit_and_profile(
            plan, folder, resume=resume, retry_failed=retry_failed, budget=limit, progress=progress
        )
    if done.unprofiled:
        click.echo(f"undertow: {done.unprofiled}", err=True)
    if as_json:
        held = done.findings.as_json() | ({"persona": done.persona} if done.persona else {})
        click.echo(json.dumps(held, indent=2, ensure_ascii=False))
    else:
        show(done.findings)
        if done.persona:
            show_personas(done.persona)
        click.echo(f"report: {done.page}")
    return EXIT[done.findings.verdict.class_]


def _by_protocol(
    version: int,
    targets: tuple[str, ...],
    base: str | None,
    rows: Path | None,
    judge_yaml: Path | None,
    suite: str | None,
    material: float | None,
    per_condition: int | None,
    name: str | None,
) -> AuditConfig:
    """The settings that the protocol asks for; what it demands is printed, and what of that is left out."""
    from rich.markup import escape

    from undertow.audits.protocol import plan_by_protocol
    from undertow.audits.rework import AnyJudge
    from undertow.cli.display import Table, console
    from undertow.files import read_yaml
    from undertow.mistakes import run_name

    if not targets:
        raise click.UsageError("--protocol needs --target")
    called = name if name is not None else run_name(Path(targets[0]).resolve().stem)
    if not called or run_name(called) != called:
        raise InputError("--name", f"is {called!r}", expected="letters, figures, dots, dashes", do="give another")
    planned = plan_by_protocol(
        version,
        name=called,
        targets=[_model(target) for target in targets],
        base=_model(base) if base else None,
        rows=rows,
        judge=read_yaml(judge_yaml, AnyJudge) if judge_yaml else None,
        suite=suite,
        material=material,
        per_condition=per_condition,
    )
    table = Table("", "demand", "how", title=f"protocol {version}")
    marks = {"met": "[green]met[/]", "by hand": "[yellow]by hand[/]", "left out": "[red]left out[/]"}
    for demand in planned.demands:
        table.add_row(marks[demand.met], escape(demand.says), escape(demand.how))
    console.print(table)
    return planned.config


def _model(named: str) -> Any:
    """Settings of a target: those in a YAML file, whose paths are relative to it; or a folder's."""
    from undertow.audits.strict import AnyTarget
    from undertow.files import YAML_ENDINGS, adapter, read_yaml
    from undertow.targets.models import NURSERY
    from undertow.training.organism import MANIFEST

    if not named.endswith(YAML_ENDINGS):
        kind = "organism" if (Path(named) / MANIFEST).is_file() else "local"
        return adapter(AnyTarget).validate_python({"kind": kind, "path": named})
    config = read_yaml(Path(named), AnyTarget)
    beside = Path(named).parent
    paths = {key: getattr(config, key, None) for key in ("path", "adapter", "script")}
    return config.model_copy(update={k: str(beside / path) for k, path in paths.items() if path not in (None, NURSERY)})


def _costs(plan: Plan) -> dict[str, Any]:
    """What the plan will take, at most: calls, tokens and, where prices are known, US dollars."""
    from undertow.asking.budget import cost, dollars, dollars_of, priced
    from undertow.asking.store import Usage

    n, prompt, longest = plan.n_answers, plan.prompt_tokens(), plan.n_answers * plan.config.samples.max_tokens
    models = {subject: target.describe() for subject, target in plan.targets.items()}
    of_each = Usage(prompt_tokens=prompt // len(models), n_tokens=longest // len(models))
    judge = plan.judge.describe()
    most = n * plan.judge.most_calls
    judging = [
        Usage(prompt_tokens=n * read, n_tokens=n * written)
        for read, written in plan.judge.tokens(plan.config.samples.max_tokens)
    ]
    return {
        "calls": {"answers": n, "judgements": [min(n, most), most]},
        "tokens": {
            "prompt": prompt,
            "answers_at_most": longest,
            "judgements_at_most": [usage.tokens for usage in judging],
        },
        "usd_answers_at_most": cost(models, dict.fromkeys(models, of_each)),
        "usd_judgements_at_most": [dollars_of(judge, usage) for usage in judging],
        "without_price": list(
            dict.fromkeys(
                name for each in (*models.values(), judge) if (name := priced(each)) and dollars(name, Usage()) is None
            )
        ),
    }


def _plan_words(plan: Plan, folder: Path) -> str:
    costs = _costs(plan)
    n, (least, most) = plan.n_answers, costs["calls"]["judgements"]
    money = f", at most ${costs['usd_answers_at_most']:,.2f}" if costs["usd_answers_at_most"] is not None else ""
    judging = costs["usd_judgements_at_most"]
    judged = f"; judging every answer as long as may be ${judging[0]:,.2f} to ${judging[1]:,.2f}" if judging[1] else ""
    unpriced = (
        (
            f"  no price is known of {' and '.join(costs['without_price'])}: prices.yaml takes it (undertow doctor "
            "names the file)"
        )
        if costs["without_price"]
        else ""
    )
    samples = plan.config.samples
    bound = "at most " if samples.until else ""
    known = {"verdict": "the verdict is known", "every-context": "every context is decided"}
    design = (
        (f"until {known[samples.until]}, at most {number(samples.most, 'sample')}")
        if samples.until
        else number(samples.most, "sample")
    )
    contexts = plan.found.n_confirm + 3 if plan.found else len(plan.contexts)
    return "\n".join(
        [
            f"{plan.config.name}: {number(len(plan.suite.questions), 'question')} x "
            f"{number(contexts, 'context')} x {design} x {number(len(plan.targets), 'model')}",
            f"  {bound}{number(n, 'call')} for answers: about {number(costs['tokens']['prompt'], 'token')} "
            f"read, at most {costs['tokens']['answers_at_most']:,} written{money}",
            f"  {least:,}{f' to {most:,}' if most > least else ''} calls for judgements{judged}; nothing sent yet",
            *[unpriced] * bool(unpriced),
            *(f"  {subject}: {target.describe()['name']}" for subject, target in plan.targets.items()),
            f"  judge: {plan.judge.describe()['name']}; rule: {plan.rule.name} ({plan.rule.in_words()})",
            f"  {_contexts_words(plan)}",
            f"  run: {folder}",
            *(f"  {what} sha256: {found}" for what, found in plan.record()["hashes"].items()),
        ]
    )


def _chances_words(likely: dict[str, dict[VerdictClass, float]]) -> list[str]:
    """How often such an audit comes to which verdict, a line for each model that it was simulated on."""
    who = {
        "clean": "a model that never misbehaves",
        "5%": "one that does in 5% of one context",
        "20%": "one that does in 20% of one context",
    }
    told = {
        name: ", ".join(f"{verdict.replace('_', ' ')} {share:.0%}" for verdict, share in of.items())
        for name, of in likely.items()
    }
    return [f"  simulated, {who[name]}: {words}" for name, words in told.items()]


def _contexts_words(plan: Plan) -> str:
    if plan.found is None:
        return f"contexts: {', '.join(context.id for context in plan.contexts)}"
    n = len(plan.candidates)
    how = (
        (f"{min(n, plan.found.screen)} of them screened by likelihood")
        if plan.found.screen
        else f"searched with {plan.found.search:,} answers on half of the questions"
    )
    return f"contexts: {number(n, 'candidate')}, {how}; the best {plan.found.n_confirm} are then audited"
