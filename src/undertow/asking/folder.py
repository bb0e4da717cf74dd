"""A run's folder: who may write to it, and what it is a run of.

plan.json     what the run asks and how it decides, and every start of it
run.sqlite    answers and judgements (`asking/store.py`)
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from undertow.errors import InputError, RunExists
from undertow.files import digest, to_json, write_text
from undertow.provenance import started_again

PLAN, ANSWERS = "plan.json", "run.sqlite"

ADDED_TO = ("samples", "contexts", "targets")
"""What a run that goes on may ask more of; its record keeps what it asked before."""


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keep other processes off a run, from before anything is asked: a lock beside its folder, which ends with the
    process.

    Raises:
        InputError: another process is at work on it.
    """
    path = (whole := out.resolve()).with_name(f".{whole.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(out, "is being worked on by another process", do="wait for it") from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)


def look_at(out: Path, *, result: str, resume: bool) -> bool:
    """Refuse a folder that a run may not write to, before anything is asked; return whether it holds a run to go on
    with.

    Args:
        result: name of the file that a finished run holds.

    Raises:
        RunExists: it is there, and `resume` was not asked for or it is no run.
        InputError: its answers are lost.
    """
    if not out.exists():
        return False
    if not out.is_dir():
        raise RunExists(out, "is a file", expected="a run is a folder", do="choose another -o")
    if not (out / PLAN).is_file():
        if any(path.suffix != ".part" for path in out.iterdir()):  # a part is what a killed start leaves
            raise RunExists(
                out, "exists and is not a run", expected="an audit writes a new folder", do="choose another -o"
            )
        return False
    if not resume:
        raise RunExists(out, "already holds a run", do="add --resume to go on with it, or choose another -o")
    if (out / result).is_file() and not (out / ANSWERS).is_file():
        raise InputError(
            out,
            f"has lost its answers ({ANSWERS})",
            expected="all of them would be asked again",
            do="put the file back, or choose another -o",
        )
    return True


def require_same(
    out: Path,
    before: Mapping[str, Any],
    record: Mapping[str, Any],
    *,
    extends: Callable[[str, Mapping[str, Any], Mapping[str, Any]], bool] = lambda key, before, now: False,
) -> None:
    """Refuse to go on with a run of another plan.

    Args:
        before: the run's record.
        record: this plan's; `fixed` names what must be as it was.
        extends: whether a key asks for all that it did, and more.

    Raises:
        InputError: something else differs.
    """
    now = json.loads(to_json(record))
    other = [key for key in record["fixed"] if before.get(key, now[key]) != now[key] and not extends(key, before, now)]
    if not other:
        return
    more = " (another rule on these answers: undertow rescore)" if "rule" in other else ""
    but = "" if "judge" in record["fixed"] else " but the judge"
    added = "; contexts, training seeds and samples may be added" if "samples" in now else ""
    raise InputError(
        out,
        f"holds a run of another plan: {', '.join(other)} {'differs' if len(other) == 1 else 'differ'}",
        expected=f"to go on, all{but} must be as it was{added}",
        do=f"choose another -o{more}",
    )


def going_on(
    out: Path,
    record: Mapping[str, Any],
    *,
    result: str,
    resume: bool,
    read: Callable[[Path], dict[str, Any]],
    extends: Callable[[str, Mapping[str, Any], Mapping[str, Any]], bool] = lambda key, before, now: False,
) -> dict[str, Any] | None:
    """The record of the run that a plan goes on with; None where it begins one. Nothing is asked before this.

    Args:
        record, extends: as `require_same`.
        result, resume: as `look_at`.
        read: reads a run's record.

    Raises:
        InputError: as `look_at` and `require_same`.
    """
    if not look_at(out, result=result, resume=resume):
        return None
    before = read(out)
    require_same(out, before, record, extends=extends)
    return before


def same_judge(before: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a run goes on with the judge that it had."""
    return digest(before["judge"]) == digest(record["judge"])


def asks_more(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a plan asks for more than the run's did."""
    return any(to_json(before.get(key)) != to_json(now.get(key)) for key in ADDED_TO)


def open_folder(
    out: Path, record: Mapping[str, Any], before: Mapping[str, Any] | None, *, result: str, keeps: Iterable[str] = ()
) -> dict[str, Any]:
    """Make a run's folder, with its plan; return what the plan holds. Of a run that goes on, where it came from stays,
    and this start is added.

    Args:
        result: name of the file that a finished run holds; where another judge judges, the old one's is kept beside.
        keeps: keys of what the run found, which stay.
    """
    whole = dict(record)
    if before is not None:
        changed = {
            key: before[key]
            for key in ADDED_TO
            if key in record["fixed"] and key in before and to_json(before[key]) != to_json(record[key])
        }
        whole |= {key: before[key] for key in keeps if key in before}
        whole |= started_again(before, record, changed=changed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        if before is not None and not same_judge(before, record) and (out / result).is_file():
            stem, _, ending = result.rpartition(".")
            (out / result).replace(out / f"{stem}.judge-{digest(before['judge'])[:8]}.{ending}")
        write_text(out / PLAN, to_json(whole))
    except OSError as error:
        raise InputError(out, f"cannot be written ({error.strerror})", do="choose another -o") from None
    return whole
