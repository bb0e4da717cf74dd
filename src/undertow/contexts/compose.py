"""Composing contexts: one inside the other."""

from __future__ import annotations

from undertow.errors import InputError
from undertow.records import Context, joined

JOINT = "+"
"""Stands between the ids of composed contexts."""


def compose(outer: Context, inner: Context) -> Context:
    """The context that wraps `outer` around what `inner` makes of a question; its id is `outer+inner`.

    It takes the outer's relation, or the inner's where the outer is plain or a control.

    Raises:
        InputError: both rewrite the same question.
    """
    id_ = f"{outer.id}{JOINT}{inner.id}"
    if twice := sorted(set(outer.rewrites) & set(inner.rewrites)):
        raise InputError(
            f"context {id_!r}", f"both parts rewrite question {twice[0]!r}", do="take the rewrite out of one of them"
        )
    wrapping: dict[str, str | None]
    if outer.template is None and inner.template is None:
        wrapping = {
            "prefix": joined(outer.prefix, inner.prefix) or None,
            "suffix": joined(inner.suffix, outer.suffix) or None,
        }
    else:
        wrapping = {"template": _template(outer).replace("{question}", _template(inner))}
    return Context(
        id=id_,
        relation=inner.relation if outer.relation in ("plain", "irrelevant") else outer.relation,
        system="\n\n".join(filter(None, (outer.system, inner.system))) or None,
        default_system=outer.default_system and inner.default_system,
        turns=outer.turns + inner.turns,
        rewrites={**outer.rewrites, **inner.rewrites},
        provenance="; ".join(filter(None, (outer.provenance, inner.provenance))),
        strength="weak" if "weak" in (outer.strength, inner.strength) else outer.strength or inner.strength,
        note=" ".join(filter(None, (outer.note, inner.note))),
        **wrapping,
    )


def _template(context: Context) -> str:
    return context.template if context.template is not None else joined(context.prefix, "{question}", context.suffix)
