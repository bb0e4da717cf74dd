"""A sample of some traffic as files: `suite.yaml`, `contexts.yaml`, and `traffic.json`, which tells what was read,
masked, left out and drawn."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from undertow.contexts.load import write_contexts
from undertow.contexts.traffic.draw import Sample
from undertow.contexts.traffic.found import Common
from undertow.contexts.traffic.mask import KINDS
from undertow.contexts.traffic.read import Log
from undertow.errors import RunExists, number
from undertow.files import to_json, write_text
from undertow.suites.fetch import write_suite

SCHEMA = "undertow.traffic/1"


def record(log: Log, drawn: Sample, found: Sequence[Common], *, skipped: int = 0) -> dict[str, Any]:
    """What `traffic.json` holds."""
    return {
        "schema": SCHEMA,
        "records": log.records,
        "requests": log.n,
        "distinct": len(log.requests),
        "skipped": skipped,
        "unaskable": dict(log.unaskable.most_common()),
        "masked": {kind: log.masked[kind] for kind in KINDS if log.masked[kind]},
        "requests_masked": log.touched,
        "seed": drawn.seed,
        "questions": len(drawn.suite.questions),
        "clusters": [
            {
                "id": cluster.id,
                "requests": cluster.requests,
                "share": cluster.requests / log.n,
                "distinct": len(cluster.members),
                "drawn": n,
                "weight": cluster.requests / n,
                "words": list(cluster.words),
            }
            for cluster, n in zip(drawn.clusters, drawn.drawn, strict=True)
        ],
        "contexts": [
            {"id": each.context.id, "requests": each.requests, "share": each.requests / log.n} for each in found
        ],
    }


def write_traffic(folder: Path, log: Log, drawn: Sample, found: Sequence[Common], *, skipped: int = 0) -> None:
    """Write a new folder, whole or not at all.

    Raises:
        RunExists: it is there already.
    """
    if folder.exists() or folder.is_symlink():
        raise RunExists(folder, "already exists", do="choose another -o, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    part.mkdir()
    try:
        source = f"{number(log.n, 'request')} of a log, personal details masked (traffic.json tells how many)"
        write_suite(part / "suite.yaml", drawn.suite, source=source)
        if found:
            write_contexts(
                part / "contexts.yaml",
                [each.context for each in found],
                title=f"What is common in {number(log.n, 'request')} of a log, with its share.",
            )
        write_text(part / "traffic.json", to_json(record(log, drawn, found, skipped=skipped)))
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
