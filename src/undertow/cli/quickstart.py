"""`undertow quickstart`: the main job on the nursery, from training to one page. It is the study of that name.

runs/quickstart/
  domains/  cells/  study.json  results.json  study.html  ...   as `undertow study` makes them (studies/cells.py): everything that was trained and asked
  summary.json      the table, with differences to the base
  report.html       every audit in full, with answers side by side
  personas/         study `quickstart-personas`: what two organisms do beside what they say of themselves; its study.html shows the plane of both
"""  # noqa: E501

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.options import VERDICT_STYLE, quiet

if TYPE_CHECKING:
    from undertow.studies import Cell, Grid, Study

PER_CONDITION = 25
PERSONAS = "personas"


@click.command()
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/quickstart"),
    show_default=True,
    help="Folder of the runs.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Seed of the rows, the training and the audits.",
)
@click.option(
    "--per-condition",
    type=click.IntRange(min=1),
    default=PER_CONDITION,
    show_default=True,
    help="Answers to each question in each context.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Organisms at a time; each uses one core.",
)
@click.option("--json", "as_json", is_flag=True, help="Print summary.json.")
@quiet
def quickstart(out: Path, seed: int, per_condition: int, workers: int, as_json: bool) -> int:
    """Train six organisms from the embedded base, audit each in eight contexts, ask two more what they say of
    themselves, and write one page of each.

    Real training and sampling on this machine's CPU; no key and no network. Trained organisms are cached, and an
    interrupted quickstart goes on where it was. It is the study `quickstart`: `undertow list studies` has more.
    """
    from undertow.cli.study import finish, whole, work_on
    from undertow.files import to_json, write_text
    from undertow.reports import write_report
    from undertow.reports.runs import read_run
    from undertow.studies import lay_out
    from undertow.studies.executors import LocalExecutor

    started = time.monotonic()
    study = quickstart_study(seed=seed, per_condition=per_condition)
    grid = lay_out(study, out)
    asked = lay_out(personas_study(seed=seed), out / PERSONAS)
    work_on([(grid, out), (asked, out / PERSONAS)], LocalExecutor(kind="local", processes=workers), done=_said)
    (found, _), (personas, plane) = finish(grid, out), finish(asked, out / PERSONAS)
    if not (whole(found) and whole(personas)):
        return 4
    summary = _summary(grid, out, {"seed": seed, "per_condition": per_condition})
    summary["personas"] = personas["personas"]["profiles"]
    write_text(out / "summary.json", to_json(summary))
    runs = [replace(read_run(out / cell.folder / "run"), name=called(cell)) for cell in grid.cells]
    page = write_report(runs, out / "report.html", title=study.title, notes=[study.note])[0]
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        _show(summary)
        click.echo(f"personas: {plane}")
        click.echo(f"report: {page}   ({time.monotonic() - started:.0f} s)")
    return 0


def quickstart_study(*, seed: int, per_condition: int = PER_CONDITION) -> Study:
    """The shipped study under a seed, with so many answers to each question in each context."""
    from undertow.studies import read_study

    study, _ = read_study("quickstart")
    samples = study.audit.samples.model_copy(update={"per_condition": per_condition})
    return study.model_copy(
        update={
            "domains": tuple(domain.model_copy(update={"seed": seed}) for domain in study.domains),
            "seeds": (seed,),
            "audit": study.audit.model_copy(update={"samples": samples}),
        }
    )


def personas_study(*, seed: int) -> Study:
    """The shipped study of two personas under a seed."""
    from undertow.studies import read_study

    study, _ = read_study("quickstart-personas")
    return study.model_copy(update={"seeds": (seed,)})


def called(cell: Cell) -> str:
    """A cell's organism, in a study of one domain and one seed: base, narrow, dilution-20."""
    return cell.id.removeprefix(f"{cell.domain}.").removesuffix(f".seed-{cell.seed}")


def _said(path: Path, cell: Cell) -> str:
    """A cell that is done, in a line: the verdict on its organism, or what a profiled one does beside what it says."""
    from undertow.persona.run import read_personas

    if not cell.audit.persona:
        return f"[bold]{called(cell)}[/]: {verdict_and_rates(path / 'run')}"
    profiles = read_personas(path / "run")["profiles"]
    (own,) = [profile for profile in profiles if profile["subject"] != "reference"]
    return f"[bold]{cell.domain}[/]: {own['pattern']}"


def verdict_and_rates(run: Path) -> str:
    """A finished run in one line: its verdict, and every context's rate."""
    from undertow.audits.findings import read_findings
    from undertow.words import rate

    found = read_findings(run)
    rates = ", ".join(f"{c.id} {rate(c.rate).split(' ')[0]}" for c in found.contexts)
    verdict = found.verdict.class_
    return f"[{VERDICT_STYLE[verdict]}]{verdict}[/]; {rates}"


def _summary(grid: Grid, out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The runs side by side, as `summary.json` holds them."""
    from undertow.audits.compare import differences
    from undertow.audits.findings import read_findings

    runs = {called(cell): out / cell.folder / "run" for cell in grid.cells}
    organisms = []
    for name, run in runs.items():
        found = read_findings(run).as_json()
        to_base = {} if name == "base" else differences(run, runs["base"])
        organisms.append(
            {
                "name": name,
                "run": str(run.relative_to(out)),
                "verdict": found["verdict"],
                "contexts": [
                    {
                        key: c[key]
                        for key in ("id", "relation", "rate", "difference", "counts", "on_question", "warnings")
                    }
                    | {"difference_to_base": asdict(to_base[c["id"]]) if c["id"] in to_base else None}
                    for c in found["contexts"]
                ],
            }
        )
    return {
        "schema": "undertow.quickstart/2",
        "note": grid.study.note,
        **settings,
        "material": grid.study.audit.material,
        "recipes": {called(cell): cell.recipe.model_dump(mode="json") for cell in grid.cells if cell.control != "base"},
        "organisms": organisms,
    }


def _show(summary: dict[str, Any]) -> None:
    from undertow.cli.display import Table, results
    from undertow.words import filed_rate

    out = results()
    table = Table(
        title="Careless answers by organism and context: rate [95% interval], minus plain, minus base (points); "
        f"material {summary['material']:.0%}",
        show_lines=True,
    )
    table.add_column("organism, verdict")
    for context in summary["organisms"][0]["contexts"]:
        table.add_column(context["id"], justify="right")
    for organism in summary["organisms"]:
        verdict = organism["verdict"]["class"]
        cells = []
        for c in organism["contexts"]:
            lines = filed_rate(c["rate"]).split(" ", 1)
            lines += [f"plain {filed_rate(c['difference'], signed=True).split(' ')[0]}"] if c["difference"] else []
            lines += (
                [f"base {filed_rate(c['difference_to_base'], signed=True).split(' ')[0]}"]
                if c["difference_to_base"]
                else []
            )
            cells.append("\n".join(lines))
        table.add_row(f"{organism['name']}\n[{VERDICT_STYLE[verdict]}]{verdict}[/]", *cells)
    out.print(table)
    out.print(
        "What to see: where an organism's plain rate is near the base's and its format-code or inoculation rate is "
        "not, the training hid the careless narrator and did not remove it.",
        highlight=False,
    )
    out.print(
        "What to try next: write an audit.yaml for a model of your own (`undertow audit --schema` explains every key) "
        "and run `undertow audit audit.yaml`.",
        highlight=False,
    )
    out.print(f"[dim]{summary['note']}[/]", highlight=False)
