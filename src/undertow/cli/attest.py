"""`undertow attest`: what a finished run found, as a statement to sign."""

from __future__ import annotations

import json
from pathlib import Path

import click

from undertow.cli.options import quiet


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The file. Default: attestation.intoto.json in RUN.")
@click.option("--model", type=click.Path(path_type=Path), help="The model's folder: see that it is the one audited.")
@click.option("--base", type=click.Path(path_type=Path), help="With --model: where its adapter's base is.")
@click.option("--rows", multiple=True, type=click.Path(path_type=Path), help="Training rows to bind too; repeatable.")
@click.option("--registered", metavar="SHA256", help="Hash of the plan or the protocol that was registered before.")
@click.option("--url", metavar="URL", help="Where the run's page is.")
@click.option("--json", "as_json", is_flag=True, help="Print the statement.")
@quiet
def attest(
    run: Path,
    out: Path | None,
    model: Path | None,
    base: Path | None,
    rows: tuple[Path, ...],
    registered: str | None,
    url: str | None,
    as_json: bool,
) -> int:
    """Write what the finished RUN found as an in-toto statement with the test-result predicate, to sign with a tool of
    your own; docs/attest.md says how.

    It binds the model's files, the rows, the plan, the answers and the findings by SHA-256. Its result is FAILED unless
    the verdict is clean. Exits 3 where --registered is not the plan that was carried out.
    """
    from undertow.cli.display import bars
    from undertow.files import to_json, write_text
    from undertow.releases.attest import NAME
    from undertow.releases.attest import attest as state

    with bars() as progress:
        statement = state(run, model=model, base=base, rows=rows, registered=registered, url=url, progress=progress)
    path = out or run / NAME
    write_text(path, to_json(statement))
    predicate = statement["predicate"]
    ours = predicate["undertow"]
    if as_json:
        click.echo(json.dumps(statement, indent=2, ensure_ascii=False))
    else:
        click.echo(f"result: {predicate['result']} (verdict: {ours['verdict']['class'].replace('_', ' ')})")
        for each in statement["subject"]:
            click.echo(f"subject: {each['name']} sha256:{each['digest']['sha256']}")
        for about in ours["models"].values():
            click.echo(f"{about['name']}: bound {about['bound']}")
        for words in ours["warned"]:
            click.echo(f"warning: {words}")
        click.echo(f"statement, not signed: {path}")
    stated = ours["protocol"]["registered"]
    return 3 if stated and not stated["holds"] else 0
