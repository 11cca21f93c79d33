"""Read the bytes or lines of a file or standard input; compression is detected from the first bytes, not the name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

from poolwitness.logreport.columns import MAX_LINE
from poolwitness.logreport.reading.sources import STDIN, Source
from poolwitness.logreport.reading.stats import ReadStats

CHUNK = 1 << 20
_MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_READ_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


class Readable(Protocol):
    """What the file objects here have in common."""

    def read1(self, size: int, /) -> bytes:
        """At most *size* bytes; empty at the end."""
        ...


def is_regular(source: Source) -> bool:
    """Whether it is a regular file, which can be read more than once."""
    return source.path != STDIN and os.path.isfile(source.path)


def is_compressed(source: Source) -> bool:
    """Whether a regular file is compressed; also False if it cannot be read, which is reported when it is read."""
    try:
        with open(source.path, "rb") as file:
            head = file.read(6)
    except OSError:
        return False
    return any(head.startswith(magic) for magic, _ in _MAGIC)


@contextmanager
def _open(source: Source) -> Iterator[Readable]:
    # A pipe's first bytes can be read only once, so peek at them.
    stream = sys.stdin.buffer if source.path == STDIN else open(source.path, "rb")  # noqa: SIM115 - closed below
    try:
        head = cast("io.BufferedReader", stream).peek(6)[:6]
        for magic, opener in _MAGIC:
            if head.startswith(magic):
                with opener(stream) as file:
                    yield file
                return
        yield cast("io.BufferedReader", stream)
    finally:
        if source.path != STDIN:
            stream.close()


def read_chunks(source: Source, stats: ReadStats) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time; a read error is recorded and ends it.

    Args:
        source: what to read.
        stats: where read errors are recorded.
    """
    try:
        with _open(source) as file:
            # read1, because read() would lose a whole chunk of a truncated file.
            while chunk := file.read1(CHUNK):
                yield chunk
    except _READ_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        stats.add_trouble("standard input" if source.path == STDIN else source.path, str(reason))


def read_lines(source: Source, stats: ReadStats) -> Iterator[bytes]:
    """A file's lines that are not blank, without line ends, and none longer than `MAX_LINE`.

    Args:
        source: what to read.
        stats: where lines that are too long, and read errors, are counted.
    """
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
