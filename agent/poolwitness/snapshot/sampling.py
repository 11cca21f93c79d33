"""Sample the pools' threads, in turn, so that a look costs the same however many there are."""

from __future__ import annotations

from poolwitness.ledger.pools import TrackedPool
from poolwitness.snapshot import threads


class Sampler:
    """Remembers whose turn it is."""

    def __init__(self) -> None:
        self._next = 0

    def sample(self, entries: list[TrackedPool], most: int) -> None:
        """Ask the operating system about at most *most* threads of these pools."""
        wanted = [
            (entry, native_id)
            for entry in entries
            if not entry.inherited
            for _, _, _, native_id in entry.threads
            if native_id is not None
        ]
        if not wanted:
            return
        if len(wanted) > most:
            start = self._next % len(wanted)
            wanted = (wanted[start:] + wanted[:start])[:most]
            self._next += most
        previous = {native_id: entry.samples[native_id] for entry, native_id in wanted if native_id in entry.samples}
        found = threads.sample({native_id for _, native_id in wanted}, previous)
        for entry, native_id in wanted:
            if native_id in found:
                entry.samples[native_id] = found[native_id]
