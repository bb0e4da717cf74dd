"""A persona's run in the page: how its instruments worded what they asked, and the profiles that it came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undertow.asking.store import StoredAnswer
from undertow.errors import InputError
from undertow.persona.instruments import TABLE
from undertow.persona.items import ItemSet, load_items
from undertow.persona.plan import PersonaConfig, read_run_persona
from undertow.persona.profile import in_words, read_profile
from undertow.persona.run import read_personas
from undertow.persona.stored import Stored
from undertow.records import Context, Question
from undertow.words import PATTERNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a persona's run asks, as far as its settings tell."""

    config: PersonaConfig
    items: ItemSet | None
    """None where the item set is another one by now, so that nothing can be said of its wording."""

    @property
    def prompts(self) -> tuple[Question, ...]:
        """The questions whose answers are judged."""
        return self.items.harmfulness if self.items else ()

    def wordings(
        self, answers: Iterable[StoredAnswer], contexts: Iterable[Context]
    ) -> dict[tuple[str, str, str], Question]:
        """By subject, context and id what the instruments asked, some of it about the answers."""
        if self.items is None:
            return {}
        held = {(a.subject, a.context, a.question, a.sample): a for a in answers}
        found: dict[tuple[str, str, str], Question] = {}
        for subject in sorted({key[0] for key in held}):
            for context in contexts:
                stored = Stored(
                    subject=subject,
                    context=context,
                    prompts=self.prompts,
                    runs=self.config.runs,
                    over=self.config.over,
                    rewrites=any(key[0] == "rewriter" for key in held),
                    answers=held,
                )
                for instrument in TABLE.values():
                    if instrument.id in self.config.instruments and (part := self.items.part(instrument.id)):
                        for call in instrument.calls(part, stored):
                            found[subject, context.id, call.ask.id] = call.question
        return found


def read_asked(run: Path, record: Mapping[str, Any]) -> Asked:
    """What a persona's run asks.

    Raises:
        InputError: its plan is none of a persona.
    """
    config, place = read_run_persona(run)
    try:
        items = load_items(config.items, place)
    except InputError:
        return Asked(config=config, items=None)
    same = items.digest == record.get("items", {}).get("sha256")
    return Asked(config=config, items=items if same else None)


def profiles(run: Path) -> list[dict[str, Any]]:
    """The profiles of a finished run, in words; none of one that is not."""
    try:
        held = read_personas(run)
        found = [
            (each["subject"], read_profile({k: v for k, v in each.items() if k != "subject"}, where=run))
            for each in held["profiles"]
        ]
    except InputError:
        return []
    return [
        {
            "subject": subject,
            "context": profile.context,
            "pattern": profile.pattern,
            "gloss": PATTERNS[profile.pattern],
            "words": in_words(profile),
            "reasons": list(profile.reasons),
        }
        for subject, profile in found
    ]
