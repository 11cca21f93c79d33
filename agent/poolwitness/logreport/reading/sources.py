"""Find the files to read from the command line's arguments: files, folders, and ``-`` for standard input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

STDIN = "-"


class BadSource(Exception):
    """An argument that names nothing to read; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: its path, or ``-``, and its size on disk, 0 if unknown."""

    path: str
    size: int = 0


def find_sources(arguments: Iterable[str]) -> list[Source]:
    """The files that the arguments name, each once, in their order.

    Args:
        arguments: paths of files or folders, or ``-``.

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
            raise BadSource(
                f"{argument!r} cannot be read ({reason}): name log files, folders of them, or - ."
            ) from error
        if os.path.isdir(argument):
            inside = list(_files_below(argument))
            if not inside:
                raise BadSource(f"{argument!r} has no files in it: name log files, folders of them, or - .")
            found.update((path, Source(path, size)) for path, size in inside)
        else:
            path = os.path.abspath(argument)
            found[path] = Source(path, _size(path))
    return list(found.values())


def _files_below(folder: str) -> Iterator[tuple[str, int]]:
    for here, folders, names in os.walk(os.path.abspath(folder)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            # Not a named pipe, which would block until some process writes to it.
            if os.path.isfile(path):
                yield path, _size(path)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
