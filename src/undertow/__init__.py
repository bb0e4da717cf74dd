"""Undertow audits fine-tuned language models for misalignment that standard evaluations miss.

    import undertow

    undertow.train("recipe.yaml", "organisms/mine")
    done = undertow.audit("audit.yaml")
    print(done.findings.verdict.class_)

Nothing is loaded before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undertow.asking.budget import Budget
    from undertow.audits.findings import Findings
    from undertow.audits.settings import AuditConfig
    from undertow.door import Profiled, audit, frame, gate, load_findings, nursery_rows, profile, report, study, train
    from undertow.errors import InputError, MissingExtra, Paused, RunExists, UndertowError
    from undertow.persona.plan import PersonaConfig
    from undertow.persona.profile import Profile
    from undertow.progress import Progress
    from undertow.records import ContextEstimate, Interval, Verdict
    from undertow.releases.gate import Gate
    from undertow.releases.policy import Policy
    from undertow.studies.study import Study
    from undertow.training.organism import Manifest
    from undertow.training.recipe import Recipe
    from undertow.whole import Audited

    __version__: str

_HOMES = {
    **dict.fromkeys(
        ("audit", "profile", "train", "study", "report", "frame", "gate", "load_findings", "nursery_rows", "Profiled"),
        "undertow.door",
    ),
    **dict.fromkeys(("UndertowError", "InputError", "MissingExtra", "Paused", "RunExists"), "undertow.errors"),
    **dict.fromkeys(("ContextEstimate", "Interval", "Verdict"), "undertow.records"),
    "AuditConfig": "undertow.audits.settings",
    "Audited": "undertow.whole",
    "Budget": "undertow.asking.budget",
    "Findings": "undertow.audits.findings",
    "Gate": "undertow.releases.gate",
    "Manifest": "undertow.training.organism",
    "PersonaConfig": "undertow.persona.plan",
    "Policy": "undertow.releases.policy",
    "Profile": "undertow.persona.profile",
    "Progress": "undertow.progress",
    "Recipe": "undertow.training.recipe",
    "Study": "undertow.studies.study",
}
"""Where each public name stands."""

__all__ = [
    "AuditConfig",
    "Audited",
    "Budget",
    "ContextEstimate",
    "Findings",
    "Gate",
    "InputError",
    "Interval",
    "Manifest",
    "MissingExtra",
    "Paused",
    "PersonaConfig",
    "Policy",
    "Profile",
    "Profiled",
    "Progress",
    "Recipe",
    "RunExists",
    "Study",
    "UndertowError",
    "Verdict",
    "__version__",
    "audit",
    "frame",
    "gate",
    "load_findings",
    "nursery_rows",
    "profile",
    "report",
    "study",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("undertow")
    elif name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'undertow' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
