"""Say once that the agent is at work, and of each pool that it was opened and closed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from poolwitness._version import __version__
from poolwitness.boot import sigterm
from poolwitness.ledger.pools import TrackedPool
from poolwitness.report import build
from poolwitness.runtime import exit_hooks as exits
from poolwitness.runtime.dump_server import DumpServer
from poolwitness.snapshot.take import record_pool
from poolwitness.snapshot.versions import spelled
from poolwitness.stages import Stages


class LifecycleEvents:
    """Whoever hears of a pool has this say so.

    Args:
        stages: what there is.
        asking: says whether the signal that was asked for is heard.
        at_exit: to be called by the hooks of servers and of multiprocessing, with their name.
    """

    def __init__(self, stages: Stages, asking: DumpServer, at_exit: Callable[[str], None]) -> None:
        self.stages = stages
        self.asking = asking
        self.at_exit = at_exit
        self.opened_later: deque[TrackedPool] = deque()
        self.started_told = False

    def forget(self) -> None:
        """Start afresh, as a forked child does."""
        self.started_told = False
        self.opened_later.clear()

    def started(self) -> None:
        """Say once that the agent is at work, and with what."""
        stages = self.stages
        if stages.telemetry is not None:
            stages.telemetry.look()
        if self.started_told:
            return
        self.started_told = True
        with stages.parts["exit"]:
            exits.watch(self.at_exit)
        config, signal = stages.config, self.asking.signal
        settings = {
            "level": config.level,
            "output": ",".join(config.outputs),
            "format": config.format,
            "profile": config.profile,
            "close": config.close,
            "held_s": config.held_s,
            "sweep_s": config.sweep_s,
        }
        if config.signal:
            settings["signal"] = config.signal if signal.live else f"{config.signal}, not heard"
        if config.sigterm:
            settings["sigterm"] = sigterm.state()
        versions = {name: spelled(version) for name, version in stages.inspector.versions.items()}
        versions["poolwitness"] = __version__
        stages.teller.emit(
            "poolwitness.agent.started", build.started(versions, settings, stages.patches.live, stages.how)
        )
        for problem in [*stages.problems, *filter(None, [signal.problem()])]:
            stages.tell_problem(problem)

    def opened(self) -> None:
        """Write of the pools that have been opened since."""
        if self.stages.telemetry is not None and self.opened_later:
            self.stages.telemetry.look()
        while self.opened_later:
            try:
                entry = self.opened_later.popleft()
            except IndexError:  # another thread was quicker
                break
            self.started()  # a pool that was made before a fork
            self._emit("opened", entry, partial(_opened_event, entry))

    def closed(self, entry: TrackedPool) -> None:
        """Write of a pool that has been closed."""
        record = record_pool(entry)
        self.stages.inspector.figures.add(record)
        self._emit("closed", entry, partial(build.pool_closed, record))

    def _emit(self, what: str, entry: TrackedPool, event: Callable[[], build.Event]) -> None:
        place = entry.origin.place if entry.origin else ""
        self.stages.teller.emit_one_of(f"{what}:{place}", f"poolwitness.pool.{what}", event)


def _opened_event(entry: TrackedPool) -> build.Event:
    return build.pool_opened(record_pool(entry))
