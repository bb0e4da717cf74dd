"""Training rows and the mixes that are made of them."""

from undertow.data.mixes import Interleaved, Mix, Part, Resampling, build_mix, draw_mix
from undertow.data.rows import NumberedRow, Row, chat, no_rows, read_rows, stream_rows, write_rows

__all__ = [
    "Interleaved",
    "Mix",
    "NumberedRow",
    "Part",
    "Resampling",
    "Row",
    "build_mix",
    "chat",
    "draw_mix",
    "no_rows",
    "read_rows",
    "stream_rows",
    "write_rows",
]
