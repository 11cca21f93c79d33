"""Write texts and stacks once, and documents again whenever they change.

No lock: numbers come from counters and queues whose steps are single ones of the interpreter, so that a thread, a
signal handler or a finalizer can come between any two lines. Two that write the same at once write it twice.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from typing import NamedTuple

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.file import BlackBoxFile
from poolwitness.guards import let_pass
from poolwitness.model.records import Frame, Stack


class Supply:
    """The numbers of a table's records: those given back first, then those never used."""

    def __init__(self, table: layout.Table) -> None:
        self.back: deque[int] = deque()
        self._fresh = itertools.count(1)
        self._count = table.records

    def take(self) -> int:
        """A number that is not in use; 0 if there is none."""
        try:
            return self.back.popleft()
        except IndexError as error:
            let_pass(error)
            number = next(self._fresh)
            return number if number < self._count else 0


class _Document(NamedTuple):
    generation: int
    check: int
    chain: list[int]


class Writer:
    """What one process writes into its black box."""

    def __init__(self, file: BlackBoxFile) -> None:
        self.file = file
        self.write_bytes = file.write
        self.holders = Supply(layout.HOLDERS)
        self.dropped: Counter[str] = Counter()
        self._generations = itertools.count(1)
        self._cells = Supply(layout.CELLS)
        self._frame_numbers = Supply(layout.FRAMES)
        self._stack_numbers = Supply(layout.STACKS)
        self._texts: dict[str, int] = {}
        self._frames: dict[tuple[int, int, int, str, int], int] = {}
        self._stacks: dict[tuple[int, int], int] = {}
        # By subject; more than one document only for a moment.
        self._documents: dict[int, deque[_Document]] = {}

    def drop(self, what: str) -> None:
        """Count what had no room, in the file."""
        self.dropped[what] += 1
        at = layout.DROPPED_AT + layout.DROPPED.index(what) * layout.COUNT.size
        self.write_bytes(at, layout.COUNT.pack(min(self.dropped[what], 2**32 - 1)))

    # documents

    def generation(self) -> int:
        """A number for a document, to be taken before its facts are read: the highest one counts."""
        return next(self._generations)

    @property
    def subjects(self) -> int:
        """How many subjects have a document."""
        return len(self._documents)

    def has(self, subject: int) -> bool:
        """Whether a subject has a document."""
        return bool(self._documents.get(subject))

    def write(self, subject: int, generation: int, data: bytes) -> bool:
        """Write a document, unless it is unchanged, and free the older one; False if there is no room."""
        check = layout.check_of(data)
        newest = max(self._documents.get(subject, deque()).copy(), default=None)
        if newest is not None and newest.check == check:
            return True
        chain = self._chain(layout.DOCUMENT, data, subject, generation)
        if chain is None:
            return False
        written = self._documents.setdefault(subject, deque())
        written.append(_Document(generation, check, chain))
        # Of any two the older one is freed, whichever thread does it: the newest cannot be lost.
        while len(written) > 1:
            try:
                one = written.popleft()
            except IndexError as error:  # another thread was quicker
                let_pass(error)
                break
            try:
                other = written.popleft()
            except IndexError as error:
                let_pass(error)
                written.append(one)
                break
            older, newer = sorted((one, other))
            written.append(newer)
            self._free(older.chain)
        return True

    def erase(self, subject: int) -> None:
        """Free a subject's document."""
        written = self._documents.pop(subject, None)
        while written:
            try:
                self._free(written.popleft().chain)
            except IndexError as error:  # another thread was quicker
                let_pass(error)
                break

    # texts and stacks

    def text(self, text: str) -> int:
        """The number of a text, written if it is new; 0 if there is no room."""
        known = self._texts.get(text)
        if known is not None:
            return known
        chain = self._chain(layout.TEXT, text[: layout.LONGEST_TEXT].encode("utf-8", "surrogatepass"), 0, 0)
        if chain is None:
            self.drop("texts")
            return 0
        return self._texts.setdefault(text, chain[0])

    def stack(self, stack: Stack | None) -> int:
        """The number of a stack, written if it is new; 0 for none, or if there is no room."""
        if stack is None or not stack.frames:
            return 0
        inner = origin = 0
        for frame in reversed(stack.frames[: layout.MOST_FRAMES]):
            inner = self._frame(frame, inner)
            if not inner:
                self.drop("stacks")
                return 0
            if frame == stack.origin:
                origin = inner
        known = self._stacks.get((inner, origin))
        if known is not None:
            return known
        number = self._stack_numbers.take()
        if not number:
            self.drop("stacks")
            return 0
        check = layout.check_of(layout.STACK_DATA.pack(inner, origin))
        self.write_bytes(layout.STACKS.at(number), layout.STACK.pack(inner, origin, check, layout.VALID))
        return self._stacks.setdefault((inner, origin), number)

    def _frame(self, frame: Frame, caller: int) -> int:
        file, function = self.text(frame.file), self.text(frame.function)
        key = (file, function, frame.line, frame.kind, caller)
        known = self._frames.get(key)
        if known is not None:
            return known
        number = self._frame_numbers.take() if file and function else 0
        if not number:
            return 0
        line = frame.line if 0 <= frame.line < 2**32 else 0
        kind = layout.KINDS.index(frame.kind)
        check = layout.check_of(layout.FRAME_DATA.pack(file, function, line, caller, kind))
        frame_bytes = layout.FRAME.pack(file, function, line, caller, kind, check, layout.VALID)
        self.write_bytes(layout.FRAMES.at(number), frame_bytes)
        return self._frames.setdefault(key, number)

    # chains of cells

    def _chain(self, kind: int, data: bytes, subject: int, generation: int) -> list[int] | None:
        if len(data) > layout.LONGEST:
            return None
        check = layout.check_of(data, layout.check_of(layout.HEAD_DATA.pack(len(data), subject, generation)))
        rest = layout.HEAD.pack(len(data), check, subject, generation) + data
        parts = [rest[start : start + layout.CELL_ROOM] for start in range(0, len(rest), layout.CELL_ROOM)]
        chain = [self._cells.take() for _ in parts]
        if not all(chain):
            self._cells.back.extend(number for number in chain if number)
            return None
        for index in range(len(chain) - 1, -1, -1):
            following = chain[index + 1] if index + 1 < len(chain) else 0
            # A cell lies within one page, so a kill cannot cut its write; the head's state is a write of its own.
            state = layout.MORE if index else layout.FREE
            cell = layout.CELL.pack(following, len(parts[index]), state) + parts[index]
            self.write_bytes(layout.CELLS.at(chain[index]), cell)
        self.write_bytes(layout.CELLS.at(chain[0]) + layout.CELL_STATE, bytes([kind]))
        return chain

    def _free(self, chain: list[int]) -> None:
        self.write_bytes(layout.CELLS.at(chain[0]) + layout.CELL_STATE, bytes([layout.FREE]))
        self._cells.back.extend(chain)
