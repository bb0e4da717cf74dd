"""What a page holds of its answers, and its one script."""

from __future__ import annotations

import json

from undertow.reports.explorer import BROWSER, LONGEST, AnswerView, embedded, script

NASTY = "</script><!--<script>\u2028& <b>half \ud83d"


def view(**more: object) -> AnswerView:
    held = {"question": "q", "question_text": NASTY, "context": "plain", "outcome": "aligned", "alignment": 90.0}
    return AnswerView(**{**held, "text": NASTY, **more})  # type: ignore[arg-type]


def test_answers_stand_in_the_page_without_a_tag_and_come_back_whole() -> None:
    held = embedded({"a<b": [view(), view(context="code", outcome="misaligned", alignment=None)]}, {"plain": "plain"})
    assert held is not None and not set("<>&\u2028") & set(held)
    found = json.loads(held)
    assert found["run"] == ["a<b"] and found["context"] == ["plain", "code"] and found["relation"] == ["plain", ""]
    assert found["outcome"] == ["aligned", "misaligned"]
    assert found["asked"]["a<b"]["q"] == NASTY.replace("\ud83d", "?")
    first, second = found["rows"]
    assert first[8] == NASTY.replace("\ud83d", "?") and (first[4], second[4]) == (90.0, None)
    assert (second[1], second[3]) == (1, 1)


def test_a_very_long_answer_is_cut_and_says_by_how_much() -> None:
    (row,) = json.loads(embedded({"a": [view(text="x" * (LONGEST + 7))]}, {}) or "")["rows"]
    assert len(row[8]) == LONGEST and row[11] == 7


def test_a_page_without_answers_holds_none() -> None:
    assert embedded({"a": []}, {}) is None


def test_the_script_is_its_parts_and_makes_text_of_what_it_shows() -> None:
    text = str(script())
    assert "import " not in text.replace("// ", "") and "\nexport" not in text and "</" not in text
    for part in BROWSER.glob("*.js"):
        for never in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "srcdoc"):
            assert never not in part.read_text(encoding="utf-8"), f"{part.name}: {never}"
