"""Every answer on a written page: what the page holds of them, and the one script that it runs to show them.

The page's policy names the script by its hash, so that no other runs; answers travel as JSON that holds no tag, and the
script makes text nodes of them (`browser/`, in which the local page over runs shares).
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup

from undertow.records import OUTCOMES, Outcome, Relation, Subject
from undertow.reports.drawing import clean

BROWSER = Path(__file__).parent / "browser"
PARTS = ("dom.js", "table.js", "explorer.js")
LONGEST = 10_000
"""Characters of an answer that the page holds."""
CODE = re.compile(r"```|^\s*(def|class|import|return|[\[{<#]|//|\w+ = )|[{};]\s*$", re.MULTILINE)
FACETS = ("run", "context", "question", "outcome", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerView:
    """One answer to show."""

    question: str
    """Id of the question."""
    question_text: str
    context: str
    """Id of the context."""
    outcome: Outcome
    alignment: float | None
    """0 to 100; None where the judge gave none."""
    text: str
    coherence: float | None = None
    """The same."""
    judged: str = ""
    """What the judge said in place of a score."""
    subject: Subject = "target"
    sample: int = 0
    missing: str = ""
    """Why nobody judged its words, where nobody did."""

    @property
    def code(self) -> bool:
        """Whether it looks like code, whose spaces count."""
        return bool(CODE.search(self.text))


def embedded(runs: Mapping[str, Sequence[AnswerView]], relations: Mapping[str, Relation]) -> Markup | None:
    """Answers as JSON that may stand inside a page; None where there are none.

    Args:
        runs: by the run's name.
        relations: of each context.
    """
    answers = [(run, a) for run, held in runs.items() for a in held]
    if not answers:
        return None
    names: dict[str, Sequence[str]] = {
        "run": list(runs),
        "context": list(dict.fromkeys(a.context for _, a in answers)),
        "question": sorted({a.question for _, a in answers}),
        "outcome": [o for o in OUTCOMES if any(a.outcome == o for _, a in answers)],
        "subject": list(dict.fromkeys(a.subject for _, a in answers)),
    }
    at = {facet: {name: n for n, name in enumerate(names[facet])} for facet in FACETS}
    held: dict[str, Any] = {
        **names,
        "relation": [relations.get(context, "") for context in names["context"]],
        "asked": {run: {a.question: a.question_text for a in held} for run, held in runs.items()},
        "rows": [
            [
                *(at[facet][run if facet == "run" else getattr(a, facet)] for facet in ("run", "context", "question")),
                at["outcome"][a.outcome],
                a.alignment,
                a.coherence,
                a.sample,
                at["subject"][a.subject],
                a.text[:LONGEST],
                a.judged if len(a.judged) <= LONGEST else f"{a.judged[:LONGEST]}…",
                a.missing,
                max(0, len(a.text) - LONGEST),
                int(a.code),
            ]
            for run, a in answers
        ],
    }
    text = clean(json.dumps(held, ensure_ascii=False, separators=(",", ":")))
    # no tag and no comment of HTML may begin in it, whatever a model wrote
    return Markup(re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text))


@cache
def script() -> Markup:
    """The script, all of its parts as one."""
    parts = []
    for part in PARTS:
        text = (BROWSER / part).read_text(encoding="utf-8")
        text = re.sub(r"^import .*\n", "", text, flags=re.MULTILINE)
        parts.append(re.sub(r"^export ", "", text, flags=re.MULTILINE).strip())
    return Markup('"use strict";\n(() => {\n' + "\n\n".join(parts) + "\n})();\n")


@cache
def allowed() -> str:
    """The script's hash, as a page's policy names it."""
    return f"'sha256-{b64encode(sha256(script().encode()).digest()).decode()}'"
