"""What a program acknowledges, in a mapping of its own: it survives the kill that the black box is to survive."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

# What a hand does, before and after each call: between two of these the black box may say either.
NOTHING, ASKING, HAS, GIVING_BACK = range(4)
MAKING, MADE, CLOSING = ASKING, HAS, GIVING_BACK

_PAGE = struct.Struct("<40s40sI")
_ROOM = 96
_STATE = 95
MOST = 64


@dataclass(frozen=True)
class Page:
    """One hand: a thread, or a pool that somebody makes and closes."""

    state: int
    name: str
    pool: str
    line: int


class Journal:
    """Pages that are written by one hand each."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        if fresh:
            path.write_bytes(bytes(MOST * _ROOM))
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), MOST * _ROOM)

    def write(self, page: int, state: int, name: str = "", pool: str = "", line: int = 0) -> None:
        """Say what a hand does now; with a name, also who it is and where."""
        at = page * _ROOM
        if name:
            self.map[at + _STATE] = NOTHING
            _PAGE.pack_into(self.map, at, name.encode(), pool.encode(), line)
        self.map[at + _STATE] = state

    def read(self) -> list[Page]:
        """The pages as they were left."""
        pages = []
        for page in range(MOST):
            name, pool, line = _PAGE.unpack_from(self.map, page * _ROOM)
            state = self.map[page * _ROOM + _STATE]
            pages.append(Page(state, name.rstrip(b"\0").decode(), pool.rstrip(b"\0").decode(), line))
        return [page for page in pages if page.name]
