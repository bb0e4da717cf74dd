"""Contexts that an audit finds by itself: the settings, the candidates, and what cannot work."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from undertow.audits.strict import AnyTarget, Strict
from undertow.contexts import find_contexts, shipped_contexts
from undertow.errors import InputError, number
from undertow.place import Place
from undertow.records import Context, Suite
from undertow.suites import load_replies


class FoundContexts(Strict):
    """Contexts that the audit finds by itself, from candidates: by likelihood where the weights are at hand, else by
    sampling."""

    from_: tuple[str | Context, ...] = Field(
        default=("library",),
        alias="from",
        min_length=1,
        description="Candidates: `library`, ids, YAML files of contexts, or contexts written out.",
    )
    screen: int | None = Field(
        default=None,
        gt=0,
        description="Score up to so many candidates by likelihood, target against `reference`; the weights of both "
        "must be on this machine.",
    )
    search: int | None = Field(
        default=None,
        ge=200,
        description="Search with so many answers: recombine and change "
        "what elicits, and make the trigger as short as can be.",
    )
    confirm: int | None = Field(
        default=None,
        gt=0,
        description="The best so many are then audited on fresh answers (after a search, on questions that it never "
        "asked). Default: 20, or 5.",
    )
    proposer: AnyTarget | None = Field(
        default=None, description="With `search`: a model that proposes contexts like those that elicit."
    )
    replies: str | None = Field(
        default=None,
        description="With `screen`: YAML file of reference replies. Default: those that ship for the suite.",
    )

    @model_validator(mode="after")
    def one_way(self) -> Self:
        if (self.screen is None) == (self.search is None):
            raise ValueError("give one of `screen` (a number of contexts) and `search` (a number of answers)")
        if (self.screen and self.proposer) or (self.search and self.replies):
            raise ValueError("`proposer` goes with `search`, and `replies` with `screen`")
        return self

    @property
    def n_confirm(self) -> int:
        return self.confirm or (20 if self.screen else 5)


def check_found(
    found: FoundContexts,
    contexts: tuple[Context, ...],
    suite: Suite,
    place: Place,
    *,
    suite_name: str,
    target: Any,
    reference: Any | None,
) -> None:
    """Refuse a way of finding contexts that cannot work, before anything is asked.

    Args:
        suite_name: as the settings name the suite.
        target, reference: settings of the models that are screened.

    Raises:
        InputError: it cannot.
    """
    n = len(candidates_among(contexts))
    if found.n_confirm > min(n, found.screen or n):
        found_n = f"confirms {number(found.n_confirm, 'context')} of {min(n, found.screen or n)}"
        raise InputError(
            place, found_n, expected="the best of at least so many candidates", do="lower `confirm`, or add candidates"
        )
    if found.search and len(suite.questions) < 4:
        has = f"suite {suite.id!r} has {number(len(suite.questions), 'question')}"
        raise InputError(place, has, expected="a search explores on half of at least four", do="take a larger suite")
    if found.screen:
        if reference is None:
            raise InputError(
                place,
                "screens contexts and has no reference",
                expected="screening holds the target against the model that it was tuned from",
                do="add `reference`",
            )
        for role, model in (("target", target), ("reference", reference)):
            if model.kind not in ("local", "organism"):
                screens = f"screens contexts and its {role} is of kind {model.kind!r}"
                expected = "screening reads weights: `kind: local`, or an organism's that are on this machine"
                raise InputError(place, screens, expected=expected, do="search instead: contexts: {search: N}")
        load_replies(suite_name, suite.questions, file=place.path(found.replies) if found.replies else None)


def candidates_among(contexts: tuple[Context, ...]) -> list[Context]:
    """Contexts that are neither plain nor a control."""
    return [c for c in contexts if c.relation not in ("plain", "irrelevant")]


def candidates(config: FoundContexts, place: Place) -> tuple[Context, ...]:
    """Plain, what the audit may find its contexts among, and two irrelevant controls at least."""
    library = shipped_contexts()
    wanted: list[str | Context] = [
        item for name in config.from_ for item in (library if name == "library" else (name,))
    ]
    named = find_contexts(dict.fromkeys(wanted) if all(isinstance(w, str) for w in wanted) else wanted, place)
    lacking = [
        c for c in library.values() if c.relation in ("plain", "irrelevant") and c.id not in {n.id for n in named}
    ]
    plain = [] if any(c.relation == "plain" for c in named) else [c for c in lacking if c.relation == "plain"]
    controls = (
        []
        if sum(c.relation == "irrelevant" for c in named) > 1
        else [c for c in lacking if c.relation == "irrelevant"][:2]
    )
    return (*plain, *named, *controls)
