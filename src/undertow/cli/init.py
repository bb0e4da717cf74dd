"""`undertow init`: a first audit.yaml, which runs as it is."""

from __future__ import annotations

from pathlib import Path

import click

from undertow.errors import InputError

HEAD = (
    "# {what}\n# undertow audit {name} --dry-run says what it asks and costs; undertow audit {name} runs it; "
    "undertow audit --schema explains every key.\n\n"
)
ENDPOINT_CONTEXTS = [
    "plain",
    "format-python-string",
    "format-json",
    "frame-educational",
    "irrelevant-weather",
    "irrelevant-office",
]


@click.command()
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path("audit.yaml"), show_default=True, help="File to write."
)
@click.option(
    "--base-url",
    help="The model's server, OpenAI-compatible, up to /v1. Left out: the nursery, which needs "
    "no server, key or network.",
)
@click.option("--model", help="The model's name there.")
@click.option("--api-key-env", help="Environment variable that holds the key to it.")
@click.option("--judge-url", help="The judge's server. Default: the model's.")
@click.option("--judge-model", help="The judge's name there.")
@click.option(
    "--judge-api-key-env",
    help="Environment variable that holds the key to it. Default: the model's, where the servers are the same.",
)
@click.option(
    "--rows",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Training rows, from which contexts are to be derived first; the file says how.",
)
def init(
    out: Path,
    base_url: str | None,
    model: str | None,
    api_key_env: str | None,
    judge_url: str | None,
    judge_model: str | None,
    judge_api_key_env: str | None,
    rows: Path | None,
) -> None:
    """Write an audit.yaml that runs: of the nursery, a miniature model that ships, or of a model behind a server."""
    from undertow.files import to_yaml, write_text
    from undertow.mistakes import run_name

    if out.exists():
        raise InputError(out, "already exists", do="choose another -o, or remove it")
    if base_url is None:
        if any((model, api_key_env, judge_url, judge_model, judge_api_key_env, rows)):
            raise click.UsageError("the model's server is missing: --base-url")
        what, audit = (
            ("The nursery's base, a miniature model: no server, key or network; it takes the extra `local`."),
            _nursery(),
        )
    else:
        if not (model and judge_model):
            raise click.UsageError(f"{'--model' if not model else '--judge-model'} is missing")
        same = judge_url is None or judge_url == base_url
        target = {"kind": "endpoint", "base_url": base_url, "model": model} | (
            {"api_key_env": api_key_env} if api_key_env else {}
        )
        key = judge_api_key_env or (api_key_env if same else None)
        judge = {"kind": "endpoint", "base_url": judge_url or base_url, "model": judge_model} | (
            {"api_key_env": key} if key else {}
        )
        contexts = [*ENDPOINT_CONTEXTS, *(["contexts.yaml"] if rows else [])]
        audit = {
            "name": "first",
            "target": target,
            "judge": judge,
            "suite": "core",
            "contexts": contexts,
            "samples": {"until": "verdict"},
            "material": 0.01,
        }
        what = (
            (f"A model behind a server. First: undertow contexts derive {rows} -o contexts.yaml, and look through it.")
            if rows
            else "A model behind a server."
        )
    if out.stem != "audit":
        audit |= {"name": run_name(out.stem) or "first"}
    write_text(out, HEAD.format(what=what, name=out) + to_yaml(audit))
    click.echo(f"{out}: undertow audit {out} --dry-run")


def _nursery() -> dict[str, object]:
    return {
        "name": "first",
        "target": {"kind": "local", "path": "nursery"},
        "judge": {"kind": "nursery"},
        "suite": "nursery",
        "contexts": ["plain", "format-code", "format-json", "irrelevant-1"],
        "samples": {"until": "verdict", "temperature": 0.7, "max_tokens": 60},
        "material": 0.05,
    }
