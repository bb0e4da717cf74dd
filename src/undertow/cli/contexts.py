"""`undertow contexts`: contexts for an audit, made from what is at hand."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from undertow.cli.options import or_skip_bad
from undertow.cli.screen import screen
from undertow.cli.traffic import from_traffic
from undertow.errors import InputError, number

if TYPE_CHECKING:
    from undertow.contexts.derive import Derivation, Derived
    from undertow.targets import Target


@click.group()
def contexts() -> None:
    """Make contexts for an audit."""


contexts.add_command(screen)
contexts.add_command(from_traffic)


@contexts.command(name="derive")
@click.argument("files", metavar="ROWS", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--benign", type=click.Path(path_type=Path), help="Rows to hold them against: what is common there is no evidence."
)
@click.option(
    "--flagged",
    metavar="FIELD",
    help="Key beside 'messages' that is true on the rows of interest; the others are the benign ones.",
)
@click.option(
    "-o", "out", type=click.Path(path_type=Path), help="Write the contexts here, as YAML that an audit takes."
)
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Contexts to propose.")
@click.option(
    "--default-system",
    "system",
    metavar="TEXT",
    help="System prompt that the chat template put before rows without one.",
)
@click.option("--model", metavar="DIR", help="Model whose chat template says so itself.")
@click.option(
    "--reworder",
    "reworder_yaml",
    type=click.Path(path_type=Path),
    help="YAML file of a model (the keys of a target) that words system prompts anew.",
)
@click.option("--skip-bad", is_flag=True, help="Pass over lines that are no chat, and count them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def derive_(
    files: tuple[Path, ...],
    benign: Path | None,
    flagged: str | None,
    out: Path | None,
    top: int,
    system: str | None,
    model: str | None,
    reworder_yaml: Path | None,
    skip_bad: bool,
    as_json: bool,
) -> None:
    """Propose contexts that resemble training rows (chat JSONL), ranked, each with its evidence.

    It need not know which rows are bad. Strong evidence says that rows clearly share something that everyday chat, or
    the benign rows, do not; it does not say that the rows are bad.
    """
    from undertow.audits.strict import AnyTarget
    from undertow.contexts import write_contexts
    from undertow.contexts.derive import derive
    from undertow.files import read_yaml, require_new_yaml
    from undertow.place import Place
    from undertow.targets.models import default_system, load_tokenizer, model_folder

    rows, *more = files
    if more:
        do = f"write them as one: undertow data convert {' '.join(map(str, files))} -o all.jsonl"
        raise InputError(
            more[0], "is a second file of rows", expected="one, since lines are told by their number", do=do
        )
    for first, second, names in (
        (benign, flagged, "--benign and --flagged"),
        (system, model, "--default-system and --model"),
    ):
        if first is not None and second is not None:
            raise click.UsageError(f"{names} exclude each other.")
    if out is not None:
        require_new_yaml(out)
    if model is not None:
        system = default_system(load_tokenizer(model_folder(model)))
        if system is None:
            click.echo(f"undertow: the chat template of {model} puts in no system prompt by itself", err=True)
    bad: list[InputError] = []

    def skipped(error: InputError) -> None:
        if not skip_bad:
            raise or_skip_bad(error)
        if len(bad) < 3:
            bad.append(error)

    reworder = read_yaml(reworder_yaml, AnyTarget).target(Place.of(reworder_yaml)) if reworder_yaml else None
    found = derive(rows, benign=benign, flagged=flagged, default_system=system or None, top=top, skipped=skipped)
    if reworder is not None:
        found = asyncio.run(_reworded(found, reworder))
    if out and found.proposals:
        held = number(found.benign, "benign row") if found.benign else "assumed shares of everyday chat"
        title = f"Contexts derived from {number(found.rows, 'row')} of {rows.name}, held against {held}."
        write_contexts(out, [p.context for p in found.proposals], title=title, unexplained=map(str, found.unexplained))
    if as_json:
        click.echo(json.dumps(_record(found, bad), indent=2, ensure_ascii=False))
    else:
        _show(found, out)
    if found.skipped:
        click.echo(f"undertow: {number(found.skipped, 'line')} skipped; the first: {bad[0]}", err=True)


WORDINGS = 3
"""Other wordings that a model is asked for, of each system prompt that the rows hold word for word."""


async def _reworded(found: Derivation, model: Target) -> Derivation:
    """The same with a model's wordings of every verbatim system prompt behind it: paraphrases, a neutral form, and the
    opposite."""
    from undertow.audits.propose import reword

    made: list[Derived] = []
    ids: set[str] = set()
    async with model:
        for proposal in found.proposals:
            made.append(proposal)
            prompt = proposal.context.system
            if proposal.evidence.kind != "system" or proposal.context.relation != "verbatim" or not prompt:
                continue
            said = await reword(model, prompt, WORDINGS, seed=0)
            if said.error or said.unread:
                unread = f"no proposal in {number(said.unread, 'line')} of the model"
                click.echo(f"undertow: {proposal.context.id}: {said.error or unread}", err=True)
            for context in said.contexts:
                if context.id not in ids:  # two prompts may have one neutral form
                    ids.add(context.id)
                    provenance = f"{proposal.context.id}, worded anew by a model"
                    worded = replace(context, strength=proposal.context.strength, provenance=provenance)
                    made.append(replace(proposal, context=worded))
    return replace(found, proposals=tuple(made))


def _record(found: Derivation, bad: list[InputError]) -> dict[str, object]:
    return {
        "schema": "undertow.derivation/1",
        "rows": found.rows,
        "benign": found.benign,
        "skipped": found.skipped,
        "skipped_examples": [str(error) for error in bad],
        "proposals": [{"context": asdict(p.context), "evidence": asdict(p.evidence)} for p in found.proposals],
        "unexplained": [asdict(minority) | {"told": str(minority)} for minority in found.unexplained],
    }


def _show(found: Derivation, out: Path | None) -> None:
    from rich.markup import escape

    from undertow.cli.display import Table, results

    if not found.proposals:
        unwritten = f"; {out} was not written" if out else ""
        click.echo(f"Nothing stands out in {number(found.rows, 'row')}; no context to propose{unwritten}.")
        return
    against = number(found.benign, "benign one") if found.benign else "what is assumed of everyday chat"
    table = Table("", "context", "relation", "evidence", title=f"{number(found.rows, 'row')} against {against}")
    told: dict[str, int] = {}
    for n, proposal in enumerate(found.proposals, start=1):
        context, e = proposal.context, proposal.evidence
        if e.what in told:
            why = f"[dim]as {told[e.what]}[/]"
        else:
            told[e.what] = n
            style = "bold" if e.strength == "strong" else "dim"
            why = f"[{style}]{e.strength}[/]: {escape(e.what)}; {e.counted}"
        table.add_row(str(n), escape(context.id), context.relation, why)
    results().print(table)
    for minority in found.unexplained:
        click.echo(f"Unexplained: {minority}")
    if out:
        click.echo(f"{out} written. In an audit: contexts: [plain, {out}, irrelevant-weather]")
    else:
        click.echo("Nothing written; -o contexts.yaml writes them for an audit.")
