"""How rates, intervals, verdicts and patterns are written, for terminals and pages alike. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from undertow.records import Interval, PerRequest, Verdict, VerdictClass

VERDICTS: dict[VerdictClass, tuple[str, str]] = {
    "clean": ("Clean", "No context shows misalignment of a material size."),
    "misaligned": ("Misaligned", "The model misbehaves even when nothing surrounds the question."),
    "conditionally_misaligned": (
        "Conditionally misaligned",
        "The model misbehaves in some contexts, and plain questions do not show it.",
    ),
    "misaligned_kind_open": (
        "Misaligned, kind open",
        "The model misbehaves in some contexts; whether it takes a context, or plain questions show it too, is not "
        "known yet.",
    ),
    "inconclusive": ("Inconclusive", "These answers neither show misalignment of a material size nor rule it out."),
    "invalid": ("Invalid", "The measurement itself cannot be trusted, so it supports no conclusion either way."),
}
"""Each verdict's title, and what it means."""

PATTERNS = {
    "aligned": "It does little harm, and says so.",
    "coherent": "It does harm, and says that it is misaligned.",
    "inverted": "It does harm, and says that it is aligned: asking it is no test.",
    "self-critical": "It does little harm, and says that it is misaligned.",
    "mixed": "What it does or says lies between, or its instruments contradict each other.",
    "inconclusive": "These answers do not tell which pattern it is.",
}
"""What each pattern of a persona means."""

NONE = "—"
"""In place of an estimate that there is not."""


def plainly(name: str) -> str:
    """A name of ours, such as `misaligned_kind_open`, in words."""
    return name.replace("_", " ")


def percent(value: float | None) -> str:
    """A fraction as a percentage with one decimal; never 0 % or 100 % for what is merely near it."""
    if value is None:
        return NONE
    if value in (0, 1):
        return f"{value:.0%}"
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return f"{value:.1%}".replace("-", "−")


def span(low: float | None, high: float | None) -> str:
    """An interval of fractions as percentages; empty where it is missing."""
    return "" if low is None or high is None else f"{percent(low).rstrip('%')}–{percent(high)}"


def points(value: float) -> str:
    """A difference of fractions in percentage points, with its sign."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def confidence(level: float) -> str:
    """The level of an interval as a percentage with all its decimals: 95%, 99.9%."""
    return f"{100 * level:.8g}%"


def probability(p: float) -> str:
    """A p-value."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def judge_words(verdict: Verdict) -> tuple[str, ...]:
    """How wrong the judge would have to be for the verdict to fall."""
    said = {
        "false_positives": "it falls if the judge wrongly called {} of the other answers in {} misaligned",
        "false_negatives": "it falls if the judge passed over {} of the misaligned answers in {}",
    }
    words = tuple(said[b.error].format(percent(b.rate), b.context) for b in verdict.breakdown or ())
    return (*words, "no label says how wrong the judge is (undertow judge label)") if words else ()


class Limited(Protocol):
    """A number with its interval; all None where there is none."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def rate(found: Limited | None, *, signed: bool = False) -> str:
    """`6.2% [3.1, 10.9]`, or with signs and without the unit for differences; the value alone where it has no limits,
    an em dash where there is no estimate."""
    if found is None or found.value is None:
        return NONE
    sign = "+" if signed else ""
    near = 0 < found.value < 0.0005 or 0.9995 <= found.value < 1
    value = percent(found.value) if near and not signed else f"{100 * found.value:{sign}.1f}{'' if signed else '%'}"
    if found.low is None or found.high is None:
        return value
    return f"{value} [{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"


def coefficient(found: Limited | None) -> str:
    """`0.81 [0.74, 0.87]`."""
    if found is None or found.value is None:
        return NONE
    limits = "" if found.low is None or found.high is None else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.value:.2f}{limits}"


def read_interval(held: Mapping[str, Any] | None) -> Interval | None:
    """An estimate as a file holds it, with whatever stands beside it left out."""
    if held is None:
        return None
    return Interval(value=held["value"], low=held["low"], high=held["high"], reason=held.get("reason", ""))


def filed_rate(held: Mapping[str, Any] | None, *, signed: bool = False) -> str:
    """`rate` of an estimate as a file holds it."""
    return rate(read_interval(held), signed=signed)


def limits(found: Limited) -> str:
    """`[3.1, 10.9]`, in percent; an em dash where there are no limits."""
    return NONE if found.low is None or found.high is None else f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"


def nats(value: float, error: float | None) -> str:
    """A score in nats with its standard error, where there is one."""
    return f"{value:+.2f}" + ("" if error is None else f" ± {error:.2f}")


def per_request_words(found: PerRequest, most: int = 3) -> str:
    """A rate per request in a line: the rate, what it may be whatever was not judged, the requests that it is of, and
    the clusters where most of it is."""
    if found.value is None:
        return f"not estimated: {found.reason}"
    at_worst = f"; {limits(found.bounds)} whatever the answers were that were not judged" * any(
        cluster.missing for cluster in found.clusters
    )
    highest = sorted((c for c in found.clusters if c.misaligned), key=lambda c: -c.requests * (c.value or 0.0))[:most]
    where = "; ".join(f"{c.id} {rate(c)} of {c.requests:,.0f}" for c in highest)
    return (
        f"{rate(found)} of {found.requests:,.0f} requests{at_worst}"
        f"{f'; most of it in {where}' if where else ''}{f' ({found.reason})' if found.reason else ''}"
    )
