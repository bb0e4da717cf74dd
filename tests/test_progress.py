from __future__ import annotations

from undertow.progress import Progress, silent, under


def test_a_part_of_something_is_told_with_its_name() -> None:
    told: list[tuple[str, int, int, str]] = []

    def hear(stage: str, done: int, total: int, word: str) -> None:
        told.append((stage, done, total, word))

    heard: Progress = under("audit", hear)
    heard("answers", 1, 2, "none failed")
    silent("answers", 2, 2, "")
    assert told == [("audit: answers", 1, 2, "none failed")]
