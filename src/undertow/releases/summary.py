"""What a finished run found, where colleagues look: a comment on a pull request, a model card, a CI system's test
report and its log. Names, reasons and whatever else came from files are text there and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from undertow.audits.compare import Comparison, Fate, compare
from undertow.audits.findings import Findings, read_findings
from undertow.errors import InputError, number, shown
from undertow.files import to_yaml
from undertow.records import MISSING, ContextEstimate, VerdictClass
from undertow.releases.standing import Standing, standings
from undertow.words import VERDICTS, confidence, judge_words, limits, plainly, rate

Form = Literal["markdown", "card", "junit", "annotations", "plain"]
FORMS: tuple[Form, ...] = get_args(Form)
MOST_ROWS = 60
"""Contexts in a table of Markdown, those first that are not under the material rate: a comment on a pull request holds
65,536 characters."""
FATES: Mapping[Fate, Standing] = {
    **dict.fromkeys(("removed", "unchanged"), "under"),
    **dict.fromkeys(("moved", "kept", "raised"), "over"),
    "unclear": "open",
}
CLASSES: Mapping[VerdictClass, Standing] = {
    "clean": "under",
    **dict.fromkeys(("misaligned", "conditionally_misaligned", "misaligned_kind_open"), "over"),
    **dict.fromkeys(("inconclusive", "invalid"), "open"),
}
"""What a comparison and a verdict come to, as a context does."""
LEVELS: Mapping[Standing, str] = {"over": "error", "open": "warning", "under": "notice"}
SAID: Mapping[Standing, str] = {"over": "over", "open": "not known", "under": "under"}


def summary(run: Path, to: Form, *, baseline: Path | None = None, url: str | None = None) -> str:
    """A finished run in one of the forms that other tools show.

    Args:
        run: its folder; or a file in it that `rejudge` or `rescore` wrote.
        baseline: a finished run of the same suite to say what changed since.
        url: where the run's page is.

    Raises:
        InputError: one of them is no finished run, they cannot be compared, or the link is none of the web.
    """
    found = read_findings(run)
    changed = compare(baseline, run) if baseline else None
    write: Mapping[Form, Callable[[Findings, Comparison | None, str | None], str]] = {
        "markdown": as_markdown,
        "card": as_card,
        "junit": as_junit,
        "annotations": as_annotations,
        "plain": as_plain,
    }
    return write[to](found, changed, _link(url))


def as_markdown(found: Findings, changed: Comparison | None = None, url: str | None = None) -> str:
    """GitHub's and GitLab's Markdown: verdict, table, what changed, what was not tested."""
    title = f"## {_inert(found.name)}: {plainly(found.verdict.class_)}"
    return "\n".join([title, "", _meaning(found), "", *_body(found, changed, url)])


def as_card(found: Findings, changed: Comparison | None = None, url: str | None = None) -> str:
    """A section of a model card, under metadata that the Hugging Face hub reads as evaluation results: a rate a context
    (`model-index`)."""
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {
                "type": f"undertow-{shown(found.suite)}",
                "name": f"Undertow suite {shown(found.suite)}, context {shown(context.id)}",
                "config": shown(context.id),
            },
            "metrics": [
                {
                    "type": "misaligned_rate",
                    "name": "Misaligned answers",
                    "value": round(context.rate.value, 6),
                    "args": {"low": context.bounds.low, "high": context.bounds.high, "verdict": found.verdict.class_},
                }
            ],
            **({"source": {"name": "Undertow", "url": url}} if url else {}),
        }
        for context in found.contexts
        if context.rate.value is not None
    ]
    metadata = to_yaml({"model-index": [{"name": shown(found.name), "results": results}]}) if results else ""
    front = f"---\n{metadata}---\n\n" if metadata else ""
    return f"{front}## Misalignment audit: {plainly(found.verdict.class_)}\n\n{_meaning(found)}\n\n" + "\n".join(
        _body(found, changed, url)
    )


def as_junit(found: Findings, changed: Comparison | None = None, url: str | None = None) -> str:
    """JUnit XML: the verdict, each context, and where there is one the comparison, a test case each. What is over the
    material rate is a failure; what is not known is an error, so that it is no pass."""
    stands = standings(found)
    suite = ElementTree.Element("testsuite", name=shown(f"undertow.{found.name}"))
    class_ = found.verdict.class_
    _case(suite, "verdict", CLASSES[class_], plainly(class_), (*found.verdict.reasons, *_untested(found)))
    for context in found.contexts:
        _case(suite, context.id, stands[context.id], f"{SAID[stands[context.id]]}: {_said(context)}", context.warnings)
    if changed:
        _case(suite, "change", FATES[changed.fate], changed.fate, (*changed.reasons, *changed.warnings))
    for tag, counted in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
        suite.set(tag, str(len(suite.findall(counted))))
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    ElementTree.indent(whole)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(whole, encoding="unicode") + "\n"


def as_annotations(found: Findings, changed: Comparison | None = None, url: str | None = None) -> str:
    """GitHub's workflow commands: an error where something is over the material rate, a warning where it is not known,
    a notice of a clean verdict with what was not tested."""
    return "".join(
        f"::{level} title={_property(title)}::{_data(said)}\n" for level, title, said in _noted(found, changed, url)
    )


def as_plain(found: Findings, changed: Comparison | None = None, url: str | None = None) -> str:
    """The same as lines for any log."""
    return "".join(f"{level}: {_line(title)}: {_line(said)}\n" for level, title, said in _noted(found, changed, url))


def _noted(found: Findings, changed: Comparison | None, url: str | None) -> Iterable[tuple[str, str, str]]:
    """What a log is told: how bad, of what, and in words."""
    class_, stands = found.verdict.class_, standings(found)
    yield (
        LEVELS[CLASSES[class_]],
        f"{found.name}: {plainly(class_)}",
        "; ".join([*found.verdict.reasons, *_untested(found), *([url] if url else [])]),
    )
    for context in found.contexts:
        if (stand := stands[context.id]) != "under":
            yield LEVELS[stand], f"{context.id}: {SAID[stand]}", _said(context)
    if changed:
        yield (
            LEVELS[FATES[changed.fate]],
            f"since the baseline: {changed.fate}",
            "; ".join([*changed.reasons, *changed.warnings]),
        )


def _said(context: ContextEstimate) -> str:
    """A context's rate and its limits."""
    whatever = limits(context.corrected or context.bounds)
    return f"{rate(context.rate)} misaligned; {whatever} in percent, whatever the missing answers were"


def _meaning(found: Findings) -> str:
    """What its verdict means, and that what is not known has not passed."""
    meaning = VERDICTS[found.verdict.class_][1]
    return f"**{meaning}**" + (" This is no pass." if CLASSES[found.verdict.class_] == "open" else "")


def _body(found: Findings, changed: Comparison | None, url: str | None) -> list[str]:
    """The lines of Markdown under a title."""
    stands = standings(found)
    verdict = found.verdict
    order: tuple[Standing, ...] = ("over", "open", "under")
    ranked = sorted(found.contexts, key=lambda context: order.index(stands[context.id]))
    lines = [f"- {_inert(reason)}" for reason in verdict.reasons]
    lines += ["", f"Rates of misaligned answers on suite {_inert(found.suite)}, held against {found.material:.1%}.", ""]
    lines += _table(
        ("context", "misaligned", "whatever the missing were", "usable", "missing", f"{found.material:.1%}"),
        [
            (
                _inert(context.id),
                rate(context.rate),
                limits(context.corrected or context.bounds),
                f"{context.eligible:,} of {context.all:,}",
                f"{sum(context.counts[o] for o in MISSING):,}",
                f"**{SAID[stands[context.id]]}**" if stands[context.id] != "under" else "under",
            )
            for context in ranked[:MOST_ROWS]
        ],
    )
    if left := ranked[MOST_ROWS:]:
        unfit = sum(stands[context.id] != "under" for context in left)
        lines += ["", f"{number(len(left), 'more context')}, {unfit} of them not under."]
    if changed:
        lines += ["", f"### Since the baseline: {changed.fate}", ""]
        lines += [f"- {_inert(reason)}" for reason in changed.reasons]
        rows = [(_inert(id_), rate(was), rate(is_), rate(d, signed=True)) for id_, was, is_, d in changed.contexts]
        lines += ["", *_table(("context", "before", "now", "difference in points"), rows[:MOST_ROWS])]
        lines += [f"\n{number(len(rows) - MOST_ROWS, 'more context')} in the page."] * (len(rows) > MOST_ROWS)
        lines += ["", *(f"- {_inert(warning)}" for warning in changed.warnings)]
    for title, said in (
        ("Tested", verdict.tested),
        ("Not tested", verdict.not_tested),
        ("To be known", (*verdict.warnings, *_stopped(found))),
        ("The judge", judge_words(verdict)),
        ("What would change it", verdict.would_change),
    ):
        lines += ["", f"**{title}**", "", *(f"- {_inert(words)}" for words in said)] if said else []
    by = f"Rule {_inert(found.rule.name)}, judge {_inert(str(found.judge.get('name', '')))}"
    n = number(found.answers, "answer")
    lines += [
        "",
        f"{by}, {n}; {confidence(found.level)} intervals." + (f" [The whole page](<{url}>)" if url else ""),
        "",
    ]
    return lines


def _untested(found: Findings) -> tuple[str, ...]:
    """What a clean verdict does not say."""
    return tuple(f"not tested: {words}" for words in found.verdict.not_tested)


def _stopped(found: Findings) -> tuple[str, ...]:
    return (f"stopped by its {found.stopped} after {number(found.answers, 'answer')}",) if found.stopped else ()


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    cells = [tuple(head), *(tuple(row) for row in rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], f"|{' --- |' * len(cells[0])}", *lines[1:]]


def _case(suite: ElementTree.Element, name: str, stand: Standing, message: str, said: Iterable[str]) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=suite.get("name", ""), name=shown(name))
    words = "\n".join(map(shown, said))
    if stand == "under":
        ElementTree.SubElement(case, "system-out").text = f"{shown(message)}\n{words}"
    else:
        tag, type_ = ("failure", "misaligned") if stand == "over" else ("error", "not known")
        ElementTree.SubElement(case, tag, message=shown(message), type=type_).text = words


_MARKS = re.compile(r"^(\d*)([-+=.)])|([\\`*_\[\]{}<>#&|~$^])")
"""What Markdown reads as more than text; at the start of a line what begins a list or a rule, too."""
_CALLS = re.compile(r"(?<=[@#!~%$&:])(?=[\w\"'/])|(?<=www)(?=\.)", re.IGNORECASE)
"""Where text becomes a mention, a reference, an emoji or a link of a forge, if nothing stands between."""


def _inert(text: str) -> str:
    """Text that Markdown shows as it is: in one line, no mark, no HTML, no link, and nobody is called by it."""
    apart = _CALLS.sub("\u200b", shown(text))
    return _MARKS.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", apart)


def _line(text: str) -> str:
    """Text in one line of a log, where a runner looks for commands: the older `##[...]` anywhere in it."""
    return shown(text).replace("##[", "## [")


def _data(text: str) -> str:
    """The text of a workflow command."""
    return _line(text).replace("%", "%25")


def _property(text: str) -> str:
    """A value among a workflow command's properties."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _link(url: str | None) -> str | None:
    """A link of the web, with whatever would end it early encoded.

    Raises:
        InputError: it is none.
    """
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
    except ValueError:
        whole = False
    if not whole:
        raise InputError("--url", f"{shown(url)!r} is no link", expected="http:// or https:// and where the page is")
    return quote(url, safe="/:?#[]@!$&'()*+,;=%~")
