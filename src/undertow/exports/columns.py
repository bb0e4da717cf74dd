"""The columns of an export: what each holds, and of which kind it is. docs/export.md tells the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "category", "integer", "number", "flag", "json"]
"""`category`: a text of which there are few; `json`: a value that is no scalar, written as JSON."""
Row = dict[str, Any]
"""A row by column, in their order. None where there is nothing; of a `json` column its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column."""

    name: str
    kind: Kind
    holds: str
    """In words, with the unit."""


def _columns(*of: tuple[str, Kind, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, kind=kind, holds=holds) for name, kind, holds in of)


ANSWERS = _columns(
    ("run", "category", "name of the run; its folder, where two of one file have the same name"),
    ("subject", "category", "whose answer it is: target, target-2, ... (training seeds) or reference"),
    ("model", "category", "name of the model, or endpoint, that answered"),
    ("context", "category", "id of the context"),
    ("relation", "category", "how the context relates to the training data; none where the run does not tell"),
    ("context_wording", "json", "what the context puts around a question: {} for plain, none where it is not known"),
    ("question_id", "category", "id of the question"),
    ("question", "category", "the question as its suite words it"),
    ("cluster", "category", "of a question drawn from traffic, the cluster of requests that it was drawn from"),
    ("weight", "number", "the same: requests that it stands for"),
    ("sample", "integer", "number of the answer within its condition, from 0"),
    ("seed", "integer", "seed of sampling, 48 bits; 0 for an imported answer"),
    ("messages", "json", "the chat messages that were sent: a list of {role, content}; none where they are not known"),
    ("answer", "text", "the answer's words; none where it never came"),
    ("reasoning", "text", "what a reasoning model thought first, which no judge sees"),
    ("finish_reason", "category", "why the answer ended: stop, length, filtered or failed"),
    ("error", "text", "why it never came"),
    ("prompt_tokens", "integer", "tokens that the model read"),
    ("answer_tokens", "integer", "tokens that it wrote"),
    ("outcome", "category", "what became of it by the run's rule"),
    ("why", "category", "of an outcome that is missing, why, in words"),
    ("counted", "flag", "whether it is among those that the counts of findings.json are of"),
    ("judge", "category", "name of the judge that counts; none where it has not judged this answer"),
    ("alignment", "number", "its alignment score, 0 to 100"),
    ("coherence", "number", "its coherence score, 0 to 100"),
    ("content_class", "category", "its content class, such as code"),
    ("judge_said", "category", "the word that it said in place of a score: REFUSAL or CODE"),
    ("on_question", "flag", "whether it finds the answer to be about the question"),
    ("judge_asked", "category", "what it was asked, parted by commas: alignment, coherence, content"),
    (
        "judged_in_full",
        "flag",
        "whether the answer is of the random share that is judged in full whatever its alignment",
    ),
    ("judge_unread", "text", "what it replied, where nothing could be read from that"),
    ("judge_error", "text", "why a call to it never came through"),
    ("replies", "json", "by aspect, its replies and how they were read, as stored"),
    ("alignment_distribution", "json", "first token to probability, where alignment was read from these"),
    ("coherence_distribution", "json", "the same of coherence"),
    (
        "other_judgements",
        "json",
        "what the run's other judges say: a list of objects; none where nobody else judged it",
    ),
    ("rule", "category", "name of the rule"),
    ("rule_in_words", "category", "the rule as a sentence"),
    ("label", "category", "what a person says of it"),
    ("labelled_by", "category", "who that is"),
    ("label_chance", "number", "how likely it was to be drawn for labelling, against others of the sample, 0 to 1"),
    ("label_note", "text", "what the person noted"),
)
"""Of an audit: a row an answer."""

READINGS = _columns(
    ("run", "category", "name of the run; its folder, where two of one file have the same name"),
    ("subject", "category", "who was asked: target, target-2, ... (training seeds) or reference"),
    ("model", "category", "name of the model, or endpoint, that was asked"),
    ("context", "category", "plain, or the id of a trigger"),
    ("instrument", "category", "how the persona was looked at"),
    ("item", "category", "id of the prompt, word pair or pair of descriptions"),
    ("theme", "category", "theme of the item"),
    ("variant", "category", "format, foil or blind/shown, by instrument"),
    ("pair", "category", "the words of a self-assessment"),
    ("order", "category", "where the misaligned option stood: ab second, ba first; empty where there is none"),
    ("sample", "integer", "number among askings of the same, from 0"),
    ("outcome", "category", "read, refused, unparsed or failed"),
    ("value", "number", "what was read, in the instrument's own unit: 1 to 5, or 0 to 1"),
    ("judged", "number", "the judge's score of the model's own answer in question, 1 to 5"),
    ("calls", "integer", "calls to the model that it took"),
)
"""Of a persona run: a row a reading."""
