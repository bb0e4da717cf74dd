"""Whether what a statement binds is still what it was: checked offline, item by item. Whose statement it is only a
signature says, which the tool that made it checks."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from undertow.asking.folder import ANSWERS, PLAN
from undertow.asking.store import Store
from undertow.audits.bound import model_digest, model_files
from undertow.audits.plan import hashes
from undertow.audits.record import read_record
from undertow.audits.run import RESULT
from undertow.errors import InputError, number
from undertow.files import file_digest, read_object
from undertow.mistakes import with_place
from undertow.progress import Progress, silent
from undertow.records import Subject, is_target
from undertow.releases.attest import (
    PREDICATE,
    SCHEMA,
    STATEMENT,
    attest,
    checked_registered,
    differing,
    follows,
    sealed,
)
from undertow.targets.models import base_of, is_adapter, model_folder

State = Literal["held", "changed", "not given", "not bound"]
"""`not given`: nothing was there to hold it against; `not bound`: the statement cannot tell, so nothing could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One thing that a statement binds."""

    item: str
    state: State
    said: str = ""
    """What differs, or what to give."""


def read_statement(path: Path) -> dict[str, Any]:
    """A statement as `undertow attest` wrote it; or in an envelope of a signature, which is not checked.

    Raises:
        InputError: the file holds none.
    """
    do = "name the file that `undertow attest` wrote"
    held = read_object(path, expected="an in-toto statement", do=do)
    envelope = held.get("dsseEnvelope", held)
    if isinstance(envelope, dict) and "payload" in envelope:
        try:
            held = json.loads(base64.b64decode(str(envelope["payload"]), validate=True))
        except (binascii.Error, ValueError, RecursionError) as error:
            raise InputError(path, f"its envelope holds no statement ({error})", do=do) from None
    predicate = held.get("predicate") if isinstance(held, dict) else None
    ours = predicate.get("undertow") if isinstance(predicate, dict) else None
    if not isinstance(ours, dict) or (held.get("_type"), held.get("predicateType")) != (STATEMENT, PREDICATE):
        raise InputError(path, "is no statement of an audit", expected=f"{STATEMENT} with {PREDICATE}", do=do)
    if ours.get("schema") != SCHEMA:
        raise InputError(
            path,
            f"has schema {ours.get('schema')!r}",
            expected=f"this version reads {SCHEMA!r}",
            do="use the version that made it",
        )
    try:
        _Statement.model_validate_json(json.dumps(held), strict=True)
    except ValidationError as error:
        raise InputError(path, f"is no whole statement ({with_place(error.errors()[0])})", do=do) from None
    return held


class _Hash(BaseModel):
    sha256: str


class _Descriptor(BaseModel):
    name: str
    digest: _Hash
    annotations: dict[str, Any] = {}


class _Start(BaseModel):
    plan: str | None
    protocol: str | None


class _Protocol(BaseModel):
    starts: list[_Start]
    registered: _Hash | None


class _Ours(BaseModel):
    verdict: dict[str, Any]
    models: dict[str, Any]
    protocol: _Protocol


class _Predicate(BaseModel):
    result: str
    configuration: list[_Descriptor]
    failedTests: list[str]
    undertow: _Ours


class _Statement(BaseModel):
    """What is read of a statement, whoever wrote it; more may be there."""

    subject: list[_Descriptor]
    predicate: _Predicate


def verify(
    statement: Mapping[str, Any],
    *,
    models: Mapping[Subject, Path] | None = None,
    base: Path | None = None,
    rows: Iterable[Path] = (),
    run: Path | None = None,
    registered: str | None = None,
    progress: Progress = silent,
) -> list[Checked]:
    """Hold what a statement binds against what is there. Nothing is asked of anybody, and no network is used.

    Args:
        models: folders of the audited models, by who it is in the run (`target`, `target-2`, `reference`).
        base: where the base of the target's adapter is, if not where the adapter says.
        rows: files of training rows.
        run: the run's folder.
        registered: a hash of the plan or of the protocol that was registered beforehand.

    Raises:
        InputError: what was given is no model, no run, or cannot be read.
    """
    predicate = statement["predicate"]
    bound = {each["name"]: each["digest"]["sha256"] for each in predicate["configuration"]}
    checked = [_itself(statement, bound)]
    audited = predicate["undertow"]["models"]
    for subject in audited:
        folder = (models or {}).get(subject)
        checked += _model(bound, subject, folder, base if subject == "target" else None, progress=progress)
    checked += [
        Checked(item=subject, state="changed", said="the statement is of no such model")
        for subject in models or {}
        if subject not in audited
    ]
    checked += _rows(bound, list(rows))
    if run:
        checked += _run(statement, bound, run, (models or {}).get("target"), base)
    else:
        checked.append(_not_given("run", "its folder with --run"))
    return [*checked, *_registered(statement, registered)]


def _not_given(item: str, what: str) -> Checked:
    return Checked(item=item, state="not given", said=f"give {what}")


def _itself(statement: Mapping[str, Any], bound: Mapping[str, str]) -> Checked:
    """Whether a statement fits together."""
    predicate = statement["predicate"]
    ours, subjects = predicate["undertow"], [each["digest"]["sha256"] for each in statement["subject"]]
    wrong = []
    if sealed(statement) != statement:
        wrong.append("what it says does not have the hash that it names")
    if predicate["result"] != "FAILED" and (ours["verdict"].get("class") != "clean" or predicate["failedTests"]):
        wrong.append(f"its result is {predicate['result']} and its verdict {ours['verdict'].get('class')}")
    for subject in filter(is_target, ours["models"]):
        files = _of(bound, subject)
        if files and model_digest(files) not in subjects:
            wrong.append(f"its subject is not the files of the {subject}")
    return Checked(item="statement", state="changed" if wrong else "held", said="; ".join(wrong))


def _of(bound: Mapping[str, str], subject: Subject) -> dict[str, str]:
    """What is bound under a name, by the rest of it."""
    return {name.removeprefix(f"{subject}/"): held for name, held in bound.items() if name.startswith(f"{subject}/")}


def _model(
    bound: Mapping[str, str], subject: Subject, folder: Path | None, base: Path | None, *, progress: Progress
) -> list[Checked]:
    """Whether a folder holds the model that was audited, and its base the one that it was on."""
    files = _of(bound, subject)
    own = {name: held for name, held in files.items() if not name.startswith("base/")}
    under = _of(files, "base")
    if not files and folder is None:
        return [Checked(item=subject, state="not bound", said="its weights were not seen; a description binds little")]
    if not files:
        return [Checked(item=subject, state="changed", said=f"no file of a model is bound to hold {folder} against")]
    if folder is None:
        return [
            _not_given(subject, "its folder with --model"),
            *([_not_given(f"{subject}: its base", "the folder with --model")] if under else []),
        ]
    folder = model_folder(str(folder))
    checked = [_files(subject, folder, own, model_files(folder, progress=progress))]
    if under:
        base = model_folder(str(base)) if base else _named_base(folder)
        checked.append(
            _files(f"{subject}: its base", base, under, model_files(base, progress=progress))
            if base
            else _not_given(f"{subject}: its base", "its folder with --base")
        )
    return checked


def _named_base(adapter: Path) -> Path | None:
    """The base that an adapter names, where it is there."""
    try:
        return base_of(adapter) if is_adapter(adapter) else None
    except InputError:
        return None


def _files(item: str, folder: Path, before: Mapping[str, str], now: Mapping[str, str]) -> Checked:
    if not (other := differing(before, now)):
        return Checked(item=item, state="held", said=f"{number(len(before), 'file')} of {folder}")
    another = "another model: " if not set(before.items()) & set(now.items()) else ""
    return Checked(item=item, state="changed", said=f"{folder}: {another}{', '.join(other)}")


def _rows(bound: Mapping[str, str], given: list[Path]) -> list[Checked]:
    """Whether files of rows are those that are bound; each of these is looked for by its hash, then by its name."""
    rows = _of(bound, "rows")
    here = {path: file_digest(path) for path in given}
    checked = []
    for name, held in rows.items():
        same_name = [path for path in here if path.name == Path(name).name and here[path] not in rows.values()]
        if held in here.values():
            checked.append(Checked(item=f"rows {name}", state="held"))
        elif same_name:
            checked.append(Checked(item=f"rows {name}", state="changed", said=f"{same_name[0]} differs"))
        else:
            checked.append(_not_given(f"rows {name}", "the file with --rows"))
    names = {Path(name).name for name in rows}
    others = [path for path, held in here.items() if held not in rows.values() and path.name not in names]
    return [*checked, *(Checked(item=f"rows {path}", state="changed", said="is not bound") for path in others)]


def _run(
    statement: Mapping[str, Any], bound: Mapping[str, str], run: Path, model: Path | None, base: Path | None
) -> list[Checked]:
    """Whether a run's files are those that were attested; and if they are, whether the statement says what they say.

    Args:
        model, base: where a local model is, which a run that kept no hashes of it knows only by its place.
    """
    record = read_record(run)
    now = hashes(record)
    checked = [
        _same("plan: what it asks", now["plan"], bound.get("plan")),
        _same("protocol: the same, whoever answers", now["protocol"], bound.get("protocol")),
        *(_same(name, file_digest(run / name), bound.get(name)) for name in (PLAN, RESULT)),
    ]
    try:
        with Store(run / ANSWERS) as store:
            checked.append(_same("answers", store.digest(), bound.get("answers")))
    except InputError as error:
        checked.append(Checked(item="answers", state="changed", said=str(error)))
    if all(each.state == "held" for each in checked):
        kept = "models" in record or not _of(bound, "target")
        checked.append(_says(statement, run, None if kept else model, None if kept else base))
    return checked


def _says(statement: Mapping[str, Any], run: Path, model: Path | None, base: Path | None) -> Checked:
    """Whether a statement is what its run gives today, but for rows that only whoever attested knew."""
    predicate = statement["predicate"]
    registered = predicate["undertow"]["protocol"]["registered"]
    hash_ = registered and registered["sha256"]
    again = attest(run, model=model, base=base, registered=hash_, url=predicate.get("url"))
    known = [each for each in predicate["configuration"] if not _given(each)]
    other = [
        *_other(again, statement, but="predicate"),
        *_other(again["predicate"], {**predicate, "configuration": known}, but="undertow"),
        *_other(again["predicate"]["undertow"], predicate["undertow"], but="digest"),
    ]
    said = f"the run gives another {', '.join(other)}" if other else ""
    return Checked(item="what it says of the run", state="changed" if other else "held", said=said)


def _given(described: Mapping[str, Any]) -> bool:
    """Whether a descriptor is of rows that whoever attested gave."""
    return described["name"].startswith("rows/") and "given" in described.get("annotations", {})


def _other(here: Mapping[str, Any], there: Mapping[str, Any], *, but: str) -> list[str]:
    """Keys of which one holds another value, or none."""
    return [key for key in sorted({*here, *there} - {but}) if here.get(key) != there.get(key)]


def _same(item: str, now: str, before: str | None) -> Checked:
    said = "" if now == before else f"sha256 {now}, and {before} was attested"
    return Checked(item=item, state="held" if now == before else "changed", said=said)


def _registered(statement: Mapping[str, Any], registered: str | None) -> list[Checked]:
    """Whether every start of the run asked what was registered."""
    if registered is None:
        return [_not_given("registered plan", "its hash with --registered, if there is one")]
    protocol = statement["predicate"]["undertow"]["protocol"]
    holds = follows(checked_registered(registered), protocol["starts"])
    said = "" if holds else "is not what every start of the run asked"
    return [Checked(item="registered plan", state="held" if holds else "changed", said=said)]
