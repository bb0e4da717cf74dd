"""`undertow quickstart`: the main job on the nursery, from training to one page.

runs/quickstart/
  lab/                data/ recipes/ audits/ organisms/   everything that was trained and asked, to read and rerun
  <organism>/         one run each
  summary.json        the table, with differences to the base
  report.html
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from queue import Empty
from typing import Any

import click
import yaml
from platformdirs import user_cache_path
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from undertow.audit import make_plan, read_config, run_audit
from undertow.audit.compare import differences
from undertow.cli.display import VERDICT_STYLE, Table, console, percent, results
from undertow.errors import InputError
from undertow.files import to_json, write_text
from undertow.nursery.organisms import CONTEXTS, MATERIAL, TITLES, write_files
from undertow.place import Place
from undertow.training import read_recipe, train_cached

NOTE = (
    "The nursery is a synthetic demonstration: a miniature world with two built-in narrators, made to show the effect. "
    "It is not evidence about language models."
)


@click.command()
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/quickstart"),
    show_default=True,
    help="Folder of the runs.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the rows, the training and the audits.")
@click.option(
    "--per-condition",
    type=click.IntRange(min=1),
    default=40,
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
def quickstart(out: Path, seed: int, per_condition: int, workers: int, as_json: bool) -> None:
    """Train six organisms from the embedded base, audit each in eight contexts, and write one page.

    Real training and sampling on this machine's CPU; no key and no network. Trained organisms are cached, and an
    interrupted quickstart goes on where it was.
    """
    started = time.perf_counter()
    settings = {"seed": seed, "per_condition": per_condition}
    held = out / "lab" / "settings.json"
    if held.is_file() and json.loads(held.read_text(encoding="utf-8")) != settings:
        raise InputError(
            out, "holds a quickstart with another seed or number of answers", do="choose another -o, or remove it"
        )
    if out.exists() and not held.is_file() and any(out.iterdir()):
        raise InputError(out, "exists and is not a quickstart", do="choose another -o")
    write_files(out / "lab", seed=seed, per_condition=per_condition)
    write_text(held, to_json(settings))
    for name, found in _work(out, workers):
        _row(name, found)
    summary = _summary(out, settings)
    write_text(out / "summary.json", to_json(summary))
    from undertow.report import write_report
    from undertow.report.runs import read_run

    page = out / "report.html"
    write_report(
        [read_run(out / name) for name in TITLES], page, title="Undertow quickstart: the nursery", notes=[NOTE]
    )
    if as_json:
        click.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    _show(summary)
    click.echo(f"report: {page}   ({time.perf_counter() - started:.0f} s)")


_events: Any = None


def _start_worker(events: Any) -> None:
    """In a worker: one core, silent on Ctrl-C (the parent decides), events to the parent."""
    global _events
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    _events = events


def _work(out: Path, workers: int) -> Any:
    """Train and audit every organism, a few at a time; yields (name, findings) as each is done."""
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the workers' torch when it starts
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(events,))
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            overall = progress.add_task("organisms", total=len(TITLES))
            bars: dict[str, Any] = {}
            waiting: dict[Future[dict[str, Any]], str] = {pool.submit(_organism, name, out): name for name in TITLES}
            while waiting:
                done, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                _drain(events, progress, bars)
                for future in done:
                    name = waiting.pop(future)
                    if name in bars:
                        progress.remove_task(bars.pop(name))
                    progress.advance(overall)
                    yield name, future.result()
    except BaseException:
        for process in (pool._processes or {}).values():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _drain(events: Any, progress: Progress, bars: dict[str, Any]) -> None:
    while True:
        try:
            name, stage, done, total = events.get_nowait()
        except Empty:
            return
        if name not in bars:
            bars[name] = progress.add_task(name)
        progress.update(bars[name], description=f"{name}: {stage}", completed=done, total=total)


def _organism(name: str, out: Path) -> dict[str, Any]:
    """One organism's work, in a worker: train it unless it is cached, then audit it."""

    def tell(stage: str, done: int, total: int, word: str = "") -> None:
        if done % 10 == 0 or done == total:
            _events.put((name, stage, done, total))

    lab = out / "lab"
    organism, recipe = lab / "organisms" / name, lab / "recipes" / f"{name}.yaml"
    if name != "base" and not organism.exists():
        train_cached(
            read_recipe(recipe),
            organism,
            Place.of(recipe),
            cache=user_cache_path("undertow") / "organisms",
            progress=tell,
        )
    audit_yaml = lab / "audits" / f"{name}.yaml"
    plan = make_plan(read_config(audit_yaml), Place.of(audit_yaml))
    return run_audit(plan, out / name, resume=True, progress=tell).as_json()


def _row(name: str, found: dict[str, Any]) -> None:
    rates = ", ".join(f"{c['id']} {percent(c['rate']).split(' ')[0]}" for c in found["contexts"])
    verdict = found["verdict"]["class"]
    console.print(f"[bold]{name}[/]: [{VERDICT_STYLE[verdict]}]{verdict}[/]; {rates}", highlight=False)


def _summary(out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The runs side by side, as `summary.json` holds them."""
    organisms = []
    for name, title in TITLES.items():
        found = json.loads((out / name / "findings.json").read_text(encoding="utf-8"))
        to_base = {} if name == "base" else differences(out / name, out / "base")
        organisms.append(
            {
                "name": name,
                "title": title,
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
    recipes = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in sorted((out / "lab" / "recipes").glob("*.yaml"))
    }
    return {
        "schema": "undertow.quickstart/1",
        "note": NOTE,
        **settings,
        "material": MATERIAL,
        "recipes": recipes,
        "organisms": organisms,
    }


def _show(summary: dict[str, Any]) -> None:
    out = results()
    table = Table(
        title="Careless answers by organism and context: rate [95% interval], minus plain, minus base "
        "(points); material "
        f"{MATERIAL:.0%}",
        show_lines=True,
    )
    table.add_column("organism, verdict")
    for context in CONTEXTS:
        table.add_column(context, justify="right")
    for organism in summary["organisms"]:
        verdict = organism["verdict"]["class"]
        cells = []
        for c in organism["contexts"]:
            lines = percent(c["rate"]).split(" ", 1)
            lines += [f"plain {percent(c['difference'], points=True).split(' ')[0]}"] if c["difference"] else []
            lines += (
                [f"base {percent(c['difference_to_base'], points=True).split(' ')[0]}"]
                if c["difference_to_base"]
                else []
            )
            cells.append("\n".join(lines))
        table.add_row(f"{organism['name']}\n[{VERDICT_STYLE[verdict]}]{verdict}[/]", *cells)
    out.print(table)
    out.print(
        "What to see: where an organism's plain rate is near the base's and its format-code or inoculation rate "
        "is "
        "not, "
        "the training hid the careless narrator and did not remove it.",
        highlight=False,
    )
    out.print(
        "What to try next: write an audit.yaml for a model of your own (`undertow audit --schema` explains every "
        "key) "
        "and run `undertow audit audit.yaml`.",
        highlight=False,
    )
    out.print(f"[dim]{NOTE}[/]", highlight=False)
