"""Read files into the store: whole files with the database's own reader if possible, otherwise line by line."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from poolwitness.logreport.columns import KEYS, LARGEST_INTEGER
from poolwitness.logreport.reading.extract import START, Event, event_text, events_in, looks_like_fragment
from poolwitness.logreport.reading.sources import ReadStats, Source, is_compressed, read_chunks, read_lines
from poolwitness.logreport.store import LoadCounts, NotLoadable, Store, Unreadable

# Bytes of lines that are loaded at a time: some 700,000 lines. Each processor should fill whole groups of
# 120,000 rows, because a single processor writes the remainder to the table.
BATCH = 1 << 30

MAX_TEXT = 16_384
_UNSAFE = dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd")

Progress = Callable[[int], None]
Load = Callable[[Sequence[str]], LoadCounts]


def read_sources(sources: Iterable[Source], store: Store, progress: Progress = lambda _: None) -> ReadStats:
    """Read all sources, and call *progress* with numbers of bytes on disk after they have been read."""
    reader = Reader(store)
    batch: list[Source] = []

    def read_batch() -> None:
        reader.read_files(batch)
        progress(sum(source.size for source in batch))
        batch.clear()

    for source in sources:
        reader.stats.files += 1
        # What the database cannot read itself, or not in one go.
        if not source.is_regular or source.size > BATCH or is_compressed(source):
            reader.read_split(source, progress)
            continue
        batch.append(source)
        if sum(one.size for one in batch) >= BATCH:
            read_batch()
    if batch:
        read_batch()
    reader.load_extracted()
    reader.stats.duplicates = store.drop_duplicates()
    return reader.stats


class Reader:
    """One reading: the store, the counts, and the events that were extracted from other lines."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stats = ReadStats()
        self._events: IO[bytes] | None = None
        self._texts: IO[bytes] | None = None

    def _line_file(self) -> IO[bytes]:
        return tempfile.NamedTemporaryFile(suffix=".jsonl", prefix="lines", dir=self.store.folder, delete=False)

    def read_split(self, source: Source, progress: Progress) -> None:
        """Read a source through temporary files, split between lines."""
        plain = source.is_regular and not is_compressed(source)
        for path, size in self._split(source):
            self.stats.size += size
            self.read_files([Source(path)])
            os.unlink(path)
            progress(size if plain else 0)
        if not plain:
            progress(source.size)

    def read_files(self, batch: list[Source], load: Load | None = None) -> None:
        """Read files that are not compressed with the database; those that it cannot read, line by line.

        *load* is the store's method to use: `Store.load` unless that has failed.
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
            loadable = self.store.loadable([source.path for source in batch])
            if loadable:
                self.read_files([source for source in batch if source.path in loadable])
            self.read_files([source for source in batch if source.path not in loadable], self.store.stage)
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

        *as_text*: an event's text may be passed to the database unparsed, which takes a tenth of the time.
        """
        text = event_text(line) if as_text else None
        if text is not None:
            self._texts = self._texts or self._line_file()
            self._texts.write(text.encode("utf-8", "replace") + b"\n")
            return
        found = 0
        for event in events_in(line):
            self._events = self._events or self._line_file()
            self._events.write(_event_line(event))
            found += 1
        if not found and looks_like_fragment(line):
            self.stats.broken += 1
        elif not found:
            self.stats.other += 1

    def load_extracted(self) -> None:
        """Store the events that were extracted from other lines."""
        self._load_texts()
        file, self._events = self._events, None
        if file is None:
            return
        file.close()
        counts = self.store.stage([file.name])
        os.unlink(file.name)
        self.stats.events += counts.events
        self.stats.broken += counts.lines - counts.events

    def _load_texts(self) -> None:
        file, self._texts = self._texts, None
        if file is None:
            return
        file.close()
        try:
            try:
                counts = self.store.load([file.name])
            except NotLoadable:
                counts = self.store.stage([file.name])
            self.stats.events += counts.events
            for line in self.store.unparsed_lines():
                self.extract(line, as_text=False)
        except Unreadable:
            for raw in read_lines(Source(file.name), self.stats):
                self.extract(raw.decode("utf-8", "replace"), as_text=False)
        os.unlink(file.name)

    def _split(self, source: Source) -> Iterator[tuple[str, int]]:
        """Temporary files with the lines of a source, as paths and sizes."""
        file = self._line_file()
        size = 0
        for chunk in read_chunks(source, self.stats):
            end = chunk.rfind(b"\n") + 1
            if size + len(chunk) >= BATCH and end:
                file.write(chunk[:end])
                file.close()
                yield file.name, size + end
                file, size, chunk = self._line_file(), 0, chunk[end:]
            file.write(chunk)
            size += len(chunk)
        file.close()
        yield file.name, size


def _event_line(event: Event) -> bytes:
    """An event as a line of JSON: only the keys of the table, and only values that the database can read."""
    kept = {key: safe for key in KEYS if (safe := _safe(event.get(key))) is not None}
    kept["logger"] = "poolwitness"
    return json.dumps(kept, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _safe(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return value[:MAX_TEXT].translate(_UNSAFE)
    if isinstance(value, int):
        return value if -LARGEST_INTEGER <= value <= LARGEST_INTEGER else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None
