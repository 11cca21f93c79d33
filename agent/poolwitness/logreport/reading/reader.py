"""Read files into the store: whole files with the database's own reader if possible, otherwise line by line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from poolwitness.logreport.reading.extract import START, event_text, events_in, looks_like_fragment
from poolwitness.logreport.reading.line_file import LineFile
from poolwitness.logreport.reading.sources import Source
from poolwitness.logreport.reading.stats import ReadStats
from poolwitness.logreport.reading.streams import is_compressed, is_regular, read_chunks, read_lines
from poolwitness.logreport.store import LoadCounts, NotLoadable, Store, Unreadable

# Bytes of lines that are loaded at a time: some 700,000 lines. Each processor should fill whole groups of
# 120,000 rows, because a single processor writes the remainder to the table.
BATCH = 1 << 30

Progress = Callable[[int], None]
Load = Callable[[Sequence[str]], LoadCounts]


def read_sources(sources: Iterable[Source], store: Store, progress: Progress = lambda _: None) -> ReadStats:
    """Read all sources.

    Args:
        sources: the files, and standard input.
        store: where events are stored.
        progress: called with a number of bytes on disk after they have been read.

    Returns:
        What was read, and what was skipped.
    """
    reader = Reader(store)
    batch: list[Source] = []
    for source in sources:
        reader.stats.files += 1
        if reader.must_split(source):
            reader.read_split(source, progress)
            continue
        batch.append(source)
        if sum(one.size for one in batch) >= BATCH:
            reader.read_files(batch)
            progress(sum(one.size for one in batch))
            batch = []
    if batch:
        reader.read_files(batch)
        progress(sum(one.size for one in batch))
    reader.load_extracted()
    reader.stats.duplicates = store.drop_duplicates()
    return reader.stats


class Reader:
    """One reading: the store, the counts, and the events that were extracted from other lines."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stats = ReadStats()
        self._events: LineFile | None = None
        self._texts: LineFile | None = None

    def must_split(self, source: Source) -> bool:
        """Whether the database cannot read a source itself, or not in one go."""
        return not is_regular(source) or source.size > BATCH or is_compressed(source)

    def read_split(self, source: Source, progress: Progress = lambda _: None) -> None:
        """Read a source through temporary files, split between lines."""
        plain = is_regular(source) and not is_compressed(source)
        for path, size in self._split(source):
            self.stats.size += size
            self.read_files([Source(path, 0)])
            os.unlink(path)
            progress(size if plain else 0)
        if not plain:
            progress(source.size)

    def read_files(self, batch: list[Source], load: Load | None = None) -> None:
        """Read files with the database; those that it cannot read, line by line.

        Args:
            batch: files that are not compressed.
            load: the store's method to use: `Store.load` unless that has failed.
        """
        load = load or self.store.load
        try:
            counts = load([source.path for source in batch])
        except Unreadable:
            if len(batch) == 1:
                self.read_by_line(batch[0])
            else:
                middle = len(batch) // 2
                self.read_files(batch[:middle], load)
                self.read_files(batch[middle:], load)
            return
        except NotLoadable:
            loadable, others = self._separate(batch)
            if loadable:
                self.read_files(loadable)
            self.read_files(others, self.store.stage)
            return
        self.stats.size += sum(source.size for source in batch)
        self.stats.lines += counts.lines
        self.stats.events += counts.events
        self.stats.other += counts.lines - counts.events - counts.unparsed
        if counts.unparsed:
            for line in self.store.unparsed_lines():
                # The database has already tried lines that begin like ours.
                self.extract(line, as_text=not line.startswith(START))
            self.load_extracted()

    def read_by_line(self, source: Source) -> None:
        """Read a file line by line."""
        self.stats.size += source.size
        for line in read_lines(source, self.stats):
            self.stats.lines += 1
            if b"poolwitness" in line:
                self.extract(line.decode("utf-8", "replace"))
            else:
                self.stats.other += 1
        self.load_extracted()

    def extract(self, line: str, as_text: bool = True) -> None:
        """Extract the events of one line that contains our name.

        Args:
            line: without its end.
            as_text: whether an event's text may be passed to the database unparsed, which takes a tenth of the time.
        """
        text = event_text(line) if as_text else None
        if text is not None:
            if self._texts is None:
                self._texts = LineFile(self.store.folder)
            self._texts.write_text(text)
            return
        found = 0
        for event in events_in(line):
            if self._events is None:
                self._events = LineFile(self.store.folder)
            self._events.write_event(event)
            found += 1
        if not found:
            if looks_like_fragment(line):
                self.stats.broken += 1
            else:
                self.stats.other += 1

    def load_extracted(self) -> None:
        """Store the events that were extracted from other lines."""
        self._load_texts()
        file, self._events = self._events, None
        if file is None:
            return
        counts = self.store.stage([file.close()])
        file.delete()
        self.stats.events += counts.events
        self.stats.broken += counts.lines - counts.events

    def _load_texts(self) -> None:
        file, self._texts = self._texts, None
        if file is None:
            return
        path = [file.close()]
        try:
            try:
                counts = self.store.load(path)
            except NotLoadable:
                counts = self.store.stage(path)
            self.stats.events += counts.events
            for line in self.store.unparsed_lines():
                self.extract(line, as_text=False)
        except Unreadable:
            for raw in read_lines(Source(path[0]), self.stats):
                self.extract(raw.decode("utf-8", "replace"), as_text=False)
        file.delete()

    def _separate(self, batch: list[Source]) -> tuple[list[Source], list[Source]]:
        """Files that `Store.load` can be expected to accept, and the others."""
        if len(batch) == 1:
            return [], batch
        try:
            paths = set(self.store.loadable([source.path for source in batch]))
        except Unreadable:
            return [], batch
        loadable = [source for source in batch if source.path in paths]
        if len(loadable) == len(batch):  # a file was written to meanwhile
            return [], batch
        return loadable, [source for source in batch if source.path not in paths]

    def _split(self, source: Source) -> Iterator[tuple[str, int]]:
        """Temporary files with the lines of a source, as paths and sizes."""
        file = LineFile(self.store.folder)
        for chunk in read_chunks(source, self.stats):
            end = chunk.rfind(b"\n") + 1
            if file.size + len(chunk) < BATCH or not end:
                file.write(chunk)
                continue
            file.write(chunk[:end])
            full, file = file, LineFile(self.store.folder)
            file.write(chunk[end:])
            yield full.close(), full.size
        yield file.close(), file.size
