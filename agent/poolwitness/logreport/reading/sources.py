"""Find the files that the command line names, and read their bytes or lines, decompressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from poolwitness.logreport.columns import MAX_LINE

STDIN = "-"
CHUNK = 1 << 20
MAX_NAMED = 20
_READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


class BadSource(Exception):
    """An argument that names nothing to read; the text is one sentence for the user."""


class Source(NamedTuple):
    """One file to read: its path, or ``-``, and its size on disk, 0 if unknown."""

    path: str
    size: int = 0

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file, which can be read more than once."""
        return self.path != STDIN and os.path.isfile(self.path)


def find_sources(arguments: Iterable[str]) -> list[Source]:
    """The files that the arguments name, each once, in their order.

    Raises:
        BadSource: an argument names nothing that can be read.
    """
    found: dict[str, Source] = {}
    for argument in arguments:
        if argument == STDIN:
            found.setdefault(STDIN, Source(STDIN))
            continue
        try:
            os.stat(argument)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            message = f"{argument!r} cannot be read ({reason}): name log files, folders of them, or - ."
            raise BadSource(message) from error
        path = os.path.abspath(argument)
        paths = list(_files_below(path)) if os.path.isdir(path) else [path]
        if not paths:
            raise BadSource(f"{argument!r} has no files in it: name log files, folders of them, or - .")
        found.update((path, Source(path, _size(path))) for path in paths)
    return list(found.values())


def _files_below(folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            # Not a named pipe, which would block until some process writes to it.
            if os.path.isfile(path):
                yield path


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


@dataclass(slots=True)
class ReadStats:
    """Counts of what was read and what was skipped."""

    files: int = 0  # including standard input
    size: int = 0  # bytes of lines, decompressed where necessary
    lines: int = 0  # that are not blank
    events: int = 0  # of ours, including duplicates
    other: int = 0  # lines with nothing of ours
    broken: int = 0  # lines with a part of an event: truncated, or mixed with another
    too_long: int = 0  # lines that are too long to contain an event of ours
    duplicates: int = 0  # events that had been read before
    troubles: list[str] = field(default_factory=list)  # the first files not read to their end, each with the reason
    troubled: int = 0  # how many such files there were


def is_compressed(source: Source) -> bool:
    """Whether a regular file is compressed; also False if it cannot be read, which is reported when it is read."""
    try:
        with open(source.path, "rb") as file:
            return _decompressed(file) is not file
    except OSError:
        return False


def _decompressed(file: io.BufferedReader) -> io.BufferedIOBase:
    # The first bytes tell, not the name. A pipe's can be read only once, so peek at them.
    head = file.peek(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if head.startswith(b"\xfd7zXZ\x00") else file


def read_chunks(source: Source, stats: ReadStats) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time; a read error is recorded in *stats* and ends it."""
    try:
        with nullcontext(sys.stdin.buffer) if source.path == STDIN else open(source.path, "rb") as file:
            content = _decompressed(cast("io.BufferedReader", file))
            # read1, because read() would lose a whole chunk of a truncated file.
            while chunk := content.read1(CHUNK):
                yield chunk
    except _READ_ERRORS as error:
        stats.troubled += 1
        if len(stats.troubles) < MAX_NAMED:
            name = "standard input" if source.path == STDIN else source.path
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            stats.troubles.append(f"{name}: {reason}")


def read_lines(source: Source, stats: ReadStats) -> Iterator[bytes]:
    """A file's lines that are not blank, without line ends; those longer than `MAX_LINE` are only counted."""
    rest = b""
    overlong = False
    for chunk in read_chunks(source, stats):
        *complete, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in complete:
            if overlong or len(line) > MAX_LINE:
                stats.lines += 1
                stats.too_long += 1
            elif line.strip():
                yield line
            overlong = False
        if len(rest) > MAX_LINE:
            overlong, rest = True, b""
    if overlong:
        stats.lines += 1
        stats.too_long += 1
    elif rest.strip():
        yield rest
