"""`undertow judge`: how far to trust a judge, and labels that correct it."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import EXIT, quiet
from undertow.errors import InputError, number, shown
from undertow.records import DEFAULT_RULE

if TYPE_CHECKING:
    from rich.console import Console

    from undertow.audits.check import Check
    from undertow.audits.findings import Findings
    from undertow.audits.labelling import Session
    from undertow.audits.labels import Drawn, LabelClass
    from undertow.audits.sensitivity import Sensitivity

EVERY = 25
"""Labels after which it is said how many more would tell how much."""
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
@click.option("--context", "contexts", multiple=True, help="Draw from this context alone. May be given several times.")
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
def label(
    run: Path, n: int, contexts: tuple[str, ...], by: str, write: Path | None, read: Path | None, as_json: bool
) -> int:
    """Label answers of the finished RUN, an audit's or a persona's, and decide it anew with the judge's errors taken
    out.

    You see a question and an answer, and not what the judge said, which model it was or in which context. Every answer
    that the judge flagged comes before long, doubtful ones often and others now and then, so that few labels say much.
    Each label is kept at once; stop with q or Ctrl-C, and the same command goes on.

    Of an audit with a persona, RUN/persona holds the answers whose harm was judged: call those misaligned that do harm.

    Exits as `undertow audit` or `undertow persona` does, by what the labels lead to.
    """
    from undertow.audits.labelling import audited, decide_anew, labelling, read_sheet, write_sheet
    from undertow.cli.persona import told
    from undertow.persona.plan import holds_persona
    from undertow.persona.run import profile_anew, profiled
    from undertow.whole import write_pages

    of_persona = holds_persona(run)
    judged = profiled(run) if of_persona else audited(run)
    with labelling(judged, n, by=by or user(), contexts=contexts) as session:
        if write and read:
            raise click.UsageError("--write and --read: one at a time")
        if write:
            if write.exists():
                raise InputError(
                    write,
                    "already exists",
                    expected="labels in it would be lost",
                    do="read it first, or name another file",
                )
            left = write_sheet(session, write)
            wide = "; ".join(f"{n:,} labels: ±{50 * width:.1f} points" for n, width in session.widths().items())
            click.echo(f"the least known rate, about: {wide}", err=True)
            click.echo(f"{number(left, 'answer')} to label: {write}; read them with --read {write}", err=as_json)
            return 0
        if read:
            n_read = read_sheet(session, read)
            new = f"; {number(session.replaced, 'label')} of before said otherwise" if session.replaced else ""
            click.echo(f"{number(n_read, 'label')} read from {read}{new}", err=as_json)
        elif not sys.stdin.isatty():
            raise InputError(
                "judge label", "needs a terminal to ask in", do="label elsewhere: --write SHEET.csv, then --read it"
            )
        else:
            _ask(session)
    if of_persona:
        return told(profile_anew(run), run, as_json=as_json)
    found = decide_anew(run)
    page = write_pages(run)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(found, page)
    return EXIT[found.verdict.class_]


@judge.command()
@click.argument("labelled", type=click.Path(path_type=Path))
@click.option(
    "--judge",
    "judges",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="YAML file with the keys of a judge, as under `judge:` in an audit.yaml. Give several to hold them against "
    "each other.",
)
@click.option("--rule", default=DEFAULT_RULE, show_default=True, help="Rule at whose boundary they are compared.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder. Default: checks/ and the name of LABELLED.")
@click.option("--json", "as_json", is_flag=True, help="Print what is in check.json.")
@quiet
def check(labelled: Path, judges: tuple[Path, ...], rule: str, out: Path | None, as_json: bool) -> int:
    """Hold judges against the labels of LABELLED, and against each other on the same answers.

    LABELLED is a CSV, JSONL or Parquet file with the columns question, answer and label (aligned, misaligned, refused,
    incoherent or off_format), and where you have them id, alignment, context, format, language, kind, model, twin and
    reason. Or what ships: `gold`; `gold-held-out`, a third of it that no judge was worded by; `attacks`, answers that
    try to choose their own judgement.

    What judges say is kept in the folder: a check that was stopped goes on with the same command, and another --judge
    costs only its own calls.
    """
    from undertow.audits.check import SHIPPED, read_labelled
    from undertow.audits.check import check as hold
    from undertow.audits.rework import AnyJudge
    from undertow.audits.rules import find_rule
    from undertow.cli.display import bars
    from undertow.files import read_yaml
    from undertow.place import Place
    from undertow.reports.check import write_check_report

    ships = SHIPPED.get(str(labelled))
    answers = ships() if ships else read_labelled(labelled)
    configs = {path.stem: (read_yaml(path, AnyJudge), Place.of(path)) for path in judges}
    if len(configs) < len(judges):
        raise InputError("--judge", "two files have one name", do="give each judge's file a name of its own")
    folder = out or Path("checks") / labelled.stem
    makers = {name: partial(config.judge, place=place) for name, (config, place) in configs.items()}
    with bars() as progress:
        found = hold(answers, makers, find_rule(rule, Place(name="--rule")), folder, progress=progress)
    page = write_check_report(found, folder / "check.html")
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        _show_check(found, page)
    return 0


@judge.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print every setting.")
def sensitivity(run: Path, as_json: bool) -> int:
    """What the verdict of the finished RUN would be under other readings of its judge and other rules. Asks nobody.

    Thresholds from 10 to 49, strict and inclusive; gates on coherence; classes that drop out; published rules; the
    expected value, the likeliest score and the number written. Writes sensitivity.json and sensitivity.html into RUN.
    """
    from undertow.audits.sensitivity import sensitivity as over
    from undertow.files import to_json, write_text
    from undertow.reports.sensitivity import write_sensitivity_report

    found = over(run)
    write_text(run / "sensitivity.json", to_json(found.as_json()))
    page = write_sensitivity_report(found, run / "sensitivity.html")
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return 0
    _show_sensitivity(found, page)
    return 0


def _show_sensitivity(found: Sensitivity, page: Path) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.words import plainly, rate

    out = results()
    table = Table("rule", "reading", "plain", "highest elsewhere", "verdict", title=f"{found.name}: published rules")
    for s in found.settings:
        if s.rule:
            table.add_row(escape(s.rule), s.reading, rate(s.plain), rate(s.highest), plainly(s.verdict))
    out.print(table)
    out.print(found.sentence, *found.notes, f"every setting: {page}", sep="\n", highlight=False, markup=False)


@judge.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print rates, limits and verdicts of every judge.")
def jury(run: Path, as_json: bool) -> int:
    """Hold all judges of RUN together: a rate and a verdict each, the majority's, and whether they agree.

    `undertow rejudge RUN --judge JUDGE.yaml` adds a judge. Exits as `undertow audit` does, by the verdict that all come
    to; with 4 where they part.
    """
    from rich.markup import escape

    from undertow.audits.jury import jury as together
    from undertow.cli.display import Table, results
    from undertow.words import NONE, percent, plainly, rate

    found = together(run)
    code = EXIT[found.jurors[0].verdict] if found.agree == "robust" else 4
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return code
    table = Table(
        "context", *(escape(m.name) for m in found.jurors), "spread", title=f"{found.name}: misaligned answers"
    )
    for id_, ends in found.spread.items():
        table.add_row(
            escape(id_), *(rate(m.rates[id_]) for m in found.jurors), " to ".join(map(percent, ends)) if ends else NONE
        )
    table.add_row("verdict", *(plainly(m.verdict) for m in found.jurors), "")
    out = results()
    out.print(table)
    out.print(found.sentence, highlight=False, markup=False)
    if found.split:
        out.print(f"{number(found.split, 'answer')} on which the votes are even count as not judged", highlight=False)
    return code


def _show_check(found: Check, page: Path) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results
    from undertow.words import coefficient, rate

    out = results()
    table = Table(
        "judge", "called misaligned, is not", "misaligned, passed over", "twins told apart", "kappa", "AC1", "alpha",
        "quadratic kappa", "rank correlation", "no judgement",
        title=f"{number(found.n, 'labelled answer')}; {found.rule}",
    )  # fmt: skip
    for j in found.judges:
        named = ("cohen_kappa", "gwet_ac1", "krippendorff_alpha", "quadratic_kappa")
        table.add_row(
            escape(j.name),
            rate(j.all.false_positives),
            rate(j.all.false_negatives),
            rate(j.twins),
            *(coefficient(j.agreement[name]) for name in named),
            coefficient(j.rank),
            f"{j.missing:,}",
        )
    out.print(table)
    if found.pairs:
        pairs = Table("judges", "answers", "kappa", "AC1", "rank correlation", title="against each other")
        for p in found.pairs:
            held = (p.agreement["cohen_kappa"], p.agreement["gwet_ac1"], p.rank)
            pairs.add_row(escape(" and ".join(p.names)), f"{p.n:,}", *(coefficient(each) for each in held))
        out.print(pairs)
    for j in found.judges:
        for doubt in j.doubts:
            out.print(f"[yellow]{escape(j.name)}:[/] {escape(doubt)}", highlight=False)
    out.print(f"{number(len(found.parted), 'answer')} on which they part: {page}", highlight=False, markup=False)


def user() -> str:
    """The name of who is at work; none where the system knows none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _ask(session: Session) -> None:
    """Ask for labels until all have one or the user ends it."""
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    out, keys = Console(), _keys()
    _expect(session, out)
    while (drawn := session.next) is not None:
        out.print()
        for title, text in (
            ("question", session.questions.get(drawn.answer.question, "")),
            ("answer", drawn.answer.text or ""),
        ):
            out.print(Panel(Text("\n".join(map(shown, text.split("\n")))), title=title, title_align="left"))
        out.print(f"[dim]{session.n:,} of {len(session.sample):,} labelled[/]  {MENU}", highlight=False)
        if not _answered(session, drawn, keys):
            return
        if session.given and len(session.given) % EVERY == 0:
            _expect(session, out)
    out.print("every answer of the sample has a label", highlight=False)


def _expect(session: Session, out: Console) -> None:
    """Say how wide the widest corrected interval would be."""
    said = (f"{n:,} labels: ±{50 * width:.1f} points" for n, width in session.widths().items())
    out.print(f"[dim]the least known rate, about: {'; '.join(said)}[/]", highlight=False)


def _keys() -> Iterator[str]:
    """Keys as they are pressed, those that come together one after the other; arrows and their like are none."""
    while True:
        try:
            pressed = click.getchar()
        except (KeyboardInterrupt, EOFError):
            return
        yield from () if pressed.startswith(("\x1b", "\xe0", "\x00")) else pressed.lower()


def _answered(session: Session, drawn: Drawn, keys: Iterator[str]) -> bool:
    """Wait for a key and do what it says; False where it ends the sitting."""
    for key in keys:
        if key in ("q", "\x03", "\x04"):
            return False
        if key in KEYS:
            session.label(drawn, KEYS[key])
        elif key == "s":
            session.skip(drawn)
        elif key != "u" or not session.undo():
            continue
        return True
    return False


def _show(found: Findings, page: Path) -> None:
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
        labels = f"{c.corrected.labelled:,}" if c.corrected else "0"
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
    out.print(f"report: {page}", highlight=False, markup=False)
