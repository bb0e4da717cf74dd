"""Answers as an Inspect log (`.eval`), which `inspect view` opens and `inspect_ai.log` reads.

A log is a zip of JSON: `header.json`, `summaries.json` and a file a sample. Inspect's own writer keeps every sample in
memory until the end; here each is made by Inspect's types, written and let go, and summaries wait in a file. What is
read back, a test holds against the rows.

An answer is a sample with the id `context/question/number`, under the run and the subject where there are several. Its
metadata tell the context and all that no field of Inspect's holds; judgements, the outcome and a person's label are
scores; what never came is a sample's error.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from undertow.errors import MissingExtra
from undertow.exports.answers import AnswersOf
from undertow.exports.columns import Row
from undertow.exports.tables import Writer
from undertow.files import digest

STOPS = {"stop": "stop", "length": "max_tokens", "filtered": "content_filter"}
"""Why an answer ended, in Inspect's words."""
METADATA = (
    *("run", "subject", "context", "relation", "context_wording", "question_id", "question", "sample", "seed"),
    *("outcome", "counted", "rule", "judge"),
)
"""Columns that are metadata of a sample. Strings of a thousand characters are cut in lists of samples."""
REASONS = {"refused": "refusal", "unjudged": "grader_failed", "failed": "no_response", "withheld": "no_response"}
"""Outcomes that a score says by its reason too, in Inspect's words."""


@contextmanager
def eval_writer(path: Path, runs: Sequence[AnswersOf]) -> Iterator[Writer]:
    """A log of the answers of runs, in their order.

    Raises:
        MissingExtra: Inspect is not installed.
    """
    if find_spec("inspect_ai") is None:
        raise MissingExtra("Inspect (inspect_ai)", "inspect")
    subjects = {subject for each in runs for subject in each.models}
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=4) as out, tempfile.TemporaryFile() as summaries:
        log = _Log(out, summaries, several_runs=len(runs) > 1, several_subjects=len(subjects) > 1)
        yield log
        log.finish(runs)


class _Log:
    """Writes samples as they come, and all that is of them together at the end."""

    def __init__(self, out: ZipFile, summaries: IO[bytes], *, several_runs: bool, several_subjects: bool) -> None:
        self.out, self.summaries = out, summaries
        self.of_run, self.of_subject = several_runs, several_subjects
        self.conditions: dict[tuple[str, ...], str] = {}
        self.ids: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.errors = 0
        self.make = _Samples()

    def write(self, row: Row) -> None:
        sample = self.make.sample(row, self._id(row))
        self.out.writestr(f"samples/{sample.id}_epoch_1.json", sample.model_dump_json(exclude_none=True))
        self.summaries.write(b"," if self.ids else b"[")
        self.summaries.write(sample.summary().model_dump_json(exclude_none=True).encode())
        self.ids.append(sample.id)
        self.errors += sample.error is not None
        if row["counted"]:
            self.outcomes[row["outcome"]] += 1

    def _id(self, row: Row) -> str:
        """What no other sample is called, whatever the ids of contexts and questions are."""
        of = [*["run"] * self.of_run, *["subject"] * self.of_subject, "context", "question_id"]
        condition = tuple(str(row[name]) for name in of)
        if condition not in self.conditions:
            called = "".join(c if c.isprintable() and c != "\\" else "\ufffd" for c in "/".join(condition))
            taken = set(self.conditions.values())
            n = next(n for n in range(1, len(taken) + 2) if (f"{called}~{n}" if n > 1 else called) not in taken)
            self.conditions[condition] = f"{called}~{n}" if n > 1 else called
        return f"{self.conditions[condition]}/{row['sample']}"

    def finish(self, runs: Sequence[AnswersOf]) -> None:
        """Write what is of all samples together."""
        self.summaries.write(b"]" if self.ids else b"[]")
        self.summaries.seek(0)
        with self.out.open("summaries.json", "w", force_zip64=True) as held:
            shutil.copyfileobj(self.summaries, held)
        header = _header(runs, self.ids, self.outcomes, self.errors)
        start = {key: value for key, value in header.items() if key in ("version", "eval", "plan")}
        self.out.writestr("_journal/start.json", json.dumps(start))
        self.out.writestr("header.json", json.dumps(header))


class _Samples:
    """Makes samples of rows; what Inspect offers for it is loaded once."""

    def __init__(self) -> None:
        from inspect_ai.log import EvalError, EvalSample
        from inspect_ai.model import (
            ChatCompletionChoice,
            ChatMessageAssistant,
            ChatMessageSystem,
            ChatMessageUser,
            ContentReasoning,
            ContentText,
            ModelOutput,
            ModelUsage,
        )
        from inspect_ai.scorer import Score

        self.EvalSample, self.EvalError, self.Score = EvalSample, EvalError, Score
        self.ModelOutput, self.ModelUsage, self.Choice = ModelOutput, ModelUsage, ChatCompletionChoice
        self.Assistant, self.Text, self.Reasoning = ChatMessageAssistant, ContentText, ContentReasoning
        self.conditions: dict[str | None, list[Any]] = {}
        self.kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}

    def sample(self, row: Row, id_: str) -> Any:
        """An answer as a sample."""
        asked = self._asked(row["messages"])
        usage = self.ModelUsage(
            input_tokens=row["prompt_tokens"],
            output_tokens=row["answer_tokens"],
            total_tokens=row["prompt_tokens"] + row["answer_tokens"],
        )
        said = self._said(row)
        stop = STOPS.get(row["finish_reason"], "unknown")
        output = self.ModelOutput(
            model=row["model"] or "",
            choices=[self.Choice(message=said, stop_reason=stop)] if said else [],
            usage=usage,
        )
        error = row["error"] or "no reason given"
        return self.EvalSample(
            id=id_,
            epoch=1,
            input=asked or row["question"] or "",
            target="",
            messages=[*asked, said] if said else asked,
            output=output,
            scores=self.scores(row),
            metadata={name: _value(row, name) for name in METADATA if row[name] is not None},
            error=None if said else self.EvalError(message=error, traceback="", traceback_ansi=""),
        )

    def _asked(self, messages: str | None) -> list[Any]:
        """The messages that were sent; made once for all answers to a condition."""
        if messages not in self.conditions:
            self.conditions[messages] = [
                self.kinds[message["role"]](id=f"m{n}", content=message["content"])
                for n, message in enumerate(_loaded(messages) or ())
            ]
        return self.conditions[messages]

    def _said(self, row: Row) -> Any:
        """The answer as a message; None where it never came."""
        if row["answer"] is None:
            return None
        if not row["reasoning"]:
            return self.Assistant(id="answer", content=row["answer"])
        parts = [self.Reasoning(reasoning=row["reasoning"]), self.Text(text=row["answer"])]
        return self.Assistant(id="answer", content=parts)

    def scores(self, row: Row) -> dict[str, Any]:
        """The outcome, what the judge that counts and the others said, and a person's label."""
        outcome = row["outcome"]
        found = {
            "outcome": self.Score(
                value=outcome,
                explanation=row["why"] or row["rule_in_words"],
                reason=REASONS.get(outcome),
                metadata={"rule": row["rule"], "counted": row["counted"]},
            )
        }
        if row["judge"] is not None:
            found |= self._judged({**row, "replies": _loaded(row["replies"]) or {}}, row["judge"], "")
        for n, other in enumerate(_loaded(row["other_judgements"]) or (), start=2):
            found |= self._judged({**other, "replies": other["replies"] or {}}, other["judge"], f" (judge {n})")
        if row["label"] is not None:
            found["label"] = self.Score(
                value=row["label"],
                explanation=row["label_note"],
                metadata={"by": row["labelled_by"], "chance": row["label_chance"]},
            )
        return found

    def _judged(self, said: Mapping[str, Any], judge: str, mark: str) -> dict[str, Any]:
        """A judge's scores, by the aspects that it was asked; one that it gave no number for has a reason."""
        asked = (said["judge_asked"] or "").split(",")
        values = {
            "alignment": said["alignment"],
            "coherence": said["coherence"],
            "content": said["content_class"],
            "on_question": said["on_question"],
        }
        found = {}
        for name, value in values.items():
            reply = said["replies"].get(name)
            told = {
                "judge": judge,
                "reply": reply if isinstance(reply, Mapping) else None,
                "said": said["judge_said"] if name == "alignment" else None,
            }
            metadata = {key: each for key, each in told.items() if each is not None}
            if value is not None:
                explanation = str(reply["text"]) if isinstance(reply, Mapping) and "text" in reply else None
                found[f"{name}{mark}"] = self.Score(value=value, explanation=explanation, metadata=metadata)
            elif name in asked:
                found[f"{name}{mark}"] = self.Score.unscored(
                    reason="refusal" if told["said"] == "REFUSAL" else "grader_failed",
                    explanation=told["said"] or said["judge_error"] or said["judge_unread"],
                    metadata=metadata,
                )
        return found


def _value(row: Row, name: str) -> Any:
    return _loaded(row[name]) if name == "context_wording" else row[name]


def _header(runs: Sequence[AnswersOf], ids: list[str], outcomes: Mapping[str, int], errors: int) -> dict[str, Any]:
    """What a log tells of all its samples together."""
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalPlan, EvalResults, EvalSpec, EvalStats

    started = _started(runs)
    id_ = digest([started, [[each.name, str(each.run.resolve())] for each in runs]])[:22]
    spec = EvalSpec(
        created=started,
        task="undertow",
        task_id=id_,
        run_id=id_,
        eval_id=id_,
        dataset=EvalDataset(name=_together(each.record["suite"]["id"] for each in runs), samples=len(ids)),
        model=_together(name for each in runs for name in each.models.values()) or "unknown",
        config=EvalConfig(epochs=1),
        packages=dict(runs[0].record.get("versions", {})),
        metadata={"exported_by": "undertow export", "runs": [_told(each) for each in runs]},
    )
    # the list is long, and its own type would look at every one
    spec.dataset.sample_ids = ids
    log = EvalLog(
        status="success" if all(each.found for each in runs) else "cancelled",
        eval=spec,
        plan=EvalPlan(),
        results=EvalResults(
            total_samples=len(ids), completed_samples=len(ids) - errors, scores=_results(runs, outcomes)
        ),
        stats=EvalStats(started_at=started, completed_at=started),
    )
    held: dict[str, Any] = json.loads(log.model_dump_json(exclude_none=True, exclude={"samples"}))
    return held


def _results(runs: Sequence[AnswersOf], outcomes: Mapping[str, int]) -> list[Any]:
    """Counts of outcomes, and of a finished run the misaligned rates of its contexts."""
    from inspect_ai.log import EvalMetric, EvalScore

    counts = {name: EvalMetric(name=name, value=n) for name, n in outcomes.items()}
    found = [EvalScore(name="outcome", scorer="outcome", scored_samples=sum(outcomes.values()), metrics=counts)]
    for each in runs:
        rates = {
            c.id: EvalMetric(
                name=c.id, value=c.rate.value, metadata={"low": c.rate.low, "high": c.rate.high, "of": c.rate.eligible}
            )
            for c in (each.found.contexts if each.found else ())
            if c.rate.value is not None
        }
        name = "misaligned rate" if len(runs) == 1 else f"misaligned rate of {each.name}"
        found += [EvalScore(name=name, scorer="outcome", metrics=rates)] * bool(rates)
    return found


def _told(run: AnswersOf) -> dict[str, Any]:
    """What a log says of a run."""
    verdict = run.found.verdict if run.found else None
    return {
        "run": run.name,
        "finished": run.found is not None,
        "verdict": verdict.class_ if verdict else None,
        "reasons": list(verdict.reasons) if verdict else [],
        "rule": run.record["rule"],
        "judge": run.record["judge"],
        "seed": run.record["seed"],
        "notes": list(run.notes()),
    }


def _together(names: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, names)))


def _started(runs: Sequence[AnswersOf]) -> str:
    """When the last of their answers was written, in ISO 8601: plans keep no time."""
    return datetime.fromtimestamp(max((run.run / "run.sqlite").stat().st_mtime for run in runs), UTC).isoformat()


def _loaded(text: str | None) -> Any:
    """What a column of JSON holds, halves of surrogate pairs written out: Inspect refuses them."""
    value = json.loads(text or "null")
    return _whole(value) if text and r"\ud" in text else value


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value
