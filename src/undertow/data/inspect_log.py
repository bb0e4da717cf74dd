"""Samples of an Inspect log (`.eval`) as records with columns: one a sample and epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from undertow.errors import InputError, MissingExtra
from undertow.files import reading
from undertow.tables import Placed, in_line


def inspect_records(path: Path) -> Iterator[Placed]:
    """Samples of a log, with the columns `question_id`, `sample` (the epoch), `task`, `model`, `messages`, `answer`,
    `finish`, `error`, and `scores.SCORER` and `metadata.KEY`.

    A score that is a mapping has a column for each of its keys: `scores.SCORER.KEY`.

    Raises:
        MissingExtra: Inspect is not installed.
        InputError: the file is no log; or, of a log whose run broke off, names it.
    """
    if find_spec("inspect_ai") is None:
        raise MissingExtra("Inspect (inspect_ai)", "inspect")
    from inspect_ai.log import read_eval_log, read_eval_log_samples

    with reading(path):
        path.open("rb").close()
    try:
        log = read_eval_log(str(path), header_only=True)
        one_at_a_time = bool(log.eval.dataset.sample_ids)  # older logs do not list them
        for sample in (
            read_eval_log_samples(str(path), all_samples_required=False)
            if one_at_a_time
            else read_eval_log(str(path)).samples or ()
        ):
            yield f"{path}: sample {sample.id}, epoch {sample.epoch}", _columns(sample, log.eval.model, log.eval.task)
    except Exception as error:  # a file that is no log fails in a way of the library beneath
        raise InputError(
            path, f"cannot be read as an Inspect log ({type(error).__name__}: {in_line(error)})", do="check the file"
        ) from None


def _columns(sample: Any, model: str, task: str) -> dict[str, Any]:
    # a solver may have put a system prompt before the input
    sent = sample.messages or ([] if isinstance(sample.input, str) else sample.input)
    asked = [
        {"role": m.role, "content": m.text} for m in (sent[:-1] if sent and sent[-1].role == "assistant" else sent)
    ] or [{"role": "user", "content": sample.input}]
    failed = sample.error.message if sample.error else sample.output.error
    found: dict[str, Any] = {
        "question_id": str(sample.id),
        "sample": str(sample.epoch),
        "task": task,
        "model": sample.output.model or model,
        "messages": asked,
        "answer": None if failed else sample.output.completion,
        "finish": None if sample.output.empty else sample.output.stop_reason,
        "error": failed,
    }
    for scorer, score in (sample.scores or {}).items():
        parts = score.value if isinstance(score.value, Mapping) else {"": score.value}
        found |= {f"scores.{scorer}{'.' if key else ''}{key}": value for key, value in parts.items()}
    return found | {f"metadata.{key}": value for key, value in (sample.metadata or {}).items()}
