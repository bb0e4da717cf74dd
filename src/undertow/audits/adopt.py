"""Answers and judgements made elsewhere, as a run of ours: what is asked and judged no more, and decided, judged again,
compared and reported like any.

A file says nothing of how its answers were drawn: not in which order, nor which were left out. So they are stored in an
order that hangs on nothing but what they are, and findings say that they were imported.
"""

from __future__ import annotations

import math
import random
import re
import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from undertow.asking.store import Store
from undertow.audits.columns import SCORES, Columns, Given, Said, Scale, one_scale, read_given, recognised
from undertow.audits.findings import Findings, find, write_findings
from undertow.audits.rules import VerdictRule, find_rule, require_given
from undertow.audits.tally import REPEATS_FROM, Design
from undertow.contexts import shipped_contexts
from undertow.data.inspect_log import inspect_records
from undertow.errors import InputError, RunExists, unknown_name
from undertow.files import digest, file_digest, to_json, write_text
from undertow.mistakes import FORMS, RUN_NAME, run_name
from undertow.place import Place
from undertow.provenance import start
from undertow.records import (
    ASPECTS,
    DEFAULT_RULE,
    RELATIONS,
    Answer,
    Aspect,
    ColumnRole,
    Condition,
    Context,
    Judgement,
    Meaning,
    Question,
    Relation,
    Request,
    Sampling,
    Subject,
    Suite,
)
from undertow.suites import load_suite
from undertow.tables import Placed, records
from undertow.targets.chat import FILTERED

WORDS: Mapping[str, Meaning] = {"REFUSAL": "refused", "CODE": "off-format"}
"""Words that published judges say; any other leaves its answer unjudged, until users say what it means."""
UNKNOWN = "how its answers were drawn, and whether some were left out, is not known"
LETTERS = 4
"""Letters of a token, where a file does not say how many there are."""
LONGEST_WORD = 40
"""Characters of what a judge said in place of a score that are quoted."""
SHOWN = 6
"""Names that an error lists."""
FEW = 20
"""Scores from which it is odd that all are low."""
SAME = 1e-6
"""Points, 0 to 100, that a score may be off its distribution by rounding."""
SAMPLING = Sampling(max_tokens=0)
"""Stands for how the answers were drawn, which nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What to make of files of answers."""

    files: tuple[Path, ...]
    judgements: Path | None = None
    """Where they are judged, if in a file of its own."""
    columns: Mapping[ColumnRole, str] = field(default_factory=dict)
    """Names of columns that are not recognised by themselves."""
    suite: str | None = None
    """Where the wording of the questions is, if not beside the answers: a suite as audits name it."""
    targets: tuple[str, ...] = ()
    """Names or patterns of the models that are audited: one, or the training seeds of one recipe."""
    reference: str | None = None
    contexts: Mapping[str, Relation] = field(default_factory=dict)
    """Relations of contexts that the library does not have."""
    judge: str | None = None
    """Whose judgements count, where the file has several judges'."""
    scale: Scale | None = None
    words: Mapping[str, Meaning] = field(default_factory=dict)
    rule: str = DEFAULT_RULE
    material: float = 0.01
    name: str | None = None
    """Of the run; None: that of the first file."""

    @property
    def called(self) -> str:
        """The run's name, which files and folders take.

        Raises:
            InputError: one was given that cannot be a folder's.
        """
        if self.name is not None and not re.fullmatch(RUN_NAME, self.name):
            raise InputError("--name", f"is {self.name!r}", expected=FORMS[RUN_NAME])
        return self.name or run_name(self.files[0].stem) or "imported"

    @property
    def all_files(self) -> tuple[Path, ...]:
        """Every file that is read for answers or judgements."""
        return (*self.files, self.judgements) if self.judgements else self.files


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """A run that was made, and what was seen of its files."""

    findings: Findings
    columns: Columns
    passed_over: tuple[str, ...]
    """Columns that nothing was read from."""
    others: Mapping[str, int]
    """Answers of models that were not chosen, by model."""
    computed: int
    """Scores that a distribution gives as well."""
    differs: float
    """Points by which the two differ at most."""


def adopt(how: Adoption, out: Path) -> Adopted:
    """Make a run of answers and judgements that somebody else's tools wrote; whole or not at all.

    Raises:
        InputError: a file, a column or a value cannot be read or understood; names the line.
        RunExists: the folder is there.
    """
    name = how.called
    if out.exists():
        raise RunExists(out, "exists", do="choose another -o")
    rule, where, words = find_rule(how.rule, Place(name="--rule")), how.files[0], {**WORDS, **how.words}
    given, columns, names = _read(how.files, how)
    if how.judgements:
        given, columns, names = _joined(given, columns, names, how)
        if odd := next((name for name in how.columns.values() if name not in names), None):
            raise unknown_name("--column", "column", odd, names)
    if "answer" not in columns.names:
        raise _no_column(where, names, "answers", "answer")
    given = _of_one_judge(given, how.judge, where)
    one_scale(given, columns, how.scale, how.judgements or where)
    subjects, others = _subjects(given, how, where)
    given, systems = _prompts_of_contexts([g for g in given if (g.model or "") in subjects])
    questions, suite = _questions(given, how)
    contexts = _contexts(given, systems, how, where)
    judge = _judge(given, columns, names, words, how)
    require_given(rule, judge, where=where)
    cells = _cells(given, subjects)
    with_both = [said.differs for g in given for said in g.said.values() if said.differs is not None]
    targets = {subject: {"kind": "imported", "name": model or where.stem} for model, subject in subjects.items()}
    record: dict[str, Any] = {
        "schema": "undertow.plan/3",
        "fixed": [],
        "config": {"name": name, "contexts": [context.id for context in contexts.values()]},
        "imported": [{"file": path.name, "sha256": file_digest(path)} for path in how.all_files],
        "columns": {**columns.names, **{f"{role} distribution": name for role, name in columns.distributions.items()}},
        "suite": suite.as_json(),
        "contexts": [asdict(context) for context in contexts.values()],
        "samples": {
            "per_condition": max(map(len, cells.values())),
            "temperature": SAMPLING.temperature,
            "max_tokens": SAMPLING.max_tokens,
        },
        "seed": 0,
        "judge": judge,
        "rule": asdict(rule),
        "material": how.material,
        "multiplicity": "holm",
        "targets": targets,
        "answers": len(given),
        "notes": _notes(how, with_both, given, rule),
        "copying": sorted({subject for (subject, *_), cell in cells.items() if _repeats(cell)}),
        **start(),
    }
    ordered = [pair for key, cell in cells.items() for pair in _answers(key, cell, questions, contexts)]
    random.Random(digest(record["imported"])).shuffle(ordered)
    found = _write(out, record, ordered, rule, words)
    passed_over = tuple(name for name in names if name not in columns.read)
    return Adopted(
        findings=found,
        columns=columns,
        passed_over=passed_over,
        others=others,
        computed=len(with_both),
        differs=max(with_both, default=0.0),
    )


def _repeats(cell: Sequence[Given]) -> bool:
    """Whether answers to a question are there several times: lines that were joined twice, or answers of a cache. Short
    ones come twice by chance."""
    long = [g.answer for g in cell if g.answer and len(g.answer) >= REPEATS_FROM]
    return len(set(long)) < len(long)


def _notes(how: Adoption, differs: Sequence[float], given: Sequence[Given], rule: VerdictRule) -> list[str]:
    """What readers of a verdict should know."""
    notes = [f"imported from {', '.join(path.name for path in how.all_files)}: {UNKNOWN}"]
    if n := len(given) - len({(g.model, g.context, g.question_id, g.question, g.answer, g.sample) for g in given}):
        notes.append(
            f"{n:,} of {len(given):,} lines hold an answer of another line to the same question; if lines were "
            "joined twice, drop them"
        )
    scores = [score for g in given if "alignment" in g.said and (score := g.said["alignment"].score) is not None]
    if len(scores) >= FEW and max(scores) < rule.alignment:
        notes.append(
            f"every score is under {rule.alignment:g}: if low ones were picked out, the rate is theirs and not the "
            "model's"
        )
    if n := sum(d > SAME for d in differs):
        by = "some of these give none" if max(differs) == math.inf else f"by up to {max(differs):.3g} points"
        notes.append(
            f"{n:,} of {len(differs):,} scores differ from what their distributions give ({by}); the scores written "
            "count"
        )
    return notes


def _write(
    out: Path,
    record: dict[str, Any],
    ordered: Sequence[tuple[Answer, Given]],
    rule: VerdictRule,
    words: Mapping[str, Meaning],
) -> Findings:
    """The run's folder, which takes its place when it is whole; returns its findings."""
    part = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    part.mkdir(parents=True)
    try:
        with Store(part / "run.sqlite", to="make") as store:
            store.add_answers(answer for answer, _ in ordered)
            judge = store.judge(record["judge"])
            judged = (
                (n, _judgement(answer, g, record["judge"], words)) for n, (answer, g) in enumerate(ordered, start=1)
            )
            store.add_judgements(judge, [(n, judgement) for n, judgement in judged if judgement is not None])
            found = find(Design.of(record), store, rule, judge=judge)
        write_text(part / "plan.json", to_json(record))
        write_findings(found, part / "findings.json")
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _records(path: Path) -> Iterator[Placed]:
    return inspect_records(path) if path.suffix == ".eval" else records(path)


def _read(paths: Sequence[Path], how: Adoption) -> tuple[list[Given], Columns, tuple[str, ...]]:
    """Every record of some files, with the columns that they have. Of two files, a column that users name may be in
    either."""
    placed = [pair for path in paths for pair in _records(path)]
    if not placed:
        raise InputError(paths[0], "has no rows", expected="an answer a line")
    names = tuple(dict.fromkeys(str(name) for _, raw in placed if isinstance(raw, Mapping) for name in raw))
    chosen = {role: name for role, name in how.columns.items() if how.judgements is None or name in names}
    columns = recognised(names, chosen=chosen, where=paths[0])
    return [read_given(raw, columns, where, how.scale or Scale()) for where, raw in placed], columns, names


def _no_column(where: object, names: Sequence[str], what: str, role: ColumnRole) -> InputError:
    return InputError(
        where,
        f"has the columns {', '.join(names[:SHOWN])}",
        expected=f"a column of {what}",
        do=f"name it: --column {role}=NAME",
    )


KEYS: tuple[ColumnRole, ...] = ("model", "context", "question_id", "question", "sample")
"""What tells an answer from the others, as far as a file says it."""


def _joined(
    given: list[Given], columns: Columns, names: tuple[str, ...], how: Adoption
) -> tuple[list[Given], Columns, tuple[str, ...]]:
    """Answers with what another file says of them, joined by the keys that both hold."""
    assert how.judgements is not None
    of_answers = {role: name for role, name in columns.names.items() if role not in (*SCORES, "content", "judge")}
    judged, theirs, their_names = _read([how.judgements], how)
    if not theirs.names.keys() & {*SCORES}:
        raise _no_column(how.judgements, their_names, "alignment", "alignment")
    keys = [role for role in KEYS if role in of_answers and role in theirs.names]
    if not keys:
        raise InputError(
            how.judgements,
            f"shares no key with {how.files[0].name}",
            expected=f"columns of {', '.join(KEYS)} in both",
            do="name them with --column",
        )
    judged = [g for g in _of_one_judge(judged, how.judge, how.judgements) if g.said]

    def key(g: Given) -> tuple[str | None, ...]:
        return tuple(getattr(g, role) for role in keys)

    by_key: dict[tuple[str | None, ...], Given] = {}
    for g in judged:
        if (first := by_key.setdefault(key(g), g)) is not g:
            raise InputError(
                g.where,
                f"judges the answer of {first.where} again ({', '.join(keys)})",
                expected="one judgement an answer",
                do="drop one of them",
            )
    seen: dict[tuple[str | None, ...], Given] = {}
    for g in given:
        if (first := seen.setdefault(key(g), g)) is not g:
            raise InputError(
                g.where,
                f"has the {', '.join(keys)} of {first.where}",
                expected="keys that tell answers apart",
                do="add a column for `sample` to both files",
            )
    if stray := [g for k, g in by_key.items() if k not in seen]:
        found = f"judges no answer of {how.files[0].name} ({len(stray):,} such lines)"
        raise InputError(stray[0].where, found, expected=f"the same {', '.join(keys)} in both", do="drop the lines")
    both = [
        replace(g, said=by_key[key(g)].said, content=by_key[key(g)].content, judge=by_key[key(g)].judge)
        if key(g) in by_key
        else replace(g, said={})
        for g in given
    ]
    merged = Columns(
        names={**of_answers, **{role: name for role, name in theirs.names.items() if role not in of_answers}},
        distributions=theirs.distributions,
    )
    return both, merged, tuple(dict.fromkeys((*names, *their_names)))


def _of_one_judge(given: list[Given], chosen: str | None, where: object) -> list[Given]:
    """Every answer once, with what one judge says of it; one that only others judged is there and not judged."""
    judges = list(dict.fromkeys(g.judge for g in given if g.judge is not None))
    if chosen is not None and chosen not in judges:
        raise unknown_name(where, "judge", chosen, judges)
    if chosen is None and len(judges) > 1:
        raise InputError(
            where,
            f"holds judgements of {len(judges)} judges ({', '.join(judges[:SHOWN])})",
            expected="one",
            do="say whose count: --judge NAME",
        )
    if len(judges) < 2:
        return given
    by_answer: dict[Any, dict[str | None, list[Given]]] = defaultdict(lambda: defaultdict(list))
    for g in given:
        by_answer[g.model, g.context, _asked(g), g.sample, g.answer][g.judge].append(g)
    kept = []
    for by_judge in by_answer.values():
        own, longest = by_judge.get(chosen, []), max(by_judge.values(), key=len)
        kept += own + [replace(g, said={}, content=None, judge=None) for g in longest[len(own) :]]
    return kept


def _subjects(given: Sequence[Given], how: Adoption, where: object) -> tuple[dict[str, Subject], dict[str, int]]:
    """Who each model is, and answers of those that are nobody here."""
    models = Counter(g.model or "" for g in given)
    patterns = how.targets or (tuple(models) if len(models) == 1 else ())
    if not patterns and how.reference is not None and len(models) == 2:
        patterns = tuple(model for model in models if model != how.reference)
    if odd := next((wanted for wanted in how.targets if not any(fnmatchcase(model, wanted) for model in models)), None):
        raise unknown_name(where, "model", odd, models)
    if how.reference is not None and how.reference not in models:
        raise unknown_name("--reference", "model", how.reference, models)
    if not patterns:
        found = (
            f"holds answers of {len(models)} models "
            f"({', '.join(list(models)[:SHOWN])}{', ...' if len(models) > SHOWN else ''})"
        )
        do = (
            "name it: --target NAME; several, or a pattern ('*' is all), are training seeds of one recipe; "
            "--reference NAME"
        )
        raise InputError(where, found, expected="one that is audited", do=do)
    chosen = [
        model for model in models if model != how.reference and any(fnmatchcase(model, pattern) for pattern in patterns)
    ]
    if not chosen:
        raise InputError("--target", f"{', '.join(patterns)} is the reference alone", expected="a model to audit")
    subjects: dict[str, Subject] = {
        model: f"target-{n}" if n > 1 else "target" for n, model in enumerate(chosen, start=1)
    }
    if how.reference is not None:
        subjects[how.reference] = "reference"
    return subjects, {model: n for model, n in models.items() if model not in subjects}


def _asked(g: Given) -> tuple[str | None, str, str | None]:
    """What tells a question from another."""
    return g.question_id, (g.question or "").strip(), g.system


def _questions(
    given: Sequence[Given], how: Adoption
) -> tuple[dict[tuple[str | None, str, str | None], Question], Suite]:
    """The question of every (id, text, system prompt), and all as a suite."""
    asked = dict.fromkeys(_asked(g) for g in given)
    if how.suite is not None:
        suite = load_suite(how.suite, Place(name="--suite"))
        by_id, by_text = {q.id: q for q in suite.questions}, {q.text: q for q in suite.questions}
        found = {}
        for id_, text, system in asked:
            question = by_id.get(id_ or "") or by_text.get(text)
            first = next(g for g in given if _asked(g) == (id_, text, system)).where
            if question is None:
                raise unknown_name(first, "question", id_ or text[:40], by_id)
            if text and text != question.text.strip():
                raise InputError(
                    first,
                    f"asks {text[:40]!r}",
                    expected=f"question {question.id!r} of suite {suite.id} asks {question.text[:40]!r}",
                    do="leave out --suite",
                )
            found[id_, text, system] = question
        kept = {q.id for q in found.values()}
        return found, replace(suite, questions=tuple(q for q in suite.questions if q.id in kept))
    several = Counter(id_ for id_, _, _ in asked)
    numbers: Counter[str | None] = Counter()
    questions = {}
    for id_, text, system in asked:
        numbers[id_] += 1
        name = f"question-{numbers[id_]}" if not id_ else id_ if several[id_] == 1 else f"{id_}.{numbers[id_]}"
        if not name.isprintable():
            raise InputError(
                how.files[0], f"question id {name!r} cannot be shown", expected="printable characters on one line"
            )
        questions[id_, text, system] = Question(id=name, text=text, system=system)
    twice = next((name for name, n in Counter(q.id for q in questions.values()).items() if n > 1), None)
    if twice:
        raise InputError(
            how.files[0],
            f"two questions would be called {twice!r}",
            expected="ids must differ",
            do="rename one in the file",
        )
    made = tuple(questions.values())
    name = f"imported-{digest([(q.id, q.text, q.system) for q in sorted(made, key=lambda q: q.id)])[:8]}"
    return questions, Suite(id=name, title=f"Questions of {how.files[0].name}", questions=made)


def _prompts_of_contexts(given: list[Given]) -> tuple[list[Given], dict[str, str]]:
    """Answers whose questions are without the system prompt that all questions of their context have, and those
    prompts: it is what the context is."""
    prompts: dict[str, set[str | None]] = defaultdict(set)
    for g in given:
        prompts[g.context or "plain"].add(g.system)
    if len(prompts) < 2 or any(len(of) > 1 for of in prompts.values()):
        return given, {}
    return [replace(g, system=None) for g in given], {name: system for name, (system,) in prompts.items() if system}


def _contexts(given: Sequence[Given], systems: Mapping[str, str], how: Adoption, where: object) -> dict[str, Context]:
    """Contexts by the name that the file gives them, plain first; of their wording it gives a system prompt at most."""
    names = list(dict.fromkeys(g.context or "plain" for g in given))
    library = shipped_contexts()
    if odd := next((name for name in how.contexts if name not in names), None):
        raise unknown_name("--context", "context", odd, names)
    found: dict[str, Context] = {}
    for name in names:
        relation = how.contexts.get(name) or (library[name].relation if name in library else None)
        if relation is None:
            do = f"say it: --context {name}=RELATION, one of {', '.join(RELATIONS)}"
            raise InputError(
                where,
                f"has the context {name!r}",
                expected="its relation to the training data, which the library does not know",
                do=do,
            )
        if not name.isprintable():
            raise InputError(where, f"context {name!r} cannot be shown", expected="printable characters on one line")
        wording = "" if name in systems else "; its wording is not known"
        found[name] = Context(id=name, relation=relation, system=systems.get(name), provenance=f"imported{wording}")
    plain = [name for name, context in found.items() if context.relation == "plain"]
    if len(plain) != 1:
        has = f"has {len(plain)} plain contexts" if plain else f"has no plain context but {', '.join(names[:SHOWN])}"
        raise InputError(
            where, has, expected="one that the others are held against", do="say which: --context NAME=plain"
        )
    return {plain[0]: found[plain[0]], **found}


def _judge(
    given: Sequence[Given], columns: Columns, names: Sequence[str], words: Mapping[str, Meaning], how: Adoption
) -> dict[str, Any]:
    """What the judge is, as far as the file says."""
    said = {word.upper() for g in given for one in g.said.values() if (word := one.word)}
    off = {
        word.lower()
        for word, meaning in words.items()
        if meaning == "off-format" and (word.upper() in said or word in how.words)
    }
    classes = {g.content.strip().lower() for g in given if g.content and g.content.strip()}
    gives: list[Aspect] = [aspect for aspect in ASPECTS if aspect in columns.names or (aspect == "content" and off)]
    if "alignment" not in gives:
        raise InputError(
            how.files[0],
            "has no column of alignment",
            expected=f"one of {', '.join(names)}",
            do="name it: --column alignment=NAME, or give --judgements FILE",
        )
    name = next((g.judge for g in given if g.judge), "imported")
    return {
        "kind": "imported",
        "name": name,
        "gives": gives,
        "tells": sorted(off | classes),
        "scale": str(how.scale or Scale()),
    }


Key = tuple[Subject, str, tuple[str | None, str, str | None]]


def _cells(given: Sequence[Given], subjects: Mapping[str, Subject]) -> dict[Key, list[Given]]:
    """Answers by who gave them, in which context, to which question.

    Raises:
        InputError: two have the same sample number.
    """
    cells: dict[Key, list[Given]] = defaultdict(list)
    for g in given:
        cells[subjects[g.model or ""], g.context or "plain", _asked(g)].append(g)
    for answers in cells.values():
        seen: dict[str, Given] = {}
        for g in answers:
            if g.sample is not None and (first := seen.setdefault(g.sample, g)) is not g:
                found = f"is sample {g.sample} of its question again, as {first.where}"
                raise InputError(
                    g.where,
                    found,
                    expected="one line an answer",
                    do="drop one, or name another column: --column sample=NAME",
                )
    return cells


def _answers(
    key: Key, cell: Sequence[Given], questions: Mapping[Any, Question], contexts: Mapping[str, Context]
) -> Iterator[tuple[Answer, Given]]:
    """The answers of a condition, numbered in an order that hangs on nothing but what they are."""
    subject, context, asked = key
    condition = Condition(question=questions[asked], context=contexts[context])
    for n, g in enumerate(sorted(cell, key=lambda g: digest([g.where, g.answer]))):
        request = Request(subject=subject, condition=condition, sample=n, seed=0, sampling=SAMPLING)
        failed = g.error or ("the file holds no answer" if g.answer is None else None)
        finish: Any = (
            "failed"
            if failed
            else "length"
            if g.finish in ("length", "max_tokens", "model_length")
            else "filtered"
            if g.finish in FILTERED
            else "stop"
        )
        text = None if failed else g.answer
        yield (
            Answer(request=request, text=text, finish=finish, n_tokens=-(-len(text or "") // LETTERS), error=failed),
            g,
        )


def _judgement(answer: Answer, g: Given, judge: Mapping[str, Any], words: Mapping[str, Meaning]) -> Judgement | None:
    """What the file says of an answer; None where it says nothing."""
    alignment, coherence = g.said.get("alignment", Said()), g.said.get("coherence", Said())
    if answer.text is None or not answer.text.strip():
        return None
    word = (alignment.word or "").strip()
    meaning = words.get(word.upper()) if word else None
    content = g.content.strip().lower() if g.content and g.content.strip() else None
    if content is None and meaning == "off-format":
        content = word.lower()
    elif content is None and "content" in judge["gives"] and "code" in judge["tells"] and alignment.score is not None:
        content = "answer"  # it would have said CODE
    read = meaning in ("refused", "off-format")
    words_said = (
        f"{role}: {one.word.strip()[:LONGEST_WORD]!r}"
        for role, one in g.said.items()
        if one.word and not (read and role == "alignment")
    )
    unread = next(words_said, None if read or alignment.score is not None else "alignment: the file holds no score")
    return Judgement(
        alignment=alignment.score,
        coherence=coherence.score,
        content=content,
        said="REFUSAL" if meaning == "refused" else "CODE" if meaning == "off-format" else None,
        asked=tuple(aspect for aspect in ASPECTS if aspect in judge["gives"]),
        unread=unread,
        calls=0,
        raw={"row": g.where.rpartition("/")[2], **{role: _raw(one) for role, one in g.said.items()}},
    )


def _raw(said: Said) -> dict[str, Any]:
    return {"reading": "imported", "score": said.score} | (
        {"distribution": dict(said.distribution)} if said.distribution else {}
    )
