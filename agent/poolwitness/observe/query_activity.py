"""Record whether a connection that has been checked out for long is at work.

Only while there is one to suspect: then ``wait``, through which every query of psycopg goes, is patched on the
connection classes, and records the time for connections that the ledger tracks.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

from poolwitness.guards import Guard
from poolwitness.ledger.ledger import Ledger
from poolwitness.model.startup import clock
from poolwitness.observe.patcher import Patcher


class QueryActivity:
    """The patch of ``wait``, installed and removed as it is needed."""

    def __init__(self, ledger: Ledger, guard: Guard) -> None:
        self.ledger = ledger
        self.guard = guard
        self.patcher = Patcher()

    @property
    def installed(self) -> bool:
        """Whether activity is being recorded."""
        return bool(self.patcher.live)

    def install(self) -> None:
        """Patch the connection classes."""
        import psycopg

        owners = (psycopg.Connection, psycopg.AsyncConnection)
        self.patcher.around(owners, "wait", self.guard, self._working, self._worked, self._worked)
        # What they did before is not known: from now on, idle counts.
        now_mono = clock.monotonic()
        for connection in list(self.ledger.connections.values()):
            connection.active_mono = now_mono

    def uninstall(self) -> None:
        """Put ``wait`` back."""
        self.patcher.undo()

    def _working(self, conn: Any, _frame: FrameType | None, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
        connection = self.ledger.connections.get(id(conn))
        if connection is not None:
            connection.active_mono = clock.monotonic()

    def _worked(self, conn: Any, _frame: FrameType | None, _token: Any, _outcome: Any) -> None:
        self._working(conn, None, (), {})
