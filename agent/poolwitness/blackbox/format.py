"""The layout of a black box, version 1; docs/blackbox.md describes it for people.

All numbers are little-endian. Records are numbered from 1; 0 means none. Where a state stands in a record it is its
last field that is written: a record is valid or invisible whenever its writer is killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from zlib import crc32

MAGIC = b"PWBOX\x00\r\n"
VERSION = 1
SUFFIX = ".pwbox"


@dataclass(frozen=True, slots=True)
class Table:
    """Records of one size, one after the other."""

    offset: int
    count: int
    size: int

    @property
    def end(self) -> int:
        """Where the next table begins."""
        return self.offset + self.count * self.size

    def at(self, number: int) -> int:
        """Where a record begins."""
        return self.offset + number * self.size


# magic, version, file size, pid, pid namespace, start of the process, boot, made at (epoch), made at (monotonic), and
# offset, count and record size of each table
HEADER = Struct("<8sHxxIIQQ16sdd12I")
HEADER_CHECK = Struct("<I")
HEADER_ROOM = 4096

# The mutable part of the header, outside its checksum.
DONE_AT = 512
DONE = 0x5A
ANCHOR = Struct("<dd")  # one moment by the monotonic clock and by the epoch
ANCHORS_AT = (520, 536)
ANCHOR_CHOICE_AT = 552
DROPPED = ("pools", "checkouts", "requests", "stacks", "texts")
DROPPED_AT = 560
COUNT = Struct("<I")

# Holders come first, so that a holder's offset is small enough for a scratch buffer: record 0 is never read.
HOLDERS = Table(HEADER_ROOM, 4096, 96)
FRAMES = Table(HOLDERS.end, 8192, 24)
STACKS = Table(FRAMES.end, 4096, 16)
CELLS = Table(STACKS.end, 16384, 128)
SIZE = CELLS.end

# A checkout or a waiting request: what changes each time, in one piece, its state last.
HOLD = Struct("<40sdIB")  # who has it or waits for it, since when (monotonic), where (stack), state
NAME_ROOM = 40
STATE = 52
IDENTITY = Struct("<IQ")  # pool, checkout
IDENTITY_AT = 56
SEEN = Struct("<ddB")  # the sweep's: for the hold of this since, last seen at work, and how it stood
SEEN_AT = 72
SEEN_GONE = 0x80  # the holder had ended
STATUSES = ("unknown", "idle", "active", "idle in transaction", "in failed transaction", "closed")

# States differ in four bits at the least, so that no single bit that flips makes one into another.
IN = 0x00
TAKEN_BY_THREAD = 0x0F
TAKEN_BY_TASK = 0x33
LOST_BY_THREAD = 0x3C
LOST_BY_TASK = 0x55
LOST_CLOSED_BY_THREAD = 0x5A
LOST_CLOSED_BY_TASK = 0x66
WAITING_THREAD = 0x69
WAITING_TASK = 0x96

# One frame and who called it: stacks that end alike share what they share.
FRAME = Struct("<IIIIBIB")  # file and function (texts), line, caller (frame), kind, check, state
FRAME_DATA = Struct("<IIIIB")  # what is checked
KINDS = ("application", "installed", "stdlib", "psycopg", "agent")
MOST_FRAMES = 64

STACK = Struct("<IIIB")  # innermost frame, frame of the origin, check, state
STACK_DATA = Struct("<II")
VALID = 0x5A

# Texts and documents lie in chains of cells.
CELL = Struct("<IB")  # next cell, bytes of data here
CELL_STATE = 5
CELL_DATA = 8
CELL_ROOM = CELLS.size - CELL_DATA
HEAD = Struct("<IIIQ")  # length, check, subject, generation
HEAD_DATA = Struct("<IIQ")  # length, subject, generation: checked with the bytes that follow
FREE = 0x00
TEXT = 0x0F
DOCUMENT = 0x33
MORE = 0x3C
LONGEST = 32 * 1024  # bytes
LONGEST_TEXT = 4096  # characters

# Subjects of documents: a pool's id, or the process itself.
PROCESS = 0


def check_of(data: bytes, start: int = 0) -> int:
    """The checksum of some bytes: CRC-32."""
    return crc32(data, start)


def tables() -> tuple[int, ...]:
    """The shape of this version's tables, as the header has it."""
    shape: list[int] = []
    for table in (HOLDERS, FRAMES, STACKS, CELLS):
        shape += (table.offset, table.count, table.size)
    return tuple(shape)
