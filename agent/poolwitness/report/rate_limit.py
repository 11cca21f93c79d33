"""Limits the lines per minute of each fingerprint and of all together, and counts what was held back."""

from __future__ import annotations

from poolwitness.model.startup import clock

PER_MINUTE = 30
ALL_PER_MINUTE = 600  # at some 2 KB a line, what a log store accepts from one process without complaint
MOST_KEYS = 2000


class RateLimit:
    """A fixed window of a minute for the lines of each key, and one for those of all keys together."""

    def __init__(self, per_minute: int = PER_MINUTE, all_per_minute: int = ALL_PER_MINUTE) -> None:
        self.per_minute = per_minute
        self.all_per_minute = all_per_minute
        self.suppressed = 0
        self._windows: dict[str, tuple[int, int]] = {}
        self._all = (0, 0)
        self._owed: dict[str, int] = {}

    def allows(self, key: str) -> bool:
        """Whether one more line of *key* may be written now; counts it either way."""
        minute = int(clock.monotonic() // 60)
        written = _within(self._windows.get(key), minute)
        written_of_all = _within(self._all, minute)
        if written < self.per_minute and written_of_all < self.all_per_minute:
            if len(self._windows) > MOST_KEYS:
                self._windows.clear()
            self._windows[key] = (minute, written + 1)
            self._all = (minute, written_of_all + 1)
            return True
        self.suppressed += 1
        if key in self._owed or len(self._owed) < MOST_KEYS:
            self._owed[key] = self._owed.get(key, 0) + 1
        return False

    def owed(self, key: str) -> int:
        """How many lines of *key* were held back since this was last asked."""
        return self._owed.pop(key, 0)


def _within(window: tuple[int, int] | None, minute: int) -> int:
    return window[1] if window is not None and window[0] == minute else 0
