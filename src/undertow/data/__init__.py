"""Training rows and the mixes that are made of them."""

from undertow.data.mixes import Mix, Part, build_mix
from undertow.data.rows import NumberedRow, Row, Skipped, chat, no_rows, read_rows, stream_lines, stream_rows, write_rows

__all__ = ["Mix", "NumberedRow", "Part", "Row", "Skipped", "build_mix", "chat", "no_rows", "read_rows", "stream_lines", "stream_rows", "write_rows"]
