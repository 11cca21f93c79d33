"""The bytes of a black box file as texts, stacks and documents, each checked before it is used."""

from __future__ import annotations

from struct import Struct

from poolwitness.blackbox import format as layout
from poolwitness.blackbox.documents import Refused
from poolwitness.blackbox.identity import Identity
from poolwitness.ledger.stacks import MAX_WRAPPER_FRAMES
from poolwitness.model.records import Frame, Stack

# Beyond what a clock gives: the year 2100, and thirty years without a reboot.
LATEST = 4.2e9
LATEST_MONO = 1e9


class Unfinished(Refused):
    """A file whose process died while it created the file: nothing had been written into it."""


class Archive:
    """The content of one file.

    Args:
        data: all of it; only the beginning of a file that does not have the size of a black box.
        size: of the whole file.

    Raises:
        Unfinished: its process died while it created the file.
        Refused: it is not a black box of this version, or not whole.
    """

    def __init__(self, data: bytes, size: int) -> None:
        self.data = data
        self._texts: dict[int, str] = {}
        self._stacks: dict[int, Stack] = {0: Stack((), None)}
        if size <= layout.SIZE and not any(data[: layout.HEADER_ROOM]):
            raise Unfinished("is empty: its process died while it created the file")
        if data[: len(layout.MAGIC)] != layout.MAGIC:
            raise Refused("is not a black box")
        version = int.from_bytes(data[len(layout.MAGIC) :][:2], "little")
        if version != layout.VERSION:
            raise Refused(f"has format {version}, and this release reads format {layout.VERSION}")
        if size != layout.SIZE or len(data) != size:
            raise Refused(f"is torn: it has {size} bytes, and a black box has {layout.SIZE}")
        header = layout.HEADER.unpack_from(data)
        (check,) = layout.HEADER_CHECK.unpack_from(data, layout.HEADER.size)
        if check != layout.check_of(data[: layout.HEADER.size]) or header[9:] != layout.SHAPE:
            raise Refused("is damaged: its header does not match its checksum")
        _, _, _, pid, namespace, started, boot, self.made_at, made_mono = header[:9]
        self.identity = Identity(pid, started, boot, namespace)
        self.done = data[layout.DONE_AT] == layout.DONE
        choice = data[layout.ANCHOR_CHOICE_AT]
        if choice > 1:
            raise Refused("is damaged: its clock cannot be read")
        self.anchor_mono, self.anchor_at = layout.ANCHOR.unpack_from(data, layout.ANCHORS_AT[choice])
        for now_mono, now in ((made_mono, self.made_at), (self.anchor_mono, self.anchor_at)):
            if not (0 <= now_mono < LATEST_MONO and 0 <= now < LATEST):
                raise Refused("is damaged: its clock cannot be read")

    def dropped(self) -> dict[str, int]:
        """What the process had no room for, by kind; without those of which nothing was dropped."""
        counts = layout.COUNT.iter_unpack(
            self.data[layout.DROPPED_AT : layout.DROPPED_AT + len(layout.DROPPED) * layout.COUNT.size]
        )
        return {name: count for name, (count,) in zip(layout.DROPPED, counts, strict=True) if count}

    def documents(self) -> dict[int, bytes]:
        """The newest document of each subject."""
        newest: dict[int, tuple[int, bytes]] = {}
        states = self.data[layout.CELLS.offset + layout.CELL_STATE :: layout.CELLS.size]
        for number, state in enumerate(states):
            if state in (layout.FREE, layout.MORE, layout.TEXT):
                continue
            if state != layout.DOCUMENT:
                raise Refused("is damaged: a cell has an impossible state")
            subject, generation, content = self._chain(number, layout.DOCUMENT)
            if generation > newest.get(subject, (0, b""))[0]:
                newest[subject] = generation, content
        return {subject: content for subject, (_, content) in newest.items()}

    def _chain(self, number: int, state: int) -> tuple[int, int, bytes]:
        """The subject, the generation and the content of the text or document that begins in a cell."""
        content = b""
        length = layout.HEAD.size
        while True:
            if not 0 < number < layout.CELLS.records:
                raise Refused("is damaged: a chain of cells leads nowhere")
            at = layout.CELLS.at(number)
            following, used, found = layout.CELL.unpack_from(self.data, at)
            if found != (layout.MORE if content else state) or not 0 < used <= layout.CELL_ROOM:
                raise Refused("is damaged: a chain of cells is broken")
            if not content:
                if used < layout.HEAD.size:
                    raise Refused("is damaged: a chain of cells has no head")
                length += min(layout.HEAD.unpack_from(self.data, at + layout.CELL.size)[0], layout.LONGEST)
            content += self.data[at + layout.CELL.size : at + layout.CELL.size + used]
            if len(content) >= length:
                break
            number = following
        size, check, subject, generation = layout.HEAD.unpack_from(content)
        content = content[layout.HEAD.size :]
        start = layout.check_of(layout.HEAD_DATA.pack(size, subject, generation))
        if len(content) != size or check != layout.check_of(content, start):
            raise Refused("is damaged: a checksum does not match its data")
        return subject, generation, content

    def text(self, number: int) -> str:
        """The text of a number."""
        found = self._texts.get(number)
        if found is None:
            try:
                found = self._chain(number, layout.TEXT)[2].decode("utf-8", "surrogatepass")
            except UnicodeDecodeError as error:
                raise Refused("is damaged: a text cannot be decoded") from error
            self._texts[number] = found
        return found

    def stack(self, number: int) -> Stack:
        """The stack of a number; an empty one for 0."""
        found = self._stacks.get(number)
        if found is None:
            found = self._stacks[number] = self._read_stack(number)
        return found

    def _read_stack(self, number: int) -> Stack:
        inner, origin_number = self._checked(layout.STACKS, layout.STACK, layout.STACK_DATA, number)
        frames: list[Frame] = []
        origin = None
        caller = inner
        while caller:
            file, function, line, outer, kind = self._checked(layout.FRAMES, layout.FRAME, layout.FRAME_DATA, caller)
            # A caller is always written before the frame that it calls, so no chain can come back to itself.
            if outer >= caller or kind >= len(layout.KINDS) or len(frames) >= layout.MOST_FRAMES:
                raise Refused("is damaged: a stack has no end")
            frame = Frame(self.text(file), line, self.text(function), layout.KINDS[kind])
            frames.append(frame)
            if caller == origin_number:
                origin = frame
            caller = outer
        if origin_number and origin is None:
            raise Refused("is damaged: a stack does not contain its origin")
        return Stack(tuple(frames), origin, _caller(frames, origin))

    def _checked(self, table: layout.Table, record: Struct, data: Struct, number: int) -> tuple[int, ...]:
        if not 0 < number < table.records:
            raise Refused("is damaged: it refers to a record that does not exist")
        *values, check, state = record.unpack_from(self.data, table.at(number))
        if state != layout.VALID or check != layout.check_of(data.pack(*values)):
            raise Refused("is damaged: a checksum does not match its data")
        return tuple(values)


def _caller(frames: list[Frame], origin: Frame | None) -> Frame | None:
    # The rule of stacks.caller_of, as far as it can be applied without code objects.
    if origin is None:
        return None
    below = frames[frames.index(origin) + 1 :][: MAX_WRAPPER_FRAMES + 1]
    return next((frame for frame in below if frame.kind == "application"), None)
