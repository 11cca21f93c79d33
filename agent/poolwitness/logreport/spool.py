"""Events that were found inside other lines, written down as lines of their own for the database to read."""

from __future__ import annotations

import json
import math
import os
import tempfile
from typing import IO

from poolwitness.logreport.columns import KEYS
from poolwitness.logreport.unwrap import Event

LONGEST_TEXT = 16_384
_LARGEST = 2**53
_UNSAFE = dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd")


class Spool:
    """A temporary file of lines."""

    def __init__(self, folder: str) -> None:
        descriptor, self.path = tempfile.mkstemp(".jsonl", "spool", folder)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write lines, or a part of one."""
        self._file.write(data)
        self.size += len(data)

    def add(self, event: Event) -> None:
        """Write an event, with the keys that are kept and values that any reader takes."""
        kept = {key: safe for key in KEYS if (safe := _safe(event.get(key))) is not None}
        kept["logger"] = "poolwitness"
        self.write(json.dumps(kept, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n")

    def add_text(self, text: str) -> None:
        """Write an event as it was found."""
        self.write(text.encode("utf-8", "replace") + b"\n")

    def finish(self) -> str:
        """No more is written.

        Returns:
            The path, to be read and then removed with `remove`.
        """
        self._file.close()
        return self.path

    def remove(self) -> None:
        """Give the space back."""
        self._file.close()
        os.unlink(self.path)


def _safe(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return value[:LONGEST_TEXT].translate(_UNSAFE)
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None
