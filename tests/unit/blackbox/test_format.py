"""The format of a black box: its size, and what makes a record valid or invisible whenever its process is killed."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from poolwitness.blackbox import format as layout
from poolwitness.blackbox import identity
from poolwitness.blackbox.archive import Archive
from poolwitness.blackbox.file import BlackBoxFile
from poolwitness.blackbox.writer import Writer
from tests.unit.blackbox import raise_it

PAGE = 4096


def test_the_size_of_a_file_is_what_the_documentation_says() -> None:
    assert layout.SIZE == 2_756_608
    assert [table.offset for table in layout.TABLES] == [4096, 397_312, 593_920, 659_456]
    for table, following in zip(layout.TABLES, layout.TABLES[1:], strict=False):
        assert table.end == following.offset


@pytest.mark.parametrize("record", [layout.HOLD, layout.FRAME, layout.STACK])
def test_the_state_is_the_last_byte_of_a_write(record: struct.Struct) -> None:
    values = [b"name" if kind == "s" else 1 for kind in record.format.lstrip("<").replace("40", "")]
    first, second = record.pack(*values[:-1], 0), record.pack(*values[:-1], 0xFF)
    assert [at for at in range(record.size) if first[at] != second[at]] == [record.size - 1]


@pytest.mark.parametrize(
    ("table", "at", "size"),
    [
        (layout.HOLDERS, layout.SEEN_AT, layout.SEEN.size),
        (layout.CELLS, 0, layout.CELLS.size),
        *((layout.Table(0, 1, 0), at, layout.ANCHOR.size) for at in layout.ANCHORS_AT),
        (layout.Table(layout.DROPPED_AT, len(layout.DROPPED), layout.COUNT.size), 0, layout.COUNT.size),
    ],
)
def test_what_has_no_state_lies_within_one_page(table: layout.Table, at: int, size: int) -> None:
    for number in range(table.records):
        start = table.at(number) + at
        assert start // PAGE == (start + size - 1) // PAGE


def test_after_each_write_of_a_document_the_old_or_the_new_one_is_read(tmp_path: Path) -> None:
    file = BlackBoxFile(str(tmp_path), identity.own(), raise_it)
    writer = Writer(file)
    assert writer.write(7, writer.generation(), b"old" * 200)
    seen = []

    def write_and_read(at: int, data: bytes) -> None:
        file.write(at, data)
        content = Path(file.path).read_bytes()
        seen.append(Archive(content, len(content)).documents()[7][:3])

    writer.write_bytes = write_and_read
    for _ in range(20):  # until cells are used again
        writer.write(7, writer.generation(), b"new" * 250)
        writer.write(7, writer.generation(), b"old" * 200)
    assert set(seen) == {b"old", b"new"}
    assert seen[:7] == [b"old"] * 7  # seven cells, and then the state of the first
    assert seen[7] == b"new"
    file.finish()
    file.release()
