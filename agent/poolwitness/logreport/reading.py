"""Read files into the store: whole files by the database where it can, line by line where it cannot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from poolwitness.logreport.sources import Source
from poolwitness.logreport.spool import Spool
from poolwitness.logreport.store import Mixed, Staged, Store, Unreadable
from poolwitness.logreport.streams import lines, packed, pieces, regular
from poolwitness.logreport.tally import Tally
from poolwitness.logreport.unwrap import HEAD, bare, events_in, looks_ours

# Bytes of lines that are taken apart at a time: some 700,000 lines. Each processor should fill whole groups of
# 120,000 rows, as what is over is put into the table by one processor alone.
BATCH = 1 << 30

Advance = Callable[[int], None]
Take = Callable[[Sequence[str]], Staged]


def read(found: Iterable[Source], store: Store, advance: Advance = lambda _: None) -> Tally:
    """Read all sources.

    Args:
        found: the files, and standard input.
        store: where events are kept.
        advance: told of bytes on disk that were read.

    Returns:
        What was read, and what was passed over.
    """
    reader = Reader(store)
    waiting: list[Source] = []
    for source in found:
        reader.tally.files += 1
        if reader.in_pieces(source):
            reader.by_pieces(source, advance)
            continue
        waiting.append(source)
        if sum(one.size for one in waiting) >= BATCH:
            reader.whole(waiting)
            advance(sum(one.size for one in waiting))
            waiting = []
    if waiting:
        reader.whole(waiting)
        advance(sum(one.size for one in waiting))
    reader.load_found()
    reader.tally.duplicates = store.drop_duplicates()
    return reader.tally


class Reader:
    """One reading: the store, the counts, and the events that were found inside other lines."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tally = Tally()
        self._found: Spool | None = None
        self._texts: Spool | None = None

    def in_pieces(self, source: Source) -> bool:
        """Whether a source is no file that the database can read, or too large for one go."""
        return not regular(source) or source.size > BATCH or packed(source)

    def by_pieces(self, source: Source, advance: Advance = lambda _: None) -> None:
        """Read a source through temporary files, cut between lines."""
        as_it_is = regular(source) and not packed(source)
        for path, size in self._cut(source):
            self.tally.size += size
            self.whole([Source(path, 0)])
            os.unlink(path)
            advance(size if as_it_is else 0)
        if not as_it_is:
            advance(source.size)

    def whole(self, batch: list[Source], take: Take | None = None) -> None:
        """Read some files by the database; those that it does not take, line by line.

        Args:
            batch: files that are not compressed.
            take: of the store's ways: `Store.load` unless that was tried.
        """
        take = take or self.store.load
        try:
            staged = take([source.path for source in batch])
        except Unreadable:
            if len(batch) == 1:
                self.by_lines(batch[0])
            else:
                middle = len(batch) // 2
                self.whole(batch[:middle], take)
                self.whole(batch[middle:], take)
            return
        except Mixed:
            loadable, others = self._told_apart(batch)
            if loadable:
                self.whole(loadable)
            self.whole(others, self.store.stage)
            return
        self.tally.size += sum(source.size for source in batch)
        self.tally.lines += staged.lines
        self.tally.events += staged.ours
        self.tally.other += staged.lines - staged.ours - staged.named
        if staged.named:
            for line in self.store.named():
                # The database was given those that are ours as they stand.
                self.look_at(line, as_it_stands=not line.startswith(HEAD))
            self.load_found()

    def by_lines(self, source: Source) -> None:
        """Read a file line by line."""
        self.tally.size += source.size
        for line in lines(source, self.tally):
            self.tally.lines += 1
            if b"poolwitness" in line:
                self.look_at(line.decode("utf-8", "replace"))
            else:
                self.tally.other += 1
        self.load_found()

    def look_at(self, line: str, as_it_stands: bool = True) -> None:
        """Take the events out of one line that names us.

        Args:
            line: without its end.
            as_it_stands: whether the text of an event may be handed to the database, which takes a tenth of the time.
        """
        text = bare(line) if as_it_stands else None
        if text is not None:
            if self._texts is None:
                self._texts = Spool(self.store.folder)
            self._texts.add_text(text)
            return
        found = 0
        for event in events_in(line):
            if self._found is None:
                self._found = Spool(self.store.folder)
            self._found.add(event)
            found += 1
        if not found:
            if looks_ours(line):
                self.tally.broken += 1
            else:
                self.tally.other += 1

    def load_found(self) -> None:
        """Hand what was found inside other lines to the store."""
        self._load_texts()
        spool, self._found = self._found, None
        if spool is None:
            return
        staged = self.store.stage([spool.finish()])
        spool.remove()
        self.tally.events += staged.ours
        self.tally.broken += staged.lines - staged.ours

    def _load_texts(self) -> None:
        spool, self._texts = self._texts, None
        if spool is None:
            return
        path = [spool.finish()]
        try:
            try:
                staged = self.store.load(path)
            except Mixed:
                staged = self.store.stage(path)
            self.tally.events += staged.ours
            for line in self.store.named():
                self.look_at(line, as_it_stands=False)
        except Unreadable:
            for raw in lines(Source(path[0]), self.tally):
                self.look_at(raw.decode("utf-8", "replace"), as_it_stands=False)
        spool.remove()

    def _told_apart(self, batch: list[Source]) -> tuple[list[Source], list[Source]]:
        if len(batch) == 1:
            return [], batch
        try:
            names = set(self.store.loadable([source.path for source in batch]))
        except Unreadable:
            return [], batch
        loadable = [source for source in batch if source.path in names]
        if len(loadable) == len(batch):  # it was written meanwhile
            return [], batch
        return loadable, [source for source in batch if source.path not in names]

    def _cut(self, source: Source) -> Iterator[tuple[str, int]]:
        spool = Spool(self.store.folder)
        for piece in pieces(source, self.tally):
            end = piece.rfind(b"\n") + 1
            if spool.size + len(piece) < BATCH or not end:
                spool.write(piece)
                continue
            spool.write(piece[:end])
            full, spool = spool, Spool(self.store.folder)
            spool.write(piece[end:])
            yield full.finish(), full.size
        yield spool.finish(), spool.size
