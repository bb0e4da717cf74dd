"""Training rows and the mixes that are made of them."""

from undertow.data.mixes import Mix, Part, build_mix
from undertow.data.rows import Row, read_rows, write_rows

__all__ = ["Mix", "Part", "Row", "build_mix", "read_rows", "write_rows"]
