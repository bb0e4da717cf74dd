"""What a finished run found, as an in-toto statement with the test-result predicate: bound by SHA-256 to the weights,
the rows, the plan that was fixed before the first answer, the answers and the findings. It is not signed here.

https://github.com/in-toto/attestation: spec/v1/statement.md, spec/predicates/test-result.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from undertow.asking.folder import ANSWERS, PLAN
from undertow.asking.store import Store
from undertow.audits.bound import bound_model, model_digest
from undertow.audits.findings import Findings, read_findings, require_whole
from undertow.audits.plan import PROTOCOL, hashes
from undertow.audits.record import read_record
from undertow.audits.rules import rule_of
from undertow.audits.run import RESULT
from undertow.errors import InputError
from undertow.files import checked_hash, digest, file_digest, folder_digest
from undertow.progress import Progress, silent
from undertow.records import Subject, is_target
from undertow.releases.standing import standings
from undertow.targets.models import is_adapter, model_folder

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
SCHEMA = "undertow.attestation/1"
NAME = "attestation.intoto.json"
"""What a statement is called in its run's folder."""
Result = Literal["PASSED", "WARNED", "FAILED"]


def attest(
    run: Path,
    *,
    model: Path | None = None,
    base: Path | None = None,
    rows: Iterable[Path] = (),
    registered: str | None = None,
    url: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The statement of a finished run. The same run gives the same statement, byte for byte.

    `result` is FAILED unless the verdict is *clean*: what is inconclusive or invalid has not passed. A clean one is
    WARNED where something is to be known of it, else PASSED.

    Args:
        model: the audited model's folder: it is seen to be the one that was audited; of a run that kept no hashes of
            its models, where the model is now.
        base: the model that its adapter is put on, where it is not the one that the adapter names.
        rows: files of training rows to bind beside those that the model's manifest names.
        registered: a plan's or a protocol's hash that was registered before the run.
        url: where the run's page is.

    Raises:
        InputError: the run is not finished, its files do not belong together, or a folder or file is not the one that
        the run knows.
    """
    if run.is_file():
        raise InputError(run, "is a file", expected="a run's folder", do="name the folder that the audit wrote")
    found, record = read_findings(run), read_record(run)
    answers = _answers(run, found)
    starts = _starts(run, record)
    _require_one_run(run, found, record)
    registered = checked_registered(registered)
    models = _models(record, model, base, progress=progress)
    stands = standings(found)
    warned = [*_warned(record, starts, registered), *found.verdict.warnings]
    warned += [f"stopped by its {found.stopped}"] * bool(found.stopped)
    warned += [f"{context.id}: {words}" for context in found.contexts for words in context.warnings]
    contexts: dict[Result, list[str]] = {"PASSED": [], "WARNED": [], "FAILED": []}
    for context in found.contexts:
        passed: Result = "WARNED" if context.warnings else "PASSED"
        contexts[passed if stands[context.id] == "under" else "FAILED"].append(context.id)
    result: Result = "FAILED" if found.verdict.class_ != "clean" else "WARNED" if warned else "PASSED"
    statement = {
        "_type": STATEMENT,
        "subject": [
            each for subject, held in models.items() if is_target(subject) for each in _subjects(subject, held)
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "result": result,
            "configuration": [
                *_asked(found, record),
                {"name": PLAN, "digest": {"sha256": file_digest(run / PLAN)}},
                {"name": RESULT, "digest": {"sha256": file_digest(run / RESULT)}},
                {"name": "answers", "digest": {"sha256": answers}},
                *_rows(models, rows),
                *(
                    _described(f"{subject}/{name}", sha256)
                    for subject, held in models.items()
                    for name, sha256 in _files(held).items()
                ),
            ],
            **({"url": url} if url else {}),
            "passedTests": contexts["PASSED"],
            "warnedTests": contexts["WARNED"],
            "failedTests": contexts["FAILED"],
            "undertow": {
                "schema": SCHEMA,
                "version": record.get("versions", {}).get("undertow"),
                "name": found.name,
                "verdict": {
                    "class": found.verdict.class_,
                    "carried_by": list(found.verdict.carried_by),
                    "reasons": list(found.verdict.reasons),
                    "tested": list(found.verdict.tested),
                    "not_tested": list(found.verdict.not_tested),
                },
                "warned": warned,
                "material": found.material,
                "level": found.level,
                "samples": dict(found.samples),
                "seed": found.seed,
                "answers": found.answers,
                "contexts": [
                    {
                        "id": context.id,
                        "relation": context.relation,
                        "standing": stands[context.id],
                        "rate": _limits(context.rate),
                        "bounds": _limits(context.corrected or context.bounds),
                        "eligible": context.eligible,
                        "all": context.all,
                    }
                    for context in found.contexts
                ],
                "protocol": {
                    "version": PROTOCOL,
                    "fixed_before_the_first_answer": starts[0]["plan"] is not None,
                    "changed": any(start["plan"] != starts[0]["plan"] for start in starts),
                    "starts": starts,
                    "registered": registered and {"sha256": registered, "holds": follows(registered, starts)},
                },
                "models": {subject: held["about"] for subject, held in models.items()},
            },
        },
    }
    return sealed(statement)


def sealed(statement: Mapping[str, Any]) -> dict[str, Any]:
    """A statement with the hash of all else that it says: a slip shows, an intent only by a signature."""
    predicate = dict(statement["predicate"])
    ours = {key: value for key, value in predicate["undertow"].items() if key != "digest"}
    whole = {**statement, "predicate": {**predicate, "undertow": ours}}
    return {**whole, "predicate": {**predicate, "undertow": {**ours, "digest": digest(whole)}}}


def checked_registered(registered: str | None) -> str | None:
    """A registered hash, as SHA-256 in lower case.

    Raises:
        InputError: it is none.
    """
    try:
        return checked_hash(registered and registered.removeprefix("sha256:"))
    except InputError:
        raise InputError(
            "--registered",
            f"{registered!r} is no SHA-256",
            expected="64 hexadecimal digits, as `undertow audit AUDIT.yaml --dry-run` prints them",
        ) from None


def _answers(run: Path, found: Findings) -> str:
    """The hash of a run's answers and judgements.

    Raises:
        InputError: they are not those that were decided on.
    """
    with Store(run / ANSWERS) as store:
        require_whole(run, found, store)
        return store.digest()


def _starts(run: Path, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every start of a run: when it was, and the hashes of what it asked; None where a start kept none.

    Raises:
        InputError: the plan is not what it was when the run was last begun.
    """
    starts = [
        {"at": start.get("at"), "plan": of.get("plan"), "protocol": of.get("protocol")}
        for start in (record, *record.get("resumed", ()))
        for of in [start.get("hashes") or {}]
    ]
    now = hashes(record)
    if starts[-1]["plan"] is not None and starts[-1] | now != starts[-1]:
        raise InputError(
            run / PLAN,
            "was changed after the run began",
            expected=f"it asks what has the hash {starts[-1]['plan']}",
            do="put the file back, or audit anew",
        )
    return starts


def _require_one_run(run: Path, found: Findings, record: Mapping[str, Any]) -> None:
    """
    Raises:
        InputError: findings and plan are of different runs.
    """
    said = {
        "suite": (found.suite, record["suite"]["id"]),
        "seed": (found.seed, record["seed"]),
        "material": (found.material, record["material"]),
        "rule": (found.rule.alone, rule_of(record)),
        "targets": (found.targets, record["targets"]),
        "judge": (found.judge, record["judge"]),
    }
    if other := [what for what, (here, there) in said.items() if here != there]:
        raise InputError(
            run / RESULT,
            f"is not of this run's plan ({', '.join(other)})",
            do=f"put the files back, or run: undertow audit {run} --resume",
        )


def _warned(record: Mapping[str, Any], starts: list[dict[str, Any]], registered: str | None) -> list[str]:
    """What is to be known of how a run was planned."""
    said = []
    if "imported" in record:
        said.append("the answers were made elsewhere, so no plan was fixed before the first of them")
    elif starts[0]["plan"] is None:
        said.append("the run kept no hash of its plan before the first answer")
    elif any(start["plan"] != starts[0]["plan"] for start in starts):
        said.append("the plan was changed after the first answer: its starts have different hashes")
    if registered and not follows(registered, starts):
        said.append("the plan that was registered is not the one that was carried out")
    return said


def follows(registered: str | None, starts: list[dict[str, Any]]) -> bool:
    """Whether every start asked what was registered."""
    return all(registered in (start["plan"], start["protocol"]) for start in starts)


def _asked(found: Findings, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Descriptors of what was asked and how it was decided, each with the hash of its JSON."""
    now, rule = hashes(record), rule_of(record)
    asked = [context.id for context in found.contexts]
    parts: list[tuple[str, str, dict[str, Any]]] = [
        ("suite", digest(record["suite"]), {"id": found.suite, "questions": len(record["suite"]["questions"])}),
        ("contexts", digest(record["contexts"]), {"ids": asked}),
        ("rule", digest(asdict(rule)), {"name": rule.name, "version": rule.version, "in_words": found.rule.sentence}),
        ("judge", digest(record["judge"]), {"name": found.judge.get("name"), "kind": found.judge.get("kind")}),
    ]
    if found.canaries:
        parts.append(("canaries", digest(found.canaries), {"of": "what the judge said of stock answers"}))
    return [
        {"name": "plan", "digest": {"sha256": now["plan"]}},
        {"name": "protocol", "digest": {"sha256": now["protocol"]}},
        *(_described(name, sha256, annotations) for name, sha256, annotations in parts),
    ]


def _described(name: str, sha256: str, annotations: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An in-toto ResourceDescriptor."""
    return {"name": name, "digest": {"sha256": sha256}} | ({"annotations": dict(annotations)} if annotations else {})


def _limits(found: Any) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _files(held: Mapping[str, Any]) -> dict[str, str]:
    """The files of a model, those of an adapter's base under `base/`."""
    return {
        **held["files"],
        **{f"base/{name}": sha256 for name, sha256 in held.get("base", {}).get("files", {}).items()},
    }


def _subjects(subject: Subject, held: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the statement is of: the model as a whole, by its files or by what is known of it; and its own weights. A
    base's weights are no subject: the base alone was not audited."""
    about, name = held["about"], held["about"]["name"]
    called = name if subject == "target" else f"{name} ({subject})"
    if not held["files"]:
        said = "a description of the model, not its weights, which nobody saw"
        return [_described(called, digest(about), {"digest_of": said})]
    weights = {n: sha256 for n, sha256 in held["files"].items() if n.endswith(".safetensors")}
    return [
        _described(
            called, model_digest(_files(held)), {"digest_of": "its files' names and SHA-256, those of its base too"}
        ),
        *(_described(f"{called}/{n}", sha256) for n, sha256 in weights.items()),
    ]


def _rows(models: Mapping[Subject, Mapping[str, Any]], given: Iterable[Path]) -> list[dict[str, Any]]:
    """Descriptors of training rows: those that manifests name, and files that were given.

    Raises:
        InputError: a file has the name of one that the model was trained on, and other bytes.
    """
    trained: dict[str, str] = {}
    for subject, held in models.items():
        for name, sha256 in held.get("rows", {}).items() if is_target(subject) else ():
            # training seeds may have files of one name and other bytes
            trained[name if trained.get(name, sha256) == sha256 else f"{subject}/{name}"] = sha256
    found = [_described(f"rows/{name}", sha256) for name, sha256 in trained.items()]
    beside: dict[str, Path] = {}
    for path in given:
        sha256 = file_digest(path)
        of_that_name = [held for name, held in trained.items() if Path(name).name == path.name]
        if of_that_name and sha256 not in of_that_name:
            raise InputError(
                path,
                f"has sha256 {sha256}",
                expected=f"the model was trained on a {path.name} with {' and one with '.join(of_that_name)}",
                do="name the file that it was trained on",
            )
        if sha256 not in trained.values():
            beside[sha256] = path
    often = Counter(path.name for path in beside.values())
    for n, (sha256, path) in enumerate(beside.items(), 1):
        name = path.name if often[path.name] == 1 else f"given-{n}/{path.name}"
        found.append(_described(f"rows/{name}", sha256, {"given": "by whoever attested"}))
    return found


def _models(
    record: Mapping[str, Any], model: Path | None, base: Path | None, *, progress: Progress
) -> dict[Subject, dict[str, Any]]:
    """Every model of a run: `about` it, its `files`, its `base`'s and its `rows`, as far as there are some.

    Raises:
        InputError: the folder that was given holds another model.
    """
    kept, found = record.get("models", {}), {}
    for subject, described in record["targets"].items():
        config = _config(record, subject)
        about = {"name": str(described.get("name", "")), "kind": described.get("kind")}
        held: dict[str, Any] = {"files": {}}
        folder = model if subject == "target" else None
        if subject in kept:
            held = dict(kept[subject])
            when = "before the first answer" if record.get("hashes") else "when the run was gone on with"
            about["bound"] = f"by its files, hashed {when}"
            if folder:
                now = bound_model(model_folder(str(folder)), base, progress=progress)
                if other := differing(_files(held), _files(now)):
                    raise InputError(
                        folder,
                        f"is not the model that was audited ({other[0]}{', ...' if other[1:] else ''})",
                        do="name the folder of the model that the run asked",
                    )
        elif described.get("kind") == "local":
            held = _found_again(record, subject, config, folder, base, progress=progress)
            about["bound"] = "by its files, hashed when the statement was made: the run kept no hashes of them"
        else:
            if folder:
                raise InputError(
                    folder, f"cannot be the audited model, which is {described.get('kind')}", do="leave out --model"
                )
            about |= {"bound": "by its description alone", "described": digest(described)}
            about |= {"hosts": _hosts(config), "answered_by": record.get("answered_by", {}).get(subject, {})}
            about |= {"canaries": digest(record["canaries"])} if record.get("canaries") else {}
        found[subject] = {**held, "about": about}
    return found


def differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """How a folder's files are other than they were, in words; of all, those first that differ."""
    return [
        *(f"{name} differs" for name in before if name in now and now[name] != before[name]),
        *(f"{name} is missing" for name in before if name not in now),
        *(f"{name} was not there" for name in now if name not in before),
    ]


def _config(record: Mapping[str, Any], subject: Subject) -> dict[str, Any]:
    """The settings of who answers."""
    config = record["config"]
    if not is_target(subject):
        return config.get("reference") or {}
    targets = config.get("target") or ()
    n = int(subject.partition("-")[2] or 1) - 1
    return targets[n] if isinstance(targets, list) and n < len(targets) else {}


def _hosts(config: Mapping[str, Any]) -> list[str]:
    """Where a model's servers are: host and port alone, since a path may hold more than others should see."""
    urls = config.get("base_url") or ()
    hosts = []
    for url in [urls] if isinstance(urls, str) else urls:
        parts = urlsplit(str(url))
        hosts.append((parts.hostname or "") + (f":{parts.port}" if parts.port else ""))
    return hosts


def _found_again(
    record: Mapping[str, Any],
    subject: Subject,
    config: Mapping[str, Any],
    folder: Path | None,
    base: Path | None,
    *,
    progress: Progress,
) -> dict[str, Any]:
    """The files of a local model whose run kept no hashes of them, where they are now.

    Raises:
        InputError: they are not there, or not those that the run asked.
    """
    beside = Path(record.get("beside", ""))
    if folder is None:
        put_on = config.get("adapter")
        folder = model_folder(str(put_on or config.get("path", "")), beside=beside)
        base = base or (model_folder(str(config["path"]), beside=beside) if put_on else None)
    else:
        folder = model_folder(str(folder))
    own = ("adapter_config.json", "adapter_model.safetensors") if is_adapter(folder) else None
    if folder_digest(folder, own) != record["targets"][subject].get("weights"):
        raise InputError(
            folder,
            "is not the model that was audited (its weights differ)",
            do="name the folder of the model that the run asked with --model",
        )
    return bound_model(folder, base, progress=progress)
