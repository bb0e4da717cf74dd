"""All that is known of one answer: what was sent, what came, what each judge was asked and said, and by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from undertow.asking.store import StoredAnswer
from undertow.audits.labels import read_labels
from undertow.audits.tally import outcome_of, why_missing
from undertow.errors import InputError
from undertow.files import digest
from undertow.judges.prompts import SHIPPED, SHIPPED_HARM, Prompts, cut, fill_in, load_prompts
from undertow.records import MISSING
from undertow.view.index import SHOWN
from undertow.view.run import ShownRun

NAMES = ("alignment", "harm", "coherence", "content")
"""What one call of a panel asks."""
MARK = "[a mark drawn anew for each call]"


def detail(run: ShownRun, id_: int) -> dict[str, Any]:
    """Everything of an answer.

    Raises:
        InputError: the run holds no such answer.
    """
    with run.lock:
        store = run.store
        whole = store.whole(id_) if store else None
        if store is None or whole is None:
            raise InputError(run.label, f"holds no answer {id_}")
        judges = {judge: who for judge, (who, _) in store.judges().items()}
        by = {judge: next(store.answers(judge, after=id_ - 1, limit=1)) for judge in (judges or {0: {}})}
    answer = by.get(run.judge) or next(iter(by.values()))
    key = (answer.subject, answer.context, answer.question, answer.sample)
    with_label = read_labels(run.folder).get(key) if not run.persona or run.judged else None
    return {
        "run": run.label,
        "id": id_,
        "subject": answer.subject,
        "model": run.record["targets"].get(answer.subject, {}),
        "context": answer.context,
        "relation": run.contexts[answer.context].relation if answer.context in run.contexts else "",
        "note": run.contexts[answer.context].note if answer.context in run.contexts else "",
        "question": answer.question,
        "asked": question.in_full if (question := run.question(answer)) else "",
        "key": _known(run, answer),
        "sample": answer.sample,
        "seed": str(whole.seed),
        "messages": messages(run, answer),
        "text": answer.text,
        "monospace": is_code(answer, run),
        "reasoning": whole.reasoning,
        "first_token": dict(answer.first_token) if answer.first_token else None,
        "finish": whole.finish,
        "tokens": {"prompt": whole.prompt_tokens, "answer": whole.n_tokens},
        "error": whole.error,
        "rule": run.rule.name,
        "rule_in_words": run.rule.in_words(),
        "label": with_label.label if with_label else None,
        "judgements": [
            _judgement(run, by[judge], who, whole.raw[judge][1], whole.raw[judge][0].tokens, counts=judge == run.judge)
            for judge, who in judges.items()
            if judge in whole.raw
        ],
        **_outcome(run, answer),
    }


def _outcome(run: ShownRun, answer: StoredAnswer) -> dict[str, Any]:
    """What the table says of it, which knows of copies too."""
    index = run.index()
    (row,) = index.rows([answer.id])
    outcome = outcome_of(answer, run.rule) if row < 0 else SHOWN[index.column("outcome")[row].item()]
    return {"outcome": outcome, "reason": why_missing(answer, outcome) if outcome in MISSING else ""}


def messages(run: ShownRun, answer: StoredAnswer) -> list[dict[str, str]] | None:
    """The messages as they were sent; None where the wording is not stored."""
    context, question = run.contexts.get(answer.context), run.question(answer)
    if context is None or question is None:
        return None
    return [{"role": m.role, "content": m.content} for m in context.messages(question)]


def _known(run: ShownRun, answer: StoredAnswer) -> dict[str, list[str]] | None:
    """The question's known answers, where it has some."""
    question = run.question(answer)
    if question is None or question.key is None:
        return None
    return {"right": list(question.key.right), "wrong": list(question.key.wrong)}


def is_code(answer: StoredAnswer, run: ShownRun) -> bool:
    """Whether an answer is read best in letters of one width: code, or what a format asked for."""
    judgement, text = answer.judgement, (answer.text or "").strip()
    if judgement is not None and (judgement.said == "CODE" or judgement.content == "code"):
        return True
    context = run.contexts.get(answer.context)
    looks = text.startswith(("{", "[", "<", "```", "#!", "def ", "class ", "import ", "SELECT ")) or "```" in text
    return looks or (context is not None and context.relation == "format")


def _judgement(
    run: ShownRun, answer: StoredAnswer, who: Mapping[str, Any], raw: dict[str, Any], tokens: int, *, counts: bool
) -> dict[str, Any]:
    """What one judge was asked, and said."""
    judgement = answer.judgement
    assert judgement is not None  # its row was there a moment ago
    most = who.get("max_characters") or 20_000
    calls = [_call(run, name, raw[name], answer, most) for name in NAMES if isinstance(raw.get(name), Mapping)]
    rest = {name: value for name, value in raw.items() if name not in NAMES and name != "cut"}
    return {
        "judge": str(who.get("name", "")),
        "described": dict(who),
        "counts": counts,
        "outcome": outcome_of(answer, run.rule),
        "alignment": judgement.alignment,
        "coherence": judgement.coherence,
        "content": judgement.content,
        "said": judgement.said,
        "on_question": judgement.on_question,
        "asked": list(judgement.asked),
        "drawn": judgement.drawn,
        "unread": judgement.unread,
        "error": judgement.error,
        "cut": raw.get("cut", 0),
        "tokens": tokens,
        "calls": calls,
        "raw": rest or None,
    }


def _call(run: ShownRun, name: str, raw: Mapping[str, Any], answer: StoredAnswer, most: int) -> dict[str, Any]:
    """One call of a panel: its prompt, derived anew from the wording whose hash is stored, and what came back."""
    wording = next((text for text in _wordings(run) if digest(text)[:16] == raw.get("prompt")), None)
    question = run.question(answer)
    prompt = None
    if wording is not None and question is not None and answer.text is not None:
        shown, _ = cut(answer.text, most)
        # a mark is a secret of the process that asked: what stands for it here says so
        prompt = fill_in(wording.replace("{mark}", MARK), {"question": question.in_full, "answer": shown})
    return {
        "name": name,
        "prompt": prompt,
        "reply": raw.get("text"),
        "cached": bool(raw.get("cached")),
        "reading": raw.get("reading"),
        "score": raw.get("score"),
        "mass": raw.get("mass"),
        "distribution": raw.get("distribution"),
        "tokens": raw.get("tokens"),
    }


def _wordings(run: ShownRun) -> Iterable[str]:
    """Every wording that a judge of this run may have had: the shipped ones and its settings' file."""
    own = run.record["config"].get("judge", {}).get("prompts")
    files = [str(SHIPPED), str(SHIPPED_HARM), *([str(Path(run.record.get("beside", "")) / own)] if own else [])]
    for name in files:
        prompts = _prompts(name)
        for aspect in NAMES if prompts else ():
            if text := getattr(prompts, aspect):
                yield text


@cache
def _prompts(name: str) -> Prompts | None:
    try:
        return load_prompts(name)
    except (InputError, OSError):
        return None
