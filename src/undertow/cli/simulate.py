"""`undertow simulate`: many audits of a scripted model, to plan an audit and to see how often it errs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from undertow.cli.options import quiet
from undertow.errors import InputError, number

if TYPE_CHECKING:
    from undertow.audits.settings import SamplesConfig
    from undertow.audits.tally import Design
    from undertow.targets.scripted import Script

Until = Literal["verdict", "every-context"]


@click.command()
@click.argument("planted_yaml", type=click.Path(path_type=Path))
@click.option(
    "--audits", type=click.IntRange(min=1), default=500, show_default=True, help="Audits to simulate of each design."
)
@click.option(
    "--audit",
    "audit_yaml",
    type=click.Path(path_type=Path),
    help="Take suite, contexts, samples, material and training seeds from this audit.yaml (not its reference).",
)
@click.option("--questions", type=click.IntRange(min=1), default=8, show_default=True, help="Questions of the suite.")
@click.option(
    "--contexts",
    type=click.IntRange(min=2),
    default=20,
    show_default=True,
    help="Contexts with plain; those that PLANTED_YAML does not name have its default rates.",
)
@click.option(
    "--material",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="A misaligned rate that matters.",
)
@click.option(
    "--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Training seeds audited together."
)
@click.option(
    "--per-condition", type=click.IntRange(min=1), help="A fixed number of answers to each question in each context."
)
@click.option("--until", type=click.Choice(["verdict", "every-context"]), help="Stop when this is known.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    help="With --until: error rates. Default: 0.05.",
)
@click.option(
    "--false-positives",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of aligned answers that the judge calls misaligned.",
)
@click.option(
    "--false-negatives",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of misaligned answers that the judge calls aligned.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the simulation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@quiet
def simulate(
    planted_yaml: Path,
    audits: int,
    audit_yaml: Path | None,
    questions: int,
    contexts: int,
    material: float,
    seeds: int,
    per_condition: int | None,
    until: Until | None,
    alpha: float | None,
    false_positives: float,
    false_negatives: float,
    seed: int,
    as_json: bool,
) -> None:
    """Simulate whole audits of a model with planted rates, and report error rates, power, answers and calls.

    PLANTED_YAML is a script as the scripted target reads it: rates by context, spread between questions and training
    seeds. Without --audit, --per-condition or --until, the published fixed design (100 answers to a question) and a
    sequential one are shown side by side.
    """
    from undertow.audits import read_config
    from undertow.audits.plan import make_plan
    from undertow.audits.settings import SamplesConfig
    from undertow.audits.simulate import simulate as simulate_audits
    from undertow.audits.tally import Design
    from undertow.cli.display import bars
    from undertow.judges.scripted import ScriptedJudge, ScriptedJudgeConfig
    from undertow.place import Place
    from undertow.targets.scripted import read_script

    ctx = click.get_current_context()
    own = ("questions", "contexts", "material", "seeds", "per_condition", "until", "alpha")
    given = [name for name in own if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT]
    if audit_yaml and given:
        left_out = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"--audit brings its own design; leave out {left_out}")
    if per_condition and (until or alpha):
        raise click.UsageError(
            "--per-condition is a number fixed beforehand; --until and --alpha are for sequential audits"
        )
    script = read_script(planted_yaml)
    if audit_yaml:
        plan = make_plan(read_config(audit_yaml), Place.of(audit_yaml))
        if plan.found:
            raise InputError(
                audit_yaml,
                "finds its contexts by itself",
                expected="a simulation needs to know which are asked",
                do="name them under `contexts`",
            )
        designs = [Design.of(plan.record())]
    else:
        alone = bool(per_condition or until)
        samples = (
            [SamplesConfig(per_condition=per_condition, until=until, alpha=alpha)]
            if alone
            else [SamplesConfig(), SamplesConfig(until="verdict", alpha=alpha)]
        )
        designs = [_asked(script, questions, contexts, material, seeds, s) for s in samples]
    unknown = [id_ for id_ in script.contexts if id_ not in {c.id for c in designs[0].contexts}]
    if unknown:
        raise InputError(
            planted_yaml,
            f"plants rates in {', '.join(unknown)}",
            expected="the audit asks no such context",
            do="check the names, or raise --contexts",
        )
    judge = ScriptedJudge(
        ScriptedJudgeConfig(kind="scripted", false_positives=false_positives, false_negatives=false_negatives)
    )
    found = []
    with bars() as progress:
        for asked in designs:
            name = _name(asked)

            def tell(stage: str, done: int, total: int, word: str, name: str = name) -> None:
                progress(name, done, total, word)

            found.append(
                {"design": name, "samples": dict(asked.samples)}
                | simulate_audits(asked, script, audits=audits, seed=seed, judge=judge, progress=tell).summary()
            )
    what = {
        "material": designs[0].material,
        "contexts": len(designs[0].contexts),
        "questions": len(designs[0].questions),
        "seeds": len(designs[0].seeds),
        "seed": seed,
    }
    if as_json:
        click.echo(json.dumps({"schema": "undertow.simulation/1", **what, "designs": found}, indent=2))
    else:
        _show(what, found)


def _asked(
    script: Script, questions: int, contexts: int, material: float, seeds: int, samples: SamplesConfig
) -> Design:
    """A design over the contexts that the script names and as many more as are wanted."""
    from undertow.audits.tally import Design
    from undertow.contexts import shipped_contexts
    from undertow.records import Context

    named = [id_ for id_ in script.contexts if id_ != "plain"]
    ids = ["plain", *named, *(f"context-{i}" for i in range(len(named) + 1, contexts))]
    library = shipped_contexts()
    return Design(
        name="simulation",
        suite="simulation",
        questions=tuple(f"question-{i + 1}" for i in range(questions)),
        contexts=tuple(library.get(id_) or Context(id=id_, relation="topic", prefix=id_) for id_ in ids),
        targets={"target" if i == 0 else f"target-{i + 1}": {"name": "scripted"} for i in range(seeds)},
        samples=samples.record(),
        material=material,
    )


def _name(asked: Design) -> str:
    return (
        f"until {asked.samples['until']}"
        if asked.sequential
        else f"{number(asked.samples['per_condition'], 'answer')} a condition"
    )


THINGS = {"context": "context", "question": "question", "seed": "training seed"}


def _show(what: dict[str, Any], found: list[dict[str, Any]]) -> None:
    from undertow.cli.display import Table, results

    table = Table(
        "",
        *(f["design"] for f in found),
        title=", ".join(
            [*(number(what[f"{thing}s"], name) for thing, name in THINGS.items()), f"material {what['material']:.1%}"]
        ),
    )
    for key, words in (
        ("right", "right verdict"),
        ("false_alarms", "a context falsely carries it"),
        ("falsely_misaligned", "falsely misaligned"),
        ("falsely_clean", "falsely clean"),
        ("coverage", "intervals that hold the rate"),
    ):
        table.add_row(words, *(_percent(f[key]) for f in found))
    for key in ("answers", "calls", "looks"):
        table.add_row(f"{key}, median (90%)", *(f"{f[key]['median']:,.0f} ({f[key]['p90']:,.0f})" for f in found))
    table.add_row(
        "verdicts", *("\n".join(f"{n} {verdict}" for verdict, n in sorted(f["verdicts"].items())) for f in found)
    )
    results().print(table)


def _percent(share: dict[str, Any]) -> str:
    return (
        "—"
        if share["value"] is None
        else (f"{share['value']:.1%} [{100 * share['low']:.1f}, {100 * share['high']:.1f}] of {share['of']:,}")
    )
