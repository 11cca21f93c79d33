"""Where the threads of this process stand."""

from __future__ import annotations

import sys
from types import FrameType

from poolwitness.ledger import fork as forks


def current_frames() -> dict[int, FrameType]:
    """The innermost frame of every thread, by its identifier; nothing where that cannot be asked safely.

    In a child of a fork that Python was not told of, the states of the parent's threads are still listed. Python 3.11
    and 3.12 keep part of them on the threads' own stacks, which new threads overwrite: to follow them is a crash.
    """
    return {} if forks.is_untold() else sys._current_frames()
