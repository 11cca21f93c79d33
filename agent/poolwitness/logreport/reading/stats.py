"""Counts of what was read and what was skipped."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_NAMED = 20


@dataclass(slots=True)
class ReadStats:
    """Counts of one reading.

    Args:
        files: that were read, including standard input.
        size: bytes of lines, decompressed where necessary.
        lines: that are not blank.
        events: of ours, including duplicates.
        other: lines with nothing of ours.
        broken: lines with a part of an event: truncated, or mixed with another.
        too_long: lines that are too long to contain an event of ours.
        duplicates: events that had been read before.
        troubles: the first files that could not be read to their end, each with the reason.
        troubled: how many such files there were.
    """

    files: int = 0
    size: int = 0
    lines: int = 0
    events: int = 0
    other: int = 0
    broken: int = 0
    too_long: int = 0
    duplicates: int = 0
    troubles: list[str] = field(default_factory=list)
    troubled: int = 0

    @property
    def skipped(self) -> int:
        """Lines from which nothing was taken, and duplicate events."""
        return self.other + self.broken + self.too_long + self.duplicates

    def add_trouble(self, name: str, reason: str) -> None:
        """Record a file that could not be read to its end."""
        self.troubled += 1
        if len(self.troubles) < MAX_NAMED:
            self.troubles.append(f"{name}: {reason}")
