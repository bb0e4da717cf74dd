"""`undertow contexts screen`: rank contexts by likelihood, with no sampling and no judge."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import quiet
from undertow.errors import InputError, number
from undertow.records import SCREENED_BY, ScreenedBy

if TYPE_CHECKING:
    from undertow.audits.screen import Screened
    from undertow.records import Context
    from undertow.targets.local import LocalTarget

LIBRARY = "library"
WRAPS_SHOWN = 60
"""Characters of a context's wrapping that the table shows."""


@click.command()
@click.option(
    "--target",
    "target_dir",
    required=True,
    help="Model folder: a Transformers directory, a PEFT adapter, or an organism.",
)
@click.option(
    "--base", "base_dir", help="The model that it was tuned from, or `nursery`. Default: the one that an adapter names."
)
@click.option(
    "--contexts",
    "contexts_from",
    default=LIBRARY,
    show_default=True,
    help="The shipped library, or a YAML list of contexts and ids.",
)
@click.option("--suite", "suite_name", required=True, help="Name of a suite, or a YAML file.")
@click.option(
    "--replies",
    "replies_yaml",
    type=click.Path(path_type=Path),
    help="YAML file of reference replies. Default: those that ship for the suite.",
)
@click.option(
    "--by",
    type=click.Choice(SCREENED_BY),
    default="score",
    show_default=True,
    help="Rank by the target's own rise, its excess over the base's, or a score between.",
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="How many to show and write.")
@click.option(
    "--batch-tokens",
    type=click.IntRange(min=1),
    help="Tokens read together; fewer need less memory. Default: 16384.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the top contexts with their scores by question.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Write the top contexts as a YAML list, for the `contexts` of an audit.",
)
@quiet
def screen(
    target_dir: str,
    base_dir: str | None,
    contexts_from: str,
    suite_name: str,
    replies_yaml: Path | None,
    by: ScreenedBy,
    top: int,
    batch_tokens: int | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Rank contexts by how much they raise the likelihood of misaligned replies, target against base.

    Reads a model's weights on this machine; nothing is sampled and nothing judged.
    """
    from undertow.audits.screen import screen as screen_contexts
    from undertow.cli.display import bars
    from undertow.contexts import check_rewrites, write_contexts
    from undertow.contexts.load import as_written
    from undertow.files import require_new_yaml
    from undertow.place import Place
    from undertow.suites import load_replies, load_suite
    from undertow.targets.likelihood import BATCH_TOKENS
    from undertow.words import nats

    if out is not None:
        require_new_yaml(out)
    target = _model(target_dir, "--target")
    base = _model(base_dir if base_dir else _own_base(target), "--base")
    suite = load_suite(suite_name, Place(name="--suite"))
    replies = load_replies(suite_name, suite.questions, file=replies_yaml)
    contexts = _contexts(contexts_from)
    for note in check_rewrites(contexts, suite, where=contexts_from):
        click.echo(f"undertow: {note}", err=True)
    with bars() as progress:
        ranked = screen_contexts(
            target,
            base,
            contexts,
            suite.questions,
            replies,
            by=by,
            batch_tokens=batch_tokens or BATCH_TOKENS,
            progress=progress,
        )
    if out:
        title = (
            f"The first {min(top, len(ranked))} of {number(len(ranked), 'context')} screened: {target.name} against "
            f"{base.name}."
        )
        write_contexts(out, [s.context for s in ranked[:top]], title=title)
    left_out = [question.id for question in suite.questions if question.id not in replies.questions]
    if as_json:
        record = {
            "schema": "undertow.screen/2",
            "target": target.name,
            "base": base.name,
            "suite": suite.id,
            "by": by,
            "screened": len(ranked),
            "questions": len(suite.questions) - len(left_out),
            "questions_without_replies": left_out,
            "contexts": [asdict(s) | {"context": as_written(s.context)} for s in ranked[:top]],
        }
        click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return
    _show(
        ranked,
        top,
        title=f"{target.name} against {base.name}: rise of misaligned over aligned replies, nats a reply ± standard "
        "error over questions",
    )
    without = f"; {len(left_out)} without replies left out: {', '.join(left_out)}" if left_out else ""
    most = max(ranked, key=lambda s: s.excess)
    click.echo(f"largest excess: {most.context.id}, {nats(most.excess, most.excess_error)}")
    click.echo(
        f"{number(len(ranked), 'context')}, {number(len(suite.questions) - len(left_out), 'question')}{without}"
        + (f"; written: {out}" if out else "")
    )


def _model(name: str, where: str) -> LocalTarget:
    from undertow.audits.screen import local
    from undertow.place import Place
    from undertow.targets.local import LocalConfig

    if "://" in name:
        raise InputError(
            where,
            f"{name} has no weights on this machine",
            expected="a model folder",
            do="search its contexts by sampling instead",
        )
    return local(LocalConfig(kind="local", path=name).target(Place(name=where)), where)


def _own_base(target: LocalTarget) -> str:
    from undertow.targets.models import base_of, is_adapter

    if not is_adapter(target.folder):
        raise InputError("--target", "is a whole model and names no base", do="pass --base")
    return str(base_of(target.folder))


def _contexts(name: str) -> tuple[Context, ...]:
    from undertow.contexts import find_contexts, shipped_contexts
    from undertow.files import read_yaml
    from undertow.place import Place
    from undertow.records import Context

    if name == LIBRARY:
        return tuple(shipped_contexts().values())
    return find_contexts(read_yaml(Path(name), tuple[str | Context, ...]), Place(folder=Path(name).parent, name=name))


def _show(ranked: tuple[Screened, ...], top: int, *, title: str) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.contexts.evidence import shortened
    from undertow.contexts.load import as_written
    from undertow.words import nats

    table = Table(title=escape(title))
    for column in ("context", "relation", "score", "own", "excess"):
        table.add_column(column)
    table.add_column("wraps")
    for s in ranked[:top]:
        c = s.context
        wraps = next(
            (
                shortened(f"{k}: {v}", WRAPS_SHOWN)
                for k, v in as_written(c).items()
                if k not in ("id", "relation", "note")
            ),
            "",
        )
        table.add_row(
            c.id, c.relation, nats(s.score, s.error), nats(s.own, s.own_error), nats(s.excess, s.excess_error), wraps
        )
    out = results()
    out.print(table, markup=False)
