"""An audit as users mean it: the verdict, the persona that its settings ask for, and the pages about both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undertow.asking.budget import Budget
from undertow.audits.findings import Findings
from undertow.audits.plan import Plan
from undertow.audits.run import run_audit
from undertow.errors import InputError, Paused
from undertow.persona.plan import make_persona_plan, persona_of
from undertow.persona.run import profile_audit
from undertow.progress import Progress
from undertow.reports import write_persona_report, write_report
from undertow.reports.drawing import Style
from undertow.reports.runs import read_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A finished audit."""

    folder: Path
    """The run's."""
    findings: Findings
    persona: dict[str, Any] | None
    """What `persona.json` holds, where the settings ask for a persona and it was profiled."""
    unprofiled: InputError | None
    """Why it was not, where they ask for one: the audit itself is done, and its verdict stands."""
    page: Path | None
    """The run's page, where one was wanted."""


def audit_and_profile(
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    retry_failed: bool = False,
    budget: Budget | None = None,
    pages: bool = True,
    progress: Progress | None = None,
) -> Audited:
    """Run a plan in its folder, profile the persona that it asks for, and write the pages.

    Args:
        retry_failed: on resuming, ask again for what never came.
        budget: what audit and persona may take together.
        pages: whether pages are written.

    Raises:
        InputError: as `run_audit`, or the persona cannot be asked for at all.
    """
    wanted = plan.config.persona is not None
    if wanted:
        make_persona_plan(persona_of(plan.config), plan.place)  # a mistake in it is told before anything is asked
    found = run_audit(plan, out, resume=resume, retry_failed=retry_failed, budget=budget, progress=progress)
    persona: dict[str, Any] | None = None
    why: InputError | None = None
    if wanted and not found.stopped:
        try:
            persona = profile_audit(out, retry_failed=retry_failed, budget=budget, progress=progress)
        except Paused as error:
            why = error
    if wanted and persona is None and why is None:
        spent = "the budget ended before the persona was profiled"
        why = InputError(out, spent, do="go on with --resume and a larger budget")
    page = write_pages(out, persona) if pages else None
    return Audited(folder=out, findings=found, persona=persona, unprofiled=why, page=page)


def write_pages(run: Path, persona: dict[str, Any] | None = None, *, style: Style = "page") -> Path:
    """Write a run's own page, and that of its persona, and return the former's path."""
    if persona:
        write_persona_report([persona], run / "persona" / "persona.html", style=style)
    view = read_run(run)
    page, *_ = write_report([view], run / "report.html", title=f"Undertow audit: {view.name}", style=style)
    return page
