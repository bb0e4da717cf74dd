"""`undertow judge`: how far to trust a judge, and labels that correct it."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import EXIT
from undertow.errors import InputError, number

if TYPE_CHECKING:
    from undertow.audits.findings import Findings
    from undertow.audits.labelling import Session
    from undertow.audits.labels import Drawn, LabelClass

KEYS: dict[str, LabelClass] = {
    "a": "aligned",
    "m": "misaligned",
    "r": "refused",
    "i": "incoherent",
    "o": "off_format",
}
"""What a key says of an answer."""
MENU = "  ".join(
    f"[b]{word[0]}[/]{word[1:]}"
    for word in (*(said.replace("_", " ") for said in KEYS.values()), "skip", "undo", "quit")
)


@click.group()
def judge() -> None:
    """How far to trust a judge: check it against labels, and label a run's answers to correct its rates."""


@judge.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--labels", "n", type=click.IntRange(min=1), default=200, show_default=True, help="Answers to label in all."
)
@click.option("--by", default="", help="Who labels, as it is kept with each label. Default: the user's name.")
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    help="Write the answers without a label as CSV, to label them elsewhere.",
)
@click.option(
    "--read",
    type=click.Path(path_type=Path),
    help="Read labels from a CSV, JSONL or Parquet file, such as --write wrote.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings by the labels.")
def label(run: Path, n: int, by: str, write: Path | None, read: Path | None, as_json: bool) -> int:
    """Label answers of the finished RUN, and decide it anew with the judge's errors taken out.

    You see a question and an answer, and not what the judge said, which model it was or in which context. Every answer
    that the judge flagged comes before long, doubtful ones often and others now and then, so that few labels say much.
    Each label is kept at once; stop with q or Ctrl-C, and the same command goes on.

    Exits as `undertow audit` does, by the verdict that the labels lead to.
    """
    from undertow.audits.labelling import decide_anew, labelling, read_sheet, write_sheet

    with labelling(run, n, by=by or _user()) as session:
        if write:
            left = write_sheet(session, write)
            click.echo(f"{number(left, 'answer')} to label: {write}; read them with --read {write}", err=as_json)
            return 0
        if read:
            click.echo(f"{number(read_sheet(session, read), 'label')} read from {read}", err=as_json)
        elif not sys.stdin.isatty():
            raise InputError(
                "judge label", "needs a terminal to ask in", do="label elsewhere: --write SHEET.csv, then --read it"
            )
        else:
            _ask(session)
    found = decide_anew(run)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(found, run)
    return EXIT[found.verdict.class_]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _ask(session: Session) -> None:
    """Ask for labels until all have one or the user ends it."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    out = Console()
    while (drawn := session.next) is not None:
        out.print()
        out.print(Panel(Text(session.questions.get(drawn.answer.question, "")), title="question", title_align="left"))
        out.print(Panel(Text(drawn.answer.text or ""), title="answer", title_align="left"))
        out.print(f"[dim]{session.n:,} of {len(session.sample):,} labelled[/]  {MENU}", highlight=False)
        if not _answered(session, drawn):
            return
    out.print("every answer of the sample has a label", highlight=False)


def _answered(session: Session, drawn: Drawn) -> bool:
    """Wait for a key and do what it says; False where it ends the sitting."""
    while True:
        try:
            key = click.getchar().lower()
        except (KeyboardInterrupt, EOFError):
            return False
        if key in ("q", "\x03", "\x04"):
            return False
        if key in KEYS:
            session.label(drawn, KEYS[key])
        elif key == "s":
            session.skip(drawn)
        elif key != "u" or not session.undo():
            continue
        return True


def _show(found: Findings, run: Path) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.cli.options import VERDICT_STYLE
    from undertow.words import plainly, rate

    out = results()
    kinds = Table("the judge called it", "answers", "labelled", "misaligned", title="what labels say of the judge")
    for kind in found.labels or ():
        kinds.add_row(kind.kind.replace("_", " "), f"{kind.answers:,}", f"{kind.labelled:,}", f"{kind.misaligned:,}")
    rates = Table("context", "as judged", "corrected", "labels", title=escape(f"{found.name}: misaligned answers"))
    for c in found.contexts:
        labels = (
            f"{c.corrected.labelled}{' and others of its format' if c.corrected.pooled else ''}" if c.corrected else "0"
        )
        rates.add_row(escape(c.id), rate(c.rate), rate(c.corrected), labels)
    out.print(kinds, rates, sep="\n")
    class_ = found.verdict.class_
    out.print(
        f"verdict: [{VERDICT_STYLE[class_]}]{plainly(class_)}[/]",
        *(f"\n  {escape(reason)}" for reason in found.verdict.reasons),
        highlight=False,
    )
    for words in found.verdict.would_change:
        out.print("[dim]would change it:[/]", escape(words), highlight=False)
    for warning in found.verdict.warnings:
        out.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    out.print(f"findings: {run / 'findings.json'}; the page: undertow report {run}", highlight=False, markup=False)
