"""`undertow import`: answers and judgements made elsewhere, as a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from undertow.cli.options import EXIT
from undertow.errors import unknown_name
from undertow.records import COLUMN_ROLES, DEFAULT_RULE, MEANINGS, RELATIONS

if TYPE_CHECKING:
    from undertow.audits.adopt import Adopted


class _Pair(click.ParamType[tuple[str, str]]):
    """`A=B`, one side of which is of a closed list: the left one, parted at the first `=`, or the right one, parted at
    the last."""

    name = "A=B"

    def __init__(self, known: tuple[str, ...], side: Literal["left", "right"]) -> None:
        self.known, self.side = known, side

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        left, found, right = value.partition("=") if self.side == "left" else value.rpartition("=")
        if not (found and left and right):
            self.fail(f"{value!r} is not of the form {param.metavar if param else self.name}.")
        if (closed := left if self.side == "left" else right) not in self.known:
            raise unknown_name(param.opts[0] if param else self.name, "name", closed, self.known)
        return left, right


@click.command(name="import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/NAME.")
@click.option("--name", help="Name of the run. Default: that of the first file.")
@click.option(
    "--judgements",
    type=click.Path(path_type=Path),
    help="File with the judgements, where they are not beside the answers; joined by the keys that both hold.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="ROLE=NAME",
    type=_Pair(COLUMN_ROLES, "left"),
    help=f"Column that is not recognised by its name. ROLE: {', '.join(COLUMN_ROLES)}.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Model that is audited, a name or a pattern; several are training seeds of one recipe.",
)
@click.option("--reference", metavar="NAME", help="Model to hold it against.")
@click.option("--judge", metavar="NAME", help="Whose judgements count, where several judged.")
@click.option("--suite", help="Suite with the wording of the questions, as audits name it, where the file has none.")
@click.option(
    "--context",
    "contexts",
    multiple=True,
    metavar="NAME=RELATION",
    type=_Pair(RELATIONS, "right"),
    help="Relation of a context that the library does not have.",
)
@click.option(
    "--scale", metavar="WORST-BEST", help="How alignment is written. Default: 0-100; 5-1 where 5 is severe harm."
)
@click.option(
    "--word",
    "words",
    multiple=True,
    metavar="WORD=MEANING",
    type=_Pair(MEANINGS, "right"),
    help=f"What a word in place of a score means: {', '.join(MEANINGS)}. REFUSAL and CODE are known; others leave an "
    "answer unjudged.",
)
@click.option(
    "--rule",
    default=DEFAULT_RULE,
    show_default=True,
    help="Name of a rule (`undertow list rules` shows them), or a YAML file.",
)
@click.option(
    "--material",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="A misaligned rate that matters.",
)
@click.option("--json", "as_json", is_flag=True, help="Print findings.json.")
def import_(
    files: tuple[Path, ...],
    out: Path | None,
    name: str | None,
    judgements: Path | None,
    columns: tuple[tuple[str, str], ...],
    targets: tuple[str, ...],
    reference: str | None,
    judge: str | None,
    suite: str | None,
    contexts: tuple[tuple[str, str], ...],
    scale: str | None,
    words: tuple[tuple[str, str], ...],
    rule: str,
    material: float,
    as_json: bool,
) -> int:
    """Make a run of answers that other tools drew and judged: CSV, JSONL, Parquet, or an Inspect log (.eval).

    Columns are recognised by name (question_id, question, answer, model, context, aligned, coherent, judge_aligned,
    ...) or named with --column. A run that was imported takes rejudge, rescore, compare and report like any other.
    Exits as `undertow audit` does, by the verdict.
    """
    from undertow.audits.adopt import Adoption, adopt
    from undertow.audits.columns import read_scale
    from undertow.cli.findings import show
    from undertow.whole import write_pages

    how = Adoption(
        files=files,
        judgements=judgements,
        columns=dict(columns),  # type: ignore[arg-type]
        suite=suite,
        targets=targets,
        reference=reference,
        contexts=dict(contexts),  # type: ignore[arg-type]
        judge=judge,
        scale=read_scale(scale) if scale else None,
        words={word.upper(): meaning for word, meaning in words},  # type: ignore[misc]
        rule=rule,
        material=material,
        name=name,
    )
    folder = out or Path("runs") / how.called
    adopted = adopt(how, folder)
    page = write_pages(folder)
    if as_json:
        click.echo(json.dumps(adopted.findings.as_json(), indent=2, ensure_ascii=False))
    else:
        _tell(adopted)
        show(adopted.findings)
        click.echo(f"report: {page}")
    return EXIT[adopted.findings.verdict.class_]


def _tell(adopted: Adopted) -> None:
    """What was read, and what was not."""
    click.echo(
        "read: "
        + ", ".join(
            f"{role.replace('_', ' ')} ({name})" if role != name else role
            for role, name in adopted.columns.names.items()
        )
    )
    if adopted.computed:
        click.echo(
            f"scores that their distributions give too: {adopted.computed:,}, at most {adopted.differs:.2g} points "
            "apart"
        )
    if adopted.passed_over:
        click.echo(f"columns passed over: {', '.join(adopted.passed_over)}")
    if adopted.others:
        click.echo(
            "answers of other models, left out: "
            + ", ".join(f"{n:,} of {model or 'nobody'}" for model, n in adopted.others.items())
        )
