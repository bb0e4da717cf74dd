"""Training rows and the mixes that are made of them."""

from undertow.data.mixes import Mix, Part, build_mix
from undertow.data.rows import NumberedRow, Row, no_rows, read_rows, stream_rows, write_rows

__all__ = ["Mix", "NumberedRow", "Part", "Row", "build_mix", "no_rows", "read_rows", "stream_rows", "write_rows"]
