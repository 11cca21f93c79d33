"""What was read, and what was passed over."""

from __future__ import annotations

from dataclasses import dataclass, field

from poolwitness.logreport.printable import printable

MOST_NAMED = 20


@dataclass(slots=True)
class Tally:
    """Counts of a reading: lines that are not blank, and what became of them.

    Args:
        files: that were read, standard input included.
        size: bytes of lines, decompressed where they had to be.
        lines: that are not blank.
        events: of ours, those that were there twice included.
        other: lines without anything of ours.
        broken: lines with what is left of an event: cut short, or mixed with another.
        too_long: lines that no event of ours can be in.
        duplicates: events that were there before.
        troubles: files that could not be read, or not to their end, with the reason.
        troubled: how many those are; the first of them are named.
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
        """Lines that nothing was taken from, and events that were there before."""
        return self.other + self.broken + self.too_long + self.duplicates

    def trouble(self, name: str, reason: str) -> None:
        """Note a file that could not be read to its end."""
        self.troubled += 1
        if len(self.troubles) < MOST_NAMED:
            self.troubles.append(printable(f"{name}: {reason}").replace("\n", "�"))
