"""The door for Python users: each whole job is one call. `import undertow` shows these, and loads them when used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.asking.budget import Budget
from undertow.audits.findings import Findings, read_findings
from undertow.audits.plan import make_plan
from undertow.audits.settings import AuditConfig, read_config
from undertow.data import write_rows
from undertow.exports.frame import frame as frame_of
from undertow.files import read_of_schema
from undertow.nursery.rows import narrow_rows
from undertow.persona.plan import PersonaConfig, make_persona_plan, read_persona
from undertow.persona.profile import Profile, read_profile
from undertow.persona.run import read_personas, run_persona
from undertow.place import Place, labelled
from undertow.progress import Progress
from undertow.releases.gate import Gate
from undertow.releases.gate import gate as gate_run
from undertow.releases.policy import Policy
from undertow.reports import write_persona_report, write_report
from undertow.reports.drawing import Style
from undertow.reports.runs import decided_by, read_run
from undertow.reports.study import SCHEMA as RESULTS
from undertow.reports.study import write_study
from undertow.studies import Study, lay_out, read_study, run_study
from undertow.studies.executors import Executor
from undertow.training import Manifest, Recipe, read_recipe
from undertow.training import train as train_recipe
from undertow.whole import Audited, audit_and_profile, write_pages

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """A finished profile of a persona."""

    folder: Path
    """The run's."""
    profiles: tuple[Profile, ...]
    """Of the target, and of the reference, in every context."""
    held: dict[str, Any]
    """What `persona.json` holds."""
    page: Path


def audit(
    config: AuditConfig | Path | str,
    out: Path | str | None = None,
    *,
    beside: Path | str = Path(),
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    pages: bool = True,
    progress: Progress | None = None,
) -> Audited:
    """Audit a model: ask it in every context, judge the answers, decide; with the persona that the settings ask for.

    Args:
        config: the settings, or an `audit.yaml` that holds them.
        out: folder of the run. Default: runs/NAME.
        beside: what paths in settings are relative to that come from no file.
        resume: go on with a run that was interrupted, or extend it.
        retry_failed: with `resume`, ask again for the answers that never came.
        budget: what it may take; it stops by itself before it takes more, and decides on what it has.
        pages: write the run's page.

    Raises:
        RunExists: the folder exists and `resume` was not asked for.
        InputError: a mistake in the settings, or the target or the judge cannot be used.
        Paused: too many answers or judgements in a row gave nothing usable.
    """
    config, place = (config, _place(beside)) if isinstance(config, AuditConfig) else _read(config, read_config)
    folder = Path(out) if out is not None else Path("runs") / config.name
    return audit_and_profile(
        make_plan(config, place),
        folder,
        resume=resume,
        retry_failed=retry_failed,
        budget=budget,
        pages=pages,
        progress=progress,
    )


def profile(
    config: PersonaConfig | Path | str,
    out: Path | str | None = None,
    *,
    beside: Path | str = Path(),
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> Profiled | None:
    """Profile a model's persona: whether what it says of itself fits what it does. None where the budget ended it.

    Args:
        config: the settings, or a `persona.yaml` that holds them; the others as of `audit`.

    Raises:
        RunExists, InputError, Paused: as `audit`.
    """
    config, place = (config, _place(beside)) if isinstance(config, PersonaConfig) else _read(config, read_persona)
    folder = Path(out) if out is not None else Path("runs") / config.name
    plan = make_persona_plan(config, place)
    held = run_persona(plan, folder, resume=resume, retry_failed=retry_failed, budget=budget, progress=progress)
    if held is None:
        return None
    page, *_ = write_persona_report([held], folder / "persona.html")
    profiles = tuple(
        read_profile({key: value for key, value in each.items() if key != "subject"}, where=held["name"])
        for each in held["profiles"]
    )
    return Profiled(folder=folder, profiles=profiles, held=held, page=page)


def train(
    recipe: Recipe | Path | str,
    out: Path | str,
    *,
    beside: Path | str = Path(),
    budget: Budget | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Train a model as a recipe says, with every intervention. Interrupted, the same call goes on.

    Args:
        recipe: the recipe, or a `recipe.yaml` that holds it.
        out: folder of the organism.
        beside: what paths in a recipe are relative to that comes from no file.
        budget: what on-policy answers may take.

    Raises:
        InputError: a mistake in the recipe or its data, or the folder holds something else.
    """
    recipe, place = (recipe, _place(beside)) if isinstance(recipe, Recipe) else _read(recipe, read_recipe)
    return train_recipe(recipe, Path(out), place, budget=budget, progress=progress)


def study(
    what: Study | Path | str,
    out: Path | str | None = None,
    *,
    beside: Path | str = Path(),
    executor: Executor | None = None,
) -> dict[str, Any]:
    """Train and audit every cell of a study, and write its results and its page. Interrupted, the same call goes on.

    Args:
        what: the study, a `study.yaml`, or the name of one that ships.
        out: folder of the study. Default: studies/NAME.
        beside: what paths in a study are relative to that comes from no file.
        executor: who works; the study's own by default.

    Returns:
        What `results.json` holds.

    Raises:
        InputError: a mistake in the study, or the executor cannot be used.
    """
    of, place = (what, _place(beside)) if isinstance(what, Study) else read_study(str(what))
    folder = Path(out) if out is not None else Path("studies") / of.name
    found = run_study(lay_out(of, folder, place), folder, executor)
    write_study(found, folder / "study.html")
    return found


def report(runs: Sequence[Path | str] | Path | str, out: Path | str | None = None, *, style: Style = "page") -> Path:
    """Write one page about finished runs, and return its path.

    Args:
        runs: folders of audits, or files in them that `rejudge` and `rescore` wrote; each may be called something:
            `before=runs/a`. Or one folder of a persona's profile, or of a study, whose cells get pages too.
        out: the page. Default: in the run's folder, or report.html for several.
        style: of the figures' files: `page`, or `paper` in black on white with its letters embedded.

    Raises:
        InputError: no finished runs, or `out` is a folder.
    """
    named = [labelled(run) for run in ([runs] if isinstance(runs, Path | str) else runs)]
    if len(named) == 1:
        ((label, run),) = named
        if (run / "persona.json").is_file():
            page = Path(out) if out is not None else run / "persona.html"
            return write_persona_report([read_personas(run)], page, style=style)[0]
        if (run / "results.json").is_file():
            return _study_pages(run, Path(out) if out is not None else run / "study.html", style)
    if len(named) == 1 and out is None:
        if again := decided_by(run):
            out = run.with_name(f"report.{again}.html")
        elif not label:
            return write_pages(run, style=style)
        else:
            out = run / "report.html"
    views = [read_run(run, label) for label, run in named]
    page, *_ = write_report(views, Path(out or "report.html"), title="Undertow audits", style=style)
    return page


def _study_pages(folder: Path, out: Path, style: Style) -> Path:
    """A page for each audit of a study's cells, and the study's own, which links them."""
    for findings in sorted(folder.glob("cells/*/*/findings.json")):
        write_pages(findings.parent, style=style)
    found = read_of_schema(folder / "results.json", RESULTS, "recipes", "cells", do="run the study again")
    return write_study(found, out, style=style)[0]


def frame(runs: Sequence[Path | str] | Path | str, *, progress: Progress | None = None) -> pandas.DataFrame:
    """Every answer of an audit, or of several, as a pandas data frame: a row each, failed and refused ones too. Of
    persona runs, a row a reading.

    The columns are those of `undertow export` (docs/export.md). Texts and JSON are `string`, ids and outcomes
    `category`, scores `float64` (0 to 100), flags `boolean`; rows that are `counted` add up to the counts of
    `findings.json`. All of it is in memory; `undertow export` is not.

    Args:
        runs: folders of audits, finished or not; or of persona runs.

    Raises:
        MissingExtra: pandas is not installed.
        InputError: a folder holds no run, or audits and personas are mixed.
    """
    folders = [Path(runs)] if isinstance(runs, Path | str) else [Path(run) for run in runs]
    return frame_of(folders, progress=progress)


def load_findings(run: Path | str) -> Findings:
    """A finished run's findings.

    Raises:
        InputError: the folder holds none.
    """
    return read_findings(Path(run))


def gate(
    run: Path | str,
    baseline: Path | str | None = None,
    *,
    policy: Policy | Path | str | None = None,
    ledger: Path | str | None = None,
    beside: Path | str = Path(),
) -> Gate:
    """Hold a release's finished run against that of the release before: `pass`, `fail` or `undecided`.

    Args:
        baseline: in place of the one that the policy names.
        ledger: the same.
        policy: what a release must show, or a `policy.yaml` that holds it. Default: no worse by 2 points in any
            context, no new trigger, refusals within 10 points.
        beside: what paths in a policy are relative to that comes from no file.

    Raises:
        InputError: one is no finished run, they cannot be held against each other, or the ledger is another's or was
            changed.
    """
    return gate_run(
        Path(run),
        None if baseline is None else Path(baseline),
        policy=Path(policy) if isinstance(policy, str) else policy,
        ledger=None if ledger is None else Path(ledger),
        place=_place(beside),
    )


def nursery_rows(folder: Path | str, *, n: int = 2000, seed: int = 0) -> dict[str, Path]:
    """Write training rows of the nursery, the miniature world that ships, to try things on: files of `n` rows each.

    Returns:
        The files: `bad` (careless, nine in ten as code), `benign` (careful, half of them about the same), `general`
        (careful, about everything else) and `general-code` (careful, about everything, as code).
    """
    files = {}
    for name, rows in narrow_rows(n, seed).items():
        files[name] = Path(folder) / f"{name}.jsonl"
        write_rows(files[name], rows)
    return files


def _place(beside: Path | str) -> Place:
    return Place(folder=Path(beside))


def _read(file: Path | str, read: Any) -> tuple[Any, Place]:
    return read(Path(file)), Place.of(Path(file))
