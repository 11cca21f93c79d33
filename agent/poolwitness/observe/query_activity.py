"""See whether a connection that has been out for long is at work.

Only while there is one to suspect: then ``wait``, through which every query of psycopg goes, is patched on the
connection classes, and notes the time for connections that the ledger knows.
"""

from __future__ import annotations

import time
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.observe.patcher import AnyFunction, Patcher


class ActivityWatch:
    """The patch of ``wait``, put in and taken out as it is needed."""

    def __init__(self, ledger: Ledger, part: Guard) -> None:
        self.ledger = ledger
        self.part = part
        self.patches = Patcher()

    @property
    def installed(self) -> bool:
        """Whether activity is being watched."""
        return bool(self.patches.live)

    def install(self) -> None:
        """Patch the connection classes."""
        import psycopg

        self.patches.wrap(psycopg.Connection, "wait", self._sync)
        self.patches.wrap(psycopg.AsyncConnection, "wait", self._async)
        # What they did before is not known: from now on, idle counts.
        now_mono = time.monotonic()
        for slot in list(self.ledger.slots.values()):
            slot.active_mono = now_mono

    def uninstall(self) -> None:
        """Put ``wait`` back."""
        self.patches.undo()

    def _note(self, conn: Any) -> None:
        with self.part:
            slot = self.ledger.slots.get(id(conn))
            if slot is not None:
                slot.active_mono = time.monotonic()

    def _sync(self, original: AnyFunction) -> AnyFunction:
        def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            self._note(self_)
            try:
                return original(self_, *args, **kwargs)
            finally:
                self._note(self_)

        return wait

    def _async(self, original: AnyFunction) -> AnyFunction:
        async def wait(self_: Any, *args: Any, **kwargs: Any) -> Any:
            self._note(self_)
            try:
                return await original(self_, *args, **kwargs)
            finally:
                self._note(self_)

        return wait
