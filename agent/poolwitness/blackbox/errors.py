"""What a reader says of a file that it does not believe."""

from __future__ import annotations


class Refused(Exception):
    """A file that is not read; the text says why, for a sentence that begins with the file's name."""


class Unfinished(Refused):
    """A file whose process died while making it: nothing had been written into it."""


class Alive(Refused):
    """A file whose process lives."""


class Missing(Refused):
    """A file that is not there any more."""
