"""What is there from the import of psycopg_pool on: the settings, the ledger, the outputs, and all that is patched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from poolwitness import guards as safety
from poolwitness.config import Config
from poolwitness.guards import Guard
from poolwitness.hearing import Hearing
from poolwitness.ledger import fork as forks
from poolwitness.ledger.ledger import Ledger
from poolwitness.observe.adapters import AdapterWatch
from poolwitness.observe.checkout_faults import CheckoutIncidents
from poolwitness.observe.checkouts import CheckoutWatch
from poolwitness.observe.closed_use import ClosedUses
from poolwitness.observe.connects import ConnectWatch
from poolwitness.observe.crossings import Crossings
from poolwitness.observe.finalizers import FinalizerWatch
from poolwitness.observe.patcher import Patcher
from poolwitness.observe.pools import PoolWatch
from poolwitness.observe.queue_wait import WaitWatch
from poolwitness.observe.worker_tasks import StintWatch
from poolwitness.observe.workers import WorkerWatch
from poolwitness.report.open_sinks import open_sinks
from poolwitness.report.sinks import FdSink

if TYPE_CHECKING:
    from poolwitness.blackbox.recorder import BlackBoxRecorder
    from poolwitness.otel.timings import Timings

PARTS = (
    "pools",
    "checkouts",
    "connects",
    "crossings",
    "adapters",
    "activity",
    "workers",
    "finalizers",
    "sweeper",
    "ending",
    "threads",
    "owners",
    "asked",
    "blackbox",
    "telemetry",
    "exit",
    "report",
)


class Watch(Protocol):
    """An observer that patches the host's classes."""

    def install(self, patches: Patcher) -> None:
        """Put the patches in place."""


class Watching:
    """What one process's agent observes with, each made once.

    Args:
        config: the settings.
        how: the way in: ``pth``, ``sitecustomize`` or ``activate``.
    """

    def __init__(self, config: Config, how: str) -> None:
        self.config = config
        self.how = how
        self.ledger = Ledger()
        self.patches = Patcher()
        self.parts = {name: Guard(name) for name in PARTS}
        self.problems = list(config.problems)
        # Opened now: by the time of the first pool the program may be another user, or its stderr another file.
        self.sinks = open_sinks(config, self.problems)

    def install(self, hearing: Hearing, blackbox: BlackBoxRecorder | None, timings: Timings | None) -> None:
        """Patch the pool classes; a watch that cannot be installed is left out and the others go on.

        Args:
            hearing: the listener of all of them.
            blackbox: where a kill is to leave something.
            timings: what metrics are made of.
        """
        safety.on_failure(hearing.part_failed)
        for part, watch in self._watches(hearing, blackbox, timings):
            with part:
                watch.install(self.patches)
        with self.parts["sweeper"]:
            forks.watch(self.ledger.forked)

    def _watches(
        self, hearing: Hearing, blackbox: BlackBoxRecorder | None, timings: Timings | None
    ) -> list[tuple[Guard, Watch]]:
        parts, ledger = self.parts, self.ledger
        crossings = Crossings(ledger, hearing.take_in, hearing.crossed, parts["crossings"])
        requests_watched = self.config.level != "exit"
        closed_uses = ClosedUses(ledger, hearing.used_after_close, parts["pools"], requests_watched)
        watches: list[tuple[Guard, Watch]] = [
            (parts["pools"], PoolWatch(ledger, hearing, parts["pools"], crossings)),
            (parts["pools"], closed_uses),
            (parts["finalizers"], FinalizerWatch(ledger, parts["finalizers"])),
            (parts["workers"], WorkerWatch(ledger, hearing.worker_died, hearing.error_text, parts["workers"])),
        ]
        if not requests_watched:
            return watches
        incidents = CheckoutIncidents(
            ledger,
            hearing.look_at,
            hearing.came_back,
            hearing.picture,
            closed_uses.note,
        )
        trace = self.config.level == "trace"
        watches += [
            (parts["crossings"], crossings),
            (parts["adapters"], AdapterWatch(ledger, hearing.adapters_repeated, parts["adapters"])),
            (
                parts["checkouts"],
                CheckoutWatch(ledger, incidents, crossings, parts["checkouts"], trace, blackbox, timings),
            ),
            (parts["workers"], StintWatch(ledger, hearing.worker_came_back, parts["workers"])),
            (
                parts["connects"],
                ConnectWatch(ledger, hearing.connect_failed, hearing.connected, hearing.error_text, parts["connects"]),
            ),
        ]
        if blackbox is not None:
            watches.append((parts["blackbox"], WaitWatch(blackbox, trace, parts["blackbox"])))
        return watches

    def switch_off(self) -> None:
        """Observe nothing from here on."""
        for part in self.parts.values():
            part.enabled = False

    def uninstall(self) -> None:
        """Put everything back."""
        self.patches.undo()
        forks.forget()
        self.ledger.listener = None
        for sink in self.sinks:
            if isinstance(sink, FdSink):
                sink.close()
        safety.on_failure(None)
