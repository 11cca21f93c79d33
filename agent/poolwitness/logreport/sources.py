"""What the words of a command line name: files, folders of files, and ``-`` for standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

STDIN = "-"


class BadSource(Exception):
    """A word that names nothing to read; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: its path, or ``-``; its bytes as they are on disk, 0 where nobody knows."""

    path: str
    size: int = 0


def sources(words: Iterable[str]) -> list[Source]:
    """The files that are meant, each once, in the order of the words.

    Args:
        words: paths of files or folders, or ``-``.

    Raises:
        BadSource: a word names nothing, or nothing that can be read.
    """
    found: dict[str, Source] = {}
    for word in words:
        if word == STDIN:
            found.setdefault(STDIN, Source(STDIN))
            continue
        try:
            os.stat(word)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise BadSource(f"{word!r} cannot be read ({reason}): name log files, folders of them, or - .") from error
        if os.path.isdir(word):
            inside = list(_below(word))
            if not inside:
                raise BadSource(f"{word!r} has no files in it: name log files, folders of them, or - .")
            found.update((path, Source(path, size)) for path, size in inside)
        else:
            path = os.path.abspath(word)
            found[path] = Source(path, _size(path))
    return list(found.values())


def _below(folder: str) -> Iterator[tuple[str, int]]:
    for here, folders, names in os.walk(os.path.abspath(folder)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            # A pipe in a folder of logs would be waited for until somebody writes.
            if os.path.isfile(path):
                yield path, _size(path)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
