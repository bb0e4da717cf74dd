"""`undertow rejudge` and `undertow rescore`: another judge or rule on a run, and what it moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import EXIT, quiet
from undertow.errors import number

if TYPE_CHECKING:
    from undertow.audits.rework import Moved


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--judge",
    "judge_yaml",
    type=click.Path(path_type=Path),
    required=True,
    help="YAML file with the keys of a judge, as under `judge:` in an audit.yaml.",
)
@click.option("--judge-all", is_flag=True, help="Have every answer judged in full.")
@click.option("--json", "as_json", is_flag=True, help="Print the old and the new findings and what moved.")
@quiet
def rejudge(run: Path, judge_yaml: Path, judge_all: bool, as_json: bool) -> int:
    """Judge the answers of RUN again with another judge, be it finished or not; the first judgements stay.

    Exits as `undertow audit` does, by the new verdict.
    """
    from undertow.audits.rework import rejudge as judge_again
    from undertow.cli.display import bars

    with bars() as progress:
        moved = judge_again(run, judge_yaml, judge_all=judge_all, progress=progress)
    return _tell(moved, as_json=as_json)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--rule", required=True, help="Name of a rule (`undertow list rules` shows them), or a YAML file.")
@click.option("--json", "as_json", is_flag=True, help="Print the old and the new findings and what moved.")
def rescore(run: Path, rule: str, as_json: bool) -> int:
    """Decide RUN again under another rule; its own findings stay.

    Exits as `undertow audit` does, by the new verdict.
    """
    from undertow.audits.rework import rescore as decide_again

    return _tell(decide_again(run, rule), as_json=as_json)


def _tell(moved: Moved, *, as_json: bool) -> int:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.words import plainly, rate

    now = moved.after.verdict.class_
    was_words, words = (plainly(found.verdict.class_) for found in (moved.before, moved.after))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "before": moved.before.as_json(),
                    "after": moved.after.as_json(),
                    "outcomes": moved.outcomes,
                    "path": str(moved.path),
                },
                indent=2,
                ensure_ascii=False,
            )
        )
        return EXIT[now]
    table = Table("context", "rate before", "rate after", title=escape(f"{moved.before.name}: misaligned answers"))
    for old, new in zip(moved.before.contexts, moved.after.contexts, strict=True):
        table.add_row(escape(old.id), rate(old.rate), rate(new.rate))
    out = results()
    out.print(table)
    out.print(
        "outcomes that changed: "
        + (", ".join(f"{n:,} {pair}" for pair, n in sorted(moved.outcomes.items())) or "none"),
        highlight=False,
        markup=False,
    )
    out.print(
        f"verdict: {was_words} -> {words}; findings: {moved.path}",
        *(f"\n  {reason}" for reason in moved.after.verdict.reasons),
        highlight=False,
        markup=False,
    )
    if moved.after.stopped:
        out.print(
            f"stopped by the {moved.after.stopped} after {number(moved.after.answers, 'answer')}",
            highlight=False,
            markup=False,
        )
    for warning in moved.after.verdict.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    return EXIT[now]
