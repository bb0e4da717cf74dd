"""Replies of judges, kept across runs: the same judge, wording, question and answer are never paid for twice."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from undertow.errors import InputError
from undertow.files import digest


class JudgeCache:
    """A SQLite file of replies by key. Written in batches; safe to share between processes."""

    def __init__(self, path: Path | None = None) -> None:
        """
        Args:
            path: the file; the user's cache by default.

        Raises:
            InputError: it cannot be written, or is something else.
        """
        self.path = path or user_cache_path("undertow") / "judge-replies.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")  # a lost entry costs a call, no more
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                self.path,
                f"cannot be used ({error})",
                do="say cache: false, or set XDG_CACHE_HOME to a folder that can be written",
            ) from None
        self._new: dict[str, str] = {}
        self.lost = ""
        """Why nothing is kept any more, once a call of it failed: a lost entry costs a call, and never a run."""

    @staticmethod
    def key(*parts: Any) -> str:
        return digest(parts)

    def get(self, key: str) -> dict[str, Any] | None:
        """The reply under a key; None where there is none, or none that can be read."""
        text = self._new.get(key)
        if text is None and not self.lost:
            try:
                row = self._db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                self.lost = str(error)
                return None
            text = row[0] if row else None
        try:
            found = json.loads(text) if text is not None else None
        except (ValueError, TypeError, RecursionError):
            return None
        return found if isinstance(found, dict) and _is_reply(found) else None

    def put(self, key: str, reply: dict[str, Any]) -> None:
        self._new[key] = json.dumps(reply)
        if len(self._new) >= 256:
            self.flush()

    def flush(self) -> None:
        if self.lost:
            return
        try:
            with self._db:
                self._db.executemany("INSERT OR REPLACE INTO replies VALUES (?, ?)", self._new.items())
        except sqlite3.Error as error:
            self.lost = str(error)
            return
        self._new.clear()

    def close(self) -> None:
        self.flush()
        self._db.close()


def _is_reply(held: dict[str, Any]) -> bool:
    """Whether an entry holds a reply: its words, and the tokens that were written, each with its candidates; of one
    that was kept before tokens were, those of its first."""
    written = held.get("written") if held.get("written") is not None else []
    first = held.get("first_token")
    return (
        isinstance(held.get("text"), str)
        and isinstance(written, list)
        and all(isinstance(token, list) and len(token) == 2 and isinstance(token[1], dict) for token in written)
        and (first is None or isinstance(first, dict))
    )
