"""A temporary file of lines for the database to read, for events that were extracted from other lines."""

from __future__ import annotations

import json
import math
import os
import tempfile
from typing import IO

from poolwitness.logreport.columns import KEYS
from poolwitness.logreport.reading.extract import Event

MAX_TEXT = 16_384
_LARGEST = 2**53
_UNSAFE = dict.fromkeys([0, *range(0xD800, 0xE000)], "\ufffd")


class LineFile:
    """A temporary file of lines."""

    def __init__(self, folder: str) -> None:
        descriptor, self.path = tempfile.mkstemp(".jsonl", "lines", folder)
        self._file: IO[bytes] = os.fdopen(descriptor, "wb")
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write lines, or part of a line."""
        self._file.write(data)
        self.size += len(data)

    def write_event(self, event: Event) -> None:
        """Write an event as JSON: only the keys of the table, and only values that the database can read."""
        kept = {key: safe for key in KEYS if (safe := _safe(event.get(key))) is not None}
        kept["logger"] = "poolwitness"
        self.write(json.dumps(kept, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n")

    def write_text(self, text: str) -> None:
        """Write one line."""
        self.write(text.encode("utf-8", "replace") + b"\n")

    def close(self) -> str:
        """Close the file.

        Returns:
            Its path, to be read and then deleted with `delete`.
        """
        self._file.close()
        return self.path

    def delete(self) -> None:
        """Delete the file."""
        self._file.close()
        os.unlink(self.path)


def _safe(value: object) -> str | int | float | bool | None:
    if isinstance(value, str):
        return value[:MAX_TEXT].translate(_UNSAFE)
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None
