"""The layout of a black box file, version 1, which docs/blackbox.md describes.

All numbers are little-endian. Records are numbered from 1; 0 means none. A record with a state is valid once its state
is written, which comes last: it is valid or invisible whenever its process is killed.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple
from zlib import crc32

MAGIC = b"PWBOX\x00\r\n"
VERSION = 1
SUFFIX = ".pwbox"


class Table(NamedTuple):
    """Records of one size, one after the other."""

    offset: int
    records: int
    size: int

    @property
    def end(self) -> int:
        """Where the next table begins."""
        return self.offset + self.records * self.size

    def at(self, number: int) -> int:
        """Where a record begins."""
        return self.offset + number * self.size


# magic, version, file size, pid, pid namespace, start of the process, boot, created at (epoch), created at (monotonic),
# and offset, count and record size of each table
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

HOLDERS = Table(HEADER_ROOM, 4096, 96)
FRAMES = Table(HOLDERS.end, 8192, 24)
STACKS = Table(FRAMES.end, 4096, 16)
CELLS = Table(STACKS.end, 16384, 128)
TABLES = (HOLDERS, FRAMES, STACKS, CELLS)
SIZE = CELLS.end

# A checkout or a waiting request: what changes each time, written at once, its state last.
HOLD = Struct("<40sdIB")  # holder or waiter, since when (monotonic), where (stack), state
NAME_ROOM = 40
STATE = 52
IDENTITY = Struct("<IQ")  # pool, checkout
IDENTITY_AT = 56
SEEN = Struct("<ddB")  # by the sweep: the hold's since, last seen active (monotonic), status
SEEN_AT = 72
SEEN_GONE = 0x80  # the holder had ended
STATUSES = ("unknown", "idle", "active", "idle in transaction", "in failed transaction", "closed")

# Any two states differ in at least four bits, so that no flipped bit turns one into another.
IN = 0x00
TAKEN_BY_THREAD = 0x0F
TAKEN_BY_TASK = 0x33
LOST_BY_THREAD = 0x3C
LOST_BY_TASK = 0x55
LOST_CLOSED_BY_THREAD = 0x5A
LOST_CLOSED_BY_TASK = 0x66
WAITING_THREAD = 0x69
WAITING_TASK = 0x96

# One frame and its caller: stacks that end alike share their outer frames.
FRAME = Struct("<IIIIBIB")  # file and function (texts), line, caller (frame), kind, check, state
FRAME_DATA = Struct("<IIIIB")  # what is checked
KINDS = ("application", "installed", "stdlib", "psycopg", "agent")
MOST_FRAMES = 64

STACK = Struct("<IIIB")  # innermost frame, frame of the origin, check, state
STACK_DATA = Struct("<II")
VALID = 0x5A

# Texts and documents lie in chains of cells.
CELL = Struct("<IBBxx")  # next cell, bytes of data here, state; the data follow
CELL_STATE = 5
CELL_ROOM = CELLS.size - CELL.size
HEAD = Struct("<IIIQ")  # length, check, subject, generation
HEAD_DATA = Struct("<IIQ")  # length, subject, generation: checked with the bytes that follow
FREE = 0x00
TEXT = 0x0F
DOCUMENT = 0x33
MORE = 0x3C
LONGEST = 32 * 1024  # bytes
LONGEST_TEXT = 4096  # characters

# The subject of the process's document; any other is a pool's id.
PROCESS = 0

check_of = crc32
SHAPE = tuple(number for table in TABLES for number in table)
