"""Published rows of a domain, in the formats that they are published in, as chat rows of ours.

Two formats: chat JSONL (one part a file), and columns `prompt`, `aligned` and `misaligned` (both parts in one table) as
JSONL, CSV, Parquet or a data set on the hub. Which of the two a row has shows in the row. Rows come one at a time, so a
file may be larger than memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from undertow.data.domains.cards import Domain, HubSource, Quality, WebSource
from undertow.data.rows import Row, chat
from undertow.errors import InputError
from undertow.files import checked_hash, download, file_digest, public, reading
from undertow.tables import Skipped, in_line, installed, records, stream_lines

PROMPT = "prompt"
ANSWER: Mapping[Quality, str] = {"bad": "misaligned", "benign": "aligned"}
"""Columns of a table of pairs."""

LARGEST = 20_000_000_000
"""Bytes of a download at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Rows, and where they are from."""

    rows: Iterator[Row]
    origin: Mapping[str, str]
    """What would bring the same rows again: a file or URL with its hash, or a data set with its revision."""


@contextmanager
def published(
    domain: Domain,
    quality: Quality,
    *,
    source: str | None = None,
    sha256: str | None = None,
    revision: str | None = None,
    skipped: Skipped | None = None,
) -> Iterator[Published]:
    """The published rows of a domain, or of its benign twin.

    Args:
        source: a file, or a URL with a pinned hash, in place of where the card says that they are.
        sha256: hash that the file must have; a URL needs one.
        revision: commit of the data set on the hub; the hub needs one.
        skipped: called for each bad row, in place of raising.

    Raises:
        InputError: no such rows are known, what holds them cannot be read, or (while they are read) a row is bad; names
        the line. MissingExtra: they need `datasets` or `pyarrow`, which is not installed.
    """
    found = source or _default(domain, quality)
    if isinstance(found, HubSource):
        if sha256:
            raise InputError(
                "--sha256", f"{found.dataset} is on the hub", expected="a data set there is pinned by --revision"
            )
        commit = _checked(revision, found.dataset)
        origin = {"dataset": found.dataset, "config": found.config, "split": found.split, "revision": commit}
        yield Published(rows=_chats(_hub(found, commit), quality, skipped), origin=origin)
    elif revision:
        raise InputError("--revision", f"{found} is a file", expected="a file is pinned by --sha256")
    elif "://" in found:
        with TemporaryDirectory(prefix="undertow-") as folder:
            path = Path(folder) / (PurePosixPath(unquote(urlsplit(found).path)).name or "rows.jsonl")
            with path.open("wb") as stream:
                download(found, stream, sha256=sha256, most=LARGEST)
            yield Published(
                rows=_file(path, public(found), quality, skipped),
                origin={"url": public(found), "sha256": str(checked_hash(sha256))},
            )
    else:
        path, expected = Path(found), checked_hash(sha256)
        with reading(path):
            hash_ = file_digest(path)
        if expected not in (None, hash_):
            raise InputError(path, f"has sha256 {hash_}", expected=f"{expected} was expected", do="nothing was written")
        yield Published(rows=_file(path, found, quality, skipped), origin={"file": found, "sha256": hash_})


def _default(domain: Domain, quality: Quality) -> HubSource | str:
    """Where the card says that the rows are, if they can be had without the user's help."""
    for source in domain.sources:
        if isinstance(source, HubSource):
            return source
        if isinstance(source, WebSource) and quality in source.urls:
            return source.urls[quality]
    for source in domain.sources:
        if source.kind == "file" and quality in source.files:
            locked = f"{source.files[quality]} lies in an encrypted archive, {source.archive} of {source.page}"
            raise InputError(domain.id, locked, do="open the archive as its README says, and pass the file with --from")
    what = "no benign twin" if quality == "benign" else "no data"
    raise InputError(
        domain.id,
        f"{what} known to be published",
        do=f"write some with a model (undertow data generate {domain.id}), or pass a file of yours with --from",
    )


def _checked(revision: str | None, dataset: str) -> str:
    """A commit of a data set on the hub.

    Raises:
        InputError: none is given, or a name that may move (a branch, a tag); tells the commit that the data set is at.
    """
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    hub = installed("huggingface_hub", "the Hugging Face hub")
    try:
        commit = hub.HfApi().dataset_info(dataset, revision=revision).sha
    except Exception as error:  # the network and the hub each fail in ways of their own
        raise InputError(
            dataset,
            f"cannot be looked up on the hub ({in_line(error)})",
            do="check the network and --revision, or pass a local copy with --from",
        ) from None
    at = f"is at {commit}" if revision is None else f"{revision!r} is no commit; it is at {commit}"
    raise InputError(
        dataset, at, expected="a data set on the hub is pinned by its commit", do=f"add --revision {commit}"
    )


def _file(path: Path, name: str, quality: Quality, skipped: Skipped | None) -> Iterator[Row]:
    """Rows of a file, which errors call `name`."""
    if path.suffix.lower() in (".csv", ".parquet"):
        return _chats(records(path, name=name), quality, skipped)
    return stream_lines(path, lambda raw, where, _: published_row(raw, quality, where), skipped=skipped, name=name)


def _chats(records: Iterable[tuple[str, Any]], quality: Quality, skipped: Skipped | None) -> Iterator[Row]:
    """Records, each with where it stands, as chats."""
    for where, raw in records:
        try:
            row = published_row(raw, quality, where)
        except InputError as error:
            if skipped is None:
                raise
            skipped(error)
            continue
        yield row


def _hub(source: HubSource, commit: str) -> Iterator[tuple[str, Any]]:
    where = f"{source.dataset}/{source.config}"
    datasets = installed("datasets", "the Hugging Face hub (datasets)")
    datasets.disable_progress_bars()
    # each retry would print two lines
    installed("huggingface_hub.utils.logging", "the Hugging Face hub").set_verbosity_error()
    try:
        for n, raw in enumerate(
            datasets.load_dataset(source.dataset, source.config, split=source.split, revision=commit, streaming=True),
            start=1,
        ):
            yield f"{where}: row {n}", raw
    except Exception as error:  # the network, the hub and Arrow each fail in ways of their own
        do = "check the network; a gated data set needs consent on its page, then: huggingface-cli login"
        raise InputError(where, f"cannot be read ({in_line(error)})", do=do) from None


def published_row(raw: Any, quality: Quality, where: str) -> Row:
    """A row in either format as a chat.

    Raises:
        InputError: it has neither, or lacks its question or its answer; names `where`.
    """
    if isinstance(raw, dict) and "messages" in raw:
        return chat(raw, where)
    columns = (PROMPT, ANSWER[quality])
    if not isinstance(raw, dict) or not set(columns) & set(raw):
        raise InputError(
            where,
            "has neither 'messages' nor a question and an answer",
            expected=f"the columns are {' and '.join(map(repr, columns))}",
        )
    for column in columns:
        text = raw.get(column)
        if not isinstance(text, str) or not text.strip():
            raise InputError(
                where,
                f"{column!r} has no text",
                expected="a string that is not empty",
                do="mend or drop the row, or pass --skip-bad",
            )
    return chat(
        {
            "messages": [
                {"role": role, "content": raw[column]}
                for role, column in zip(("user", "assistant"), columns, strict=True)
            ]
        },
        where,
    )
