"""How an audit found its contexts, in words."""

from __future__ import annotations

from undertow.audits.stories import SearchStory
from undertow.errors import number
from undertow.records import Context, Interval
from undertow.words import rate


def search_words(story: SearchStory) -> list[str]:
    """A search's story in a few sentences."""
    fired = sum(t.misaligned > 0 for t in story.tried)
    audited = len({t.context.id for t in story.tried} & set(story.confirmed))
    words = [
        f"{len(story.tried):,} contexts were tried with {story.answers.explore:,} answers to "
        f"{len(story.explored_on)} questions, and {fired:,} of them brought a misaligned answer",
        f"the best {audited} were audited on the other {number(len(story.confirmed_on), 'question')}, which had no "
        "part in choosing",
    ]
    if story.untried:
        words.append(f"{number(story.untried, 'candidate')} not tried: more answers to search with would reach them")
    if story.alike:
        words.append(
            f"{len(story.alike)} were set aside, because the reference misbehaved there at least half as often"
        )
    if minimal := story.minimal:
        held = sum(step.kept for step in story.steps)
        of_reference = f" (the reference: {_share(minimal.rate_of_reference)})" if minimal.rate_of_reference else ""
        words.append(
            f"made shorter with {story.answers.minimise:,} answers ({held} of {len(story.steps)} cuts held) to "
            f"{minimal.characters} characters around the question, which bring {_share(minimal.rate)} on those other "
            f"questions{of_reference}"
        )
    return words


def _share(found: Interval) -> str:
    return "no usable answer" if found.value is None else rate(found)


def text_of(context: Context) -> str:
    """What a context says, in one text."""
    turns = [f"{turn.role}: {turn.content}" for turn in context.turns]
    parts = (context.prefix, "{question}", context.suffix)
    question = context.template or " ".join(part.strip(" ") for part in parts if part)
    if context.rewrites:
        first, *more = context.rewrites.values()
        others = f" (and {number(len(more), 'other question')}, each in words of its own)" if more else ""
        question = question.replace("{question}", f"{first}{others}")
    system = f"system: {context.system}" if context.system else ""
    if not context.default_system:
        system = system or "(without the template's own system prompt)"
    return "\n".join(filter(None, (system, *turns, question)))
