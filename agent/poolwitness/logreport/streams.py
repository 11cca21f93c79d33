"""The bytes of a file or of standard input, decompressed by what they begin with and not by their name."""

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

from poolwitness.logreport.sources import STDIN, Source
from poolwitness.logreport.tally import Tally

PIECE = 1 << 20
LONGEST_LINE = 1 << 20
_MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
_DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


class Readable(Protocol):
    """What all of these files can do."""

    def read1(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


def regular(source: Source) -> bool:
    """Whether it can be read more than once: what a pipe gives is gone."""
    return source.path != STDIN and os.path.isfile(source.path)


def packed(source: Source) -> bool:
    """Whether a regular file is compressed; False too where it cannot be read, which reading it will say."""
    try:
        with open(source.path, "rb") as file:
            head = file.read(6)
    except OSError:
        return False
    return any(head.startswith(magic) for magic, _ in _MAGIC)


@contextmanager
def _opened(source: Source) -> Iterator[Readable]:
    # What is compressed is known by its first bytes, which a pipe gives once: they are looked at and left there.
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


def pieces(source: Source, tally: Tally) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time; what damages it is noted, and ends it.

    Args:
        source: what to read.
        tally: where damage is noted.
    """
    try:
        with _opened(source) as file:
            # What one read gives: a whole piece would be lost with the end that is missing.
            while piece := file.read1(PIECE):
                yield piece
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        tally.trouble("standard input" if source.path == STDIN else source.path, str(reason))


def lines(source: Source, tally: Tally) -> Iterator[bytes]:
    """A file's lines that are not blank, without their ends, none longer than `LONGEST_LINE`.

    Args:
        source: what to read.
        tally: where lines that are too long, and damage, are counted.
    """
    rest = b""
    overlong = False
    for piece in pieces(source, tally):
        *whole, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            if overlong or len(line) > LONGEST_LINE:
                tally.lines += 1
                tally.too_long += 1
            elif line.strip():
                yield line
            overlong = False
        if len(rest) > LONGEST_LINE:
            overlong, rest = True, b""
    if overlong:
        tally.lines += 1
        tally.too_long += 1
    elif rest.strip():
        yield rest
