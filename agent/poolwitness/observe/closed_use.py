"""Detect that a closed pool is used: PoolClosed on its way to the application."""

from __future__ import annotations

from types import FrameType
from typing import Any

from poolwitness.ledger.ledger import Ledger
from poolwitness.ledger.observers import Observers
from poolwitness.ledger.stacks import capture
from poolwitness.ledger.tallies import ClosedUseTally

_FRAMES = 24


class ClosedUsePatches:
    """The lines that run around ``_check_open``, which a pool calls before it serves.

    Args:
        ledger: where pools are tracked.
        observers: notified of the first such use of a pool.
    """

    def __init__(self, ledger: Ledger, observers: Observers) -> None:
        self.ledger = ledger
        self.observers = observers

    def check_failed(self, pool: Any, frame: FrameType | None, _token: Any, error: BaseException) -> None:
        """``_check_open`` raised."""
        # Before psycopg_pool 3.3.1 opening again raises a plain OperationalError.
        if type(error).__name__ == "PoolClosed":
            self.note(pool, frame, waiting=False)

    def note(self, pool: Any, frame: FrameType | None, waiting: bool) -> None:
        """Record from where a pool was used.

        Args:
            pool: the host's.
            frame: the innermost one that is not ours.
            waiting: it was closed while the request waited.
        """
        tracked = self.ledger.find(pool)
        if tracked is None or tracked.inherited or not pool._closed or not getattr(pool, "_opened", False):
            return
        if tracked.use_after_close is None:
            tracked.use_after_close = ClosedUseTally(capture(frame, _FRAMES), waiting)
            self.ledger.synchronize()
            # The closing may not be over yet; its end is reported with this use.
            if tracked.life.closed_at is not None:
                self.observers.pool_changed(tracked, "used_after_close")
        else:
            tracked.use_after_close.count += 1


def found_closed(error: BaseException) -> bool:
    """Whether the pool was closed when the request came, and not while it waited."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_code.co_name.startswith("_check_open")
