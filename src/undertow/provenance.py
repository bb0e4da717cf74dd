"""Where results come from: versions, the revision of this code, and every start of a run. Serves training, audits,
personas and studies."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("undertow", "torch", "transformers", "peft", "trl", "tokenizers", "numpy", "scipy")
"""Packages that results depend on."""
STARTED = ("at", "versions", "revision", "command", "hashes")
"""What a record says of a start."""


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on; absent ones left out."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache  # the code of a process is what it was when it was loaded, whatever is edited or checked out after that
def revision() -> str | None:
    """The git revision of this code that is run, `+` where files differ from it; None where it is not run from its own
    checkout."""
    here = Path(__file__)

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here.parent, capture_output=True, text=True, check=True).stdout

    try:
        git("ls-files", "--error-unmatch", here.name)  # not a checkout that it is only installed in
        head = git("rev-parse", "--short", "HEAD").strip()
        return head + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def start() -> dict[str, Any]:
    """This start of the program: when (UTC), the versions, the revision, and the command."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"at": at, "versions": versions(), "revision": revision(), "command": sys.argv}


def started_again(before: Mapping[str, Any], now: Mapping[str, Any], *, changed: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a run that goes on says of its starts: the first stays, and this one is added.

    Args:
        changed: what it asked before that it asks otherwise now.
    """
    this = {key: now[key] for key in STARTED if key in now} | ({"before": dict(changed)} if changed else {})
    return {**{key: before[key] for key in STARTED if key in before}, "resumed": [*before.get("resumed", ()), this]}
