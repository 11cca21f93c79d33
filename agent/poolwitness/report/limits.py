"""So many lines a minute per fingerprint; what was held back is counted and said."""

from __future__ import annotations

import time

PER_MINUTE = 30
MOST_KEYS = 2000


class RateLimit:
    """A fixed window of a minute for each key."""

    def __init__(self, per_minute: int = PER_MINUTE) -> None:
        self.per_minute = per_minute
        self.suppressed = 0
        self._windows: dict[str, tuple[int, int]] = {}

    def allows(self, key: str) -> bool:
        """Whether one more line of *key* may be written now; counts it either way."""
        minute = int(time.monotonic() // 60)
        window, count = self._windows.get(key, (minute, 0))
        if window != minute:
            count = 0
        if len(self._windows) > MOST_KEYS:
            self._windows.clear()
        self._windows[key] = (minute, count + 1)
        if count < self.per_minute:
            return True
        self.suppressed += 1
        return False
