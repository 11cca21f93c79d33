"""The format of a black box: how large a file is, and when a record becomes valid."""

from __future__ import annotations

import struct

import pytest

from poolwitness.blackbox import format as layout


@pytest.mark.parametrize("record", [layout.HOLD, layout.FRAME, layout.STACK])
def test_packing_clears_the_state_first_and_writes_it_last(record: struct.Struct) -> None:
    buffer = bytearray(b"\xff" * record.size)
    values: list[object] = [b"name" if kind == "s" else 1 for kind in record.format.lstrip("<").replace("40", "")]
    with pytest.raises(struct.error):
        record.pack_into(buffer, 0, *values[:-1], "no state")
    assert buffer[record.size - 1] == 0
    whole = bytearray(record.size)
    record.pack_into(whole, 0, *values[:-1], 0)
    assert buffer == whole


def test_the_size_of_a_file_is_what_the_documentation_says() -> None:
    assert layout.SIZE < 3_000_000
    assert layout.HOLDERS.end <= layout.FRAMES.offset < layout.FRAMES.end <= layout.STACKS.offset
    assert layout.STACKS.end <= layout.CELLS.offset < layout.CELLS.end == layout.SIZE
