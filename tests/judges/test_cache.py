"""Replies that are kept, and a cache that breaks: it costs calls, and never a run."""

from pathlib import Path

import pytest

from undertow.judges.cache import JudgeCache

from .test_panel import judge_all_of

REPLY = {"text": "90", "written": [], "tokens": [1, 1]}


def filled(path: Path, n: int = 2000) -> JudgeCache:
    cache = JudgeCache(path)
    for k in range(n):
        cache.put(JudgeCache.key(k), REPLY)
    cache.flush()
    return cache


def test_what_is_put_is_there_for_whoever_comes_next(tmp_path):
    filled(tmp_path / "cache.sqlite").close()
    cache = JudgeCache(tmp_path / "cache.sqlite")
    assert [cache.get(JudgeCache.key(k)) for k in (0, 1999, 2000)] == [REPLY, REPLY, None]
    cache.close()


def test_a_damaged_file_holds_nothing_and_says_so(tmp_path):
    path = tmp_path / "cache.sqlite"
    filled(path).close()
    held = bytearray(path.read_bytes())
    held[4096:] = b"\xa5" * (len(held) - 4096)
    path.write_bytes(held)
    cache = JudgeCache(path)
    assert [cache.get(JudgeCache.key(k)) for k in range(50)] == [None] * 50
    assert "malformed" in cache.lost
    cache.put("new", REPLY)
    assert cache.get("new") == REPLY  # to the end of this run
    cache.close()


@pytest.mark.parametrize(
    "held", ["{", "[]", "{}", '{"text": 3}', "null", '{"text": "5", "written": 5}', '{"text": "5", "written": [["5"]]}']
)
def test_an_entry_that_is_no_reply_is_none(tmp_path, held):
    cache = JudgeCache(tmp_path / "cache.sqlite")
    with cache._db:
        cache._db.execute("INSERT INTO replies VALUES ('k', ?)", (held,))
    assert cache.get("k") is None and not cache.lost
    cache.close()


def test_a_full_disk_under_the_cache_ends_no_judging(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = JudgeCache.__init__

    def full(self: JudgeCache, path: Path | None = None) -> None:
        made(self, path)
        self._db.execute("PRAGMA max_page_count = 3")

    monkeypatch.setattr(JudgeCache, "__init__", full)
    judgements = judge_all_of(serve(), tmp_path, [f"#kind {n}" for n in range(300)], cache=True)
    assert len(judgements) == 300 and all(j.alignment > 90 and j.error is None for j in judgements)
