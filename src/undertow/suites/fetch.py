"""Suites from a URL, taken only if they hash to what the user expects, and written as YAML of ours."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from undertow.errors import InputError, RunExists
from undertow.files import to_yaml, write_text, yaml_comment
from undertow.records import Suite
from undertow.suites.load import parse_suite

LARGEST = 20_000_000
"""Bytes; a suite is a few kilobytes."""
TIMEOUT_S = 30


def fetch_suite(url: str, *, sha256: str | None) -> Suite:
    """The suite behind an http, https or file URL.

    Raises:
        InputError: no or another hash is expected, the URL cannot be read, or what it holds is no suite.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise InputError("--sha256", f"{sha256!r} is no SHA-256", expected="64 hexadecimal digits")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(url, f"is no URL ({error})", expected="http://, https:// or file://") from None
    if parts.scheme not in ("http", "https", "file"):
        raise InputError(url, f"has the scheme {parts.scheme!r}", expected="http://, https:// or file://")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as reply:
            body: bytes = reply.read(LARGEST + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:  # URLError and HTTPError are OSErrors
        reason = getattr(error, "reason", None) or error
        raise InputError(url, f"cannot be read ({' '.join(str(reason).split())})", do="check the URL and the network") from None
    if len(body) > LARGEST:
        raise InputError(url, f"is larger than {LARGEST // 1_000_000} MB", expected="a suite is a few kilobytes")
    found = hashlib.sha256(body).hexdigest()
    if sha256 is None:
        raise InputError(url, f"has sha256 {found}", do="read the file; if it is what you want, add --sha256 with that hash; nothing was written")
    if found != sha256.lower():
        raise InputError(url, f"has sha256 {found}", expected=f"{sha256.lower()} was expected", do="nothing was written")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(url, f"is not UTF-8 text (byte {error.start})") from None
    return parse_suite(text, Path(PurePosixPath(unquote(parts.path)).name or "suite.yaml"))


def write_suite(path: Path, suite: Suite, *, source: str, force: bool = False) -> None:
    """Write a suite as YAML, with where it is from.

    Raises:
        RunExists: the file is there, and `force` is not given.
    """
    if path.exists() and not force:
        raise RunExists(path, "is there already", do="name another with -o, or write over it with --force")
    questions = [
        {"id": q.id} | ({"tags": list(q.tags)} if q.tags else {}) | ({"system": q.system} if q.system is not None else {}) | {"text": q.text}
        for q in suite.questions
    ]  # fmt: skip
    body = to_yaml({"id": suite.id, "title": suite.title, "questions": questions})
    write_text(path, f"{yaml_comment(f'From {source}.')}{body}")
