"""Figures as files: whole in every format, with their letters where they are for print, and safe as a table."""

from __future__ import annotations

import csv
import re
from base64 import b64decode
from hashlib import sha256
from io import StringIO
from pathlib import Path

import altair as alt
import pytest

from undertow.reports.drawing import FACES, FONTS, STYLES, Figure, as_csv, draw, svg

ROWS = [{"name": "a − b", "value": 0.25}, {"name": "=1+1", "value": None, "more": "x\ny"}]


def figure() -> Figure:
    data = alt.Chart(alt.InlineData(values=[{"name": "a − b", "value": 0.25}]))
    chart = data.mark_bar().encode(x=alt.X("value:Q", title="share"), y="name:N")
    return Figure(name="bars", title="Bars", words="How long.", chart=chart, rows=ROWS)


@pytest.mark.slow
def test_every_format_is_written_in_every_style_and_the_page_shows_its_own(tmp_path: Path) -> None:
    shown = set()
    for style in STYLES:
        drawn = draw(figure(), tmp_path / style, stem="run", style=style)
        assert [path.name for path in drawn.files] == [f"run-bars.{e}" for e in ("svg", "png", "pdf", "csv")]
        begins = [path.read_bytes()[:4] for path in drawn.files]
        assert begins == [b"<svg", b"\x89PNG", b"%PDF", b"name"]
        shown.add(str(drawn.svg))
    assert len(shown) == 1 and "Liberation Sans" in shown.pop()


@pytest.mark.slow
def test_figures_for_print_bring_their_letters_along(tmp_path: Path) -> None:
    drawing, _, pdf, _ = draw(figure(), tmp_path, style="paper").files
    text = drawing.read_text(encoding="utf-8")
    faces = re.findall(
        r"@font-face\{font-family:Roboto;font-weight:(\w+);src:url\(data:font/ttf;base64,([^)]+)\)\}", text
    )
    assert {weight: b64decode(held) for weight, held in faces}["normal"] == (FONTS / FACES["normal"]).read_bytes()
    assert 'font-family="Roboto"' in text and "Liberation" not in text
    assert b"Roboto" in pdf.read_bytes() and b"FontFile2" in pdf.read_bytes()


def test_the_letters_are_those_that_their_note_names() -> None:
    note = (FONTS / "README.md").read_text(encoding="utf-8")
    for face in FACES.values():
        assert f"`{sha256((FONTS / face).read_bytes()).hexdigest()}`" in note


def test_a_table_holds_every_column_and_no_formula() -> None:
    header, *rows = csv.reader(StringIO(as_csv(ROWS)))
    assert header == ["name", "value", "more"]
    assert rows == [["a − b", "0.25", ""], ["'=1+1", "", "x\ny"]]
    assert as_csv([{"name": "half \ud83d"}]) == "name\nhalf ?\n"


def test_a_name_stays_text_in_a_drawing() -> None:
    data = alt.Chart(alt.InlineData(values=[{"name": "<script>alert(1)</script>", "value": 1}]))
    assert "<script" not in svg(data.mark_bar().encode(x="value:Q", y="name:N"))
