"""The bytes of a black box as texts, stacks and documents, each checked before it is believed."""

from __future__ import annotations

from struct import Struct

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.errors import Refused, Unfinished
from poolwitness.blackbox.identity import Identity
from poolwitness.ledger.stacks import MAX_WRAPPER_FRAMES
from poolwitness.model.records import Frame, Stack

NOTHING = Stack((), None)
# What no clock says: 2100 and thirty years without a reboot.
LATEST = 4.2e9
LATEST_MONO = 1e9


class Archive:
    """One file's content.

    Args:
        data: all of it; of a file of another size than a black box has, its beginning.
        size: of the whole file.

    Raises:
        Unfinished: its process died while making it.
        Refused: it is not a black box of this version, or not whole.
    """

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self._texts: dict[int, str] = {}
        self._stacks: dict[int, Stack] = {0: NOTHING}
        if size <= layout.SIZE and not any(data[: layout.HEADER_ROOM]):
            raise Unfinished("is empty: its process died while making it")
        if data[: len(layout.MAGIC)] != layout.MAGIC:
            raise Refused("is not a black box")
        version = int.from_bytes(data[len(layout.MAGIC) :][:2], "little")
        if version != layout.VERSION:
            raise Refused(f"has format {version}, and this release reads format {layout.VERSION}")
        if size != layout.SIZE or len(data) != size:
            raise Refused(f"is torn: it has {size} bytes, and {layout.SIZE} is what a black box has")
        header = layout.HEADER.unpack_from(data)
        (check,) = layout.HEADER_CHECK.unpack_from(data, layout.HEADER.size)
        if check != layout.check_of(data[: layout.HEADER.size]) or header[9:] != layout.tables():
            raise Refused("is damaged: its header does not agree with itself")
        _, _, _, pid, namespace, started, boot, self.made_at, self.made_mono = header[:9]
        self.identity = Identity(pid, started, boot, namespace)
        self.done = data[layout.DONE_AT] == layout.DONE
        choice = data[layout.ANCHOR_CHOICE_AT]
        if choice > 1:
            raise Refused("is damaged: its clock cannot be read")
        self.anchor_mono, self.anchor_at = layout.ANCHOR.unpack_from(data, layout.ANCHORS_AT[choice])
        for now_mono, now in ((self.made_mono, self.made_at), (self.anchor_mono, self.anchor_at)):
            if not (0 <= now_mono < LATEST_MONO and 0 <= now < LATEST):
                raise Refused("is damaged: its clock cannot be read")

    def dropped(self) -> dict[str, int]:
        """What the process had no room for, by kind; kinds of which nothing was dropped are left out."""
        counts = (
            layout.COUNT.unpack_from(self.data, layout.DROPPED_AT + index * layout.COUNT.size)[0]
            for index in range(len(layout.DROPPED))
        )
        return {name: count for name, count in zip(layout.DROPPED, counts, strict=True) if count}

    def documents(self) -> dict[int, bytes]:
        """The newest document of each subject."""
        newest: dict[int, tuple[int, bytes]] = {}
        states = self.data[layout.CELLS.offset + layout.CELL_STATE :: layout.CELLS.size]
        for number, state in enumerate(states):
            if state in (layout.FREE, layout.MORE, layout.TEXT):
                continue
            if state != layout.DOCUMENT:
                raise Refused("is damaged: a cell has no state that a cell can have")
            subject, generation, content = self._chain(number, layout.DOCUMENT)
            if generation > newest.get(subject, (0, b""))[0]:
                newest[subject] = generation, content
        return {subject: content for subject, (_, content) in newest.items()}

    def _chain(self, number: int, kind: int) -> tuple[int, int, bytes]:
        content = b""
        length = layout.HEAD.size
        first = True
        while True:
            if not 0 < number < layout.CELLS.count:
                raise Refused("is damaged: a chain of cells leads nowhere")
            at = layout.CELLS.at(number)
            following, used = layout.CELL.unpack_from(self.data, at)
            if (
                self.data[at + layout.CELL_STATE] != (kind if first else layout.MORE)
                or not 0 < used <= layout.CELL_ROOM
            ):
                raise Refused("is damaged: a chain of cells is broken")
            content += self.data[at + layout.CELL_DATA : at + layout.CELL_DATA + used]
            if first:
                if used < layout.HEAD.size:
                    raise Refused("is damaged: a chain of cells has no head")
                length += min(layout.HEAD.unpack_from(content)[0], layout.LONGEST)
                first = False
            if len(content) >= length:
                break
            number = following
        size, check, subject, generation = layout.HEAD.unpack_from(content)
        content = content[layout.HEAD.size :]
        start = layout.check_of(layout.HEAD_DATA.pack(size, subject, generation))
        if len(content) != size or check != layout.check_of(content, start):
            raise Refused("is damaged: a checksum does not agree with what it is of")
        return subject, generation, content

    def text(self, number: int) -> str:
        """A text."""
        found = self._texts.get(number)
        if found is None:
            try:
                found = self._chain(number, layout.TEXT)[2].decode("utf-8", "surrogatepass")
            except UnicodeDecodeError as error:
                raise Refused("is damaged: a text cannot be decoded") from error
            self._texts[number] = found
        return found

    def stack(self, number: int) -> Stack:
        """A stack; 0 is the one of which nothing is known."""
        found = self._stacks.get(number)
        if found is None:
            inner, origin = self._checked(layout.STACKS, layout.STACK, layout.STACK_DATA, number)
            frames: list[Frame] = []
            known_origin = None
            caller = inner
            while caller:
                file, function, line, outer, kind = self._checked(
                    layout.FRAMES, layout.FRAME, layout.FRAME_DATA, caller
                )
                # A caller is always written before whom it calls: no chain can come back to itself.
                if outer >= caller or kind >= len(layout.KINDS) or len(frames) >= layout.MOST_FRAMES:
                    raise Refused("is damaged: a stack has no end")
                frame = Frame(self.text(file), line, self.text(function), layout.KINDS[kind])
                frames.append(frame)
                if caller == origin:
                    known_origin = frame
                caller = outer
            if origin and known_origin is None:
                raise Refused("is damaged: a stack does not have its origin")
            found = self._stacks[number] = Stack(tuple(frames), known_origin, _caller(frames, known_origin))
        return found

    def _checked(self, table: layout.Table, record: Struct, data: Struct, number: int) -> tuple[int, ...]:
        if not 0 < number < table.count:
            raise Refused("is damaged: it tells of a record that it has no room for")
        *values, check, state = record.unpack_from(self.data, table.at(number))
        if state != layout.VALID or check != layout.check_of(data.pack(*values)):
            raise Refused("is damaged: a checksum does not agree with what it is of")
        return tuple(values)


def _caller(frames: list[Frame], origin: Frame | None) -> Frame | None:
    # The rule of stacks.caller_of, as far as it can be told without code objects.
    if origin is None:
        return None
    below = frames[frames.index(origin) + 1 :][: MAX_WRAPPER_FRAMES + 1]
    return next((frame for frame in below if frame.kind == "application"), None)
