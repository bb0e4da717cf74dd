"""Figures as files: SVG, PNG and PDF of one Altair specification, and the data behind it as CSV. vl-convert draws them,
with neither browser nor network.

Colours are fixed values in the figure; the page's style sheet maps each of them to its light or dark token.
"""

from __future__ import annotations

import csv
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, Literal, get_args

import altair as alt
from markupsafe import Markup

from undertow.files import write_bytes, write_text
from undertow.tables import guarded

Style = Literal["page", "paper"]
"""How figures are drawn: `page` in the colours and letters of the pages; `paper` in black on white, its letters
embedded."""
STYLES: tuple[Style, ...] = get_args(Style)

INK, SOFT, LINE, CARD = "#20252e", "#5d6673", "#e4e2dc", "#ffffff"
X_AT: Any = alt.XValue
"""A place in pixels; of `alt.value`, all of Altair's classes would be gone through."""
Y_AT: Any = alt.YValue
LETTERS = {"page": "Liberation Sans, Helvetica, Arial, sans-serif", "paper": "Roboto"}
FONTS = Path(__file__).parent / "fonts"
FACES = {"normal": "Roboto-Regular.ttf", "bold": "Roboto-Bold.ttf"}
"""By weight; Apache-2.0, cut to Latin and Greek letters (fonts/README.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure before it is drawn."""

    name: str
    """Of its files."""
    title: str
    words: str
    """How to read it."""
    chart: Any
    """Altair's."""
    rows: Sequence[Mapping[str, Any]]
    """What it shows, as its CSV holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A figure as the page shows it, and its files."""

    title: str
    words: str
    svg: Markup
    """As vl-convert draws it, which escapes the text that it sets."""
    files: tuple[Path, ...]


def draw(figure: Figure, folder: Path, *, stem: str = "", style: Style = "page") -> Drawn:
    """Write a figure's files, each whole or not at all: `<stem>-<name>.svg|png|pdf|csv`.

    Args:
        stem: what their names begin with.
        style: of the files; what the page shows is always in its own.
    """
    import vl_convert

    at = folder / (f"{stem}-{figure.name}" if stem else figure.name)
    shown = clean(svg(figure.chart))
    drawing = shown if style == "page" else clean(svg(figure.chart, style))
    files = [at.with_name(f"{at.name}{ending}") for ending in (".svg", ".png", ".pdf", ".csv")]
    write_text(files[0], drawing if style == "page" else _with_letters(drawing))
    write_bytes(files[1], vl_convert.svg_to_png(_on_white(drawing), scale=2))
    write_bytes(files[2], vl_convert.svg_to_pdf(drawing))
    write_text(files[3], as_csv(figure.rows))
    return Drawn(title=figure.title, words=figure.words, svg=Markup(shown), files=tuple(files))


def svg(chart: Any, style: Style = "page") -> str:
    """A figure as SVG text, transparent, to stand inside a page."""
    import vl_convert

    if style == "paper":
        _know_letters()
    spec = styled(chart, style).to_dict(validate=False, context={"pre_transform": False})
    drawing: str = vl_convert.vegalite_to_svg(spec, vl_version=".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2]))
    return drawing


def styled(chart: Any, style: Style = "page") -> Any:
    """A figure in the type and colours of a style."""
    ink, soft, line = (INK, SOFT, LINE) if style == "page" else ("#000000", "#333333", "#dddddd")
    return chart.properties(background="transparent", padding=6).configure(
        font=LETTERS[style],
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=ink,
            titleColor=soft,
            titleFontWeight="normal",
            titleFontSize=12,
            gridColor=line,
            labelFontSize=11.5,
        ),
        legend=alt.LegendConfig(labelColor=ink, titleColor=soft, titleFontWeight="normal"),
        header=alt.HeaderConfig(labelColor=ink, titleColor=soft),
        title=alt.TitleConfig(color=ink, fontSize=13, anchor="start"),
    )


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV, in the columns of all of them; text that a spreadsheet would take for a formula is guarded."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    held = StringIO()
    out = csv.writer(held, lineterminator="\n")
    out.writerow(columns)
    for row in rows:
        cells = (row.get(name) for name in columns)
        out.writerow([guarded(clean(cell)) if isinstance(cell, str) else cell for cell in cells])
    return held.getvalue()


def clean(text: str) -> str:
    """Text that UTF-8 can hold: a model's half emoji is a lone surrogate."""
    return text.encode("utf-8", "replace").decode("utf-8")


@cache
def _know_letters() -> None:
    import vl_convert

    vl_convert.register_font_directory(str(FONTS))


def _with_letters(drawing: str) -> str:
    """A drawing that brings its letters along, so that it looks the same wherever it is opened."""
    faces = "".join(
        f"@font-face{{font-family:Roboto;font-weight:{weight};"
        f"src:url(data:font/ttf;base64,{b64encode((FONTS / face).read_bytes()).decode()})}}"
        for weight, face in FACES.items()
        if weight == "normal" or 'font-weight="bold"' in drawing
    )
    root, _, _ = _size(drawing)
    return drawing.replace(root, f"{root}<style>{faces}</style>", 1)


def _on_white(drawing: str) -> str:
    root, width, height = _size(drawing)
    return drawing.replace(root, f'{root}<rect width="{width}" height="{height}" fill="white"/>', 1)


def _size(drawing: str) -> tuple[str, str, str]:
    """A drawing's first tag, its width and its height."""
    found: tuple[str, str, str] = re.findall(r'^(<svg [^>]*width="([^"]+)" height="([^"]+)"[^>]*>)', drawing)[0]
    return found
