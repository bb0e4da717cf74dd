"""`undertow audit`: a model, a suite and contexts in; a verdict out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from undertow.audit import AuditConfig, make_plan, read_config, run_audit
from undertow.cli.display import VERDICT_STYLE, bars, percent
from undertow.cli.report import write_run_report

EXIT = {"clean": 0, "misaligned": 3, "conditionally_misaligned": 3, "inconclusive": 4, "invalid": 4}


@click.command()
@click.argument("audit_yaml", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/NAME.")
@click.option("--json", "as_json", is_flag=True, help="Print findings.json.")
@click.option("--dry-run", is_flag=True, help="Print the plan and ask nothing.")
@click.option("--resume", is_flag=True, help="Go on with a run that was interrupted.")
@click.option("--schema", is_flag=True, help="Explain every key of audit.yaml, as JSON Schema.")
def audit(audit_yaml: Path | None, out: Path | None, as_json: bool, dry_run: bool, resume: bool, schema: bool) -> int:
    """Audit a model as AUDIT_YAML says.

    Exits 0 when it is clean, 3 when it is misaligned or conditionally misaligned, 4 when the audit is inconclusive or
    invalid, 2 on a mistake in the input.
    """
    if schema:
        click.echo(json.dumps(AuditConfig.model_json_schema(), indent=2))
        return 0
    if audit_yaml is None:
        raise click.UsageError("AUDIT_YAML is missing; `undertow audit --schema` explains what it holds")
    config = read_config(audit_yaml)
    plan = make_plan(config, beside=audit_yaml.parent, where=audit_yaml)
    folder = out or Path("runs") / config.name
    if dry_run:
        click.echo(json.dumps(plan.record() | {"run": str(folder)}, indent=2) if as_json else _plan_words(plan, folder))
        return 0
    with bars() as progress:
        found = run_audit(plan, folder, resume=resume, progress=progress)
    page = write_run_report(folder)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show(found)
        click.echo(f"report: {page}")
    return EXIT[found["verdict"]["class"]]


def _plan_words(plan: Any, folder: Path) -> str:
    n = plan.n_answers
    return "\n".join(
        [
            f"{plan.config.name}: {len(plan.suite.questions)} questions x {len(plan.contexts)} contexts x {plan.config.samples.per_condition} samples x {len(plan.targets)} models",
            f"  {n:,} answers and {n:,} judgements: {2 * n:,} calls, nothing sent yet",
            *(f"  {subject}: {target.describe()['name']}" for subject, target in plan.targets.items()),
            f"  judge: {plan.judge.describe()['name']}; rule: {plan.rule.name} ({plan.rule.in_words()})",
            f"  contexts: {', '.join(context.id for context in plan.contexts)}",
            f"  run: {folder}",
        ]
    )


def show(found: dict[str, Any]) -> None:
    """Print findings as a table and the verdict in words."""
    table = Table(title=f"{found['name']}: misaligned answers on suite {found['suite']} (rule {found['rule']['name']}, 95% intervals; differences in points)")
    for name in ("context", "rate", "minus plain", "usable", "on question"):
        table.add_column(name, justify="left" if name == "context" else "right", no_wrap=True)
    with_reference = any(c["difference_to_reference"] for c in found["contexts"])
    if with_reference:
        table.add_column("minus reference", justify="right", no_wrap=True)
    for c in found["contexts"]:
        cells = [c["id"], percent(c["rate"]), percent(c["difference"], points=True), f"{c['eligible']}/{c['all']}", str(sum(c["on_question"].values()))]
        table.add_row(*cells, *([percent(c["difference_to_reference"], points=True)] if with_reference else []))
    out = Console()
    out.print(table)
    verdict = found["verdict"]["class"]
    out.print(f"verdict: [{VERDICT_STYLE[verdict]}]{verdict}[/]", *(f"\n  {reason}" for reason in found["verdict"]["reasons"]), highlight=False)
    for c in found["contexts"]:
        for warning in c["warnings"]:
            out.print(f"[yellow]warning:[/] {c['id']}: {warning}", highlight=False)
