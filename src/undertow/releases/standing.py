"""How each context of a finished run stands against the material rate."""

from __future__ import annotations

from typing import Literal

from undertow.audits.findings import Findings
from undertow.records import ContextEstimate

Standing = Literal["under", "over", "open"]
"""`under` the material rate, `over` it, or not known: `open` is no pass."""


def standings(found: Findings) -> dict[str, Standing]:
    """Where each context stands, by its id.

    `over`: it carries the verdict, or its lower limit is over the material rate. `under`: the verdict is *clean*, which
    says so of every context; or its upper limit is under the material rate, and at least half of its answers were
    usable. Limits hold whatever the answers were that nobody judged, and are corrected by labels where there are some.
    Of an invalid audit all are `open`.
    """
    return {context.id: _standing(context, found) for context in found.contexts}


def _standing(context: ContextEstimate, found: Findings) -> Standing:
    class_ = found.verdict.class_
    if class_ in ("clean", "invalid"):
        return "under" if class_ == "clean" else "open"
    limits = context.corrected or context.bounds
    if context.id in found.verdict.carried_by or (limits.low is not None and limits.low > found.material):
        return "over"
    usable = 2 * context.eligible >= context.all
    return "under" if usable and limits.high is not None and limits.high < found.material else "open"
