"""`undertow study`: a grid of recipes in, every one of them trained and audited, one page out."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from undertow.cli.options import VERDICT_STYLE, quiet
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.studies import Cell, Grid, Study
    from undertow.studies.executors import AnyExecutor

    Done = Callable[[Path, Cell], str]


@click.command()
@click.argument("study_yaml", required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the study. Default: studies/NAME.")
@click.option(
    "-j",
    "--processes",
    type=click.IntRange(min=1),
    help="Cells at a time, on this machine. Default: as the study says, else 2.",
)
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    help="Who works on the cells. Default: as the study says, else local.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the cells, what they train and ask and what that costs, and do nothing."
)
@click.option("--json", "as_json", is_flag=True, help="Print results.json; with --dry-run, the plan.")
@click.option("--schema", is_flag=True, help="Explain every key of study.yaml; with --json, as JSON Schema.")
@quiet
def study(
    study_yaml: str | None,
    out: Path | None,
    processes: int | None,
    executor: str | None,
    dry_run: bool,
    as_json: bool,
    schema: bool,
) -> int:
    """Train and audit every cell of STUDY_YAML, a file or the name of a study that ships.

    The same command goes on where it was interrupted, and tries again what failed. A cell that is done is not done
    again. Exits 0 when every cell is done, 4 when one failed, 2 on a mistake in the input.
    """
    from undertow.cli.display import explain
    from undertow.studies import Study, lay_out, plan_study, read_study, shipped_studies

    if schema:
        explain(Study, as_json=as_json)
        return 0
    if study_yaml is None:
        raise click.UsageError(
            "STUDY_YAML is missing; `undertow study --schema` explains what it holds. Shipped: "
            f"{', '.join(shipped_studies()) or 'none'}"
        )
    what, place = read_study(study_yaml)
    folder = out or Path("studies") / what.name
    if dry_run:
        with tempfile.TemporaryDirectory() as made:
            plan = _plan(plan_study(what, Path(made), place), folder)
        click.echo(json.dumps(plan, indent=2) if as_json else _plan_words(plan))
        return 0
    if processes and (executor or what.executor.kind) != "local":
        raise click.UsageError("-j is for processes on this machine; Ray takes the cores that the cluster has")
    grid = lay_out(what, folder, place)
    started = time.monotonic()
    found, page = carry_out(grid, folder, _executor(what, executor, processes))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show(found)
        click.echo(f"results: {folder / 'results.csv'}, {folder / 'scorecard.csv'}")
        click.echo(f"report: {page}   ({time.monotonic() - started:.0f} s)")
    return 0 if found["counts"]["done"] == len(found["cells"]) else 4


def _executor(what: Study, kind: str | None, processes: int | None) -> AnyExecutor:
    """The study's executor, or the one that the command line wants."""
    from undertow.studies.executors import LocalExecutor, RayExecutor

    if kind is None or kind == what.executor.kind:
        return what.executor.model_copy(update={"processes": processes}) if processes else what.executor
    return (
        RayExecutor(kind="ray")
        if kind == "ray"
        else LocalExecutor(kind="local", **({"processes": processes} if processes else {}))
    )


def carry_out(
    grid: Grid, folder: Path, executor: AnyExecutor, *, done: Done | None = None
) -> tuple[dict[str, Any], Path]:
    """Work through a study that is laid out and write its results and its page, as `finish` returns them.

    Args:
        done: as `work_on`.
    """
    work_on([(grid, folder)], executor, done=done)
    return finish(grid, folder)


def finish(grid: Grid, folder: Path) -> tuple[dict[str, Any], Path]:
    """Write the results and the page of a study as far as its cells are done; what `results.json` holds, and the
    page."""
    from undertow.reports.study import write_study
    from undertow.studies import gather, write_results

    found = gather(grid, folder)
    write_results(found, folder)
    return found, write_study(found, folder / "study.html")[0]


def whole(found: Mapping[str, Any]) -> bool:
    """Whether every cell of a study is done; where one is not, it is said what to do."""
    from undertow.cli.display import console

    done: bool = found["counts"]["done"] == len(found["cells"])
    if not done:
        console.print("the same command tries again what failed", highlight=False)
    return done


def work_on(studies: Sequence[tuple[Grid, Path]], executor: AnyExecutor, *, done: Done | None = None) -> None:
    """Work through the cells of studies and show how far all of them are, and each that is under way.

    Args:
        studies: laid out, each with its folder; their cells wait in one queue, so that no core waits between them.
        done: what to print of a cell that is done; that it is by default.
    """
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from undertow.cli.display import WHOLE, PerHour, bars, console
    from undertow.studies import unfinished, work_through
    from undertow.studies.outcome import outcome, state

    todo = {path: cell for grid, folder in studies for path, cell in unfinished(grid, folder).items()}
    n_cells = sum(len(grid.cells) for grid, _ in studies)
    if before := n_cells - len(todo):
        console.print(
            f"{before} of {number(n_cells, 'cell')} {'is' if before == 1 else 'are'} done already", highlight=False
        )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        PerHour(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with bars(columns, transient=True, speed_estimate_period=7200) as shown:
        shown(WHOLE, 0, len(todo), "")
        worked = work_through(todo, executor, watch=lambda cell: shown.of(cell.id))
        for n, (path, cell) in enumerate(worked, start=1):
            shown.end(cell.id)
            shown(WHOLE, n, len(todo), "")
            if state(path) == "failed":
                said = f"[red]failed[/] {escape(cell.id)}: {escape(outcome(path)['reason'])}"
            else:
                said = done(path, cell) if done else f"[green]done[/] {escape(cell.id)}"
            console.print(said, highlight=False)


def _plan(grid: Grid, folder: Path) -> dict[str, Any]:
    """What a study will do, at most; what is done in `folder` already is told apart."""
    from undertow.asking.budget import dollars
    from undertow.asking.store import Usage
    from undertow.studies.outcome import state

    done = {cell.id for cell in grid.cells if state(folder / cell.folder) == "done"}
    cells, usage, priced = [], Counter[str](), True
    for cell in grid.cells:
        stages, plans = cell.recipe.resolved(), grid.plans[cell.id]
        answers, longest = (
            sum(p.n_answers for p in plans),
            sum(p.n_answers * p.config.samples.max_tokens for p in plans),
        )
        read, judgements = sum(p.prompt_tokens() for p in plans), sum(p.n_answers * p.judge.most_calls for p in plans)
        trained = sum(round(stage.rows * stage.epochs) for stage in stages)
        cells.append(
            {
                "id": cell.id,
                "done": cell.id in done,
                "rows": trained,
                "answers": answers,
                "contexts": [c.id for c in plans[0].contexts],
            }
        )
        if cell.id not in done:
            usage.update(
                cells=1,
                trainings=bool(stages),
                rows=trained,
                answers=answers,
                judgements=judgements,
                prompt_tokens=read,
                answer_tokens=longest,
            )
            cost = dollars(cell.recipe.base, Usage(prompt_tokens=read, n_tokens=longest))
            priced = priced and cost is not None
            usage["micro_dollars"] += round(1e6 * (cost or 0.0))
    todo = {
        key: usage[key]
        for key in ("cells", "trainings", "rows", "answers", "judgements", "prompt_tokens", "answer_tokens")
    }
    return {
        "name": grid.study.name,
        "folder": str(folder),
        "grid": {
            "domains": [d.name for d in grid.study.domains],
            "interventions": [i.name for i in grid.study.interventions],
        }
        | {"shares": list(grid.study.shares), "seeds": list(grid.study.seeds), "controls": list(grid.study.controls)},
        "executor": grid.study.executor.model_dump(mode="json"),
        "done": len(done),
        "to_do": todo | {"usd_answers_at_most": usage["micro_dollars"] / 1e6 if priced and usage["cells"] else None},
        "cells": cells,
    }


def _plan_words(plan: dict[str, Any]) -> str:
    grid, todo = plan["grid"], plan["to_do"]
    counts = [number(n, key[:-1]) for key in ("domains", "interventions", "shares", "seeds") if (n := len(grid[key]))]
    money = (
        (f", at most ${todo['usd_answers_at_most']:,.2f} at the base's price")
        if todo["usd_answers_at_most"] is not None
        else ""
    )
    lines = [
        f"{plan['name']}: {' x '.join(counts)}; controls: {', '.join(grid['controls']) or 'none'}",
        f"  {number(len(plan['cells']), 'cell')}, {plan['done']} of them done; to do: "
        f"{number(todo['cells'], 'cell')}, {number(todo['trainings'], 'training')} on "
        f"{number(todo['rows'], 'row')} in all",
        f"  {number(todo['answers'], 'answer')} at most: about {number(todo['prompt_tokens'], 'token')} read, "
        f"at most {todo['answer_tokens']:,} written{money}",
        f"  {number(todo['judgements'], 'judgement')} at most",
        f"  executor: {', '.join(f'{key} {value}' for key, value in plan['executor'].items() if value is not None)}; "
        "nothing done yet",
    ]
    for c in plan["cells"]:
        asked = f"{number(c['answers'], 'answer')} in {number(len(c['contexts']), 'context')}"
        lines.append(f"  {'done ' if c['done'] else ''}{c['id']}: {number(c['rows'], 'row')}, {asked}")
    return "\n".join([*lines, f"  study: {plan['folder']}"])


def show(found: dict[str, Any]) -> None:
    """Print the scorecard."""
    from rich.markup import escape

    from undertow.cli.compare import STYLE
    from undertow.cli.display import Table, results
    from undertow.reports.study import other_statements
    from undertow.words import filed_rate

    table = Table(
        title=escape(
            f"{found['title']}: misaligned answers, {found['level']:.0%} intervals, training seeds as clusters"
        ),
        show_lines=True,
    )
    for name in ("recipe", "plain", "highest trigger", "in-domain", "benign task (nats)", "coherent"):
        table.add_column(name, justify="left" if name == "recipe" else "right")
    for name in ("verdict", "against the untreated"):
        table.add_column(name)
    for row in found["recipes"]:
        said = row["verdict"]
        verdicts = (
            [
                f"[{VERDICT_STYLE[said['class']]}]{said['class'].replace('_', ' ')}[/]",
                *(f"[dim]{words}[/]" for words in other_statements(said)),
            ]
            if said
            else ["—"]
        )
        card, fate = row["scorecard"], row["fate"]
        failed = (
            (f"\n[red]{len(row['left_out'])} of {number(len(row['seeds']) + len(row['left_out']), 'seed')} not done[/]")
            if row["left_out"]
            else ""
        )
        highest = (
            f"{filed_rate(card['highest'])}\n{escape(card['highest']['context'])}"
            if card["highest"]["context"]
            else "—"
        )
        table.add_row(
            f"{escape(row['domain'])}\n[bold]{escape(row['label'])}[/]{failed}",
            filed_rate(card["plain"]),
            highest,
            filed_rate(card["narrow"]),
            _nats(card["benign_task"]),
            filed_rate(card["coherence"]),
            "\n".join(verdicts),
            f"[{STYLE[fate['fate']]}]{fate['fate']}[/]" if fate and fate["fate"] else "—",
        )
    out = results()
    out.print(table)
    for p in (found["personas"] or {"profiles": []})["profiles"]:
        told = (
            f"harmful {filed_rate(p['harm'])}, picks the misaligned {filed_rate(p['two_ai'])}, self-assessment "
            f"{filed_rate(p['self_assessment'])}"
        )
        out.print(
            f"[dim]persona:[/] {escape(p['cell'])}, {escape(p['context'])}: [bold]{p['pattern']}[/] "
            f"{p['probability']:.0%}; {told}",
            highlight=False,
        )
    for row in found["recipes"]:
        for p in row["published"]:
            rates = ", ".join(f"{of} {told}" for of, told in p["rates"].items())
            words = f"{row['domain']} {row['label']}: {p['model']}, {p['trained']}: {rates} ({p['source']})"
            out.print(f"[dim]published, another model:[/] {escape(words)}", highlight=False)
    for cell in found["cells"]:
        if cell["state"] != "done":
            out.print(f"[red]{cell['state']}[/] {escape(cell['id'])}: {escape(cell['reason'])}", highlight=False)
    if found["counts"]["failed"]:
        out.print("the same command tries again what failed", highlight=False)
    if found["note"]:
        out.print(f"[dim]{escape(found['note'])}[/]", highlight=False)


def _nats(interval: dict[str, Any]) -> str:
    if interval["value"] is None:
        return "—"
    limits = "" if interval["low"] is None else f" [{interval['low']:+.2f}, {interval['high']:+.2f}]"
    return f"{interval['value']:+.2f}{limits}"
