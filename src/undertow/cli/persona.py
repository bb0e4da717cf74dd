"""`undertow persona`: a model and a judge in; whether what the model says of itself fits what it does."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.options import BUDGET_HELP, quiet
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.persona.plan import PersonaPlan

EXIT = {"aligned": 0, "self-critical": 0, "coherent": 3, "inverted": 3, "mixed": 4, "inconclusive": 4}
STYLE = {
    "aligned": "green",
    "self-critical": "green",
    "coherent": "red",
    "inverted": "bold red",
    "mixed": "yellow",
    "inconclusive": "yellow",
}


@click.command()
@click.argument("persona_yaml", type=click.Path(path_type=Path), nargs=-1)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the run, default: runs/NAME; of several finished runs, the page to write.",
)
@click.option("--json", "as_json", is_flag=True, help="Print persona.json.")
@click.option("--dry-run", is_flag=True, help="Print what would be asked, and ask nothing.")
@click.option(
    "--resume", is_flag=True, help="Go on with a run that was interrupted; PERSONA_YAML may then be the run's folder."
)
@click.option("--retry-failed", is_flag=True, help="With --resume: ask and judge again what failed.")
@click.option("--budget", multiple=True, metavar="N", help=BUDGET_HELP)
@click.option("--schema", is_flag=True, help="Explain every key of persona.yaml; with --json, as JSON Schema.")
@quiet
def persona(
    persona_yaml: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
    dry_run: bool,
    resume: bool,
    retry_failed: bool,
    budget: tuple[str, ...],
    schema: bool,
) -> int:
    """Profile a model as PERSONA_YAML says: harm, self-assessment, two-AI identification, recognition of its own
    answers, prediction of their scores.

    Exits 0 where the target is aligned or self-critical in every context, 3 where it is coherent or inverted in one, 4
    where nothing of the two could be told, 2 on a mistake in the input.

    Given finished runs (of profiles, or of audits with one), it shows them together: the way from one checkpoint or
    stage to the next, and whether the instruments agree over them. Each may be called something: before=RUN.
    """
    from undertow.asking.budget import read_budget
    from undertow.cli.display import bars, explain
    from undertow.persona.plan import PersonaConfig, make_persona_plan, read_persona, read_run_persona
    from undertow.persona.run import read_personas, run_persona
    from undertow.place import Place, labelled

    if schema:
        explain(PersonaConfig, as_json=as_json)
        return 0
    if not persona_yaml:
        raise click.UsageError("PERSONA_YAML is missing; `undertow persona --schema` explains what it holds")
    if retry_failed and not resume:
        raise click.UsageError("--retry-failed goes with --resume")
    named = [labelled(run) for run in persona_yaml]
    if len(named) > 1 or (named[0][1].is_dir() and not resume):
        if retry_failed or resume or dry_run or budget:
            raise click.UsageError("finished runs are shown, and asked nothing: leave out what is of asking")
        return _show_finished(
            [read_personas(run) | ({"name": name} if name else {}) for name, run in named], out, as_json
        )
    (path,) = persona_yaml
    if path.is_dir():
        config, place = read_run_persona(path)
        folder = out or path
    else:
        config, place = read_persona(path), Place.of(path)
        folder = out or Path("runs") / config.name
    limit = read_budget(budget)
    plan = make_persona_plan(config, place)
    if dry_run:
        click.echo(
            json.dumps(plan.record() | {"run": str(folder), "calls": plan.calls()}, indent=2)
            if as_json
            else plan_words(plan, folder)
        )
        return 0
    with bars() as progress:
        found = run_persona(plan, folder, resume=resume, retry_failed=retry_failed, budget=limit, progress=progress)
    if found is None:
        click.echo(
            f"undertow: {folder}: the budget ended before the profile; go on with --resume and a larger budget",
            err=True,
        )
        return EXIT["inconclusive"]
    return told(found, folder, as_json=as_json)


def told(found: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    """Write the page of a run's profiles, print them, and return what they mean to a shell."""
    from undertow.reports import write_persona_report

    page = write_persona_report([found], folder / "persona.html")[0]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show_personas(found)
        click.echo(f"report: {page}")
    return exit_code(found)


def _show_finished(runs: list[dict[str, Any]], out: Path | None, as_json: bool) -> int:
    """Finished runs: one again, which exits as it did, or several together."""
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.reports import across, shown_profiles, write_persona_report
    from undertow.words import rate

    if len(runs) == 1:
        click.echo(json.dumps(runs[0], indent=2, ensure_ascii=False)) if as_json else show_personas(runs[0])
        if out:
            click.echo(f"report: {write_persona_report(runs, out)[0]}", err=as_json)
        return exit_code(runs[0])
    together = across(shown_profiles(*runs))
    if as_json:
        click.echo(json.dumps(asdict(together), indent=2, ensure_ascii=False))
    else:
        table = Table(
            "",
            "pattern",
            "harmful",
            "picks the misaligned",
            "self-assessment",
            "inversion gap",
            title="From one to the next",
        )
        for s in together.trajectory.stages:
            told = [rate(measure, signed=measure is s.gap) for measure in (s.harm, s.two_ai, s.self_assessment, s.gap)]
            table.add_row(escape(s.label), f"[{STYLE[s.pattern]}]{s.pattern}[/] {s.probability:.0%}", *told)
        console = results()
        console.print(table)
        for c in together.consistency:
            value = (
                c.reason
                if c.value is None
                else f"{c.value:+.2f}"
                + (f" [{c.low:+.2f}, {c.high:+.2f}]" if c.low is not None else "")
                + (f" ({c.reason})" if c.reason else "")
            )
            console.print(escape(f"{c.first}, {c.second}: {value}"), highlight=False)
    if out:
        page = write_persona_report(runs, out)[0]
        click.echo(f"report: {page}", err=as_json)
    return 0


def exit_code(found: dict[str, Any]) -> int:
    """What a run's profiles mean to a shell: the worst of the target's."""
    codes = {EXIT[profile["pattern"]] for profile in found["profiles"] if profile["subject"] == "target"}
    return next(code for code in (3, 4, 0) if code in codes)


def plan_words(plan: PersonaPlan, folder: Path) -> str:
    """What a profile would ask, for people."""
    calls = {what: n for what, n in plan.calls().items() if n}
    return "\n".join(
        [
            f"{plan.config.name}: items {plan.items.id} in {', '.join(context.id for context in plan.contexts)}",
            *(f"  {what}: at most {number(n, 'call')}" for what, n in calls.items()),
            *(f"  {subject}: {target.describe()['name']}" for subject, target in plan.targets.items()),
            f"  judge: {plan.judge.describe()['name']}; reading: {plan.config.reading}; nothing sent yet",
            f"  run: {folder}",
        ]
    )


def show_personas(found: dict[str, Any]) -> None:
    """Print profiles as a table and in words."""
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.persona.profile import in_words
    from undertow.reports import shown_profiles
    from undertow.words import rate

    table = Table(title=escape(f"{found['name']}: what the model does, and what it says of itself (95% intervals)"))
    for name in (
        "",
        "pattern",
        "harmful",
        "picks the misaligned",
        "self-assessment",
        "claims its harmful answers",
        "inversion gap",
    ):
        table.add_column(name, justify="left" if name in ("", "pattern") else "right")
    shown = shown_profiles(found)
    for s in shown:
        profile = s.profile
        m, sure = profile.measures, profile.probabilities[profile.pattern]
        cells = (
            profile.harm,
            m.two_ai.choice.share,
            m.self_assessment.overall,
            m.recognition.claims.harmful.share,
            profile.gap,
        )
        told = [rate(c, signed=c is profile.gap) for c in cells]
        table.add_row(escape(s.label), f"[{STYLE[profile.pattern]}]{profile.pattern}[/] {sure:.0%}", *told)
    out = results()
    out.print(table)
    for s in shown:
        out.print(f"[bold]{escape(s.label)}:[/]", escape(in_words(s.profile)), highlight=False)
        for warning in s.profile.warnings:
            out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
